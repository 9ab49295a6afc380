"""Convolution in any number of dimensions, plainly: one product for each tap. For four (colour video) and more."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._cuda import is_device_array
from ._check import activation_code, flag, floating_anywhere
from ._conv_check import check_conv, gradient_before_activation
from .activation import activation as apply_activation
from .geometry import Geometry, Padding
from .matmul import matmul


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
    """Convolution over any number of spatial dimensions: x (N, ..., C), w (..., C / groups, O), y (N, ..., O).

    Parameters and errors as `conv2d`.

    Notes
    -----
    Each tap is one matrix product, added to the sum of those before: right for any rank, and slower than `conv1d`, `conv2d`
    and `conv3d`, whose bits it does not share.

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
    if type(x) is not np.ndarray and is_device_array(x):
        from .._cuda import convnd as cuda

        return cuda.forward(x, g.select(w, bool(flip_kernel)), b, activation, groups, g, bool(flip_kernel))
    w = g.select(w, bool(flip_kernel))
    pixels, per_group = x.shape[0] * int(np.prod(g.out)), w.shape[-1] // groups
    sums = np.zeros((pixels, w.shape[-1]), x.dtype)
    padded = _pad(x, g)
    for tap, window in _windows(padded, w, g, flip_kernel):
        for i in range(groups):
            outputs = slice(i * per_group, (i + 1) * per_group)
            rows = _group(window, i, groups).reshape(pixels, w.shape[-2])
            sums[:, outputs] += matmul(rows, w[tap][:, outputs])
    if b is not None:
        sums += b
    return apply_activation(sums.reshape(x.shape[0], *g.out, w.shape[-1]), activation)


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
    code = activation_code("convnd_backward", activation)
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
    if type(x) is not np.ndarray and is_device_array(x):
        from .._cuda import convnd as cuda

        return cuda.gradients(dy, x, w, y, code, groups, g, bool(flip_kernel), bool(need_dx))
    shape = (x.shape[0], *g.out, w.shape[-1])
    dz, db = gradient_before_activation("convnd_backward", dy, y, shape, x.dtype, activation, None)
    pixels, per_group = x.shape[0] * int(np.prod(g.out)), w.shape[-1] // groups
    dz = dz.reshape(pixels, w.shape[-1])
    padded = _pad(x, g)
    d_padded = np.zeros_like(padded) if need_dx else None
    whole = np.zeros(w.shape, w.dtype)
    w, dw = g.select(w, bool(flip_kernel)), g.select(whole, bool(flip_kernel))
    d_windows = None if d_padded is None else _windows(d_padded, w, g, flip_kernel)
    for tap, window in _windows(padded, w, g, flip_kernel):
        d_window = None if d_windows is None else next(d_windows)[1]
        for i in range(groups):
            outputs = slice(i * per_group, (i + 1) * per_group)
            rows = _group(window, i, groups).reshape(pixels, w.shape[-2])
            dw[tap][:, outputs] = matmul(rows, dz[:, outputs], transpose_a=True)
            if d_window is not None:
                target = _group(d_window, i, groups)
                target += matmul(dz[:, outputs], w[tap][:, outputs], transpose_b=True).reshape(target.shape)
    if d_padded is None:
        return None, whole, db
    parts, pads = g.padded(x.shape[1:-1])
    dx = np.zeros_like(x)
    inside = (slice(ahead, ahead + part.stop - part.start) for (ahead, _), part in zip(pads, parts, strict=True))
    dx[(slice(None), *parts)] = d_padded[(slice(None), *inside)]
    return dx, whole, db


def _dimensions(function: str, x: Any) -> int:
    """Between the first axis and the last."""
    return floating_anywhere(function, "x", x).ndim - 2


def _pad(x: NDArray[Any], g: Geometry) -> NDArray[Any]:
    parts, pads = g.padded(x.shape[1:-1])
    return np.pad(x[(slice(None), *parts)], ((0, 0), *pads, (0, 0)))


def _windows(
    padded: NDArray[Any], w: NDArray[Any], g: Geometry, flip_kernel: bool
) -> Iterator[tuple[tuple[int, ...], NDArray[Any]]]:
    """For each tap: its place in w, and the view of x that it multiplies."""
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
