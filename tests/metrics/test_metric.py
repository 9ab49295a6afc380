"""Tests of `Metric`: names, shapes, missing labels, weights, and tasks without a score."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk

from catalase import metrics
from catalase.metrics import Metric


@pytest.fixture(autouse=True)
def no_stray_warnings() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def multitask(rng: np.random.Generator, size: int = 80, tasks: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels with NaN where missing, weights 0 there, softmax outputs (N, T, 2)."""
    y = (rng.random((size, tasks)) < 0.4).astype(np.float64)
    w = np.where(rng.random((size, tasks)) < 0.3, 0.0, rng.random((size, tasks)) + 0.5)
    positive = rng.random((size, tasks)).astype(np.float32)
    y[(w == 0) & (rng.random((size, tasks)) < 0.5)] = np.nan
    return y, w, np.stack([1 - positive, positive], axis=-1)


def test_names() -> None:
    assert Metric(metrics.roc_auc_score, np.mean).name == "mean-roc_auc_score"
    assert Metric(metrics.roc_auc_score).name == "roc_auc_score"
    assert Metric(metrics.roc_auc_score, np.median).name == "median-roc_auc_score"
    assert Metric(metrics.roc_auc_score, name="auc").name == "auc"
    assert Metric(sk.f1_score).mode == "classification"
    assert Metric(sk.mean_squared_error).mode == "regression"
    no_scores = ("Metric", "bootstrap_interval", "confusion_matrix", "from_one_hot", "precision_recall_curve", "roc_curve", "to_one_hot")  # fmt: skip
    for name in metrics.__all__:
        if name not in no_scores:
            assert Metric(getattr(metrics, name)).mode in ("classification", "regression")
    with pytest.raises(ValueError, match=r"cannot tell the mode of '<lambda>'; give mode='classification'"):
        Metric(lambda a, b: 0.0)
    with pytest.raises(ValueError, match="mode must be"):
        Metric(metrics.r2_score, mode="ranking")
    with pytest.raises(ValueError, match="classification_handling_mode"):
        Metric(metrics.roc_auc_score, classification_handling_mode="argmax")
    with pytest.raises(TypeError, match="must be a function"):
        Metric("roc_auc_score")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="task_averager"):
        Metric(metrics.roc_auc_score, "mean")  # type: ignore[arg-type]


def test_the_direction_of_a_score_is_known() -> None:
    errors = {"rms_score", "mae_score", "expected_calibration_error", "crps_score"}
    curves = {"Metric", "bootstrap_interval", "confusion_matrix", "from_one_hot", "precision_recall_curve", "roc_curve", "to_one_hot"}  # fmt: skip
    for name in set(metrics.__all__) - curves:
        assert Metric(getattr(metrics, name)).larger_is_better is (name not in errors), name
    assert Metric(sk.mean_squared_error).larger_is_better is False
    assert Metric(lambda a, b: 0.0, mode="regression").larger_is_better is None


def test_missing_labels_never_count(rng: np.random.Generator) -> None:
    y, w, pred = multitask(rng)
    score, per_task = Metric(metrics.roc_auc_score, np.mean).compute_metric(y, pred, w, per_task_metrics=True)
    expected = [sk.roc_auc_score(y[w[:, t] != 0, t], pred[w[:, t] != 0, t, 1]) for t in range(4)]
    assert per_task == pytest.approx(expected)
    assert score == pytest.approx(np.mean(expected))
    assert type(score) is float
    # labels and predictions under weight 0 change nothing
    y[w == 0], pred[w == 0] = 1, np.nan
    assert Metric(metrics.roc_auc_score).compute_metric(y, pred, w) == score


def test_nan_labels_are_missing_without_weights() -> None:
    y = np.array([0.0, 1.0, np.nan, 1.0])
    assert Metric(metrics.roc_auc_score).compute_metric(y, np.array([0.1, 0.2, 0.0, 0.3])) == 1.0
    assert Metric(metrics.rms_score).compute_metric(y, np.array([0.0, 1.0, 9.0, 1.0])) == 0.0


def test_unmasked_score_counts_missing_as_zero(rng: np.random.Generator) -> None:
    y, w, pred = multitask(rng)
    score = Metric(metrics.roc_auc_score).compute_metric(y, pred, w, mask_missing=False)
    zeros = np.nan_to_num(y)
    assert score == pytest.approx(np.mean([sk.roc_auc_score(zeros[:, t], pred[:, t, 1]) for t in range(4)]))


def test_weights_enter_only_when_asked(rng: np.random.Generator) -> None:
    y, w, pred = multitask(rng)
    metric = Metric(metrics.roc_auc_score)
    assert metric.compute_metric(y, pred, w) == metric.compute_metric(y, pred, (w != 0).astype(float))
    weighted = metric.compute_metric(y, pred, w, use_sample_weights=True)
    expected = []
    for task in range(4):
        keep = w[:, task] != 0
        expected.append(sk.roc_auc_score(y[keep, task], pred[keep, task, 1], sample_weight=w[keep, task]))
    assert weighted == pytest.approx(np.mean(expected))
    assert metric.compute_metric(y, pred, w, use_sample_weights=True, mask_missing=False) == pytest.approx(weighted)


@pytest.mark.parametrize("function", [metrics.roc_auc_score, sk.roc_auc_score])
def test_task_with_one_class_is_left_out_with_a_warning(function: Any, rng: np.random.Generator) -> None:
    y, w, pred = multitask(rng)
    y[:, 2] = 0
    w[:, 3] = 0
    metric = Metric(function, np.mean)
    with pytest.warns(RuntimeWarning) as caught:
        score, per_task = metric.compute_metric(y, pred, w, per_task_metrics=True)
    assert len(caught) == 1
    assert "undefined (nan) for 2 of 4 tasks, left out of the average" in str(caught[0].message)
    assert "one class only: task 2" in str(caught[0].message)
    assert "no measured labels: task 3" in str(caught[0].message)
    assert caught[0].filename == __file__
    assert np.isnan(per_task).tolist() == [False, False, True, True]
    assert score == pytest.approx(np.mean(per_task[:2]))


def test_all_tasks_undefined_is_nan() -> None:
    with pytest.warns(RuntimeWarning, match="so the score is nan"):
        assert np.isnan(Metric(metrics.roc_auc_score).compute_metric(np.zeros((3, 2)), np.full((3, 2, 2), 0.5)))
    with pytest.warns(RuntimeWarning, match="no measured labels"):
        assert np.isnan(Metric(metrics.rms_score).compute_metric(np.zeros((0, 1)), np.zeros((0, 1))))


def test_functions_that_can_score_one_class_do() -> None:
    pred = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert Metric(metrics.accuracy_score).compute_metric(np.zeros(2), pred) == 0.5


def test_shapes_of_one_binary_task(rng: np.random.Generator) -> None:
    y = np.array([0, 1, 1, 0, 1])
    positive = rng.random(5)
    both = np.stack([1 - positive, positive], axis=1)
    metric = Metric(metrics.roc_auc_score)
    expected = sk.roc_auc_score(y, positive)
    for labels in (y, y[:, None], y[:, None, None], np.eye(2)[y], np.eye(2)[y][:, None], y.astype(bool)):
        for pred in (both, both[:, None]):
            assert metric.compute_metric(labels, pred) == expected, (labels.shape, pred.shape)
    for pred in (positive, positive[:, None], positive[:, None, None]):
        assert metric.compute_metric(y, pred) == expected
    for w in (np.ones(5), np.ones((5, 1)), np.ones((5, 2))):
        assert metric.compute_metric(np.eye(2)[y], both, w) == expected


def test_positive_probabilities_of_several_tasks(rng: np.random.Generator) -> None:
    y, w, pred = multitask(rng)
    metric = Metric(metrics.roc_auc_score)
    assert metric.compute_metric(y, pred[:, :, 1], w) == metric.compute_metric(y, pred, w)
    assert metric.compute_metric(y[:, :2], pred[:, :2, 1], w[:, 0]) != metric.compute_metric(
        y[:, :2], pred[:, :2, 1], w[:, 1]
    )


def test_one_hot_labels_with_softmax_are_one_task(rng: np.random.Generator) -> None:
    labels = rng.integers(0, 10, 200)
    logits = rng.random((200, 10)) + 0.5 * np.eye(10)[labels]
    pred = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = np.mean(pred.argmax(axis=1) == labels)
    metric = Metric(metrics.accuracy_score)
    for y in (np.eye(10)[labels], labels, labels[:, None], np.eye(10)[labels][:, None]):
        assert metric.compute_metric(y, pred) == expected
        assert metric.compute_metric(y, pred[:, None]) == expected
    w = np.ones((200, 10))
    w[pred.argmax(axis=1) != labels] = 0
    assert metric.compute_metric(np.eye(10)[labels], pred, w) == 1.0
    auc = Metric(metrics.roc_auc_score).compute_metric(labels, pred)
    assert auc == pytest.approx(sk.roc_auc_score(np.eye(10)[labels], pred, average="macro"))
    one_hot = Metric(sk.accuracy_score, classification_handling_mode="threshold-one-hot")
    assert one_hot.compute_metric(labels, pred) == expected


def test_threshold() -> None:
    y = np.array([0, 0, 1, 1])
    pred = np.array([0.1, 0.3, 0.4, 0.9])
    assert Metric(metrics.accuracy_score).compute_metric(y, pred) == 0.75
    assert Metric(metrics.accuracy_score, threshold=0.35).compute_metric(y, pred) == 1.0
    assert Metric(metrics.accuracy_score, threshold=0.95).compute_metric(y, pred) == 0.5
    # a tie goes to the positive class, as in DeepChem
    assert Metric(metrics.accuracy_score).compute_metric([1], [0.5]) == 1.0


@pytest.mark.parametrize(
    "function", [sk.f1_score, sk.cohen_kappa_score, sk.recall_score, sk.balanced_accuracy_score, sk.jaccard_score]
)
def test_scikit_learn_functions_of_classes(function: Any, rng: np.random.Generator) -> None:
    y, w, pred = multitask(rng)
    expected = []
    for task in range(4):
        keep = w[:, task] != 0
        expected.append(function(y[keep, task], pred[keep, task].argmax(axis=1)))
    assert Metric(function).compute_metric(y, pred, w) == pytest.approx(np.mean(expected))


def test_scikit_learn_functions_of_probabilities(rng: np.random.Generator) -> None:
    y, _, pred = multitask(rng, tasks=1)
    y = np.nan_to_num(y)
    assert Metric(sk.log_loss).compute_metric(y, pred) == pytest.approx(sk.log_loss(y[:, 0], pred[:, 0]), rel=1e-6)
    assert Metric(sk.brier_score_loss).compute_metric(y, pred) == pytest.approx(
        np.mean((y - pred[:, :, 1]) ** 2), rel=1e-6
    )


def test_own_function_is_given_scores() -> None:
    seen = {}

    def mine(y_true: np.ndarray, y_pred: np.ndarray) -> float:
        seen["shapes"] = y_true.shape, y_pred.shape
        return 1.0

    assert Metric(mine, mode="classification").compute_metric([0, 1, 1], np.full((3, 2), 0.5)) == 1.0
    assert seen["shapes"] == ((3,), (3,))
    Metric(mine, mode="classification").compute_metric([0, 1, 2], np.full((3, 3), 1 / 3))
    assert seen["shapes"] == ((3, 3), (3, 3))


def test_regression_tasks(rng: np.random.Generator) -> None:
    y = rng.normal(size=(30, 3))
    pred = y + rng.normal(size=(30, 3))
    w = (rng.random((30, 3)) < 0.8).astype(float)
    expected = [sk.r2_score(y[w[:, t] != 0, t], pred[w[:, t] != 0, t]) for t in range(3)]
    metric = Metric(metrics.r2_score, np.mean)
    assert metric.compute_metric(y, pred, w) == pytest.approx(np.mean(expected))
    assert metric.compute_metric(y, pred[:, :, None], w) == metric.compute_metric(y, pred, w)
    assert metric.compute_metric(y[:, 0], pred[:, :1], w[:, 0]) == pytest.approx(expected[0])
    assert Metric(metrics.r2_score, np.max).compute_metric(y, pred, w) == pytest.approx(max(expected))


def test_errors_of_the_function_are_not_hidden() -> None:
    def broken(y_true: np.ndarray, y_pred: np.ndarray) -> float:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        Metric(broken, mode="classification").compute_metric([0, 1], np.full((2, 2), 0.5))


@pytest.mark.parametrize(
    ("mode", "y", "pred", "w", "match"),
    [
        ("classification", np.zeros(3), np.zeros((2, 2)), None, "same rows"),
        (
            "classification",
            np.zeros((3, 2)),
            np.zeros((3, 4, 2)),
            None,
            r"y_true \(3, 2\) does not fit y_pred \(3, 4, 2\)",
        ),
        ("classification", np.array([0.3, 0.7]), np.full((2, 2), 0.5), None, "whole numbers from 0 to 1"),
        ("classification", np.array([0, 2]), np.full((2, 2), 0.5), None, "whole numbers from 0 to 1"),
        ("classification", np.array([-1, 1]), np.full((2, 2), 0.5), None, "whole numbers from 0 to 1"),
        ("classification", np.array([0, 1]), np.full((2, 2), np.nan), None, "y_pred has NaN"),
        ("regression", np.zeros((3, 2)), np.zeros((3, 3)), None, "must agree"),
        ("regression", np.zeros((3, 2)), np.zeros((3, 2)), np.zeros((3, 3)), "w has shape"),
        ("regression", np.float64(1), np.float64(1), None, "single number"),
    ],
)
def test_shapes_that_do_not_fit(mode: str, y: Any, pred: Any, w: Any, match: str) -> None:
    function = metrics.accuracy_score if mode == "classification" else metrics.rms_score
    with pytest.raises(ValueError, match=match):
        Metric(function).compute_metric(y, pred, w)


def test_text_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="y_true must be an array of numbers"):
        Metric(metrics.accuracy_score).compute_metric(np.array(["a", "b"]), np.zeros((2, 2)))
