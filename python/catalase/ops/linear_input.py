"""The gradient at the input of a dense layer: at once, or as a product that is yet to be multiplied out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backends import backend_of
from ..backends.cpu import plain_input_gradient
from .checks import floats
from .matmul import matmul


def linear_backward_input(dz: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:
    """Return the gradient at the input of a dense layer, ``dz @ w.T``, given the gradient before its activation.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.linear_backward_input(np.ones((1, 2)), np.eye(2)).tolist()
    [[1.0, 1.0]]
    """
    _, dz, w = floats("linear_backward_input", dz=dz, w=w)
    if dz.ndim != 2 or w.ndim != 2 or dz.shape[1] != w.shape[1]:
        raise ValueError(
            f"linear_backward_input: dz must be (rows, outputs) and w (inputs, outputs), got dz {dz.shape} and w {w.shape}"
        )
    return matmul(dz, w, transpose_b=True)


class InputGradient:
    """``dz @ w.T``, not computed yet: the ReLU and the dropout before the layer are then undone in the product's registers.

    The tape hands it to nodes that said they take it; sums of gradients turn it into an array. The bits are the same.

    Parameters
    ----------
    dz : ndarray, shape (N, O)
        The gradient before the activation.
    w : ndarray, shape (I, O)
        The layer's weights.
    """

    __slots__ = ("dz", "w")
    __array_ufunc__ = None  # array + this is left to __radd__

    def __init__(self, dz: NDArray[Any], w: NDArray[Any]) -> None:
        self.dz, self.w = dz, w

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self.array() if dtype is None else self.array().astype(dtype, copy=False)

    def __add__(self, other: Any) -> NDArray[Any]:
        return self.array() + np.asarray(other)

    def __radd__(self, other: Any) -> NDArray[Any]:
        return np.asarray(other) + self.array()

    def array(self) -> NDArray[Any]:
        """Return the product (N, I)."""
        return linear_backward_input(self.dz, self.w)


def relu_dropout_backward(dy: NDArray[Any] | InputGradient, y: NDArray[Any], scale: float) -> NDArray[Any]:
    """Return the gradient before a ReLU and the dropout after it, whose output is ``y``: ``dy * scale`` where y is above 0.

    Where y is NaN the gradient goes through, as in `activation_backward`.
    """
    if isinstance(dy, InputGradient):
        quick = plain_input_gradient(dy.dz, dy.w, y, scale)  # None where there is something to look at
        if quick is not None:
            return quick
        dy = dy.array()
    return backend_of(y).relu_dropout_backward(dy, y, scale)
