"""What `LanguageModel` is made of: batches of steps with the token after each, and the net."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import nn
from ..data import SequenceBatch, SequenceDataset
from ..data.batch import Batches
from ..data.tokenizer import END, START
from .time_steps import packed, step_batch, windows


def behind_start(batch: SequenceBatch) -> SequenceBatch:
    """Each sequence behind its start. Its length counts tokens to predict, end included."""
    starts = np.full((len(batch), 1), START, batch.values.dtype)
    return step_batch(np.concatenate([starts, batch.values], axis=1), batch.lengths + 1)


def targets(batch: SequenceBatch) -> NDArray[np.int64]:
    """The token after each step that is there, row by row, (steps,); ``<end>`` after a row's last."""
    following = np.zeros(batch.values.shape, np.int64)
    following[:, :-1] = batch.values[:, 1:]
    following[np.arange(len(batch.lengths)), batch.lengths - 1] = END
    return following[batch.mask]


def token_weights(where: str, dataset: SequenceDataset) -> NDArray[Any]:
    """The weight of each sequence, which is that of its tokens."""
    if dataset.per_step:
        raise ValueError(f"{where}: a language model takes one weight a sequence; this dataset has one a step")
    w = np.asarray(dataset.w)
    if w.size not in (0, len(w)):
        raise ValueError(f"{where}: a language model takes one weight a sequence, (rows,), got {w.shape}")
    return np.ones(len(dataset)) if w.size == 0 else w.reshape(-1)


def token_batches(where: str, dataset: SequenceDataset, truncation: int | None = None) -> Batches:
    """The batches of a dataset: steps, the token after each as its label, and the weight of its sequence."""
    weights = token_weights(where, dataset)

    def iterbatches(batch_size: int, deterministic: bool = False, seed: int | None = None) -> Iterator[Any]:
        for _, rows, (X, *_, ids) in dataset.numbered_batches(batch_size, 1, deterministic, seed=seed):
            steps = behind_start(X)  # type: ignore[arg-type]
            w = np.repeat(weights[rows], steps.lengths)
            for window, following, of_window in windows(steps, targets(steps), w, truncation):
                yield window, following, of_window, ids

    return Batches(dataset, iterbatches)


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
