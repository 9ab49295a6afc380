"""Tests of `workflow.metrics_of` and of the checks of `Outcome`."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import sklearn.metrics as sk

from catalase import metrics
from catalase.workflow import Outcome, metrics_of
from catalase.workflow.scores import intervals_held
from tests.workflow.outcomes import outcome


def test_each_part_is_scored_on_labels_that_are_known_and_predicted(rng):
    y, parts = rng.standard_normal((40, 2)), np.array(["train"] * 25 + ["test"] * 15)
    predicted = y + rng.standard_normal((40, 2))
    y[3, 0] = y[30, 1] = np.nan
    predicted[5, 1] = np.nan
    found = metrics_of("regression", ["a", "b"], parts, y, predicted)
    for name, part in (("test", "test"), ("validation", "train")):
        expected, labels = [], 0
        for t, task in enumerate("ab"):
            rows = (parts == part) & ~np.isnan(y[:, t]) & ~np.isnan(predicted[:, t])
            expected.append(sk.root_mean_squared_error(y[rows, t], predicted[rows, t]))
            labels += rows.sum()
            assert found["per_task"][task][name]["rmse"] == pytest.approx(expected[-1])
            assert found["per_task"][task][name]["r2"] == pytest.approx(sk.r2_score(y[rows, t], predicted[rows, t]))
            low, high = found["per_task"][task][name]["intervals"]["rmse"]
            assert (low, high) == metrics.bootstrap_interval(y[rows, t], predicted[rows, t], metrics.rms_score)
        assert found[name]["rmse"] == pytest.approx(np.mean(expected)) and found[name]["labels"] == labels


def test_classes_are_scored_by_their_probability_and_undefined_scores_are_nan(rng):
    y = np.c_[rng.random(60) < 0.5, np.ones(60)] * 1.0
    chance = rng.random((60, 2))
    found = metrics_of("classification", ["a", "one class"], ["test"] * 60, y, chance)
    assert found["per_task"]["a"]["test"]["roc_auc"] == pytest.approx(sk.roc_auc_score(y[:, 0], chance[:, 0]))
    assert found["per_task"]["a"]["test"]["brier"] == pytest.approx(sk.brier_score_loss(y[:, 0], chance[:, 0]))
    assert np.isnan(found["per_task"]["one class"]["test"]["roc_auc"])
    assert "roc_auc" not in found["per_task"]["one class"]["test"]["intervals"]
    assert found["test"]["roc_auc"] == found["per_task"]["a"]["test"]["roc_auc"]  # the mean over tasks that have one
    assert np.isnan(found["validation"]["roc_auc"]) and found["validation"]["labels"] == 0


def test_members_and_baselines_are_scored_on_the_same_rows(rng):
    y, parts = rng.standard_normal(20), ["train"] * 12 + ["test"] * 8
    found = metrics_of(
        "regression", ["a"], parts, y, y, members={"x": y + 1, "z": y + 3}, baselines={"zero": 0 * y}, kept=["x"]
    )
    assert found["members"]["x"]["test"]["rmse"] == pytest.approx(1) and found["members"]["z"]["validation"][
        "rmse"
    ] == pytest.approx(3)
    assert [found["members"][name]["kept"] for name in "xz"] == [True, False]
    assert found["baselines"]["zero"]["test"]["rmse"] == pytest.approx(np.sqrt(np.mean(y[12:] ** 2)))
    with pytest.raises(ValueError, match=r"^metrics_of: kept names 'y', which is not among the members \['x'\]"):
        metrics_of("regression", ["a"], parts, y, y, members={"x": y}, kept=["y"])
    with pytest.raises(ValueError, match=r"^metrics_of: members\['x'\] must have shape \(20, 1\), got \(3, 1\)"):
        metrics_of("regression", ["a"], parts, y, y, members={"x": np.ones(3)})


def test_intervals_are_counted_on_test_labels_only():
    made = outcome()
    held = intervals_held(made, 0)
    rows = (made.parts == "test") & ~np.isnan(made.measured[:, 0])
    inside = (made.measured[rows, 0] >= made.low[rows, 0]) & (made.measured[rows, 0] <= made.high[rows, 0])
    assert held.labels == rows.sum() == 59 and held.inside == inside.sum()
    assert held.width == pytest.approx(np.median((made.high - made.low)[rows, 0]))
    assert intervals_held(outcome("classification"), 0).labels == 0


@pytest.mark.parametrize(
    "changes, error, words",
    [
        ({"std": np.ones(3)}, ValueError, r"std must have shape \(240, 1\), got \(3,\)"),
        ({"rows": [1, 2]}, ValueError, r"rows must have shape \(240,\), got \(2,\)"),
        ({"parts": ["valid"] * 240}, ValueError, "parts must have 240 times 'train' or 'test'"),
        ({"mode": "ranking"}, ValueError, "mode must be 'regression' or 'classification', got 'ranking'"),
        ({"coverage": 1.5}, ValueError, "coverage must be above 0 .*below 1, got 1.5"),
        ({"tasks": []}, ValueError, "smiles and tasks must not be empty"),
        ({"source": None}, TypeError, "source must be a text, got None"),
        ({"metrics": []}, TypeError, r"metrics must be a dict, got \[\]"),
        ({"mode": "classification"}, ValueError, "measured must be 0, 1 or NaN"),
    ],
)
def test_an_outcome_whose_parts_do_not_fit_is_refused(changes, error, words):
    with pytest.raises(error, match=f"^Outcome: {words}"):
        dataclasses.replace(outcome(), **changes)


def test_an_outcome_is_frozen_and_holds_arrays():
    made = outcome(rows=list(range(1, 241)))
    assert isinstance(made, Outcome) and made.rows.dtype == np.int64 and made.in_domain.dtype == bool
    with pytest.raises(AttributeError):
        made.mode = "classification"
    assert set(made.rows_of("test").tolist()) == set(np.flatnonzero(made.folds < 0).tolist())
