"""Tests of `workflow.statements_of` and of how figures are written."""

from __future__ import annotations

import numpy as np
import pytest

from catalase.workflow import comparison_of, statements_of
from catalase.workflow.statements import title_of
from catalase.workflow.words import counted, figure, joined, percent
from tests.workflow.outcomes import outcome


def test_a_regression_is_described_by_its_error_the_baselines_the_intervals_and_the_domain():
    made = outcome()
    found = statements_of(made)
    test = made.metrics["test"]
    assert found[0].startswith("On 60 test molecules, which took no part in the training or in any choice,")
    assert (
        f"an RMSE of {test['rmse']:.3f} p units (95% interval " in found[0]
        and f"{100 * test['r2']:.0f}% of its variance" in found[0]
    )
    assert found[1].startswith(
        f"The best simple model, ridge, has RMSE {made.metrics['baselines']['ridge']['test']['rmse']:.3f}"
    )
    assert (
        found[2].startswith("Its 90% intervals are ")
        and "56 of 59 test labels lie inside (95%; 90% were promised)" in found[2]
    )
    outside = int((~made.in_domain[made.parts == "test"]).sum())
    assert (
        found[3].startswith(f"{outside} of 60 test molecules")
        and outside == 2
        and "RMSE is " not in found[3]
        and len(found) == 4
    )
    more = outcome(in_domain=np.arange(240) % 4 > 0)
    errors = (more.predicted - more.measured)[:, 0]
    for word, rows in (("for them", ~more.in_domain), ("inside the domain", more.in_domain)):
        rmse = np.sqrt(np.nanmean(errors[rows & (more.parts == "test")] ** 2))
        assert f"{rmse:.3f} {word}" in statements_of(more)[3]


def test_classes_are_described_by_ranking_and_probabilities():
    found = statements_of(outcome("classification"))
    assert "ROC-AUC of 0." in found[0] and "of its pairs with a random negative" in found[0]
    assert any(line.startswith("The mean squared error of its probabilities (Brier) is 0.") for line in found)
    assert not any("intervals" in line for line in found)


def test_several_tasks_are_described_by_their_mean_and_the_ends():
    found = statements_of(outcome(tasks=2))
    assert "over 2 tasks and 119 labels: from 0." in found[0] and "(activity again)" in found[0]


def test_a_model_worse_than_the_mean_and_a_test_part_without_labels_are_said():
    made = outcome()
    worse = {**made.metrics, "test": {**made.metrics["test"], "r2": -0.4}}
    assert (
        "R2 is -0.400, so that the mean of the test labels would do better" in statements_of(outcome(metrics=worse))[0]
    )
    empty = np.where(made.parts[:, None] == "test", np.nan, made.measured)
    found = statements_of(outcome(measured=empty, metrics={}))
    assert found[0] == "The test part has no labels on which the model could be scored."


@pytest.mark.parametrize(
    "value, text",
    [
        (0.61549, "0.615"),
        (12.345, "12.3"),
        (755675.2, "755,675"),
        (0.00012345, "0.000123"),
        (0, "0.000"),
        (np.nan, "–"),
        (None, "–"),
        (np.inf, "inf"),
        (-2.5, "-2.500"),
        (3e12, "3.00e+12"),
        (1e-9, "1.00e-09"),
    ],
)
def test_figures_have_as_many_digits_as_a_reader_needs(value, text):
    assert figure(value) == text


def test_the_title_has_no_folders_of_the_source():
    assert (
        title_of(outcome(source="/home/me/a.csv")) == "activity from a.csv"
        and title_of(outcome(source="")) == "activity"
    )
    assert title_of(outcome(source="standard input")) == "activity from standard input"


def test_words_for_shares_lists_and_counts():
    assert [percent(share) for share in (0, 0.005, 0.5, 0.995, 1, np.nan)] == [
        "0%",
        "0.5%",
        "50%",
        "99.5%",
        "100%",
        "–",
    ]
    assert joined(["a"]) == "a" and joined(["a", "b", "c"]) == "a, b and c"
    assert joined([str(i) for i in range(9)]) == "0, 1, 2, 3, 4 and 4 others"
    assert counted(1, "molecule") == "1 molecule" and counted(1200, "molecule") == "1,200 molecules"


def test_the_model_its_members_and_the_baselines_stand_in_one_table():
    columns, rows = comparison_of(outcome())
    assert columns == ["", "RMSE validation", "R2 validation", "RMSE test", "R2 test"]
    assert [row[0] for row in rows] == [
        "the model",
        "  gp",
        "  linear (left out)",
        "  baseline: the mean",
        "  baseline: ridge",
    ]
    assert rows[0][3] == f"{outcome().metrics['test']['rmse']:.3f}" and rows[0][1:] == rows[1][1:]
