"""Tests of how the format of a table of text is found: encoding, delimiter, and the columns of SMILES and names."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalase.data.columns import ids_among, smiles_among
from catalase.data.open_table import open_table
from catalase.data.table_file import TableFile
from catalase.data.text_format import DELIMITERS, delimiter_of, known_delimiter, known_encoding

HEADER = ["Näme", "SMILES", "IC50 (nM), mean"]
ROWS = [["a", "CCO", "1,5"], ["b", "CC(=O)O", ">10000"], ["ü; x", "C|C\tN", "n.d."]]


def written(delimiter, ends="\n", rows=ROWS):
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=ends).writerows([HEADER, *rows])
    return text.getvalue()


def read(path, **form):
    with open_table(path, "train", **form) as table:
        rows = [row for part, _ in table.chunks(2) for row in part]
        return table.header, rows, table.notes


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-32"])
@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.txt", "t"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_every_export_is_the_same_table(tmp_path, delimiter, encoding, name, ends):
    (tmp_path / name).write_bytes(written(delimiter, ends).encode(encoding))
    header, rows, notes = read(tmp_path / name)
    assert header == HEADER and rows == ROWS
    usual = "\t" if name == "t.tsv" else ","
    assert (f"its fields are separated by {DELIMITERS[delimiter]}" in notes) == (delimiter != usual)
    assert any("read as Windows-1252" in note for note in notes) == (encoding == "cp1252")
    assert any(encoding.upper() in note for note in notes) == encoding.startswith(("utf-16", "utf-32"))


def test_what_the_user_says_is_not_guessed(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes("smiles;x,y\nCCO;1,2\nCC;3,é\n".encode("mac-roman"))
    assert read(path, encoding="mac-roman", delimiter=",")[:2] == (["smiles;x", "y"], [["CCO;1", "2"], ["CC;3", "é"]])
    assert read(path, encoding="mac-roman", delimiter=";")[:2] == (["smiles", "x,y"], [["CCO", "1,2"], ["CC", "3,é"]])
    with pytest.raises(ValueError, match=r"is not UTF-8 text near its beginning \(byte 0x8e\).* \(--encoding\)"):
        read(path, encoding="utf-8")
    for wrong in ("", ";;", '"', "\n"):
        with pytest.raises(ValueError, match="train: the delimiter must be one character, such as ; or tab"):
            read(path, delimiter=wrong)
    for wrong in ("no-such", "base64", "\0"):
        with pytest.raises(ValueError, match=r"train: there is no encoding .*; take utf-8, utf-16, cp1252"):
            read(path, encoding=wrong)
    assert (
        known_delimiter("f", "tab") == known_delimiter("f", "\\t") == "\t"
        and known_encoding("f", "UTF8") == "utf-8-sig"
    )
    (tmp_path / "t.smi").write_text("smiles;y\nCCO;1\n")
    assert read(tmp_path / "t.smi", delimiter=";")[:2] == (["smiles", "y"], [["CCO", "1"]])
    path.write_bytes("smiles,y\nCCO,1\n".encode("utf-16-le"))  # without a mark it must be named
    assert read(path, encoding="utf-16-le")[1] == [["CCO", "1"]]


def test_excels_first_line_names_the_delimiter(tmp_path):
    (tmp_path / "t.csv").write_text("sep=;\r\na;b,c\r\n1;2,3\r\n")
    assert read(tmp_path / "t.csv")[:2] == (["a", "b,c"], [["1", "2,3"]])


def test_bytes_far_down_the_file_are_read_as_windows_text_too(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"smiles,unit\n" + b"CCO,nM\n" * 50_000 + b"CC,\xb5M\n")
    with TableFile(tmp_path / "t.csv") as table:
        before = list(table.notes)
        rows = [row for part, _ in table.chunks(1000) for row in part]
        assert before == [] and len(table.notes) == 1 and rows[-1] == ["CC", "µM"]
    (tmp_path / "t.csv").write_bytes(b"smiles,unit\nCCO,\x81\n")
    with pytest.raises(ValueError, match=r"is not UTF-8 text .*\(byte 0x81\)"):
        read(tmp_path / "t.csv")


@pytest.mark.parametrize(
    "lines, usual, found",
    [
        (["a;b,c;d", "1;2,5;x", "3;4,5;y"], ",", ";"),  # more fields
        (["SMILES;IC50 (nM, mean)", "CCO;1,5"], ",", ";"),  # the name of the column
        (["smiles,note;more", "CCO,x;y"], ",", ","),
        (["a,b;c", "1,2", "3,4", "5,6"], ",", ","),  # rows fit the header
        (["smiles", "CCO"], "\t", "\t"),
        (["a\tb, c, d", "1\t2", "3\t4"], ",", "\t"),
        (["a,b", "1,2", "* measured; at 37 C"], ",", ","),
        ([], ",", ","),
        ([""], "\t", "\t"),
        (["smiles\ty", "CCO |$a;b$|\t1", "CC |m:0:1.2,3|\t2"], "\t", "\t"),
    ],
)
def test_the_delimiter_follows_from_header_and_rows(lines, usual, found):
    assert delimiter_of(lines, usual) == found


CELLS = ["", "CCO", "1,5", "1;5", "a|b", "C\tN", "x, y; z", "0.5"]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(CELLS), st.sampled_from(CELLS)), max_size=6), st.sampled_from(list(DELIMITERS))
)
def test_a_table_that_quotes_what_it_must_is_always_read_back(rows, delimiter):
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([["smiles", "y"], *rows])
    assert delimiter_of(text.getvalue().splitlines(), ",") == delimiter


@pytest.mark.parametrize(
    "header, smiles, name",
    [
        (["id", "SMILES", "smiles"], "smiles", "id"),
        (["Compound ID", "STRUCTURE", "y"], "STRUCTURE", "Compound ID"),
        (["idnumber", "Canonical SMILES"], "Canonical SMILES", "idnumber"),
        (["x", "Ligand SMILES"], "Ligand SMILES", None),
        (["x", "Ligand SMILES", "Target SMILES"], None, None),
        (["smiles", "smiles", "mol"], "mol", None),
        ([], None, None),
    ],
)
def test_columns_are_known_by_their_names(header, smiles, name):
    assert smiles_among(header) == smiles and ids_among(header) == name
    assert smiles_among([*header, "Liganden"], "Liganden") == "Liganden"


def test_a_table_without_a_known_column_names_those_it_has(tmp_path):
    (tmp_path / "t.csv").write_text("Compound;y\nCCO;1\n")
    with open_table(tmp_path / "t.csv", "train") as table:
        with pytest.raises(ValueError, match=r"has no column 'smiles'; it has 'Compound', 'y'; .* name it by --smiles"):
            table.smiles_column(None)
        assert table.smiles_column("Compound") == "Compound"
    (tmp_path / "t.csv").write_text("")
    with (
        open_table(tmp_path / "t.csv", "train") as table,
        pytest.raises(ValueError, match="is empty; it needs a header"),
    ):
        table.smiles_column(None)
