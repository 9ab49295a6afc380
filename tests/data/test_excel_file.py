"""Tests of Excel workbooks as tables of text."""

from __future__ import annotations

import datetime
import os
import sys
import threading

import pytest

from catalase.data.labelled_table import read_labelled_table
from catalase.data.open_table import open_table

ROWS = [["Name", "SMILES", "IC50 (nM)"], ["a", "CCO", 12.5], ["b", "CC(=O)O", ">10000"], ["c", "CCC", 3.0], ["d", "CC"]]


def workbook(path, sheets):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)


def read(path, size=2):
    with open_table(path, "predict") as table:
        parts = list(table.chunks(size))
        return (
            table.header,
            [row for part, _ in parts for row in part],
            [f for _, failed in parts for f in failed],
            table,
        )


@pytest.mark.parametrize("size", [1, 2, 100])
def test_the_first_sheet_with_rows_is_a_table_of_text(tmp_path, size):
    workbook(tmp_path / "t.xlsx", {"Cover": [], "Data": ROWS, "More": [["x"]]})
    header, rows, failures, table = read(tmp_path / "t.xlsx", size)
    assert header == ["Name", "SMILES", "IC50 (nM)"] and not failures
    assert rows == [["a", "CCO", "12.5"], ["b", "CC(=O)O", ">10000"], ["c", "CCC", "3"], ["d", "CC", ""]]
    assert table.notes == ["it has 3 sheets, of which 'Data' is read"]
    labelled = read_labelled_table(tmp_path / "t.xlsx", ["IC50 (nM)"])
    assert labelled.y.ravel().tolist()[:3] == [12.5, 10000.0, 3.0] and labelled.smiles == [
        "CCO",
        "CC(=O)O",
        "CCC",
        "CC",
    ]


def test_values_of_other_kinds_and_odd_rows(tmp_path):
    rows = [[], ["a", "b"], [True, datetime.datetime(2026, 11, 30)], [], [None, "x"], ["1", "2", "* footnote"]]
    workbook(tmp_path / "t.xlsx", {"Data": rows})
    header, texts, failures, _ = read(tmp_path / "t.xlsx")
    assert header == ["a", "b"] and texts == [["True", "2026-11-30"], ["", "x"], ["1", "2"]]
    assert [f.reason for f in failures] == ["the row has 3 cells, the header 2"] and failures[
        0
    ].text == "1 2 * footnote"
    workbook(tmp_path / "t.xlsx", {"Data": []})
    assert read(tmp_path / "t.xlsx")[:2] == ([], [])


def test_a_workbook_comes_through_a_pipe(tmp_path):
    workbook(tmp_path / "t.xlsx", {"Data": ROWS})
    os.mkfifo(tmp_path / "pipe.xlsx")
    data = (tmp_path / "t.xlsx").read_bytes()
    feeder = threading.Thread(target=(tmp_path / "pipe.xlsx").write_bytes, args=(data,))
    feeder.start()
    assert read(tmp_path / "pipe.xlsx")[1][0] == ["a", "CCO", "12.5"]
    feeder.join()


def test_files_that_are_no_workbook_are_a_sentence(tmp_path):
    pytest.importorskip("openpyxl")
    (tmp_path / "t.xlsx").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(ValueError, match=r"predict: .*t\.xlsx is no Excel workbook, or damaged"):
        read(tmp_path / "t.xlsx")
    (tmp_path / "t.xlsx").write_text("smiles,y\nCCO,1\n")
    with pytest.raises(ValueError, match=r"t\.xlsx is no Excel workbook"):
        read(tmp_path / "t.xlsx")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        read(tmp_path / "none.xlsx")


def test_without_openpyxl_a_sentence_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "t.xlsx").write_bytes(b"PK\x03\x04")
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(
        ImportError, match=r"need openpyxl; pip install 'catalase\[tables\]', or save the sheet as 'CSV UTF-8'"
    ):
        read(tmp_path / "t.xlsx")
