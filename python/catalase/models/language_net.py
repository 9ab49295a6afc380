"""What `LanguageModel` is made of: batches of steps with the token after each, and the net."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import nn
from ..data import SequenceBatch, SequenceDataset
from ..data.tokenizer import END, START
from .time_steps import StepBatch, packed, windows


class Steps(StepBatch):
    """Each sequence behind its start. Its length counts tokens to predict, end included."""

    def __init__(self, batch: SequenceBatch) -> None:
        starts = np.full((len(batch), 1), START, batch.values.dtype)
        super().__init__(np.concatenate([starts, batch.values], axis=1), batch.lengths + 1)

    graph_parts = StepBatch.graph_parts

    def targets(self) -> NDArray[np.int64]:
        """The token after each step that is there, row by row, (steps,); ``<end>`` after a row's last."""
        following = np.zeros(self.values.shape, np.int64)
        following[:, :-1] = self.values[:, 1:]
        following[np.arange(len(self.lengths)), self.lengths - 1] = END
        return following[self.mask]


class Rows:
    """The batches of a dataset as `Steps`, their targets as y, the weights of these as w."""

    def __init__(self, where: str, dataset: SequenceDataset, truncation: int | None = None) -> None:
        self.dataset, self.truncation = dataset, truncation
        if dataset.per_step:
            raise ValueError(f"{where}: a language model takes one weight a sequence; this dataset has one a step")
        w = np.asarray(dataset.w)
        if w.size not in (0, len(w)):
            raise ValueError(f"{where}: a language model takes one weight a sequence, (rows,), got {w.shape}")
        self.weights = np.ones(len(dataset)) if w.size == 0 else w.reshape(-1)

    def __len__(self) -> int:
        return len(self.dataset)

    def iterbatches(self, batch_size: int, deterministic: bool = False, seed: int | None = None) -> Iterator[Any]:
        """Yield (X, y, w, ids): steps, the token after each, its sequence's weight."""
        for _, rows, (X, *_, ids) in self.dataset.numbered_batches(batch_size, 1, deterministic, seed=seed):
            steps = Steps(X)  # type: ignore[arg-type]
            w = np.repeat(self.weights[rows], steps.lengths)
            for window, targets, weights in windows(steps, steps.targets(), w, self.truncation):
                yield window, targets, weights, ids


class LanguageNet(nn.Module):
    """Embedding, recurrent layers, and a logit for each token."""

    def __init__(self, embedding: nn.Embedding, recurrent: Any, dropout: float, head: nn.Linear) -> None:
        super().__init__()
        self.embedding, self.recurrent = embedding, recurrent
        self.dropout, self.head = nn.Dropout(dropout), head

    def forward(self, x: Any, state: Any = None) -> Any:
        """Logits (steps, V) of the steps of a `SequenceBatch` that are there, row by row, and the state after them."""
        y, state = self.recurrent(self.embedding(x.values), state, x.lengths)
        return self.head(self.dropout(packed(y, x.mask))), state
