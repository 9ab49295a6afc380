"""Convolution in any number of dimensions, as one product for each tap, for four dimensions and more (colour video)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from math import prod
from typing import Any

from numpy.typing import NDArray

from .._internal.numbers import flag
from ..backends import Backend, backend_of
from .checks import activation_code, float_array
from .conv import check_conv, gradient_before_activation
from .elementwise import activation as apply_activation
from .geometry import Geometry, Padding


def convnd(
    x: NDArray[Any],
    w: NDArray[Any],
    b: NDArray[Any] | None = None,
    *,
    stride: int | tuple[int, ...] = 1,
    padding: Padding = "same",
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
    activation: str | None = None,
    flip_kernel: bool = False,
) -> NDArray[Any]:
    """Convolve over any number of spatial dimensions: x (N, ..., C), w (..., C / groups, O), y (N, ..., O).

    Parameters and errors are those of `conv2d`.

    Notes
    -----
    Each tap is one matrix product, added to the sum of the taps before. This works for any rank, but is slower than `conv1d`,
    `conv2d` and `conv3d`, and gives other bits.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.convnd(np.ones((1, 3, 4, 5, 6, 2)), np.ones((2, 2, 2, 2, 2, 3)), padding="valid").shape
    (1, 2, 3, 4, 5, 3)
    """
    activation_code("convnd", activation)
    flip_kernel = flag("convnd", "flip_kernel", flip_kernel)
    groups, g = check_conv(
        "convnd", _dimensions("convnd", x), x, w, b, stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    xp, w = backend_of(x), g.select(w, flip_kernel)
    pixels, outputs = x.shape[0] * prod(g.out), w.shape[-1]
    sums = xp.full((pixels, outputs), 0.0, x.dtype)
    for tap, window in _tap_views(_padded(xp, x, g), w, g, flip_kernel):
        for i in range(groups):
            columns = _columns(i, groups, outputs)
            part = xp.matmul(_rows(xp, window, i, groups, pixels), w[tap][:, columns], exact=True)
            xp.add(sums[:, columns], part, out=sums[:, columns])
    if b is not None:
        xp.add(sums, b, out=sums)
    return apply_activation(sums.reshape(x.shape[0], *g.out, outputs), activation)


def convnd_backward(
    dy: NDArray[Any],
    x: NDArray[Any],
    w: NDArray[Any],
    y: NDArray[Any],
    *,
    stride: int | tuple[int, ...] = 1,
    padding: Padding = "same",
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
    activation: str | None = None,
    flip_kernel: bool = False,
    need_dx: bool = True,
) -> tuple[NDArray[Any] | None, NDArray[Any], NDArray[Any]]:
    """Return the gradients of a loss with respect to ``x``, ``w`` and ``b`` of `convnd`; see `conv2d_backward`."""
    activation_code("convnd_backward", activation)
    flip_kernel = flag("convnd_backward", "flip_kernel", flip_kernel)
    need_dx = flag("convnd_backward", "need_dx", need_dx)
    groups, g = check_conv(
        "convnd_backward",
        _dimensions("convnd_backward", x),
        x,
        w,
        None,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )
    xp, shape = backend_of(x), (x.shape[0], *g.out, w.shape[-1])
    dz, db = gradient_before_activation("convnd_backward", dy, x, y, shape, activation, None)
    pixels, outputs = x.shape[0] * prod(g.out), w.shape[-1]
    dz, padded = dz.reshape(pixels, outputs), _padded(xp, x, g)
    d_padded = xp.full(padded.shape, 0.0, x.dtype) if need_dx else None
    whole = xp.full(w.shape, 0.0, w.dtype)
    w, dw = g.select(w, flip_kernel), g.select(whole, flip_kernel)
    d_windows = None if d_padded is None else _tap_views(d_padded, w, g, flip_kernel)
    for tap, window in _tap_views(padded, w, g, flip_kernel):
        d_window = None if d_windows is None else next(d_windows)[1]
        for i in range(groups):
            columns = _columns(i, groups, outputs)
            rows, given = _rows(xp, window, i, groups, pixels), dz[:, columns]
            xp.copyto(dw[tap][:, columns], xp.matmul(rows.T, given, exact=True))
            if d_window is not None:
                target, before = _group(d_window, i, groups), _rows(xp, d_window, i, groups, pixels)
                after = xp.add(before, xp.matmul(given, w[tap][:, columns].T, exact=True))
                target[...] = after.reshape(*target.shape)
    if d_padded is None:
        return None, whole, db
    dx, (parts, inside, _) = xp.full(x.shape, 0.0, x.dtype), _places(x, g)
    dx[parts] = d_padded[inside]
    return dx, whole, db


def _dimensions(function: str, x: Any) -> int:
    """Return the number of axes between the first and the last."""
    return int(float_array(function, "x", x)[1].ndim) - 2


def _padded(xp: Backend, x: Any, g: Geometry) -> Any:
    parts, inside, lengths = _places(x, g)
    padded = xp.full((x.shape[0], *lengths, x.shape[-1]), 0.0, x.dtype)
    if x.size:
        padded[inside] = x[parts]
    return padded


def _places(x: Any, g: Geometry) -> tuple[tuple[slice, ...], tuple[slice, ...], tuple[int, ...]]:
    """Return the part of x that the taps cover, its place among the zeros around it, and the lengths with these zeros."""
    parts, pads = g.padded(x.shape[1:-1])
    lengths = [part.stop - part.start for part in parts]
    inside = (slice(ahead, ahead + n) for (ahead, _), n in zip(pads, lengths, strict=True))
    total = tuple(ahead + n + behind for (ahead, behind), n in zip(pads, lengths, strict=True))
    return (slice(None), *parts), (slice(None), *inside), total


def _columns(i: int, groups: int, outputs: int) -> slice:
    return slice(i * (outputs // groups), (i + 1) * (outputs // groups))


def _rows(xp: Backend, window: Any, i: int, groups: int, pixels: int) -> Any:
    """Return a group's channels of a window as a matrix; it is a copy, as windows have too many axes for a device's kernels."""
    part = _group(window, i, groups)
    return xp.contiguous(part).reshape(pixels, part.shape[-1])


def _tap_views(
    padded: NDArray[Any], w: NDArray[Any], g: Geometry, flip_kernel: bool
) -> Iterator[tuple[tuple[int, ...], NDArray[Any]]]:
    """Yield each tap's place in w, and the view of x that the tap multiplies."""
    for at in itertools.product(*(range(k) for k in w.shape[:-2])):
        view = tuple(
            slice(i * d, i * d + (n - 1) * s + 1 if n else i * d, s)
            for i, d, s, n in zip(at, g.dilation, g.stride, g.out, strict=True)
        )
        tap = tuple(k - 1 - i for k, i in zip(w.shape[:-2], at, strict=True)) if flip_kernel else at
        yield tap, padded[(slice(None), *view)]


def _group(window: NDArray[Any], i: int, groups: int) -> NDArray[Any]:
    channels = window.shape[-1] // groups
    return window[..., i * channels : (i + 1) * channels]
