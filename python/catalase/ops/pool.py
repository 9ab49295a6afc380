"""Maximum and average pooling over one to three dimensions, and upsampling, forward and backward, with channels last."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from .. import _core
from .._internal.numbers import choice
from .checks import float_array, floats, shape_of
from .geometry import LONGEST, Padding, Windows, per_dimension, pool_windows

_MAX, _MEAN, _SUM = (_core.POOLS[name] for name in ("max", "mean", "sum"))


def max_pool2d(x: NDArray[Any], size: Any = 2, *, stride: Any = None, padding: Padding = "valid") -> NDArray[Any]:
    """Return the largest value of each window.

    Parameters
    ----------
    x : ndarray, shape (N, H, W, C)
        float32 or float64; copied first if not contiguous.
    size : int or (int, int)
        Size of the window.
    stride : int or (int, int), optional
        Distance between windows; ``size`` by default.
    padding : {"valid", "same"}, int, or ((before, after), (before, after))
        "valid" takes whole windows only. "same" is TensorFlow's rule: ceil(length / stride) windows, an odd element of
        padding at the end. Numbers must be smaller than the window. Padding is never a maximum.

    Returns
    -------
    ndarray, shape (N, OH, OW, C)

    Raises
    ------
    TypeError
        If ``x`` is not a float array, or ``size`` or ``stride`` are not whole numbers.
    ValueError
        If ``x`` is not 4-D, or a window does not fit.

    Notes
    -----
    NaN counts as larger than all numbers: a window that holds one gives NaN, as in PyTorch. An element's bits depend only
    on its window. The kernel is in ``cpp/pool``; nothing is saved for the backward pass.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.max_pool2d(np.arange(16.0).reshape(1, 4, 4, 1))[0, :, :, 0]
    array([[ 5.,  7.], [13., 15.]])
    """
    return _forward("max_pool2d", _MAX, 2, x, size, stride, padding)


def max_pool1d(x: NDArray[Any], size: Any = 2, *, stride: Any = None, padding: Padding = "valid") -> NDArray[Any]:
    """Return the largest value of each window of x (N, L, C); see `max_pool2d`."""
    return _forward("max_pool1d", _MAX, 1, x, size, stride, padding)


def max_pool3d(x: NDArray[Any], size: Any = 2, *, stride: Any = None, padding: Padding = "valid") -> NDArray[Any]:
    """Return the largest value of each window of x (N, D, H, W, C); see `max_pool2d`."""
    return _forward("max_pool3d", _MAX, 3, x, size, stride, padding)


def avg_pool2d(x: NDArray[Any], size: Any = 2, *, stride: Any = None, padding: Padding = "valid") -> NDArray[Any]:
    """Return the mean of each window over its elements inside x. Parameters and errors are those of `max_pool2d`.

    Notes
    -----
    Padding is not counted, as in TensorFlow (PyTorch: ``count_include_pad=False``). A row of the window is one chain of
    sums, and the rows are added in order.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.avg_pool2d(np.arange(9.0).reshape(1, 3, 3, 1), padding="same")[0, :, :, 0]
    array([[2. , 3.5], [6.5, 8. ]])
    """
    return _forward("avg_pool2d", _MEAN, 2, x, size, stride, padding)


def avg_pool1d(x: NDArray[Any], size: Any = 2, *, stride: Any = None, padding: Padding = "valid") -> NDArray[Any]:
    """Return the mean of each window of x (N, L, C); see `avg_pool2d`."""
    return _forward("avg_pool1d", _MEAN, 1, x, size, stride, padding)


def avg_pool3d(x: NDArray[Any], size: Any = 2, *, stride: Any = None, padding: Padding = "valid") -> NDArray[Any]:
    """Return the mean of each window of x (N, D, H, W, C); see `avg_pool2d`."""
    return _forward("avg_pool3d", _MEAN, 3, x, size, stride, padding)


def max_pool2d_backward(
    dy: NDArray[Any], x: NDArray[Any], size: Any = 2, *, stride: Any = None, padding: Padding = "valid"
) -> NDArray[Any]:
    """Return the gradient at the input ``x`` of `max_pool2d`, given ``dy`` at its output.

    Parameters
    ----------
    dy : ndarray, shape (N, OH, OW, C)
    x : ndarray, shape (N, H, W, C)
    size, stride, padding
        The arguments of `max_pool2d`.

    Returns
    -------
    ndarray, shape (N, H, W, C)

    Raises
    ------
    TypeError, ValueError
        As `max_pool2d`, and if ``dy`` does not fit.

    Notes
    -----
    The first maximum of a window, in the order of memory, gets all of its gradient; among several NaN it is the first
    (PyTorch: the last). Where windows overlap, gradients are added in the order of the windows.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.max_pool2d_backward(np.ones((1, 1, 1, 1)), np.array([[1.0, 3.0], [3.0, 2.0]]).reshape(1, 2, 2, 1)).ravel()
    array([0., 1., 0., 0.])
    """
    return _backward("max_pool2d_backward", _MAX, 2, dy, x, size, stride, padding)


def max_pool1d_backward(
    dy: NDArray[Any], x: NDArray[Any], size: Any = 2, *, stride: Any = None, padding: Padding = "valid"
) -> NDArray[Any]:
    """Return the gradient at the input of `max_pool1d`; see `max_pool2d_backward`."""
    return _backward("max_pool1d_backward", _MAX, 1, dy, x, size, stride, padding)


def max_pool3d_backward(
    dy: NDArray[Any], x: NDArray[Any], size: Any = 2, *, stride: Any = None, padding: Padding = "valid"
) -> NDArray[Any]:
    """Return the gradient at the input of `max_pool3d`; see `max_pool2d_backward`."""
    return _backward("max_pool3d_backward", _MAX, 3, dy, x, size, stride, padding)


def avg_pool2d_backward(
    dy: NDArray[Any], shape: tuple[int, ...], size: Any = 2, *, stride: Any = None, padding: Padding = "valid"
) -> NDArray[Any]:
    """Return the gradient at the input of `avg_pool2d`, given ``dy`` at its output.

    Parameters
    ----------
    dy : ndarray, shape (N, OH, OW, C)
    shape : tuple of int
        Shape of the input (N, H, W, C), whose values do not matter.
    size, stride, padding
        The arguments of `avg_pool2d`.

    Returns
    -------
    ndarray, shape (N, H, W, C)

    Raises
    ------
    TypeError, ValueError
        As `max_pool2d_backward`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.avg_pool2d_backward(np.ones((1, 1, 1, 1)), (1, 2, 2, 1)).ravel()
    array([0.25, 0.25, 0.25, 0.25])
    """
    return _backward("avg_pool2d_backward", _MEAN, 2, dy, shape, size, stride, padding)


def avg_pool1d_backward(
    dy: NDArray[Any], shape: tuple[int, ...], size: Any = 2, *, stride: Any = None, padding: Padding = "valid"
) -> NDArray[Any]:
    """Return the gradient at the input of `avg_pool1d`; see `avg_pool2d_backward`."""
    return _backward("avg_pool1d_backward", _MEAN, 1, dy, shape, size, stride, padding)


def avg_pool3d_backward(
    dy: NDArray[Any], shape: tuple[int, ...], size: Any = 2, *, stride: Any = None, padding: Padding = "valid"
) -> NDArray[Any]:
    """Return the gradient at the input of `avg_pool3d`; see `avg_pool2d_backward`."""
    return _backward("avg_pool3d_backward", _MEAN, 3, dy, shape, size, stride, padding)


def global_max_pool(x: NDArray[Any]) -> NDArray[Any]:
    """Return the largest value of each channel over all positions: (N, ..., C), with one to three axes between, to (N, C).

    Parameters, errors and notes are those of `max_pool2d`; there must be at least one position.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.global_max_pool(np.arange(8.0).reshape(1, 2, 2, 2))
    array([[6., 7.]])
    """
    return _global("global_max_pool", _MAX, x)


def global_avg_pool(x: NDArray[Any]) -> NDArray[Any]:
    """Return the mean of each channel over all positions; see `global_max_pool`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.global_avg_pool(np.arange(8.0).reshape(1, 2, 2, 2))
    array([[3., 4.]])
    """
    return _global("global_avg_pool", _MEAN, x)


def global_max_pool_backward(dy: NDArray[Any], x: NDArray[Any]) -> NDArray[Any]:
    """Return the gradient at the input ``x`` of `global_max_pool` for ``dy`` (N, C); see `max_pool2d_backward`."""
    return _global_backward("global_max_pool_backward", _MAX, dy, x)


def global_avg_pool_backward(dy: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return the gradient at the input of `global_avg_pool`, which has this shape, for ``dy`` (N, C)."""
    return _global_backward("global_avg_pool_backward", _MEAN, dy, shape)


def _global(function: str, kind: int, x: NDArray[Any]) -> NDArray[Any]:
    _, x = float_array(function, "x", x)
    dims = _dims_of(function, "x", x.shape)
    return _forward(function, kind, dims, x, x.shape[1:-1], None, "valid").reshape(x.shape[0], x.shape[-1])


def _global_backward(function: str, kind: int, dy: NDArray[Any], x: NDArray[Any] | tuple[int, ...]) -> NDArray[Any]:
    name = "x" if kind == _MAX else "shape"
    shape = shape_of(function, x, name)
    dims = _dims_of(function, name, shape)
    _, dy = float_array(function, "dy", dy)
    if dy.shape != (shape[0], shape[-1]):
        raise ValueError(
            f"{function}: dy must have shape {(shape[0], shape[-1])} for {name} {tuple(shape)}, got {dy.shape}"
        )
    wide = dy.reshape(shape[0], *(1,) * dims, shape[-1])
    return _backward(function, kind, dims, wide, x, shape[1:-1], None, "valid")


def _dims_of(function: str, name: str, shape: tuple[int, ...]) -> int:
    if not 3 <= len(shape) <= 5 or 0 in shape[1:-1]:
        raise ValueError(
            f"{function}: {name} must be (N, ..., C) with one to three axes between, none empty, got {tuple(shape)}"
        )
    return len(shape) - 2


def _check_rank(function: str, dims: int, shape: tuple[int, ...], name: str = "x") -> None:
    if len(shape) != dims + 2:
        axes = ("N, L, C", "N, H, W, C", "N, D, H, W, C")[dims - 1]
        raise ValueError(
            f"{function}: {name} must have {dims + 2} axes, ({axes}), got shape {shape}; one image without a batch is x[None], "
            "one channel x[..., None]"
        )


def _forward(function: str, kind: int, dims: int, x: Any, size: Any, stride: Any, padding: Padding) -> NDArray[Any]:
    backend, x = float_array(function, "x", x)
    _check_rank(function, dims, x.shape)
    return backend.pool(kind, x, pool_windows(function, x.shape[1:-1], size, stride, padding, x.shape))


def _backward(
    function: str, kind: int, dims: int, dy: Any, x: Any, size: Any, stride: Any, padding: Padding
) -> NDArray[Any]:
    """Return the gradient of pooling; ``x`` is the input of a maximum, or the shape of the input of a mean."""
    if kind == _MAX:
        backend, dy, x = floats(function, dy=dy, x=x)
    else:
        backend, dy = float_array(function, "dy", dy)
    name = "x" if kind == _MAX else "shape"
    shape = shape_of(function, x, name)
    _check_rank(function, dims, shape, name)
    windows = pool_windows(function, shape[1:-1], size, stride, padding, shape)
    expected = (shape[0], *windows.out[3 - dims :], shape[-1])
    if dy.shape != expected:
        raise ValueError(
            f"{function}: dy must have shape {expected}, as the output with this size, stride and padding, got {dy.shape}"
        )
    return backend.pool_backward(kind, dy, x if kind == _MAX else None, shape, windows)


_MODES = ("nearest", "linear")


def upsample(x: NDArray[Any], factor: Any = 2, *, mode: str = "nearest") -> NDArray[Any]:
    """Lengthen each axis between the first and the last by a whole factor.

    Parameters
    ----------
    x : ndarray, shape (N, ..., C)
        float32 or float64, with one to three axes between.
    factor : int, or one a dimension
        1 or more.
    mode : {"nearest", "linear"}
        "nearest" repeats each element. "linear" interpolates between the elements' centres (bilinear for images) and
        repeats the edges: PyTorch's ``align_corners=False``, TensorFlow's ``half_pixel_centers=True``.

    Returns
    -------
    ndarray, shape (N, ..., C)
        Each axis between is ``factor`` times as long.

    Raises
    ------
    TypeError, ValueError
        For other kinds of input, ranks, factors or modes.

    Notes
    -----
    "nearest" runs on the kernels of ``cpp/pool``, "linear" on NumPy, one axis after the other (on a GPU on the kernels
    of ``cuda/upsample.cu``).

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.upsample(np.array([[[1.0], [3.0]]])).ravel()
    array([1., 1., 3., 3.])
    >>> ct.ops.upsample(np.array([[[1.0], [3.0]]]), mode="linear").ravel()
    array([1. , 1.5, 2.5, 3. ])
    """
    backend, x = float_array("upsample", "x", x)
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
        The axes between are multiples of ``factor``.
    factor, mode
        The arguments of `upsample`.

    Returns
    -------
    ndarray

    Raises
    ------
    TypeError, ValueError
        As `upsample`, and if an axis is not a multiple.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.upsample_backward(np.array([[[1.0], [2.0], [3.0], [4.0]]])).ravel()
    array([3., 7.])
    """
    backend, dy = float_array("upsample_backward", "dy", dy)
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
    """Return windows of the factors' size, one for each element of the small array."""
    missing = (1,) * (3 - len(factors))
    size = (*missing, *factors)
    out = (*missing, *small[1:-1])
    return Windows(size, size, (0, 0, 0), out)  # type: ignore[arg-type]
