"""Upsampling by whole factors, channels last: nearest neighbour and linear, forward and backward."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from .._internal.numbers import choice
from .checks import floats
from .geometry import LONGEST, Windows, per_dimension

_MODES = ("nearest", "linear")
_SUM = 2  # the kind of pooling that adds a window up


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
    backend, x = floats("upsample", x=x)
    factors = _factors("upsample", "x", x.shape, factor, mode)
    if mode == "linear":
        return backend.stretch(x, factors)
    shape = (x.shape[0], *(n * f for n, f in zip(x.shape[1:-1], factors, strict=True)), x.shape[-1])
    return backend.pool_backward(_SUM, x, None, shape, _touching(factors, x.shape))


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
    backend, dy = floats("upsample_backward", dy=dy)
    factors = _factors("upsample_backward", "dy", dy.shape, factor, mode)
    if any(n % f for n, f in zip(dy.shape[1:-1], factors, strict=True)):
        raise ValueError(f"upsample_backward: the axes of dy {dy.shape} must be multiples of the factors {factors}")
    if mode == "linear":
        return backend.stretch_backward(dy, factors)
    shape = (dy.shape[0], *(n // f for n, f in zip(dy.shape[1:-1], factors, strict=True)), dy.shape[-1])
    return backend.pool(_SUM, dy, _touching(factors, shape))


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
