"""Upsampling by whole factors, channels last: nearest neighbour and linear, forward and backward."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._cuda import is_device_array
from ._check import choice, contiguous, floating_anywhere
from .geometry import LONGEST, Windows, per_dimension
from .pool import SUM, run, run_backward

_MODES = ("nearest", "linear")


def upsample(x: NDArray[Any], factor: Any = 2, *, mode: str = "nearest") -> NDArray[Any]:
    """Make each axis between the first and the last longer by a whole factor.

    Parameters
    ----------
    x : ndarray, shape (N, ..., C)
        float32 or float64, one to three axes between.
    factor : int, or one a dimension
        1 or more.
    mode : {"nearest", "linear"}
        "nearest" repeats each element. "linear" interpolates between the elements' centres (bilinear for images) and
        repeats the edges: PyTorch's ``align_corners=False``, TensorFlow's ``half_pixel_centers=True``.

    Returns
    -------
    ndarray, shape (N, ..., C)
        Axes between times ``factor``.

    Raises
    ------
    TypeError, ValueError
        For other kinds of input, ranks, factors or modes.

    Notes
    -----
    "nearest" runs on the kernels of ``cpp/pool``, "linear" on NumPy, one axis after the other (on a GPU on
    those of ``cuda/upsample.cu``).

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.upsample(np.array([[[1.0], [3.0]]])).ravel()
    array([1., 1., 3., 3.])
    >>> ct.ops.upsample(np.array([[[1.0], [3.0]]]), mode="linear").ravel()
    array([1. , 1.5, 2.5, 3. ])
    """
    floating_anywhere("upsample", "x", x)
    factors = _factors("upsample", "x", x.shape, factor, mode)
    if mode == "linear":
        if type(x) is not np.ndarray and is_device_array(x):
            from .._cuda import upsample as cuda

            return cuda.stretch(x, factors, backward=False)
        for axis, times in enumerate(factors, 1):
            x = _stretch(x, axis, times)
        return contiguous(x)
    shape = (x.shape[0], *(n * f for n, f in zip(x.shape[1:-1], factors, strict=True)), x.shape[-1])
    return run_backward(SUM, x, None, shape, _touching(factors, x.shape))


def upsample_backward(dy: NDArray[Any], factor: Any = 2, *, mode: str = "nearest") -> NDArray[Any]:
    """Return the gradient at the input of `upsample`, given ``dy`` at its output.

    Parameters
    ----------
    dy : ndarray, shape (N, ..., C)
        Axes between are multiples of ``factor``.
    factor, mode
        As they were given to `upsample`.

    Returns
    -------
    ndarray

    Raises
    ------
    TypeError, ValueError
        As `upsample`, and where an axis is no multiple.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.upsample_backward(np.array([[[1.0], [2.0], [3.0], [4.0]]])).ravel()
    array([3., 7.])
    """
    floating_anywhere("upsample_backward", "dy", dy)
    factors = _factors("upsample_backward", "dy", dy.shape, factor, mode)
    if any(n % f for n, f in zip(dy.shape[1:-1], factors, strict=True)):
        raise ValueError(f"upsample_backward: the axes of dy {dy.shape} must be multiples of the factors {factors}")
    if mode == "linear":
        if type(dy) is not np.ndarray and is_device_array(dy):
            from .._cuda import upsample as cuda

            return cuda.stretch(dy, factors, backward=True)
        for axis, times in enumerate(factors, 1):
            dy = _stretch_backward(dy, axis, times)
        return contiguous(dy)
    shape = (dy.shape[0], *(n // f for n, f in zip(dy.shape[1:-1], factors, strict=True)), dy.shape[-1])
    return run(SUM, dy, _touching(factors, shape))


def _factors(function: str, name: str, shape: tuple[int, ...], factor: Any, mode: str) -> tuple[int, ...]:
    if not 3 <= len(shape) <= 5:
        raise ValueError(f"{function}: {name} must be (N, ..., C) with one to three axes between, got shape {shape}")
    choice(function, "mode", mode, _MODES)
    factors = per_dimension(function, "factor", factor, len(shape) - 2)
    if any(f > LONGEST or n * f > LONGEST for n, f in zip(shape[1:-1], factors, strict=True)):
        raise ValueError(f"{function}: factor {factor!r} makes an axis of {shape} longer than {LONGEST} positions")
    return factors


def _touching(factors: tuple[int, ...], small: tuple[int, ...]) -> Windows:
    """Windows of the factors' size, one for each element of the small array."""
    missing = (1,) * (3 - len(factors))
    size = (*missing, *factors)
    out = (*missing, *small[1:-1])
    return Windows(size, size, (0, 0, 0), out)  # type: ignore[arg-type]


def _phases(times: int, dtype: np.dtype[Any]) -> list[tuple[int, Any]]:
    """For each of the elements that one becomes: which neighbour comes first (0 the one before), and the second's share."""
    out = []
    for phase in range(times):
        place = (phase + 0.5) / times - 0.5
        first = 0 if place < 0 else 1
        out.append((first, dtype.type(place + 1 - first)))
    return out


def _stretch(x: NDArray[Any], axis: int, times: int) -> NDArray[Any]:
    if times == 1:
        return x.copy()
    n = x.shape[axis]
    x = np.moveaxis(x, axis, 0)
    padded = np.concatenate([x[:1], x, x[-1:]])
    y = np.empty((n * times, *x.shape[1:]), x.dtype)
    for phase, (first, share) in enumerate(_phases(times, x.dtype)):
        y[phase::times] = (1 - share) * padded[first : first + n] + share * padded[first + 1 : first + 1 + n]
    return np.moveaxis(y, 0, axis)


def _stretch_backward(dy: NDArray[Any], axis: int, times: int) -> NDArray[Any]:
    if times == 1:
        return dy.copy()
    n = dy.shape[axis] // times
    dy = np.moveaxis(dy, axis, 0)
    padded = np.zeros((n + 2, *dy.shape[1:]), dy.dtype)
    for phase, (first, share) in enumerate(_phases(times, dy.dtype)):
        part = dy[phase::times]
        padded[first : first + n] += (1 - share) * part
        padded[first + 1 : first + 1 + n] += share * part
    padded[1] += padded[0]
    padded[-2] += padded[-1]
    return np.moveaxis(padded[1:-1], 0, axis)
