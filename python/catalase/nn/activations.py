"""Activations as layers. Which there are is said by ``cpp/elementwise/activations.h``."""

from __future__ import annotations

from typing import ClassVar

from ..autograd import Tensor
from . import functional
from .module import TensorModule

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "GELUTanh",
    "HardSigmoid",
    "HardSwish",
    "HardTanh",
    "LeakyReLU",
    "Mish",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Tanh",
]


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


class SELU(Activation):
    """``1.0507 * x`` from 0 and ``1.7581 * (exp(x) - 1)`` below."""

    name = "selu"


class GELUTanh(Activation):
    """``x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))``."""

    name = "gelu_tanh"


class Mish(Activation):
    """``x * tanh(log(1 + exp(x)))``."""

    name = "mish"


class HardSigmoid(Activation):
    """``x / 6 + 1 / 2``, but from 0 to 1."""

    name = "hard_sigmoid"


class HardTanh(Activation):
    """``x``, but from -1 to 1."""

    name = "hard_tanh"


class HardSwish(Activation):
    """``x`` times `HardSigmoid`."""

    name = "hard_swish"
