"""From SMILES to scores: the featurizer that a model was trained with, and the output that is ranked."""

from __future__ import annotations

import hashlib
import json
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import feat, models
from .._numbers import parse_int
from ..ops._check import is_whole, shown


class Scored(NamedTuple):
    """Scores of the molecules that have one, where they stand in the chunk, and why the others have none."""

    kept: NDArray[np.int64]
    scores: NDArray[Any]
    failures: list[tuple[int, str]]


class Scorer:
    """A model with its featurizer, and one of its outputs.

    Parameters
    ----------
    model : Model or path
    task : str or int, optional
        Name (where the model's metadata names its tasks) or number from 0; may be left out where there is but one.
    class_index : int
        The class whose probability is the score, for classifiers.
    radius, size : int, optional
        Of the fingerprints, for models that do not name their featurizer; those that do must agree.

    Attributes
    ----------
    featurizer : Featurizer
        What makes X of SMILES: circular fingerprints, transformed where the model was trained on transformed ones.
    fingerprint : CircularFingerprint
        The fingerprints without the transformers.
    """

    def __init__(
        self, model: Any, task: str | int | None, class_index: int, radius: int | None, size: int | None
    ) -> None:
        self.model = model if isinstance(model, models.Model) else _load(model)
        own = self.model.featurizer
        self.featurizer: feat.Featurizer = self._given(radius, size) if own is None else own
        base = (
            self.featurizer.featurizer if isinstance(self.featurizer, feat.TransformedFeaturizer) else self.featurizer
        )
        if not isinstance(base, feat.CircularFingerprint):
            raise ValueError(
                f"screen: a library is of SMILES, but the model was trained on the features of {base!r}, not on circular "
                "fingerprints"
            )
        self.fingerprint = base
        if own is not None:
            self._check_agrees(radius, size)
        rows = self._predictions(["C"]).predictions
        if rows.ndim not in (2, 3):
            raise ValueError(f"screen: the model gives predictions of shape {rows.shape}, which are not of tasks")
        self.task, self.task_name = _choose_task(task, self.model.tasks or [], rows.shape[1])
        self.dtype = rows.dtype
        self.class_index = class_index if rows.ndim == 3 else None
        if rows.ndim == 3 and not 0 <= class_index < rows.shape[2]:
            raise ValueError(f"screen: the model has classes 0 to {rows.shape[2] - 1}, got class_index={class_index}")

    def _given(self, radius: int | None, size: int | None) -> feat.CircularFingerprint:
        """The fingerprints that the caller names, for a model that names none."""
        width = getattr(self.model, "n_features", None)
        size = width if size is None else size
        if width is not None and size != width:
            raise ValueError(
                f"screen: the model takes {width} features, so it needs fingerprints of size {width}, got {size}"
            )
        if radius is None or size is None:
            raise ValueError(
                "screen: the model names no featurizer, so it is not known which fingerprints it was trained on; set "
                "model.featurizer = catalase.feat.CircularFingerprint(radius=..., size=...), train it on a dataset that has "
                "a featurizer, or, for plain bits, say radius and size here"
            )
        return feat.CircularFingerprint(radius=radius, size=size)

    def _check_agrees(self, radius: int | None, size: int | None) -> None:
        for name, given in (("radius", radius), ("size", size)):
            known = getattr(self.fingerprint, name)
            if given is not None and given != known:
                raise ValueError(f"screen: the model was trained with {name} {known}, got {given}; leave it out")

    def _predictions(self, smiles: list[str]) -> Any:
        return self.model._answers("screen", smiles, self.model.predict, featurizer=self.featurizer)

    def __call__(self, smiles: list[str]) -> Scored:
        """Score some molecules."""
        outputs, kept, failed = self._predictions(smiles)
        failures = [(f.position, f.reason) for f in failed]
        if not len(kept):
            return Scored(kept, np.zeros(0, self.dtype), sorted(failures))
        scores = outputs[:, self.task] if self.class_index is None else outputs[:, self.task, self.class_index]
        finite = np.isfinite(scores)
        if not finite.all():
            failures += [(int(i), "the model gives no finite number") for i in kept[~finite]]
            kept, scores = kept[finite], scores[finite]
        return Scored(kept, scores, sorted(failures))

    def describe(self) -> dict[str, Any]:
        """What decides a score, as JSON values: equal for equal models."""
        digest = hashlib.sha256()
        for name, array in sorted(self.model.module.state_dict().items()):
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        rest: list[Any] = [self.model.to_config(), [t.to_config() for t in self.model.transformers]]
        members = [[t.to_config() for t in m.transformers] for m in getattr(self.model, "members", [])]
        if any(members) and not self.model.transformers:
            rest.append(members)
        if self.featurizer is not self.fingerprint:
            rest.append(self.featurizer.to_config())
        digest.update(json.dumps(rest, sort_keys=True, default=str).encode())
        return {
            "model_sha256": digest.hexdigest(),
            "fingerprint": self.fingerprint.to_config(),
            "task": self.task,
            "class": self.class_index,
        }


def _load(path: Any) -> Any:
    try:
        return models.load(path)
    except TypeError:
        raise TypeError(
            f"screen: model must be a model of catalase.models or the folder of a saved one, got {type(path).__name__}"
        ) from None


def _choose_task(task: str | int | None, names: list[str], count: int) -> tuple[int, str]:
    known = f"tasks {', '.join(names)}" if len(names) == count else f"{count} tasks, 0 to {count - 1}"
    if task is None:
        if count > 1:
            raise ValueError(f"screen: the model has {known}; choose the one to rank by task (--task)")
        task = 0
    if isinstance(task, str):
        if task in names:
            return names.index(task), task
        try:
            task = parse_int(task)
        except ValueError:
            raise ValueError(f"screen: the model has no task {task!r}; it has {known}") from None
    if not is_whole(task) or not 0 <= int(task) < count:
        raise ValueError(f"screen: the model has no task {shown(task)}; it has {known}")
    return int(task), names[task] if task < len(names) else str(task)
