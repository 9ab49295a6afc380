"""Maximum and average pooling over one, two or three dimensions, channels last, forward and backward."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ._check import contiguous, empty, floating, is_device_array, same_dtype, shape_of
from .geometry import Padding, Windows, pool_windows

_MAX, _MEAN, SUM = (_core.POOLS[name] for name in ("max", "mean", "sum"))


def max_pool2d(x: NDArray[Any], size: Any = 2, *, stride: Any = None, padding: Padding = "valid") -> NDArray[Any]:
    """Return the largest value of each window.

    Parameters
    ----------
    x : ndarray, shape (N, H, W, C)
        float32 or float64. Copied first if not contiguous.
    size : int or (int, int)
        Of the window.
    stride : int or (int, int), optional
        Steps between windows; ``size`` where left out.
    padding : {"valid", "same"}, int, or ((before, after), (before, after))
        "valid": whole windows only. "same": TensorFlow's rule, ceil(length / stride) windows, the odd element of
        padding behind. Numbers must be smaller than the window. Padding is never a maximum.

    Returns
    -------
    ndarray, shape (N, OH, OW, C)

    Raises
    ------
    TypeError
        If ``x`` is no float array, or ``size`` or ``stride`` no whole numbers.
    ValueError
        If ``x`` is not 4-D, or a window does not fit.

    Notes
    -----
    NaN is larger than everything: a window that holds one gives NaN, as in PyTorch. An element's bits depend on its
    window alone. The kernel is in ``cpp/pool``; nothing is stored for the way back.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.max_pool2d(np.arange(16.0).reshape(1, 4, 4, 1))[0, :, :, 0]
    array([[ 5.,  7.], [13., 15.]])
    """
    return _forward("max_pool2d", _MAX, 2, x, size, stride, padding)


def max_pool1d(x: NDArray[Any], size: Any = 2, *, stride: Any = None, padding: Padding = "valid") -> NDArray[Any]:
    """Return the largest value of each window of x (N, L, C); otherwise as `max_pool2d`."""
    return _forward("max_pool1d", _MAX, 1, x, size, stride, padding)


def max_pool3d(x: NDArray[Any], size: Any = 2, *, stride: Any = None, padding: Padding = "valid") -> NDArray[Any]:
    """Return the largest value of each window of x (N, D, H, W, C); otherwise as `max_pool2d`."""
    return _forward("max_pool3d", _MAX, 3, x, size, stride, padding)


def avg_pool2d(x: NDArray[Any], size: Any = 2, *, stride: Any = None, padding: Padding = "valid") -> NDArray[Any]:
    """Return the mean of each window, over the elements inside x alone. Parameters and errors as `max_pool2d`.

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
    """Return the mean of each window of x (N, L, C); otherwise as `avg_pool2d`."""
    return _forward("avg_pool1d", _MEAN, 1, x, size, stride, padding)


def avg_pool3d(x: NDArray[Any], size: Any = 2, *, stride: Any = None, padding: Padding = "valid") -> NDArray[Any]:
    """Return the mean of each window of x (N, D, H, W, C); otherwise as `avg_pool2d`."""
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
        As they were given to `max_pool2d`.

    Returns
    -------
    ndarray, shape (N, H, W, C)

    Raises
    ------
    TypeError, ValueError
        As `max_pool2d`, and where ``dy`` does not fit.

    Notes
    -----
    The first maximum of a window, in the order of memory, gets all of its gradient; of several NaN the first (PyTorch:
    the last). Where windows overlap gradients are added in the order of the windows.

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
    """Return the gradient at the input of `max_pool1d`; as `max_pool2d_backward`."""
    return _backward("max_pool1d_backward", _MAX, 1, dy, x, size, stride, padding)


def max_pool3d_backward(
    dy: NDArray[Any], x: NDArray[Any], size: Any = 2, *, stride: Any = None, padding: Padding = "valid"
) -> NDArray[Any]:
    """Return the gradient at the input of `max_pool3d`; as `max_pool2d_backward`."""
    return _backward("max_pool3d_backward", _MAX, 3, dy, x, size, stride, padding)


def avg_pool2d_backward(
    dy: NDArray[Any], shape: tuple[int, ...], size: Any = 2, *, stride: Any = None, padding: Padding = "valid"
) -> NDArray[Any]:
    """Return the gradient at the input of `avg_pool2d`, given ``dy`` at its output.

    Parameters
    ----------
    dy : ndarray, shape (N, OH, OW, C)
    shape : tuple of int
        (N, H, W, C), of the input, whose values do not matter.
    size, stride, padding
        As they were given to `avg_pool2d`.

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
    """Return the gradient at the input of `avg_pool1d`; as `avg_pool2d_backward`."""
    return _backward("avg_pool1d_backward", _MEAN, 1, dy, shape, size, stride, padding)


def avg_pool3d_backward(
    dy: NDArray[Any], shape: tuple[int, ...], size: Any = 2, *, stride: Any = None, padding: Padding = "valid"
) -> NDArray[Any]:
    """Return the gradient at the input of `avg_pool3d`; as `avg_pool2d_backward`."""
    return _backward("avg_pool3d_backward", _MEAN, 3, dy, shape, size, stride, padding)


def global_max_pool(x: NDArray[Any]) -> NDArray[Any]:
    """Return the largest value of each channel over all positions: (N, ..., C), one to three axes between, to (N, C).

    Parameters, errors and notes as `max_pool2d`; there must be a position.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.global_max_pool(np.arange(8.0).reshape(1, 2, 2, 2))
    array([[6., 7.]])
    """
    return _global("global_max_pool", _MAX, x)


def global_avg_pool(x: NDArray[Any]) -> NDArray[Any]:
    """Return the mean of each channel over all positions; otherwise as `global_max_pool`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.global_avg_pool(np.arange(8.0).reshape(1, 2, 2, 2))
    array([[3., 4.]])
    """
    return _global("global_avg_pool", _MEAN, x)


def global_max_pool_backward(dy: NDArray[Any], x: NDArray[Any]) -> NDArray[Any]:
    """Return the gradient at the input ``x`` of `global_max_pool`; ``dy`` is (N, C). As `max_pool2d_backward`."""
    return _global_backward("global_max_pool_backward", _MAX, dy, x)


def global_avg_pool_backward(dy: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return the gradient at the input, of that shape, of `global_avg_pool`; ``dy`` is (N, C)."""
    return _global_backward("global_avg_pool_backward", _MEAN, dy, shape)


def _global(function: str, kind: int, x: NDArray[Any]) -> NDArray[Any]:
    dims = _dims_of(function, x.shape if is_device_array(x) else np.shape(x))
    return _forward(function, kind, dims, x, x.shape[1:-1], None, "valid").reshape(x.shape[0], x.shape[-1])


def _global_backward(function: str, kind: int, dy: NDArray[Any], x: NDArray[Any] | tuple[int, ...]) -> NDArray[Any]:
    shape = shape_of(function, x)
    dims = _dims_of(function, shape)
    if not is_device_array(dy):
        floating(function, "dy", dy)
    if dy.shape != (shape[0], shape[-1]):
        raise ValueError(f"{function}: dy must have shape {(shape[0], shape[-1])}, got {dy.shape}")
    wide = dy.reshape(shape[0], *(1,) * dims, shape[-1])
    return _backward(function, kind, dims, wide, x, shape[1:-1], None, "valid")


def _dims_of(function: str, shape: tuple[int, ...]) -> int:
    if not 3 <= len(shape) <= 5 or 0 in shape[1:-1]:
        raise ValueError(f"{function}: x must be (N, ..., C) with one to three axes between, none empty, got {shape}")
    return len(shape) - 2


def _check_rank(function: str, dims: int, shape: tuple[int, ...]) -> None:
    if len(shape) != dims + 2:
        axes = ("N, L, C", "N, H, W, C", "N, D, H, W, C")[dims - 1]
        raise ValueError(
            f"{function}: x must have {dims + 2} axes, ({axes}), got shape {shape}; one image without a batch is x[None], "
            "one channel x[..., None]"
        )


def five_axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(N, ..., C) with axes of length 1 put in, to (N, D, H, W, C)."""
    return (shape[0], *(1,) * (5 - len(shape)), *shape[1:])


def run(kind: int, x: NDArray[Any], windows: Windows) -> NDArray[Any]:
    """Call the kernel; x has been checked."""
    if type(x) is not np.ndarray and is_device_array(x):
        from .._cuda import pool as device

        return device.run(kind, x, windows)
    y = empty((x.shape[0], *windows.out, x.shape[-1]), x.dtype)
    wide = contiguous(x).reshape(five_axes(x.shape))
    _core.pool(kind, wide, y, windows.size, windows.stride, windows.before)
    return y.reshape(x.shape[0], *windows.out[5 - x.ndim :], x.shape[-1])


def run_backward(
    kind: int, dy: NDArray[Any], x: NDArray[Any] | None, shape: tuple[int, ...], windows: Windows
) -> NDArray[Any]:
    """Call the kernel; everything has been checked."""
    if type(dy) is not np.ndarray and is_device_array(dy):
        from .._cuda import pool as device

        return device.run_backward(kind, dy, x, shape, windows)
    dx = empty(five_axes(shape), dy.dtype)
    wide_x = None if x is None else contiguous(x).reshape(dx.shape)
    wide_dy = contiguous(dy).reshape(five_axes(dy.shape))
    _core.pool_backward(kind, wide_x, wide_dy, dx, windows.size, windows.stride, windows.before)
    return dx.reshape(shape)


def _forward(function: str, kind: int, dims: int, x: Any, size: Any, stride: Any, padding: Padding) -> NDArray[Any]:
    if type(x) is np.ndarray or not is_device_array(x):
        floating(function, "x", x)
    _check_rank(function, dims, x.shape)
    return run(kind, x, pool_windows(function, x.shape[1:-1], size, stride, padding, x.shape))


def _backward(
    function: str, kind: int, dims: int, dy: Any, x: Any, size: Any, stride: Any, padding: Padding
) -> NDArray[Any]:
    if type(dy) is np.ndarray or not is_device_array(dy):
        floating(function, "dy", dy)
        if kind == _MAX:
            same_dtype(function, dy=dy, x=floating(function, "x", x))
    shape = shape_of(function, x)
    _check_rank(function, dims, shape)
    windows = pool_windows(function, shape[1:-1], size, stride, padding, shape)
    expected = (shape[0], *windows.out[3 - dims :], shape[-1])
    if dy.shape != expected:
        raise ValueError(f"{function}: dy must have shape {expected}, as the output, got {dy.shape}")
    return run_backward(kind, dy, x if kind == _MAX else None, shape, windows)
