"""Input checks that the array functions share. The arguments of a kernel are checked once, here, before it runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._internal.arrays import refuse_masked
from .._internal.numbers import shown, whole_number
from ..backends import CPU, Backend, backend_named, backend_of, is_device_array, same_backend

ACTIVATIONS = {None: _core.ACTIVATIONS["identity"]} | _core.ACTIVATIONS
ACTIVATION_NAMES = tuple(name for name in _core.ACTIVATIONS if name != "identity")
DERIVED_FROM_INPUT = _core.DERIVED_FROM_INPUT  # those whose derivative the output does not determine

_DLPACK_CUDA = (2, 13)  # kDLCUDA, kDLCUDAManaged
_F32 = np.dtype(np.float32)
_F64 = np.dtype(np.float64)


def not_numpy(function: str, name: str, x: Any) -> NoReturn:
    """Refuse an argument that is not a NumPy array, and say how to convert it."""
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
    """Return whether ``x`` is an array of PyTorch or JAX on a CUDA device, which supports DLPack."""
    place = None if isinstance(x, type) else getattr(x, "__dlpack_device__", None)
    return callable(place) and int(place()[0]) in _DLPACK_CUDA


def numpy_array(function: str, name: str, x: Any) -> NDArray[Any]:
    """Return ``x`` if it is a NumPy array; refuse anything else, and arrays with a mask, which would be lost."""
    if type(x) is np.ndarray:
        return x
    if not isinstance(x, np.ndarray):
        not_numpy(function, name, x)
    refuse_masked(function, name, x)
    return np.asarray(x)


def floating(function: str, name: str, x: Any) -> NDArray[Any]:
    """Return ``x`` if it is a float32 or float64 NumPy array; refuse anything else by name."""
    if type(x) is not np.ndarray:
        x = numpy_array(function, name, x)
    if x.dtype is not _F32 and x.dtype is not _F64 and x.dtype != _F32 and x.dtype != _F64:
        raise TypeError(f"{function}: {name} must be float32 or float64, got {x.dtype}; use {name}.astype(np.float32)")
    return x


def float_array(function: str, name: str, x: Any) -> tuple[Backend, Any]:
    """Return what `floats` returns, for one array."""
    if type(x) is np.ndarray and (x.dtype is _F32 or x.dtype is _F64):
        return CPU, x
    backend, x = floats(function, **{name: x})
    return backend, x


def floats(function: str, *, optional: tuple[str, ...] = (), **arrays: Any) -> tuple[Any, ...]:
    """Return the backend of floating-point arrays, and the arrays; refuse all other kinds by name.

    The arrays live on one device and have one dtype, which its kernels support. Those in ``optional`` may be None.
    """
    first = None
    for name, x in arrays.items():  # this check suffices for most arrays
        if x is None and name in optional:
            continue
        if type(x) is not np.ndarray:
            break
        dtype = x.dtype
        if first is None and (dtype is _F32 or dtype is _F64):
            first = dtype
        elif dtype is not first:
            break
    else:
        return CPU, *arrays.values()
    present = {name: x for name, x in arrays.items() if x is not None or name not in optional}
    if not any(map(is_device_array, present.values())):
        present = {name: floating(function, name, x) for name, x in present.items()}
        same_dtype(function, **present)
        return CPU, *(present.get(name) for name in arrays)
    backend = same_backend(function, **present)
    for name, x in present.items():
        if x is None:
            not_numpy(function, name, x)
        if x.dtype not in backend.float_dtypes:
            known = " or ".join(map(str, backend.float_dtypes))
            raise TypeError(
                f"{function}: {name} must be {known} on CUDA, got {x.dtype}; use {name}.astype('{backend.float_dtypes[0]}')"
            )
    return backend, *arrays.values()


def check_device(function: str, device: Any) -> str:
    """Return the name of a device; refuse one that is not present."""
    if not isinstance(device, str):
        raise TypeError(f"{function}: device must be 'cpu' or 'cuda', got {shown(device)}")
    return backend_named(device, function).name


def same_dtype(function: str, **arrays: Any) -> None:
    """Refuse arrays of different dtypes; the error names each."""
    first = None
    for array in arrays.values():
        if array is None:
            continue
        if first is None:
            first = array.dtype
        elif array.dtype is not first and array.dtype != first:
            listing = ", ".join(f"{name} {a.dtype}" for name, a in arrays.items() if a is not None)
            raise TypeError(f"{function}: all arrays must have one dtype, got {listing}; convert with .astype")


def activation_code(function: str, activation: str | None, name: str = "activation") -> int:
    """Return the kernel's number for an activation; the error for an unknown name lists the known ones."""
    if activation is None or (isinstance(activation, str) and activation in ACTIVATIONS):
        return ACTIVATIONS[activation]
    known = ", ".join(repr(known) for known in ACTIVATIONS if known is not None)
    raise ValueError(f"{function}: {name} must be None or one of {known}, got {shown(activation)}")


def refuse_without_input(function: str, activation: str | None) -> NoReturn:
    """Refuse the gradient of a layer whose activation has no derivative in its output."""
    raise ValueError(
        f"{function}: the derivative of {activation!r} is computed from its input, which y does not determine; apply it after "
        f"the layer, and give {function} the dy that ops.activation_backward(dy, None, {activation!r}, x=...) returns, and "
        "no activation"
    )


# Wider rows could have more bits in common than float32 counts exactly.
MAX_ROW_BYTES = _core.MAX_ROW_BYTES


def packed_bits(
    function: str, name: str, x: Any, *, width: int | None = None, reference: str = "", backend: Backend = CPU
) -> Any:
    """Return ``x`` as contiguous rows of packed bits; refuse anything else, and rows of other than ``width`` bytes."""
    if backend.is_host and (is_device_array(x) or _is_foreign_on_gpu(x)):
        not_numpy(function, name, x)
    is_array = isinstance(x, np.ndarray) or is_device_array(x)
    if not is_array or x.dtype != np.uint8:
        found = x.dtype if is_array else type(x).__name__
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
            f"{function}: {name} has {x.shape[1]} bytes a row but {reference} has {width}; "
            "make both with the same fingerprint size"
        )
    return backend.contiguous(x)


def dtype_of(function: str, name: str, value: Any) -> np.dtype[Any]:
    """Return NumPy's dtype for a dtype, a type or a name."""
    if isinstance(value, np.dtype):
        return value
    if isinstance(value, (str, type)):
        try:
            return np.dtype(value)
        except (TypeError, ValueError):
            pass
    raise TypeError(f"{function}: {name} must be a dtype, such as np.float32, got {shown(value)}")


def whole_numbers(function: str, name: str, value: Any, hint: str = "") -> NDArray[Any]:
    """Return an array, list or number of whole numbers as an array of its integer dtype; an empty list is accepted."""
    refuse_masked(function, name, value)
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError, RecursionError):  # nested lists of unequal lengths
        raise TypeError(f"{function}: {name} must be whole numbers, got {shown(value)}{hint}") from None
    if isinstance(value, (bytes, bytearray, memoryview)) or (
        array.dtype.kind not in "iu"
        and (array.size or isinstance(value, np.ndarray) or not isinstance(value, Sequence))
    ):
        came = array.dtype if isinstance(value, (np.ndarray, list, tuple)) and array.dtype != object else shown(value)
        raise TypeError(f"{function}: {name} must be whole numbers, got {came}{hint}")
    return array


def shape_of(function: str, shape: Any, name: str = "shape") -> tuple[int, ...]:
    """Return the shape of an array, or a shape, as a tuple."""
    if isinstance(shape, np.ndarray) or is_device_array(shape):
        return tuple(shape.shape)
    if isinstance(shape, (str, bytes, bytearray, memoryview)) or not isinstance(shape, Sequence):
        raise TypeError(f"{function}: {name} must be a tuple of whole numbers, got {shown(shape)}")
    return tuple(whole_number(function, f"each length of {name}", n, 0) for n in shape)


def similarity_threshold(threshold: float) -> float:
    """Return the threshold rounded to float32, as similarities are; a positive one does not become 0."""
    rounded = float(np.float32(threshold))
    return max(rounded, float(np.finfo(np.float32).tiny)) if threshold > 0 else 0.0


def output(
    function: str,
    backend: Backend,
    out: Any,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    name: str = "out",
    dense: bool = False,
) -> Any:
    """Return ``out`` after checking it, or a new array. With ``dense`` it must be contiguous; `separate` checks overlaps."""
    if out is None:
        return backend.empty(shape, dtype)
    if backend.is_host:
        if type(out) is not np.ndarray:
            numpy_array(function, name, out)
    else:
        same_backend(function, **{name: out})
    if out.shape != shape or out.dtype != dtype:
        raise ValueError(f"{function}: {name} must be {dtype} of shape {shape}, got {out.dtype} of shape {out.shape}")
    if backend.is_host:
        if not out.flags.writeable:
            raise ValueError(f"{function}: {name} is read-only; pass a writable array")
        spread = out.flags.c_contiguous or all(
            n == 1 or stride for n, stride in zip(out.shape, out.strides, strict=True)
        )
        if not out.dtype.isnative or not (spread or not out.size):
            raise ValueError(f"{function}: {name} must have a place for each element, in the machine's byte order")
    if dense and not (out.flags.c_contiguous and (not backend.is_host or out.flags.aligned)):
        raise ValueError(f"{function}: {name} must be contiguous and aligned, got strides {out.strides}")
    return out


def separate(function: str, written: dict[str, Any], read: dict[str, Any], in_place: tuple[str, ...] = ()) -> None:
    """Refuse arrays that a kernel writes if another argument shares their memory.

    Parameters
    ----------
    written, read : dict of str to array or None
        Arrays by the names of their arguments. Arrays of another device are ignored.
    in_place : tuple of str
        Arguments in ``read`` that may be the written array, with exactly the same memory, shape and strides.
    """
    backend = backend_of(*written.values())
    others = list((written | read).items())
    for i, (name, array) in enumerate(written.items()):
        for other, second in others[i + 1 :] if _lives_on(backend, array) else ():
            if not _lives_on(backend, second) or not backend.may_share(array, second):
                continue
            if other in in_place and _same_memory(backend, array, second):
                continue
            what = f"; pass {other} itself, or" if other in in_place else "; pass"
            raise ValueError(f"{function}: {name} shares memory with {other}{what} an array of its own")


def _lives_on(backend: Backend, x: Any) -> bool:
    return isinstance(x, np.ndarray) if backend.is_host else is_device_array(x)


def _same_memory(backend: Backend, a: Any, b: Any) -> bool:
    """Return whether two arrays have the same address, shape, strides and dtype."""
    alike: bool = (a.shape, a.strides, a.dtype) == (b.shape, b.strides, b.dtype)
    return alike and backend.address(a) == backend.address(b)
