"""Activations, exp and log on plain arrays, one value at a time, forward and backward.

Each activation has its function here, and its name among the methods of `ActivationMethods`; which activations there are
is said by ``cpp/elementwise/activations.h``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from .. import _core
from .checks import activation_code, float_array, floats, output

if TYPE_CHECKING:
    from ..autograd import Tensor

__all__ = ["activation", "activation_backward", "exp", "log", "relu", "sigmoid", "softplus", "tanh"]


def _map(name: str, x: NDArray[Any], out: NDArray[Any] | None, function: str = "") -> NDArray[Any]:
    backend, x = float_array(function or name, "x", x)
    if out is not None:
        output(name, backend, out, x.shape, x.dtype)
    return backend.map(_core.MAPS[name], x, out)


def exp(x: NDArray[Any], *, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return e to the power of each value.

    Parameters
    ----------
    x : ndarray
        float32 or float64, any shape. Copied first if not contiguous.
    out : ndarray, optional
        Written and returned; same shape and dtype. May be ``x``, or overlap it.

    Returns
    -------
    ndarray

    Raises
    ------
    TypeError, ValueError
        For other kinds of input, or an ``out`` that does not fit.

    Notes
    -----
    float32: largest error 1 unit in the last place (table in ``cpp/elementwise/README.md``), the same bits on AVX2 and
    AVX-512. Overflow gives infinity, results below the least normal number give 0, NaN stays NaN.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.exp(np.array([0.0, 1.0]))
    array([1.        , 2.71828183])
    """
    return _map("exp", x, out)


def log(x: NDArray[Any], *, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return the natural logarithm of each value. Parameters and errors as `exp`.

    Notes
    -----
    0 gives minus infinity (so do float32 denormals, which count as zero), negative values give NaN.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.log(np.array([1.0, np.e]))
    array([0., 1.])
    """
    return _map("log", x, out)


def relu(x: NDArray[Any], *, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return ``max(x, 0)``; NaN stays NaN. Parameters and errors as `exp`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.relu(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    return _map("relu", x, out)


def tanh(x: NDArray[Any], *, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return the hyperbolic tangent of each value, from -1 to 1. Parameters and errors as `exp`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.tanh(np.array([0.0, 100.0]))
    array([0., 1.])
    """
    return _map("tanh", x, out)


def sigmoid(x: NDArray[Any], *, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return ``1 / (1 + exp(-x))``, from 0 to 1, without overflow. Parameters and errors as `exp`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.sigmoid(np.array([0.0, -1000.0]))
    array([0.5, 0. ])
    """
    return _map("sigmoid", x, out)


def softplus(x: NDArray[Any], *, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return ``log(1 + exp(x))``, without overflow. Parameters and errors as `exp`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.softplus(np.array([1000.0]))
    array([1000.])
    """
    return _map("softplus", x, out)


def activation(x: NDArray[Any], name: str | None) -> NDArray[Any]:
    """Apply an activation by name: None, "identity", "relu", "tanh", "sigmoid" or "softplus".

    Parameters
    ----------
    x : ndarray
        float32 or float64, any shape.
    name : str or None
        None and "identity" return a copy.

    Returns
    -------
    ndarray

    Raises
    ------
    TypeError, ValueError
        For another kind of input, or an unknown name.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.activation(np.array([-1.0, 2.0]), "relu")
    array([0., 2.])
    """
    activation_code("activation", name, "name")
    return _map(name or "identity", x, None, "activation")


def activation_backward(dy: NDArray[Any], y: NDArray[Any], name: str | None) -> NDArray[Any]:
    """Return ``dy * activation'(x)``, the derivative written from the output ``y = activation(x)``.

    Parameters
    ----------
    dy, y : ndarray
        float32 or float64, equal shapes and dtypes.
    name : str or None
        As for `activation`.

    Returns
    -------
    ndarray
        Same shape.

    Raises
    ------
    TypeError, ValueError
        For other kinds of input, or shapes that differ.

    Notes
    -----
    The derivative of ReLU at 0 is taken as 0.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.activation_backward(np.ones(2), np.array([0.0, 0.5]), "tanh")
    array([1.  , 0.75])
    """
    code = activation_code("activation_backward", name, "name")
    backend, dy, y = floats("activation_backward", dy=dy, y=y)
    if dy.shape != y.shape:
        raise ValueError(f"activation_backward: dy and y must have equal shapes, got {dy.shape} and {y.shape}")
    return backend.activation_backward(code, dy, y)


class ActivationMethods:
    """The activations as methods, for a class that applies one of them by name: `catalase.Tensor`."""

    __slots__ = ()

    def _activation(self, name: str) -> Tensor:
        raise NotImplementedError

    def relu(self) -> Tensor:
        return self._activation("relu")

    def tanh(self) -> Tensor:
        return self._activation("tanh")

    def sigmoid(self) -> Tensor:
        return self._activation("sigmoid")

    def softplus(self) -> Tensor:
        return self._activation("softplus")
