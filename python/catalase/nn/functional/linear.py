"""Products on the tape: dense layers and matrices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import ops
from ..._internal.numbers import shown
from ...autograd import Tensor, is_recording, record
from ...autograd.tensor import activated, as_tensor
from ...backends import backend_of, is_device_array
from ...ops.checks import DERIVED_FROM_INPUT, floating
from ...ops.linear import InputGradient, is_sparse
from ..parameter import Parameter


def linear(
    x: Any,
    w: Tensor,
    b: Tensor | None = None,
    *,
    activation: str | None = None,
    dropout: dict[str, Any] | None = None,
) -> Tensor:
    """Return ``activation(x @ w + b)``, one node on the tape; see `catalase.ops.linear`.

    ``x`` may be a plain array too, and may have leading axes: (..., I) gives (..., O); or a `SparseBatch`. With "relu",
    ``dropout``, the arguments of `dropout` after ``x``, applies it in place: the same bits in one node.
    """
    if dropout is not None:
        _check_dropout(dropout, activation)
    elif isinstance(activation, str) and activation in DERIVED_FROM_INPUT and is_recording():
        # The tape keeps the input of such an activation, so that it is a node of its own; the bits are the same.
        return activated(linear(x, w, b), activation)
    w, b = as_tensor("linear", "w", w), None if b is None else as_tensor("linear", "b", b)
    if is_sparse(x):
        x = _constant(x)
    elif not isinstance(x, (Tensor, np.ndarray)) and not is_device_array(x):
        raise TypeError(f"linear: x must be a Tensor or a NumPy array, got {shown(x)}")
    elif x.ndim < 2:
        raise ValueError(f"linear: x must be (rows, inputs), or have more axes before the last, got shape {x.shape}")
    elif x.ndim > 2:
        flat = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
        return linear(flat, w, b, activation=activation, dropout=dropout).reshape(*x.shape[:-1], w.shape[1])
    if not isinstance(x, Tensor):
        if isinstance(x, np.ndarray) and x.dtype != np.uint8:  # those are packed bits
            floating("linear", "x", x)
        x = _constant(x)
    # A batch of inputs is looked at once, for the forward pass, the gradient and the optimizer. It is kept as it is now:
    # whoever made the array may write into it before the optimizer's step.
    is_input = x._backward is None
    sparse = _sparse(x.data, w.dtype) if is_input and not x.requires_grad else None
    y = ops.linear(x.data if sparse is None else sparse, w.data, None if b is None else b.data, activation=activation)
    scale = 1.0
    if dropout is not None:
        y = ops.dropout(y, **dropout, out=y if type(y) is np.ndarray else None)
        scale = 1.0 / (1.0 - dropout["rate"])
    parents = (x, w) if b is None else (x, w, b)

    def backward(dy: NDArray[Any]) -> tuple[Any, ...]:
        out_db = b.grad_target() if isinstance(b, Parameter) else None
        dz, db = ops.linear_backward_bias(dy, y, activation=activation, out_db=out_db, scale=scale)
        dx: NDArray[Any] | InputGradient | None = None
        if x.requires_grad and getattr(x._backward, "takes_product", False):
            dx = InputGradient(dz, w.data)  # the layer before multiplies it out, and undoes its ReLU on the way
        elif x.requires_grad:
            dx = ops.linear_backward_input(dz, w.data)
        if isinstance(w, Parameter) and w.grad_target() is not None:
            # The first gradient of the step stays a product until somebody asks for it.
            kept = sparse if sparse is not None else backend_of(x.data).copy(x.data) if is_input else x.data
            return (dx, ops.LinearGradient(kept, backend_of(dz).copy(dz) if dz is dy else dz), db)[: len(parents)]
        return (dx, ops.LinearGradient(x.data if sparse is None else sparse, dz).array(), db)[: len(parents)]

    backward.takes_product = activation == "relu" and type(y) is np.ndarray  # type: ignore[attr-defined]
    return record(y, parents, backward)


def _check_dropout(dropout: Any, activation: Any) -> None:
    if not isinstance(activation, str) or activation != "relu":
        raise ValueError(f"linear: dropout goes with activation 'relu', got {shown(activation)}; apply it after")
    if not isinstance(dropout, dict):
        raise TypeError(f"linear: dropout must be the keyword arguments of dropout, got {shown(dropout)}")
    if not {"rate", "seed"} <= dropout.keys() <= {"rate", "seed", "layer", "step"}:
        raise ValueError(f"linear: dropout needs rate and seed, and takes layer and step, got {shown(list(dropout))}")


def matmul(a: Tensor, b: Tensor, *, transpose_a: bool = False, transpose_b: bool = False) -> Tensor:
    """Multiply matrices, or stacks of them; see `catalase.ops.matmul`."""
    a, b = as_tensor("matmul", "a", a), as_tensor("matmul", "b", b)
    y = ops.matmul(a.data, b.data, transpose_a=transpose_a, transpose_b=transpose_b)

    def backward(dy: NDArray[Any]) -> tuple[NDArray[Any] | None, ...]:
        return ops.matmul_backward(dy, a.data, b.data, transpose_a=transpose_a, transpose_b=transpose_b)

    return record(y, (a, b), backward)


def _sparse(x: Any, dtype: Any) -> Any:
    """The entries of an input that are not zero, where that pays. Floats on a device are not counted: it would wait."""
    if isinstance(x, (np.ndarray, ops.SparseBatch)) or not is_device_array(x) or x.dtype == np.uint8:
        return ops.as_sparse(x, dtype)
    return None


def _constant(x: Any) -> Tensor:
    """An input that only this kernel takes: packed bits, which are uint8, or a SparseBatch."""
    out = Tensor(0.0)
    out.data = x
    return out
