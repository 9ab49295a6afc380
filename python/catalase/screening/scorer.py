"""`Scorer` turns SMILES into scores: it featurizes them as the model was trained, and takes the output that is ranked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import feat, models
from .._internal.numbers import is_whole, shown
from .._internal.report import Failure
from .._internal.text import parse_int
from .hits import Hits
from .library import Chunk

if TYPE_CHECKING:
    from .screening import ScreenSettings


class ChunkScores(NamedTuple):
    """The positions in a chunk of the molecules that have a score, their scores, and the failures of the others."""

    kept: NDArray[np.int64]
    scores: NDArray[Any]
    failures: list[Failure]


class Scorer:
    """A model, its featurizer, and the one of its outputs that is the score.

    Parameters
    ----------
    settings : ScreenSettings
        The model, the task, the class, and the fingerprint's radius and size are taken from them.

    Attributes
    ----------
    featurizer : Featurizer
        Makes X from SMILES, transformed where the model was trained on transformed features.
    fingerprint : CircularFingerprint
        For the steps on the hits: the first one of the featurizer, or ECFP4 of 2,048 bits for a model without any.
    """

    def __init__(self, settings: ScreenSettings) -> None:
        self.model = settings.model if isinstance(settings.model, models.Model) else _load(settings.model)
        own = self.model.featurizer
        self.featurizer: feat.Featurizer = self._given(settings.radius, settings.size) if own is None else own
        self.fingerprint = _fingerprint_of(self.featurizer) or feat.CircularFingerprint()
        if own is not None:
            self._check_agrees(settings.radius, settings.size)
        rows = self._predictions(["C"]).predictions
        if rows.ndim not in (2, 3):
            raise ValueError(f"screen: the model gives predictions of shape {rows.shape}, which are not of tasks")
        self.task, self.task_name = _choose_task(settings.task, self.model.tasks or [], rows.shape[1])
        self.dtype = rows.dtype
        self.class_index = self._choose_class(settings.class_index, rows.shape[2] if rows.ndim == 3 else None)

    def _given(self, radius: int | None, size: int | None) -> feat.CircularFingerprint:
        """Return the fingerprints that the caller describes, for a model without a featurizer."""
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
            if given is not None and _fingerprint_of(self.featurizer) is None:
                raise ValueError(f"screen: the model was trained on other features than fingerprints; leave {name} out")
            if given is not None and given != known:
                raise ValueError(f"screen: the model was trained with {name} {known}, got {given}; leave it out")

    @staticmethod
    def _choose_class(class_index: int | None, count: int | None) -> int | None:
        """Return the class whose probability is the score, by default the second; None for a regression model."""
        if count is None:
            if class_index is not None:
                raise ValueError(
                    f"screen: class_index (--class) is for classifiers, got {class_index} for a model of numbers"
                )
            return None
        chosen = 1 if class_index is None else class_index
        if not 0 <= chosen < count:
            raise ValueError(f"screen: the model has classes 0 to {count - 1}, got class_index={chosen}")
        return chosen

    def _predictions(self, smiles: list[str], unread: Sequence[Failure] = ()) -> Any:
        return self.model._answers("screen", smiles, self.model.predict, featurizer=self.featurizer, unread=unread)

    def __call__(self, chunk: Chunk) -> ChunkScores:
        """Score the molecules of a chunk."""
        outputs, kept, failures = self._predictions(chunk.smiles, chunk.failures)
        if not len(kept):
            return ChunkScores(kept, np.zeros(0, self.dtype), failures)
        scores = outputs[:, self.task] if self.class_index is None else outputs[:, self.task, self.class_index]
        finite = np.isfinite(scores)
        if not finite.all():
            broken = kept[~finite].tolist()
            failures += [Failure(i, chunk.smiles[i], "the model gives no finite number") for i in broken]
            kept, scores = kept[finite], scores[finite]
        return ChunkScores(kept, scores, sorted(failures))

    def add_certainty(self, hits: Hits) -> None:
        """Add columns that say how sure the model is of each hit, where it says so."""
        if not isinstance(self.model, models.AutoModel) or not len(hits):
            return
        said = self.model.predict_table(hits.smiles)
        std, low, high = (column[:, self.task] for column in (said.std, said.low, said.high))
        if self.class_index == 0:
            low, high = 1 - high, 1 - low
        for name, column in (("std", std), ("low", low), ("high", high)):
            hits.columns[f"{name} {self.task_name}"] = [str(value) for value in column]
        hits.columns["nearest_similarity"] = [str(value) for value in said.nearest_similarity]
        hits.columns["in_domain"] = ["yes" if inside else "no" for inside in said.in_domain.tolist()]

    def describe(self) -> dict[str, Any]:
        """Return all that decides a score, as JSON values, which are equal for equal models."""
        digest = hashlib.sha256()
        for name, array in sorted(self.model.state_dict().items()):
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        rest: list[Any] = [self.model.to_config(), [t.to_config() for t in self.model.transformers]]
        members = [
            [t.to_config() for t in m.transformers]
            for m in (self.model.members if isinstance(self.model, models.Ensemble) else [])
        ]
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


def _fingerprint_of(featurizer: Any) -> feat.CircularFingerprint | None:
    """Return the first circular fingerprint among the features; refuse a featurizer that reads no SMILES."""
    if isinstance(featurizer, feat.TransformedFeaturizer):
        return _fingerprint_of(featurizer.featurizer)
    if isinstance(featurizer, feat.CircularFingerprint):
        return featurizer
    if featurizer.reads != "SMILES":
        raise ValueError(
            f"screen: a library is of SMILES, but the model was trained on the features of {featurizer!r}, which reads "
            f"{featurizer.reads}"
        )
    found = (_fingerprint_of(part) for part in getattr(featurizer, "featurizers", ()))
    return next((fingerprint for fingerprint in found if fingerprint is not None), None)


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
