"""The net of all models of sequences: tokens or features through recurrent layers to a dense output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import nn
from ..autograd import Tensor, concatenate, record, where
from ..backends import backend_of, is_device_array, to_device, to_device_of, to_host
from ..data import SequenceBatch
from ..nn import functional
from ..nn.onnx import Graph, Value, exporter, steps_there
from .transformer import TransformerReader

if TYPE_CHECKING:
    from .truncation import Before

POOLS = ("last", "mean", "max")


class SequenceNet(nn.Module):
    """Tokens or features through recurrent layers, and a dense output of a given shape: for each sequence, from one row
    that its time steps are pooled into, or (``pool`` None) for each time step.
    """

    def __init__(self, embedding: nn.Embedding | None, recurrent: Any, pool: str | None, dropout: float,
                 head: nn.Linear, shape: tuple[int, ...]) -> None:  # fmt: skip
        super().__init__()
        self.embedding, self.recurrent, self.pool, self.shape = embedding, recurrent, pool, shape
        self.dropout, self.head = nn.Dropout(dropout), head

    def forward(self, x: Any, state: Any = None, before: Before | None = None) -> Any:
        """Outputs for each sequence (or each time step that is there, row by row), and the state after the last one."""
        y, state = self.read(x, state if before is None else before.state)
        rows = packed(y, x.mask) if self.pool is None else self._pooled(y, state, x, before)
        out = self.head(self.dropout(rows))
        return (out if len(self.shape) == 1 else out.reshape((len(rows), *self.shape))), state

    def read(self, batch: SequenceBatch, state: Any) -> Any:
        """The recurrent layers' outputs (N, T, output_size), and their last state."""
        values = batch.values
        x = Tensor(to_device(values, self.device)) if self.embedding is None else self.embedding(values)
        return self.recurrent(x, state, batch.lengths)

    def gathered(self, y: Tensor, batch: SequenceBatch) -> Tensor:
        """The sum over the time steps, or the largest values (-inf where there is no step), (N, output_size)."""
        if self.pool == "max":
            return (y if batch.full else where(batch.mask[:, :, None], y, -np.inf)).max(axis=1)
        return y.sum(axis=1)  # y is zero beyond a length

    def joined(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        """What `gathered` gives for two parts of the same sequences together."""
        xp = backend_of(a, b)
        if self.pool != "max":
            return xp.add(a, b)
        return xp.max(xp.concatenate([x.reshape(1, *x.shape) for x in (a, b)], 0), 0)

    def _pooled(self, y: Tensor, state: Any, batch: SequenceBatch, before: Before | None) -> Tensor:
        """One row a sequence, (N, output_size); zeros for a sequence of no steps."""
        if isinstance(self.recurrent, TransformerReader) and (self.pool == "last" or not y.shape[1]):
            return last_steps(y, batch.lengths)
        if self.pool == "last" or not y.shape[1]:
            h = state[0] if isinstance(state, tuple) else state
            if h.ndim == 2:
                return h
            return concatenate([h[-2], h[-1]], axis=-1) if self.recurrent.bidirectional else h[-1]
        found = self.gathered(y, batch)
        if self.pool == "mean":
            lengths = batch.lengths if before is None else batch.lengths + before.lengths
            found = found if before is None else found + before.pooled
            if batch.full and before is None and len(batch):
                return found * y.dtype.type(1 / y.shape[1])
            shares = (1 / np.maximum(lengths, 1)).astype(y.dtype)[:, None]
            return found * to_device_of(shares, found.data)
        if before is not None:
            found = where(to_host(before.pooled) > found.numpy(), before.pooled, found)
        if batch.lengths.all():
            return found
        return where(batch.lengths[:, None] > 0, found, 0.0)


def last_steps(y: Tensor, lengths: NDArray[np.int64]) -> Tensor:
    """The output of each sequence's last time step, (N, H); zeros for a sequence of no steps."""
    n, steps, width = y.shape
    if not steps:
        return Tensor(backend_of(y.data).full((n, width), 0.0, y.dtype))
    rows = functional.embedding(np.arange(n) * steps + np.maximum(lengths, 1) - 1, y.reshape((n * steps, width)))
    return rows if lengths.all() else where(lengths[:, None] > 0, rows, 0.0)


def packed(y: Tensor, mask: NDArray[np.bool_]) -> Tensor:
    """The time steps that are there, (steps, H), row by row: padding costs the dense output nothing."""
    shape, dtype = y.shape, y.dtype
    if mask.all():
        return y.reshape(mask.size, shape[-1])
    if is_device_array(y.data):  # rows taken by number
        return functional.embedding(np.flatnonzero(mask), y.reshape(mask.size, shape[-1]))

    def backward(g: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        dy = np.zeros(shape, dtype)
        dy[mask] = g
        return (dy,)

    return record(y.data[mask], (y,), backward)


@exporter(SequenceNet)
def _net(graph: Graph, net: SequenceNet, x: Value, lengths: Value) -> Value:
    """Outputs for each sequence, or with ``pool`` None for each time step, of padded sequences (N, T) or (N, T, I)."""
    x = x if net.embedding is None else graph.layer(net.embedding, x)
    y, state = graph.layer(net.recurrent, x, None, lengths)
    if net.pool is not None:
        y = _pooled(graph, net, y, state, lengths)
    out = graph.layer(net.head, y)
    return out if len(net.shape) == 1 else graph.reshape(out, [*[0] * (out.rank - 1), *net.shape])


def _pooled(graph: Graph, net: SequenceNet, y: Value, state: Any, lengths: Value) -> Value:
    if net.pool == "last" and isinstance(net.recurrent, TransformerReader):
        last = graph.op("Sub", graph.op("Max", lengths, np.int64(1)), np.int64(1))
        rows = graph.op("GatherND", y, graph.op("Unsqueeze", last, np.array([1]), rank=2), rank=2, batch_dims=1)
        there = graph.op("Greater", graph.op("Unsqueeze", lengths, np.array([1]), rank=2), np.int64(0))
        return graph.op("Where", there, rows, np.float32(0), rank=2)
    if net.pool == "last":
        h = state[0] if isinstance(state, tuple) else state
        if h.rank == 2:
            return h
        ends = [
            graph.op("Gather", h, np.int64(i), axis=0, rank=2)
            for i in ((-2, -1) if net.recurrent.bidirectional else (-1,))
        ]
        return ends[0] if len(ends) == 1 else graph.op("Concat", *ends, axis=-1)
    there = graph.op("Unsqueeze", steps_there(graph, y, lengths), np.array([2]), rank=3)
    if net.pool == "max":
        most = graph.op(
            "ReduceMax", graph.op("Where", there, y, np.float32(-np.inf), rank=3), np.array([1]), keepdims=0, rank=2
        )
        return graph.op("Where", graph.op("IsInf", most), np.float32(0), most, rank=2)
    sums = graph.op("ReduceSum", graph.op("Where", there, y, np.float32(0), rank=3), np.array([1]), keepdims=0, rank=2)
    counts = graph.op("Cast", graph.op("Max", lengths, np.int64(1)), to=1)
    return graph.op("Div", sums, graph.op("Unsqueeze", counts, np.array([1]), rank=2))
