"""Functions of each value, softmax and dropout on the tape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import ops
from ...autograd import Tensor, record
from ...autograd.tensor import activated, as_tensor
from ...backends import backend_of
from ...ops.checks import ACTIVATION_NAMES


def activation(x: Tensor, name: str | None) -> Tensor:
    """Apply an activation by name; see `catalase.ops.activation`."""
    return activated(as_tensor("activation", "x", x), name)


Function = Callable[[Tensor], Tensor]


def _function_of(name: str) -> Function:
    def function(x: Tensor) -> Tensor:
        return activated(as_tensor(name, "x", x), name)

    function.__name__ = function.__qualname__ = name
    function.__module__ = __package__
    function.__doc__ = f"Apply `catalase.ops.{name}` to each value of a tensor."
    return function


# `catalase.nn.functional` has them under their names.
ACTIVATION_FUNCTIONS = {name: _function_of(name) for name in ACTIVATION_NAMES}


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
