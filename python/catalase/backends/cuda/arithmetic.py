"""Arithmetic with broadcasting, copies, sums and maxima of device arrays: launches of ``cuda/arithmetic.cu``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import mixed_devices
from .launch import walk

if TYPE_CHECKING:
    from .backend import CudaBackend

_CODES = {
    "copy": 0, "add": 1, "subtract": 2, "multiply": 3, "divide": 4, "power": 5, "equal": 6, "negative": 7, "sqrt": 8,
    "absolute": 9, "sign": 10, "power_slope": 11, "log_or_zero": 12, "masked": 13,
    "maximum": 14, "minimum": 15, "sin": 16, "cos": 17,
}  # fmt: skip
_AXES = 5  # axes that a launch can walk, after neighbouring axes have been merged
_PART = 65536  # terms of a sum that one block adds
_Operand = tuple[Any, float]  # an array, or None and a number


def combine(device: CudaBackend, name: str, a: Any, b: Any = 0.0, out: Any = None) -> Any:
    """Return ``a op b`` for numbers and arrays that broadcast, in ``out`` if given (with any strides)."""
    arrays = _checked(device, name, a=a, b=b, out=out)
    arrays.pop("out", None)
    shape = _broadcast_shape(name, *(x.shape for x in arrays.values()))
    if out is None:
        out = device.empty(shape, np.float32)
    elif _broadcast_shape(name, shape, out.shape) != out.shape:
        raise ValueError(f"{name}: values of shape {shape} do not fit an array of shape {out.shape}")
    # A device writes in any order, so an operand that overlaps `out` at other places needs a separate output.
    shifted = any(x is not out and device.may_share(out, x) for x in arrays.values())
    target = device.empty(out.shape, np.float32) if shifted else out
    _launch(device, _CODES[name], _operand(a), _operand(b), target)
    if shifted:
        _launch(device, _CODES["copy"], _operand(target), _operand(0.0), out)
    return out


def power(device: CudaBackend, a: Any, b: Any) -> Any:
    if _is_number(b) and b in (1, 2, 0.5):  # the operations that NumPy uses
        return combine(device, "multiply", a, a) if b == 2 else combine(device, "sqrt" if b == 0.5 else "copy", a)
    return combine(device, "power", a, b)


def where(device: CudaBackend, mask: Any, a: Any, b: Any) -> Any:
    arrays = _checked(device, "where", a=a, b=b)
    shape = _broadcast_shape("where", mask.shape, *(x.shape for x in arrays.values()))
    if isinstance(mask, np.ndarray):
        mask = device.array(np.ascontiguousarray(np.broadcast_to(mask, shape)).view(np.uint8))
    elif mask.shape != shape or mask.itemsize != 1:
        raise ValueError(f"where: a condition on the device must be boolean, of shape {shape}, got {mask.shape}")
    out = device.empty(shape, np.float32)
    (a, first), (b, second) = (_operand(_broadcast(device, x, shape)) for x in (a, b))
    walk(device, "arithmetic.select_f32", out.size, device.contiguous(mask), a, first, b, second, out)
    return out


def reduce(device: CudaBackend, name: str, x: Any, axis: int | tuple[int, ...] | None, keepdims: bool) -> Any:
    """Return the "sum" or the "max" over some axes: neighbouring axes are reduced together, the last ones first."""
    _checked(device, name, x=x)
    largest = name == "max"
    chosen = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    axes = tuple(int(a) % max(1, x.ndim) for a in chosen)
    shape = tuple(n for i, n in enumerate(x.shape) if i not in axes)
    kept = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    if x.size == 0:
        if largest:
            raise ValueError(f"max: x of shape {x.shape} holds nothing to choose from")
        return device.full(kept if keepdims else shape, 0.0, np.float32)
    x, lengths = device.contiguous(x), list(x.shape)
    stop = len(lengths)
    while stop > 0:
        start = stop
        while start > 0 and start - 1 in axes:
            start -= 1
        if start < stop:
            outer, length, inner = (math.prod(lengths[i:j]) for i, j in ((0, start), (start, stop), (stop, None)))
            x = _reduce(device, largest, x, outer, length, inner)
            lengths[start:stop] = [1] * (stop - start)
        stop = start - 1 if start == stop else start
    return x.reshape(kept if keepdims else shape)


def cumsum(device: CudaBackend, x: Any, axis: int) -> Any:
    _checked(device, "cumsum", x=x)
    out = device.empty(x.shape, np.float32)
    inner = math.prod(x.shape[axis + 1 :])
    chains = x.size // max(1, x.shape[axis])
    walk(device, "arithmetic.cumsum_f32", chains, device.contiguous(x), x.shape[axis], inner, out)
    return out


def clip_norm(device: CudaBackend, x: Any, limit: float) -> None:
    if x.size:
        sums, parts = _parts(device, x, 1, x.size, squares=True)
        walk(device, "arithmetic.clip_f32", x.size, x, sums, parts, np.float64(limit))  # `walk` appends x.size


def broadcast_to(device: CudaBackend, x: Any, shape: tuple[int, ...]) -> Any:
    return combine(device, "copy", x, out=device.empty(shape, np.float32))


def concatenate(device: CudaBackend, parts: Sequence[Any], axis: int) -> Any:
    _checked(device, "concatenate", **{f"part_{i}": part for i, part in enumerate(parts)})
    shape, lengths = list(parts[0].shape), [part.shape[axis] for part in parts]
    shape[axis] = sum(lengths)
    out, start = device.empty(tuple(shape), np.float32), 0
    before = (slice(None),) * (axis % len(shape))
    for part, length in zip(parts, lengths, strict=True):
        combine(device, "copy", part, out=out[(*before, slice(start, start + length))])
        start += length
    return out


def _checked(device: CudaBackend, name: str, **arrays: Any) -> dict[str, Any]:
    """Return the arrays among the operands, checked here because arithmetic on tensors does not pass `catalase.ops`."""
    present = {key: x for key, x in arrays.items() if x is not None and not _is_number(x)}
    if not all(isinstance(x, device.array_type) for x in present.values()):
        raise mixed_devices(name, present)
    for key, x in present.items():
        if x.dtype != np.float32:
            raise TypeError(f"{name}: {key} must be float32 on CUDA, got {x.dtype}; use {key}.astype('float32')")
    return present


def _broadcast_shape(name: str, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that arrays of these shapes broadcast to."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        listing = " and ".join(map(str, shapes))
        raise ValueError(f"{name}: arrays of the shapes {listing} do not broadcast together") from None


def _reduce(device: CudaBackend, largest: bool, x: Any, outer: int, length: int, inner: int) -> Any:
    """Reduce a contiguous x (outer, length, inner) to a flat (outer * inner)."""
    out = device.empty((outer * inner,), np.float32)
    if largest or inner > 1:
        walk(device, "arithmetic.reduce_axis_f32", out.size, int(largest), x, length, inner, out)
        return out
    sums, parts = _parts(device, x, outer, length, squares=False)
    walk(device, "arithmetic.join_sums_f32", outer, sums, parts, out)
    return out


def _parts(device: CudaBackend, x: Any, rows: int, columns: int, squares: bool) -> tuple[Any, int]:
    parts = -(-columns // _PART)
    sums = device.empty((rows * parts,), np.float64)
    device.launch("arithmetic.sum_parts_f32", (rows * parts,), (256,), 0, (x, columns, parts, int(squares), sums))
    return sums, parts


def _launch(device: CudaBackend, code: int, a: _Operand, b: _Operand, out: Any) -> None:
    arrays = (a[0], b[0], out)
    flat = all(x is None or (x.shape == out.shape and x.flags.c_contiguous) for x in arrays)
    axes = [(1, 0, 0, 0)] * _AXES if flat else _axes(arrays)
    numbers = [n for axis in axes for n in axis]
    walk(device, "arithmetic.combine_f32", out.size, code, a[0], a[1], b[0], b[1], out, int(flat), *numbers)


def _axes(arrays: tuple[Any, Any, Any]) -> list[tuple[int, ...]]:
    """Return the length and strides of each axis of the result; axes that can be merged in all arrays are merged."""
    shape = arrays[-1].shape
    strides = [_strides(x, shape) for x in arrays]
    axes: list[tuple[int, ...]] = []
    for i, length in enumerate(shape):
        if length == 1:
            continue
        steps = tuple(s[i] for s in strides)
        if axes and all(before == length * step for before, step in zip(axes[-1][1:], steps, strict=True)):
            axes[-1] = (axes[-1][0] * length, *steps)
        else:
            axes.append((length, *steps))
    if len(axes) > _AXES:
        raise ValueError(
            f"arithmetic on CUDA: arrays that need more than {_AXES} axes, got shape {shape}; reshape them"
        )
    return [(1, 0, 0, 0)] * (_AXES - len(axes)) + axes


def _strides(x: Any, shape: tuple[int, ...]) -> list[int]:
    """Return strides in elements, with 0 along broadcast axes."""
    if x is None:
        return [0] * len(shape)
    own = [0 if n == 1 else int(s) // int(x.itemsize) for n, s in zip(x.shape, x.strides, strict=True)]
    return [0] * (len(shape) - len(own)) + own


def _broadcast(device: CudaBackend, x: Any, shape: tuple[int, ...]) -> Any:
    """Return an array, contiguous and broadcast to the shape, or a number unchanged."""
    return x if _is_number(x) or (x.shape == shape and x.flags.c_contiguous) else broadcast_to(device, x, shape)


def _is_number(x: Any) -> bool:
    return isinstance(x, (int, float, np.generic)) or (isinstance(x, np.ndarray) and x.ndim == 0)


def _operand(x: Any) -> _Operand:
    return (None, float(x)) if _is_number(x) else (x, 0.0)
