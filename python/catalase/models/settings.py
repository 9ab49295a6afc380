"""Checks of what a model is set up with: what its config may hold when it is loaded is what its constructor takes."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .._internal.numbers import flag, is_whole, shown
from .._internal.registry import Bool, Field
from ..ops.checks import ACTIVATION_NAMES

Number = float | Sequence[float]
_LARGEST = float(np.finfo(np.float32).max)
ACTIVATIONS = (*ACTIVATION_NAMES, "identity")


def checked(name: str, fields: Mapping[str, Field], **settings: Any) -> dict[str, Any]:
    """Return settings as the config holds them, each checked by the field of its name; a schedule stays as it is."""
    made: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(fields[key], Bool):
            made[key] = flag(name, key, value)
        elif key == "learning_rate" and callable(value):
            made[key] = value
        else:
            made[key] = fields[key].check(_plain(value), f"{name}: {key}")
    return made


def flags(function: str, **values: Any) -> dict[str, bool]:
    """Return arguments that must be True or False."""
    return {key: flag(function, key, value) for key, value in values.items()}


def each_layer(name: str, key: str, value: Number, count: int, hidden: int | None = None) -> list[float]:
    """One number a layer; the last of ``count`` is the output's, and may be left out of a list of ``hidden``."""
    one = is_number(value)
    if not one and not (is_list(value) and all(is_number(v) for v in value)):  # type: ignore[union-attr]
        raise TypeError(f"{name}: {key} must be a number or a list of numbers, got {shown(value)}")
    given: list[Any] = [_plain(value)] * count if one else _plain(value)
    if not all(abs(v) <= _LARGEST for v in given):
        raise ValueError(f"{name}: {key} must be finite as float32, got {shown(value)}")
    values = [float(v) for v in given]
    if hidden is not None and len(values) == hidden and values:
        values.append(values[-1] if key == "weight_init_stddevs" else 0.0)
    if len(values) != count:
        raise ValueError(f"{name}: {key} must be one number or {count} of them (one a layer), got {shown(value)}")
    return values


def each_rate(name: str, key: str, value: Number, count: int) -> list[float]:
    """One share that is dropped a layer."""
    rates = each_layer(name, key, value, count)
    if not all(0 <= rate < 1 for rate in rates):
        raise ValueError(f"{name}: {key} must be from 0 to below 1, got {shown(value)}")
    return rates


def each_activation(name: str, key: str, value: str | Sequence[str], count: int) -> list[str]:
    """One name of an activation a layer."""
    values = [value] * count if isinstance(value, str) else list(value) if isinstance(value, (list, tuple)) else None
    if values is None or len(values) != count or not all(isinstance(v, str) and v in ACTIVATIONS for v in values):
        raise ValueError(
            f"{name}: {key} must be one of {', '.join(ACTIVATIONS)}, or {count} of them, got {shown(value)}"
        )
    return values


def rate(name: str, key: str, value: Any) -> float:
    """A share that is dropped."""
    if not is_number(value) or not 0 <= value < 1:
        raise ValueError(f"{name}: {key} must be from 0 to below 1, got {shown(value)}")
    return float(value)


def is_number(value: object) -> bool:
    """Whether a value is a real number, and no bool or duration."""
    return is_whole(value) or isinstance(value, (float, np.floating))


def as_float(value: Any) -> float:
    """A number as a float; infinity where it is beyond them."""
    return float(value) if not isinstance(value, int) or abs(value) <= sys.float_info.max else math.inf


def is_count(value: object, low: int = 1) -> bool:
    """Whether a value is a whole number of ``low`` or more, that C++ can hold."""
    return is_whole(value) and low <= int(value) < 2**31  # type: ignore[call-overload]


def is_list(value: object) -> bool:
    """Whether a value is a list, or an array of one axis."""
    if isinstance(value, np.ndarray):
        return value.ndim == 1
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray, memoryview))


def _plain(value: Any, depth: int = 3) -> Any:
    """NumPy's numbers and arrays, tuples and ranges as a config holds them."""
    if is_whole(value):
        return int(value)
    if isinstance(value, np.floating):
        return float(value)
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, str):
        return str(value)
    return [_plain(v, depth - 1) for v in value] if depth and is_list(value) else value
