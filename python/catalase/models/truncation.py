"""Truncated backpropagation through time: long sequences in parts, over which the state is carried and gradients are not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..autograd import Tensor, no_grad
from ..backends import to_device, to_host
from ..data import SequenceBatch, SequenceDataset
from ..data.batch import Batches

if TYPE_CHECKING:
    from .sequence_net import SequenceNet


class Carried:
    """The recurrent state that the net leaves for the next time steps of the same sequences, cut off from the tape."""

    state: Any = None


def step_batch(values: NDArray[Any], lengths: NDArray[np.int64], carried: Carried | None = None) -> SequenceBatch:
    """Return a batch whose every time step has a target: the losses that the training loop reports are means over steps."""
    batch = SequenceBatch(values, lengths)
    batch.checked = batch.per_step = True
    batch.carried = carried
    return batch


def parts(
    batch: SequenceBatch, y: NDArray[Any], w: NDArray[Any], truncation: int | None
) -> Iterator[tuple[SequenceBatch, NDArray[Any], NDArray[Any]]]:
    """Yield a batch, its labels and its weights (one a time step, row by row), ``truncation`` time steps at a time.

    The state after a part must be in ``carried`` before the next part is asked for. Sequences that have ended are not in
    the later parts.
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
        rows, carried.state = rows[goes_on], state_of(carried.state, goes_on)
        part = slice(start, start + truncation)
        steps = step_batch(batch.values[rows, part], np.minimum(batch.lengths[rows] - start, truncation), carried)
        there = numbers[rows, part][steps.mask]
        yield steps, y[there], w[there]


def step_batches(dataset: SequenceDataset, truncation: int | None) -> Batches:
    """Return a walk through a dataset that has a label for each time step, in the parts that `parts` yields."""

    def iterbatches(batch_size: int, deterministic: bool = False, seed: int | None = None) -> Iterator[Any]:
        for X, y, w, ids in dataset.iterbatches(batch_size, 1, deterministic, seed=seed):
            for steps, labels, weights in parts(X, y.values, w.values, truncation):  # type: ignore[arg-type, attr-defined]
                yield steps, labels, weights, ids

    return Batches(dataset, iterbatches)


def state_of(state: Any, rows: NDArray[np.bool_]) -> Any:
    """Return the state of some sequences: (N, H), or (K, N, H), or a pair of these; None stays None."""
    if state is None or rows.all():
        return state
    if isinstance(state, tuple):
        return tuple(state_of(part, rows) for part in state)
    kept = np.ascontiguousarray(state.numpy()[..., rows, :])
    return Tensor(to_device(kept, state.device))


class Before(NamedTuple):
    """What was read of some sequences without a tape: how many time steps, the state after them, their pooled outputs."""

    lengths: NDArray[np.int64]
    state: Any
    pooled: NDArray[Any]


def read_ahead(net: SequenceNet, batch: SequenceBatch, steps: int) -> tuple[SequenceBatch, Before | None]:
    """Read all but the last ``steps`` of each sequence without a tape; return what is left, and what was read."""
    lengths = np.maximum(batch.lengths - steps, 0)
    longest = int(lengths.max(initial=0))
    if longest == 0:
        return batch, None
    batch = SequenceBatch(to_host(batch.values), batch.lengths)  # a captured step refuses this, and is then launched
    state, pooled = None, np.zeros(0)
    with no_grad():
        for start in range(0, longest, steps):
            part = SequenceBatch(batch.values[:, start : start + steps], np.clip(lengths - start, 0, steps))
            y, state = net.read(part, state)
            if net.pool != "last":
                found = net.gathered(y, part).data
                pooled = found if start == 0 else net.joined(pooled, found)
    last = SequenceBatch(
        np.zeros((len(batch), steps, *batch.values.shape[2:]), batch.values.dtype), batch.lengths - lengths
    )
    last.values[last.mask] = batch.values[batch.mask & (np.arange(batch.values.shape[1]) >= lengths[:, None])]
    return last, Before(lengths, state, pooled)
