"""Bring users' arrays to one form: labels (N, T), weights (N, T), predictions (N, T) or (N, T, C)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._internal.arrays import labels, numbers


class Tasks:
    """The arrays of one evaluation, with a column for each task: y and w (N, T), pred (N, T, C) or, for regression, (N, T)."""

    def __init__(self, y: np.ndarray, w: np.ndarray, pred: np.ndarray) -> None:
        self.y, self.w, self.pred = y, w, pred
        self.count = y.shape[1]


def _numeric(name: str, label: str, values: Any) -> np.ndarray:
    array = labels(name, label, values) if label == "y_true" else numbers(name, label, values)
    if array.ndim == 0:
        raise ValueError(f"{name}: {label} must have rows, got a single number")
    return array.astype(np.int64) if array.dtype.kind == "b" else array


def _weights(name: str, w: Any, size: int, tasks: int) -> np.ndarray:
    if w is None:
        return np.ones((size, tasks))
    weight = _numeric(name, "w", w)
    if weight.ndim == 1:
        weight = weight[:, None]
    if weight.shape not in ((size, 1), (size, tasks)):
        raise ValueError(f"{name}: w has shape {np.shape(w)}, needed ({size},), ({size}, 1) or ({size}, {tasks})")
    return np.broadcast_to(weight, (size, tasks))


def _is_one_hot(y: np.ndarray) -> bool:
    """Return whether each row of the last axis is one 1 among 0s."""
    return bool(((y == 0) | (y == 1)).all() and (y.sum(axis=-1) == 1).all())


def regression_tasks(name: str, y_true: Any, y_pred: Any, w: Any) -> Tasks:
    """Bring regression arrays to (N, T)."""
    y, pred = _numeric(name, "y_true", y_true), _numeric(name, "y_pred", y_pred)
    shapes = y.shape, pred.shape
    y = y[:, None] if y.ndim == 1 else y
    pred = pred[:, None] if pred.ndim == 1 else pred
    pred = pred[:, :, 0] if pred.ndim == 3 and pred.shape[2] == 1 else pred
    y = y[:, :, 0] if y.ndim == 3 and y.shape[2] == 1 else y
    if y.ndim != 2 or y.shape != pred.shape:
        raise ValueError(f"{name}: y_true {shapes[0]} and y_pred {shapes[1]} must agree, (N,), (N, T) or (N, T, 1)")
    return Tasks(y, _weights(name, w, *y.shape), pred)


def classification_tasks(name: str, y_true: Any, y_pred: Any, w: Any) -> Tasks:
    """Bring classification arrays to labels (N, T) and probabilities (N, T, C); see `Metric.compute_metric`."""
    y, pred = _numeric(name, "y_true", y_true), _numeric(name, "y_pred", y_pred)
    shapes = y.shape, pred.shape
    if len(y) != len(pred) or y.ndim > 3 or pred.ndim > 3:
        raise ValueError(f"{name}: y_true {shapes[0]} and y_pred {shapes[1]} do not have the same rows")
    if pred.ndim == 2 and _one_task(y, pred):
        pred = pred[:, None, :]
    elif pred.ndim < 3:
        positive = pred[:, None] if pred.ndim == 1 else pred
        pred = np.stack([1 - positive, positive], axis=-1)
    elif pred.shape[2] == 1:
        pred = np.concatenate([1 - pred, pred], axis=2)
    size, tasks, classes = pred.shape
    if y.ndim == 1:
        y = y[:, None]
    w = None if w is None else numbers(name, "w", w)
    if y.shape == (size, classes) and tasks == 1 and _is_one_hot(y):
        if w is not None and w.shape == (size, classes):
            w = w.mean(axis=1)  # one weight for each row, 0 only where all are 0
        y = y.argmax(axis=1)[:, None]
    elif y.shape == (size, tasks, classes) and _is_one_hot(y):
        y = y.argmax(axis=2)
    elif y.ndim == 3 and y.shape[2] == 1:
        y = y[:, :, 0]
    if y.shape != (size, tasks):
        raise ValueError(f"{name}: y_true {shapes[0]} does not fit y_pred {shapes[1]}; needed labels (N, T) beside "
                         "probabilities (N, T, C), or one-hot labels (N, C) beside (N, C)")  # fmt: skip
    return Tasks(y, _weights(name, w, size, tasks), pred)


def _one_task(y: np.ndarray, pred: np.ndarray) -> bool:
    """Return whether pred (N, K) has the K classes of one task rather than the positive class of K tasks."""
    if pred.shape[1] < 2:
        return False
    if y.ndim == 1 or y.shape[1] == 1:
        return True
    # One-hot labels with predictions whose rows sum to 1 are of a softmax; columns of separate tasks are not both.
    return y.shape == pred.shape and _is_one_hot(y) and bool(np.allclose(pred.sum(axis=1), 1, atol=1e-3))
