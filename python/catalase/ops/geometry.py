"""The geometry of kernels and windows that slide over an array, from size, stride, padding and dilation.

It is checked and computed here once for convolution and for pooling. Taps of a kernel and cells of a window that never
meet the array are left out, so that neither a huge dilation nor a huge window costs time or memory.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .._internal.numbers import is_whole, shown
from ..backends.base import Geometry, Windows

Padding = str | int | Sequence[Any]

LONGEST = 2**31 - 1  # positions along an axis, padding included


def per_dimension(function: str, name: str, value: Any, dims: int, low: int = 1) -> tuple[int, ...]:
    """Return a whole number of ``low`` or more for each dimension, from one number for all or a sequence."""
    values = (value,) * dims if is_whole(value) else value
    if isinstance(values, np.ndarray):
        values = values.tolist()
    text = isinstance(values, (str, bytes, bytearray))
    if text or not isinstance(values, Sequence) or not all(is_whole(v) for v in values):
        raise TypeError(f"{function}: {name} must be a whole number or {dims} of them, got {shown(value)}")
    if len(values) != dims:
        raise ValueError(f"{function}: {name} must have {dims} entries, one a dimension, got {shown(value)}")
    if any(v < low for v in values):
        raise ValueError(f"{function}: {name} must be {low} or more, got {shown(value)}")
    return tuple(int(v) for v in values)


def convolution(
    function: str, size: Sequence[int], kernel: Sequence[int], *, stride: Any, padding: Any, dilation: Any
) -> Geometry:
    """Return the geometry of a convolution over inputs of ``size``; refuse kernels larger than the padded input."""
    if type(stride) is type(dilation) is int and type(padding) is str:  # a net asks for the same few in every step
        return _remembered(function, tuple(size), tuple(kernel), stride, padding, dilation)
    return _convolution(function, size, kernel, stride, padding, dilation)


def _convolution(
    function: str, size: Sequence[int], kernel: Sequence[int], stride: Any, padding: Any, dilation: Any
) -> Geometry:
    dims = len(size)
    strides = per_dimension(function, "stride", stride, dims)
    dilations = per_dimension(function, "dilation", dilation, dims)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    pairs = _pads(function, padding, size, reach, strides)
    out = []
    for n, (before, after), r, s in zip(size, pairs, reach, strides, strict=True):
        if isinstance(padding, str) and padding.lower() == "same":
            out.append(-(-n // s))
        elif r > n + before + after:
            raise ValueError(
                f"{function}: the kernel {tuple(kernel)} with dilation {dilations} spans {tuple(reach)}, more than the "
                f"padded input {tuple(m + b + a for m, (b, a) in zip(size, pairs, strict=True))}; pad more, or use a "
                "smaller kernel"
            )
        else:
            out.append((n + before + after - r) // s + 1)
    spans = [
        _inside(n, k, o, s, d, b)
        for n, k, o, s, d, (b, _) in zip(size, kernel, out, strides, dilations, pairs, strict=True)
    ]
    for i, (span, o) in enumerate(zip(spans, out, strict=True)):
        if (o - 1) * span.stride + (span.last - span.first) * span.dilation > LONGEST or abs(span.before) > LONGEST:
            raise ValueError(
                f"{function}: along axis {i + 1} the input of {size[i]} is padded by {pairs[i]} and the kernel reaches over "
                f"{reach[i]} with stride {strides[i]}; an axis may have at most {LONGEST} positions, padding included"
            )
    return Geometry(
        tuple(span.stride for span in spans),
        tuple(span.before for span in spans),
        tuple(span.dilation for span in spans),
        tuple(out),
        tuple((span.first, span.last) for span in spans),
        all(span.last - span.first == k for span, k in zip(spans, kernel, strict=True)),
    )


_remembered = functools.lru_cache(maxsize=256)(_convolution)


def transposed(
    function: str,
    size: Sequence[int],
    kernel: Sequence[int],
    *,
    stride: Any,
    padding: Any,
    dilation: Any,
    output_size: Any = None,
) -> tuple[tuple[int, ...], Geometry]:
    """Return the output size of a transposed convolution, and the geometry of the convolution from that size to ``size``."""
    dims = len(size)
    strides = per_dimension(function, "stride", stride, dims)
    dilations = per_dimension(function, "dilation", dilation, dims)
    if output_size is not None:
        target = per_dimension(function, "output_size", output_size, dims)
    else:
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
        if isinstance(padding, str) and padding.lower() == "same":
            target = tuple(n * s for n, s in zip(size, strides, strict=True))
        else:
            pairs = _pads(function, padding, size, reach, strides)
            target = tuple((n - 1) * s + r - b - a for n, s, r, (b, a) in zip(size, strides, reach, pairs, strict=True))
        if any(t < 1 for t in target):
            raise ValueError(f"{function}: the output would have size {target}; pad less, or use a larger kernel")
    if any(t > LONGEST for t in target):
        raise ValueError(
            f"{function}: the output would have size {target}; an axis may have at most {LONGEST} positions, so take a "
            "smaller stride or dilation"
        )
    geometry = convolution(function, target, kernel, stride=strides, padding=padding, dilation=dilations)
    if geometry.out != tuple(size):
        raise ValueError(
            f"{function}: a convolution over output_size {target} gives {geometry.out}, but x has {tuple(size)}; choose "
            "an output_size that fits, or leave it out"
        )
    return target, geometry


def pool_windows(
    function: str, lengths: tuple[int, ...], size: Any, stride: Any, padding: Padding, shape: tuple[int, ...]
) -> Windows:
    """Return the windows of pooling over axes of these lengths; errors name ``shape``, the shape of x."""
    dims = len(lengths)
    sizes = per_dimension(function, "size", size, dims)
    strides = sizes if stride is None else per_dimension(function, "stride", stride, dims)
    pairs = _pool_pads(function, padding, dims)
    spans, out = [], []
    for i, (length, window, step) in enumerate(zip(lengths, sizes, strides, strict=True)):
        if pairs is None:  # TensorFlow's rule
            count = -(-length // step)
            ahead = max((count - 1) * step + window - length, 0) // 2 if count else 0
        else:
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
            count = (length + ahead + behind - window) // step + 1
        spans.append(_inside(length, window, count, step, 1, ahead))
        out.append(count)
    return Windows(
        _three([span.last - span.first for span in spans]),
        _three([span.stride for span in spans]),
        _three([span.before for span in spans], 0),
        _three(out),
    )


class _Span(NamedTuple):
    """The taps [first, last) of a kernel that may meet the input, and stride, dilation and padding for these taps alone."""

    first: int
    last: int
    stride: int
    dilation: int
    before: int


def _inside(n: int, taps: int, out: int, stride: int, dilation: int, before: int) -> _Span:
    """Leave out the taps of a dimension that meet none of the ``n`` inputs in any of the ``out`` windows.

    If no tap meets an input, one is kept, whose windows lie behind the input.
    """
    if out < 1:
        return _Span(0, taps, stride, dilation, before)
    last_start = (out - 1) * stride - before  # position of the first tap in the last window
    first, last = max(0, -(last_start // dilation)), min(taps, (n - 1 + before) // dilation + 1)
    if first < last:
        before -= first * dilation
    else:
        first, last, before = 0, 1, -n
    # A single window needs no stride, and a single tap no dilation; such numbers are kept small.
    if out == 1:
        stride = min(stride, max(n, 1))
    if last - first == 1:
        dilation = min(dilation, max(n, 1))
    return _Span(first, last, stride, dilation, before)


def _pads(
    function: str, padding: Any, size: Sequence[int], reach: Sequence[int], stride: Sequence[int]
) -> list[tuple[int, int]]:
    dims = len(size)
    if isinstance(padding, str):
        name = padding.lower()
        if name == "valid":
            return [(0, 0)] * dims
        if name == "full":
            return [(r - 1, r - 1) for r in reach]
        if name == "same":
            totals = [max((-(-n // s) - 1) * s + r - n, 0) for n, r, s in zip(size, reach, stride, strict=True)]
            return [(total // 2, total - total // 2) for total in totals]
        raise ValueError(
            f"{function}: padding must be 'valid', 'same', 'full', an int or {dims} pairs (before, after), got {shown(padding)}"
        )
    if is_whole(padding):
        padding = [(padding, padding)] * dims
    if not isinstance(padding, Sequence) or not all(
        isinstance(p, Sequence) and not isinstance(p, str) and len(p) == 2 and all(is_whole(v) for v in p)
        for p in padding
    ):
        raise TypeError(
            f"{function}: padding must be 'valid', 'same', 'full', an int or {dims} pairs (before, after), got {shown(padding)}"
        )
    if len(padding) != dims:
        raise ValueError(f"{function}: padding must have {dims} pairs, one a dimension, got {shown(padding)}")
    if any(v < 0 for p in padding for v in p):
        raise ValueError(f"{function}: padding must not be negative, got {shown(padding)}; slice x instead")
    return [(int(b), int(a)) for b, a in padding]


def _pool_pads(function: str, padding: Padding, dims: int) -> list[tuple[int, int]] | None:
    """Return a pair (padding before, padding after) for each dimension; None for "same"."""
    if isinstance(padding, str):
        if padding.lower() == "same":
            return None
        if padding.lower() == "valid":
            return [(0, 0)] * dims
        raise ValueError(f"{function}: padding must be 'valid', 'same', a number or pairs, got {shown(padding)}")
    if is_whole(padding):
        (one,) = per_dimension(function, "padding", padding, 1, 0)
        return [(one, one)] * dims
    if isinstance(padding, np.ndarray):
        padding = padding.tolist()
    if not isinstance(padding, Sequence) or len(padding) != dims:
        raise ValueError(
            f"{function}: padding needs a pair (before, after) for each of {dims} axes, got {shown(padding)}"
        )
    pairs = [per_dimension(function, "padding", pair, 2, 0) for pair in padding]
    return [(pair[0], pair[1]) for pair in pairs]


def _three(values: Sequence[int], fill: int = 1) -> tuple[int, int, int]:
    full = (fill,) * (3 - len(values)) + tuple(values)
    return full[0], full[1], full[2]
