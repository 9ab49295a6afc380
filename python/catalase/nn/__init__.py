"""Layers, losses and initializers, built on `catalase.ops` with gradients on the tape."""

from __future__ import annotations

from . import activations, functional, init, losses, tf_nn
from .activations import *  # noqa: F403
from .attention import (
    LearnedPositions,
    MultiHeadAttention,
    SinusoidalPositions,
    TransformerEncoder,
    TransformerEncoderLayer,
)
from .batch_norm import BatchNorm
from .buffer import Buffer
from .conv_layers import Conv1D, Conv2D, Conv3D, ConvTranspose1D, ConvTranspose2D, ConvTranspose3D
from .embedding import Embedding
from .folding import fold_batch_norm
from .graph import DirectedMessagePassing, GINConv, GraphConv, GraphGather, GraphPool, GraphReadout
from .graph_attention import AttentiveFP, GATConv
from .group_norm import GroupNorm
from .inspection import dead_relu, summary
from .layer_norm import LayerNorm
from .layers import Dropout, GaussianNoise, Linear, Sequential, Softmax
from .modes import inference
from .module import Module
from .parameter import Parameter, ParameterBuffer, flatten_parameters
from .pooling import (
    AvgPool1D,
    AvgPool2D,
    AvgPool3D,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    Reshape,
    Upsample,
)
from .recurrent import GRU, LSTM, RNN, Bidirectional, detach_state
from .recurrent_weights import recurrent_from_torch, recurrent_to_torch
from .rms_norm import RMSNorm

__all__ = [
    "RNN",
    "GRU",
    "LSTM",
    "Bidirectional",
    "detach_state",
    "recurrent_from_torch",
    "recurrent_to_torch",
    "AttentiveFP",
    "AvgPool1D",
    "AvgPool2D",
    "AvgPool3D",
    "BatchNorm",
    "Buffer",
    "Conv1D",
    "Conv2D",
    "Conv3D",
    "ConvTranspose1D",
    "ConvTranspose2D",
    "ConvTranspose3D",
    "DirectedMessagePassing",
    "Dropout",
    "GaussianNoise",
    "Embedding",
    "Flatten",
    "GATConv",
    "GINConv",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "GraphConv",
    "GraphGather",
    "GraphPool",
    "GraphReadout",
    "GroupNorm",
    "LayerNorm",
    "LearnedPositions",
    "Linear",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "Module",
    "MultiHeadAttention",
    "Parameter",
    "ParameterBuffer",
    "RMSNorm",
    "Reshape",
    "Sequential",
    "SinusoidalPositions",
    "Softmax",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "Upsample",
    "dead_relu",
    "flatten_parameters",
    "fold_batch_norm",
    "functional",
    "inference",
    "init",
    "losses",
    "summary",
    "tf_nn",
    *activations.__all__,
]
