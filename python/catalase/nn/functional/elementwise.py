"""Functions of each value, softmax and dropout on the tape."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import ops
from ...autograd import Tensor, record
from ...autograd.tensor import as_tensor
from ...backends import backend_of


def activation(x: Tensor, name: str | None) -> Tensor:
    """Apply an activation by name; see `catalase.ops.activation`."""
    x = as_tensor("activation", "x", x)
    y = ops.activation(x.data, name)
    return record(y, (x,), lambda dy: (ops.activation_backward(dy, y, name),))


def relu(x: Tensor) -> Tensor:
    """Return ``max(x, 0)``; see `catalase.ops.relu`."""
    return as_tensor("relu", "x", x).relu()


def tanh(x: Tensor) -> Tensor:
    """Return the hyperbolic tangent; see `catalase.ops.tanh`."""
    return as_tensor("tanh", "x", x).tanh()


def sigmoid(x: Tensor) -> Tensor:
    """Return ``1 / (1 + exp(-x))``; see `catalase.ops.sigmoid`."""
    return as_tensor("sigmoid", "x", x).sigmoid()


def softplus(x: Tensor) -> Tensor:
    """Return ``log(1 + exp(x))``; see `catalase.ops.softplus`."""
    return as_tensor("softplus", "x", x).softplus()


def exp(x: Tensor) -> Tensor:
    """Return e to the power of each value; see `catalase.ops.exp`."""
    return as_tensor("exp", "x", x).exp()


def log(x: Tensor) -> Tensor:
    """Return the natural logarithm; see `catalase.ops.log`."""
    return as_tensor("log", "x", x).log()


def softmax(x: Tensor) -> Tensor:
    """Return the softmax over the last axis; see `catalase.ops.softmax`."""
    return as_tensor("softmax", "x", x).softmax()


def log_softmax(x: Tensor) -> Tensor:
    """Return the log softmax over the last axis; see `catalase.ops.log_softmax`."""
    return as_tensor("log_softmax", "x", x).log_softmax()


def dropout(x: Tensor, rate: float, *, seed: int, layer: int = 0, step: int = 0) -> Tensor:
    """Drop values at random; see `catalase.ops.dropout`."""
    x = as_tensor("dropout", "x", x)
    key: dict[str, Any] = {"seed": seed, "layer": layer, "step": step}
    kept = backend_of(x.data).empty(x.shape, np.uint8) if x.requires_grad else None
    y = ops.dropout(x.data, rate, **key, kept=kept)
    return record(y, (x,), lambda dy: (ops.dropout_backward(dy, rate, **key, kept=kept),))
