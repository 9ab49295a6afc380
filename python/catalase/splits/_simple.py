"""Splitters that look at no structure: by position, at random, and at random with the positives spread evenly."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._base import Indices, Splitter, cut_points, generator


class IndexSplitter(Splitter):
    """The first rows train, the next validate, the last test. `seed` has no effect.

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

    Rows are grouped by their pattern of measured positive labels (``y != 0`` and ``w != 0``), the groups laid end to
    end in random order within, and dealt out evenly; so a rare pattern is spread over the parts in proportion.
    """

    def _split(
        self, dataset: Any, frac_train: float, frac_valid: float, seed: int | None
    ) -> tuple[Indices, Indices, Indices]:
        size = len(dataset)
        if getattr(dataset, "per_step", False):
            raise ValueError("split: labels of steps cannot be stratified by row; use RandomSplitter")
        y = np.asarray(dataset.y).reshape(size, -1)
        w = np.asarray(dataset.w).reshape(size, -1)
        positive = (y != 0) & (w != 0)
        rng = generator(seed)
        shuffled = rng.permutation(size)
        _, group = np.unique(positive[shuffled], axis=0, return_inverse=True)
        rows = shuffled[np.argsort(np.reshape(group, -1), kind="stable")]
        # Row j of the dealt order goes where the point (j + offset) mod 1 of a low-discrepancy line falls.
        share = np.modf(np.arange(size) * 0.6180339887498949 + rng.random())[0]
        first, second = cut_points(size, frac_train, frac_valid)
        rank = np.empty(size, dtype=np.int64)
        rank[np.argsort(share, kind="stable")] = np.arange(size)
        return rows[rank < first], rows[(rank >= first) & (rank < second)], rows[rank >= second]
