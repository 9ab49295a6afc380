"""The geometry of windows that slide over an array (N, D, H, W, C): sizes, strides and padding, checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

Padding = str | int | Sequence[Any]


class Windows(NamedTuple):
    """Sizes, strides, padding ahead and output lengths, each (D, H, W), of length 1 where there is no such dimension."""

    size: tuple[int, int, int]
    stride: tuple[int, int, int]
    before: tuple[int, int, int]
    out: tuple[int, int, int]


def per_dimension(function: str, name: str, value: Any, dims: int, low: int = 1) -> tuple[int, ...]:
    """Return one whole number a dimension, from one number or a sequence of them."""
    values = (value,) * dims if isinstance(value, (int, np.integer)) else value
    if isinstance(values, (str, bytes)) or not isinstance(values, (Sequence, np.ndarray)) or len(values) != dims:
        raise TypeError(f"{function}: {name} must be a whole number or {dims} of them, got {value!r}")
    for number in values:
        if isinstance(number, (bool, np.bool_)) or not isinstance(number, (int, np.integer)):
            raise TypeError(f"{function}: {name} must be a whole number or {dims} of them, got {value!r}")
        if number < low:
            raise ValueError(f"{function}: {name} must be {low} or more, got {value!r}")
    return tuple(int(number) for number in values)


def pool_windows(
    function: str, lengths: tuple[int, ...], size: Any, stride: Any, padding: Padding, shape: tuple[int, ...]
) -> Windows:
    """Return the windows of a pooling over axes of these lengths; ``shape`` is that of x, for the errors."""
    dims = len(lengths)
    sizes = per_dimension(function, "size", size, dims)
    strides = sizes if stride is None else per_dimension(function, "stride", stride, dims)
    pairs = _pairs(function, padding, dims)
    before, out = [], []
    for i, (length, window, step) in enumerate(zip(lengths, sizes, strides, strict=True)):
        if pairs is None:  # TensorFlow's rule
            count = -(-length // step)
            before.append(max((count - 1) * step + window - length, 0) // 2 if count else 0)
            out.append(count)
            continue
        ahead, behind = pairs[i]
        if ahead >= window or behind >= window:
            raise ValueError(
                f"{function}: padding must be less than the window, else one would hold nothing; got padding "
                f"({ahead}, {behind}) and size {window} along axis {i + 1}"
            )
        if length + ahead + behind < window:
            raise ValueError(
                f"{function}: the window of size {window} is larger than x along axis {i + 1}, padding included "
                f"({ahead} + {length} + {behind}); x has shape {shape}; take a smaller size or padding='same'"
            )
        before.append(ahead)
        out.append((length + ahead + behind - window) // step + 1)
    return Windows(_three(sizes), _three(strides), _three(before, 0), _three(out))


def _pairs(function: str, padding: Padding, dims: int) -> list[tuple[int, int]] | None:
    """Zeros ahead and behind, a pair a dimension; None for "same"."""
    if isinstance(padding, str):
        if padding.lower() == "same":
            return None
        if padding.lower() == "valid":
            return [(0, 0)] * dims
        raise ValueError(f"{function}: padding must be 'valid', 'same', a number or pairs, got {padding!r}")
    if isinstance(padding, (int, np.integer)):
        (one,) = per_dimension(function, "padding", padding, 1, 0)
        return [(one, one)] * dims
    if not isinstance(padding, (Sequence, np.ndarray)) or len(padding) != dims:
        raise ValueError(f"{function}: padding needs a pair (before, after) for each of {dims} axes, got {padding!r}")
    pairs = [per_dimension(function, "padding", pair, 2, 0) for pair in padding]
    return [(pair[0], pair[1]) for pair in pairs]


def _three(values: Sequence[int], fill: int = 1) -> tuple[int, int, int]:
    full = (fill,) * (3 - len(values)) + tuple(values)
    return full[0], full[1], full[2]
