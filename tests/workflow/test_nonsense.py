"""Nonsense in every argument of `catalase.workflow`."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from catalase import models, workflow
from catalase.data.labelled_table import LabelledTable
from catalase.workflow import folder, training
from tests.nonsense import Target, call, report

KINDS = {
    "source": "word", "tasks": "words?", "mode": "word", "smiles": "words?", "rows": "anything", "parts": "words?", "folds": "anything", "measured": "anything", "predicted": "anything", "std": "anything",
    "low": "anything", "high": "anything", "nearest_similarity": "anything", "in_domain": "anything", "coverage": "number", "domain_threshold": "real", "metrics": "anything", "histories": "anything",
    "warnings": "words?", "table": "words?", "plan": "anything", "versions": "anything", "units": "word", "transform": "word", "outcome": "ours", "out": "path", "members": "anything", "baselines": "anything",
    "kept": "words?", "seed": "seed", "model": "ours", "splitter": "word?", "held_out": "anything", "progress": "flag?", "times": "whole",
}  # fmt: skip
Y = np.arange(3.0)[:, None]
FIELDS = {
    "source": "t.csv", "tasks": ["y"], "mode": "regression", "smiles": ["C", "CC", "CCC"], "rows": [1, 2, 3], "parts": ["train", "train", "test"], "folds": [0, 1, -1],
    "measured": Y, "predicted": Y, "std": Y, "low": Y, "high": Y, "nearest_similarity": Y[:, 0], "in_domain": [True] * 3, "coverage": 0.9, "domain_threshold": 0.3,
    "metrics": {}, "histories": {}, "warnings": [], "table": [], "plan": {}, "versions": {}, "units": "", "transform": "",
}  # fmt: skip


def outcome():
    return workflow.Outcome(**FIELDS)


def table():
    return LabelledTable("t.csv", FIELDS["smiles"], np.arange(3), Y, ["y"], "regression", "smiles", 3)


def model():
    return models.AutoModel("regression")


FUNCTIONS = {
    "Outcome": lambda: call(**FIELDS),
    "metrics_of": lambda: call("regression", ["y"], ["train", "train", "test"], Y, Y, members={"a": Y}, baselines={"b": Y}, kept=["a"], seed=0),
    "caveats_of": lambda: call(outcome()),
    "statements_of": lambda: call(outcome()),
    "comparison_of": lambda: call(workflow.Outcome(**FIELDS | {"metrics": workflow.metrics_of("regression", ["y"], ["train", "train", "test"], Y, Y)})),
    "outputs": lambda: call("."),
    "write_folder": lambda: call(".", outcome(), force=False),
    "readable": lambda: call(table()),
    "train_model": lambda: call(table(), model(), splitter="random", held_out=np.array([False, False, True]), progress=False, units="", transform=""),
    "scrambled": lambda: call(table(), model(), outcome(), 2),
}  # fmt: skip


@pytest.fixture
def quick(monkeypatch):
    """Reports and trainings that take no time: all arguments are checked before."""
    monkeypatch.setattr(folder, "report_of", lambda made: folder.FIRST_LINES)
    monkeypatch.setattr(models.AutoModel, "fit", lambda self, *_, **__: setattr(self, "trained", self))
    monkeypatch.setattr(training, "_outcome", lambda *_: None)
    found = SimpleNamespace(scrambled=[1.0], score=0.5, p_value=0.5)
    monkeypatch.setattr(training, "y_scrambling", lambda *_, **__: found)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name, tmp_path, monkeypatch, quick):
    monkeypatch.chdir(tmp_path)
    also = {"smiles": ["tasks", "rows"], "tasks": ["smiles", "measured"], "out": ["folder"], "members": ["predictions"]}
    wrong = Target(getattr(workflow, name), FUNCTIONS[name], KINDS, also=also).failures()
    assert not wrong, report(wrong)


def test_everything_public_is_in_a_table():
    assert set(workflow.__all__) == set(FUNCTIONS)
