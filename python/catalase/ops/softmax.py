"""Softmax and log softmax over the last axis, forward and backward."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from .checks import float_array, floats


def softmax(x: NDArray[Any]) -> NDArray[Any]:
    """Return ``exp(x) / sum(exp(x))`` over the last axis.

    Parameters
    ----------
    x : ndarray, shape (..., C)
        float32 or float64, C at least 1.

    Returns
    -------
    ndarray, shape (..., C)
        Each row sums to 1 within rounding.

    Raises
    ------
    TypeError
        If ``x`` is not a float array.
    ValueError
        If ``x`` has no last axis, or that axis is empty.

    Notes
    -----
    The largest value of a row is subtracted first, so that nothing overflows. A row that holds NaN becomes NaN. Rows are
    independent: the bits depend neither on the batch nor on the number of threads.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.softmax(np.array([[1000.0, 1000.0]]))
    array([[0.5, 0.5]])
    """
    return _rows("softmax", False, x)


def log_softmax(x: NDArray[Any]) -> NDArray[Any]:
    """Return ``x - log(sum(exp(x)))`` over the last axis. Parameters, errors and notes are those of `softmax`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.log_softmax(np.array([[0.0, 0.0]]))
    array([[-0.69314718, -0.69314718]])
    """
    return _rows("log_softmax", True, x)


def softmax_backward(dy: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    """Return the gradient at the input of `softmax`, given ``dy`` at its output ``y``: ``y * (dy - sum(dy * y))``.

    Parameters
    ----------
    dy, y : ndarray, shape (..., C)
        Equal shapes and dtypes.

    Returns
    -------
    ndarray, shape (..., C)

    Raises
    ------
    TypeError, ValueError
        As `softmax`, and for shapes or dtypes that differ.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.softmax_backward(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]]))
    array([[ 0.25, -0.25]])
    """
    return _rows_backward("softmax_backward", False, dy, y)


def log_softmax_backward(dy: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    """Return the gradient at the input of `log_softmax`, ``dy - exp(y) * sum(dy)``; see `softmax_backward`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.log_softmax_backward(np.array([[1.0, 0.0]]), np.log([[0.5, 0.5]]))
    array([[ 0.5, -0.5]])
    """
    return _rows_backward("log_softmax_backward", True, dy, y)


def _rows(function: str, log: bool, x: NDArray[Any]) -> NDArray[Any]:
    backend, x = float_array(function, "x", x)
    _check_classes(function, "x", x)
    return backend.softmax(log, x)


def _rows_backward(function: str, log: bool, dy: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    backend, dy, y = floats(function, dy=dy, y=y)
    _check_classes(function, "y", y)
    if dy.shape != y.shape:
        raise ValueError(f"{function}: dy and y must have equal shapes, got {dy.shape} and {y.shape}")
    return backend.softmax_backward(log, dy, y)


def _check_classes(function: str, name: str, x: NDArray[Any]) -> None:
    if x.ndim == 0 or x.shape[-1] == 0:
        raise ValueError(f"{function}: the last axis of {name} must hold at least one class, got shape {x.shape}")
