"""Following the instructions of a pickle without running it.

A pickle is a program. Python's unpickler would run it; a `PickleReader` goes through its instructions one by one
(`pickletools`) and follows those that build lists, tuples and dictionaries of numbers and strings. What a name, a call or a
state in the pickle means is decided by the subclass, in its own code: no function is looked up or called. Overriding
``find_class`` of Python's unpickler would not be safe, since its BUILD instruction sets attributes on any object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, BinaryIO, cast

from .storage import read_up_to

_MARK = object()


class _CheckedStream:
    """A stream whose reads take no more memory than there are bytes."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.readline, self.tell = stream.readline, stream.tell

    def read(self, count: int) -> bytes:
        return read_up_to(self._stream, count)


class PickleReader:
    """A reader that follows the instructions of one pickle; subclasses decide what names, calls and states mean.

    Whatever length an instruction claims, its bytes are read as far as there are any.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = cast(BinaryIO, stream if isinstance(stream, _CheckedStream) else _CheckedStream(stream))
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def read(self) -> Any:
        """Return what the pickle makes.

        Raises
        ------
        ValueError, IndexError, KeyError, TypeError, and any error of a broken stream
            For names, instructions and values that the subclass does not take.
        """
        import pickletools

        for opcode, argument, _ in pickletools.genops(self.stream):
            name = opcode.name
            if name in _VALUES:
                self.stack.append(_VALUES[name](argument))
            elif name in _STEPS:
                _STEPS[name](self, argument)
            elif name == "STOP":
                return self.stack.pop()
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

    def name(self, module: Any, name: Any) -> Any:
        """Return what stands for a name."""
        raise ValueError(f"the name {module}.{name}")

    def call(self, make: Any, arguments: Any) -> Any:
        """Return what a call of what `name` returned makes (REDUCE and NEWOBJ)."""
        raise ValueError(f"a call of {type(make).__name__}")

    def build(self, target: Any, state: Any) -> None:
        """Set the state of something that `call` returned."""
        raise ValueError(f"the state of a {type(target).__name__}")

    def persistent(self, identity: Any) -> Any:
        """Return what a persistent identity stands for, whose values lie outside the pickle."""
        raise ValueError("the instruction BINPERSID")


def _unchanged(argument: Any) -> Any:
    return argument


_VALUES: dict[str, Callable[[Any], Any]] = {
    "MARK": lambda _: _MARK,
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "EMPTY_LIST": lambda _: [],
    "EMPTY_TUPLE": lambda _: (),
    "EMPTY_DICT": lambda _: {},
    **dict.fromkeys(("INT", "BININT", "BININT1", "BININT2", "LONG1", "FLOAT", "BINFLOAT"), _unchanged),
    **dict.fromkeys(("STRING", "BINSTRING", "SHORT_BINSTRING"), _unchanged),
    **dict.fromkeys(("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"), _unchanged),
    **dict.fromkeys(("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"), _unchanged),
}


def _tuple(count: int) -> Callable[[PickleReader, Any], None]:
    def step(reader: PickleReader, _: Any) -> None:
        if len(reader.stack) < count:
            raise ValueError("a pickle that is out of step")
        reader.stack[-count:] = [tuple(reader.stack[-count:])]

    return step


def _put(reader: PickleReader, number: Any) -> None:
    reader.memo[len(reader.memo) if number is None else int(number)] = reader.stack[-1]


def _append(reader: PickleReader, _: Any) -> None:
    item = reader.stack.pop()
    reader.extend([item])


def _set_item(reader: PickleReader, _: Any) -> None:
    value, key = reader.stack.pop(), reader.stack.pop()
    reader.update([key, value])


def _stack_name(reader: PickleReader, _: Any) -> None:
    name, module = reader.stack.pop(), reader.stack.pop()
    reader.stack.append(reader.name(module, name))


def _reduce(reader: PickleReader, _: Any) -> None:
    arguments, make = reader.stack.pop(), reader.stack.pop()
    reader.stack.append(reader.call(make, arguments))


def _build(reader: PickleReader, _: Any) -> None:
    state = reader.stack.pop()
    reader.build(reader.stack[-1], state)


_STEPS: dict[str, Callable[[PickleReader, Any], Any]] = {
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
    "GLOBAL": lambda reader, names: reader.stack.append(reader.name(*names.split(" ", 1))),
    "STACK_GLOBAL": _stack_name,
    "REDUCE": _reduce,
    "NEWOBJ": _reduce,
    "BUILD": _build,
    "BINPERSID": lambda reader, _: reader.stack.append(reader.persistent(reader.stack.pop())),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _put),
    **dict.fromkeys(
        ("GET", "BINGET", "LONG_BINGET"), lambda reader, number: reader.stack.append(reader.memo[int(number)])
    ),
}
