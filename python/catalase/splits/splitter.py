"""`Splitter`, the base class: checks of the fractions, and datasets made from the index arrays."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import is_number, is_whole, shown

Indices = NDArray[np.int64]
_Part = TypeVar("_Part")
_Part_co = TypeVar("_Part_co", covariant=True)


class HasRows(Protocol[_Part_co]):
    """What can be split into datasets."""

    def __len__(self) -> int: ...

    def select(self, indices: Any, /) -> _Part_co: ...


def generator(seed: int | None) -> np.random.Generator:
    """Return NumPy's counter-based Philox generator; ``None`` takes fresh entropy from the system."""
    return np.random.Generator(np.random.Philox(checked_seed(seed)))


def checked_seed(seed: Any) -> int | None:
    """Return the seed as an int, or None."""
    if seed is not None and not is_whole(seed):
        raise TypeError(f"split: seed must be an integer or None, got {type(seed).__name__}")
    if seed is not None and seed < 0:
        raise ValueError(f"split: seed must not be negative, got {seed}")
    return None if seed is None else int(seed)


def checked_fractions(frac_train: Any, frac_valid: Any, frac_test: Any) -> tuple[float, float, float]:
    """Return the fractions as floats; they must lie in [0, 1] and sum to 1 within 1e-6."""
    train = _share("split", "frac_train", frac_train)
    valid = _share("split", "frac_valid", frac_valid)
    test = _share("split", "frac_test", frac_test)
    if abs(train + valid + test - 1) > 1e-6:
        raise ValueError(
            f"split: fractions must sum to 1, but {frac_train} + {frac_valid} + {frac_test} = {train + valid + test:g}; "
            "frac_train, frac_valid and frac_test are shares of the whole"
        )
    return train, valid, test


def _share(function: str, name: str, value: Any) -> float:
    if not is_number(value):
        raise TypeError(f"{function}: {name} must be a number, got {shown(value)}")
    if not 0 <= value <= 1:
        raise ValueError(f"{function}: {name} must lie between 0 and 1, got {shown(value)}")
    return float(value)


def rows_in(function: str, dataset: Any, *, select: bool) -> int:
    """Return the number of rows of a dataset; refuse an object without rows, or one that cannot select some of them."""
    if isinstance(dataset, (type, str, bytes, bytearray)) or not hasattr(type(dataset), "__len__"):
        raise TypeError(f"{function}: dataset must have rows, as a NumpyDataset, got {shown(dataset)}")
    if getattr(dataset, "shape", None) == ():
        raise TypeError(f"{function}: dataset must have rows, but is one number")
    if select and not callable(getattr(dataset, "select", None)):
        raise TypeError(
            f"{function}: dataset must have a select method, as a NumpyDataset, got {shown(dataset)}; split gives row numbers"
        )
    return len(dataset)


def cut_points(size: int, frac_train: float, frac_valid: float) -> tuple[int, int]:
    """Return the rows where validation and test begin: ``int(frac * size)``, as in DeepChem."""
    # 0.7 + 0.1 is 0.7999..., and the small term keeps such sums from losing a row.
    return int(frac_train * size + 1e-9), int((frac_train + frac_valid) * size + 1e-9)


class Splitter:
    """Base class of splitters. A subclass defines `split`; the other methods make datasets from the indices it returns.

    Notes
    -----
    A part can be empty when its fraction is 0 or the dataset is small; this gives an empty index array or an empty dataset,
    and no error. An empty dataset is a ValueError. Parts are cut at ``int(frac * rows)`` as in DeepChem, but without
    rounding errors in sums of fractions: 0.7, 0.1, 0.2 of 10 rows are 7, 1 and 2, where DeepChem's rounding gives 7, 0 and
    3.
    """

    def split(
        self,
        dataset: Any,
        frac_train: float = 0.8,
        frac_valid: float = 0.1,
        frac_test: float = 0.1,
        seed: int | None = None,
    ) -> tuple[Indices, Indices, Indices]:
        """Return the indices of the train, validation and test rows.

        Parameters
        ----------
        dataset : Dataset
            Any object with ``len`` and, for the splitters that look at them, ``ids`` or ``y`` and ``w``.
        frac_train, frac_valid, frac_test : float
            Shares of the whole, each in [0, 1], summing to 1.
        seed : int, optional
            The same seed gives the same split. None draws a fresh one.

        Returns
        -------
        tuple of three int64 ndarrays
            The arrays are disjoint, and together they hold every row once.

        Raises
        ------
        ValueError
            The fractions do not sum to 1, or the dataset is empty.
        """
        frac_train, frac_valid, _ = checked_fractions(frac_train, frac_valid, frac_test)
        seed = checked_seed(seed)
        if rows_in("split", dataset, select=False) == 0:
            raise ValueError("split: the dataset has no rows; check the loader's report for what was dropped")
        train, valid, test = self._split(dataset, frac_train, frac_valid, seed)
        return tuple(np.asarray(part, dtype=np.int64) for part in (train, valid, test))  # type: ignore[return-value]

    def _split(self, dataset: Any, frac_train: float, frac_valid: float, seed: int | None) -> tuple[Any, Any, Any]:
        raise TypeError(f"split: {type(self).__name__} defines no _split; use one of its subclasses")

    def train_valid_test_split(
        self,
        dataset: HasRows[_Part],
        frac_train: float = 0.8,
        frac_valid: float = 0.1,
        frac_test: float = 0.1,
        seed: int | None = None,
    ) -> tuple[_Part, _Part, _Part]:
        """Return three datasets, made with ``dataset.select``; parameters and errors as `split`."""
        rows_in("train_valid_test_split", dataset, select=True)
        train, valid, test = self.split(dataset, frac_train, frac_valid, frac_test, seed)
        return dataset.select(train), dataset.select(valid), dataset.select(test)

    def train_test_split(
        self, dataset: HasRows[_Part], frac_train: float = 0.8, seed: int | None = None
    ) -> tuple[_Part, _Part]:
        """Split into two datasets.

        Parameters
        ----------
        dataset : Dataset
            What is split.
        frac_train : float
            The share of the rows in the first dataset, from 0 to 1; the second has the rest.
        seed : int, optional
            Of the order of rows, for splitters that draw one.

        Returns
        -------
        tuple of two Datasets
        """
        rows_in("train_test_split", dataset, select=True)
        frac_train = _share("train_test_split", "frac_train", frac_train)
        train, _, test = self.split(dataset, frac_train, 0.0, 1 - frac_train, seed)
        return dataset.select(train), dataset.select(test)

    def k_fold_split(self, dataset: HasRows[_Part], k: int, seed: int | None = None) -> list[tuple[_Part, _Part]]:
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
        rows_in("k_fold_split", dataset, select=True)
        folds = self._folds(dataset, k, seed)
        everything = np.arange(len(dataset))
        return [(dataset.select(np.setdiff1d(everything, fold)), dataset.select(fold)) for fold in folds]

    def _folds(self, dataset: Any, k: int, seed: int | None) -> list[Indices]:
        if not is_whole(k):
            raise TypeError(f"k_fold_split: k must be an integer, got {type(k).__name__}")
        k = int(k)
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
            rest = rest[left]  # in this order, since scaffolds of equal size are dealt out by their first rows
        return [*folds, rest]
