"""Products on the tape: dense layers and matrices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import ops
from ..._internal.numbers import shown
from ...autograd import Function, Tensor, is_recording
from ...autograd.tensor import activated, as_tensor
from ...backends import is_device_array
from ...ops.checks import DERIVED_FROM_INPUT, floating
from ...ops.linear import DeferredMatmul, before_activation, is_sparse


class Linear(Function):
    """``activation(x @ w + b)``, and the dropout after it; x, w and the output are matrices, but for the output's shape.

    Its gradients of ``x`` and ``w`` are deferred. With ReLU on the CPU it takes a deferred gradient at its output, whose
    product then undoes the ReLU and the dropout in its registers.
    """

    def forward(
        self,
        x: Any,
        w: NDArray[Any],
        b: NDArray[Any] | None,
        *,
        activation: str | None = None,
        dropout: dict[str, Any] | None = None,
        is_input: bool = False,
        shape: tuple[int, ...] | None = None,
    ) -> NDArray[Any]:
        """Compute the output, with the axes ``shape`` in place of (N, O) where given.

        ``is_input``: x is a batch that the tape did not make. It is looked at once, for the forward pass, the gradient and
        the optimizer, and others may write into it before the optimizer's step.
        """
        if is_input and not self.needs[0] and (type(x) is np.ndarray or not is_device_array(x) or x.dtype == np.uint8):
            sparse = ops.as_sparse(x, w.dtype)  # floats on a device are not counted: the host would wait for it
            if sparse is not None:
                x, is_input = sparse, False
        y = ops.linear(x, w, b, activation=activation)
        self.scale = 1.0
        if dropout is not None:
            y = ops.dropout(y, **dropout, out=y if type(y) is np.ndarray else None)
            self.scale = 1.0 / (1.0 - dropout["rate"])
        if self.recorded:
            self.x, self.w, self.y, self.activation, self.is_input = x, w, y, activation, is_input
            self.takes_deferred = shape is None and activation == "relu" and type(y) is np.ndarray
        return y if shape is None else y.reshape(shape)

    def backward(self, dy: Any) -> tuple[Any, ...]:
        y = self.y
        if dy.shape != y.shape:
            dy = dy.reshape(y.shape)
        out = self.gradient_out(2)
        dz, db = before_activation("linear_backward", dy, y, self.activation, out, self.scale, own_out=out is not None)
        dx = DeferredMatmul(dz, self.w) if self.needs[0] else None
        return dx, DeferredMatmul(self.x, dz, transpose_a=True, borrowed=self.is_input), db


def linear(
    x: Any,
    w: Tensor,
    b: Tensor | None = None,
    *,
    activation: str | None = None,
    dropout: dict[str, Any] | None = None,
    output_shape: tuple[int, ...] | None = None,
) -> Tensor:
    """Return ``activation(x @ w + b)``; see `catalase.ops.linear`.

    One operation on the tape, or two with an activation whose derivative is computed from its input, such as "gelu".

    Parameters
    ----------
    x : Tensor, array or SparseBatch
        (..., I), which gives (..., O); packed bits and a `SparseBatch` are (N, I).
    w, b, activation
        As for `catalase.ops.linear`.
    dropout : dict, optional
        Keyword arguments of `dropout`; with "relu" only. It is applied in place to the output inside the same operation,
        with the same bits.
    output_shape : tuple of int, optional
        Axes in place of the last one of the output.
    """
    if dropout is not None:
        _check_dropout(dropout, activation)
    elif isinstance(activation, str) and activation in DERIVED_FROM_INPUT and is_recording():
        # The tape keeps the input of such an activation, so that it is an operation of its own; the bits are the same.
        return activated(linear(x, w, b), activation)
    w = w if isinstance(w, Tensor) else as_tensor("linear", "w", w)
    b = b if b is None or isinstance(b, Tensor) else as_tensor("linear", "b", b)
    shape, array = None, x.data if isinstance(x, Tensor) else x
    if type(array) is np.ndarray or not is_sparse(array):
        if not isinstance(array, np.ndarray) and not is_device_array(array):
            raise TypeError(f"linear: x must be a Tensor or a NumPy array, got {shown(x)}")
        if array.ndim < 2:
            raise ValueError(
                f"linear: x must be (rows, inputs), or have more axes before the last, got shape {x.shape}"
            )
        if array.ndim > 2 or output_shape is not None:
            shape = (*array.shape[:-1], *(w.shape[-1:] if output_shape is None else output_shape))
        if array.ndim > 2:
            x = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
        if isinstance(x, np.ndarray) and x.dtype != np.uint8:  # those are packed bits
            floating("linear", "x", x)
    elif output_shape is not None:
        shape = (array.shape[0], *output_shape)
    is_input = not isinstance(x, Tensor) or x._operation is None
    return Linear.apply(x, w, b, activation=activation, dropout=dropout, is_input=is_input, shape=shape)


def _check_dropout(dropout: Any, activation: Any) -> None:
    if not isinstance(activation, str) or activation != "relu":
        raise ValueError(f"linear: dropout goes with activation 'relu', got {shown(activation)}; apply it after")
    if not isinstance(dropout, dict):
        raise TypeError(f"linear: dropout must be the keyword arguments of dropout, got {shown(dropout)}")
    if not {"rate", "seed"} <= dropout.keys() <= {"rate", "seed", "layer", "step"}:
        raise ValueError(f"linear: dropout needs rate and seed, and takes layer and step, got {shown(list(dropout))}")


class MatMul(Function):
    """The product of two matrices, or of stacks of them."""

    def forward(self, a: NDArray[Any], b: NDArray[Any], **transposes: Any) -> NDArray[Any]:
        self.a, self.b, self.transposes = a, b, transposes
        return ops.matmul(a, b, **transposes)

    def backward(self, dy: NDArray[Any]) -> tuple[Any, ...]:
        return ops.matmul_backward(dy, self.a, self.b, **self.transposes)


def matmul(a: Tensor, b: Tensor, *, transpose_a: bool = False, transpose_b: bool = False) -> Tensor:
    """Multiply matrices, or stacks of them; see `catalase.ops.matmul`."""
    a, b = as_tensor("matmul", "a", a), as_tensor("matmul", "b", b)
    return MatMul.apply(a, b, transpose_a=transpose_a, transpose_b=transpose_b)
