"""Layers, losses and initializers, built from `catalase.ops` through the tape."""

from __future__ import annotations

from . import functional, init, losses
from .layers import Dropout, Linear, ReLU, Sequential, Sigmoid, Softmax, Softplus, Tanh
from .module import Module
from .parameter import Parameter, ParameterBuffer, flatten_parameters

__all__ = [
    "Dropout",
    "Linear",
    "Module",
    "Parameter",
    "ParameterBuffer",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "flatten_parameters",
    "functional",
    "init",
    "losses",
]
