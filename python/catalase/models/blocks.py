"""Layers that several models build their nets of."""

from __future__ import annotations

from .. import nn
from ..autograd import Tensor


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
