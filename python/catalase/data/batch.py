"""The batches that a dataset yields to a net, and the walk of a training loop through them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence, Sized
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import ops
from .._internal.arrays import is_scipy
from ..backends import is_device_array, to_device
from ..backends.base import SparseRows
from ..ops.linear import sparse_from_entries


class Batch:
    """Some rows as a net takes them.

    This class holds one array: dense rows, packed bits (uint8), or rows that are mostly zeros (a `SparseBatch`).
    A `SequenceBatch` holds padded sequences with their lengths, and the batch of a `TensorGraph` an array for each input.
    A `GraphBatch` names molecules of packed graphs. Ragged sequences, which lie end to end in a `RaggedArray`, are padded
    when a batch of them is made.

    Attributes
    ----------
    X : Any
        What the forward function is given: the array, or the batch itself where it is more than one array.
    arrays : sequence of arrays
        What a training step reads on the device.
    static : hashable or None
        What else a step depends on: two batches of equal ``static``, and of arrays of equal shapes and dtypes, run the same
        launches, so that one captured step serves both. None for a batch whose step cannot be captured.

    Notes
    -----
    ``len`` counts what the loss is the mean over, so that a training loop can average over batches.
    """

    X: Any

    def __init__(self, X: Any) -> None:
        self.X = X

    def __len__(self) -> int:
        return len(self.X)

    @property
    def arrays(self) -> Sequence[Any]:
        return (self.X.data if isinstance(self.X, SparseRows) else self.X,)

    @property
    def static(self) -> Hashable:
        kind = "sparse" if isinstance(self.X, SparseRows) else "rows"
        return kind if is_device_array(self.arrays[0]) else None

    def with_arrays(self, arrays: Sequence[Any]) -> Batch:
        """Return a batch of the same kind over other arrays of the device."""
        if not isinstance(self.X, SparseRows):
            return Batch(arrays[0])
        from ..backends.cuda.linear import GatheredBatch

        return Batch(GatheredBatch(arrays[0], self.X.entries))

    def to(self, device: str) -> Batch:
        """Return the batch on a device, itself where it is there. Of rows that are mostly zeros all values are moved."""
        if isinstance(self.X, ops.SparseBatch) and device != "cpu":
            from ..backends.cuda.linear import GatheredBatch

            return Batch(GatheredBatch(to_device(self.X.to_dense(), device), self.X.entries))
        return Batch(to_device(self.X, device)) if isinstance(self.X, np.ndarray) and device != "cpu" else self


class Batches:
    """The walk of a training loop through some rows: `iterbatches` yields (`Batch`, y, w, ids).

    Parameters
    ----------
    rows : sized
        Their number is the walk's ``len``.
    iterbatches : callable
        ``iterbatches(batch_size, deterministic=False, seed=None)`` walks through them once.
    """

    def __init__(self, rows: Sized, iterbatches: Callable[..., Iterator[Any]]) -> None:
        self.rows, self.iterbatches = rows, iterbatches

    def __len__(self) -> int:
        return len(self.rows)


def batches_of(dataset: Any, batch: Callable[[Any], Batch]) -> Batches:
    """Return a walk through a dataset; ``batch`` makes a `Batch` of the X that it yields."""

    def iterbatches(batch_size: int, deterministic: bool = False, seed: int | None = None) -> Iterator[Any]:
        for X, *others in dataset.iterbatches(batch_size, deterministic=deterministic, seed=seed):
            yield batch(X), *others

    return Batches(dataset, iterbatches)


def batches_in_memory(X: Any, y: Any, w: Any, batch: Callable[[Any], Batch]) -> Batches:
    """Return a walk through columns in memory, in the order of `Dataset.iterbatches`; row numbers stand for ids."""
    rows_of = X.take if isinstance(X, ops.SparseBatch) else X.__getitem__

    def iterbatches(batch_size: int, deterministic: bool = False, seed: int | None = None) -> Iterator[Any]:
        for rows in row_batches(len(X), batch_size, 1, deterministic, seed):
            yield batch(rows_of(rows)), y[rows], w[rows], rows

    return Batches(X, iterbatches)


def row_batches(n: int, size: int, epochs: int, deterministic: bool, seed: int | None) -> Iterator[NDArray[np.int64]]:
    """Yield the row numbers of each batch."""
    rng = np.random.Generator(np.random.Philox(seed))
    for _ in range(epochs):
        order = np.arange(n) if deterministic else rng.permutation(n)
        for start in range(0, n, max(1, size)):
            yield order[start : start + size]


def sparse_batch(rows: Any) -> ops.SparseBatch:
    """Return the rows of a CSR matrix of SciPy as what dense layers take, without making them dense."""
    starts, columns = rows.indptr.astype(np.int64), rows.indices.astype(np.int32)
    return sparse_from_entries(starts, columns, rows.data, rows.shape[1])


def compressed(X: NDArray[Any], device: str) -> Any:
    """Return the rows of a matrix in the form that costs least to take batches of.

    That is a `SparseBatch` where float32 rows are mostly zeros; on a device packed bits, where these rows hold nothing but
    zeros and ones; else the matrix. A CSR matrix of SciPy is a `SparseBatch` as it is.
    """
    if is_scipy(X):
        return sparse_batch(X)
    if X.ndim != 2 or X.dtype != np.float32:
        return X
    found = ops.as_sparse(X)
    bits = None if found is None or device == "cpu" else _bits(X)
    return bits if bits is not None else X if found is None else found


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
