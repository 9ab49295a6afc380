"""Tests of tables of molecules with labels: what is read, what is left out and said, and when reading stops."""

from __future__ import annotations

import math

import numpy as np
import pytest

import catalase as ct
from catalase.data.labelled_table import read_labelled_table
from catalase.data.labels import LabelFormat
from catalase.data.same_molecules import SameMolecules

TABLE = """Näme;Structure;IC50 (nM);active;note
a;CCO;>10000;yes;x
b;CC;12,5;no;x
c;C1CC;3,5;yes;x
d;;1,5;yes;x
e;CCN;n.d.;no;x
f;CCCC;many;yes;x
g;CCC;bad;perhaps;x
h;CCO ;2,5;;x
i;C;1;no;x;further;cells
* measured twice;;;;
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / "t.csv").write_text(TABLE, encoding="utf-8-sig")
    return tmp_path / "t.csv"


def read(path, *tasks, **form):
    return read_labelled_table(path, tasks, labels=LabelFormat(**form), function="train")


def test_a_messy_table_is_read_whole_and_every_fault_is_named(path):
    table = read(path, "IC50 (nM)", "active")
    assert table.smiles == ["CCO", "CC", "C1CC", "CCN", "CCCC", "CCO "] and table.rows.tolist() == [0, 1, 2, 4, 5, 7]
    expected = [[10000, 1], [12.5, 0], [3.5, 1], [math.nan, 0], [math.nan, 1], [2.5, math.nan]]
    assert np.array_equal(table.y, expected, equal_nan=True) and table.y.dtype == np.float64
    assert table.tasks == ["IC50 (nM)", "active"] and table.mode == "regression" and table.smiles_column == "Structure"
    assert [(f.position, f.reason) for f in table.report.failures] == [
        (3, "the 'Structure' cell is empty"),
        (5, "column 'IC50 (nM)': needs a number or nothing, got 'many'"),
        (
            6,
            "column 'IC50 (nM)': needs a number or nothing, got 'bad'; column 'active': needs one of 'yes', 'no', got 'perhaps'",
        ),
        (8, "the row has 7 fields, the header 5; is a quote or a comma missing?"),
        (9, "the 'Structure' cell is empty"),
    ]
    assert table.total == 10 and table.lost.tolist() == [3, 6, 8, 9] and len(table) == 6
    assert table.summary == [
        f"{path}: 10 rows; SMILES in column 'Structure'; its fields are separated by semicolons; decimal commas; 1 row "
        "repeats the SMILES of an earlier one",
        "IC50 (nM): 4 labels from 2.5 to 1e+04 (median 8); 1 missing; 1 is a bound such as '>10000', taken as the value; 2 cannot "
        "be read and are missing now: needs a number or nothing, got 'many'",
        "active: 5 labels, 3 of class 1 and 2 of class 0; 'yes' is 1 and 'no' is 0; 1 missing; 1 cannot be read and is missing "
        "now: needs one of 'yes', 'no', got 'perhaps'",
        "active has two classes, the other tasks numbers; train on them apart to learn classes",
    ]


def test_the_mode_is_classification_if_all_labels_are_two_classes(path):
    assert read(path, "active").mode == "classification"
    assert read(path, "active").smiles == ["CCO", "CC", "C1CC", "CCN", "CCCC", "CCO "]


@pytest.mark.parametrize("censored, rows", [("missing", [0, 1, 2, 4, 7]), ("drop", [1, 2, 4, 7])])
def test_bounds_can_be_missing_or_leave_the_row_out(path, censored, rows):
    table = read(path, "IC50 (nM)", censored=censored)
    assert table.rows.tolist() == rows and not (table.y == 10000).any()
    named = [f.reason for f in table.failures if "--censored drop" in f.reason]
    assert named == (
        ["column 'IC50 (nM)': left out, because it is a bound (--censored drop)"] if censored == "drop" else []
    )


def test_pic50_names_its_task_and_is_found_in_the_table_again(path):
    table = read(path, "IC50 (nM)", transform="pIC50")
    assert table.tasks == ["pIC50"] and table.y[0, 0] == 5 and table.y[1, 0] == pytest.approx(9 - math.log10(12.5))
    again = read(path, "pIC50")
    assert again.tasks == ["pIC50"] and np.array_equal(again.y, table.y, equal_nan=True)
    assert "-log10 of the concentration in mol/l, read as nM (from the column's name)" in table.summary[1]


def test_two_columns_of_one_transformed_name_are_refused(tmp_path):
    (tmp_path / "t.csv").write_text("smiles,IC50 (nM),IC50 (uM)\nC,1,2\n")
    with pytest.raises(ValueError, match="pIC50 gives several columns one name: pIC50, pIC50; rename them"):
        read(tmp_path / "t.csv", "IC50 (nM)", "IC50 (uM)", transform="pIC50")


def test_labels_over_many_decades_are_pointed_out(tmp_path):
    (tmp_path / "t.csv").write_text("smiles,IC50\nC,1\nCC,10\nCCC,1000000\n")
    assert (
        "they spread over 6 decades: consider --transform pIC50 or log10" in read(tmp_path / "t.csv", "IC50").summary[1]
    )
    assert "decades" not in read(tmp_path / "t.csv", "IC50", transform="log10").summary[1]


def test_features_and_labels_are_those_of_the_loader(path, tmp_path):
    featurizer = ct.feat.CircularFingerprint(size=64)
    dataset, table = read(path, "IC50 (nM)", "active").dataset(featurizer)
    assert table.rows.tolist() == [0, 1, 4, 5, 7] and "not a valid SMILES" in table.report.failures[0].reason
    assert dataset.ids.tolist() == table.smiles and dataset.tasks == table.tasks
    assert dataset.featurizer == featurizer
    rows = "".join(f"{s.strip()},{y[0]:g},{y[1]:g}\n" for s, y in zip(table.smiles, table.y, strict=True))
    (tmp_path / "plain.csv").write_text(f"smiles,a,b\n{rows}")
    plain = ct.data.CSVLoader(["a", "b"], featurizer).create_dataset(tmp_path / "plain.csv")
    for name in ("X", "y", "w"):
        assert np.array_equal(getattr(dataset, name), getattr(plain, name), equal_nan=True)
    assert dataset.y.dtype == plain.y.dtype
    graphs, _ = read(path, "active").dataset(ct.feat.MolGraphFeaturizer())
    assert len(graphs) == 5


def test_without_a_task_the_columns_that_look_like_labels_are_listed(path, tmp_path):
    with pytest.raises(
        ValueError,
        match=r"train: --task must name the column to learn; in .*t\.csv these look like labels: 'IC50 \(nM\)', 'active'$",
    ):
        read(path)
    (tmp_path / "n.csv").write_text("smiles,name\nCCO,a\n")
    with pytest.raises(ValueError, match=r"none of .*n\.csv looks like labels; it has 'name'"):
        read(tmp_path / "n.csv")


def test_columns_that_are_not_there_and_tables_without_rows_are_a_sentence(path, tmp_path):
    with pytest.raises(ValueError, match="has no column 'IC51'; it has 'Näme', 'Structure', 'IC50"):
        read(path, "IC51")
    with pytest.raises(ValueError, match="--task Structure is the column of SMILES"):
        read(path, "Structure")
    with pytest.raises(ValueError, match=r"--positive oui is in no cell of the columns of labels"):
        read(path, "active", positive=["oui"])
    (tmp_path / "twice.csv").write_text("smiles,smiles,y\nC,C,1\n")
    with pytest.raises(ValueError, match=r"train: .* has more than one column 'smiles'; rename all but one"):
        read(tmp_path / "twice.csv", "y")
    (tmp_path / "e.csv").write_text("smiles,y\n")
    with pytest.raises(ValueError, match="holds no rows below its header"):
        read(tmp_path / "e.csv", "y")


def test_where_most_rows_are_lost_the_three_commonest_reasons_are_named(tmp_path):
    cells = ["1.5"] * 3 + ["12 nM"] * 4 + ["1,234"] * 3 + [f"#{i}" for i in range(2)] + ["1,2,3"]
    (tmp_path / "t.tsv").write_text(
        "smiles\ty\n" + "".join(f"{'C' * (i + 1)}\t{cell}\n" for i, cell in enumerate(cells))
    )
    table = read(tmp_path / "t.tsv", "y")
    table.check_lost(0.8)
    with pytest.raises(ValueError) as error:
        table.check_lost()
    said = str(error.value)
    assert "10 of 13 rows of" in said and "(7 such rows)" in said
    assert "row 4, '12 nM': column 'y': needs a number or nothing, got '12 nM'" in said
    assert (
        "row 8, '1,234': column 'y': '1,234' may be 1.234 or 1234; say which by --decimal , or --decimal . (3 such rows)"
        in said
    )
    assert said.endswith("at most a share of 0.5 may be lost (--max-lost, also called --max-unreadable)")
    (tmp_path / "t.tsv").write_text("smiles\ty\nCCO\tx1\nCC\tx2\n")
    with pytest.raises(ValueError, match=r"no row of .* could be read; .* is it the right column\?"):
        read(tmp_path / "t.tsv", "y").check_lost(1.0)


SAME = "smiles,y,k\nCCO,1,1\nOCC,3,0\nCC(=O)O,5,1\nCC(=O)[O-].[Na+],5,1\nCCN,,\nNCC,7,0\nCC,9,\nC(C),9.5,1\n"


@pytest.mark.parametrize(
    "duplicates, expected",
    [
        ("mean", [[2, math.nan], [5, 1], [7, 0], [9.25, 1]]),
        ("first", [[1, 1], [5, 1], [7, 0], [9, 1]]),
        ("drop", [[5, 1], [7, 0], [math.nan, 1]]),
    ],
)
def test_rows_of_one_molecule_become_one(tmp_path, duplicates, expected):
    (tmp_path / "t.csv").write_text(SAME)
    table, notes = SameMolecules(read(tmp_path / "t.csv", "y", "k")).merged(duplicates)
    assert np.array_equal(table.y, expected, equal_nan=True)
    assert table.rows.tolist() == [0, 2, 4, 6][-len(expected) :]
    assert table.smiles == ["CCO", "CC(=O)O", "CCN", "CC"][-len(expected) :]
    assert any(
        "labels that differ: y: row 1: 1, row 2: 3; k: row 1: 1, row 2: 0; y: row 7: 9, row 8: 9.5" in note
        for note in notes
    )
    assert table.lost.tolist() == ([0, 1] if duplicates == "drop" else [])
    left_out = [f for f in table.failures if "rows of this molecule differ" in f.reason]
    assert [f.position for f in left_out] == ([0, 1, 0, 1, 6, 7] if duplicates == "drop" else [])


def test_labels_that_differ_can_be_refused(tmp_path):
    (tmp_path / "t.csv").write_text(SAME)
    same = SameMolecules(read(tmp_path / "t.csv", "y"))
    with pytest.raises(
        ValueError, match=r"whose labels differ: y: row 1: 1, row 2: 3; y: row 7: 9, row 8: 9\.5; choose"
    ):
        same.merged("refuse")
    (tmp_path / "t.csv").write_text("smiles,y\nCCO,1\nOCC,1\nCC,\n")
    assert SameMolecules(read(tmp_path / "t.csv", "y")).merged("refuse")[0].y.ravel().tolist()[0] == 1
