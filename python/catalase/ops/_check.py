"""Input checks that the array functions share. Every kernel call is checked once, here, before any C++ runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arrays import refuse_masked
from .._core import empty  # for shapes and dtypes of arrays, which need no check
from .._cuda import is_device_array

ACTIVATIONS = {None: _core.ACTIVATIONS["identity"]} | _core.ACTIVATIONS

_DLPACK_CUDA = (2, 13)  # kDLCUDA, kDLCUDAManaged
_F32 = np.dtype(np.float32)
_F64 = np.dtype(np.float64)


def not_numpy(function: str, name: str, x: Any) -> NoReturn:
    """Refuse what is no NumPy array, and say what to do with it."""
    if is_device_array(x):
        raise TypeError(
            f"{function}: {name} is on the GPU; pass all arrays there where {function} has a CUDA kernel "
            "(docs/gpu.md lists them), else cupy.asnumpy of each"
        )
    if _is_foreign_on_gpu(x):
        raise TypeError(
            f"{function}: {name} is an array of {type(x).__module__.partition('.')[0]} on the GPU; "
            f"cupy.from_dlpack({name}) hands it over without a copy"
        )
    if type(x).__module__.startswith("scipy.sparse"):
        raise TypeError(f"{function}: {name} is a sparse matrix of SciPy; give {name}.toarray()")
    raise TypeError(f"{function}: {name} must be a NumPy array, got {type(x).__name__}; wrap it in np.asarray")


def _is_foreign_on_gpu(x: Any) -> bool:
    """Whether ``x`` offers itself by DLPack, from a CUDA device: arrays of PyTorch and JAX."""
    place = getattr(x, "__dlpack_device__", None)
    return callable(place) and int(place()[0]) in _DLPACK_CUDA


def floating(function: str, name: str, x: Any) -> NDArray[Any]:
    """Return ``x`` if it is a float32 or float64 NumPy array; refuse anything else by name."""
    if type(x) is not np.ndarray:
        if not isinstance(x, np.ndarray):
            not_numpy(function, name, x)
        refuse_masked(function, name, x)
        x = np.asarray(x)
    if x.dtype is not _F32 and x.dtype is not _F64 and x.dtype != _F32 and x.dtype != _F64:
        raise TypeError(f"{function}: {name} must be float32 or float64, got {x.dtype}; use {name}.astype(np.float32)")
    return x


def floating_anywhere(function: str, name: str, x: Any) -> Any:
    """As `floating`; arrays on a device pass, and are looked at there."""
    return x if type(x) is not np.ndarray and is_device_array(x) else floating(function, name, x)


def same_dtype(function: str, **arrays: Any) -> None:
    """Refuse arrays of differing dtypes, naming each."""
    first = None
    for array in arrays.values():
        if array is None:
            continue
        if first is None:
            first = array.dtype
        elif array.dtype is not first and array.dtype != first:
            listing = ", ".join(f"{name} {a.dtype}" for name, a in arrays.items() if a is not None)
            raise TypeError(f"{function}: all arrays must have one dtype, got {listing}; convert with .astype")


def whole_strides(x: NDArray[Any]) -> NDArray[Any]:
    """Return ``x``, or a contiguous copy where it is misaligned or its strides are not whole elements."""
    if x.flags.aligned and all(s % x.itemsize == 0 for s in x.strides):
        return x
    return x.copy()


def contiguous(x: NDArray[Any]) -> NDArray[Any]:
    """Return ``x``, or a copy where it is not contiguous or misaligned."""
    return x if x.flags.c_contiguous and x.flags.aligned else np.array(x, order="C")


def unit_rows(x: NDArray[Any]) -> NDArray[Any]:
    """Return a matrix, or a contiguous copy where its rows have no unit stride, or the kernels could not step through it."""
    if (x.strides[-1] == x.itemsize or x.shape[-1] <= 1) and x.strides[0] % x.itemsize == 0 and x.flags.aligned:
        return x
    return x.copy()


def activation_code(function: str, activation: str | None) -> int:
    """Return the kernel's number for an activation; refuse unknown names by listing the known ones."""
    try:
        return ACTIVATIONS[activation]
    except (KeyError, TypeError):
        known = ", ".join(repr(name) for name in ACTIVATIONS if name is not None)
        raise ValueError(f"{function}: activation must be None or one of {known}, got {activation!r}") from None


# Wider rows could have more bits in common than float32 counts exactly.
MAX_ROW_BYTES = _core.MAX_ROW_BYTES


def packed_bits(function: str, name: str, x: Any, *, width: int | None = None, beside: str = "") -> NDArray[np.uint8]:
    """Return ``x`` as contiguous rows of packed bits; refuse anything else, and rows that are not ``width`` bytes."""
    if is_device_array(x) or _is_foreign_on_gpu(x):
        not_numpy(function, name, x)
    if not isinstance(x, np.ndarray) or x.dtype != np.uint8:
        found = x.dtype if isinstance(x, np.ndarray) else type(x).__name__
        raise TypeError(
            f"{function}: {name} must be a uint8 array of packed bits, got {found}; see np.packbits or ops.ecfp"
        )
    refuse_masked(function, name, x)
    if x.ndim != 2:
        raise ValueError(
            f"{function}: {name} must be a matrix (molecules, bytes), got shape {x.shape}; "
            f"a single fingerprint is {name}[None]"
        )
    if x.shape[1] > MAX_ROW_BYTES:
        raise ValueError(
            f"{function}: {name} has {x.shape[1]} bytes a row, more than the {MAX_ROW_BYTES} that are exact; fold it"
        )
    if width is not None and x.shape[1] != width:
        raise ValueError(
            f"{function}: {name} has {x.shape[1]} bytes a row but {beside} has {width}; "
            "make both with the same fingerprint size"
        )
    return np.ascontiguousarray(x)


def whole_number(function: str, name: str, value: Any, low: int | None = 1) -> int:
    """Return ``value`` as an int of ``low`` or more; of any size where that is None."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{function}: {name} must be a whole number, got {value!r}")
    if low is not None and value < low:
        raise ValueError(f"{function}: {name} must be {low} or more, got {value}")
    return int(value)


def shape_of(function: str, shape: Any) -> tuple[int, ...]:
    """Return the shape of an array, or a shape, as a tuple."""
    if isinstance(shape, np.ndarray) or is_device_array(shape):
        return tuple(shape.shape)
    if isinstance(shape, (str, bytes)) or not isinstance(shape, Sequence):
        raise TypeError(f"{function}: the shape of x must be a tuple of whole numbers, got {shape!r}")
    return tuple(whole_number(function, "each length of x's shape", n, 0) for n in shape)


def fraction(function: str, name: str, value: Any) -> float:
    """Return a number from 0 to 1 as a float."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{function}: {name} must be a number, got {value!r}")
    if not 0 <= value <= 1:
        raise ValueError(f"{function}: {name} must be from 0 to 1, got {value}")
    return float(value)


def similarity_bar(threshold: float) -> float:
    """The threshold as the kernels compare it: rounded to float32 as similarities are, and not to nothing."""
    rounded = float(np.float32(threshold))
    return max(rounded, float(np.finfo(np.float32).tiny)) if threshold > 0 else 0.0


def output(
    function: str, out: NDArray[Any] | None, shape: tuple[int, ...], dtype: np.dtype[Any], name: str = "out"
) -> NDArray[Any]:
    """Return ``out`` after checking it, or a new array from the caching allocator. `separate` checks what it overlaps."""
    if out is None:
        return empty(shape, dtype)
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{function}: {name} must be a NumPy array, got {type(out).__name__}")
    if out.shape != shape or out.dtype != dtype:
        raise ValueError(f"{function}: {name} must be {dtype} of shape {shape}, got {out.dtype} of shape {out.shape}")
    if not out.flags.writeable:
        raise ValueError(f"{function}: {name} is read-only; pass a writable array")
    spread = not out.size or all(n == 1 or stride for n, stride in zip(out.shape, out.strides, strict=True))
    if not out.dtype.isnative or not spread:
        raise ValueError(f"{function}: {name} must have a place for each element, in the machine's byte order")
    return out


def separate(function: str, written: dict[str, Any], read: dict[str, Any], in_place: tuple[str, ...] = ()) -> None:
    """Refuse arrays that a kernel writes while another argument lies in the same memory.

    Parameters
    ----------
    written, read : dict of str to array or None
        By the names of the arguments. What is no NumPy array is passed over.
    in_place : tuple of str
        Arguments in ``read`` that a written array may be, whole: element for element the same memory.
    """
    outputs = [(name, array) for name, array in written.items() if isinstance(array, np.ndarray)]
    inputs = [(name, array) for name, array in read.items() if isinstance(array, np.ndarray)]
    for i, (name, array) in enumerate(outputs):
        for other, beside in outputs[i + 1 :] + inputs:
            if not np.may_share_memory(array, beside) or not _overlap(array, beside):
                continue
            if other in in_place and _same_memory(array, beside):
                continue
            what = f"; pass {other} itself, or" if other in in_place else "; pass"
            raise ValueError(f"{function}: {name} shares memory with {other}{what} an array of its own")


def not_overwritten(x: NDArray[Any], out: Any) -> NDArray[Any]:
    """Return ``x``, or a copy where ``out`` lies in its memory in any other way than element for element."""
    if not isinstance(out, np.ndarray) or not np.may_share_memory(x, out):
        return x
    return x if _same_memory(x, out) or not _overlap(x, out) else x.copy()


def _overlap(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Whether two arrays have a byte in common; True where that is too hard to tell."""
    try:
        return bool(np.shares_memory(a, b, max_work=1000))  # type: ignore[arg-type]
    except RuntimeError:  # NumPy's TooHardError
        return True


def _same_memory(a: NDArray[Any], b: NDArray[Any]) -> bool:
    return a.ctypes.data == b.ctypes.data and (a.shape, a.strides, a.dtype) == (b.shape, b.strides, b.dtype)
