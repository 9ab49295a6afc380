"""Tests of ``catalase explain``: its columns, its picture, and what it refuses."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import catalase as ct
from catalase.commands import main


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    smiles = ["CCO", "CCN", "CCCO", "CCCN", "c1ccccc1O"]
    featurizer = ct.feat.CircularFingerprint(size=256)
    data = ct.data.NumpyDataset(featurizer(smiles), np.arange(5.0), featurizer=featurizer, tasks=["y"])
    model = ct.models.RidgeRegression(1, 256)
    model.fit(data)
    model.save("m")
    (tmp_path / "t.csv").write_text("name,smiles\na,CCO\nb,C1CC\nc,CCCN\nd,\n")
    return model


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_has_a_value_for_each_atom_which_with_the_base_sum_to_the_prediction(here, tmp_path):
    assert main(["explain", "m", "t.csv", "-o", "x.csv", "--png", "x.png", "--method", "exact", "--task", "y"]) == 0
    found = rows("x.csv")
    assert [row["name"] for row in found] == list("abcd")
    assert found[1]["contributions y"] == found[1]["base y"] == ""
    for row in (found[0], found[2]):
        values = [float(value) for value in row["contributions y"].split()]
        assert len(values) == len(row["smiles"])
        total = sum(values) + float(row["base y"])
        assert abs(total - here.predict([row["smiles"]])[0, 0]) < 1e-5
    assert (tmp_path / "x.png").read_bytes()[:4] == b"\x89PNG"
    assert "C1CC" in (tmp_path / "x.csv.errors.csv").read_text()


def test_an_unknown_task_and_a_method_that_is_not_for_the_model_are_refused(here, capsys):
    assert main(["explain", "m", "t.csv", "-o", "x.csv", "--task", "z"]) == 1
    assert "there is no task 'z': the model has the tasks y" in capsys.readouterr().err
    assert main(["explain", "m", "t.csv", "-o", "x.csv", "--method", "gradient"]) == 1
    assert "model must have gradients, but RidgeRegression is no net" in capsys.readouterr().err
