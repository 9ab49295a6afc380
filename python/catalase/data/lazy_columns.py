"""Columns that are read when they are needed, and prefetching in a thread."""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from concurrent.futures import Future

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_CHUNK = 256  # rows read at a time when iterating row by row


class LazyArray(np.lib.mixins.NDArrayOperatorsMixin, ABC):
    """A column that reads only the rows that it is indexed by.

    Indexing by rows (numbers, slices, arrays, masks) gives ordinary arrays of those rows. ``np.asarray``,
    arithmetic and comparisons read the whole column.

    Parameters
    ----------
    shape : tuple of int
    dtype : dtype
    """

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape = tuple(int(n) for n in shape)
        self.dtype = np.dtype(dtype)

    @abstractmethod
    def take_rows(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return the rows with these numbers (0 to N - 1, any order, repeats allowed)."""

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Size of the whole column in memory, in bytes."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        first, rest = (key[0], key[1:]) if isinstance(key, tuple) and key else (key, ())
        if first is Ellipsis or first is None:
            return np.asarray(self)[key]
        if isinstance(first, slice):
            return self.take_rows(np.arange(len(self))[first])[(slice(None), *rest)]
        if not isinstance(first, (int, np.integer)):
            rows = np.arange(len(self))[np.asarray(first, np.int64) if np.size(first) == 0 else np.asarray(first)]
            return self.take_rows(rows.ravel()).reshape(rows.shape + self.shape[1:])[(slice(None), *rest)]
        row = operator.index(first)
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of a column of {len(self)} rows")
        found = self.take_rows(np.array([row % len(self)]))[0]
        return found[rest] if rest else found

    def __iter__(self) -> Iterator[Any]:
        for start in range(0, len(self), _CHUNK):
            yield from self[start : start + _CHUNK]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("a column that is read from files cannot be an array without a copy")
        whole = self.take_rows(np.arange(len(self)))
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def __array_ufunc__(self, function: Any, method: str, *inputs: Any, **options: Any) -> Any:
        plain = [np.asarray(x) if isinstance(x, LazyArray) else x for x in inputs]
        return getattr(function, method)(*plain, **options)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={self.shape}, dtype={self.dtype})"


def prefetch(function: Callable[[_Item], _Result], items: Iterable[_Item], depth: int = 1) -> Iterator[_Result]:
    """Yield ``function(item)`` in order; a thread computes the next `depth` results while the caller uses the last."""
    from concurrent.futures import ThreadPoolExecutor  # it imports logging, which takes 5 ms and few programs need

    pending: deque[Future[_Result]] = deque()
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="catalase-data")
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > depth:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
