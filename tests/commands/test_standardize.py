"""Tests of ``catalase standardize``: nothing of the table is lost, and rows of the same molecule are found."""

from __future__ import annotations

import csv
import io
import sys

import pytest
from rdkit import Chem

from catalase import chem
from catalase.commands import main

TABLE = """name,smiles,y,toxic,µ
a,CC(=O)[O-].[Na+],1.5,0,x
b,CC(=O)O,2.5,1,"y, z"
c,C1CC,3,0,
d,OCC,nope,,
e,CCO,4,1,
f,,1,1,
g,C[C@H](N)CO |&1:1|,2,0,
h,CCO,4,1,
i,CCC,1,1,1,1
"""
ADDED = ["standard smiles", "inchikey", "standardizing", "same as row"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(TABLE, encoding="utf-8")


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_every_row_and_column_stays_and_each_row_says_what_was_done(here, capsys):
    assert main(["standardize", "t.csv", "-o", "c.csv"]) == 0
    said = capsys.readouterr().out
    given, (header, *rows) = list(csv.reader(io.StringIO(TABLE))), read("c.csv")
    assert header == [*given[0], *ADDED]
    assert [row[:5] for row in rows] == [row[:5] for row in given[1:]]
    smiles = [row[5] for row in rows]
    assert smiles == ["CC(=O)O", "CC(=O)O", "", "CCO", "CCO", "", "CC(N)CO", "CCO", ""]
    assert [row[6] for row in rows] == [Chem.MolToInchiKey(Chem.MolFromSmiles(s)) if s else "" for s in smiles]
    assert rows[0][7] == "removed [Na+]; neutralized 1 charge" and rows[1][7] == ""
    assert rows[2][7].startswith("failed: not a valid SMILES") and rows[5][7] == "failed: the SMILES is empty"
    assert rows[8][7].startswith("failed: the row has 6 fields")
    assert [row[8] for row in rows] == ["", "1", "", "", "4", "", "", "4", ""]
    assert [error[0] for error in read("c.csv.errors.csv")] == ["row", "3", "6", "9"]
    assert "9 rows written to c.csv" in said and "3 of 9 rows could not be read" in said
    assert "removed: [Na+] (1)" in said and "2 molecules occur more than once, in 5 rows: 3 rows repeat" in said


def test_labels_of_one_molecule_that_differ_are_named(here, capsys):
    assert main(["standardize", "t.csv", "-o", "c.csv", "--task", "y", "--task", "toxic"]) == 0
    header, *rows = read("c.csv")
    assert header[-1] == "labels that differ"
    assert [row[-1] for row in rows] == ["", "y: 2.5, but 1.5 in row 1; toxic: 1, but 0 in row 1", *[""] * 7]
    assert (
        "1 of them has labels that differ: y: row 1: 1.5, row 2: 2.5; toxic: row 1: 0, row 2: 1"
        in capsys.readouterr().out
    )
    assert read("c.csv.errors.csv")[2] == ["4", "nope", "column 'y': needs a number or nothing, got 'nope'"]


@pytest.mark.parametrize("how, value", [("mean", "2"), ("median", "2"), ("missing", "")])
def test_rows_of_one_molecule_become_one(here, how, value):
    assert main(["standardize", "t.csv", "-o", "c.csv", "--task", "y", "--task", "toxic", "--merge", how]) == 0
    _, *rows = read("c.csv")
    # No class lies between 0 and 1; row d gets the label that its own row lacks.
    assert [row[:6] for row in rows] == [
        ["a", "CC(=O)[O-].[Na+]", value, "", "x", "CC(=O)O"],
        ["d", "OCC", "4", "1", "", "CCO"],
        ["g", "C[C@H](N)CO |&1:1|", "2", "0", "", "CC(N)CO"],
    ]
    assert [row[8] for row in rows] == ["2", "5 8", ""]
    assert [error[0] for error in read("c.csv.errors.csv")] == ["row", "3", "4", "6", "9"]


@pytest.mark.parametrize("chunk", [1, 2, 1024])
def test_the_command_gives_what_the_function_gives(tmp_path, monkeypatch, chunk):
    from catalase.commands import standardize

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(standardize, "_CHUNK", chunk)
    smiles = ["CC[NH3+].[Cl-]", "CCN", "CS(C)=O", "[Na]OC(=O)C", "NCC", "C1CC", "CC(=O)[O-].[K+]"]
    (tmp_path / "t.csv").write_text("mol\n" + "\n".join(smiles) + "\n")
    options = {"--keep-groups": "normalize", "--keep-fragments": "largest_fragment", "--keep-charges": "neutralize"}
    for option, argument in [("", ""), *options.items()]:
        line = ["standardize", "t.csv", "-o", "c.csv", "--smiles", "mol", "--force", *([option] if option else [])]
        assert main(line) == 0
        result = chem.standardize(smiles, errors="mask", **({argument: False} if argument else {}))
        rows = read("c.csv")[1:]
        assert [row[1] for row in rows] == result.smiles and [row[2] for row in rows] == result.inchikeys
        assert [row[3] for row in rows if row[1]] == [
            c for c, s in zip(result.changes, result.smiles, strict=True) if s
        ]
        first = [int(row[4]) - 1 if row[4] else i for i, row in enumerate(rows)]
        assert first == result.first.tolist()


def test_an_sd_file_keeps_its_properties(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    block = Chem.MolToMolBlock(Chem.MolFromSmiles("CC[NH3+].[Cl-]"))
    (tmp_path / "t.sdf").write_text(f"x{block}> <y>\n2\n\n$$$$\ny{block.replace('V2000', 'V9000')}> <z>\n3\n\n$$$$\n")
    assert main(["standardize", "t.sdf", "-o", "c.csv"]) == 0
    header, *rows = read("c.csv")
    assert header == ["smiles", "name", "y", "z", *ADDED]
    assert rows[0] == ["CC[NH3+].[Cl-]", "x", "2", "", "CCN", "QUSNBJAOOMFDIB-UHFFFAOYSA-N", "removed [Cl-]; neutralized 1 charge", ""]  # fmt: skip
    assert rows[1] == ["", "y", "", "3", "", "", "failed: RDKit cannot read the structure", ""]


def test_standard_output_holds_the_table_alone(here, monkeypatch, capsysbinary):
    assert main(["standardize", "t.csv", "-o", "-"]) == 0
    said = capsysbinary.readouterr()
    assert said.out.startswith(b"name,smiles,y,toxic") and said.out.count(b"\n") == 10
    assert b"9 rows written to standard output" in said.err and sys.stdout is not None


def test_mistakes_are_one_sentence_and_leave_no_output(here, tmp_path, capsys):
    for line, words in (
        (["t.csv", "-o", "c.csv", "--smiles", "mol"], "t.csv has no column 'mol'; it has 'name', 'smiles'"),
        (["t.csv", "-o", "c.csv", "--task", "z"], "has no column 'z'"),
        (["t.csv", "-o", "t.csv", "--force"], "choose another name"),
        (["t.csv", "-o", "c.csv", "--max-unreadable", "0.1"], "3 of 9 rows of t.csv could not be read"),
    ):
        assert main(["standardize", *line]) == 1
        error = capsys.readouterr().err
        assert error.startswith("catalase standardize: ") and words in error and error.count("\n") == 1
        assert not (tmp_path / "c.csv").exists()
    assert main(["standardize", "t.csv", "-o", "c.csv", "--strict"]) == 3
    assert main(["standardize", "c.csv", "-o", "d.csv"]) == 1
    assert (
        "has a column 'standard smiles', 'inchikey', 'standardizing', 'same as row' already" in capsys.readouterr().err
    )
