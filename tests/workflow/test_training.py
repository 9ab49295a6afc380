"""From a table to an outcome: the split, what the model says of each part, its members and baselines, shuffled labels."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase import workflow
from catalase.data.labelled_table import LabelledTable
from catalase.demo.data import find_files, load_measured
from catalase.models import AutoModel
from catalase.workflow.report import report_of


@pytest.fixture(scope="module")
def table():
    """Compounds with activities: some twice, one with counterions, one unreadable, one without a label."""
    paths = find_files()
    found = load_measured(paths["activity"], paths["smiles"])
    order = np.random.default_rng(0).permutation(len(found))[:150].tolist()
    some, activity = [found.smiles[i] for i in order], [found.activity[i] for i in order]
    smiles = [*some, some[0], some[1] + ".Cl", "C1CC", "CCO"]
    y = np.array([*activity, activity[0] + 1, activity[1], 5.0, np.nan])[:, None]
    rows = np.arange(0, 2 * len(smiles), 2)  # every other row of a larger table
    return LabelledTable("t.csv", smiles, rows, y, ["activity"], "regression", "smiles", 2 * len(smiles), ["154 rows"])


@pytest.fixture(scope="module")
def trained(table):
    model = AutoModel("regression", members=["Gaussian process", "nearest neighbours"], splitter="random", seed=3)
    readable = workflow.readable(table)
    return readable, model, workflow.train_model(readable, model)


def test_what_cannot_be_read_is_a_failure_with_its_row(table):
    readable = workflow.readable(table)
    assert len(readable) == 153
    assert [(f.position, f.text) for f in readable.failures] == [(304, "C1CC")]


def test_equal_molecules_are_in_one_part_and_test_rows_choose_nothing(trained):
    readable, model, outcome = trained
    parts = dict(zip(outcome.rows.tolist(), outcome.parts.tolist(), strict=True))
    assert parts[1] == parts[301] and parts[3] == parts[303]
    test = [text for text, part in zip(outcome.smiles, outcome.parts, strict=True) if part == "test"]
    assert 10 <= len(test) <= 16
    learned = {readable.smiles[i] for i in np.flatnonzero(outcome.parts == "train")}
    assert not learned & set(test) and model.report["molecules"] == (outcome.parts == "train").sum()


def test_an_outcome_holds_what_the_model_says_of_each_row(trained):
    _, model, outcome = trained
    test = outcome.parts == "test"
    said = model.predict_table([text for text, held in zip(outcome.smiles, test, strict=True) if held])
    for name, column in (("predicted", said.mean), ("std", said.std), ("low", said.low), ("high", said.high)):
        np.testing.assert_array_equal(getattr(outcome, name)[test], column)
    np.testing.assert_array_equal(outcome.predicted[~test], model.trained.out_of_fold.mean)
    assert (outcome.folds[test] == -1).all() and set(outcome.folds[~test].tolist()) == {0, 1, 2, 3, 4}
    assert outcome.rows.tolist() == sorted(outcome.rows.tolist()) and outcome.rows[0] == 1


def test_the_scores_are_those_of_the_model_its_members_and_the_baselines(trained):
    _, model, outcome = trained
    metrics = outcome.metrics
    assert metrics["validation"]["rmse"] == pytest.approx(model.report["validation"]["rmse"], rel=1e-9)
    assert set(metrics["members"]) == {"Gaussian process", "nearest neighbours"}
    assert set(metrics["baselines"]) == {"ridge", "nearest neighbours", "mean"}
    kept = {name for name, entry in metrics["members"].items() if entry["kept"]}
    assert kept == {member.kind for member in model.learned}
    assert metrics["baselines"]["mean"]["test"]["r2"] <= 0 < metrics["test"]["r2"]


def test_a_row_without_a_label_is_not_in_the_training(trained):
    _, model, outcome = trained
    assert "CCO" not in outcome.smiles or outcome.parts[outcome.smiles.index("CCO")] == "test"
    assert outcome.plan["members"] == model.trained.answers and outcome.plan["cut short"] is False


def test_the_files_can_be_written_beside_the_saved_model(trained, tmp_path):
    _, model, outcome = trained
    model.save(tmp_path)
    written = workflow.write_folder(tmp_path, outcome)
    assert {path.name for path in written} >= {"metrics.json", "report.html", "test_predictions.csv", "split.csv"}
    again = ct.models.load(tmp_path)
    np.testing.assert_array_equal(again.predict(outcome.smiles[:5]), model.predict(outcome.smiles[:5]))
    assert again.smiles_column == "smiles" and again.tasks == ["activity"]


def test_shuffled_labels_teach_nothing(trained):
    readable, model, outcome = trained
    (said,) = workflow.scrambled(readable, model, outcome, 3)
    true = outcome.metrics["test"]["rmse"]
    assert said.startswith("trained on shuffled labels 3 times, RMSE on the test part is ")
    assert f"with the labels as they are it is {true:.3f}" in said and "(p = 0.25)" in said


def test_the_test_part_can_be_given(table):
    readable = workflow.readable(table)
    held = np.arange(len(readable)) < 20
    outcome = workflow.train_model(readable, AutoModel(members=["ridge"], splitter="random"), held_out=held)
    assert outcome.rows[outcome.parts == "test"].tolist() == (readable.rows[:20] + 1).tolist()


def test_a_split_by_scaffolds_holds_scaffolds_out(table):
    readable = workflow.readable(table)
    outcome = workflow.train_model(readable, AutoModel(members=["ridge"]))
    scaffolds = [ct.chem.scaffold(text) for text in outcome.smiles]
    of_part = {
        part: {s for s, p in zip(scaffolds, outcome.parts, strict=True) if p == part} for part in ("train", "test")
    }
    assert not of_part["train"] & of_part["test"]


@pytest.mark.parametrize("splitter", ["random", "scaffold"])
def test_a_table_of_replicates_has_a_test_part_of_whole_molecules(table, splitter):
    readable = workflow.readable(table)
    fourfold = readable.take(np.tile(np.arange(40), 4))
    outcome = workflow.train_model(fourfold, AutoModel(members=["ridge"], splitter=splitter))
    test = [text for text, part in zip(outcome.smiles, outcome.parts, strict=True) if part == "test"]
    assert len(test) >= 12 and all(test.count(text) == 4 for text in test)


def test_a_model_that_is_the_best_baseline_is_said_to_score_as_it_does(table):
    readable = workflow.readable(table)
    outcome = workflow.train_model(readable, AutoModel(members=["ridge"], splitter="random"))
    found = workflow.statements_of(outcome)
    assert found[1].startswith("The best simple model, ridge, has RMSE") and found[1].endswith(
        ", and so has the model."
    )


def test_the_report_draws_the_worst_molecules_with_the_contributions_of_their_atoms(trained):
    _, model, outcome = trained
    found = outcome.contributions["activity"]
    assert found and all(outcome.parts[row] == "test" for row in found)
    for row, values in found.items():
        assert np.array_equal(values, ct.explain.atoms(model, [outcome.smiles[row].strip()])[0])
    assert "Atoms that raise the prediction are red" in report_of(outcome)
