"""Scores of predictions: the everyday metrics in NumPy, their intervals, and `Metric`, which applies any task by task.

This package imports nothing but NumPy; `Metric` accepts scikit-learn's functions, and never imports them.
"""

from __future__ import annotations

from .classification import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    matthews_corrcoef,
    prc_auc_score,
    roc_auc_score,
)
from .metric import Metric, bootstrap_interval
from .regression import mae_score, pearson_r2_score, r2_score, rms_score, spearman_score

__all__ = [
    "Metric",
    "accuracy_score",
    "average_precision_score",
    "balanced_accuracy_score",
    "bootstrap_interval",
    "mae_score",
    "matthews_corrcoef",
    "pearson_r2_score",
    "prc_auc_score",
    "r2_score",
    "rms_score",
    "roc_auc_score",
    "spearman_score",
]
