"""Message passing on the tape: rows by number, and reductions over lists of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ... import ops
from ...autograd import Tensor, record
from ...autograd.tensor import as_tensor
from ...backends import is_device_array

Input = Tensor | NDArray[Any]
Lists = tuple[ArrayLike, ArrayLike]


def gather_rows(values: Input, index: ArrayLike) -> Tensor:
    """Return ``values[index]``; see `catalase.ops.gather_rows`."""
    x, numbers = as_tensor("gather_rows", "values", values), _kept(index)
    y = ops.gather_rows(x.data, numbers)
    return record(y, (x,), lambda dy: (ops.gather_rows_backward(dy, numbers, len(x)),))


def gather_sum(values: Input, index: ArrayLike, offsets: ArrayLike, *, transposed: Lists | None = None) -> Tensor:
    """Return the sum of the rows that each list names; see `catalase.ops.gather_sum`.

    ``transposed`` is what `catalase.ops.transpose_index` returns for these lists. Give it where it is known already; else
    the backward pass computes it.
    """
    x, numbers, starts = as_tensor("gather_sum", "values", values), _kept(index), _kept(offsets)
    y = ops.gather_sum(x.data, numbers, starts)
    if transposed is not None:
        turned, ends = _pair("gather_sum", transposed)
        return record(y, (x,), lambda dy: (ops.gather_sum(dy, turned, ends),))
    return record(y, (x,), lambda dy: (ops.gather_sum_backward(dy, numbers, starts, len(x)),))


def gather_max(values: Input, index: ArrayLike, offsets: ArrayLike) -> Tensor:
    """Return the largest value among the rows that each list names; see `catalase.ops.gather_max`."""
    x, numbers, starts = as_tensor("gather_max", "values", values), _kept(index), _kept(offsets)
    y = ops.gather_max(x.data, numbers, starts)
    return record(y, (x,), lambda dy: (ops.gather_max_backward(dy, x.data, numbers, starts),))


def segment_sum(values: Input, offsets: ArrayLike) -> Tensor:
    """Return the sum of each segment of rows; see `catalase.ops.segment_sum`."""
    x, starts = as_tensor("segment_sum", "values", values), _kept(offsets)
    y = ops.segment_sum(x.data, starts)
    return record(y, (x,), lambda dy: (ops.segment_sum_backward(dy, starts, len(x)),))


def segment_mean(values: Input, offsets: ArrayLike) -> Tensor:
    """Return the mean of each segment of rows; see `catalase.ops.segment_mean`."""
    x, starts = as_tensor("segment_mean", "values", values), _kept(offsets)
    y = ops.segment_mean(x.data, starts)
    return record(y, (x,), lambda dy: (ops.segment_mean_backward(dy, starts, len(x)),))


def segment_max(values: Input, offsets: ArrayLike) -> Tensor:
    """Return the largest value of each segment of rows; see `catalase.ops.segment_max`."""
    x, starts = as_tensor("segment_max", "values", values), _kept(offsets)
    y = ops.segment_max(x.data, starts)
    return record(y, (x,), lambda dy: (ops.segment_max_backward(dy, x.data, starts),))


def segment_softmax(values: Input, offsets: ArrayLike) -> Tensor:
    """Return the softmax within each segment of rows; see `catalase.ops.segment_softmax`."""
    x, starts = as_tensor("segment_softmax", "values", values), _kept(offsets)
    y = ops.segment_softmax(x.data, starts)
    return record(y, (x,), lambda dy: (ops.segment_softmax_backward(dy, y, starts),))


def _kept(numbers: Any) -> Any:
    """Return numbers as they are now: the caller may change an array of the host before the backward pass."""
    return np.array(numbers) if isinstance(numbers, np.ndarray) and not is_device_array(numbers) else numbers


def _pair(function: str, transposed: Any) -> Lists:
    if not isinstance(transposed, tuple) or len(transposed) != 2:
        raise TypeError(f"{function}: transposed must be (index, offsets), as ops.transpose_index returns them")
    return _kept(transposed[0]), _kept(transposed[1])
