"""Batches whose every step has a target: whole, or in windows that carry the state on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..autograd import Tensor, record
from ..backends import is_device_array, to_device
from ..backends.cuda.capture import Parts
from ..data import SequenceBatch, SequenceDataset
from ..nn import functional


class Carried:
    """The recurrent state that a window leaves to the next, cut off from the tape."""

    state: Any = None


class PooledBatch(SequenceBatch):
    """A batch for a net with an output a sequence: its shapes tell all that a captured step takes as fixed."""

    def graph_parts(self) -> Parts | None:
        """As `SequenceBatch`; padded ones too, in which `of_lengths` gives what depends on the lengths."""
        if self.full or not self.values.size or self.lengths.max() < self.values.shape[1]:
            return super().graph_parts()
        key = ("padded", bool(self.lengths.all()))
        return Parts(key, [self._numbers()], lambda given: self._over(given[0]), self.lengths)

    def _over(self, values: Any) -> SequenceBatch:
        return PooledBatch(values, self.lengths)


class StepBatch(SequenceBatch):
    """A batch for the training loop, which weighs batches by ``len``: the losses it reports are means over steps."""

    def __init__(self, values: NDArray[Any], lengths: NDArray[np.int64], carried: Carried | None = None) -> None:
        super().__init__(values, lengths)
        self.carried = carried

    def __len__(self) -> int:
        return int(self.lengths.sum())

    def graph_parts(self) -> Parts | None:
        """As `SequenceBatch`; no window's, whose state comes from the step before."""
        return None if self.carried is not None else super().graph_parts()

    def _over(self, values: Any) -> SequenceBatch:
        return StepBatch(values, self.lengths)


def windows(
    batch: SequenceBatch, y: NDArray[Any], w: NDArray[Any], truncation: int | None
) -> Iterator[tuple[StepBatch, NDArray[Any], NDArray[Any]]]:
    """Yield a batch, its labels and its weights (one a step, row by row), ``truncation`` steps at a time.

    Whoever runs a window leaves the state in ``carried`` before asking for the next. Sequences that have ended are not
    among the later ones.
    """
    longest = batch.values.shape[1]
    if longest == 0:
        return
    if truncation is None or longest <= truncation:
        yield StepBatch(batch.values, batch.lengths), y, w
        return
    mask, carried, rows = batch.mask, Carried(), np.arange(len(batch.lengths))
    numbers = np.zeros(mask.shape, np.int64)
    numbers[mask] = np.arange(len(y))
    for start in range(0, longest, truncation):
        goes_on = batch.lengths[rows] > start
        rows, carried.state = rows[goes_on], rows_of(carried.state, goes_on)
        part = slice(start, start + truncation)
        steps = StepBatch(batch.values[rows, part], np.minimum(batch.lengths[rows] - start, truncation), carried)
        there = numbers[rows, part][steps.mask]
        yield steps, y[there], w[there]


class StepRows:
    """The batches of a dataset with labels for each step, as `windows` gives them."""

    def __init__(self, dataset: SequenceDataset, truncation: int | None) -> None:
        self.dataset, self.truncation = dataset, truncation

    def __len__(self) -> int:
        return len(self.dataset)

    def iterbatches(self, batch_size: int, deterministic: bool = False, seed: int | None = None) -> Iterator[Any]:
        """Yield (X, y, w, ids): a window's steps, their labels and weights; ids of the batch."""
        for X, y, w, ids in self.dataset.iterbatches(batch_size, 1, deterministic, seed=seed):
            for steps, labels, weights in windows(X, y.values, w.values, self.truncation):  # type: ignore[arg-type, attr-defined]
                yield steps, labels, weights, ids


def packed(y: Tensor, mask: NDArray[np.bool_]) -> Tensor:
    """The steps that are there, (steps, H), row by row: padding costs the dense output nothing."""
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


def rows_of(state: Any, rows: NDArray[np.bool_]) -> Any:
    """The state of some sequences: (N, H), or (K, N, H), or a pair of these; None stays None."""
    if state is None or rows.all():
        return state
    if isinstance(state, tuple):
        return tuple(rows_of(part, rows) for part in state)
    kept = np.ascontiguousarray(state.numpy()[..., rows, :])
    return Tensor(to_device(kept, state.device))
