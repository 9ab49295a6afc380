"""Activations, exp and log on plain arrays, one value at a time, forward and backward.

Each activation has its function here, and its name among the methods of `ActivationMethods`; which activations there are
is said by ``cpp/elementwise/activations.h``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from .. import _core
from .checks import DERIVED_FROM_INPUT, activation_code, float_array, floats, output

if TYPE_CHECKING:
    from ..autograd import Tensor

__all__ = [
    "activation",
    "activation_backward",
    "elu",
    "exp",
    "gelu",
    "gelu_tanh",
    "hard_sigmoid",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "log",
    "mish",
    "relu",
    "selu",
    "sigmoid",
    "silu",
    "softplus",
    "tanh",
]


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


def elu(x: NDArray[Any], *, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return ``x`` from 0 and ``exp(x) - 1`` below; arXiv:1511.07289 with alpha 1. Parameters and errors as `exp`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.elu(np.array([-1000.0, 2.0]))
    array([-1.,  2.])
    """
    return _map("elu", x, out)


def gelu(x: NDArray[Any], *, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return ``x / 2 * (1 + erf(x / sqrt(2)))``; arXiv:1606.08415. Parameters and errors as `exp`.

    Notes
    -----
    The exact function, not the approximation by tanh. Negative results keep their digits, which the formula itself would
    lose. Minus infinity gives 0, its limit.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.gelu(np.array([-1.0, 0.0, 1.0]))
    array([-0.15865525,  0.        ,  0.84134475])
    """
    return _map("gelu", x, out)


def leaky_relu(x: NDArray[Any], *, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return ``x`` from 0 and ``0.01 * x`` below. Parameters and errors as `exp`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.leaky_relu(np.array([-1.0, 2.0]))
    array([-0.01,  2.  ])
    """
    return _map("leaky_relu", x, out)


def silu(x: NDArray[Any], *, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return ``x / (1 + exp(-x))``, also called swish; arXiv:1710.05941. Parameters and errors as `exp`.

    Notes
    -----
    Minus infinity gives 0, its limit.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.silu(np.array([0.0, 1000.0]))
    array([   0., 1000.])
    """
    return _map("silu", x, out)


def selu(x: NDArray[Any], *, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return ``1.0507 * x`` from 0 and ``1.7581 * (exp(x) - 1)`` below; arXiv:1706.02515. Parameters and errors as `exp`.

    Notes
    -----
    The factors, in full precision, keep a mean of 0 and a variance of 1 from layer to layer.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.selu(np.array([-1000.0, 1.0]))
    array([-1.75809934,  1.05070099])
    """
    return _map("selu", x, out)


def gelu_tanh(x: NDArray[Any], *, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return ``x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))``. Parameters and errors as `exp`.

    Notes
    -----
    The approximation of `gelu` (arXiv:1606.08415) that some published nets were trained with. Minus infinity gives 0.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.gelu_tanh(np.array([-1.0, 0.0, 1.0]))
    array([-0.15880801,  0.        ,  0.84119199])
    """
    return _map("gelu_tanh", x, out)


def mish(x: NDArray[Any], *, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return ``x * tanh(log(1 + exp(x)))``; arXiv:1908.08681. Parameters and errors as `exp`.

    Notes
    -----
    Minus infinity gives 0, its limit.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.mish(np.array([0.0, 1000.0]))
    array([   0., 1000.])
    """
    return _map("mish", x, out)


def hard_sigmoid(x: NDArray[Any], *, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return ``x / 6 + 1 / 2``, but from 0 to 1; the derivative at -3 and 3 is 0. Parameters and errors as `exp`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.hard_sigmoid(np.array([-4.0, 0.0, 1.5]))
    array([0.  , 0.5 , 0.75])
    """
    return _map("hard_sigmoid", x, out)


def hard_tanh(x: NDArray[Any], *, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return ``x``, but from -1 to 1; the derivative at -1 and 1 is 0. Parameters and errors as `exp`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.hard_tanh(np.array([-4.0, 0.5]))
    array([-1. ,  0.5])
    """
    return _map("hard_tanh", x, out)


def hard_swish(x: NDArray[Any], *, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return ``x`` times its `hard_sigmoid`; arXiv:1905.02244. Parameters and errors as `exp`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.hard_swish(np.array([-4.0, 1.5, 4.0]))
    array([0.   , 1.125, 4.   ])
    """
    return _map("hard_swish", x, out)


def activation(x: NDArray[Any], name: str | None) -> NDArray[Any]:
    """Apply an activation by name: None, "identity", or the name of its function, such as "relu".

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
        For another kind of input, or an unknown name; the error lists the known ones.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.activation(np.array([-1.0, 2.0]), "relu")
    array([0., 2.])
    """
    activation_code("activation", name, "name")
    return _map(name or "identity", x, None, "activation")


def activation_backward(
    dy: NDArray[Any], y: NDArray[Any] | None, name: str | None, *, x: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Return ``dy * activation'(x)``, where ``y = activation(x)``.

    Parameters
    ----------
    dy : ndarray
        float32 or float64.
    y : ndarray or None
        The output, of the shape and dtype of ``dy``: the derivative is computed from it. Those of "gelu",
        "gelu_tanh", "silu", "mish" and "hard_swish" are not, and need no ``y``.
    name : str or None
        As for `activation`.
    x : ndarray, optional
        The input, from which the derivatives of these five are written. The others do not need it.

    Returns
    -------
    ndarray
        Same shape.

    Raises
    ------
    TypeError, ValueError
        For other kinds of input, shapes that differ, or where the array is missing that the derivative is computed from.

    Notes
    -----
    Where the slopes on both sides of 0 differ, the derivative at 0 is the left one: 0 for ReLU.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.activation_backward(np.ones(2), np.array([0.0, 0.5]), "tanh")
    array([1.  , 0.75])
    >>> ct.ops.activation_backward(np.ones(2), None, "silu", x=np.array([0.0, 100.0]))
    array([0.5, 1. ])
    """
    function = "activation_backward"
    code, of_input = activation_code(function, name, "name"), name in DERIVED_FROM_INPUT
    if of_input and x is None:
        raise ValueError(
            f"{function}: the derivative of {name!r} is computed from its input, which y does not determine; pass as x what "
            "the activation was given"
        )
    backend, dy, y, x = floats(function, optional=("y",) if of_input else ("x",), dy=dy, y=y, x=x)
    for key, array in (("y", y), ("x", x)):
        if array is not None and dy.shape != array.shape:
            raise ValueError(f"{function}: dy and {key} must have equal shapes, got {dy.shape} and {array.shape}")
    return backend.activation_backward(code, dy, x if of_input else y)


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

    def elu(self) -> Tensor:
        return self._activation("elu")

    def gelu(self) -> Tensor:
        return self._activation("gelu")

    def silu(self) -> Tensor:
        return self._activation("silu")

    def leaky_relu(self) -> Tensor:
        return self._activation("leaky_relu")

    def selu(self) -> Tensor:
        return self._activation("selu")

    def gelu_tanh(self) -> Tensor:
        return self._activation("gelu_tanh")

    def mish(self) -> Tensor:
        return self._activation("mish")

    def hard_sigmoid(self) -> Tensor:
        return self._activation("hard_sigmoid")

    def hard_tanh(self) -> Tensor:
        return self._activation("hard_tanh")

    def hard_swish(self) -> Tensor:
        return self._activation("hard_swish")
