"""Batches whose every step has a target: whole, or in windows that carry the state on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..autograd import Tensor, record
from ..backends import is_device_array, to_device
from ..data import SequenceBatch, SequenceDataset
from ..data.batch import Batches
from ..nn import functional


class Carried:
    """The recurrent state that a window leaves to the next, cut off from the tape."""

    state: Any = None


def step_batch(values: NDArray[Any], lengths: NDArray[np.int64], carried: Carried | None = None) -> SequenceBatch:
    """Sequences whose every step has a target: the losses that the training loop reports are means over steps."""
    batch = SequenceBatch(values, lengths)
    batch.checked = batch.per_step = True
    batch.carried = carried
    return batch


def windows(
    batch: SequenceBatch, y: NDArray[Any], w: NDArray[Any], truncation: int | None
) -> Iterator[tuple[SequenceBatch, NDArray[Any], NDArray[Any]]]:
    """Yield a batch, its labels and its weights (one a step, row by row), ``truncation`` steps at a time.

    Whoever runs a window leaves the state in ``carried`` before asking for the next. Sequences that have ended are not
    among the later ones.
    """
    longest = batch.values.shape[1]
    if longest == 0:
        return
    if truncation is None or longest <= truncation:
        yield step_batch(batch.values, batch.lengths), y, w
        return
    mask, carried, rows = batch.mask, Carried(), np.arange(len(batch.lengths))
    numbers = np.zeros(mask.shape, np.int64)
    numbers[mask] = np.arange(len(y))
    for start in range(0, longest, truncation):
        goes_on = batch.lengths[rows] > start
        rows, carried.state = rows[goes_on], rows_of(carried.state, goes_on)
        part = slice(start, start + truncation)
        steps = step_batch(batch.values[rows, part], np.minimum(batch.lengths[rows] - start, truncation), carried)
        there = numbers[rows, part][steps.mask]
        yield steps, y[there], w[there]


def step_batches(dataset: SequenceDataset, truncation: int | None) -> Batches:
    """The batches of a dataset with labels for each step, as `windows` gives them."""

    def iterbatches(batch_size: int, deterministic: bool = False, seed: int | None = None) -> Iterator[Any]:
        for X, y, w, ids in dataset.iterbatches(batch_size, 1, deterministic, seed=seed):
            for steps, labels, weights in windows(X, y.values, w.values, truncation):  # type: ignore[arg-type, attr-defined]
                yield steps, labels, weights, ids

    return Batches(dataset, iterbatches)


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
