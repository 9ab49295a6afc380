"""Layers that several models build their nets of."""

from __future__ import annotations

from .. import nn
from ..autograd import Tensor
from ..nn.onnx import Graph, Value, exporter


class Activation(nn.Module):
    """An activation by its name; "identity" passes everything through."""

    def __init__(self, activation: str) -> None:
        super().__init__()
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        return x if self.activation == "identity" else nn.functional.activation(x, self.activation)


class PreActivated(nn.Module):
    """Normalization, activation, weights, dropout; added to the input where shapes are equal (arXiv:1603.05027)."""

    def __init__(self, inner: list[nn.Module], skip: bool) -> None:
        super().__init__()
        self.inner, self.skip = inner, skip

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for layer in self.inner:
            y = layer(y)
        return x + y if self.skip else y


@exporter(Activation)
def _activation(graph: Graph, layer: Activation, x: Value) -> Value:
    return graph.activation(x, layer.activation)


@exporter(PreActivated)
def _pre_activated(graph: Graph, layer: PreActivated, x: Value) -> Value:
    y: Value = graph.layers(layer.inner, x)
    return graph.op("Add", x, y) if layer.skip else y
