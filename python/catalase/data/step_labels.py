"""Labels and weights for each time step of sequences, concatenated like the sequences; errors name the row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.arrays import are_weights, labels, numbers
from .ragged import RaggedArray


def step_labels(y: Any, X: RaggedArray) -> RaggedArray:
    """Return the labels (T_i,) or (T_i, tasks) of each sequence of X; without y there are no tasks."""
    if y is None:
        return RaggedArray(np.zeros((len(X.values), 0), np.float32), X.offsets)
    return _aligned("y", y, X)


def step_weights(w: Any, y: RaggedArray, X: RaggedArray) -> NDArray[Any] | None:
    """Return the weights of the labels, concatenated; a sequence's single weight holds for each step. None without w."""
    if w is None:
        return None
    if not isinstance(w, RaggedArray) and _is_one_a_row(w):
        one = numbers("SequenceDataset", "w", w).reshape(-1)
        if len(one) != len(X):
            raise ValueError(f"SequenceDataset: X has {len(X)} rows but w has {len(one)}")
        given = RaggedArray(np.repeat(_numbers("w", 0, one), X.lengths), X.offsets)
    else:
        given = _aligned("w", w, X)
    weights = given.values
    if weights.shape[1:] not in ((), (1,), y.values.shape[1:]):
        raise ValueError(
            f"SequenceDataset: w must have a weight a step, or one a label of it; got {weights.shape[1:]} a step beside "
            f"labels {y.values.shape[1:]}"
        )
    good = are_weights(weights)
    if not good.all():
        row, step = X.place(int(np.argwhere(~good)[0][0]))
        raise ValueError(
            f"SequenceDataset: weights w must be 0 or more, and not NaN or infinite; see row {row}, step {step}"
        )
    return weights


def _is_one_a_row(w: Any) -> bool:
    if isinstance(w, np.ndarray) and w.dtype != object:
        return w.ndim < 2 or (w.ndim == 2 and w.shape[1] == 1)
    return isinstance(w, (Sequence, np.ndarray)) and all(np.ndim(weight) == 0 for weight in w)


def _aligned(name: str, given: Any, X: RaggedArray) -> RaggedArray:
    listed = isinstance(given, (Sequence, RaggedArray)) or (isinstance(given, np.ndarray) and given.ndim > 0)
    if not listed or isinstance(given, str):
        raise TypeError(f"SequenceDataset: {name} must be a list with an array a sequence, got {type(given).__name__}")
    if len(given) != len(X):
        raise ValueError(f"SequenceDataset: X has {len(X)} rows but {name} has {len(given)}")
    if isinstance(given, RaggedArray) and np.array_equal(given.offsets, X.offsets) and given.ndim in (2, 3):
        return RaggedArray(_numbers(name, 0, given.values), X.offsets)
    rows = [_numbers(name, row, values) for row, values in enumerate(given)]
    first = next((row for row, values in enumerate(rows) if len(values)), 0)
    inner = rows[first].shape[1:] if rows else ()
    for row, (values, steps) in enumerate(zip(rows, X.lengths, strict=True)):
        if len(values) != steps:
            raise ValueError(
                f"SequenceDataset: {name} at row {row} is for {len(values)} steps, but the sequence has {steps}; give one "
                "for each step (NaN, or weight 0, is a missing label)"
            )
        if len(values) and values.shape[1:] != inner:
            raise ValueError(
                f"SequenceDataset: {name} must be (steps,) or (steps, tasks) in all rows alike; row {row} has shape "
                f"{values.shape}, row {first} {rows[first].shape}"
            )
    parts = [values for values in rows if len(values)]
    return RaggedArray(np.concatenate(parts) if parts else np.zeros((0, *inner), np.float32), X.offsets)


def _numbers(name: str, row: int, values: Any) -> NDArray[Any]:
    """Return one row as an array of numbers, with a value or a vector a step."""
    array = (labels if name == "y" else numbers)("SequenceDataset", f"{name} at row {row}", values)
    if array.ndim == 0:
        raise ValueError(
            f"SequenceDataset: with per_step=True {name} needs an array a sequence, but row {row} is one number; leave "
            "per_step out for a label a sequence"
        )
    if array.ndim > 2:
        raise ValueError(
            f"SequenceDataset: {name} must be (steps,) or (steps, tasks); row {row} has shape {array.shape}"
        )
    return array
