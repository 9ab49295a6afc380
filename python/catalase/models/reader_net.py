"""The net of `SequenceClassifier` and `SequenceRegressor`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import nn
from ..autograd import Tensor, concatenate, no_grad, where
from ..backends import backend_of, to_device, to_device_of, to_host
from ..data import SequenceBatch
from .time_steps import packed

POOLS = ("last", "mean", "max")


class Before(NamedTuple):
    """What was read of some sequences already, off the tape: how many steps, the state after them, their pooled outputs."""

    lengths: NDArray[np.int64]
    state: Any
    pooled: NDArray[Any]


class SequenceNet(nn.Module):
    """Tokens or features through recurrent layers, and a dense output of a given shape: for each sequence, from one row
    that its steps are pooled into, or (``pool`` None) for each step.
    """

    def __init__(self, embedding: nn.Embedding | None, recurrent: Any, pool: str | None, dropout: float,
                 head: nn.Linear, shape: tuple[int, ...]) -> None:  # fmt: skip
        super().__init__()
        self.embedding, self.recurrent, self.pool, self.shape = embedding, recurrent, pool, shape
        self.dropout, self.head = nn.Dropout(dropout), head

    def forward(self, x: Any, state: Any = None, before: Before | None = None) -> Any:
        """Outputs for each sequence (or each step that is there, row by row), and the state after the last step."""
        y, state = self._read(x, state if before is None else before.state)
        rows = packed(y, x.mask) if self.pool is None else self._pooled(y, state, x, before)
        out = self.head(self.dropout(rows))
        return (out if len(self.shape) == 1 else out.reshape((len(rows), *self.shape))), state

    def read_ahead(self, batch: SequenceBatch, steps: int) -> tuple[SequenceBatch, Before | None]:
        """Read all but the last ``steps`` of each sequence off the tape; return what is left, and what was read."""
        lengths = np.maximum(batch.lengths - steps, 0)
        longest = int(lengths.max(initial=0))
        if longest == 0:
            return batch, None
        batch = SequenceBatch(to_host(batch.values), batch.lengths)  # which a captured step refuses
        state, pooled = None, np.zeros(0)
        with no_grad():
            for start in range(0, longest, steps):
                part = SequenceBatch(batch.values[:, start : start + steps], np.clip(lengths - start, 0, steps))
                y, state = self._read(part, state)
                if self.pool != "last":
                    found = self._gathered(y, part).data
                    pooled = found if start == 0 else self._joined(pooled, found)
        last = SequenceBatch(
            np.zeros((len(batch), steps, *batch.values.shape[2:]), batch.values.dtype), batch.lengths - lengths
        )
        last.values[last.mask] = batch.values[batch.mask & (np.arange(batch.values.shape[1]) >= lengths[:, None])]
        return last, Before(lengths, state, pooled)

    def _read(self, batch: SequenceBatch, state: Any) -> Any:
        values = batch.values
        x = Tensor(to_device(values, self.device)) if self.embedding is None else self.embedding(values)
        return self.recurrent(x, state, batch.lengths)

    def _gathered(self, y: Tensor, batch: SequenceBatch) -> Tensor:
        """The sum over the steps, or the largest values (-inf where there is no step), (N, output_size)."""
        if self.pool == "max":
            if not batch.full:
                y = where(batch.mask[:, :, None], y, -np.inf)
            return y.max(axis=1)
        return y.sum(axis=1)  # y is zero beyond a length

    def _joined(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        xp = backend_of(a, b)
        if self.pool != "max":
            return xp.add(a, b)
        return xp.max(xp.concatenate([x.reshape(1, *x.shape) for x in (a, b)], 0), 0)

    def _pooled(self, y: Tensor, state: Any, batch: SequenceBatch, before: Before | None) -> Tensor:
        """One row a sequence, (N, output_size); zeros for a sequence of no steps."""
        if self.pool == "last" or not y.shape[1]:
            h = state[0] if isinstance(state, tuple) else state
            if h.ndim == 2:
                return h
            return concatenate([h[-2], h[-1]], axis=-1) if self.recurrent.bidirectional else h[-1]
        found = self._gathered(y, batch)
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
