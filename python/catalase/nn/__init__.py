"""Layers, losses and initializers, built from `catalase.ops` through the tape."""

from __future__ import annotations

from . import functional, init, losses
from .conv_layers import Conv1D, Conv2D, Conv3D, ConvTranspose1D, ConvTranspose2D, ConvTranspose3D
from .layers import Dropout, Linear, ReLU, Sequential, Sigmoid, Softmax, Softplus, Tanh
from .module import Module
from .parameter import Parameter, ParameterBuffer, flatten_parameters

__all__ = [
    "Conv1D",
    "Conv2D",
    "Conv3D",
    "ConvTranspose1D",
    "ConvTranspose2D",
    "ConvTranspose3D",
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
