"""The array functions of `catalase.ops`, with the same names and arguments, for tensors: recorded on the tape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...autograd import concatenate, where
from . import losses
from .attention import attention
from .conv import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d
from .elementwise import ACTIVATION_FUNCTIONS, activation, dropout, exp, log, log_softmax, softmax
from .embedding import embedding
from .graph import (
    gather_max,
    gather_rows,
    gather_sum,
    grouped_linear,
    message_passing,
    message_update,
    segment_max,
    segment_mean,
    segment_softmax,
    segment_sum,
)
from .linear import linear, matmul
from .losses import *  # noqa: F403
from .norm import batch_norm, layer_norm, rms_norm
from .pool import (
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    global_avg_pool,
    global_max_pool,
    max_pool1d,
    max_pool2d,
    max_pool3d,
    upsample,
)
from .rnn import gru, lstm, rnn

if TYPE_CHECKING:
    from .elementwise import Function

    elu: Function
    gelu: Function
    gelu_tanh: Function
    hard_sigmoid: Function
    hard_swish: Function
    hard_tanh: Function
    leaky_relu: Function
    mish: Function
    relu: Function
    selu: Function
    sigmoid: Function
    silu: Function
    softplus: Function
    tanh: Function

globals().update(ACTIVATION_FUNCTIONS)

__all__ = [
    *ACTIVATION_FUNCTIONS,
    *losses.__all__,
    "activation",
    "attention",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "concatenate",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "dropout",
    "embedding",
    "exp",
    "gather_max",
    "gather_rows",
    "gather_sum",
    "global_avg_pool",
    "global_max_pool",
    "grouped_linear",
    "gru",
    "layer_norm",
    "linear",
    "lstm",
    "rms_norm",
    "rnn",
    "log",
    "log_softmax",
    "matmul",
    "message_passing",
    "message_update",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "segment_max",
    "segment_mean",
    "segment_softmax",
    "segment_sum",
    "softmax",
    "upsample",
    "where",
]
