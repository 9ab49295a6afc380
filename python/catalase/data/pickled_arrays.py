"""Reading arrays from pickles without unpickling: this reader knows arrays, numbers and strings, and nothing else.

Of the functions that a pickle may name it knows only the few with which NumPy and joblib write arrays. Each of these names
selects code in this file (`catalase._internal.pickles` says why). Anything else is refused by name.
"""

from __future__ import annotations

import math
import re
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .._internal.pickles import PickleReader

_DTYPE = re.compile(r"[<>|=]?(?:[biufc]\d{1,2}|[US]\d{1,8}|O8?)")
_MOST_NESTED = 3


class _Named:
    """A name in a pickle that selects one of the functions below."""

    def __init__(self, name: str) -> None:
        self.name = name


_KNOWN = {
    ("numpy", "dtype"): _Named("dtype"),
    ("numpy", "ndarray"): _Named("ndarray"),
    ("numpy.core.multiarray", "_reconstruct"): _Named("array"),
    ("numpy._core.multiarray", "_reconstruct"): _Named("array"),
    ("numpy.core.multiarray", "scalar"): _Named("scalar"),
    ("numpy._core.multiarray", "scalar"): _Named("scalar"),
    ("numpy.core.numeric", "_frombuffer"): _Named("frombuffer"),
    ("numpy._core.numeric", "_frombuffer"): _Named("frombuffer"),
    ("__builtin__", "bytes"): _Named("bytes"),  # protocol 2 writes empty bytes so
    ("_codecs", "encode"): _Named("encode"),
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): _Named("wrapper"),
}


class _DType:
    """A dtype under construction."""

    def __init__(self, name: Any) -> None:
        if not isinstance(name, str) or not _DTYPE.fullmatch(name):
            raise ValueError(f"the dtype {name!r}, which is not of numbers or strings")
        self.dtype = np.dtype(name)

    def build(self, state: Any) -> None:
        _, order, *rest = state
        if order not in ("<", ">", "|", "=") or any(item is not None for item in rest[:3]):
            raise ValueError("a structured dtype")
        if order in "<>":
            self.dtype = self.dtype.newbyteorder(order)


class _Array:
    """An array under construction, written by NumPy or by joblib, whose values follow later in the file."""

    def __init__(self) -> None:
        self.value: NDArray[Any] | None = None


def read_pickled_array(stream: BinaryIO) -> Any:
    """Read one pickle to its end, and return the array, list, number or string that it makes.

    Raises
    ------
    ValueError, IndexError, KeyError, TypeError, and any error of a broken stream
        For names, instructions and values that do not occur in pickles of arrays.
    """
    return _ArrayReader(stream).read()


class _ArrayReader(PickleReader):
    """A reader of pickles of arrays; NumPy's arrays of objects lie in pickles within joblib's."""

    def __init__(self, stream: BinaryIO, depth: int = 0) -> None:
        super().__init__(stream)
        self.depth = depth

    def read(self) -> Any:
        return finished(super().read())

    def name(self, module: Any, name: Any) -> Any:
        if (module, name) not in _KNOWN:
            raise ValueError(f"the name {module}.{name}")
        return _KNOWN[module, name]

    def call(self, make: Any, arguments: Any) -> Any:
        kind = make.name if isinstance(make, _Named) else type(make).__name__
        if kind == "dtype":
            return _DType(arguments[0])
        if (kind == "array" and arguments[0] is _KNOWN["numpy", "ndarray"]) or (kind == "wrapper" and arguments == ()):
            return _Array()
        if kind == "bytes" and arguments == ():
            return b""
        if kind == "encode" and type(arguments[0]) is str and arguments[1] == "latin1":
            return arguments[0].encode("latin1")
        if kind == "frombuffer":
            data, dtype, shape, order = arguments
            made = _Array()
            made.value = _values(_dtype(dtype), shape, bytes(data), "F" if order == "F" else "C")
            return made
        if kind == "scalar":
            return _values(_dtype(arguments[0]), (), arguments[1], "C")[()]
        raise ValueError(f"a call of {kind}")

    def build(self, target: Any, state: Any) -> None:
        if isinstance(target, _DType):
            target.build(state)
        elif isinstance(target, _Array) and type(state) is tuple:
            _, shape, dtype, fortran, data = state
            target.value = _values(_dtype(dtype), shape, data, "F" if fortran else "C")
        elif isinstance(target, _Array) and type(state) is dict:
            target.value = self._joblib_values(state)
        else:
            raise ValueError(f"the state of a {type(target).__name__}")

    def _joblib_values(self, state: dict[Any, Any]) -> NDArray[Any]:
        """Read the values that joblib wrote after its wrapper."""
        dtype, shape = _dtype(state["dtype"]), state["shape"]
        if dtype.hasobject:
            if self.depth >= _MOST_NESTED:
                raise ValueError("pickles within pickles")
            inner = _ArrayReader(self.stream, self.depth + 1).read()
            if not isinstance(inner, np.ndarray):
                raise ValueError(f"a {type(inner).__name__} where an array was needed")
            return inner
        if state.get("numpy_array_alignment_bytes") is not None:
            self.stream.read(self.stream.read(1)[0])
        wanted = _size(shape) * dtype.itemsize
        data = self.stream.read(wanted)
        if len(data) < wanted:
            raise ValueError(f"{len(data)} bytes of values where {wanted} were needed; the file is cut short")
        return _values(dtype, shape, data, "F" if state.get("order") == "F" else "C")


def _dtype(made: Any) -> np.dtype[Any]:
    if not isinstance(made, _DType):
        raise ValueError(f"a {type(made).__name__} where a dtype was needed")
    return made.dtype


def _size(shape: Any) -> int:
    if type(shape) is not tuple or not all(type(n) is int and 0 <= n < 2**48 for n in shape):
        raise ValueError(f"the shape {shape!r}")
    return math.prod(shape)


def _values(dtype: np.dtype[Any], shape: Any, data: Any, order: str) -> NDArray[Any]:
    """Return an array of a shape from its bytes, or for objects from a list."""
    size = _size(shape)
    if dtype.hasobject:
        if type(data) is not list or len(data) != size:
            raise ValueError("an array of objects without its values")
        flat = np.empty(size, object)
        for i, item in enumerate(data):
            flat[i] = item
    else:
        if type(data) is str:  # Python 2 wrote bytes as text
            data = data.encode("latin1")
        if type(data) is not bytes or len(data) != size * dtype.itemsize:
            raise ValueError(f"values that do not fill {dtype} of shape {shape}")
        if size and not dtype.itemsize:
            raise ValueError(f"{size} values of {dtype}, which take no bytes")
        flat = np.frombuffer(bytearray(data), dtype) if size else np.zeros(0, dtype)
        flat = flat.astype(dtype.newbyteorder("="), copy=False)
    return flat.reshape(shape[::-1]).T if order == "F" else flat.reshape(shape)


def finished(value: Any) -> Any:
    """Return the array of a complete `_Array`, and any other value unchanged."""
    if isinstance(value, _Array):
        if value.value is None:
            raise ValueError("an array without its values")
        return value.value
    return value
