"""Checks of plain arguments (numbers, flags, names, paths): each returns the value, or raises an error that names it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def shown(value: Any) -> str:
    """Return the text of a wrong value for an error: plain values as written (long ones are cut), others as their type."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 256:
        return f"a whole number of {value.bit_length()} bits"
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} of shape {value.shape}"
    simple = (bool, int, float, complex, str, bytes, np.generic)
    several = isinstance(value, (list, tuple)) and len(value) <= 16
    if value is None or isinstance(value, simple) or (several and all(isinstance(v, simple) for v in value)):
        text = repr(value)
        return text if len(text) <= 100 else text[:97] + "..."
    return f"the type {value.__name__}" if isinstance(value, type) else type(value).__name__


def is_whole(value: Any) -> bool:
    """Return whether a value is a whole number: neither a bool nor a duration, which NumPy counts among its integers."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.timedelta64))


def is_list(value: Any) -> bool:
    """Return whether a value is a list, or an array with one axis; a text is not a list of letters."""
    if isinstance(value, np.ndarray):
        return value.ndim == 1
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray, memoryview))


def plain(value: Any, depth: int = 3) -> Any:
    """Return NumPy's numbers and arrays, tuples and ranges as JSON values, and any other value unchanged."""
    if is_whole(value):
        return int(value)
    if isinstance(value, np.floating):
        return float(value)
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, str):
        return str(value)
    return [plain(v, depth - 1) for v in value] if depth and is_list(value) else value


def is_number(value: Any) -> bool:
    """Return whether a value is a real number, finite or not: neither a bool nor a duration."""
    return is_whole(value) or isinstance(value, (float, np.floating))


def whole_number(function: str, name: str, value: Any, low: int | None = 1, high: int | None = None) -> int:
    """Return ``value`` as an int from ``low`` to ``high``; a bound that is None does not apply."""
    if type(value) is int and (low is None or value >= low) and (high is None or value <= high):
        return value
    if not is_whole(value):
        raise TypeError(f"{function}: {name} must be a whole number, got {shown(value)}")
    if (low is not None and value < low) or (high is not None and value > high):
        last = None if high is not None and high >= 10_000 and low is not None and value < low else high  # no help
        raise ValueError(f"{function}: {name} must be {span(low, None, last, None)}, got {shown(value)}")
    return int(value)


def number(
    function: str,
    name: str,
    value: Any,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
) -> float:
    """Return a finite number within these bounds as a float."""
    if not is_number(value):
        raise TypeError(f"{function}: {name} must be a number, got {shown(value)}")
    finite = math.isfinite(value) if not isinstance(value, int) else abs(value) < 2**1000
    if (
        not finite
        or (at_least is not None and value < at_least)
        or (above is not None and value <= above)
        or (at_most is not None and value > at_most)
        or (below is not None and value >= below)
    ):
        bounds = span(at_least, above, at_most, below)
        what = f"a finite number{bounds and ', '}{bounds}" if (not finite and value == value) or not bounds else bounds
        raise ValueError(f"{function}: {name} must be {what}, got {shown(value)}")
    return float(value)


def span(at_least: float | None, above: float | None, at_most: float | None, below: float | None) -> str:
    """Return a range as words for an error."""
    first = f"{_bound(at_least)}" if at_least is not None else f"above {_bound(above)}" if above is not None else ""
    last = f"{_bound(at_most)}" if at_most is not None else f"below {_bound(below)}" if below is not None else ""
    if first and last and at_least is not None:
        return f"from {first} to {last}"
    if first and last:
        return f"{first} and {last}" if at_most is None else f"{first} and up to {last}"
    if first:
        return f"{first} or more" if at_least is not None else first
    return f"{last} or less" if at_most is not None else last


def _bound(value: float | None) -> str:
    """Return a bound in its shortest form: 2**64 - 1 instead of its twenty digits."""
    for less in (0, 1):
        whole = int(value or 0) + less
        if whole == value + less and whole >= 2**31 and whole & (whole - 1) == 0:  # type: ignore[operator]
            return f"2**{whole.bit_length() - 1}{' - 1' if less else ''}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def flag(function: str, name: str, value: Any) -> bool:
    """Return True or False; 1 and 0 count as these. Text and arrays are refused: "False" would be true."""
    if value is True or value is False:
        return value
    if isinstance(value, np.bool_) or (is_whole(value) and value in (0, 1)):
        return bool(value)
    raise TypeError(f"{function}: {name} must be True or False, got {shown(value)}")


def choice(function: str, name: str, value: Any, known: Sequence[str | None]) -> Any:
    """Return one of the known names."""
    if (value is None or isinstance(value, str)) and value in known:
        return value
    listing = [repr(name) for name in known]
    words = listing[0] if len(listing) == 1 else f"{', '.join(listing[:-1])} or {listing[-1]}"
    raise ValueError(f"{function}: {name} must be {words}, got {shown(value)}")


def path_of(function: str, name: str, value: Any) -> Path:
    """Return the name of a file or folder as a path; refuse names that no file system can hold."""
    if not isinstance(value, (str, os.PathLike)) or isinstance(os.fspath(value), bytes):
        raise TypeError(f"{function}: {name} must be the name of a file or folder, got {shown(value)}")
    text = os.fspath(value)
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        raise ValueError(f"{function}: {name} cannot be the name of a file: {shown(text)}") from None
    if not text or "\0" in text:
        raise ValueError(f"{function}: {name} cannot be the name of a file: {shown(text)}")
    return Path(value)


def seed_of(function: str, value: Any, name: str = "seed") -> int | None:
    """Return a seed of random numbers: a whole number from 0, or None for a seed that the system draws."""
    return None if value is None else whole_number(function, name, value, 0)


def listed(function: str, name: str, values: Any, what: str) -> list[Any]:
    """Return the items of an iterable as a list; a single text is not taken for a list of texts."""
    return list(walked(function, name, values, what))


def walked(function: str, name: str, values: Any, what: str) -> Iterable[Any]:
    """Return an iterable unchanged after the check of `listed`, so that a generator's items are not all held at once."""
    bare = isinstance(values, np.ndarray) and values.ndim == 0
    if bare or isinstance(values, (str, bytes, bytearray, Mapping)) or not isinstance(values, Iterable):
        raise TypeError(f"{function}: {name} must be a list of {what}, got {shown(values)}")
    return values


def fraction(function: str, name: str, value: Any) -> float:
    """Return a number from 0 to 1 as a float."""
    return number(function, name, value, at_least=0, at_most=1)
