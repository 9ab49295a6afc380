"""Tests of the metric functions against scikit-learn and SciPy: ties, weights, degenerate cases, and errors."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from catalase import metrics


def sk_prc_auc(y_true: Any, y_score: Any, sample_weight: Any = None) -> float:
    precision, recall, _ = sk.precision_recall_curve(y_true, y_score, sample_weight=sample_weight)
    return float(sk.auc(recall, precision))


def sk_pearson_r2(y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
    if sample_weight is None:
        return float(scipy.stats.pearsonr(y_true, y_pred)[0] ** 2)
    covariance = np.cov(y_true, y_pred, aweights=sample_weight)
    return float(covariance[0, 1] ** 2 / covariance[0, 0] / covariance[1, 1])


RANKING = [
    (metrics.roc_auc_score, sk.roc_auc_score),
    (metrics.prc_auc_score, sk_prc_auc),
    (metrics.average_precision_score, sk.average_precision_score),
]
CLASSES = [
    (metrics.accuracy_score, sk.accuracy_score),
    (metrics.balanced_accuracy_score, sk.balanced_accuracy_score),
    (metrics.matthews_corrcoef, sk.matthews_corrcoef),
]
REGRESSION = [
    (metrics.rms_score, sk.root_mean_squared_error),
    (metrics.mae_score, sk.mean_absolute_error),
    (metrics.r2_score, sk.r2_score),
]


def agree(ours: Callable[..., float], theirs: Callable[..., float], *args: Any, **kwargs: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = float(theirs(*args, **kwargs))
        found = ours(*args, **kwargs)
    assert type(found) is float
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True), (ours.__name__, args, kwargs)


@st.composite
def scored(draw: Any, classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Labels with every class, tied scores, predicted classes, weights with zeros (but none for a whole class)."""
    size = draw(st.integers(classes, 25))
    label = st.integers(0, classes - 1)
    true = np.array(list(range(classes)) + draw(st.lists(label, min_size=size - classes, max_size=size - classes)))
    score = draw(hnp.arrays(np.float64, size, elements=st.sampled_from([-1e3, -0.5, 0.0, 0.1, 0.25, 0.3, 1.0, 7.5])))
    pred = draw(hnp.arrays(np.int64, size, elements=label))
    weight = draw(hnp.arrays(np.float64, size, elements=st.sampled_from([0.0, 0.5, 1.0, 3.25])))
    weight[:classes] = np.maximum(weight[:classes], 0.5)
    return true, score, pred, weight


@settings(max_examples=60, deadline=None)
@given(scored(2))
def test_ranking_against_sklearn(case: tuple[np.ndarray, ...]) -> None:
    true, score, _, weight = case
    for ours, theirs in RANKING:
        agree(ours, theirs, true, score)
        agree(ours, theirs, true, score.astype(np.float32))
        agree(ours, theirs, true, score, sample_weight=weight)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([2, 3, 5]).flatmap(scored))
def test_classes_against_sklearn(case: tuple[np.ndarray, ...]) -> None:
    true, _, pred, weight = case
    for ours, theirs in CLASSES:
        agree(ours, theirs, true, pred)
        agree(ours, theirs, true, pred, sample_weight=weight)


finite = st.floats(-1e6, 1e6, width=32)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 20).flatmap(lambda n: st.tuples(*[hnp.arrays(np.float64, n, elements=finite)] * 2)), st.data())
def test_regression_against_sklearn(case: tuple[np.ndarray, np.ndarray], data: Any) -> None:
    true, pred = case
    weight = data.draw(hnp.arrays(np.float64, len(true), elements=st.sampled_from([0.0, 0.5, 2.0])))
    weight[0] = 1
    for ours, theirs in REGRESSION:
        agree(ours, theirs, true, pred)
        agree(ours, theirs, true, pred, sample_weight=weight)


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 20), st.integers(0, 10**6))
def test_correlations_against_scipy(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    true = np.round(rng.normal(size=size), 1) + np.arange(size) * 1e-3 * rng.integers(0, 2)
    pred = np.round(true + rng.normal(size=size), 1)
    if len(set(true)) < 2 or len(set(pred)) < 2:
        return
    agree(metrics.pearson_r2_score, sk_pearson_r2, true, pred)
    agree(metrics.pearson_r2_score, sk_pearson_r2, true * 1e200, pred * 1e-200)
    agree(metrics.pearson_r2_score, sk_pearson_r2, true, pred, sample_weight=rng.random(size) + 0.1)
    agree(metrics.spearman_score, lambda a, b: scipy.stats.spearmanr(a, b)[0], true, pred)


def test_multilabel_columns_against_sklearn(rng: np.random.Generator) -> None:
    true = np.eye(3, dtype=int)[rng.integers(0, 3, 60)]
    score = rng.random((60, 3)).round(1)
    for ours, theirs in RANKING[::2]:
        agree(ours, theirs, true, score)
    agree(metrics.accuracy_score, sk.accuracy_score, true, (score > 0.5).astype(int))


def test_auc_is_exact_for_large_ties() -> None:
    true = np.arange(100_000) % 2
    assert metrics.roc_auc_score(true, np.zeros(100_000)) == 0.5
    assert metrics.roc_auc_score(true, true) == 1.0
    assert metrics.roc_auc_score(true, -true) == 0.0


def test_auc_takes_infinite_and_boolean_scores() -> None:
    assert metrics.roc_auc_score([0, 1, 1], [-np.inf, 0.0, np.inf]) == 1.0
    assert metrics.roc_auc_score(np.array([False, True]), np.array([False, True])) == 1.0
    assert metrics.roc_auc_score([0, 1], np.array([3, 250], dtype=np.uint8)) == 1.0


@pytest.mark.parametrize("function", [metrics.roc_auc_score, metrics.prc_auc_score])
def test_one_class_is_nan_and_a_warning(function: Callable[..., float]) -> None:
    with pytest.warns(RuntimeWarning, match="undefined"):
        assert np.isnan(function([0, 0], [0.1, 0.2]))


def test_degenerate_cases_are_sklearns() -> None:
    with pytest.warns(RuntimeWarning, match="no positive"):
        assert metrics.average_precision_score([0, 0], [0.1, 0.2]) == 0.0
    with pytest.warns(RuntimeWarning, match="undefined"):
        assert np.isnan(metrics.roc_auc_score([0, 0, 1], [0.1, 0.2, 0.3], sample_weight=[1, 1, 0]))
    for true, pred in [([1, 1], [1, 1]), ([1, 1], [0, 1]), ([0, 1], [1, 1]), ([0, 1], [2, 2])]:
        for ours, theirs in CLASSES:
            agree(ours, theirs, true, pred)
    for true, pred in [([1.0, 1.0], [1.0, 1.0]), ([1.0, 1.0], [1.0, 2.0]), ([0.0], [1.0])]:
        for ours, theirs in REGRESSION:
            agree(ours, theirs, true, pred)


@pytest.mark.parametrize("function", [metrics.pearson_r2_score, metrics.spearman_score])
@pytest.mark.parametrize("case", [([1.0], [1.0]), ([0.1] * 3, [1.0, 2.0, 3.0]), ([1.0, 2.0, 3.0], [0.1] * 3)])
def test_correlation_of_a_constant_is_nan(function: Callable[..., float], case: tuple[list, list]) -> None:
    with pytest.warns(RuntimeWarning, match="constant"):
        assert np.isnan(function(*case))


def test_the_score_of_a_constant_does_not_depend_on_the_rounding_of_its_mean() -> None:
    for count in range(2, 200):
        true, pred = np.full(count, 7.3), np.full(count, 7.2)
        assert metrics.r2_score(true, pred) == 0 and metrics.r2_score(true, true) == 1
    weight = np.append(np.full(199, 0.3), 0.0)
    assert metrics.r2_score(np.append(np.full(199, 7.3), 5.0), np.full(200, 7.2), weight) == 0


EVERY = [pair[0] for pair in RANKING + CLASSES + REGRESSION] + [metrics.pearson_r2_score, metrics.spearman_score]


@pytest.mark.parametrize("function", EVERY, ids=lambda function: function.__name__)
def test_bad_input_names_the_function(function: Callable[..., float]) -> None:
    name = function.__name__
    with pytest.raises(ValueError, match=rf"{name}: y_true \(2,\) and y_(pred|score) \(3,\)"):
        function([0, 1], [0, 1, 1])
    with pytest.raises(ValueError, match=f"{name}: there are no rows"):
        function([], [])
    with pytest.raises(ValueError, match=f"{name}: y_(pred|score) has NaN"):
        function([0, 1], [0.5, np.nan])
    if function is not metrics.spearman_score:
        for weight in ([1.0], [1.0, -1.0], [0.0, 0.0], [1.0, np.nan]):
            with pytest.raises(ValueError, match=f"{name}: sample_weight"):
                function([0, 1], [0, 1], sample_weight=weight)


def test_ranking_refuses_labels_that_are_not_binary() -> None:
    with pytest.raises(ValueError, match=r"labels must be 0 or 1, found \[0, 2\]"):
        metrics.roc_auc_score([0, 2], [0.1, 0.2])
