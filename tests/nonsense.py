"""Nonsense for every argument of every public function: the values, the runner, and the accepted outcomes.

A table in the tests of each area gives one valid call of each function. Each argument in turn is replaced by each value of
`VALUES`, while the others stay; then pairs of arguments, drawn from a seed, are replaced. A call may return if the argument's
kind accepts the value. Otherwise it must raise TypeError, ValueError or RuntimeError from a ``raise`` statement of the
library, in a sentence that names the function and the argument.
"""

from __future__ import annotations

import datetime
import decimal
import fractions
import inspect
import linecache
import re
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import catalase as ct

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]

HERE = str(Path(ct.__file__).parent)
PROMISED = (TypeError, ValueError, RuntimeError)


def call(*args, **kwargs):
    """The arguments of one valid call."""
    return args, kwargs


def ones(*shape, dtype=np.float32):
    return np.ones(shape, dtype)


class Awkward:
    """An object whose every special method fails in its own way."""

    def fail(self, *_, **__):
        raise ZeroDivisionError("a method of the argument itself")

    __len__ = __iter__ = __float__ = __int__ = __index__ = __bool__ = __getitem__ = __eq__ = __lt__ = __hash__ = fail


class SparseLike:
    shape, dtype, ndim, size = (2, 3), np.dtype(np.float32), 2, 6

    def toarray(self):
        return ones(2, 3)


def circular():
    loop: list[Any] = []
    loop.append(loop)
    return loop


def read_only():
    array = ones(2, 3)
    array.flags.writeable = False
    return array


VALUES: dict[str, Callable[[], Any]] = {
    "None": lambda: None, "True": lambda: True, "False": lambda: False,
    "0": lambda: 0, "-1": lambda: -1, "7": lambda: 7, "2**31": lambda: 2**31, "2**63": lambda: 2**63, "-2**63": lambda: -(2**63), "2**200": lambda: 2**200,
    "0.5": lambda: 0.5, "-1.5": lambda: -1.5, "1e300": lambda: 1e300, "nan": lambda: float("nan"), "inf": lambda: float("inf"), "-inf": lambda: -float("inf"), "1j": lambda: 1j,
    "int64(-1)": lambda: np.int64(-1), "uint8(200)": lambda: np.uint8(200), "float64(nan)": lambda: np.float64("nan"), "float32(1.5)": lambda: np.float32(1.5),
    "np.True_": lambda: np.True_, "complex64": lambda: np.complex64(1), "datetime64": lambda: np.datetime64("2020-01-01"), "timedelta64": lambda: np.timedelta64(1, "s"),
    "np.str_": lambda: np.str_("x"), "np.void": lambda: np.void(b"abc"),
    "'x'": lambda: "x", "''": lambda: "", "'1'": lambda: "1", "'\\ud800'": lambda: "\ud800", "'\\0'": lambda: "\0", "b'x'": lambda: b"x", "bytearray": lambda: bytearray(b"xy"),
    "object": object, "type": lambda: int, "ndarray type": lambda: np.ndarray, "function": lambda: (lambda *a, **k: None), "module": lambda: np, "NotImplemented": lambda: NotImplemented,
    "Awkward": Awkward, "sparse": SparseLike, "Decimal": lambda: decimal.Decimal("0.5"), "Fraction": lambda: fractions.Fraction(1, 2), "date": lambda: datetime.date(2020, 1, 1),
    "path": lambda: Path("x"), "slice": lambda: slice(1), "Ellipsis": lambda: ..., "exception": lambda: ValueError("x"),
    "generator": lambda: (i for i in (1, 2)), "iterator": lambda: iter([1.0]), "range": lambda: range(3), "set": lambda: {1, 2}, "dict": lambda: {"a": 1}, "empty dict": dict, "dict of arrays": lambda: {"x": ones(2, 3)},
    "[]": list, "()": tuple, "[1, 2]": lambda: [1, 2], "(-1, 2)": lambda: (-1, 2), "[2**200]": lambda: [2**200], "[0.5, nan]": lambda: [0.5, float("nan")], "['a']": lambda: ["a"], "[None]": lambda: [None],
    "ragged": lambda: [[1], [2, 3]], "circular": circular, "tuple of tuples": lambda: ((1, 2), (3, 4)), "[array]": lambda: [ones(2, 3)], "[True]": lambda: [True],
    "array ()": lambda: np.array(1.0, np.float32), "array (0,)": lambda: ones(0), "array (3,)": lambda: ones(3), "array (2, 3)": lambda: ones(2, 3), "array (0, 0)": lambda: ones(0, 0), "array (2, 3, 4)": lambda: ones(2, 3, 4),
    "array (1, 4, 4, 2)": lambda: ones(1, 4, 4, 2), "array of 12 axes": lambda: ones(*(1,) * 12), "nan array": lambda: ones(2, 3) * np.nan, "inf array": lambda: ones(2, 3) * np.inf, "huge array": lambda: np.full((2, 3), 1e38, np.float32),
    "float64": lambda: ones(2, 3, dtype=np.float64), "float16": lambda: ones(2, 3, dtype=np.float16), "longdouble": lambda: ones(2, 3, dtype=np.longdouble), "big-endian": lambda: ones(2, 3, dtype=">f4"),
    "int array": lambda: ones(2, 3, dtype=int), "negative ints": lambda: -ones(2, 3, dtype=int), "huge uints": lambda: np.full((2, 3), 2**64 - 1, np.uint64), "uint8 array": lambda: ones(2, 3, dtype=np.uint8),
    "bool array": lambda: ones(2, 3, dtype=bool), "complex array": lambda: ones(2, 3, dtype=complex), "object array": lambda: np.array([[1, None, "a"]], object), "object 0-d": lambda: np.array(None),
    "text array": lambda: np.array(["a", "b"]), "bytes array": lambda: np.array([b"a", b"b"]), "datetime array": lambda: np.array(["2020-01-01"], "M8[D]"), "structured": lambda: np.zeros(2, "i4,f4"),
    "masked": lambda: np.ma.masked_array(ones(2, 3), ones(2, 3) > 0), "matrix": lambda: ones(2, 3).view(np.matrix),
    "read-only": read_only, "stride 0": lambda: np.broadcast_to(np.float32(1), (2, 3)), "every other": lambda: ones(4, 6)[::2, ::2], "misaligned": lambda: np.zeros(25, np.uint8)[1:].view(np.float32).reshape(2, 3),
    "reversed": lambda: ones(2, 3)[::-1, ::-1], "field": lambda: np.zeros((2, 3), "f4,u1")["f0"],
    "Tensor": lambda: ct.Tensor(ones(2, 3)), "Tensor ()": lambda: ct.Tensor(1.0), "Parameter": lambda: ct.nn.Parameter(ones(2, 3)), "Buffer": lambda: ct.nn.Buffer(ones(3)),
    "layer": lambda: ct.nn.Linear(3, 2, rng=0), "layer type": lambda: ct.nn.Linear, "loss": ct.nn.losses.L2Loss, "generator of numbers": lambda: np.random.default_rng(0), "dtype": lambda: np.dtype(np.float32),
}  # fmt: skip


def is_whole(value):
    return isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.timedelta64))


def is_number(value):
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, (bool, np.timedelta64))
    return real and value == value


def is_array(value, kinds="f"):
    return (
        type(value) in (np.ndarray, np.matrix)
        and value.dtype.kind in kinds
        and value.dtype != np.float16
        and value.dtype != np.longdouble
    )


def is_sequence_of(check, value):
    if isinstance(value, np.ndarray):
        return value.ndim == 1 and value.dtype.kind in "iuf" and all(map(check, value.tolist()))
    return isinstance(value, (list, tuple, range)) and all(map(check, value))


def is_listed(value, kinds):
    """Arrays, and lists of numbers that make one."""
    if isinstance(value, (list, tuple, range)):
        try:
            value = np.asarray(value)
        except (ValueError, OverflowError, RecursionError):
            return False
        return not value.size or value.dtype.kind in kinds
    return is_array(value, kinds) or (type(value) is np.ndarray and not value.size and value.dtype.kind in "iuf")


# Kinds of arguments, and the nonsense that each of them takes after all.
TAKES: dict[str, Callable[[Any], bool]] = {
    "whole": lambda v: is_whole(v) and v >= 0,
    "signed": is_whole,
    "number": lambda v: is_number(v) and v >= 0 and v != float("inf"),
    "real": lambda v: is_number(v) and abs(v) != float("inf"),
    "limit": lambda v: is_number(v) and v > 0,
    "flag": lambda v: isinstance(v, (bool, np.bool_)) or (is_whole(v) and v in (0, 1)),
    "word": lambda v: isinstance(v, str),
    "path": lambda v: isinstance(v, (str, Path)),
    "array": is_array,
    "tensor": lambda v: isinstance(v, ct.Tensor) or is_array(v),
    "floats, packed or tensor": lambda v: isinstance(v, ct.Tensor) or is_array(v, "fu"),
    "packed": lambda v: is_array(v, "u"),
    "floats or packed": lambda v: is_array(v, "fu"),
    "labels": lambda v: is_array(v, "iuf"),
    "ids": lambda v: is_whole(v) or is_listed(v, "iu"),
    "values": lambda v: isinstance(v, (ct.Tensor, bool, np.bool_, float, np.floating)) or is_number(v) or is_listed(v, "iufb") or (type(v) is np.ndarray and v.dtype.kind in "iufb"),
    "operand": lambda v: isinstance(v, (ct.Tensor, bool, np.bool_, float, np.floating)) or is_number(v) or is_array(v),
    "sizes": lambda v: is_whole(v) or is_sequence_of(is_whole, v),
    "padding": lambda v: isinstance(v, str) or is_whole(v) or is_sequence_of(lambda p: is_whole(p) or is_sequence_of(is_whole, p), v) or (isinstance(v, np.ndarray) and v.dtype.kind in "iu"),
    "device": lambda v: isinstance(v, str),
    "dtype": lambda v: True,
    "function": callable,
    "layer": lambda v: isinstance(v, ct.nn.Module),
    "shape": lambda v: (is_whole(v) and v >= -1) or is_sequence_of(lambda n: is_whole(n) and n >= -1, v),
    "axis": lambda v: is_whole(v) or is_sequence_of(is_whole, v),
    "rate or schedule": lambda v: callable(v) or (is_number(v) and 0 <= v < float("inf")),
    "seed": lambda v: is_whole(v) and v >= 0,
    "ours": lambda v: False,  # an object of the library's own, or of its form: no nonsense is one
    "list of ours": lambda v: isinstance(v, (list, tuple, np.ndarray)) and np.shape(v if isinstance(v, np.ndarray) else [0] * len(v))[:1] == (0,),
    "texts": lambda v: TAKES["list of ours"](v) or (isinstance(v, np.ndarray) and v.dtype.kind in "US") or (isinstance(v, (list, tuple)) and all(isinstance(t, (str, bytes)) for t in v)),
    "measured": lambda v: (isinstance(v, list) and len(v) == 1 and v[0] is None) or TAKES["values"](v),  # None: a missing label
    "sized": lambda v: hasattr(type(v), "__len__") and not isinstance(v, (str, bytes, bytearray)),
    "names": lambda v: isinstance(v, Iterable) and not isinstance(v, (str, bytes, bytearray, dict)),
    "rows": lambda v: is_listed(v, "iub"),
    "rows or slice": lambda v: is_whole(v) or isinstance(v, slice) or is_listed(v, "iub"),
    "path or keys": lambda v: isinstance(v, (str, Path, dict)),
    "files": lambda v: isinstance(v, (str, Path)) or (isinstance(v, Iterable) and not isinstance(v, (bytes, bytearray, dict))),
    "rng": lambda v: (is_whole(v) and v >= 0) or isinstance(v, np.random.Generator),
    "no objects": lambda v: isinstance(v, (list, tuple)) and not v,  # a list of such
    "number or numbers": lambda v: is_number(v) or is_sequence_of(is_number, v),
    "word or words": lambda v: isinstance(v, str) or (isinstance(v, (list, tuple)) and all(isinstance(w, str) for w in v)),
    "numbers": lambda v: is_sequence_of(is_number, v),
    "paths": lambda v: isinstance(v, (list, tuple)) and all(isinstance(p, (str, Path)) for p in v),
    "path or items": lambda v: isinstance(v, (str, Path)) or (isinstance(v, Iterable) and not isinstance(v, (bytes, bytearray, dict, set, type))),
    "lengths": lambda v: isinstance(v, (list, tuple)) and all(n is None or is_whole(n) for n in v),
    "activation": lambda v: isinstance(v, str) or callable(v),
    "words": lambda v: isinstance(v, (list, tuple, np.ndarray)) and getattr(v, "ndim", 1) and all(isinstance(w, str) for w in v),
    "dict or ours": lambda v: isinstance(v, dict) and not v,
    "anything": lambda v: True,
}  # fmt: skip


# Arguments of these kinds are walked through: what their own methods raise goes to the caller.
ITERATED = ("anything", "ids", "ids?", "values", "values?", "names", "names?", "rows", "rows or slice", "files", "sized", "list of ours", "texts", "measured", "path or items", "path or items?", "words?")  # fmt: skip
# Of these kinds are arguments by which something is looked up: what is not there is answered as Python's containers do.
LOOKED_UP = ("rows", "rows or slice", "path or keys")
# Arithmetic on NumPy warns where values such as these overflow, or divide.
EXTREME = (
    "0",
    "False",
    "1e300",
    "nan",
    "inf",
    "-inf",
    "float64(nan)",
    "nan array",
    "inf array",
    "huge array",
    "[0.5, nan]",
)
# Bytes that a call may take: sizes that are legal but too large end in a MemoryError, and not in the machine's.
ROOM = 2 << 30


def kind_of(example: Any) -> str:
    """The kind of an argument whose valid value is this one, where the table does not say it."""
    if isinstance(example, (bool, np.bool_)):
        return "flag"
    if isinstance(example, (int, np.integer)):
        return "whole"
    if isinstance(example, (float, np.floating)):
        return "number"
    if isinstance(example, str):
        return "word"
    if isinstance(example, ct.Tensor):
        return "tensor"
    if isinstance(example, np.ndarray):
        return {"f": "array", "u": "packed", "i": "ids"}.get(example.dtype.kind, "anything")
    if isinstance(example, (list, tuple)) and example and all(map(is_whole, example)):
        return "sizes"
    if isinstance(example, ct.nn.Module):
        return "layer"
    return "function" if callable(example) else "anything"


def wrong_error(
    error: BaseException,
    names: Iterable[str],
    arguments: Iterable[str],
    own_errors: bool = False,
    sizes: bool = False,
    extreme: bool = False,
    paths: bool = False,
    looked_up: bool = False,
) -> str | None:
    """What is wrong with an error, if anything: its type, where it was raised, or what it says."""
    text = str(error.args[0] if isinstance(error, KeyError) and error.args else error)  # whose str() is a repr
    came = f"{type(error).__name__}: {text[:150]}"
    frame, line = list(traceback.walk_tb(error.__traceback__))[-1]
    file = frame.f_code.co_filename
    where = f"{Path(file).name}:{line}"
    if isinstance(error, ZeroDivisionError) and str(error) == "a method of the argument itself":
        asked = traceback.extract_tb(error.__traceback__)[-2]
        return None if own_errors else f"asks the argument in {Path(asked.filename).name}:{asked.lineno}"
    if isinstance(error, MemoryError) and sizes:
        return None
    if isinstance(error, RuntimeWarning) and extreme:
        return None
    if isinstance(error, OSError) and paths:
        return None
    if isinstance(error, IndexError) and "__getitem__" in names and file.startswith(HERE):
        return (
            None if str(error).startswith("Tensor: ") else f"{came} at {where}"
        )  # Python walks through what raises it
    promised = (*PROMISED, LookupError) if looked_up else PROMISED
    if not isinstance(error, promised) or isinstance(error, (RecursionError, NotImplementedError, UnicodeError)):
        return f"{came} at {where}"
    if not file.startswith(HERE) or not linecache.getline(file, line).lstrip().startswith("raise "):
        return f"{came} comes from inside, at {where}"
    # A function of rows may put the row first, one with two datasets says of which it speaks: "fit (valid): ...".
    named = re.match(
        rf"(row \d+: )?(\w+\.)*({'|'.join(map(re.escape, names))})(\.\w+)*(?P<rest>( \(\w+\))?: \S.*)", text, re.DOTALL
    )
    if not named:
        return f"{came} (at {where}) does not name the function"
    if not any(re.search(rf"(?<!\w){re.escape(a)}(?!\w)", named["rest"]) for a in arguments):
        return f"{came} (at {where}) does not name the argument"
    return None


class Target:
    """A function, one valid call of it, and the kinds of its arguments.

    Parameters
    ----------
    function : callable
    make : callable
        Gives fresh arguments, as `call` does.
    kinds : dict of str to str
        By argument: one of `TAKES`, with a "?" behind where None is taken too. What is not there is guessed from the example.
    names : sequence of str
        By which errors may begin; the function's own where left out.
    also : dict of str to sequence of str
        Further words that stand for an argument in errors.
    skip : sequence of str
        Arguments that stay as they are.
    """

    def __init__(self, function: Callable[..., Any], make: Callable[[], Any], kinds: dict[str, str] | None = None, names: Iterable[str] = (), also: dict[str, Iterable[str]] | None = None, skip: Iterable[str] = ()) -> None:  # fmt: skip
        self.function, self.make = function, make
        self.names = tuple(names) or (function.__name__,)
        self.kinds, self.also, self.skip = kinds or {}, also or {}, tuple(skip)
        self.signature = inspect.signature(function)
        self.arguments = list(self._flat(self._bound()))

    def _bound(self) -> inspect.BoundArguments:
        args, kwargs = self.make()
        return self.signature.bind(*args, **kwargs)

    def _flat(self, bound: inspect.BoundArguments) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in bound.arguments.items():
            kind = self.signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_KEYWORD:
                found |= value
            elif kind is inspect.Parameter.VAR_POSITIONAL:
                found |= {f"*{name}{i}": item for i, item in enumerate(value)}
            else:
                found[name] = value
        return found

    def _kind(self, argument: str, example: Any) -> str:
        return self.kinds.get(argument, kind_of(example))

    def takes(self, argument: str, example: Any, value: Any) -> bool:
        kind = self._kind(argument, example)
        parameter = self.signature.parameters.get(argument)
        if value is None and (kind.endswith("?") or (parameter is not None and parameter.default is None)):
            return True
        return TAKES[kind.rstrip("?")](value)

    def run(self, nonsense: dict[str, str]) -> str | None:
        """Call with these arguments replaced, by the names of `VALUES`; return what is wrong, or None."""
        bound = self._bound()
        flat = self._flat(bound)
        values = {argument: VALUES[label]() for argument, label in nonsense.items()}
        for argument, value in values.items():
            _replace(self.signature, bound, argument, value)
        shown = ", ".join(f"{argument}={label}" for argument, label in nonsense.items())
        try:
            self.function(*bound.args, **bound.kwargs)
        except BaseException as error:
            if any(self._kind(a, flat[a]).startswith("function") and callable(v) for a, v in values.items()):
                return None  # it was called, and fails as it likes
            # What would do by itself may be refused beside the others, by whose name does not matter.
            alone = any(self.takes(a, flat[a], value) for a, value in values.items())
            blamed = self.arguments if alone else values
            words = [w for a in blamed for w in (a.lstrip("*").rstrip("0123456789"), a, *self.also.get(a, ()))]
            wrong = wrong_error(
                error,
                self.names,
                words,
                any(self._kind(a, flat[a]) in ITERATED for a in values),
                any(TAKES["sizes"](v) for v in values.values()),
                any(label in EXTREME for label in nonsense.values()),
                any(self._kind(a, flat[a]).startswith(("path", "files")) for a in values),
                any(self._kind(a, flat[a]) in LOOKED_UP for a in values),
            )
            return None if wrong is None else f"{self.names[0]}({shown}): {wrong}"
        refused = [a for a, value in values.items() if not self.takes(a, flat[a], value)]
        return f"{self.names[0]}({shown}): was accepted" if refused else None

    def failures(self, seed: int = 0, pairs: int = 60) -> list[str]:
        """Every argument with every value, then pairs of arguments with values that are drawn."""
        rng = np.random.default_rng(seed)
        labels = list(VALUES)
        arguments = [a for a in self.arguments if a not in self.skip]
        trials = [{a: label} for a in arguments for label in labels]
        if len(arguments) > 1:
            drawn = (rng.choice(arguments, 2, replace=False) for _ in range(pairs))
            trials += [{str(a): str(rng.choice(labels)) for a in two} for two in drawn]
        with warnings.catch_warnings(), bounded_memory(ROOM):
            warnings.simplefilter("error")
            valid = self.run({})
            return ([valid] if valid else []) + [wrong for trial in trials if (wrong := self.run(trial))]


@contextmanager
def bounded_memory(room: int) -> Iterator[None]:
    """Inside, the process may grow by this much address space and no more (on Linux)."""
    if resource is None or not Path("/proc/self/statm").exists():
        yield
        return
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _replace(signature: inspect.Signature, bound: inspect.BoundArguments, argument: str, value: Any) -> None:
    if argument in bound.arguments:
        bound.arguments[argument] = value
        return
    for name, held in bound.arguments.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD and argument in held:
            bound.arguments[name] = held | {argument: value}
        elif kind is inspect.Parameter.VAR_POSITIONAL and argument.startswith(f"*{name}"):
            at = int(argument.removeprefix(f"*{name}"))
            bound.arguments[name] = (*held[:at], value, *held[at + 1 :])


def public(module: Any) -> set[str]:
    """The names that a module offers: its __all__, or what has no underscore and was written there."""
    if hasattr(module, "__all__"):
        return set(module.__all__)
    return {
        n for n, v in vars(module).items() if not n.startswith("_") and getattr(v, "__module__", "") == module.__name__
    }


def report(wrong: list[str]) -> str:
    """The first failures of each place, in lines."""
    return f"{len(wrong)} answers are wrong, among them:\n" + "\n".join(wrong[:25])
