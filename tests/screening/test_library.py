"""Tests that every format gives the same molecules, and that other lines go to the error file."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import os
import threading
import tracemalloc
from pathlib import Path

import pytest

from catalase.data import smiles_file
from catalase.models import load
from catalase.screening import library as library_module
from catalase.screening import screen

from .helpers import library, pairs, read, write_smi

PACK = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


def rows_of(hits):
    return sorted(zip(hits.rows.tolist(), hits.smiles, hits.ids, strict=True))


def test_every_format_gives_the_same_hits(model, tmp_path):
    smiles = library(300)
    expected = pairs(screen(model, smiles, 20))
    table = tmp_path / "t.csv"
    with open(table, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["other", "mol", "name"])
        writer.writerows(["x, y", s, f"name{i}"] for i, s in enumerate(smiles))
    files = [write_smi(tmp_path / "t.smi", smiles), table]
    files.append(tmp_path / "t.tsv")
    files[-1].write_text("id\tSMILES\n" + "".join(f"name{i}\t{s}\n" for i, s in enumerate(smiles)))
    for plain in files:
        for ending, pack in PACK.items():
            file = tmp_path / f"{plain.name}{ending}"
            file.write_bytes(pack(plain.read_bytes()))
            hits = screen(model, file, 20, chunk=70)
            assert pairs(hits) == expected, file
            assert hits.ids == [f"name{row}" for row in hits.rows], file
            assert len(hits.report.failures) == 7, file


def test_parquet(model, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    smiles = library(300)
    columns = {"n": list(range(300)), "SMILES": [s or None for s in smiles], "id": [f"name{i}" for i in range(300)]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet", row_group_size=90)
    hits = screen(model, tmp_path / "t.parquet", 20, chunk=70)
    assert pairs(hits) == pairs(screen(model, smiles, 20)) and hits.ids == [f"name{row}" for row in hits.rows]
    assert screen(model, tmp_path / "t.parquet", 5, id_column="n").ids == [str(row) for row in hits.rows[:5]]
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(ValueError, match="is not a Parquet file"):
        screen(model, tmp_path / "bad.parquet", 5)


def test_names_headers_blank_lines_and_odd_bytes(model, tmp_path):
    path = tmp_path / "l.smi"
    path.write_bytes(
        b"\xef\xbb\xbfsmiles zinc_id\r\nCCO  ethyl alcohol \r\n\r\n CCN\tamine\textra\nCCC\nCCCO caf\xe9\nCCCC |m:0:1.2| x\n"
        b"CCCCC |$a$| y"
    )
    hits = screen(model, path, 10, out=tmp_path / "h.csv")
    found = {s: (int(row), name) for s, row, name in zip(hits.smiles, hits.rows, hits.ids, strict=True)}
    assert found.pop("CCCCC |$a$|") == (5, "y")
    assert found == {"CCO": (0, "ethyl alcohol"), "CCN": (1, "amine"), "CCC": (2, ""), "CCCO": (3, "caf\udce9")}
    assert [f.position for f in hits.report.failures] == [4] and "several molecules" in hits.report.failures[0].reason
    assert b"caf\xe9" in (tmp_path / "h.csv").read_bytes()
    again = screen(model, path, 10, out=tmp_path / "h.csv", resume=True)
    assert again.ids == hits.ids and pairs(again) == pairs(hits)


def test_rows_of_other_lengths_go_to_the_error_file_with_the_readers_reason(model, tmp_path):
    (tmp_path / "l.csv").write_text("id,smiles\na,CCO\nb\nc,CCC,9\nd,CCN\n")
    loaded = load(model)
    hits = screen(loaded, tmp_path / "l.csv", 9, out=tmp_path / "h.csv")
    assert sorted(hits.ids) == ["a", "d"]
    rows = read(tmp_path / "h.csv.errors.csv")
    assert [(r["row"], r["text"]) for r in rows] == [("2", ""), ("3", "c,CCC,9")]
    assert "the SMILES is empty" in rows[0]["reason"] and "has 3 fields, the header 2" in rows[1]["reason"]
    assert loaded.featurizer.report.failures == hits.report.failures


@pytest.mark.parametrize("name", ["pipe.smi", "pipe.csv", "pipe", "-"])
@pytest.mark.parametrize("kind", ["smi", "csv", "tsv"])
@pytest.mark.parametrize("packing", PACK)
def test_libraries_come_through_pipes_and_standard_input(model, tmp_path, monkeypatch, name, kind, packing):
    if name.endswith(("smi", "csv")) and not name.endswith(kind):
        pytest.skip("a name that lies")
    smiles = library(100)
    lines = [f"{s}\tname{i}" for i, s in enumerate(smiles)]
    lines = lines if kind == "smi" else ["smiles\tid", *lines]
    text = "\n".join(lines).replace("\t", "," if kind == "csv" else "\t") + "\n"
    data = PACK[packing](text.encode())
    monkeypatch.chdir(tmp_path)
    if name == "-":
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        hits = screen(model, "-", 9, out="h.csv")
    else:
        os.mkfifo(name)
        feeder = threading.Thread(target=Path(name).write_bytes, args=(data,))
        feeder.start()
        hits = screen(model, name, 9, out="h.csv")
        feeder.join()
    assert pairs(hits) == pairs(screen(model, smiles, 9)) and hits.ids == [f"name{row}" for row in hits.rows]
    with pytest.raises(ValueError, match="cannot be read again"):
        screen(model, name, 9, out="g.csv", resume=True)


@pytest.mark.parametrize("name", ["l.smi", "l.csv", "l.smi.gz", "l.csv.bz2", "l.smi.xz"])
@pytest.mark.parametrize("packing", PACK)
def test_compression_is_told_by_its_bytes_not_by_its_name(model, tmp_path, name, packing):
    text = "CCO\nCCN\n" if "smi" in name else "smiles\nCCO\nCCN\n"
    (tmp_path / name).write_bytes(PACK[packing](text.encode()))
    assert len(screen(model, tmp_path / name, 9)) == 2


def test_long_cells_and_rows_without_their_last_cells(model, tmp_path):
    (tmp_path / "l.csv").write_text("smiles,id,seq\nCCO,a\nCCN,b," + "A" * 300_000 + "\nCCC\n")
    hits = screen(model, tmp_path / "l.csv", 9)
    assert sorted(hits.ids) == ["", "a", "b"]


@pytest.mark.parametrize("odd", ["\xa0", "\u2028", "\x85", "\x0b", "\x0c", "\x1c", "\u3000", "\ufeff"])
@pytest.mark.parametrize("chunk", [1, 2, 1000])
def test_only_space_and_tab_end_a_smiles_and_only_line_ends_a_line(model, tmp_path, odd, chunk):
    lines = [f"CCO{odd}CCCCN", "CCC", odd, "CCN", "", " \t", "CCCO"]
    expected = [(1, "CCC"), (3, "CCN"), (4, "CCCO")]
    for end in ("\n", "\r\n", "\r"):
        for last in ("CCCO", "CCCO butanol"):  # a name somewhere changes nothing elsewhere
            path = tmp_path / "l.smi"
            path.write_bytes(end.join([*lines[:-1], last, ""]).encode())
            hits = screen(model, path, 9, chunk=chunk)
            assert [row[:2] for row in rows_of(hits)] == expected and hits.report.total == 5
            assert [f.position for f in hits.report.failures] == [0, 2]


def test_the_name_begins_at_the_first_white_space_and_ends_at_a_tab(model, tmp_path):
    path = tmp_path / "l.smi"
    path.write_text(
        "CCO ethanol\t6.1\nCCN\tethyl amine\t5\nCCC  propane gas\nCCCC\t\t7\nCO \tmethanol\n"
        "\tCCS\nCCF |$a$|\tZ2\t1\nCCCl\t|$a$|\tZ3\n"
    )
    hits = screen(model, path, 9)
    assert rows_of(hits) == [
        (0, "CCO", "ethanol"), (1, "CCN", "ethyl amine"), (2, "CCC", "propane gas"), (3, "CCCC", ""), (4, "CO", "methanol"),
        (6, "CCF |$a$|", "Z2"), (7, "CCCl |$a$|", "Z3"),
    ]  # fmt: skip
    assert [f.position for f in hits.report.failures] == [5]
    assert [c.ids[5:] for c in library_module.Library(path).chunks(100)] == [["CCS", "Z2", "Z3"]]


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("header", ["smiles\tid\tHAC\n", ""])
def test_libraries_of_cxsmiles_are_tables_where_they_have_a_header(model, tmp_path, ending, header):
    text = f"{header}CCO\tZ1\t3\nC[C@H](N)CO |&1:1|\tZ2\t5\nCCN\tZ3\t3\n".encode()
    path = tmp_path / f"l.cxsmiles{ending}"
    path.write_bytes(PACK[ending](text))
    hits = screen(model, path, 9)
    assert rows_of(hits) == [(0, "CCO", "Z1"), (1, "C[C@H](N)CO |&1:1|", "Z2"), (2, "CCN", "Z3")]
    plain = screen(model, ["CCO", "CC(N)CO", "CCN"], 9)
    assert pairs(hits) == pairs(plain) and not hits.report.failures


@pytest.mark.parametrize("name", ["l.smi", "l.csv"])
@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz"])
def test_a_compressed_library_that_is_cut_short_is_named(model, tmp_path, name, ending):
    path = tmp_path / f"{name}{ending}"
    path.write_bytes(PACK[ending](b"smiles\n" + b"CCO\nCCN\n" * 2000)[:-9])
    with pytest.raises(ValueError, match=f"{name}{ending} is damaged"):
        screen(model, path, 9)


def test_a_line_without_end_is_one_failed_row(model, tmp_path, monkeypatch):
    monkeypatch.setattr(smiles_file, "_LONGEST_LINE", 1000)
    monkeypatch.setattr(smiles_file, "_BLOCK", 300)
    path = tmp_path / "l.smi"
    path.write_text("CCO\n" + "C" * 5000 + " name\nCCN\n" + "C" * 1000 + "\nCC" + "C" * 5000)
    for chunk in (1, 9):
        hits = screen(model, path, 9, chunk=chunk)
        assert [row[0] for row in rows_of(hits)] == [0, 2, 3] and hits.report.total == 5
        assert [f.position for f in hits.report.failures] == [1, 4]
        assert all("the line has more than" in f.reason and len(f.text) <= 200 for f in hits.report.failures)


@pytest.mark.parametrize("lines", [0, 1])
def test_a_line_without_end_does_not_fill_the_memory(tmp_path, lines):
    """A few kilobytes that unpack to 128 MB: 12 MB are more than the longest line that is kept takes."""
    packer = lzma.LZMACompressor(preset=0)
    with open(tmp_path / "l.smi.xz", "wb") as file:
        file.write(packer.compress(b"CCO\n" * lines))
        for _ in range(128):
            file.write(packer.compress(b"C" * 2**20))
        file.write(packer.flush())
    tracemalloc.start()
    chunks = list(library_module.Library(tmp_path / "l.smi.xz").chunks(8192))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [len(chunk.smiles) for chunk in chunks] == [lines + 1] and [f.position for f in chunks[0].failures] == [
        lines
    ]
    assert most < 12 * 2**20
