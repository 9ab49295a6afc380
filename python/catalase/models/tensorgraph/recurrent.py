"""Layers that read sequences: GRU, LSTM."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ... import nn
from ..._internal.registry import Int
from ...autograd import Tensor
from .layer import Layer, Shape, count, saved


class _Recurrent(Layer):
    cell: ClassVar[type[nn.GRU] | type[nn.LSTM]]
    open_gates: ClassVar[tuple[int, int]]  # which gates start with bias 1

    def __init__(
        self, n_hidden: int, batch_size: int | None = None, in_layers: Any = None, name: str | None = None
    ) -> None:
        super().__init__(in_layers, name)
        kind = type(self).__name__
        self.n_hidden = count(kind, "n_hidden", n_hidden)
        self.batch_size = None if batch_size is None else count(kind, "batch_size", batch_size)

    def build(self, shapes: list[Shape], rng: np.random.Generator | None) -> nn.Module:
        if len(shapes[0]) != 3:
            raise ValueError(
                f"takes (rows, steps, channels), got rows of shape {shapes[0][1:]}; put a Reshape before it"
            )
        module = self.cell(shapes[0][-1], self.n_hidden, rng=0 if rng is None else rng)
        first, last = (gate * self.n_hidden for gate in self.open_gates)
        bias = module.b.data.reshape(-1, module.b.shape[-1])
        bias[...] = 0
        bias[0, first:last] = 1
        return module

    def call(self, module: nn.Module, inputs: list[Tensor]) -> Tensor:
        return module(inputs[0])[0]


@saved(n_hidden=Int(1), batch_size=Int(1, none=True))
class GRU(_Recurrent):
    """Gated recurrent units over sequences: (rows, steps, channels) to (rows, steps, n_hidden).

    Parameters
    ----------
    n_hidden : int
    batch_size : int, optional
        Taken as in DeepChem, and not needed: any number of rows may come.

    Notes
    -----
    Every batch starts from a state of zeros. As in TensorFlow, the biases of the gates r and z start at 1, others at 0; the
    reset gate comes after the product, as in `catalase.nn.GRU`.
    """

    cell = nn.GRU
    open_gates = (0, 2)


@saved(n_hidden=Int(1), batch_size=Int(1, none=True))
class LSTM(_Recurrent):
    """Long short-term memory over sequences; parameters as `GRU`. The bias of the forget gate starts at 1, others at 0."""

    cell = nn.LSTM
    open_gates = (1, 2)
