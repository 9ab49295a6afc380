"""The geometry of a convolution: what stride, padding and dilation mean, worked out and checked once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

Padding = str | int | Sequence[tuple[int, int]]


class Geometry(NamedTuple):
    """One convolution's numbers, a tuple with one entry a spatial dimension each."""

    stride: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    dilation: tuple[int, ...]
    out: tuple[int, ...]

    def triples(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Stride, padding before and dilation for the kernels, which have three dimensions."""
        lead = 3 - len(self.out)
        return (1,) * lead + self.stride, (0,) * lead + self.before, (1,) * lead + self.dilation


def per_dimension(function: str, name: str, value: Any, dims: int) -> tuple[int, ...]:
    """Return a whole number of 1 or more for each dimension, given one for all or a sequence."""
    values = (value,) * dims if isinstance(value, (int, np.integer)) else value
    if not isinstance(values, Sequence) or isinstance(values, str) or not all(_is_int(v) for v in values):
        raise TypeError(f"{function}: {name} must be an int or {dims} ints, got {value!r}")
    if len(values) != dims:
        raise ValueError(f"{function}: {name} must have {dims} entries, one a dimension, got {value!r}")
    if any(v < 1 for v in values):
        raise ValueError(f"{function}: {name} must be 1 or more, got {value!r}")
    return tuple(int(v) for v in values)


def convolution(
    function: str, size: Sequence[int], kernel: Sequence[int], *, stride: Any, padding: Any, dilation: Any
) -> Geometry:
    """Work out a convolution over inputs of ``size``; refuse kernels that are larger than the padded input."""
    dims = len(size)
    stride = per_dimension(function, "stride", stride, dims)
    dilation = per_dimension(function, "dilation", dilation, dims)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    pairs = _pads(function, padding, size, reach, stride)
    out = []
    for n, (before, after), r, s in zip(size, pairs, reach, stride, strict=True):
        if isinstance(padding, str) and padding.lower() == "same":
            out.append(-(-n // s))
        elif r > n + before + after:
            raise ValueError(
                f"{function}: the kernel {tuple(kernel)} with dilation {dilation} spans {tuple(reach)}, more than the "
                f"padded input {tuple(m + b + a for m, (b, a) in zip(size, pairs, strict=True))}; pad more, or use a "
                "smaller kernel"
            )
        else:
            out.append((n + before + after - r) // s + 1)
    return Geometry(stride, tuple(b for b, _ in pairs), tuple(a for _, a in pairs), dilation, tuple(out))


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
    """Return the output size of a transposed convolution, and the convolution from there back to ``size``."""
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
    geometry = convolution(function, target, kernel, stride=strides, padding=padding, dilation=dilations)
    if geometry.out != tuple(size):
        raise ValueError(
            f"{function}: a convolution over output_size {target} gives {geometry.out}, but x has {tuple(size)}; choose "
            "an output_size that fits, or leave it out"
        )
    return target, geometry


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
            f"{function}: padding must be 'valid', 'same', 'full', an int or {dims} pairs (before, after), got {padding!r}"
        )
    if _is_int(padding):
        padding = [(padding, padding)] * dims
    if not isinstance(padding, Sequence) or not all(
        isinstance(p, Sequence) and not isinstance(p, str) and len(p) == 2 and all(_is_int(v) for v in p)
        for p in padding
    ):
        raise TypeError(
            f"{function}: padding must be 'valid', 'same', 'full', an int or {dims} pairs (before, after), got {padding!r}"
        )
    if len(padding) != dims:
        raise ValueError(f"{function}: padding must have {dims} pairs, one a dimension, got {padding!r}")
    if any(v < 0 for p in padding for v in p):
        raise ValueError(f"{function}: padding must not be negative, got {padding!r}; slice x instead")
    return [(int(b), int(a)) for b, a in padding]


def _is_int(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
