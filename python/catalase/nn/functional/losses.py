"""Losses on the tape, not yet reduced."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import ops
from ...autograd import Function, Tensor
from ...autograd.tensor import as_tensor
from ...backends import CPU, backend_of

__all__ = ["sigmoid_cross_entropy", "softmax_cross_entropy", "squared_error"]


class WeightedLoss(Function):
    """A loss of each row or element; ``name`` is that of the function in `catalase.ops`."""

    def forward(self, output: NDArray[Any], *, name: str, labels: Any, weights: Any) -> NDArray[Any]:
        self.output, self.name, self.labels, self.weights = output, name, labels, weights
        return getattr(ops, name)(output, labels, weights)

    def backward(self, d: NDArray[Any]) -> tuple[Any, ...]:
        if not d.flags.c_contiguous:  # a broadcast gradient, of a mean for example
            d = backend_of(d).contiguous(d)
        return (getattr(ops, f"{self.name}_backward")(d, self.output, self.labels, self.weights),)


class WithSlope(Function):
    """A loss of each element or row; ``pair`` maps the output, labels and weights to its weighted value and slope."""

    def forward(
        self, output: NDArray[Any], *, pair: Callable[..., tuple[Any, Any]], labels: Any, weights: Any
    ) -> NDArray[Any]:
        with np.errstate(over="ignore", invalid="ignore"):  # the result shows infinity and NaN
            value, self.slope = pair(backend_of(output, labels), output, labels, weights)
        return value

    def backward(self, d: NDArray[Any]) -> tuple[Any, ...]:
        xp = backend_of(d)
        if d.ndim < self.slope.ndim:  # of a row
            d = xp.reshape(d, (*d.shape, 1))
        return (xp.multiply(self.slope, d),)


class Mean(Function):
    """The mean of a loss over all labels, which training minimizes; that of nothing is NaN."""

    def forward(self, loss: NDArray[Any]) -> NDArray[Any]:
        xp = CPU if type(loss) is np.ndarray else backend_of(loss)
        self.shape, self.count = loss.shape, loss.dtype.type(max(1, loss.size))
        if not loss.size:
            return xp.full((), math.nan, loss.dtype)
        total = xp.sum(loss)
        return np.asarray(total / self.count) if xp.is_host else xp.divide(total, self.count)

    def backward(self, d: NDArray[Any]) -> tuple[Any, ...]:
        if type(d) is np.ndarray:
            return (np.full(self.shape, d / self.count, d.dtype),)
        xp = backend_of(d)
        return (xp.broadcast_to(xp.divide(d, self.count), self.shape),)


def mean_loss(loss: Tensor) -> Tensor:
    """Return the mean of a loss over all labels, one operation on the tape."""
    return Mean.apply(loss)


def softmax_cross_entropy(logits: Tensor, labels: NDArray[Any], weights: NDArray[Any] | None = None) -> Tensor:
    """Return the weighted loss of each row; see `catalase.ops.softmax_cross_entropy`."""
    if not isinstance(logits, Tensor):
        logits = as_tensor("softmax_cross_entropy", "logits", logits)
    return WeightedLoss.apply(logits, name="softmax_cross_entropy", labels=labels, weights=weights)


def sigmoid_cross_entropy(logits: Tensor, labels: NDArray[Any], weights: NDArray[Any] | None = None) -> Tensor:
    """Return the weighted loss of each element; see `catalase.ops.sigmoid_cross_entropy`."""
    logits = as_tensor("sigmoid_cross_entropy", "logits", logits)
    return WeightedLoss.apply(logits, name="sigmoid_cross_entropy", labels=labels, weights=weights)


def squared_error(pred: Tensor, target: NDArray[Any], weights: NDArray[Any] | None = None) -> Tensor:
    """Return the weighted squared error of each element; see `catalase.ops.squared_error`."""
    pred = as_tensor("squared_error", "pred", pred)
    return WeightedLoss.apply(pred, name="squared_error", labels=target, weights=weights)
