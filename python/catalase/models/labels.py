"""Checks of labels that several models share. Weight 0 marks a missing label, whose value is then not looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.ragged import RaggedArray

Place = Callable[[int], tuple[int, int]]  # from a step of all to its row, and the step in it


def flat(column: Any) -> Any:
    """y or w of a dataset as it is; labels of steps as one array, end to end."""
    return column.values if isinstance(column, RaggedArray) else column


def check_some(where: str, w: NDArray[Any], aim: str = "to learn from") -> None:
    """Refuse labels none of which counts: training would succeed and teach nothing, a loss would be 0 and say nothing."""
    if w.size and not np.any(w):
        raise ValueError(f"{where}: every label is missing (weight 0), so there is nothing {aim}")


def check_columns(where: str, name: str, array: NDArray[Any], n_tasks: int, rows: str = "rows") -> None:
    """Refuse y or w that has not one column a task."""
    if array.shape[1:] not in ((), (1,), (n_tasks,)) or (name == "y" and array.ndim == 1 and n_tasks > 1):
        raise ValueError(f"{where}: {name} must have shape ({rows}, {n_tasks}), got {array.shape}")


def check_classes(
    where: str, y: NDArray[Any], w: NDArray[Any], n_tasks: int, n_classes: int, place: Place | None = None
) -> None:
    """Refuse labels that are not class numbers, or for one task rows of class probabilities.

    Those of steps come end to end, with the ``place`` of each.
    """
    if n_tasks == 1 and y.shape[1:] == (n_classes,):
        _check_one_hot(where, y, w, place)
        return
    _check_both(where, y, w, n_tasks, place)
    labels = y.reshape(len(y), -1)
    counts = np.broadcast_to(w.reshape(len(w), -1) != 0, labels.shape)
    with np.errstate(invalid="ignore"):
        wrong = counts & ~((labels >= 0) & (labels < n_classes) & (labels == np.floor(labels)))
    if wrong.any():
        row, task = (int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"{where}: labels must be class numbers from 0 to {n_classes - 1}, got {labels[row, task]} at "
            f"{_at(row, place)}, task {task}; give a missing label the weight 0"
        )


def _check_one_hot(where: str, y: NDArray[Any], w: NDArray[Any], place: Place | None) -> None:
    """One task whose labels are rows of class probabilities: each from 0 to 1, in all 1."""
    counts = (w.reshape(len(w), -1) != 0).any(axis=1)
    with np.errstate(invalid="ignore"):
        good = ((y >= 0) & (y <= 1)).all(axis=1) & (abs(y.sum(axis=1, dtype=np.float64) - 1) <= 1e-4)
    if (counts & ~good).any():
        row = int(np.flatnonzero(counts & ~good)[0])
        raise ValueError(
            f"{where}: one-hot labels must be from 0 to 1 and add up to 1, got {y[row].tolist()} at {_at(row, place)}; "
            "give a missing label the weight 0"
        )


def check_numbers(where: str, y: NDArray[Any], w: NDArray[Any], n_tasks: int, place: Place | None = None) -> None:
    """Refuse labels that are not finite."""
    _check_both(where, y, w, n_tasks, place)
    if y.dtype.kind == "f":
        labels = y.reshape(len(y), -1)
        wrong = np.broadcast_to(w.reshape(len(w), -1) != 0, labels.shape) & ~np.isfinite(labels)
        if wrong.any():
            row, task = (int(i) for i in np.argwhere(wrong)[0])
            raise ValueError(
                f"{where}: y holds {labels[row, task]} at {_at(row, place)}, task {task}; give a missing label the "
                "weight 0"
            )


def _check_both(where: str, y: NDArray[Any], w: NDArray[Any], n_tasks: int, place: Place | None) -> None:
    rows = "rows" if place is None else "steps"
    check_columns(where, "y", y, n_tasks, rows)
    check_columns(where, "w", w, n_tasks, rows)


def _at(row: int, place: Place | None) -> str:
    return f"row {row}" if place is None else "row {}, step {}".format(*place(row))
