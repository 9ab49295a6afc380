"""Input checks that the array functions share. Every kernel call is checked once, here, before any C++ runs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .memory import empty

ACTIVATIONS = {None: 0, "identity": 0, "relu": 1, "tanh": 2, "sigmoid": 3, "softplus": 4}

_F32 = np.dtype(np.float32)
_F64 = np.dtype(np.float64)


def floating(function: str, name: str, x: Any) -> NDArray[Any]:
    """Return ``x`` if it is a float32 or float64 NumPy array; refuse anything else by name."""
    if type(x) is not np.ndarray and not isinstance(x, np.ndarray):
        raise TypeError(f"{function}: {name} must be a NumPy array, got {type(x).__name__}; wrap it in np.asarray")
    if x.dtype is not _F32 and x.dtype is not _F64 and x.dtype != _F32 and x.dtype != _F64:
        raise TypeError(f"{function}: {name} must be float32 or float64, got {x.dtype}; use {name}.astype(np.float32)")
    return x


def same_dtype(function: str, **arrays: Any) -> None:
    """Refuse arrays of differing dtypes, naming each."""
    present = {name: a for name, a in arrays.items() if a is not None}
    if len({a.dtype for a in present.values()}) > 1:
        listing = ", ".join(f"{name} {a.dtype}" for name, a in present.items())
        raise TypeError(f"{function}: all arrays must have one dtype, got {listing}; convert with .astype")


def whole_strides(x: NDArray[Any]) -> NDArray[Any]:
    """Return ``x``, or a contiguous copy where it is misaligned or its strides are not whole elements."""
    if x.flags.aligned and all(s % x.itemsize == 0 for s in x.strides):
        return x
    return x.copy()


def activation_code(function: str, activation: str | None) -> int:
    """Return the kernel's number for an activation; refuse unknown names by listing the known ones."""
    try:
        return ACTIVATIONS[activation]
    except (KeyError, TypeError):
        known = ", ".join(repr(name) for name in ACTIVATIONS if name is not None)
        raise ValueError(f"{function}: activation must be None or one of {known}, got {activation!r}") from None


def output(function: str, out: NDArray[Any] | None, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return ``out`` after checking it, or a new array from the caching allocator."""
    if out is None:
        return empty(shape, dtype)
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{function}: out must be a NumPy array, got {type(out).__name__}")
    if out.shape != shape or out.dtype != dtype:
        raise ValueError(f"{function}: out must be {dtype} of shape {shape}, got {out.dtype} of shape {out.shape}")
    if not out.flags.writeable:
        raise ValueError(f"{function}: out is read-only; pass a writable array")
    return out
