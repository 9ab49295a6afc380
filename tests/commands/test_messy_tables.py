"""Tests of the commands on tables as people have them: every case of them trains, is scored, predicted and screened."""

from __future__ import annotations

import csv
import io
import sys

import numpy as np
import pytest

import catalase as ct
from catalase.commands import main
from catalase.commands.common import options
from catalase.data import labels, same_molecules

from .test_command_line import molecules

TRAIN = ["--epochs", "2", "--layer", "8", "--size", "128", "--splitter", "random", "--out", "m", "--force"]
ROWS = [(s, f"n{i}", f"{v + 3:.2f}".replace(".", ",")) for i, (s, v) in enumerate(molecules(60))]


def test_the_choices_of_the_options_are_those_of_the_library():
    for name in ("CENSORED", "TRANSFORMS"):
        assert getattr(options, name) == getattr(labels, name)
    assert tuple(labels.UNITS) == options.UNITS and options.DUPLICATES == same_molecules.DUPLICATES


def write(name, rows, delimiter=";", encoding="utf-8", ends="\r\n"):
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=ends).writerows(rows)
    with open(name, "wb") as file:
        file.write(text.getvalue().encode(encoding))


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys, *line, code=0):
    capsys.readouterr()
    assert main(list(line)) == code
    said = capsys.readouterr()
    if code == 1:
        assert said.err.count("\n") == 1, said.err
    return said.out if code != 1 else said.err


@pytest.mark.parametrize(
    "name, delimiter, encoding",
    [
        ("t.csv", ";", "utf-8-sig"),
        ("t.txt", "\t", "utf-8"),
        ("t.csv", ",", "cp1252"),
        ("t.txt", ";", "utf-16"),
        ("t.csv", "|", "utf-8"),
    ],
)
def test_every_export_gives_the_same_model_and_every_command_reads_it(here, capsys, name, delimiter, encoding):
    plain = [("smiles", "name", "y"), *((s, n, y.replace(",", ".")) for s, n, y in ROWS)]
    write("plain.csv", plain, ",", ends="\n")
    run(capsys, "train", "plain.csv", "--task", "y", *TRAIN)
    own = ct.models.load("m").predict([s for s, _, _ in ROWS])
    write(name, [("SMILES", "Näme", "log S é"), *ROWS], delimiter, encoding)
    said = run(capsys, "train", name, "--task", "log S é", *TRAIN)
    assert f"{name}: 60 rows; SMILES in column 'SMILES'" in said and "decimal commas" in said
    model = ct.models.load("m")
    assert np.array_equal(model.predict([s for s, _, _ in ROWS]), own) and model.smiles_column == "SMILES"
    assert "log S é: 60 labels from" in run(capsys, "evaluate", "m", name)
    assert "SMILES in column 'SMILES'" in run(capsys, "predict", "m", name, "-o", "p.csv")
    assert [np.float32(row["predicted log S é"]) for row in read("p.csv")] == own[:, 0].tolist()
    assert [row["Näme"] for row in read("p.csv")] == [n for _, n, _ in ROWS]
    said = run(capsys, "screen", "m", name, "-o", "h.csv", "--top", "60", "--id-column", "Näme")
    assert "SMILES in column 'SMILES', names in 'Näme'" in said
    assert {row["id"]: row["score"] for row in read("h.csv")} == {
        r["Näme"]: r["predicted log S é"] for r in read("p.csv")
    }
    run(capsys, "featurize", name, "-o", "f.csv", "--features", "MolWt")
    run(capsys, "standardize", name, "-o", "s.csv", "--task", "log S é", "--strict")
    assert len(read("f.csv")) == len(read("s.csv")) == 60 and all(row["standard smiles"] for row in read("s.csv"))


def test_the_format_can_be_forced(here, capsys):
    write("t.csv", [("smiles", "y"), *((s, y) for s, _, y in ROWS)], ";", "cp1252")
    form = ["--delimiter", ";", "--encoding", "cp1252"]
    run(capsys, "train", "t.csv", "--task", "y", *TRAIN, *form, "--decimal", ",")
    for line in (
        ["predict", "m", "t.csv", "-o", "p.csv"],
        ["screen", "m", "t.csv", "-o", "h.csv"],
        ["evaluate", "m", "t.csv"],
    ):
        run(capsys, *line, *form)
    assert len(read("p.csv")) == 60
    assert "the delimiter must be one character" in run(
        capsys, "predict", "m", "t.csv", "-o", "q.csv", "--delimiter", "ab", code=1
    )
    assert "there is no encoding 'x'" in run(capsys, "screen", "m", "t.csv", "-o", "q.csv", "--encoding", "x", code=1)
    said = run(capsys, "train", "t.csv", "--task", "y", *TRAIN, "--decimal", ".", code=1)
    assert "no row of t.csv could be read" in said and "(60 such rows)" in said


def messy(last=()):
    rows = [
        (s, f"n{i}", f"{10 ** (i % 5 + 1)}" if i % 4 else ">10000", "yes" if i % 3 else "no")
        for i, (s, _, _) in enumerate(ROWS)
    ]
    rows[5] = ("CCO", "n5", "n.d.", "yes")
    rows[6] = ("CCN", "n6", "12 nM", "no")
    rows[8] = ("C1CC", "n8", "5", "yes")
    write("t.csv", [("SMILES", "Name", "IC50 (nM)", "active"), *rows, *last])
    return rows


def test_bounds_bad_cells_and_footnotes_cost_no_other_row_or_task(here, capsys):
    rows = messy([("* measured at 37 C",), ("", "see the report", "", "")])
    said = run(capsys, "train", "t.csv", "--task", "IC50 (nM)", "--task", "active", *TRAIN)
    assert "14 are bounds such as '>10000', taken as the value" in said and "'yes' is 1 and 'no' is 0" in said
    assert "they spread over 4 decades: consider --transform pIC50 or log10" in said
    assert (
        "3 of 62 rows could not be read, and 1 row has cells that could not be read; they are listed in m.errors.csv"
        in said
    )
    errors = {row["row"]: row["reason"] for row in read("m.errors.csv")}
    assert list(errors) == ["7", "9", "61", "62"]
    assert errors["7"] == "column 'IC50 (nM)': needs a number or nothing, got '12 nM'"
    assert errors["62"] == "the 'SMILES' cell is empty"
    assert "split by random: 47, 6, 6 rows" in said  # 59 of 62
    assert len(rows) == 60 and main(["evaluate", "m", "t.csv", "--strict"]) == 3


def test_pic50_is_learned_predicted_and_scored_under_its_name(here, capsys):
    messy()
    said = run(capsys, "train", "t.csv", "--task", "IC50 (nM)", *TRAIN, "--transform", "pIC50", "--censored", "missing")
    assert "pIC50: 44 labels from 4 to 8.301" in said and "14 are bounds such as '>10000', a missing label now" in said
    run(capsys, "predict", "m", "t.csv", "-o", "p.csv")
    values = [float(row["predicted pIC50"]) for row in read("p.csv") if row["predicted pIC50"]]
    assert len(values) == 59 and 3 < np.mean(values) < 9
    assert "read as nM (from the column's name)" in run(capsys, "evaluate", "m", "t.csv")
    said = run(capsys, "train", "t.csv", "--task", "active", *TRAIN, "--transform", "log10", code=1)
    assert "column 'active' holds the words 'no', 'yes'; log10 needs numbers" in said


def test_words_of_two_classes_make_a_classification(here, capsys):
    messy()
    said = run(capsys, "train", "t.csv", "--task", "active", *TRAIN)
    assert "all labels are 0 and 1, so classes are learned" in said and "ROC-AUC" in said
    assert "RMSE" in run(capsys, "train", "t.csv", "--task", "active", *TRAIN, "--no-classification")
    write(
        "u.csv", [("smiles", "kind"), *((s, "blocker" if i % 3 else "none found") for i, (s, _, _) in enumerate(ROWS))]
    )
    said = run(capsys, "train", "u.csv", "--task", "kind", *TRAIN, code=1)
    assert (
        "the words 'none found' (20) and 'blocker' (40), of which it is not known what means 1; name it by --positive"
        in said
    )
    assert "40 of class 1" in run(capsys, "train", "u.csv", "--task", "kind", *TRAIN, "--positive", "Blocker")
    assert "40 of class 1" in run(capsys, "evaluate", "m", "u.csv", "--positive", "blocker")
    write("one.csv", [("smiles", "kind"), *((s, "yes") for s, _, _ in ROWS)])
    assert "molecules of one class only in kind" in run(capsys, "train", "one.csv", "--task", "kind", *TRAIN, code=1)


def test_without_a_task_the_columns_that_look_like_labels_are_said(here, capsys):
    messy()
    said = run(capsys, "train", "t.csv", *TRAIN, code=1)
    assert said == (
        "catalase train: --task must name the column to learn; in t.csv these look like labels: 'IC50 (nM)', 'active'\n"
    )


def test_a_command_that_would_lose_most_rows_stops_and_says_why(here, capsys):
    write("t.csv", [("smiles", "y"), *((s, "1.234,5" if i % 4 else "7,5") for i, (s, _, _) in enumerate(ROWS))])
    said = run(capsys, "train", "t.csv", "--task", "y", *TRAIN, code=1)
    assert (
        "45 of 60 rows of t.csv could not be read" in said and "without separators of thousands, got '1.234,5'" in said
    )
    assert "at most a share of 0.5 may be lost (--max-lost" in said and len(read("m.errors.csv")) == 45
    run(capsys, "train", "t.csv", "--task", "y", *TRAIN, "--max-lost", "0.8")


def test_duplicates_are_merged_as_wanted(here, capsys):
    rows = [(s, y.replace(",", ".")) for s, _, y in ROWS[:30]]
    write(
        "t.csv", [("smiles", "y"), *rows, ("OCC", "1"), ("CCO", "5"), ("CC(=O)[O-].[Na+]", "2"), ("CC(=O)O", "4")], ","
    )
    for how in ("mean", "first", "drop"):
        said = run(capsys, "train", "t.csv", "--task", "y", *TRAIN, "--duplicates", how)
        assert "labels that differ" in said and "molecules of 34 rows; standardize those to predict, too" in said
        assert (
            any("rows of this molecule differ" in row["reason"] for row in read("m.errors.csv"))
            if how == "drop"
            else True
        )
    said = run(capsys, "train", "t.csv", "--task", "y", *TRAIN, "--duplicates", "refuse", code=1)
    assert (
        "rows of the same molecule whose labels differ: y: row" in said and "--duplicates mean, first or drop" in said
    )
    said = run(capsys, "train", "t.csv", "--task", "y", *TRAIN, "--duplicates", "mean", "--no-standardize", code=1)
    assert "--duplicates merges standard forms, which --no-standardize leaves out" in said


def test_standard_output_is_taken_wherever_a_result_is_written(here, capfdbinary):
    write("t.csv", [("smiles", "id", "y"), *ROWS])
    assert main(["train", "t.csv", "--task", "y", *TRAIN]) == 0
    for i in (1, 2):
        assert main(["screen", "m", "t.csv", "-o", f"s{i}.csv", "--shard", f"{i}/2", "--top", "5"]) == 0
    lines = {
        "predict": ["m", "t.csv"], "featurize": ["t.csv", "--features", "MolWt"], "standardize": ["t.csv"],
        "screen": ["m", "t.csv", "--top", "5"], "screen-merge": ["s1.csv", "s2.csv"],
    }  # fmt: skip
    for command, line in lines.items():
        assert main([command, *line, "-o", f"{command}.csv"]) == 0
        capfdbinary.readouterr()
        before = sorted(here.rglob("*"))
        assert main([command, *line, "-o", "-"]) == 0
        said = capfdbinary.readouterr()
        assert sorted(here.rglob("*")) == before, command
        assert said.out == (here / f"{command}.csv").read_bytes() and b"standard output" in said.err, command
    assert main(["screen", "m", "t.csv", "-o", "-", "--resume"]) == 1
    assert b"resume needs a file" in capfdbinary.readouterr().err


def test_a_table_comes_through_standard_input(here, capsys, monkeypatch):
    write("t.csv", [("SMILES", "y"), *((s, y) for s, _, y in ROWS)], ";", "utf-16")
    data = (here / "t.csv").read_bytes()
    lines = [
        ["train", "-", "--task", "y", *TRAIN], ["evaluate", "m", "-"], ["predict", "m", "-", "-o", "p.csv"],
        ["screen", "m", "-", "-o", "h.csv"], ["featurize", "-", "-o", "f.csv"], ["standardize", "-", "-o", "s.csv"],
    ]  # fmt: skip
    for line in lines:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        assert "SMILES in column 'SMILES'" in run(capsys, *line), line
    assert len(read("p.csv")) == len(read("h.csv")) == len(read("f.csv")) == len(read("s.csv")) == 60


def test_screening_says_where_no_names_are_known_and_reads_text_with_a_header(here, capsys):
    write("t.csv", [("smiles", "y"), *((s, y) for s, _, y in ROWS)])
    run(capsys, "train", "t.csv", "--task", "y", *TRAIN)
    assert "no column is known to hold names (--id-column)" in run(capsys, "screen", "m", "t.csv", "-o", "a.csv")
    write("l.txt", [("idnumber", "SMILES"), *((n, s) for s, n, _ in ROWS)])
    assert "names in 'idnumber'" in run(capsys, "screen", "m", "l.txt", "-o", "b.csv")
    with open("plain.txt", "w") as file:
        file.write("".join(f"{s} {n}\n" for s, n, _ in ROWS))
    run(capsys, "screen", "m", "plain.txt", "-o", "c.csv")
    assert [row["id"] for row in read("b.csv")] == [row["id"] for row in read("c.csv")]


def test_excel_is_read_by_every_command_or_named(here, capsys, monkeypatch):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in [("SMILES", "name", "y"), *((s, n, float(y.replace(",", "."))) for s, n, y in ROWS)]:
        book.active.append(row)
    book.save("t.xlsx")
    run(capsys, "train", "t.xlsx", "--task", "y", *TRAIN)
    run(capsys, "evaluate", "m", "t.xlsx")
    run(capsys, "predict", "m", "t.xlsx", "-o", "p.csv")
    run(capsys, "screen", "m", "t.xlsx", "-o", "h.csv", "--top", "60")
    assert {r["name"]: r["predicted y"] for r in read("p.csv")} == {r["id"]: r["score"] for r in read("h.csv")}
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    assert "Excel workbooks need openpyxl; pip install 'catalase[tables]'" in run(
        capsys, "predict", "m", "t.xlsx", "-o", "q.csv", code=1
    )


def test_standard_forms_that_are_merged_keep_the_decimal_comma(here, capsys):
    write("t.csv", [("smiles", "y"), ("CCO", "1,5"), ("OCC", "2,0"), ("CC", "n.d."), ("CCN", ">3,5")])
    run(capsys, "standardize", "t.csv", "-o", "s.csv", "--task", "y", "--merge", "mean", "--strict")
    assert [row["y"] for row in read("s.csv")] == ["1,75", "n.d.", ">3,5"]
