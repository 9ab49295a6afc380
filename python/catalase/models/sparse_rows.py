"""What a dense net trains on: the rows of a dataset in memory, compressed once if they are mostly zeros."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import ops
from ..backends import to_device
from ..data import NumpyDataset
from ..data.dataset import row_batches


class SparseRows:
    """The batches of a dataset, X as a `SparseBatch` (entries are copied instead of rows, and looked for once), or bits."""

    def __init__(self, X: ops.SparseBatch | NDArray[np.uint8], y: NDArray[Any], w: NDArray[Any]) -> None:
        self.X, self.y, self.w = X, y, w

    def __len__(self) -> int:
        return len(self.X)

    def iterbatches(self, batch_size: int, deterministic: bool = False, seed: int | None = None) -> Iterator[Any]:
        """Yield (X, y, w, row numbers), the rows as `Dataset.iterbatches` would choose them."""
        for rows in row_batches(len(self), batch_size, 1, deterministic, seed):
            X = self.X[rows] if isinstance(self.X, np.ndarray) else self.X.take(rows)
            yield X, self.y.take(rows, axis=0), self.w.take(rows, axis=0), rows


class PlacedRows:
    """The batches of a dataset, each X through a function that takes it to a device."""

    def __init__(self, rows: Any, place: Callable[[Any], Any]) -> None:
        self.rows, self.place = rows, place

    def __len__(self) -> int:
        return len(self.rows)

    def iterbatches(self, batch_size: int, deterministic: bool = False, seed: int | None = None) -> Iterator[Any]:
        """Yield (X, y, w, ids) as the dataset does."""
        for X, *rest in self.rows.iterbatches(batch_size, deterministic=deterministic, seed=seed):
            yield self.place(X), *rest


class PaddedRows:
    """The batches of a dataset, the weights of a short one scaled so that its loss is divided by ``batch_size``."""

    def __init__(self, rows: Any, batch_size: int) -> None:
        self.rows, self.batch_size = rows, batch_size

    def __len__(self) -> int:
        return len(self.rows)

    def iterbatches(self, batch_size: int, deterministic: bool = False, seed: int | None = None) -> Iterator[Any]:
        """Yield (X, y, w, ids) as the dataset does."""
        for X, y, w, *rest in self.rows.iterbatches(batch_size, deterministic=deterministic, seed=seed):
            yield X, y, w if len(X) == self.batch_size else w * (len(X) / self.batch_size), *rest


def on_device(X: ops.SparseBatch, device: str) -> Any:
    """Rows that are mostly zeros, to be gathered on a device: all of their values go there."""
    from ..backends.cuda.linear import GatheredBatch

    return GatheredBatch(to_device(X.to_dense(), device), X.entries)


def compressed(
    dataset: Any,
    labels: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]] | None = None,
    device: str = "cpu",
) -> Any:
    """The dataset, or its `SparseRows` where it is in memory, float32 and mostly zeros (bits stay packed: 8 to a byte).

    ``labels`` gives y in the form that the loss takes, once, from y and w. For a device zeros and ones become packed bits.
    """
    if type(dataset) is not NumpyDataset or dataset.X.ndim != 2 or dataset.X.dtype != np.float32:
        return dataset
    X = ops.as_sparse(dataset.X)
    if X is None:
        return dataset
    packed = None if device == "cpu" else _bits(dataset.X)
    return SparseRows(
        X if packed is None else packed, dataset.y if labels is None else labels(dataset.y, dataset.w), dataset.w
    )


def _bits(X: NDArray[np.float32]) -> NDArray[np.uint8] | None:
    """Rows of zeros and ones as packed bits; None where there are other values, or no whole number of bytes."""
    if X.shape[1] % 8:
        return None
    parts = []
    for start in range(0, len(X), 1000):
        rows = X[start : start + 1000]
        set_ = rows == 1
        if not (set_ | (rows == 0)).all():
            return None
        parts.append(np.packbits(set_, axis=1, bitorder="little"))
    return np.concatenate(parts)
