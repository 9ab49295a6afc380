"""Normalization over the last axis, forward and backward: of its channels by a batch, and of each row by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import choice, flag, number
from .checks import floats


def batch_norm(
    x: NDArray[Any],
    gamma: NDArray[Any],
    beta: NDArray[Any],
    mean: NDArray[Any] | None = None,
    var: NDArray[Any] | None = None,
    *,
    eps: float = 1e-5,
    activation: str | None = None,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return ``activation((x - mean) / sqrt(var + eps) * gamma + beta)``, and the mean and variance that were used.

    Parameters
    ----------
    x : ndarray, shape (..., C)
        float32 or float64; copied first if not contiguous.
    gamma, beta : ndarray, shape (C,)
    mean, var : ndarray, shape (C,), optional
        If both are given, they are used (inference). If neither is, the statistics of ``x`` over all axes but the last are
        used (training); the divisor of the variance is the number of rows.
    eps : float
        Above 0.
    activation : {None, "identity", "relu"}

    Returns
    -------
    y : ndarray, shape (..., C)
    mean, var : ndarray, shape (C,)

    Raises
    ------
    TypeError
        For other kinds of input, or dtypes that differ.
    ValueError
        For shapes that do not fit, ``mean`` without ``var``, or statistics of no rows.

    Notes
    -----
    Statistics are computed in blocks of 64 rows, each about the block's rough mean, and joined in double precision, so that
    nothing cancels where the mean is far from zero. The bits do not depend on the number of threads. In training they
    depend on all rows; in inference a row's bits depend only on that row.

    References
    ----------
    Ioffe and Szegedy, "Batch normalization", arXiv:1502.03167. Chan, Golub and LeVeque, "Updating formulae and a pairwise
    algorithm for computing sample variances", Stanford STAN-CS-79-773.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> y, mean, var = ct.ops.batch_norm(np.array([[1.0], [3.0]]), np.ones(1), np.zeros(1), eps=1e-12)
    >>> y.ravel().round(6), mean, var
    (array([-1.,  1.]), array([2.]), array([1.]))
    """
    if (mean is None) != (var is None):
        raise ValueError("batch_norm: give both mean and var (inference), or neither (training)")
    backend, x, gamma, beta, mean, var = floats(
        "batch_norm", optional=("mean", "var"), x=x, gamma=gamma, beta=beta, mean=mean, var=var
    )
    relu = _check("batch_norm", x, eps, activation, gamma=gamma, beta=beta, mean=mean, var=var)
    if mean is None:
        if x.size == 0 and x.shape[-1] > 0:
            raise ValueError(f"batch_norm: x of shape {x.shape} has no rows to take mean and variance of")
        mean, var = backend.moments(x)
    return backend.batch_norm(x, gamma, beta, mean, var, float(eps), relu), mean, var


def batch_norm_backward(
    dy: NDArray[Any],
    x: NDArray[Any],
    gamma: NDArray[Any],
    beta: NDArray[Any],
    mean: NDArray[Any],
    var: NDArray[Any],
    *,
    batch_statistics: bool = True,
    eps: float = 1e-5,
    activation: str | None = None,
    input_gradient: bool = True,
) -> tuple[NDArray[Any] | None, NDArray[Any], NDArray[Any]]:
    """Return the gradients at ``x``, ``gamma`` and ``beta`` of `batch_norm`, given ``dy`` at its output.

    Parameters
    ----------
    dy, x : ndarray, shape (..., C)
    gamma, beta, mean, var : ndarray, shape (C,)
        ``mean`` and ``var`` as `batch_norm` returned them.
    batch_statistics : bool
        Whether they came from ``x`` (training): the gradient then flows through them too.
    eps, activation
        The arguments of `batch_norm`.
    input_gradient : bool
        False makes the first result None.

    Returns
    -------
    dx : ndarray, shape (..., C), or None
    dgamma, dbeta : ndarray, shape (C,)

    Raises
    ------
    TypeError, ValueError
        As `batch_norm`, and where ``dy`` and ``x`` differ in shape.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> x, one, zero = np.array([[1.0], [3.0]]), np.ones(1), np.zeros(1)
    >>> dx, dgamma, dbeta = ct.ops.batch_norm_backward(np.ones((2, 1)), x, one, zero, np.array([2.0]), one)
    >>> dx.ravel(), dgamma, dbeta
    (array([0., 0.]), array([0.]), array([2.]))
    """
    name = "batch_norm_backward"
    arrays: dict[str, Any] = {"dy": dy, "x": x, "gamma": gamma, "beta": beta, "mean": mean, "var": var}
    backend, dy, x, gamma, beta, mean, var = floats(name, **arrays)
    relu = _check(name, x, eps, activation, gamma=gamma, beta=beta, mean=mean, var=var)
    _check_equal(name, dy, x)
    batch, need_dx = flag(name, "batch_statistics", batch_statistics), flag(name, "input_gradient", input_gradient)
    return backend.batch_norm_backward(dy, x, gamma, beta, mean, var, float(eps), relu, batch, need_dx)


def layer_norm(
    x: NDArray[Any], gamma: NDArray[Any] | None = None, beta: NDArray[Any] | None = None, *, eps: float = 1e-5
) -> NDArray[Any]:
    """Return ``(x - mean) / sqrt(var + eps) * gamma + beta`` with the mean and the variance of each row of the last axis.

    Parameters
    ----------
    x : ndarray, shape (..., C)
        float32 or float64; copied first if not contiguous.
    gamma, beta : ndarray, shape (C,), optional
        Scale and shift of each column; ones and zeros where left out.
    eps : float
        Above 0.

    Returns
    -------
    y : ndarray, shape (..., C)

    Raises
    ------
    TypeError
        For other kinds of input, or dtypes that differ.
    ValueError
        For shapes that do not fit.

    Notes
    -----
    The divisor of the variance is C, as in PyTorch. Sums over a row are kept in 32 lanes, which are joined in halves, and
    the variance is taken in a second pass about a rough mean, so nothing cancels where the mean is far from zero. A row's
    bits depend on that row alone: not on the batch, the number of threads or the CPU level, the portable one included. A
    NaN stays in its row; a constant row gives ``beta``.

    References
    ----------
    Ba, Kiros and Hinton, "Layer normalization", arXiv:1607.06450.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.layer_norm(np.array([[1.0, 3.0], [5.0, 5.0]]), eps=1e-12).round(6)
    array([[-1.,  1.],
           [ 0.,  0.]])
    """
    backend, x, gamma, beta = floats("layer_norm", optional=("gamma", "beta"), x=x, gamma=gamma, beta=beta)
    _check_sizes("layer_norm", x, 1, eps, gamma=gamma, beta=beta)
    gamma = backend.full(x.shape[-1:], 1, x.dtype) if gamma is None else gamma
    beta = backend.full(x.shape[-1:], 0, x.dtype) if beta is None else beta
    return backend.layer_norm(x, gamma, beta, float(eps), True)


def layer_norm_backward(
    dy: NDArray[Any],
    x: NDArray[Any],
    gamma: NDArray[Any] | None = None,
    *,
    eps: float = 1e-5,
    input_gradient: bool = True,
) -> tuple[NDArray[Any] | None, NDArray[Any], NDArray[Any]]:
    """Return the gradients at ``x``, ``gamma`` and ``beta`` of `layer_norm`, given ``dy`` at its output.

    Parameters
    ----------
    dy, x : ndarray, shape (..., C)
    gamma : ndarray, shape (C,), optional
    eps
        The argument of `layer_norm`.
    input_gradient : bool
        False makes the first result None.

    Returns
    -------
    dx : ndarray, shape (..., C), or None
    dgamma, dbeta : ndarray, shape (C,)
        Sums over the rows, ascending in blocks of 64 that are joined in double precision.

    Raises
    ------
    TypeError, ValueError
        As `layer_norm`, and where ``dy`` and ``x`` differ in shape.

    Notes
    -----
    Mean and variance are computed again from ``x``, with the same bits as in the forward pass.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> dx, dgamma, dbeta = ct.ops.layer_norm_backward(np.ones((2, 2)), np.array([[1.0, 3.0], [5.0, 5.0]]))
    >>> dx.round(6), dgamma.round(4), dbeta
    (array([[0., 0.],
           [0., 0.]]), array([-1.,  1.]), array([2., 2.]))
    """
    name = "layer_norm_backward"
    backend, dy, x, gamma = floats(name, optional=("gamma",), dy=dy, x=x, gamma=gamma)
    _check_sizes(name, x, 1, eps, gamma=gamma)
    _check_equal(name, dy, x)
    gamma = backend.full(x.shape[-1:], 1, x.dtype) if gamma is None else gamma
    return backend.layer_norm_backward(dy, x, gamma, float(eps), True, flag(name, "input_gradient", input_gradient))


def rms_norm(x: NDArray[Any], gamma: NDArray[Any] | None = None, *, eps: float | None = None) -> NDArray[Any]:
    """Return ``x / sqrt(mean(x^2) + eps) * gamma`` with the mean square of each row of the last axis.

    Parameters
    ----------
    x : ndarray, shape (..., C)
        float32 or float64; copied first if not contiguous.
    gamma : ndarray, shape (C,), optional
        Scale of each column; ones where left out.
    eps : float, optional
        Above 0; by default the distance from 1 to the next number of x's dtype, as in PyTorch.

    Returns
    -------
    y : ndarray, shape (..., C)

    Raises
    ------
    TypeError, ValueError
        As `layer_norm`.

    Notes
    -----
    Sums, bits and NaN as in `layer_norm`, without its mean.

    References
    ----------
    Zhang and Sennrich, "Root mean square layer normalization", arXiv:1910.07467.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.rms_norm(np.array([[1.0, 7.0]])).round(6)
    array([[0.2, 1.4]])
    """
    backend, x, gamma = floats("rms_norm", optional=("gamma",), x=x, gamma=gamma)
    _check_sizes("rms_norm", x, 1, 1 if eps is None else eps, gamma=gamma)
    gamma = backend.full(x.shape[-1:], 1, x.dtype) if gamma is None else gamma
    return backend.layer_norm(x, gamma, backend.full(x.shape[-1:], 0, x.dtype), _eps(x, eps), False)


def rms_norm_backward(
    dy: NDArray[Any],
    x: NDArray[Any],
    gamma: NDArray[Any] | None = None,
    *,
    eps: float | None = None,
    input_gradient: bool = True,
) -> tuple[NDArray[Any] | None, NDArray[Any]]:
    """Return the gradients at ``x`` and ``gamma`` of `rms_norm`, given ``dy`` at its output.

    Parameters
    ----------
    dy, x : ndarray, shape (..., C)
    gamma : ndarray, shape (C,), optional
    eps
        The argument of `rms_norm`.
    input_gradient : bool
        False makes the first result None.

    Returns
    -------
    dx : ndarray, shape (..., C), or None
    dgamma : ndarray, shape (C,)

    Raises
    ------
    TypeError, ValueError
        As `rms_norm`, and where ``dy`` and ``x`` differ in shape.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> dx, dgamma = ct.ops.rms_norm_backward(np.ones((1, 2)), np.array([[1.0, 7.0]]))
    >>> dx.round(4), dgamma.round(4)
    (array([[ 0.168, -0.024]]), array([0.2, 1.4]))
    """
    name = "rms_norm_backward"
    backend, dy, x, gamma = floats(name, optional=("gamma",), dy=dy, x=x, gamma=gamma)
    _check_sizes(name, x, 1, 1 if eps is None else eps, gamma=gamma)
    _check_equal(name, dy, x)
    gamma = backend.full(x.shape[-1:], 1, x.dtype) if gamma is None else gamma
    need_dx = flag(name, "input_gradient", input_gradient)
    dx, dgamma, _ = backend.layer_norm_backward(dy, x, gamma, _eps(x, eps), False, need_dx)
    return dx, dgamma


def _eps(x: Any, eps: float | None) -> float:
    return float(np.finfo(x.dtype).eps if eps is None else eps)


def _check(function: str, x: Any, eps: float, activation: str | None, **per_channel: Any) -> bool:
    """Check shapes and numbers; return whether the activation is ReLU."""
    _check_sizes(function, x, 2, eps, **per_channel)
    return choice(function, "activation", activation, (None, "identity", "relu")) == "relu"


def _check_sizes(function: str, x: Any, axes: int, eps: float, **per_channel: Any) -> None:
    if x.ndim < axes:
        raise ValueError(
            f"{function}: x must be (..., C) with {('one axis', 'two axes')[axes - 1]} or more, got shape {x.shape}"
        )
    for name, array in per_channel.items():
        if array is not None and array.shape != x.shape[-1:]:
            raise ValueError(
                f"{function}: {name} must have shape {x.shape[-1:]}, one value for each channel (the last axis of x "
                f"{x.shape}), got {array.shape}"
            )
    number(function, "eps", eps, above=0)


def _check_equal(function: str, dy: Any, x: Any) -> None:
    if dy.shape != x.shape:
        raise ValueError(f"{function}: dy and x must have equal shapes, got {dy.shape} and {x.shape}")
