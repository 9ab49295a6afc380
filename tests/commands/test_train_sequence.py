"""Tests of ``catalase train --model sequence``, and of the commands that use what it saved."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import catalase as ct
from catalase.commands import main

ROWS = [(a + "C" * n + b, n) for n in range(1, 13) for a, b in (("", "O"), ("N", ""), ("F", "Cl"))]
FAST = ["--splitter", "random", "--epochs", "3"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [f"{text},{n},{int(n > 6)}" for text, n in [*ROWS, ("C1CC", 1)]]
    (tmp_path / "t.csv").write_text("smiles,y,long\n" + "\n".join(lines) + "\n")
    return tmp_path


def shown(capsys, *arguments):
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


def rows_of(path):
    return list(csv.DictReader(path.open()))


@pytest.mark.parametrize("classes", [False, True])
def test_a_reader_of_smiles_is_trained_and_used_like_any_other(here, capsys, classes):
    task = "long" if classes else "y"
    said = shown(capsys, "train", "t.csv", "--task", task, "--model", "sequence", *FAST, "--out", "m")
    assert "1 of 37 rows could not be read" in said and "model saved in m" in said
    assert "validation" in said and ("ROC-AUC" if classes else "RMSE") in said
    model = ct.models.load("m")
    assert type(model) is (ct.models.SequenceClassifier if classes else ct.models.SequenceRegressor)
    assert (model.bidirectional, model.pool, model.dropout) == (True, "max", 0.3)
    assert model.featurizer == ct.feat.SmilesTokens(model.tokenizer, canonical=True) and model.tasks == [task]
    predicted = model.predict([text for text, _ in ROWS])
    expected = predicted[:, 0, 1] if classes else predicted[:, 0]
    (here / "l.smi").write_text("".join(f"{text} {i}\n" for i, (text, _) in enumerate(ROWS)))
    shown(capsys, "screen", "m", "l.smi", "--out", "hits.csv", "--top", "50")
    scores = {row["smiles"]: float(row["score"]) for row in rows_of(here / "hits.csv")}
    assert np.allclose([scores[text] for text, _ in ROWS], expected, atol=1e-6)
    said = shown(capsys, "predict", "m", "t.csv", "--out", "p.csv")
    cells = [row[f"predicted {task}"] for row in rows_of(here / "p.csv")]
    assert np.array_equal(np.array(cells[:36], np.float32), expected) and cells[36] == ""
    assert "1 of 37 rows could not be read" in said and "C1CC" in (here / "p.csv.errors.csv").read_text()
    said = shown(capsys, "evaluate", "m", "t.csv")
    if not classes:
        error = np.sqrt(np.mean((expected - [n for _, n in ROWS]) ** 2))
        assert f" {error:.3f} " in said


def test_answers_are_in_the_units_of_the_table(here, capsys):
    lines = [f"{text},{1000 + 10 * n}" for text, n in ROWS]
    (here / "t.csv").write_text("smiles,y\n" + "\n".join(lines) + "\n")
    shown(capsys, "train", "t.csv", "--task", "y", "--model", "sequence", *FAST, "--out", "m")
    predicted = ct.models.load("m").predict([text for text, _ in ROWS])
    assert (abs(predicted - 1065) < 60).all()


def test_the_spelling_of_a_molecule_does_not_matter(here, capsys):
    shown(capsys, "train", "t.csv", "--task", "y", "--model", "sequence", *FAST, "--out", "m")
    first, other = ct.models.load("m").predict(["CCCO", "OCCC"])
    assert first == other


def test_the_vocabulary_is_that_of_the_training_part(here, capsys):
    """The last tenth of the rows is the test part, and alone has bromine."""
    lines = [f"{text},{n}" for text, n in ROWS] + [f"{'C' * n}Br,{n}" for n in range(1, 5)]
    (here / "t.csv").write_text("smiles,y\n" + "\n".join(lines) + "\n")
    options = ["--splitter", "index", "--epochs", "2"]
    shown(capsys, "train", "t.csv", "--task", "y", "--model", "sequence", *options, "--out", "m")
    model = ct.models.load("m")
    assert "Br" not in model.tokenizer.tokens and "Cl" in model.tokenizer.tokens
    assert np.isfinite(model.predict(["CCBr"])).all()


def test_settings_of_the_net(here, capsys):
    options = ["--dropout", "0", "--learning-rate", "0.01", "--batch-size", "7", "--seed", "3", "--standardize"]
    options += ["--patience", "1"]
    shown(capsys, "train", "t.csv", "--task", "y", "--model", "sequence", *FAST, *options, "--out", "m")
    model = ct.models.load("m")
    assert (model.dropout, model.batch_size, model.learning_rate, model.seed) == (0.0, 7, 0.01, 3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--layer", "8"], "--layer is for --model dense; leave it out for a sequence net"),
        (["--weight-decay", "0.1"], "--weight-decay is for --model dense"),
        (["--features", "counts"], "--features is for --model dense and graph; leave it out for a sequence net"),
        (["--radius", "3"], "--radius is for --model dense and graph"),
        (["--size", "64"], "--size is for --model dense and graph"),
    ],
)
def test_options_of_other_nets_are_refused(here, capsys, options, words):
    assert main(["train", "t.csv", "--task", "y", "--model", "sequence", "--out", "m", *options]) != 0
    assert words in capsys.readouterr().err
    assert not (here / "m").exists()


def test_threads_change_no_bit(here, capsys):
    before, found = ct.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            ct.set_num_threads(threads)
            shown(capsys, "train", "t.csv", "--task", "y", "--model", "sequence", *FAST, "--out", f"m{threads}")
            found.append(ct.models.load(f"m{threads}").predict([text for text, _ in ROWS]))
    finally:
        ct.set_num_threads(before)
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2])
