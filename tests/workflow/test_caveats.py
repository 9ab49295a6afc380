"""Tests of `workflow.caveats_of`: each reason to distrust a result is found where it is, and not where it is not."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from catalase.workflow import caveats_of, metrics_of
from catalase.workflow.caveats import _binomial_tails
from tests.workflow.outcomes import outcome


def only(made):
    (found,) = caveats_of(made)
    return found


def test_a_sound_result_has_none_and_warnings_of_the_training_come_first():
    assert caveats_of(outcome()) == []
    assert caveats_of(outcome(warnings=["cut short"])) == ["cut short"]


def test_a_training_that_was_cut_short_is_said():
    assert only(outcome(plan={"cut short": "the time budget"})).startswith(
        "The training was cut short by the time budget: "
    )
    assert only(outcome(plan={"cut short": True})).startswith("The training was cut short: another run")
    assert caveats_of(outcome(plan={"cut short": False})) == []


def test_fewer_than_30_test_labels_are_few():
    made = outcome()
    test = np.flatnonzero((made.parts == "test") & ~np.isnan(made.measured[:, 0]))
    measured = made.measured.copy()
    measured[test[30:]] = np.nan
    assert caveats_of(outcome(measured=measured)) == []
    measured[test[29]] = np.nan
    assert only(outcome(measured=measured)).startswith(
        "The test part is small for activity (29 labels): with fewer than 30"
    )


def test_test_labels_of_one_class_are_named():
    made = outcome("classification", 2)
    measured = made.measured.copy()
    measured[made.parts == "test", 1] = 1
    found = caveats_of(outcome("classification", 2, measured=measured, metrics={}))
    assert found == [
        "The test labels of activity again are of one class only, so ROC-AUC is undefined there. Split otherwise (--splitter "
        "random), or give molecules of both classes."
    ]


def test_a_class_with_fewer_than_five_test_labels_is_named():
    made = outcome("classification")
    measured = made.measured.copy()
    test = np.flatnonzero(made.known(0, "test"))
    measured[test] = 0
    measured[test[:5]] = 1
    assert caveats_of(outcome("classification", measured=measured, metrics={})) == []
    measured[test[4]] = 0
    found = only(outcome("classification", measured=measured, metrics={}))
    assert found.startswith("The rarer class has fewer than 5 test labels in activity (4 labels)")


def test_labels_over_decades_are_to_be_transformed():
    made = outcome()
    nanomolar = 10 ** (4.5 - made.measured / 2)
    wide = {"measured": nanomolar, "low": nanomolar * np.nan, "metrics": {}}
    spread = np.nanmax(nanomolar) / np.nanmin(nanomolar)
    assert spread < 1e4 and caveats_of(outcome(**wide)) == []
    wide["measured"] = np.where(made.rows[:, None] == 1, 3e8, nanomolar)
    assert "decades: the error is that of the few largest" in only(outcome(**wide)) and "--transform log10" in only(
        outcome(**wide)
    )
    assert caveats_of(outcome(**wide, transform="log10")) == []
    wide["measured"] = np.where(made.rows[:, None] == 2, -1.0, wide["measured"])  # a logarithm may be negative
    assert caveats_of(outcome(**wide)) == []


def test_a_loss_that_has_not_moved_or_diverged_is_named():
    still, falls = {"loss": [0.6931, 0.6930, 0.6931]}, {"loss": [0.69, 0.5]}
    assert only(outcome(histories={"net 1": still, "net 2": falls})).startswith("The loss of net 1 has not moved")
    assert only(outcome(histories={"a": {"loss": [1.0, np.inf]}})).startswith("The loss of a became infinite or NaN")
    assert (
        caveats_of(outcome(histories={"one epoch": {"loss": [1.0]}, "none": {}, "below 0": {"loss": [-1.0, -2.0]}}))
        == []
    )


def test_a_baseline_that_beats_the_model_is_named_with_both_scores():
    made = outcome()
    close = made.predicted + 0.999 * (made.measured - made.predicted)
    found = metrics_of("regression", made.tasks, made.parts, made.measured, made.predicted, baselines={"forest": close})
    assert only(outcome(metrics=found)).startswith(
        "The baseline forest predicts the test part better than the model (RMSE 0.00"
    )
    assert only(outcome(metrics=found)).endswith("the simple model is the one to use.")
    nearly = made.predicted + 0.01 * (made.measured - made.predicted)
    found = metrics_of(
        "regression", made.tasks, made.parts, made.measured, made.predicted, baselines={"forest": nearly}
    )
    assert only(outcome(metrics=found)).endswith("though by less than the test part can tell.")


def test_intervals_that_do_not_hold_are_named_by_what_chance_allows():
    made = outcome()
    narrow = {"low": made.predicted - 0.3, "high": made.predicted + 0.3}
    assert only(outcome(**narrow)).startswith("The 90% intervals held too rarely on the test part: activity (")
    wide = {"low": made.predicted - 9, "high": made.predicted + 9}
    assert only(outcome(**wide, coverage=0.8)).startswith(
        "The 80% intervals held more often than they promise: activity (59 of 59"
    )
    assert caveats_of(outcome(**wide, coverage=0.95)) == []  # 0.95**59 is 5%


@pytest.mark.parametrize(
    "inside, labels, share", [(0, 1, 0.9), (53, 60, 0.9), (4000, 5000, 0.8), (60, 60, 0.9), (0, 3, 0.5)]
)
def test_the_binomial_tails_are_those_of_scipy(inside, labels, share):
    below, above = _binomial_tails(inside, labels, share)
    assert below == pytest.approx(scipy.stats.binom.cdf(inside, labels, share), rel=1e-9)
    assert above == pytest.approx(scipy.stats.binom.sf(inside - 1, labels, share), rel=1e-9)
