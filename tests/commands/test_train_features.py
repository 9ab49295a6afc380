"""Tests of ``catalase train``: salts and rows of the same molecule are said or merged, and other features than fingerprints."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import catalase as ct
from catalase.commands import main

from .test_command_line import molecules

# Every row twice or thrice: a molecule, its salt, and another spelling.
PLAIN = [(text, value) for text, value in dict(molecules(60)).items()][:24]
ACIDS = [("CC(=O)O", 1.0), ("OC(C)=O", 1.0), ("CC(=O)[O-].[Na+]", 3.0), ("[K+].CC([O-])=O", 1.0)]
TRAIN = ["--task", "y", "--epochs", "2", "--layer", "8", "--size", "128", "--splitter", "random"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"{text},{value}" for text, value in [*PLAIN[:4], ("C1CC", 1.0), *ACIDS, *PLAIN[4:], *PLAIN[:3]]]
    (tmp_path / "t.csv").write_text("smiles,y\n" + "\n".join(rows) + "\n")
    (tmp_path / "clean.csv").write_text("smiles,y\n" + "".join(f"{text},{value}\n" for text, value in PLAIN))
    return tmp_path


def trained(capsys, *arguments):
    """What the command says below its summary of the table."""
    assert main(["train", *arguments, "--out", "m", "--force"]) == 0
    table, task, *said = capsys.readouterr().out.splitlines()
    assert table.startswith(f"{arguments[0]}: ") and task.startswith("y: ")
    return said


def test_what_leaks_is_said_and_nothing_is_changed(here, capsys):
    said = trained(capsys, "t.csv", *TRAIN)
    assert said[0].startswith("1 of 32 rows could not be read")
    # Rows are counted from 1 below the header, with the one that cannot be read.
    assert said[1] == "4 molecules occur more than once, in 10 rows: 6 rows repeat an earlier one"
    assert said[2] == "1 of them has labels that differ: y: row 6: 1, row 7: 1, row 8: 3, row 9: 1"
    assert "in several parts of the split, which makes the scores below too good" in said[3]
    assert said[4] == "2 rows have counterions or other fragments, which are part of the features: [Na+], [K+]"
    assert said[5].startswith("--standardize removes fragments and merges rows of one molecule")
    assert said[6].startswith("split by random: 24, 3, 4 rows")
    plain = ct.models.load("m").predict([text for text, _ in PLAIN])
    quiet = trained(capsys, "t.csv", *TRAIN, "--no-standardize")
    assert quiet == [said[0], *said[6:]]
    assert np.array_equal(ct.models.load("m").predict([text for text, _ in PLAIN]), plain)
    assert trained(capsys, "clean.csv", *TRAIN)[0].startswith("split by random")


def test_molecules_in_one_part_alone_are_not_said_to_leak(here, capsys):
    rows = [*PLAIN[:1], *PLAIN]  # the first two rows are of one molecule
    (here / "u.csv").write_text("smiles,y\n" + "".join(f"{text},{value}\n" for text, value in rows))
    said = trained(capsys, "u.csv", *TRAIN, "--splitter", "index")
    assert said[0] == "1 molecule occurs more than once, in 2 rows: 1 row repeats an earlier one"
    assert said[1].startswith("--standardize") and not any("too good" in line for line in said)


def test_standard_forms_are_one_row_a_molecule_with_the_mean_of_its_labels(here, capsys):
    said = trained(capsys, "t.csv", *TRAIN, "--standardize")
    assert "2 had counterions or other fragments, which were removed: [Na+] (1), [K+] (1)" in said
    assert "4 molecules occur more than once, in 10 rows: 6 rows repeat an earlier one" in said
    assert "trained on 25 molecules of 31 rows; standardize those to predict, too" in said
    predictions = ct.models.load("m").predict(["CC(=O)O", *(text for text, _ in PLAIN)])
    result = ct.chem.standardize([text for text, _ in [*PLAIN[:4], *ACIDS, *PLAIN[4:]]], inchikey=False)
    order = dict.fromkeys(result.smiles)
    labels = {ct.chem.standardize([text]).smiles[0]: value for text, value in PLAIN} | {"CC(=O)O": 1.5}
    (here / "merged.csv").write_text("smiles,y\n" + "".join(f"{text},{labels[text]}\n" for text in order))
    trained(capsys, "merged.csv", *TRAIN, "--no-standardize")
    assert np.array_equal(ct.models.load("m").predict(["CC(=O)O", *(text for text, _ in PLAIN)]), predictions)


def test_classes_that_differ_become_missing(here, capsys):
    rows = [(text, int(value > 0.8)) for text, value in PLAIN] + [("CC(=O)O", 1), ("CC(=O)[O-].[Na+]", 0)]
    (here / "k.csv").write_text("smiles,y\n" + "".join(f"{text},{value}\n" for text, value in rows))
    said = trained(capsys, "k.csv", *TRAIN, "--classification", "--standardize")
    assert "1 of them has labels that differ: y: row 25: 1, row 26: 0" in said
    assert "trained on 25 molecules of 26 rows; standardize those to predict, too" in said


def test_large_tables_are_not_searched_unasked(here, capsys, monkeypatch):
    from catalase.commands import train

    monkeypatch.setattr(train, "_MOST_CHECKED", 30)
    said = trained(capsys, "t.csv", *TRAIN)
    assert said[1] == "salts and duplicates were not looked for in more than 30 rows; --standardize does both"
    assert any("trained on 25 molecules" in line for line in trained(capsys, "t.csv", *TRAIN, "--standardize"))


@pytest.mark.parametrize(
    "features",
    ["counts", "descriptors", "counts,descriptors", "MolWt,TPSA,ecfp", "maccs", "paths,torsions", "chiral-ecfp,fcfp"],
)
def test_other_features_travel_with_the_model(here, capsys, features):
    trained(capsys, "clean.csv", *TRAIN, "--features", features)
    model = ct.models.load("m")
    assert model.featurizer.reads == "SMILES" and len(model.featurizer.feature_names) == model.n_features
    values = model.featurizer([text for text, _ in PLAIN])
    assert np.abs(values).max() < 30  # descriptors are scaled
    assert main(["predict", "m", "clean.csv", "-o", "p.csv", "--force"]) == 0
    with open("p.csv", newline="") as file:
        told = [np.float32(row["predicted y"]) for row in csv.DictReader(file)]
    assert np.array_equal(told, model.predict([text for text, _ in PLAIN])[:, 0])
    assert main(["screen", "m", "clean.csv", "-o", "h.csv", "--top", "24"]) == 0
    assert main(["evaluate", "m", "clean.csv"]) == 0


def test_enantiomers_are_told_apart_where_that_is_asked_for(here, capsys):
    pair = ["C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"]
    for features, same in (("ecfp", True), ("chiral-ecfp", False)):
        trained(capsys, "clean.csv", *TRAIN, "--features", features)
        left, right = ct.models.load("m").predict(pair)
        assert np.array_equal(left, right) == same, features


def test_descriptors_are_scaled_by_the_training_part_alone(here, capsys):
    trained(capsys, "clean.csv", *TRAIN, "--splitter", "index", "--features", "MolWt")
    scaler = ct.models.load("m").featurizer.transformers[0]
    weights = ct.ops.descriptors([text for text, _ in PLAIN[:19]], names=["MolWt"])
    assert scaler.means == pytest.approx(weights.mean()) and scaler.stds == pytest.approx(weights.std())


def test_a_row_without_a_finite_value_is_left_out_and_listed(here, capsys):
    with open("clean.csv", "a") as file:
        file.write("C[Fe]C,1.0\n")
    said = trained(capsys, "clean.csv", *TRAIN, "--features", "MolWt,MaxPartialCharge")
    assert said[0] == "1 of 25 rows could not be read; they are listed in m.errors.csv"
    with open("m.errors.csv", newline="") as file:
        assert list(csv.reader(file))[1:] == [["25", "C[Fe]C", "its MaxPartialCharge is nan"]]
    assert main(["train", "clean.csv", *TRAIN, "--features", "mw", "--out", "n"]) == 1
    assert "--features names 'mw'; choose from ecfp, counts" in capsys.readouterr().err
