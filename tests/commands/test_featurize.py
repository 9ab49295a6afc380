"""Tests of ``catalase featurize``: its columns are those of the featurizers, and no row is lost."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import catalase as ct
from catalase.commands import main

SMILES = ["CCO", "C1CC", "C[N+](C)(C)C", "C[Fe]C", "", "CC(=O)Oc1ccccc1C(=O)O", "C[C@H](N)CO |&1:1|"]
READABLE = [0, 2, 3, 5, 6]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("mol,name\n" + "".join(f"{s},n{i}\n" for i, s in enumerate(SMILES)))
    return tmp_path


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    "features, featurizer",
    [
        ([], ct.feat.Descriptors()),
        (["--features", "ecfp", "--size", "64", "--radius", "1"], ct.feat.CircularFingerprint(1, 64)),
        (
            ["--features", "maccs,atom-pairs,torsions,paths", "--size", "16"],
            ct.feat.Combined(
                ct.feat.MACCSKeysFingerprint(),
                ct.feat.AtomPairFingerprint(16),
                ct.feat.TopologicalTorsionFingerprint(16),
                ct.feat.RDKitFingerprint(16),
            ),
        ),
        (["--features", "chiral-ecfp", "--size", "64"], ct.feat.CircularFingerprint(size=64, chiral=True)),
        (["--features", "fcfp", "--size", "64"], ct.feat.CircularFingerprint(size=64, features=True)),
        (["--features", "MolWt, TPSA"], ct.feat.Descriptors(["MolWt", "TPSA"])),
        (
            ["--features", "TPSA,counts,all-descriptors", "--size", "8"],
            ct.feat.Combined(
                ct.feat.Descriptors(["TPSA"]),
                ct.feat.CircularFingerprint(size=8, is_counts_based=True),
                ct.feat.Descriptors(ct.feat.DESCRIPTOR_NAMES),
            ),
        ),
    ],
)
def test_the_new_columns_are_those_of_the_featurizer_to_the_bit(here, capsys, features, featurizer):
    assert main(["featurize", "t.csv", "--smiles", "mol", "-o", "f.csv", *features]) == 0
    said = capsys.readouterr().out
    rows = read("f.csv")
    assert list(rows[0]) == ["mol", "name", *featurizer.feature_names]
    assert [(row["mol"], row["name"]) for row in rows] == [(s, f"n{i}") for i, s in enumerate(SMILES)]
    expected = featurizer([SMILES[i] for i in READABLE])
    found = np.array([[float(rows[i][name]) for name in featurizer.feature_names] for i in READABLE])
    assert np.array_equal(found, expected, equal_nan=True)
    for i in (1, 4):
        assert not any(rows[i][name] for name in featurizer.feature_names)
    assert [error["row"] for error in read("f.csv.errors.csv")] == ["2", "5"]
    assert "7 rows written to f.csv" in said and "2 of 7 rows could not be read" in said
    odd = np.isnan(expected).any()
    assert ("1 rows have values that are NaN or infinite: MaxPartialCharge (1)" in said.replace("BCUT2D", "")) == (
        bool(odd) and not features
    )
    assert ("NaN or infinite" in said) == bool(odd)


def test_the_chunks_do_not_matter_and_standard_output_is_clean(here, monkeypatch, capsys):
    from catalase.commands.common import tables

    assert main(["featurize", "t.csv", "--smiles", "mol", "-o", "a.csv"]) == 0
    monkeypatch.setattr(tables, "_CHUNK", 2)
    assert main(["featurize", "t.csv", "--smiles", "mol", "-o", "b.csv", "--strict"]) == 3
    assert (here / "a.csv").read_bytes() == (here / "b.csv").read_bytes()
    assert (here / "a.csv.errors.csv").read_bytes() == (here / "b.csv.errors.csv").read_bytes()


def test_mistakes_are_one_sentence_and_leave_no_output(here, capsys):
    (here / "has.csv").write_text("smiles,TPSA\nCCO,1\n")
    (here / "other.csv").write_text("compound,name\nCCO,a\n")
    for line, words in (
        (["other.csv"], "other.csv has no column 'smiles'; it has 'compound', 'name'"),
        (["t.csv", "--smiles", "mol", "--features", "logP"], "--features names 'logP'; choose from ecfp, counts"),
        (["t.csv", "--smiles", "mol", "--features", ","], "--features names nothing"),
        (["t.csv", "--smiles", "mol", "--features", "ecfp,ecfp"], "--features names ecfp twice"),
        (["t.csv", "--smiles", "mol", "--features", "ecfp", "--size", "12"], "size must be a multiple of 8"),
        (["t.csv", "--smiles", "mol", "--size", "2000000000"], "--size makes a column of each bit, at most 100,000"),
        (["has.csv", "--features", "TPSA"], "has a column 'TPSA' already"),
        (["t.csv", "--smiles", "mol", "--max-unreadable", "0.1"], "2 of 7 rows of t.csv could not be read"),
        (["none.csv"], "there is no file none.csv"),
    ):
        assert main(["featurize", *line, "-o", "f.csv"]) == 1
        error = capsys.readouterr().err
        assert error.startswith("catalase featurize: ") and words in error and error.count("\n") == 1, error
        assert not (here / "f.csv").exists()
