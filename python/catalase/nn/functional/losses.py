"""Losses on the tape, not yet reduced."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ... import ops
from ...autograd import Tensor, record
from ...autograd.tensor import as_tensor
from ...backends import backend_of


def softmax_cross_entropy(logits: Tensor, labels: NDArray[Any], weights: NDArray[Any] | None = None) -> Tensor:
    """Return the weighted loss of each row; see `catalase.ops.softmax_cross_entropy`."""
    logits = as_tensor("softmax_cross_entropy", "logits", logits)
    loss = ops.softmax_cross_entropy(logits.data, labels, weights)
    return record(
        loss, (logits,), lambda d: (ops.softmax_cross_entropy_backward(_dense(d), logits.data, labels, weights),)
    )


def sigmoid_cross_entropy(logits: Tensor, labels: NDArray[Any], weights: NDArray[Any] | None = None) -> Tensor:
    """Return the weighted loss of each element; see `catalase.ops.sigmoid_cross_entropy`."""
    logits = as_tensor("sigmoid_cross_entropy", "logits", logits)
    loss = ops.sigmoid_cross_entropy(logits.data, labels, weights)
    return record(
        loss, (logits,), lambda d: (ops.sigmoid_cross_entropy_backward(_dense(d), logits.data, labels, weights),)
    )


def squared_error(pred: Tensor, target: NDArray[Any], weights: NDArray[Any] | None = None) -> Tensor:
    """Return the weighted squared error of each element; see `catalase.ops.squared_error`."""
    pred = as_tensor("squared_error", "pred", pred)
    loss = ops.squared_error(pred.data, target, weights)
    return record(loss, (pred,), lambda d: (ops.squared_error_backward(_dense(d), pred.data, target, weights),))


def _dense(d: NDArray[Any]) -> NDArray[Any]:
    """A broadcast gradient (of a mean, say) as an array of its own."""
    return backend_of(d).contiguous(d)
