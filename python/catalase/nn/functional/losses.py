"""Losses on the tape, not yet reduced."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ... import ops
from ...autograd import Function, Tensor
from ...autograd.tensor import as_tensor
from ...backends import backend_of

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
