"""Convolution in any number of dimensions on a device, as `catalase.ops.convnd` does it: one product for each tap."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ._arrays import Runtime, floats
from .arithmetic import combine
from .conv import _gradient
from .matmul import product


def forward(x: Any, w: Any, b: Any, activation: str | None, groups: int, g: Any, flip: bool) -> Any:
    """`catalase.ops.convnd` for device arrays, checked."""
    from ..ops.activation import activation as apply_activation
    from ..ops.convnd import _windows

    runtime = floats("convnd", x=x, w=w, b=b)
    pixels, outputs = x.shape[0] * prod(g.out), w.shape[-1]
    sums = _zeros(runtime, (pixels, outputs))
    for tap, window in _windows(_padded(runtime, x, g), w, g, flip):
        for i in range(groups):
            columns = _columns(i, groups, outputs)
            part = _product(runtime, _rows(runtime, window, i, groups, pixels), w[tap][:, columns])
            combine("add", sums[:, columns], part, out=sums[:, columns])
    if b is not None:
        combine("add", sums, b, out=sums)
    return apply_activation(sums.reshape(x.shape[0], *g.out, outputs), activation)


def gradients(
    dy: Any, x: Any, w: Any, y: Any, code: int, groups: int, g: Any, flip: bool, need_dx: bool
) -> tuple[Any, Any, Any]:
    """`catalase.ops.convnd_backward` for device arrays, checked."""
    from ..ops.convnd import _group, _windows

    function = "convnd_backward"
    runtime = floats(function, dy=dy, x=x, w=w, y=y)
    pixels, outputs = x.shape[0] * prod(g.out), w.shape[-1]
    dz, db = _gradient(runtime, function, dy, y, (x.shape[0], *g.out, outputs), code, None)
    dz, padded = dz.reshape(pixels, outputs), _padded(runtime, x, g)
    d_padded = _zeros(runtime, padded.shape) if need_dx else None
    whole = _zeros(runtime, tuple(w.shape))
    w, dw = g.select(w, flip), g.select(whole, flip)
    d_windows = None if d_padded is None else _windows(d_padded, w, g, flip)
    for tap, window in _windows(padded, w, g, flip):
        d_window = None if d_windows is None else next(d_windows)[1]
        for i in range(groups):
            columns = _columns(i, groups, outputs)
            rows, given = _rows(runtime, window, i, groups, pixels), dz[:, columns]
            combine("copy", _product(runtime, rows.T, given), out=dw[tap][:, columns])
            if d_window is not None:
                before = _rows(runtime, d_window, i, groups, pixels)
                target = _group(d_window, i, groups)
                after = combine("add", before, _product(runtime, given, w[tap][:, columns].T))
                target[...] = after.reshape(*target.shape)
    if d_padded is None:
        return None, whole, db
    dx, (parts, inside, _) = _zeros(runtime, tuple(x.shape)), _places(x, g)
    dx[parts] = d_padded[inside]
    return dx, whole, db


def _padded(runtime: Runtime, x: Any, g: Any) -> Any:
    parts, inside, lengths = _places(x, g)
    padded = _zeros(runtime, (x.shape[0], *lengths, x.shape[-1]))
    if x.size:
        padded[inside] = x[parts]
    return padded


def _places(x: Any, g: Any) -> tuple[tuple[slice, ...], tuple[slice, ...], tuple[int, ...]]:
    """The part of x that the taps reach over, where it stands among the zeros around it, and the lengths of both."""
    parts, pads = g.padded(x.shape[1:-1])
    lengths = [part.stop - part.start for part in parts]
    inside = (slice(ahead, ahead + n) for (ahead, _), n in zip(pads, lengths, strict=True))
    total = tuple(ahead + n + behind for (ahead, behind), n in zip(pads, lengths, strict=True))
    return (slice(None), *parts), (slice(None), *inside), total


def _rows(runtime: Runtime, window: Any, i: int, groups: int, pixels: int) -> Any:
    """A group's channels of a window as a matrix, copied: windows have more axes than the kernels count along."""
    from ..ops.convnd import _group

    part = _group(window, i, groups)
    return runtime.contiguous(part).reshape(pixels, part.shape[-1])


def _columns(i: int, groups: int, outputs: int) -> slice:
    return slice(i * (outputs // groups), (i + 1) * (outputs // groups))


def _product(runtime: Runtime, a: Any, b: Any) -> Any:
    """float32 whatever precision products have, as the other convolutions."""
    c = runtime.empty((a.shape[0], b.shape[1]), np.float32)
    product(runtime, a, b, c)
    return c


def _zeros(runtime: Runtime, shape: tuple[int, ...]) -> Any:
    return combine("copy", 0.0, out=runtime.empty(tuple(shape), np.float32))
