"""Layers that join others: Concat, Add, Multiply."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..._internal.numbers import is_list, number, shown, whole_number
from ..._internal.registry import Float, Int, List
from ...autograd import Tensor, concatenate
from .layer import Layer, saved


@saved(axis=Int())
class Concat(Layer):
    """Join along an axis.

    Parameters
    ----------
    in_layers : list of Layer
    axis : int
        Counted with the rows, which are axis 0; a negative one from the end.
    """

    takes = (1, 10_000)

    def __init__(self, in_layers: Any = None, axis: int = 1, name: str | None = None) -> None:
        super().__init__(in_layers, name)
        self.axis = whole_number("Concat", "axis", axis, None)

    def compute(self, *inputs: Tensor) -> Tensor:
        first, axis = inputs[0].shape, self.axis
        if not -len(first) <= axis < len(first) or axis % len(first) == 0:
            raise ValueError(f"axis must name an axis of {first} after the rows, got {axis}")
        axis %= len(first)
        for x in inputs[1:]:
            if x.ndim != len(first) or x.shape[1:axis] + x.shape[axis + 1 :] != first[1:axis] + first[axis + 1 :]:
                raise ValueError(f"inputs must agree but for axis {axis}, got rows of {[x.shape[1:] for x in inputs]}")
        return inputs[0] if len(inputs) == 1 else concatenate(inputs, axis)


@saved(weights=List(Float(), 1, 10_000, none=True))
class Add(Layer):
    """The sum, each input times its weight.

    Parameters
    ----------
    in_layers : list of Layer
    weights : list of float, optional
        1 each where left out.
    """

    takes = (1, 10_000)

    def __init__(self, in_layers: Any = None, weights: Sequence[float] | None = None, name: str | None = None) -> None:
        super().__init__(in_layers, name)
        if weights is not None and not is_list(weights):
            raise TypeError(f"Add: weights must be a list of numbers, one an input, got {shown(weights)}")
        self.weights = None if weights is None else [number("Add", "weights", w) for w in weights]

    def compute(self, *inputs: Tensor) -> Tensor:
        weights = self.weights or [1.0] * len(inputs)
        if len(weights) != len(inputs):
            raise ValueError(f"has {len(weights)} weights for {len(inputs)} inputs")
        parts = [x if w == 1 else x * w for x, w in zip(inputs, weights, strict=True)]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total


@saved()
class Multiply(Layer):
    """The product of all inputs."""

    takes = (1, 10_000)

    def compute(self, *inputs: Tensor) -> Tensor:
        product = inputs[0]
        for x in inputs[1:]:
            product = product * x
        return product
