"""Checks that the metric functions share: equal lengths, no NaN, valid weights."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .._internal.arrays import numbers


def check_pair(name: str, y_true: Any, y_pred: Any, beside: str = "y_pred") -> tuple[np.ndarray, np.ndarray]:
    """Return two arrays of equal shape (N,) or (N, K), N at least 1, without NaN; (N, 1) becomes (N,)."""
    true, pred = numbers(name, "y_true", y_true), numbers(name, beside, y_pred)
    if true.ndim == 2 and true.shape[1] == 1:
        true = true[:, 0]
    if pred.ndim == 2 and pred.shape[1] == 1:
        pred = pred[:, 0]
    if true.shape != pred.shape or true.ndim not in (1, 2):
        raise ValueError(
            f"{name}: y_true {true.shape} and {beside} {pred.shape} must have the same shape, (N,) or (N, K)"
        )
    if true.size == 0:
        raise ValueError(f"{name}: there are no rows to score: y_true is empty")
    for label, array in (("y_true", true), (beside, pred)):
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise ValueError(f"{name}: {label} has NaN; leave missing labels out, or let Metric mask them")
    return true, pred


def check_weights(name: str, sample_weight: Any, size: int) -> np.ndarray | None:
    """Return None, or finite float64 weights (N,), none negative and not all zero."""
    if sample_weight is None:
        return None
    weight = numbers(name, "sample_weight", sample_weight, np.float64)
    if weight.shape != (size,):
        raise ValueError(f"{name}: sample_weight has shape {weight.shape}, needed ({size},), one for each row")
    if not np.isfinite(weight).all() or (weight < 0).any() or not weight.any():
        raise ValueError(f"{name}: sample_weight must be finite, not negative and not all zero")
    return weight


def warn_undefined(message: str) -> float:
    """Warn that a score is undefined and return nan."""
    warnings.warn(message, RuntimeWarning, stacklevel=3)
    return float("nan")
