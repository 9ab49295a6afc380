"""Nonsense in every argument of metrics."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from catalase import metrics
from tests.nonsense import Target, call, report

KINDS = {
    "y_true": "values", "y_pred": "values", "y_score": "values", "sample_weight": "values?", "metric": "function", "task_averager": "function?", "name": "word?", "threshold": "real?", "mode": "word?",
    "classification_handling_mode": "word?", "w": "values?",
    "coverage": "number", "samples": "whole", "y_prob": "values", "labels": "values?", "normalize": "word?", "weights": "word?", "average": "word?", "drop_intermediate": "flag", "alpha": "number",
    "fraction": "number", "bins": "whole", "std": "values?", "y": "anything", "n_classes": "whole", "axis": "signed", "letters": "word?",
}  # fmt: skip
CLASSES, SCORES = np.array([0, 1, 1, 0]), np.array([0.2, 0.8, 0.4, 0.1])
FUNCTIONS = {
    **{name: lambda: call(CLASSES, SCORES, np.ones(4)) for name in ("roc_auc_score", "prc_auc_score", "average_precision_score", "mae_score", "rms_score", "r2_score", "pearson_r2_score")},
    **{name: lambda: call(CLASSES, CLASSES, np.ones(4)) for name in ("accuracy_score", "balanced_accuracy_score", "matthews_corrcoef")},
    **{name: lambda: call(CLASSES, SCORES) for name in ("spearman_score", "concordance_index")},
    **{name: lambda: call(CLASSES, SCORES, np.ones(4)) for name in ("precision_recall_curve", "pearsonr")},
    "roc_curve": lambda: call(CLASSES, SCORES, np.ones(4), drop_intermediate=True),
    **{name: lambda: call(CLASSES, CLASSES, np.ones(4)) for name in ("pixel_accuracy_score", "sensitivity_score", "specificity_score")},
    **{name: lambda: call(CLASSES, CLASSES, np.ones(4), average="macro") for name in ("precision_score", "recall_score", "f1_score", "jaccard_score", "iou_score", "dice_score")},
    "confusion_matrix": lambda: call(CLASSES, CLASSES, np.ones(4), labels=[0, 1], normalize="true"),
    "cohen_kappa_score": lambda: call(CLASSES, CLASSES, np.ones(4), weights="linear"),
    "quadratic_weighted_kappa": lambda: call(CLASSES, CLASSES, np.ones(4)),
    "bedroc_score": lambda: call(CLASSES, SCORES, alpha=20.0),
    "enrichment_factor": lambda: call(CLASSES, SCORES, fraction=0.5),
    "expected_calibration_error": lambda: call(CLASSES, SCORES, np.ones(4), bins=3),
    "crps_score": lambda: call(SCORES, SCORES, np.ones(4), std=np.ones(4)),
    "to_one_hot": lambda: call(CLASSES, 3),
    "from_one_hot": lambda: call(np.eye(4), 1, letters="ACGT"),
    "bootstrap_interval": lambda: call(CLASSES, SCORES, metrics.roc_auc_score, w=np.ones(4), coverage=0.9, samples=3, seed=0),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    target = Target(
        getattr(metrics, name),
        FUNCTIONS[name],
        KINDS,
        also={"y_true": ["labels", "class", "score"], "n_classes": ["y"]},
    )
    wrong = target.failures()
    assert not wrong, report(wrong)


OPTIONS = {"w": np.ones(4), "mask_missing": True, "use_sample_weights": True, "per_task_metrics": True}


@pytest.mark.parametrize("score", [metrics.roc_auc_score, metrics.accuracy_score, metrics.rms_score])
def test_compute_metric(score):
    metric = metrics.Metric(score, np.mean)
    names = ("compute_metric", metric.name, score.__name__)
    also = {"y_true": ["labels"]}
    wrong = Target(metric.compute_metric, lambda: call(CLASSES, SCORES, **OPTIONS), KINDS, names=names, also=also).failures()  # fmt: skip
    assert not wrong, report(wrong)


def test_metric():
    make = lambda: call(metrics.roc_auc_score, np.mean, name="area", threshold=0.5, mode="classification", classification_handling_mode="threshold")  # noqa: E731  # fmt: skip
    wrong = Target(metrics.Metric, make, KINDS).failures()
    assert not wrong, report(wrong)


def test_everything_public_is_in_a_table():
    assert set(metrics.__all__) == set(FUNCTIONS) | {"Metric", "kappa_score"}
    assert {n for n, _ in inspect.getmembers(metrics.Metric, callable) if not n.startswith("_")} == {"compute_metric"}
