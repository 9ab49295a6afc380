"""Array functions, which take and return NumPy arrays and record no gradients.

Some functions also take CuPy arrays, run a CUDA kernel and return CuPy arrays; ``docs/gpu.md`` lists them.
Each function checks its inputs once and calls one kernel. Every differentiable function has its ``*_backward``.
"""

from __future__ import annotations

from ..backends.base import RnnSaved
from . import elementwise, loss, optim
from .attention import attention, attention_backward, attention_forward
from .augment import augment_images
from .conv import (
    conv1d,
    conv1d_backward,
    conv2d,
    conv2d_backward,
    conv3d,
    conv3d_backward,
    conv_transpose1d,
    conv_transpose1d_backward,
    conv_transpose2d,
    conv_transpose2d_backward,
    conv_transpose3d,
    conv_transpose3d_backward,
)
from .convnd import convnd, convnd_backward
from .descriptors import descriptors
from .dropout import dropout, dropout_backward
from .ecfp import ecfp
from .elementwise import *  # noqa: F403
from .embedding import embedding, embedding_backward
from .environments import EnvironmentBatch, Environments, RowLists, environments
from .fingerprints import atom_pairs, maccs, rdkit_fingerprint, topological_torsions
from .graph import (
    gather_max,
    gather_max_backward,
    gather_rows,
    gather_rows_backward,
    gather_sum,
    gather_sum_backward,
    grouped_linear,
    grouped_linear_backward,
    message_update,
    message_update_backward,
    message_update_forward,
    segment_max,
    segment_max_backward,
    segment_mean,
    segment_mean_backward,
    segment_softmax,
    segment_softmax_backward,
    segment_sum,
    segment_sum_backward,
    transpose_index,
)
from .linalg import cholesky, solve_triangular
from .linear import (
    LinearGradient,
    SparseBatch,
    as_sparse,
    linear,
    linear_backward,
    linear_backward_bias,
    linear_backward_input,
)
from .loss import *  # noqa: F403
from .matmul import matmul, matmul_backward
from .memory import empty
from .mol_graphs import MolGraphs, mol_graphs
from .norm import batch_norm, batch_norm_backward, layer_norm, layer_norm_backward, rms_norm, rms_norm_backward
from .one_hot_dna import one_hot_dna
from .optim import *  # noqa: F403
from .pool import (
    avg_pool1d,
    avg_pool1d_backward,
    avg_pool2d,
    avg_pool2d_backward,
    avg_pool3d,
    avg_pool3d_backward,
    global_avg_pool,
    global_avg_pool_backward,
    global_max_pool,
    global_max_pool_backward,
    max_pool1d,
    max_pool1d_backward,
    max_pool2d,
    max_pool2d_backward,
    max_pool3d,
    max_pool3d_backward,
    upsample,
    upsample_backward,
)
from .rnn import gru, gru_backward, gru_forward, lstm, lstm_backward, lstm_forward, rnn, rnn_backward, rnn_forward
from .softmax import log_softmax, log_softmax_backward, softmax, softmax_backward
from .substructure import substructure
from .tanimoto import tanimoto, tanimoto_counts, tanimoto_topk

__all__ = [
    *loss.__all__,
    *optim.__all__,
    "MolGraphs",
    "RnnSaved",
    "gru",
    "gru_backward",
    "gru_forward",
    "lstm",
    "lstm_backward",
    "lstm_forward",
    "rnn",
    "rnn_backward",
    "rnn_forward",
    "LinearGradient",
    "SparseBatch",
    "as_sparse",
    "attention",
    "attention_backward",
    "attention_forward",
    "avg_pool1d",
    "cholesky",
    "solve_triangular",
    "avg_pool1d_backward",
    "avg_pool2d",
    "avg_pool2d_backward",
    "avg_pool3d",
    "avg_pool3d_backward",
    "batch_norm",
    "batch_norm_backward",
    "conv1d",
    "conv1d_backward",
    "conv2d",
    "conv2d_backward",
    "conv3d",
    "conv3d_backward",
    "conv_transpose1d",
    "conv_transpose1d_backward",
    "conv_transpose2d",
    "conv_transpose2d_backward",
    "conv_transpose3d",
    "conv_transpose3d_backward",
    "convnd",
    "convnd_backward",
    "atom_pairs",
    "augment_images",
    "descriptors",
    "dropout",
    "dropout_backward",
    "ecfp",
    "embedding",
    "embedding_backward",
    "EnvironmentBatch",
    "Environments",
    "RowLists",
    "empty",
    "environments",
    "gather_max",
    "gather_max_backward",
    "gather_rows",
    "gather_rows_backward",
    "gather_sum",
    "gather_sum_backward",
    "global_avg_pool",
    "global_avg_pool_backward",
    "global_max_pool",
    "global_max_pool_backward",
    "grouped_linear",
    "grouped_linear_backward",
    "layer_norm",
    "layer_norm_backward",
    "linear",
    "linear_backward",
    "linear_backward_bias",
    "linear_backward_input",
    "log_softmax",
    "log_softmax_backward",
    "maccs",
    "matmul",
    "matmul_backward",
    "max_pool1d",
    "max_pool1d_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "max_pool3d",
    "max_pool3d_backward",
    "mol_graphs",
    "message_update",
    "message_update_backward",
    "message_update_forward",
    "one_hot_dna",
    "rdkit_fingerprint",
    "rms_norm",
    "rms_norm_backward",
    "segment_max",
    "segment_max_backward",
    "segment_mean",
    "segment_mean_backward",
    "segment_softmax",
    "segment_softmax_backward",
    "segment_sum",
    "segment_sum_backward",
    "softmax",
    "softmax_backward",
    "substructure",
    "tanimoto",
    "tanimoto_counts",
    "tanimoto_topk",
    "transpose_index",
    "topological_torsions",
    "upsample",
    "upsample_backward",
    *elementwise.__all__,
]
