"""Splitters that do not look at structures: by position, at random, and at random with the positives spread evenly."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import shown
from .splitter import Indices, Splitter, cut_points, generator


class IndexSplitter(Splitter):
    """Take the first rows for train, the next for validation and the last for test. `seed` has no effect.

    Examples
    --------
    >>> train, valid, test = IndexSplitter().split(range(10))
    >>> train.tolist(), valid.tolist(), test.tolist()
    ([0, 1, 2, 3, 4, 5, 6, 7], [8], [9])
    """

    def _split(
        self, dataset: Any, frac_train: float, frac_valid: float, seed: int | None
    ) -> tuple[Indices, Indices, Indices]:
        first, second = cut_points(len(dataset), frac_train, frac_valid)
        rows = np.arange(len(dataset))
        return rows[:first], rows[first:second], rows[second:]


class RandomSplitter(Splitter):
    """A random permutation of the rows, cut by position.

    The permutation comes from NumPy's Philox generator and depends on `seed` and the number of rows alone.

    Examples
    --------
    >>> [len(part) for part in RandomSplitter().split(range(10), seed=1)]
    [8, 1, 1]
    """

    def _split(
        self, dataset: Any, frac_train: float, frac_valid: float, seed: int | None
    ) -> tuple[Indices, Indices, Indices]:
        first, second = cut_points(len(dataset), frac_train, frac_valid)
        rows = generator(seed).permutation(len(dataset))
        return rows[:first], rows[first:second], rows[second:]


class RandomStratifiedSplitter(Splitter):
    """A random split in which each part gets its share of every task's positives.

    Positives are the measured labels that are not zero (``y != 0`` and ``w != 0``). A part is to get ``round(frac *
    positives)`` of each task. As in DeepChem the positives are dealt out one task after the other, each to the part that
    has the smallest share of its number; the other rows fill the parts up at random.

    Notes
    -----
    For one task the numbers of positives are exact (to one where the shares are no whole numbers); where a row is positive
    for several tasks they are near. Parts have as many rows as with `RandomSplitter` (DeepChem rounds), unless their
    positives alone are more; a fraction of 0 gets no row, where DeepChem may give it one. Rows of a part are in the order
    of the dataset. A seed chooses other rows than in DeepChem.
    """

    def _split(
        self, dataset: Any, frac_train: float, frac_valid: float, seed: int | None
    ) -> tuple[Indices, Indices, Indices]:
        size = len(dataset)
        if getattr(dataset, "per_step", False):
            raise ValueError("split: labels of steps cannot be stratified by row; use RandomSplitter")
        if not hasattr(dataset, "y") or not hasattr(dataset, "w"):
            raise TypeError(f"split: dataset must have labels y and weights w to be stratified, got {shown(dataset)}")
        y = np.asarray(dataset.y).reshape(size, -1)
        w = np.asarray(dataset.w).reshape(size, -1)
        positive = (y != 0) & (w != 0)
        rng = generator(seed)
        frac_test = max(0.0, 1 - frac_train - frac_valid)
        fractions = [frac if frac > 1e-9 else 0.0 for frac in (frac_train, frac_valid, frac_test)]
        part = _deal(positive, fractions, rng)
        first, second = cut_points(size, frac_train, frac_valid)
        room = np.maximum(np.diff([0, first, second, size]) - np.bincount(part[part >= 0], minlength=3), 0)
        rest = rng.permutation(np.flatnonzero(part < 0))
        filled = np.repeat(np.arange(3), room)[: len(rest)]
        part[rest] = filled
        return np.flatnonzero(part == 0), np.flatnonzero(part == 1), np.flatnonzero(part == 2)


def _deal(positive: NDArray[np.bool_], fractions: list[float], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the part of each row that is positive for some task, and -1 for the other rows."""
    part = np.full(len(positive), -1, np.int64)
    by_task = [rng.permutation(np.flatnonzero(column)) for column in positive.T]
    counts = np.array([len(rows) for rows in by_task])
    targets = np.rint(np.outer(fractions, counts))
    got = np.zeros(targets.shape, np.int64)
    for turn in range(counts.max(initial=0)):
        for task, rows in enumerate(by_task):
            if turn >= len(rows) or part[rows[turn]] >= 0:
                continue
            shares = [
                np.inf if not frac else got[i, task] / targets[i, task] if targets[i, task] else 1.0
                for i, frac in enumerate(fractions)
            ]
            chosen = int(np.argmin(shares))
            part[rows[turn]] = chosen
            got[chosen] += positive[rows[turn]]
    return part
