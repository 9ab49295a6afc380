"""Losses, and the layers that reduce them to one number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import nn
from ..._internal.numbers import choice, number
from ..._internal.registry import Float, Str
from ...autograd import Tensor
from ...nn import functional
from .layer import AXES, Layer, axes, saved


def _alike(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return two tensors in one shape: the one with fewer axes takes the other's shape where it holds as many values."""
    if a.shape != b.shape and a.size == b.size:
        return (a.reshape(b.shape), b) if a.ndim < b.ndim else (a, b.reshape(a.shape))
    if a.shape != b.shape:
        raise ValueError(f"inputs must have one shape, got rows of {a.shape[1:]} and {b.shape[1:]}")
    return a, b


@saved()
class SoftMaxCrossEntropy(Layer):
    """Cross-entropy of a softmax: ``in_layers=[labels, logits]``, logits (N, C), gives (N, 1).

    Labels are one-hot rows or probabilities (N, C), or class numbers (N, 1).
    """

    takes = (2, 2)

    def compute(self, *inputs: Tensor) -> Tensor:
        labels, logits = inputs
        if labels.size == logits.size:
            loss = functional.softmax_cross_entropy(logits, labels.data.reshape(logits.shape))
        elif labels.size * logits.shape[-1] == logits.size:
            loss = nn.losses.SoftmaxCrossEntropy().elementwise(logits, labels.data.reshape(logits.shape[:-1]), None)
        else:
            raise ValueError(
                f"labels with rows of {labels.shape[1:]} do not fit logits with rows of {logits.shape[1:]}"
            )
        return loss.reshape(loss.size, 1)


@saved()
class SigmoidCrossEntropy(Layer):
    """Cross-entropy of a sigmoid, element by element: ``in_layers=[labels, logits]``, of one shape."""

    takes = (2, 2)

    def compute(self, *inputs: Tensor) -> Tensor:
        labels, logits = _alike(*inputs)
        return functional.sigmoid_cross_entropy(logits, labels.data)


class _Distance(Layer):
    takes = (2, 2)

    def compute(self, *inputs: Tensor) -> Tensor:
        guess, label = _alike(*inputs)
        apart = self.apart(guess, label)
        return apart.mean(axis=tuple(range(1, apart.ndim))) if apart.ndim > 1 else apart

    def apart(self, a: Tensor, b: Tensor) -> Tensor:
        raise TypeError(f"{type(self).__name__} has no apart method")


@saved()
class L2Loss(_Distance):
    """Mean squared difference of each row: ``in_layers=[guess, label]``, gives (N,)."""

    def apart(self, a: Tensor, b: Tensor) -> Tensor:
        if not b.requires_grad:
            return functional.squared_error(a, b.data)
        return (a - b) * (a - b)


@saved()
class L1Loss(_Distance):
    """Mean absolute difference of each row: ``in_layers=[guess, label]``, gives (N,)."""

    def apart(self, a: Tensor, b: Tensor) -> Tensor:
        return (a - b).abs()


@saved()
class WeightedError(Layer):
    """Sum of loss times weight: ``in_layers=[loss, weights]``. As in DeepChem it is a sum, so it grows with the batch."""

    takes = (2, 2)

    def compute(self, *inputs: Tensor) -> Tensor:
        loss, weights = _alike(*inputs)
        return (loss * weights).sum()


class _Reduce(Layer):
    takes = (1, 10_000)

    def __init__(self, in_layers: Any = None, axis: int | Sequence[int] | None = None, name: str | None = None) -> None:
        super().__init__(in_layers, name)
        self.axis = axes(type(self).__name__, axis)

    def over(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, tuple[int, ...] | None]:
        """Return the input (several of one shape are stacked, as in DeepChem) and the axes."""
        x = inputs[0]
        if len(inputs) > 1:
            for other in inputs[1:]:
                if other.shape != x.shape:
                    raise ValueError(f"inputs must have one shape, got {[i.shape for i in inputs]}")
            x = functional.concatenate([i.reshape(1, *i.shape) for i in inputs], 0)
        if self.axis is not None and not all(-x.ndim <= a < x.ndim for a in self.axis):
            raise ValueError(f"axis must name axes of {x.shape}, got {self.axis}")
        return x, None if self.axis is None else tuple(a % x.ndim for a in self.axis)


@saved(axis=AXES)
class ReduceMean(_Reduce):
    """The mean over all values, or over an axis.

    Parameters
    ----------
    in_layers : Layer or list of Layer
        Several layers are stacked first, along a new axis 0.
    axis : int or list of int, optional
        Axes are counted with the rows, which are axis 0.
    """

    def compute(self, *inputs: Tensor) -> Tensor:
        x, axis = self.over(inputs)
        return x.mean(axis)


@saved(axis=AXES)
class ReduceSum(_Reduce):
    """The sum over all values, or over an axis; parameters as `ReduceMean`."""

    def compute(self, *inputs: Tensor) -> Tensor:
        x, axis = self.over(inputs)
        return x.sum(axis)


@saved(penalty=Float(low=0), penalty_type=Str(choices=["l1", "l2"]))
class WeightDecay(Layer):
    """Add a penalty on all weights to a loss; it must be the graph's loss itself.

    Parameters
    ----------
    penalty : float
    penalty_type : {"l1", "l2"}
        ``penalty * sum(|w|)``, or ``penalty * sum(w**2) / 2`` as in TensorFlow. Biases have no penalty.

    Notes
    -----
    The optimizer adds the penalty's gradient in the pass over the weights that it makes anyway, at no cost. The reported
    loss does not include the penalty.
    """

    def __init__(self, penalty: float, penalty_type: str, in_layers: Any = None, name: str | None = None) -> None:
        super().__init__(in_layers, name)
        self.penalty = number("WeightDecay", "penalty", penalty, at_least=0)
        self.penalty_type = choice("WeightDecay", "penalty_type", penalty_type, ("l1", "l2"))

    def compute(self, *inputs: Tensor) -> Tensor:
        return inputs[0]
