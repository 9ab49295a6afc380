"""What tape, layers and optimizers do with arrays beside `catalase.ops`: NumPy's functions for NumPy's arrays, and the
kernels of ``cuda/arithmetic.cu`` for those of a device."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ._cuda import is_device_array
from ._cuda._arrays import runtime_named, runtime_of
from .ops import empty
from .ops._check import shown

_HERE = (np.ndarray, np.generic, int, float)
_Axis = int | tuple[int, ...] | None


def _device() -> Any:
    from ._cuda import arithmetic

    return arithmetic


# Where arrays live.
def is_here(x: Any) -> bool:
    """Whether ``x`` is NumPy's, or a number."""
    return type(x) is np.ndarray or isinstance(x, _HERE)


def device_of(x: Any) -> str:
    """The name of the device that holds an array: "cpu" or "cuda"."""
    return runtime_of("device_of", x=x).name if is_device_array(x) else "cpu"


def check_device(function: str, device: Any) -> str:
    """Return the name of a device that is there."""
    if not isinstance(device, str):
        raise TypeError(f"{function}: device must be 'cpu' or 'cuda', got {shown(device)}")
    if device != "cpu":
        runtime_named(device, function)
    return str(device)


def to_device(x: Any, device: str) -> Any:
    """``x`` on a device: as it is where it lives there, else a copy."""
    if device_of(x) == device:
        return x
    x = to_host(x)
    return x if device == "cpu" else runtime_named(device).array(x)


def to_host(x: Any) -> Any:
    """``x`` as NumPy's: a copy of what lives on a device, which is waited for."""
    return runtime_of("to_host", x=x).to_host(x) if is_device_array(x) else x


def beside(x: Any, like: Any) -> Any:
    """``x`` on the device of another array."""
    return to_device(x, device_of(like)) if is_device_array(like) else x


# New arrays.
def empty_like(x: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """An array whose values are not set, on the device of ``x``."""
    return empty(shape, dtype) if is_here(x) else runtime_of("empty", x=x).empty(shape, dtype)


def full_like(x: Any, shape: tuple[int, ...], value: float) -> Any:
    """An array of one value, of the dtype of ``x`` and on its device."""
    if is_here(x):
        return np.full(shape, value, x.dtype)
    return fill(empty_like(x, shape, x.dtype), value)


def zeros(size: int, dtype: Any, device: str) -> Any:
    """Zeros in a row."""
    return fill(empty(size, dtype) if device == "cpu" else runtime_named(device).empty((size,), dtype), 0.0)


def copy(x: Any) -> Any:
    """A contiguous copy (on the CPU in the layout of ``x``)."""
    return np.array(x) if is_here(x) else _device().combine("copy", x)


def contiguous(x: Any) -> Any:
    """``x``, or a contiguous copy."""
    return np.ascontiguousarray(x) if is_here(x) else runtime_of("contiguous", x=x).contiguous(x)


# In place.
def fill(x: Any, value: float) -> Any:
    """Set all values."""
    if is_here(x):
        x[...] = value
    else:
        _device().combine("copy", value, out=x)
    return x


def assign(x: Any, values: Any) -> None:
    """``x[...] = values``, which may live on another device."""
    if is_here(x):
        x[...] = to_host(values)
    else:
        _device().combine("copy", beside(np.asarray(values, x.dtype) if is_here(values) else values, x), out=x)


def add_into(x: Any, values: Any) -> None:
    """``x += values``."""
    if is_here(x):
        np.add(x, values, out=x)
    else:
        _device().combine("add", x, values, out=x)


# Arithmetic, with broadcasting.
def _binary(name: str, on_cpu: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def function(a: Any, b: Any) -> Any:
        if (isinstance(a, _HERE) and isinstance(b, _HERE)) or not (is_device_array(a) or is_device_array(b)):
            return on_cpu(a, b)  # gradients of the tape's own kinds too
        return _device().combine(name, a, b)

    return function


def _unary(name: str, on_cpu: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: on_cpu(x) if isinstance(x, _HERE) else _device().combine(name, x)


add = _binary("add", operator.add)
subtract = _binary("subtract", operator.sub)
multiply = _binary("multiply", operator.mul)
divide = _binary("divide", operator.truediv)
equal = _binary("equal", operator.eq)  # on a device 1.0 and 0.0
negative = _unary("negative", operator.neg)
sqrt = _unary("sqrt", np.sqrt)
absolute = _unary("absolute", np.abs)
sign = _unary("sign", np.sign)


def power(a: Any, b: Any) -> Any:
    """``a ** b``."""
    if is_here(a) and is_here(b):
        return a**b
    if is_here(b) and b in (1, 2, 0.5):  # as NumPy does them
        return multiply(a, a) if b == 2 else sqrt(a) if b == 0.5 else copy(a)
    return _device().combine("power", a, b)


def power_slope(base: Any, exponent: Any) -> Any:
    """The derivative of ``base ** exponent`` by its base; 0 where the exponent is 0, at base 0 too."""
    if not (is_here(base) and is_here(exponent)):
        return _device().combine("power_slope", base, exponent)
    if exponent.ndim == 0 and exponent == 0:
        return np.zeros_like(base)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(exponent == 0, base.dtype.type(0), exponent * base ** (exponent - exponent.dtype.type(1)))


def log_or_zero(x: Any) -> Any:
    """The natural logarithm of what is above 0, and 0 for the rest."""
    return np.log(np.where(x > 0, x, x.dtype.type(1))) if is_here(x) else _device().combine("log_or_zero", x)


def where(mask: Any, a: Any, b: Any) -> Any:
    """``a`` where the mask holds, else ``b``."""
    return np.where(mask, a, b) if is_here(a) and is_here(b) else _device().select(mask, a, b)


def silenced(x: Any, weights: Any) -> Any:
    """``x``, 0 where the weights are."""
    if is_here(x) and is_here(weights):
        return np.where(weights == 0, x.dtype.type(0), x)
    return _device().combine("silenced", x, weights)


# Reductions.
def sum(x: Any, axis: _Axis = None, keepdims: bool = False) -> Any:
    """The sum over axes, an array always."""
    if is_here(x):
        with np.errstate(over="ignore", invalid="ignore"):  # infinity and NaN say it themselves
            return np.asarray(x.sum(axis=axis, keepdims=keepdims))
    return _device().reduce(False, x, _axes(x, axis), keepdims)


def largest(x: Any, axis: _Axis = None, keepdims: bool = False) -> Any:
    """The largest value over axes, an array always."""
    if is_here(x):
        return np.asarray(x.max(axis=axis, keepdims=keepdims))
    return _device().reduce(True, x, _axes(x, axis), keepdims)


def clip_norm(x: Any, limit: float) -> None:
    """Scale a flat array in place to the Euclidean norm ``limit``, where its own is above it."""
    _device().clip(x, limit)


def _axes(x: Any, axis: _Axis) -> tuple[int, ...]:
    chosen = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    return tuple(int(a) % max(1, x.ndim) for a in chosen)


# Shapes.
def broadcast_to(x: Any, shape: tuple[int, ...]) -> Any:
    """Repeated along axes: a view on the CPU, a copy on a device."""
    return np.broadcast_to(x, shape) if is_here(x) else _device().broadcast_to(x, shape)


def reshape(x: Any, *shape: Any) -> Any:
    """In another shape, copied where it has to be."""
    return x.reshape(*shape) if is_here(x) else contiguous(x).reshape(*shape)


def concatenate(parts: Sequence[Any], axis: int) -> Any:
    """Joined along an axis."""
    first = parts[0]
    if all(is_here(part) for part in parts):
        return np.concatenate(parts, axis=axis)
    runtime_of("concatenate", **{f"part_{i}": part for i, part in enumerate(parts)})
    shape = list(first.shape)
    shape[axis] = int(np.sum([part.shape[axis] for part in parts]))
    out = empty_like(first, tuple(shape), first.dtype)
    for part, view in zip(parts, split(out, [part.shape[axis] for part in parts], axis), strict=True):
        assign(view, part)
    return out


def split(x: Any, lengths: Sequence[int], axis: int) -> tuple[Any, ...]:
    """Views of neighbouring parts along an axis."""
    views, start = [], 0
    before = (slice(None),) * (axis % x.ndim)
    for length in lengths:
        views.append(x[(*before, slice(start, start + length))])
        start += length
    return tuple(views)
