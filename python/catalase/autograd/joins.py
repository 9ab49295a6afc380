"""Functions of several tensors: concatenate and where."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._internal.arrays import refuse_masked
from .._internal.numbers import shown, whole_number
from ..backends import backend_of, is_device_array
from .tensor import Tensor, as_tensor, fit_to, operand, record


def concatenate(tensors: Sequence[Tensor], axis: int = 0) -> Tensor:
    """Join tensors along an existing axis.

    Parameters
    ----------
    tensors : sequence of Tensor or array_like
        One tensor or more, of one dtype, and of equal shapes except along ``axis``.
    axis : int
        Negative axes count from the last.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.autograd.concatenate([ct.Tensor(np.ones(2)), ct.Tensor(np.zeros(1))]).numpy()
    array([1., 1., 0.])
    """
    if not isinstance(tensors, (list, tuple)) or not tensors:
        raise TypeError(f"concatenate: tensors must be a list with one tensor or more, got {shown(tensors)}")
    first = next((t for t in tensors if isinstance(t, Tensor)), None)
    if first is None:
        first = as_tensor("concatenate", "tensors", tensors[0])
    parents = tuple(operand(t, first, "concatenate", "tensors") for t in tensors)
    if not first.ndim or any(p.ndim != first.ndim for p in parents):
        raise ValueError(
            f"concatenate: tensors must have one number of axes, 1 or more, got {[p.shape for p in parents]}"
        )
    axis = whole_number("concatenate", "axis", axis, -first.ndim, first.ndim - 1) % first.ndim
    rest = [p.shape[:axis] + p.shape[axis + 1 :] for p in parents]
    if any(shape != rest[0] for shape in rest):
        raise ValueError(f"concatenate: tensors must agree but along axis {axis}, got {[p.shape for p in parents]}")
    lengths = [t.shape[axis] for t in parents]
    arrays = [t.data for t in parents]
    return record(backend_of(*arrays).concatenate(arrays, axis), parents, lambda g: _split(g, lengths, axis))


def where(condition: Any, a: Any, b: Any) -> Tensor:
    """Return ``a`` where the condition holds and ``b`` elsewhere; each element's gradient goes to the tensor it came from.

    Parameters
    ----------
    condition : array_like of bool
        Numbers count as True unless they are 0.
    a, b : Tensor, array or number
        At least one is a Tensor. The three shapes broadcast.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.autograd.where(np.array([True, False]), ct.Tensor(np.ones(2)), 0.0).numpy()
    array([1., 0.])
    """
    like = a if isinstance(a, Tensor) else b
    if not isinstance(like, Tensor):
        raise TypeError(f"where: a or b must be a Tensor, got {shown(a)} and {shown(b)}; use np.where for plain arrays")
    a, b = operand(a, like, "where", "a"), operand(b, like, "where", "b")
    mask = _condition(condition.data if isinstance(condition, Tensor) else condition)
    try:
        np.broadcast_shapes(mask.shape, a.shape, b.shape)
    except ValueError:
        raise ValueError(
            f"where: condition, a and b must broadcast, got shapes {mask.shape}, {a.shape} and {b.shape}"
        ) from None
    zero, choose = like.dtype.type(0), backend_of(a.data, b.data).where
    y = choose(mask, a.data, b.data)
    return record(y, (a, b), lambda g: (fit_to(choose(mask, g, zero), a), fit_to(choose(mask, zero, g), b)))


def _split(x: Any, lengths: Sequence[int], axis: int) -> tuple[Any, ...]:
    """Return views of consecutive parts along an axis."""
    stops = itertools.accumulate(lengths)
    return tuple(x[(*(slice(None),) * axis, slice(stop - n, stop))] for n, stop in zip(lengths, stops, strict=True))


def _condition(condition: Any) -> Any:
    """Return the condition as an array of bools."""
    if is_device_array(condition):
        return condition
    refuse_masked("where", "condition", condition)
    try:
        array = np.asarray(condition)
    except (ValueError, OverflowError, RecursionError):
        array = np.asarray(None)
    if array.dtype.kind not in "biuf" or isinstance(condition, (bytes, bytearray, memoryview)):
        raise TypeError(f"where: condition must be an array of True and False, got {shown(condition)}")
    return array.astype(bool)
