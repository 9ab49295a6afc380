"""What every splitter shares: checks of the fractions, and datasets made from the index arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Indices = np.ndarray


def generator(seed: int | None) -> np.random.Generator:
    """NumPy's counter-based Philox generator; ``None`` takes fresh entropy from the system."""
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, (int, np.integer))):
        raise TypeError(f"split: seed must be an integer or None, got {type(seed).__name__}")
    if seed is not None and seed < 0:
        raise ValueError(f"split: seed must not be negative, got {seed}")
    return np.random.Generator(np.random.Philox(None if seed is None else int(seed)))


def check_fractions(frac_train: float, frac_valid: float, frac_test: float) -> None:
    """Fractions lie in [0, 1] and sum to 1 within 1e-6."""
    fractions = (frac_train, frac_valid, frac_test)
    if not all(math.isfinite(f) and 0 <= f <= 1 for f in fractions):
        raise ValueError(f"split: each fraction must lie between 0 and 1, got {fractions}")
    if abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(f"split: fractions must sum to 1, but {frac_train} + {frac_valid} + {frac_test} = "
                         f"{sum(fractions):g}; all three are shares of the whole")  # fmt: skip


def cut_points(size: int, frac_train: float, frac_valid: float) -> tuple[int, int]:
    """Where validation and test begin: ``int(frac * size)``, as DeepChem cuts."""
    # 0.7 + 0.1 is 0.7999...: the small term keeps such sums from losing a row.
    return int(frac_train * size + 1e-9), int((frac_train + frac_valid) * size + 1e-9)


class Splitter:
    """Base class. A splitter defines `split`; the other methods make datasets of what it returns.

    Notes
    -----
    A part may come out empty when its fraction is 0 or the dataset is small; that is an empty index array or an empty
    dataset, not an error. An empty dataset is a ValueError. Parts are cut at ``int(frac * rows)`` as in DeepChem, but sums
    of fractions are taken as they are meant: 0.7, 0.1, 0.2 of 10 rows are 7, 1 and 2, where DeepChem's rounding gives 7, 0
    and 3.
    """

    def split(
        self,
        dataset: Any,
        frac_train: float = 0.8,
        frac_valid: float = 0.1,
        frac_test: float = 0.1,
        seed: int | None = None,
    ) -> tuple[Indices, Indices, Indices]:
        """Indices of the train, validation and test rows.

        Parameters
        ----------
        dataset : Dataset
            Anything with ``len`` and, for the splitters that look at them, ``ids`` or ``y`` and ``w``.
        frac_train, frac_valid, frac_test : float
            Shares of the whole, each in [0, 1], summing to 1.
        seed : int, optional
            The same seed gives the same split. None draws a fresh one.

        Returns
        -------
        tuple of three int64 ndarrays
            Disjoint; together they hold every row once.

        Raises
        ------
        ValueError
            The fractions do not sum to 1, or the dataset is empty.
        """
        check_fractions(frac_train, frac_valid, frac_test)
        if len(dataset) == 0:
            raise ValueError("split: the dataset has no rows; check the loader's report for what was dropped")
        train, valid, test = self._split(dataset, frac_train, frac_valid, seed)
        return tuple(np.asarray(part, dtype=np.int64) for part in (train, valid, test))  # type: ignore[return-value]

    def _split(self, dataset: Any, frac_train: float, frac_valid: float, seed: int | None) -> tuple[Any, Any, Any]:
        raise TypeError(f"split: {type(self).__name__} defines no _split; use one of its subclasses")

    def train_valid_test_split(
        self,
        dataset: Any,
        frac_train: float = 0.8,
        frac_valid: float = 0.1,
        frac_test: float = 0.1,
        seed: int | None = None,
    ) -> tuple[Any, Any, Any]:
        """Three datasets, made with ``dataset.select``; parameters and errors as `split`."""
        train, valid, test = self.split(dataset, frac_train, frac_valid, frac_test, seed)
        return dataset.select(train), dataset.select(valid), dataset.select(test)

    def train_test_split(self, dataset: Any, frac_train: float = 0.8, seed: int | None = None) -> tuple[Any, Any]:
        """Two datasets, the second with the rest of the rows."""
        train, _, test = self.split(dataset, frac_train, 0.0, 1 - frac_train, seed)
        return dataset.select(train), dataset.select(test)

    def k_fold_split(self, dataset: Any, k: int, seed: int | None = None) -> list[tuple[Any, Any]]:
        """Split into k pairs (train, held out); each row is held out once.

        Fold i is the first part of a split of the rows not yet held out, with the fraction 1 / (k - i), as in DeepChem;
        so scaffold folds keep scaffolds together, and index folds are consecutive. The training rows of a fold come in the
        order of the dataset (in DeepChem the other folds come one after another). With scaffolds the folds may be of
        unequal size.

        Raises
        ------
        TypeError, ValueError
            `k` is not an integer, or not between 2 and the number of rows.
        """
        folds = self._folds(dataset, k, seed)
        everything = np.arange(len(dataset))
        return [(dataset.select(np.setdiff1d(everything, fold)), dataset.select(fold)) for fold in folds]

    def _folds(self, dataset: Any, k: int, seed: int | None) -> list[Indices]:
        if isinstance(k, bool) or not isinstance(k, (int, np.integer)):
            raise TypeError(f"k_fold_split: k must be an integer, got {type(k).__name__}")
        if not 2 <= k <= len(dataset):
            raise ValueError(f"k_fold_split: k must lie between 2 and the number of rows, {len(dataset)}, got {k}")
        rest = np.arange(len(dataset))
        folds = []
        for fold in range(k - 1):
            if len(rest) == 0:
                folds.append(rest)
                continue
            share = 1 / (k - fold)
            held, _, left = self.split(dataset.select(rest), share, 0.0, 1 - share, seed)
            folds.append(rest[held])
            rest = rest[left]  # in this order: scaffolds of equal size are dealt out by their first rows
        return [*folds, rest]
