"""From the members' predictions to one answer, and how far it can be trusted: blend, intervals, probabilities.

All is learned from predictions out of fold, of molecules that no model of theirs was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...metrics.shares import share_interval
from ..platt import logistic

_FLOATS = NDArray[np.float64]
_EDGE = 1e-4  # probabilities stay that far from 0 and 1
_BASES = (0.25, 0.5, 1.0, 2.0, 4.0)  # of the root mean square error
_ONE_DEVIATION = 0.6827  # of measurements lie within one standard deviation
_FEWEST_ALIKE = 30  # molecules, whose share of class 1 is looked at


def logit(probability: _FLOATS) -> _FLOATS:
    """Return the logarithm of the odds."""
    probability = np.clip(probability, _EDGE, 1 - _EDGE)
    odds: _FLOATS = np.log(probability / (1 - probability))
    return odds


def conformal_quantile(scores: _FLOATS, coverage: float) -> float:
    """Return the score that a new one exceeds with probability 1 - coverage at most, by split conformal prediction.

    It is the ``ceil((n + 1) coverage)``-th smallest of n; infinity where there are too few.

    References
    ----------
    Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World" (2005); Lei et al., JASA 113 (2018) 1094.
    """
    place = int(np.ceil((len(scores) + 1) * coverage - 1e-9))
    return float("inf") if place > len(scores) else float(np.partition(scores, place - 1)[place - 1])


class Blend:
    """How the members' predictions become one answer: their mean, and what is known of its errors.

    For numbers, predictions are clipped to the range of the training labels, and the error of a molecule is measured in
    units of ``sqrt(d**2 + base**2)``, where d is the deviation between the members: where they disagree, intervals are wider.
    For classes, the score is the logarithm of the odds of the mean, and Platt's logistic function makes it a probability.

    Attributes
    ----------
    arrays : dict of str to ndarray
        All that was learned, by name, for T tasks and N training molecules: "range" (2, T), "base" (T,) and "errors" (T, N)
        sorted; or "slopes" (2, T), "scores" and "labels" (T, N) by ascending score. NaN, at the end, stands for missing labels.
    """

    def __init__(self, arrays: dict[str, _FLOATS]) -> None:
        self.arrays = arrays

    @classmethod
    def of(cls, predictions: Sequence[_FLOATS], y: _FLOATS, mode: str) -> tuple[Blend, _FLOATS, _FLOATS, _FLOATS]:
        """Learn from the members' predictions out of fold, (N, T) each; return the blend, and what it answers of them."""
        found = np.where(np.isnan(y), np.nan, np.stack(predictions))
        if mode == "regression":
            blend = cls({"range": np.stack([np.nanmin(y, axis=0), np.nanmax(y, axis=0)])})
            mean, spread = blend._numbers(found)
            base, errors = zip(*(_base(e, s) for e, s in zip(abs(y - mean).T, spread.T, strict=True)), strict=True)
            blend.arrays |= {"base": np.array(base), "errors": np.sort(np.stack(errors), axis=1)}
        else:
            score = logit(found.mean(axis=0))
            slopes = [logistic(s[~np.isnan(s)], t[~np.isnan(s)] > 0) for s, t in zip(score.T, y.T, strict=True)]
            order = np.argsort(score, axis=0, kind="stable")
            scores, labels = (np.take_along_axis(array, order, axis=0).T for array in (score, y))
            blend = cls({"slopes": np.array(slopes).T, "scores": scores, "labels": labels})
        return blend, *blend.answer([*found])

    def saved(self) -> dict[str, NDArray[Any]]:
        """Return the arrays without NaN, and the number of labels of each task as "labelled"."""
        long = self.arrays["scores" if self.of_classes else "errors"]
        labelled = (~np.isnan(long)).sum(axis=1)
        return {name: np.nan_to_num(array) for name, array in self.arrays.items()} | {"labelled": labelled}

    @classmethod
    def read(cls, where: str, saved: dict[str, NDArray[Any]]) -> Blend:
        """Make a blend of what `saved` returns; ValueError for anything else."""
        labelled = saved.pop("labelled", np.zeros(0, np.int64))
        tasks, rows = len(labelled), max(saved.get("errors", saved.get("scores", np.zeros((1, 0)))).shape)
        numbers = {"range": (2, tasks), "base": (tasks,), "errors": (tasks, rows)}
        classes = {"slopes": (2, tasks), "scores": (tasks, rows), "labels": (tasks, rows)}
        shapes = {name: array.shape for name, array in saved.items()}
        if shapes not in (numbers, classes) or not tasks or labelled.min() < 1 or labelled.max() > rows:
            raise ValueError(f"{where}: the arrays of the blend have shapes {shapes}, which are not an AutoModel's")
        missing = np.arange(rows) >= labelled[:, None]
        long = {name: np.where(missing, np.nan, a) for name, a in saved.items() if a.shape[-2:] == (tasks, rows)}
        return cls({name: array.astype(np.float64) for name, array in (saved | long).items()})

    @property
    def of_classes(self) -> bool:
        """Whether the answer is a probability."""
        return "slopes" in self.arrays

    @property
    def tasks(self) -> int:
        """How many tasks."""
        return len(self.arrays["scores" if self.of_classes else "errors"])

    def answer(self, predictions: Sequence[_FLOATS]) -> tuple[_FLOATS, _FLOATS, _FLOATS]:
        """Return mean or probability, its standard deviation, and what `interval` needs, (N, T) each."""
        found = np.stack(predictions)
        if self.of_classes:
            score = logit(found.mean(axis=0))
            return self._probabilities(score), found.std(axis=0), score
        mean, spread = self._numbers(found)
        unit = np.sqrt(spread**2 + self.arrays["base"] ** 2)
        usual = [conformal_quantile(errors[~np.isnan(errors)], _ONE_DEVIATION) for errors in self.arrays["errors"]]
        return mean, unit * np.array(usual), unit

    def interval(self, mean: _FLOATS, known: _FLOATS, coverage: float) -> tuple[_FLOATS, _FLOATS]:
        """Return lower and upper limits from the mean and what `answer` returns last.

        Of numbers, those that a measurement lies between with probability ``coverage``. Of classes, those of the share of
        class 1 among molecules of like score.
        """
        low, high = np.empty_like(mean), np.empty_like(mean)
        if not self.of_classes:
            for t, errors in enumerate(self.arrays["errors"]):
                half = known[:, t] * conformal_quantile(errors[~np.isnan(errors)], coverage)
                low[:, t], high[:, t] = mean[:, t] - half, mean[:, t] + half
            return low, high
        for t, (scores, labels) in enumerate(zip(self.arrays["scores"], self.arrays["labels"], strict=True)):
            count = int((~np.isnan(scores)).sum())
            some = min(count, max(_FEWEST_ALIKE, count // 10))
            # the window of so many scores in a row that lies around each new one
            place = np.searchsorted(scores[:count], known[:, t])
            start = np.clip(place - some // 2, 0, count - some)
            total = np.concatenate([[0.0], np.cumsum(labels[:count])])
            low[:, t], high[:, t] = share_interval(total[start + some] - total[start], some, coverage)
            low[:, t], high[:, t] = np.minimum(low[:, t], mean[:, t]), np.maximum(high[:, t], mean[:, t])
        return low, high

    def _numbers(self, found: _FLOATS) -> tuple[_FLOATS, _FLOATS]:
        low, high = self.arrays["range"]
        clipped = np.clip(found, low, high)
        return clipped.mean(axis=0), clipped.std(axis=0)

    def _probabilities(self, scores: _FLOATS) -> _FLOATS:
        slope, offset = self.arrays["slopes"]
        chance: _FLOATS = 1 / (1 + np.exp(-np.clip(slope * scores + offset, -30, 30)))
        return chance


def _base(error: _FLOATS, spread: _FLOATS) -> tuple[float, _FLOATS]:
    """The part of the unit of error that all molecules share, for which intervals are narrowest; and the errors in units."""
    known = ~np.isnan(error)
    typical = float(np.sqrt(np.mean(error[known] ** 2))) or 1.0
    best: tuple[float, float, _FLOATS] | None = None
    for factor in _BASES:
        unit = np.sqrt(spread**2 + (factor * typical) ** 2)
        width = float(unit[known].mean()) * float(np.quantile(error[known] / unit[known], 0.9))
        if best is None or width < best[0]:
            best = width, factor * typical, error / unit
    assert best is not None
    return best[1], best[2]
