"""Tests of `bootstrap_interval`: percentiles of drawn scores, strata, missing labels, seeds, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk

from catalase import metrics
from catalase.metrics import Metric, bootstrap_interval


def test_the_interval_is_that_of_a_loop_written_out(rng):
    y = rng.standard_normal(37)
    prediction = y + rng.standard_normal(37) / 2
    draws, scores = np.random.default_rng(3), []
    for _ in range(200):
        rows = draws.integers(0, 37, 37)
        scores.append(sk.root_mean_squared_error(y[rows], prediction[rows]))
    found = bootstrap_interval(y, prediction, metrics.rms_score, coverage=0.8, samples=200, seed=3)
    assert found == pytest.approx(np.percentile(scores, [10, 90]), rel=1e-12)
    assert all(type(bound) is float for bound in found)


def test_it_covers_the_score_of_the_population_about_as_often_as_it_says():
    rng, held = np.random.default_rng(0), 0
    for seed in range(200):  # the population's RMSE is 1
        errors = rng.standard_normal(80)
        low, high = bootstrap_interval(np.zeros(80), errors, metrics.rms_score, coverage=0.9, samples=200, seed=seed)
        held += low <= 1 <= high
    assert 165 <= held <= 193, held  # 180 expected, less the few that percentile intervals miss; three deviations


def test_each_draw_has_all_rows_of_each_class():
    y = np.r_[np.zeros(40), 1.0]
    score = np.r_[np.linspace(0, 1, 40), 0.7]
    sizes = []

    def share(true, pred):
        sizes.append(int(true.sum()))
        return metrics.roc_auc_score(true, pred)

    low, high = bootstrap_interval(y, score, Metric(share, mode="classification"), samples=50)
    assert set(sizes) == {1} and len(sizes) == 50 and low < metrics.roc_auc_score(y, score) < high


def test_missing_labels_and_those_of_weight_0_take_no_part(rng):
    y = rng.standard_normal(30)
    prediction, w = y + rng.standard_normal(30), np.ones(30)
    expected = bootstrap_interval(y[:20], prediction[:20], metrics.r2_score, samples=50)
    missing = np.where(np.arange(30) < 20, y, np.nan)
    assert bootstrap_interval(missing, prediction, metrics.r2_score, samples=50) == expected
    prediction[25:], w[20:] = np.nan, 0
    assert bootstrap_interval(y, prediction, metrics.r2_score, w=w, samples=50) == expected


def test_a_seed_makes_it_equal_and_another_seed_does_not(rng):
    y, prediction = rng.standard_normal((2, 30))
    found = [bootstrap_interval(y, prediction, metrics.mae_score, samples=40, seed=seed) for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]


def test_classes_are_compared_as_the_metric_compares_them(rng):
    y = (rng.random(60) < 0.4) * 1.0
    chance = np.clip(y * 0.4 + rng.random(60) * 0.6, 0, 1)
    low, high = bootstrap_interval(y, chance, metrics.balanced_accuracy_score, samples=100)
    assert low <= sk.balanced_accuracy_score(y, chance >= 0.5) <= high


def test_one_class_gives_nan_and_no_label_is_refused():
    assert np.isnan(bootstrap_interval([1, 1, 1], [0.2, 0.3, 0.4], metrics.roc_auc_score, samples=5)).all()
    with pytest.raises(ValueError, match=r"^bootstrap_interval: y_true has no measured label in 2 rows"):
        bootstrap_interval([np.nan, np.nan], [1.0, 2.0], metrics.rms_score)
    with pytest.raises(ValueError, match=r"^bootstrap_interval: y_pred has NaN beside a measured label"):
        bootstrap_interval([1.0, 2.0], [1.0, np.nan], metrics.rms_score)
    with pytest.raises(ValueError, match=r"y_true must be of one task, got 2"):
        bootstrap_interval(np.ones((3, 2)), np.ones((3, 2)), metrics.rms_score)
