"""Tests of the example that compares graph nets with their peers: on a small table, with two epochs."""

from __future__ import annotations

import csv
import sys

import numpy as np
import pytest

import catalase as ct

ROWS = [("C" * n + end, n + k) for n in range(1, 11) for k, end in enumerate(("O", "N", "F"))]


@pytest.fixture
def script(example, monkeypatch):
    made = example("graph_quality")
    monkeypatch.setattr(made, "EPOCHS", 2)
    return made


@pytest.fixture
def folder(tmp_path):
    for table, labels in (
        ("esol.random", lambda y: [y]),
        ("tox21.random", lambda y: [y % 2, "" if y % 5 == 0 else int(y > 10)]),
    ):
        with open(tmp_path / f"{table}.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["smiles", *("ab"[: len(labels(0))]), "split"])
            for i, (smiles, y) in enumerate(ROWS):
                writer.writerow([smiles, *labels(y), "train" if i < 18 else "val" if i < 24 else "test"])
    return tmp_path


def run(script, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["graph_quality.py", *map(str, arguments)])
    script.main()


@pytest.mark.parametrize("model", ["dmpnn", "graph-conv", "torch-graph-conv"])
def test_predictions_are_written_scored_and_compared(script, folder, monkeypatch, capsys, model):
    if model.startswith("torch"):
        pytest.importorskip("torch")
    tables = ["--tables", "esol.random", "tox21.random", "--seeds", "0", "1"]
    run(script, monkeypatch, "train", folder, "--model", model, *tables)
    assert len(capsys.readouterr().out.splitlines()) == 4
    smiles, tasks, found, _ = script.read(folder / model / "tox21.random.1.csv")
    assert smiles == [smiles for smiles, _ in ROWS[24:]] and tasks == ["a", "b"]
    assert ((found > 0) & (found < 1)).all()
    y = np.array([y for _, y in ROWS[24:]], float)
    found = script.read(folder / model / "esol.random.0.csv")[2][:, 0]
    path = folder / model / "esol.random.0.csv"
    assert np.isclose(script.score(folder, path), np.sqrt(np.mean((found - y) ** 2)))
    (folder / "same").mkdir()
    for file in (folder / model).iterdir():
        (folder / "same" / file.name).write_text(file.read_text())
    run(script, monkeypatch, "compare", folder, model, "same")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines[1:3]] == ["+0.00", "+0.00"] and lines[-1] == "mean +0.00, worst +0.00"


def test_predictions_of_other_rows_are_refused(script, folder):
    (folder / "other").mkdir()
    path = folder / "other" / "esol.random.0.csv"
    path.write_text("smiles,a\nCC,1\n")
    with pytest.raises(ValueError, match=r"is not of the test rows of esol.random.csv"):
        script.score(folder, path)


def test_tables_have_the_splits_of_the_library(script, tmp_path, monkeypatch, data_dir):
    monkeypatch.setattr(script, "LOADERS", {"freesolv": "sampl"})
    run(script, monkeypatch, "tables", tmp_path)
    smiles, tasks, y, parts = script.read(tmp_path / "freesolv.random.csv")
    assert len(smiles) == 642 and tasks == ["expt"] and np.isfinite(y).all()
    data = ct.data.NumpyDataset(np.zeros((642, 1)), ids=smiles)
    for part, rows in zip(("train", "val", "test"), ct.splits.RandomSplitter().split(data, seed=0), strict=True):
        assert sorted(np.flatnonzero(parts == part)) == sorted(rows)
