"""Activations as layers. Which there are is said by ``cpp/elementwise/activations.h``."""

from __future__ import annotations

from typing import ClassVar

from ..autograd import Tensor
from . import functional
from .module import TensorModule

__all__ = ["ELU", "GELU", "LeakyReLU", "ReLU", "SiLU", "Sigmoid", "Softplus", "Tanh"]


class Activation(TensorModule):
    """A layer that applies the activation ``name`` to each value."""

    name: ClassVar[str] = "identity"

    def forward(self, x: Tensor) -> Tensor:
        return functional.activation(x, self.name)


class ReLU(Activation):
    """``max(x, 0)``."""

    name = "relu"


class Tanh(Activation):
    """The hyperbolic tangent."""

    name = "tanh"


class Sigmoid(Activation):
    """``1 / (1 + exp(-x))``."""

    name = "sigmoid"


class Softplus(Activation):
    """``log(1 + exp(x))``."""

    name = "softplus"


class ELU(Activation):
    """``x`` from 0 and ``exp(x) - 1`` below."""

    name = "elu"


class GELU(Activation):
    """``x / 2 * (1 + erf(x / sqrt(2)))``."""

    name = "gelu"


class SiLU(Activation):
    """``x / (1 + exp(-x))``."""

    name = "silu"


class LeakyReLU(Activation):
    """``x`` from 0 and ``0.01 * x`` below."""

    name = "leaky_relu"
