"""The layers of a `TensorGraph`. Each takes ``in_layers``, a layer or a list of layers, and ``name``.

Arguments and defaults are DeepChem 2.1's. Activations and initializers are given by name; None leaves them out.
"""

from __future__ import annotations

from .inputs import Feature, Label, Weights
from .layer import Layer
from .losses import (
    L1Loss,
    L2Loss,
    ReduceMean,
    ReduceSum,
    SigmoidCrossEntropy,
    SoftMaxCrossEntropy,
    WeightDecay,
    WeightedError,
)
from .unweighted import (
    Add,
    AvgPool1D,
    AvgPool2D,
    AvgPool3D,
    Concat,
    Dropout,
    Flatten,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    Multiply,
    ReLU,
    Reshape,
    Sigmoid,
    SoftMax,
    Tanh,
)
from .weighted import GRU, LSTM, BatchNorm, Conv1D, Conv2D, Conv2DTranspose, Conv3D, Conv3DTranspose, Dense

__all__ = [
    "Add",
    "AvgPool1D",
    "AvgPool2D",
    "AvgPool3D",
    "BatchNorm",
    "Concat",
    "Conv1D",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "Dense",
    "Dropout",
    "Feature",
    "Flatten",
    "GRU",
    "L1Loss",
    "L2Loss",
    "LSTM",
    "Label",
    "Layer",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "Multiply",
    "ReLU",
    "ReduceMean",
    "ReduceSum",
    "Reshape",
    "Sigmoid",
    "SigmoidCrossEntropy",
    "SoftMax",
    "SoftMaxCrossEntropy",
    "Tanh",
    "WeightDecay",
    "WeightedError",
    "Weights",
]
