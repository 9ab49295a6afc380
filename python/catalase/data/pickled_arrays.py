"""Reading arrays from pickles without unpickling: this reader knows arrays, numbers and strings, and nothing else.

A pickle is a program. Python's unpickler would run it; this reader goes through its instructions one by one
(`pickletools`) and follows those that build lists, tuples and dictionaries of numbers and strings. Of the functions that a
pickle may name it knows only the few with which NumPy and joblib write arrays. Each of these names selects code in this
file; no function is looked up or called. Anything else is refused by name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from .._internal.storage import read_up_to

_MARK = object()
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
    return _Reader(cast(BinaryIO, _CheckedStream(stream))).read()


class _CheckedStream:
    """A stream whose reads take no more memory than there are bytes, whatever length an instruction claims."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.readline, self.tell = stream.readline, stream.tell

    def read(self, count: int) -> bytes:
        return read_up_to(self._stream, count)


class _Reader:
    """A reader that follows the instructions of one pickle."""

    def __init__(self, stream: BinaryIO, depth: int = 0) -> None:
        self.stream, self.depth = stream, depth
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def read(self) -> Any:
        import pickletools

        for opcode, argument, _ in pickletools.genops(self.stream):
            name = opcode.name
            if name in _VALUES:
                self.stack.append(_VALUES[name](argument))
            elif name in _STEPS:
                _STEPS[name](self, argument)
            elif name == "STOP":
                return finished(self.stack.pop())
            elif name not in ("PROTO", "FRAME"):
                raise ValueError(f"the instruction {name}")
        raise ValueError("a pickle without an end")

    def since_mark(self) -> list[Any]:
        """Pop everything above the last mark, and the mark."""
        at = len(self.stack) - 1
        while self.stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise ValueError("a pickle that is out of step")
        items = self.stack[at + 1 :]
        del self.stack[at:]
        return items

    def extend(self, items: list[Any]) -> None:
        self._top(list).extend(items)

    def update(self, items: list[Any]) -> None:
        self._top(dict).update(zip(items[::2], items[1::2], strict=True))

    def _top(self, kind: type) -> Any:
        if type(self.stack[-1]) is not kind:
            raise ValueError(f"a {type(self.stack[-1]).__name__} where a {kind.__name__} was needed")
        return self.stack[-1]

    def name(self, module: Any, name: Any) -> None:
        if (module, name) not in _KNOWN:
            raise ValueError(f"the name {module}.{name}")
        self.stack.append(_KNOWN[module, name])

    def call(self, make: Any, arguments: Any) -> None:
        """Carry out REDUCE or NEWOBJ for a known name."""
        kind = make.name if isinstance(make, _Named) else type(make).__name__
        if kind == "dtype":
            self.stack.append(_DType(arguments[0]))
        elif (kind == "array" and arguments[0] is _KNOWN["numpy", "ndarray"]) or (
            kind == "wrapper" and arguments == ()
        ):
            self.stack.append(_Array())
        elif kind == "bytes" and arguments == ():
            self.stack.append(b"")
        elif kind == "encode" and type(arguments[0]) is str and arguments[1] == "latin1":
            self.stack.append(arguments[0].encode("latin1"))
        elif kind == "frombuffer":
            data, dtype, shape, order = arguments
            self.stack.append(_Array())
            self.stack[-1].value = _values(_dtype(dtype), shape, bytes(data), "F" if order == "F" else "C")
        elif kind == "scalar":
            self.stack.append(_values(_dtype(arguments[0]), (), arguments[1], "C")[()])
        else:
            raise ValueError(f"a call of {kind}")

    def build(self, state: Any) -> None:
        """Set the state of a dtype or an array."""
        target = self.stack[-1]
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
            inner = _Reader(self.stream, self.depth + 1).read()
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


def _same(argument: Any) -> Any:
    return argument


_VALUES: dict[str, Callable[[Any], Any]] = {
    "MARK": lambda _: _MARK,
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "EMPTY_LIST": lambda _: [],
    "EMPTY_TUPLE": lambda _: (),
    "EMPTY_DICT": lambda _: {},
    **dict.fromkeys(("INT", "BININT", "BININT1", "BININT2", "LONG1", "FLOAT", "BINFLOAT"), _same),
    **dict.fromkeys(("STRING", "BINSTRING", "SHORT_BINSTRING"), _same),
    **dict.fromkeys(("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"), _same),
    **dict.fromkeys(("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"), _same),
}


def _tuple(count: int) -> Callable[[_Reader, Any], None]:
    def step(reader: _Reader, _: Any) -> None:
        if len(reader.stack) < count:
            raise ValueError("a pickle that is out of step")
        reader.stack[-count:] = [tuple(reader.stack[-count:])]

    return step


def _put(reader: _Reader, number: Any) -> None:
    reader.memo[len(reader.memo) if number is None else int(number)] = reader.stack[-1]


def _append(reader: _Reader, _: Any) -> None:
    item = reader.stack.pop()
    reader.extend([item])


def _set_item(reader: _Reader, _: Any) -> None:
    value, key = reader.stack.pop(), reader.stack.pop()
    reader.update([key, value])


def _stack_name(reader: _Reader, _: Any) -> None:
    name, module = reader.stack.pop(), reader.stack.pop()
    reader.name(module, name)


def _reduce(reader: _Reader, _: Any) -> None:
    arguments, make = reader.stack.pop(), reader.stack.pop()
    reader.call(make, arguments)


_STEPS: dict[str, Callable[[_Reader, Any], Any]] = {
    "POP": lambda reader, _: reader.stack.pop(),
    "POP_MARK": lambda reader, _: reader.since_mark(),
    "TUPLE": lambda reader, _: reader.stack.append(tuple(reader.since_mark())),
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    "LIST": lambda reader, _: reader.stack.append(reader.since_mark()),
    "APPEND": _append,
    "APPENDS": lambda reader, _: reader.extend(reader.since_mark()),
    "SETITEM": _set_item,
    "SETITEMS": lambda reader, _: reader.update(reader.since_mark()),
    "GLOBAL": lambda reader, names: reader.name(*names.split(" ", 1)),
    "STACK_GLOBAL": _stack_name,
    "REDUCE": _reduce,
    "NEWOBJ": _reduce,
    "BUILD": lambda reader, _: reader.build(reader.stack.pop()),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _put),
    **dict.fromkeys(
        ("GET", "BINGET", "LONG_BINGET"), lambda reader, number: reader.stack.append(reader.memo[int(number)])
    ),
}
