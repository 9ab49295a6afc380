"""From SMILES to scores: the featurizer that a model was trained with, and the output that is ranked."""

from __future__ import annotations

import hashlib
import json
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import feat, models
from .._numbers import parse_int


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
        Of the fingerprints, for models that do not name their featurizer.
    """

    def __init__(
        self, model: Any, task: str | int | None, class_index: int, radius: int | None, size: int | None
    ) -> None:
        self.model = model if isinstance(model, models.Model) else _load(model)
        self.settings = dict(self.model.featurizer or {})
        self.featurizer = self._make_featurizer(radius, size)
        rows = self.model.predict(np.zeros((1, self.model.n_features), np.float32))
        names = [str(name) for name in self.settings.get("tasks", [])]
        self.task, self.task_name = _choose_task(task, names, rows.shape[1])
        self.dtype = np.asarray(
            self.model.predict(np.zeros((1, self.model.n_features), np.float32), self.model.transformers)
        ).dtype
        self.class_index = class_index if rows.ndim == 3 else None
        if rows.ndim == 3 and not 0 <= class_index < rows.shape[2]:
            raise ValueError(f"screen: the model has classes 0 to {rows.shape[2] - 1}, got class_index={class_index}")

    def _make_featurizer(self, radius: int | None, size: int | None) -> feat.CircularFingerprint:
        saved = self.settings.get("fingerprint", self.settings if "radius" in self.settings else None)
        width = self.model.n_features
        if saved is None:
            size = width if size is None else size
            if size != width:
                raise ValueError(
                    f"screen: the model takes {width} features, so it needs fingerprints of size {width}, got {size}"
                )
            return feat.CircularFingerprint(radius=2 if radius is None else radius, size=size)
        try:
            featurizer = feat.CircularFingerprint(**saved)
        except TypeError:
            raise ValueError(
                f"screen: the model was not trained on circular fingerprints, or not by Catalase: it names {saved!r}"
            ) from None
        for name, given in (("radius", radius), ("size", size)):
            if given is not None and given != getattr(featurizer, name):
                raise ValueError(
                    f"screen: the model was trained with {name} {getattr(featurizer, name)}, got {given}; leave it out"
                )
        if featurizer.size != width:
            raise ValueError(
                f"screen: the model takes {width} features, but names fingerprints of size {featurizer.size}; "
                "save it again with the settings it was trained with"
            )
        return featurizer

    def __call__(self, smiles: list[str]) -> Scored:
        """Score some molecules."""
        failures = [(i, "the SMILES is empty") for i, text in enumerate(smiles) if not text.strip(" \t\n\r\v\f")]
        X, kept = self.featurizer.featurize(smiles, errors="drop", output="packed")
        report = self.featurizer.report
        if len(kept) < len(smiles):
            left_out = set(range(len(smiles))).difference(kept.tolist())
            failures += [(f.position, f.reason) for f in report.failures if f.position in left_out]  # type: ignore[union-attr]
        if failures:
            full = ~np.isin(kept, [i for i, _ in failures])
            X, kept = X[full], kept[full]
        if not len(kept):
            return Scored(kept, np.zeros(0, self.dtype), sorted(failures))
        outputs = self.model.predict(X, self.model.transformers)
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
        rest = [self.model.to_config(), [t.to_config() for t in self.model.transformers]]
        digest.update(json.dumps(rest, sort_keys=True, default=str).encode())
        return {
            "model_sha256": digest.hexdigest(),
            "fingerprint": self.featurizer.to_config(),
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
    if isinstance(task, bool) or not isinstance(task, (int, np.integer)) or not 0 <= task < count:
        raise ValueError(f"screen: the model has no task {task!r}; it has {known}")
    return int(task), names[task] if task < len(names) else str(task)
