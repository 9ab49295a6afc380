"""The layers of models of sequences with ``cell="transformer"``: a projection, positions and an encoder."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import nn
from ..autograd import Tensor
from ..nn.onnx import Graph, Value, exporter


class TransformerReader(nn.Module):
    """Features to the encoder's width, sinusoidal positions, and a pre-norm encoder with GELU; called as recurrent layers.

    Parameters
    ----------
    inputs, width : int
    num_heads, num_layers : int
    dropout : float
        After the positions, and within the encoder's layers.
    bidirectional : bool
        Whether a time step sees those after it.
    """

    def __init__(
        self, inputs: int, width: int, num_heads: int, num_layers: int, dropout: float, bidirectional: bool,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        super().__init__()
        self.project = nn.Linear(inputs, width, rng=rng)
        self.positions, self.dropout = nn.SinusoidalPositions(), nn.Dropout(dropout)
        self.encoder = nn.TransformerEncoder(
            width, num_heads, num_layers, dropout=dropout, activation="gelu", norm_first=True,
            causal=not bidirectional, rng=rng,
        )  # fmt: skip
        self.output_size, self.bidirectional = width, bidirectional

    def forward(self, x: Tensor, state: Any = None, lengths: Any = None) -> Any:
        start = 0 if state is None else state[0].shape[1]
        y, state = self.encoder(self.dropout(self.positions(self.project(x), start)), state, lengths)
        return y, state


@exporter(TransformerReader)
def _reader(graph: Graph, reader: TransformerReader, x: Value, state: Any = None, lengths: Any = None) -> Any:
    return graph.layer(reader.encoder, graph.layers((reader.project, reader.positions), x), None, lengths)
