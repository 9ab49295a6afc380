"""Tests of ``catalase train --model graph``, and of the commands that use what it saved."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import catalase as ct
from catalase.commands import main

ROWS = [(a + "C" * n + b, n) for n in range(1, 13) for a, b in (("", "O"), ("N", ""), ("F", "Cl"))]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [f"{text},{n},{int(n > 6)}" for text, n in [*ROWS, ("C1CC", 1)]]
    (tmp_path / "t.csv").write_text("smiles,y,long\n" + "\n".join(lines) + "\n")
    return tmp_path


def shown(capsys, *arguments):
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("classes", [False, True])
def test_a_graph_net_is_trained_and_used_like_any_other(here, capsys, classes):
    task = ["--task", "long", "--classification"] if classes else ["--task", "y"]
    said = shown(
        capsys, "train", "t.csv", *task, "--model", "graph", "--epochs", "3", "--splitter", "random", "--out", "m"
    )
    assert "1 of 37 rows could not be read" in said and "model saved in m" in said
    model = ct.models.load("m")
    assert type(model) is ct.models.DMPNNModel and model.mode == ("classification" if classes else "regression")
    (here / "l.smi").write_text("".join(f"{text} {i}\n" for i, (text, _) in enumerate(ROWS)))
    shown(capsys, "screen", "m", "l.smi", "--out", "hits.csv", "--top", "50")
    scores = {row["smiles"]: float(row["score"]) for row in csv.DictReader((here / "hits.csv").open())}
    predicted = model.predict([text for text, _ in ROWS])
    expected = predicted[:, 0, 1] if classes else predicted[:, 0]
    assert np.allclose([scores[text] for text, _ in ROWS], expected, atol=1e-6)
    shown(capsys, "predict", "m", "t.csv", "--out", "p.csv")
    assert len((here / "p.csv").read_text().splitlines()) == 38
    assert shown(capsys, "evaluate", "m", "t.csv")


def test_settings_of_the_net(here, capsys):
    options = ["--dropout", "0.2", "--learning-rate", "0.01", "--batch-size", "7", "--standardize", "--epochs", "1"]
    shown(capsys, "train", "t.csv", "--task", "y", "--model", "graph", "--out", "m", "--splitter", "random", *options)
    model = ct.models.load("m")
    assert (model.dropout, model.batch_size, model.max_lr, model.init_lr) == (0.2, 7, 0.01, 0.001)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--layer", "8"], "--layer is for --model dense"),
        (["--weight-decay", "0.1"], "--weight-decay is for --model dense"),
        (["--features", "counts,nothing"], "--features names 'nothing'"),
    ],
)
def test_options_of_the_dense_net_are_refused(here, capsys, options, words):
    assert main(["train", "t.csv", "--task", "y", "--model", "graph", "--out", "m", *options]) != 0
    assert words in capsys.readouterr().err
    assert not (here / "m").exists()


@pytest.mark.parametrize("features", ["descriptors", "MolWt,ecfp"])
def test_a_graph_net_with_extra_features_is_used_by_all_commands(here, capsys, features):
    options = ["--features", features, "--size", "64", "--epochs", "2", "--splitter", "random"]
    said = shown(capsys, "train", "t.csv", "--task", "y", "--model", "graph", *options, "--out", "m")
    assert "1 of 37 rows could not be read" in said
    model = ct.models.load("m")
    assert model.n_extra_features == len(model.featurizer.extra.feature_names) == {"descriptors": 97}.get(features, 65)
    predicted = model.predict([text for text, _ in ROWS])[:, 0]
    (here / "l.smi").write_text("".join(f"{text} {i}\n" for i, (text, _) in enumerate(ROWS)))
    shown(capsys, "screen", "m", "l.smi", "--out", "hits.csv", "--top", "50")
    scores = {row["smiles"]: float(row["score"]) for row in csv.DictReader((here / "hits.csv").open())}
    assert np.allclose([scores[text] for text, _ in ROWS], predicted, atol=1e-6)
    shown(capsys, "predict", "m", "t.csv", "--out", "p.csv")
    rows = list(csv.DictReader((here / "p.csv").open()))
    column = next(name for name in rows[0] if name not in ("smiles", "y", "long"))
    assert np.allclose([float(row[column]) for row in rows[:36]], predicted, atol=1e-5)
    assert shown(capsys, "evaluate", "m", "t.csv")
