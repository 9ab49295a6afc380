"""Tests that training, prediction, evaluation and screening by command and in Python give the same numbers."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest

import catalase as ct
from catalase.commands import main

HEADS = ["CC", "OC", "NC", "ClC", "FC", "c1ccccc1C", "C1CC1C", "c1ccncc1C"]
SMILES = [head + "C" * (i // len(HEADS)) + "O" for i, head in ((i, HEADS[i % len(HEADS)]) for i in range(96))]
VALUES = np.array([5000.0 + 100 * text.count("C") - 40 * text.count("N") for text in SMILES])
TRAIN = ["--smiles", "mol", "--epochs", "4", "--size", "256", "--layer", "16", "--splitter", "random", "--seed", "1"]


def write(path, columns):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([list(columns), *zip(*columns.values(), strict=True)])


def read(path, column):
    with open(path, newline="") as file:
        return np.array([float(row[column]) for row in csv.DictReader(file)], np.float32)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("table.csv", {"mol": SMILES, "value": VALUES, "high": (np.median(VALUES) < VALUES).astype(int)})
    return tmp_path


def told_scores(capsys):
    """The numbers of the one line of scores that ``catalase evaluate`` prints."""
    capsys.readouterr()
    assert main(["evaluate", "model", "table.csv"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith(" table.csv"))
    return [float(number) for number in re.findall(r"-?\d+\.\d{3}", line)]


@pytest.mark.parametrize("task", ["value", "high"])
def test_commands_and_python_agree(folder, capsys, task):
    classes = ["--classification"] if task == "high" else []
    assert main(["train", "table.csv", "--task", task, *classes, *TRAIN, "--out", "model"]) == 0
    assert main(["predict", "model", "table.csv", "-o", "told.csv"]) == 0
    assert main(["screen", "model", "table.csv", "-o", "hits.csv", "--top", "96"]) == 0
    told = read("told.csv", f"predicted {task}")
    model = ct.models.load("model")
    assert model.tasks == [task] and model.smiles_column == "mol"
    assert model.featurizer == ct.feat.CircularFingerprint(radius=2, size=256)

    def column(predictions):
        return predictions[:, 0, 1] if classes else predictions[:, 0]

    own = column(model.predict(SMILES))
    data = ct.data.CSVLoader([task], model.featurizer, feature_field="mol").create_dataset("table.csv")
    assert np.array_equal(told, own) and np.array_equal(column(model.predict(data)), own)
    assert np.array_equal(column(model.predict(model.featurizer(SMILES))), own)
    with open("hits.csv", newline="") as file:
        hits = {int(row["row"]): np.float32(row["score"]) for row in csv.DictReader(file)}
    rows = sorted(hits)  # counted as the commands count them
    assert len(rows) == 96 and np.array_equal([hits[row] for row in rows], own)
    found = ct.screen(model, SMILES, 96)
    assert np.array_equal(found.scores, own[found.rows])
    if not classes:
        assert abs(own - 5000).max() < 3000  # in the units of the table
    functions = (
        [ct.metrics.roc_auc_score, ct.metrics.prc_auc_score, ct.metrics.balanced_accuracy_score]
        if classes
        else [ct.metrics.rms_score, ct.metrics.mae_score, ct.metrics.r2_score, ct.metrics.spearman_score]
    )
    scores = model.evaluate(data, [ct.metrics.Metric(function) for function in functions])
    assert told_scores(capsys) == pytest.approx(list(scores.values()), abs=6e-4)


@pytest.mark.parametrize("settings", [{"radius": 1}, {"is_counts_based": True}, {"features": True, "chiral": True}])
def test_a_model_that_was_trained_in_python_works_in_every_command(folder, capsys, settings):
    ecfp = ct.feat.CircularFingerprint(size=256, **settings)
    data = ct.data.CSVLoader(["value"], ecfp, feature_field="mol").create_dataset("table.csv")
    normal = ct.trans.NormalizationTransformer(transform_y=True, dataset=data)
    members = [ct.models.MultitaskRegressor(1, 256, layer_sizes=[8], seed=s) for s in range(2)]
    model = ct.models.Ensemble(members)
    model.fit(normal.transform(data), nb_epoch=2, progress=False)
    model.transformers = [normal]
    model.save("model")
    own = model.predict(SMILES)[:, 0]
    assert main(["predict", "model", "table.csv", "--smiles", "mol", "-o", "told.csv"]) == 0
    assert np.array_equal(read("told.csv", "predicted value"), own)
    assert main(["screen", "model", "table.csv", "-o", "hits.csv", "--top", "96"]) == 0
    assert np.array_equal(np.sort(read("hits.csv", "score")), np.sort(own))
    capsys.readouterr()
    assert main(["predict", "model", "table.csv", "-o", "more.csv"]) == 0  # its column is known by its name
    assert np.array_equal(read("more.csv", "predicted value"), own)
    with open("table.csv") as file:
        text = file.read()
    with open("other.csv", "w") as file:
        file.write(text.replace("mol", "compound", 1))
    capsys.readouterr()
    assert main(["predict", "model", "other.csv", "-o", "none.csv"]) == 1
    assert "no column 'smiles'; it has 'compound'" in capsys.readouterr().err
    model.smiles_column = "mol"
    model.save("model")
    error = abs(data.y[:, 0] - own)
    assert told_scores(capsys)[:2] == pytest.approx([np.sqrt((error**2).mean()), error.mean()], abs=6e-4)


def test_several_classes_have_a_column_each(folder):
    ecfp = ct.feat.CircularFingerprint(size=64)
    model = ct.models.MultitaskClassifier(1, 64, layer_sizes=[4], n_classes=3, seed=0)
    model.fit(ct.data.NumpyDataset(ecfp(SMILES), np.arange(96) % 3, featurizer=ecfp), nb_epoch=1, progress=False)
    model.smiles_column = "mol"
    model.save("model")
    assert main(["predict", "model", "table.csv", "-o", "told.csv"]) == 0
    told = np.stack([read("told.csv", f"predicted task 0 class {k}") for k in range(3)], axis=1)
    assert np.array_equal(told, model.predict(SMILES)[:, 0])


def test_what_a_model_does_not_say_is_not_guessed(folder, capsys):
    model = ct.models.MultitaskRegressor(1, 256, layer_sizes=[8], seed=0)
    model.save("model")
    for command in (
        ["predict", "model", "table.csv", "-o", "told.csv"],
        ["evaluate", "model", "table.csv"],
        ["screen", "model", "table.csv", "-o", "hits.csv"],
    ):
        assert main(command) == 1
        error = capsys.readouterr().err
        assert "names no featurizer" in error and "CircularFingerprint" in error and "Traceback" not in error
    model.featurizer, model.smiles_column = ct.feat.CircularFingerprint(size=256), "mol"
    model.save("model")
    assert main(["evaluate", "model", "table.csv"]) == 1
    assert "does not name its tasks" in capsys.readouterr().err
    assert main(["predict", "model", "table.csv", "-o", "told.csv"]) == 0
    assert np.array_equal(read("told.csv", "predicted task 0"), model.predict(SMILES)[:, 0])


def test_a_folder_of_an_earlier_version_predicts_evaluates_and_screens(folder, capsys):
    from catalase._internal import storage

    assert main(["train", "table.csv", "--task", "value", *TRAIN, "--out", "model"]) == 0
    expected = ct.models.load("model").predict(SMILES)[:, 0]
    scores = told_scores(capsys)
    config, arrays = storage.load_folder("model")
    fingerprint = {key: value for key, value in config["featurizer"].items() if key != "class"}
    old = {"fingerprint": fingerprint, "smiles": "mol", "tasks": ["value"], "classification": False}
    config = {name: config[name] for name in ("kind", "model", "transformers")} | {"featurizer": old}
    storage.save_folder("model", config, arrays)
    assert main(["predict", "model", "table.csv", "-o", "told.csv"]) == 0
    assert np.array_equal(read("told.csv", "predicted value"), expected) and told_scores(capsys) == scores
    assert main(["screen", "model", "table.csv", "-o", "hits.csv", "--top", "96"]) == 0
    assert np.array_equal(np.sort(read("hits.csv", "score")), np.sort(expected))
