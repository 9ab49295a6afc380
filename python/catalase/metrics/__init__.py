"""Scores of predictions: the everyday metrics in NumPy, their intervals, and `Metric`, which applies any task by task.

This package imports nothing but NumPy; `Metric` accepts scikit-learn's functions, and never imports them.
"""

from __future__ import annotations

from .classes import (
    accuracy_score,
    balanced_accuracy_score,
    cohen_kappa_score,
    confusion_matrix,
    dice_score,
    f1_score,
    iou_score,
    jaccard_score,
    kappa_score,
    matthews_corrcoef,
    pixel_accuracy_score,
    precision_score,
    quadratic_weighted_kappa,
    recall_score,
    sensitivity_score,
    specificity_score,
)
from .classification import (
    average_precision_score,
    bedroc_score,
    enrichment_factor,
    prc_auc_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)
from .encoding import from_one_hot, to_one_hot
from .metric import Metric, bootstrap_interval
from .regression import concordance_index, mae_score, pearson_r2_score, pearsonr, r2_score, rms_score, spearman_score
from .uncertainty import crps_score, expected_calibration_error

__all__ = [
    "Metric",
    "accuracy_score",
    "average_precision_score",
    "balanced_accuracy_score",
    "bedroc_score",
    "bootstrap_interval",
    "cohen_kappa_score",
    "concordance_index",
    "confusion_matrix",
    "crps_score",
    "dice_score",
    "enrichment_factor",
    "expected_calibration_error",
    "f1_score",
    "from_one_hot",
    "iou_score",
    "jaccard_score",
    "kappa_score",
    "mae_score",
    "matthews_corrcoef",
    "pearson_r2_score",
    "pearsonr",
    "pixel_accuracy_score",
    "prc_auc_score",
    "precision_recall_curve",
    "precision_score",
    "quadratic_weighted_kappa",
    "r2_score",
    "recall_score",
    "rms_score",
    "roc_auc_score",
    "roc_curve",
    "sensitivity_score",
    "spearman_score",
    "specificity_score",
    "to_one_hot",
]
