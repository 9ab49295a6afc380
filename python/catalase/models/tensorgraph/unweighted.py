"""Layers without parameters: shapes, pooling, dropout, activations, and the layers that join others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from ... import nn
from ..._internal.numbers import is_list, is_whole, number, shown, whole_number
from ..._internal.registry import AnyOf, Float, Int, List
from ...autograd import Tensor, concatenate
from ...nn.onnx import Graph, Value
from ..settings import Share
from .layer import PADDING, SIZES, Layer, Shape, each, padding_name, saved, sizes


@saved(shape=List(AnyOf(Int(-1), none=True), 1, 16))
class Reshape(Layer):
    """Give the rows another shape.

    Parameters
    ----------
    shape : tuple
        The rows come first, as None or -1; one of the other lengths may be -1 or None.
    """

    def __init__(self, shape: Sequence[int | None], in_layers: Any = None, name: str | None = None) -> None:
        super().__init__(in_layers, name)
        if not isinstance(shape, (list, tuple)) or not shape:
            raise ValueError(f"Reshape: shape must be a tuple such as (None, 28, 28), got {shown(shape)}")
        lengths = [-1 if n is None else n for n in shape]
        if not all(is_whole(n) and (n > 0 or n == -1) for n in lengths):
            raise ValueError(f"Reshape: the lengths of shape must be 1 or more, -1 or None, got {shown(lengths)}")
        if lengths[0] != -1 or lengths[1:].count(-1) > 1:
            raise ValueError(
                f"Reshape: the first length of shape stands for the rows and must be None or -1, and one other at most may be; "
                f"got {shown(lengths)}"
            )
        self.shape = [int(n) for n in lengths]

    def build(self, shapes: list[Shape], rng: np.random.Generator | None) -> nn.Module:
        return nn.Reshape(tuple(self.shape[1:]))


@saved()
class Flatten(Layer):
    """Join all axes but the rows into one."""

    def compute(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        return x.reshape(x.shape[0], math.prod(x.shape[1:]))

    def operators(self, graph: Graph, *inputs: Value) -> Value:
        return graph.op("Flatten", inputs[0], axis=1, rank=2)


class _Pool(Layer):
    dims: ClassVar[int]
    module: ClassVar[Any]

    def __init__(
        self,
        ksize: Any = 2,
        strides: Any = 2,
        padding: str = "SAME",
        in_layers: Any = None,
        name: str | None = None,
    ) -> None:
        super().__init__(in_layers, name)
        kind = type(self).__name__
        self.ksize = sizes(kind, "ksize", _inner(kind, "ksize", ksize, self.dims), self.dims)
        self.strides = sizes(kind, "strides", _inner(kind, "strides", strides, self.dims), self.dims)
        self.padding = padding_name(kind, padding)

    def build(self, shapes: list[Shape], rng: np.random.Generator | None) -> nn.Module:
        return self.module(each(self.ksize), each(self.strides), self.padding)


def _inner(kind: str, key: str, value: Any, dims: int) -> Any:
    """Return the sizes without those for rows and channels, which TensorFlow's form has first and last, both 1."""
    if isinstance(value, (list, tuple)) and len(value) == dims + 2:
        if value[0] != 1 or value[-1] != 1:
            raise ValueError(f"{kind}: {key} must be 1 for rows and channels, got {shown(value)}")
        return value[1:-1]
    return value


_POOL = {"ksize": SIZES, "strides": SIZES, "padding": PADDING}


class _Pool1D(_Pool):
    dims = 1

    def __init__(
        self,
        window_shape: Any = 2,
        strides: Any = 1,
        padding: str = "SAME",
        in_layers: Any = None,
        name: str | None = None,
    ) -> None:
        super().__init__(window_shape, strides, padding, in_layers, name)
        self.window_shape = self.ksize


@saved(window_shape=SIZES, strides=SIZES, padding=PADDING)
class MaxPool1D(_Pool1D):
    """The largest value of each window of (N, L, C).

    Parameters
    ----------
    window_shape, strides : int
        The defaults are 2 and 1, as in DeepChem.
    padding : {"SAME", "VALID"}
    """

    module = nn.MaxPool1D


@saved(window_shape=SIZES, strides=SIZES, padding=PADDING)
class AvgPool1D(_Pool1D):
    """The mean of each window of (N, L, C), padding not counted; parameters as `MaxPool1D`."""

    module = nn.AvgPool1D


@saved(**_POOL)
class MaxPool2D(_Pool):
    """The largest value of each window of (N, H, W, C).

    Parameters
    ----------
    ksize, strides : int, or one for each dimension, or TensorFlow's [1, 2, 2, 1]
        The default is 2.
    padding : {"SAME", "VALID"}
    """

    dims, module = 2, nn.MaxPool2D


@saved(**_POOL)
class MaxPool3D(_Pool):
    """The largest value of each window of (N, D, H, W, C); parameters as `MaxPool2D`."""

    dims, module = 3, nn.MaxPool3D


@saved(**_POOL)
class AvgPool2D(_Pool):
    """The mean of each window of (N, H, W, C), padding not counted; parameters as `MaxPool2D`."""

    dims, module = 2, nn.AvgPool2D


@saved(**_POOL)
class AvgPool3D(_Pool):
    """The mean of each window of (N, D, H, W, C), padding not counted; parameters as `MaxPool2D`."""

    dims, module = 3, nn.AvgPool3D


@saved(dropout_prob=Float(low=0, high=1))
class Dropout(Layer):
    """Drop values at random while training.

    Parameters
    ----------
    dropout_prob : float
        The share of values that is dropped, from 0 to below 1.
    """

    def __init__(self, dropout_prob: float, in_layers: Any = None, name: str | None = None) -> None:
        super().__init__(in_layers, name)
        self.dropout_prob = Share().take(dropout_prob, "Dropout", "dropout_prob")

    def build(self, shapes: list[Shape], rng: np.random.Generator | None) -> nn.Module:
        return nn.Dropout(self.dropout_prob)


@saved()
class SoftMax(Layer):
    """Probabilities over the last axis."""

    def compute(self, *inputs: Tensor) -> Tensor:
        return inputs[0].softmax()

    def operators(self, graph: Graph, *inputs: Value) -> Value:
        return graph.op("Softmax", inputs[0], axis=-1)


class _Activation(Layer):
    activation: ClassVar[str]

    def compute(self, *inputs: Tensor) -> Tensor:
        return nn.functional.activation(inputs[0], self.activation)

    def operators(self, graph: Graph, *inputs: Value) -> Value:
        return graph.activation(inputs[0], self.activation)


@saved()
class ReLU(_Activation):
    """The larger of each value and 0."""

    activation = "relu"


@saved()
class Sigmoid(_Activation):
    """``1 / (1 + exp(-x))`` of each value."""

    activation = "sigmoid"


@saved()
class Tanh(_Activation):
    """The hyperbolic tangent of each value."""

    activation = "tanh"


@saved(axis=Int())
class Concat(Layer):
    """Join layers along an axis.

    Parameters
    ----------
    in_layers : list of Layer
    axis : int
        It is counted with the rows, which are axis 0; a negative axis counts from the end.
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

    def operators(self, graph: Graph, *inputs: Value) -> Value:
        return graph.op("Concat", *inputs, axis=self.axis)


@saved(weights=List(Float(), 1, 10_000, none=True))
class Add(Layer):
    """The sum of the inputs, each times its weight.

    Parameters
    ----------
    in_layers : list of Layer
    weights : list of float, optional
        The default is 1 for each.
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

    def operators(self, graph: Graph, *inputs: Value) -> Value:
        weights = self.weights or [1.0] * len(inputs)
        total, *parts = (graph.op("Mul", x, np.float32(w)) for x, w in zip(inputs, weights, strict=True))
        for part in parts:
            total = graph.op("Add", total, part, rank=max(total.rank, part.rank))
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

    def operators(self, graph: Graph, *inputs: Value) -> Value:
        product = inputs[0]
        for x in inputs[1:]:
            product = graph.op("Mul", product, x, rank=max(product.rank, x.rank))
        return product
