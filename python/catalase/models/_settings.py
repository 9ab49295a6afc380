"""Checks of the numbers a model is set up with: one for all layers, or one a layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Number = float | Sequence[float]


def each_layer(name: str, key: str, value: Number, count: int, hidden: int | None = None) -> list[float]:
    """One number a layer; the last of ``count`` is the output's, and may be left out of a list of ``hidden``."""
    one = is_number(value)
    if not one and not (isinstance(value, (Sequence, np.ndarray)) and all(is_number(v) for v in value)):
        raise TypeError(f"{name}: {key} must be a number or a list of numbers, got {value!r}")
    values = [float(value)] * count if one else [float(v) for v in value]  # type: ignore[arg-type, union-attr]
    if not np.isfinite(values).all():
        raise ValueError(f"{name}: {key} must be finite, got {value!r}")
    if hidden is not None and len(values) == hidden and values:
        values.append(values[-1] if key == "weight_init_stddevs" else 0.0)
    if len(values) != count:
        raise ValueError(f"{name}: {key} must be one number or {count} of them (one a layer), got {value!r}")
    return values


def is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.floating, np.integer)) and not isinstance(value, bool)


def is_count(value: object, low: int = 1) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and int(value) >= low
