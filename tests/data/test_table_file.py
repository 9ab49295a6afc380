"""Tests of tables as text: accepted files and their formats, and the errors for others."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import os
import threading

import pytest

from catalase.data import table_file
from catalase.data.table_file import TableFile

PLAIN = "smiles,µ\nCCO,1\nCC,2\n"
ROWS = [["CCO", "1"], ["CC", "2"]]
PACK = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


def table(path, size=100, **form):
    """Header, rows, and faults by number of the row."""
    rows, faults = [], {}
    with TableFile(path, **form) as file:
        for part, wrong in file.chunks(size):
            faults |= {len(rows) + fault.position: fault for fault in wrong}
            rows += part
        return file.header, rows, faults


@pytest.mark.parametrize(
    "name", ["t.csv", "t.csv.gz", "t.tsv", "t.tsv.GZ", "t.csv.bz2", "t.tsv.xz", "t.tab", "t.txt", "t"]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_the_same_table_in_every_form(tmp_path, name, encoding, packing, ends):
    text = PLAIN if ".csv" in name else PLAIN.replace(",", "\t")
    data = text.replace("\n", ends).encode(encoding)
    (tmp_path / name).write_bytes(PACK[packing](data))
    assert table(tmp_path / name) == (["smiles", "µ"], ROWS, {})


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_rows_of_other_lengths(tmp_path, size):
    (tmp_path / "t.csv").write_text('\n\na,b,c\n1\n\n1,2,3,,\n   \n1,2,3,4\n,,\n"x\ny",2\n1,2,3')
    header, rows, faults = table(tmp_path / "t.csv", size)
    assert header == ["a", "b", "c"]
    assert rows == [["1", "", ""], ["1", "2", "3"], ["1", "2", "3"], ["", "", ""], ["x\ny", "2", ""], ["1", "2", "3"]]
    assert list(faults) == [2] and faults[2].text == "1,2,3,4" and "has 4 fields, the header 3" in faults[2].reason


def test_a_table_of_one_column_keeps_rows_of_white_space(tmp_path):
    (tmp_path / "t.csv").write_text("a\nx\n \n\ny\n")
    assert table(tmp_path / "t.csv")[1] == [["x"], [" "], ["y"]]


@pytest.mark.parametrize("text", ["", "\n\n", "a,b\n", "a,b"])
def test_tables_without_rows(tmp_path, text):
    (tmp_path / "t.csv").write_text(text)
    header, rows, faults = table(tmp_path / "t.csv")
    assert header == (["a", "b"] if "a" in text else []) and rows == [] and faults == {}


def test_a_quote_that_is_never_closed_swallows_no_rows(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('a,b\n1,2\n1,"2\n3,4\n5,6\n')
    with pytest.raises(ValueError, match="near row 2: a quote is opened there and never closed, so that the 2 lines"):
        table(path)
    for end in ("", "\n"):
        path.write_text('a,b\n1,2\n1,"2' + end)
        _, rows, faults = table(path)
        assert rows[0] == ["1", "2"] and faults[1].text == "1,2" and "never closed" in faults[1].reason
    path.write_text('a,"b\n1,2\n')
    with pytest.raises(ValueError, match="a quote in its header is never closed"):
        table(path)


def test_long_cells_are_read_and_the_limit_of_the_csv_module_stays_as_it_was(tmp_path):
    limit = csv.field_size_limit()
    (tmp_path / "t.csv").write_text("a,b\n" + "C" * 300_000 + ",1\n")
    assert table(tmp_path / "t.csv")[1] == [["C" * 300_000, "1"]]
    assert csv.field_size_limit() == limit == 131_072
    with pytest.raises(csv.Error, match="field larger"):
        next(csv.reader(["C" * 300_000]))


@pytest.mark.parametrize("text", ["a,b\n1,2\n" + "C" * 300, "C" * 300, "a,b\n" + "C" * 101 + "\n1,2\n"])
def test_a_line_without_end_is_an_error_before_it_fills_the_memory(tmp_path, monkeypatch, text):
    monkeypatch.setattr(table_file, "_MOST_IN_A_CELL", 100)
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ValueError, match=r"t\.csv is damaged .*a line has more than 100 characters"):
        table(tmp_path / "t.csv")


@pytest.mark.parametrize("odd", ["\xa0", "\u3000", "\x1c"])
def test_only_white_space_of_ascii_is_an_empty_line_or_an_empty_cell(tmp_path, odd):
    (tmp_path / "t.csv").write_text(f"a,b\n{odd}\n1,2,{odd}\n \t\n1,2, \n", encoding="utf-8")
    _, rows, faults = table(tmp_path / "t.csv")
    assert rows == [[odd, ""], ["1", "2"], ["1", "2"]] and list(faults) == [1]


@pytest.mark.parametrize(
    "data, words",
    [
        (PLAIN.encode("cp1252"), r"is not UTF-8 text near its beginning \(byte 0xb5\).* iconv -f CP1252"),
        (b"a,b\n" * 5000 + b"\xff\n", "is not UTF-8 text after row"),
        (PLAIN.encode("utf-16-le"), "zero bytes, as UTF-16"),
        (b"PK\x03\x04" + bytes(20), "Excel workbook"),
        (bz2.compress(PLAIN.encode())[:-9], "damaged or cut short"),
        (lzma.compress(PLAIN.encode())[:-9], "damaged or cut short"),
        (b"\xfd7zXZ\0" + bytes(20), "damaged or cut short"),
        (b"PAR1" + bytes(20), "Parquet"),
        (gzip.compress(PLAIN.encode() * 999, mtime=0)[:-20], "damaged or cut short"),
        (b"\x1f\x8b" + bytes(20), "damaged or cut short"),
        ("\ufeffa,b\n1,2\n".encode("utf-16")[:-1], "no text|UTF-16"),
    ],
)
@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_other_files_are_called_what_they_are(tmp_path, data, words, name):
    (tmp_path / name).write_bytes(data)
    forced = {"encoding": "utf-8"} if "is not UTF-8 text" in words else {}  # else it is read as Windows-1252
    with pytest.raises(ValueError, match=words) as error:
        table(tmp_path / name, 10, **forced)
    assert name in str(error.value) and "codec" not in str(error.value)


@pytest.mark.parametrize(
    "data", [PLAIN.encode("utf-16"), *(pack(PLAIN.encode()) for pack in PACK.values())], ids=["utf-16", *PACK]
)
def test_pipes_and_standard_input_are_read_once(tmp_path, monkeypatch, data):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def feed():
        with open(pipe, "wb", buffering=0) as file:
            for byte in data:  # a pipe gives what it has: the first bytes may come one by one
                file.write(bytes([byte]))

    feeder = threading.Thread(target=feed)
    feeder.start()
    assert table(pipe) == (["smiles", "µ"], ROWS, {})
    feeder.join()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert table("-") == (["smiles", "µ"], ROWS, {})


def test_what_is_not_there(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        table(tmp_path / "none.csv")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        table(tmp_path)
    os.symlink(tmp_path / "gone", tmp_path / "link.csv")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        table(tmp_path / "link.csv")
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(ValueError, match="no standard input"):
        table("-")
