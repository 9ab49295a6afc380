"""Every format gives the same molecules; lines that are none go to the error file."""

from __future__ import annotations

import csv
import gzip
import io
import os
import threading
from pathlib import Path

import pytest

from catalase.screening import screen
from catalase.screening.library import Library

from .helpers import library, pairs, read, write_smi


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
    files += [tmp_path / f"{file.name}.gz" for file in list(files)]
    for plain, packed in zip(files[:3], files[3:], strict=True):
        packed.write_bytes(gzip.compress(plain.read_bytes()))
    for file in files:
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
        b"\xef\xbb\xbfsmiles zinc_id\r\nCCO  ethyl alcohol \r\n\r\n CCN\tamine\textra\nCCC\nCCCO caf\xe9\nCCCC |$a$| x"
    )
    hits = screen(model, path, 10, out=tmp_path / "h.csv")
    found = {s: (int(row), name) for s, row, name in zip(hits.smiles, hits.rows, hits.ids, strict=True)}
    assert found == {"CCO": (0, "ethyl alcohol"), " CCN": (1, "amine"), "CCC": (2, ""), "CCCO": (3, "caf\udce9")}
    assert [f.position for f in hits.report.failures] == [4] and "follows the SMILES" in hits.report.failures[0].reason
    assert b"caf\xe9" in (tmp_path / "h.csv").read_bytes()
    again = screen(model, path, 10, out=tmp_path / "h.csv", resume=True)
    assert again.ids == hits.ids and pairs(again) == pairs(hits)


def test_rows_of_other_lengths_go_to_the_error_file(model, tmp_path):
    (tmp_path / "l.csv").write_text("id,smiles\na,CCO\nb\nc,CCC,9\nd,CCN\n")
    hits = screen(model, tmp_path / "l.csv", 9, out=tmp_path / "h.csv")
    assert sorted(hits.ids) == ["a", "d"]
    rows = read(tmp_path / "h.csv.errors.csv")
    assert [(r["row"], r["text"]) for r in rows] == [("2", ""), ("3", "c,CCC,9")]
    assert "the SMILES is empty" in rows[0]["reason"] and "has 3 fields, the header 2" in rows[1]["reason"]


@pytest.mark.parametrize("name", ["pipe.smi", "pipe.csv", "pipe", "-"])
@pytest.mark.parametrize("kind", ["smi", "csv", "tsv"])
@pytest.mark.parametrize("packed", [False, True])
def test_libraries_come_through_pipes_and_standard_input(model, tmp_path, monkeypatch, name, kind, packed):
    if name.endswith(("smi", "csv")) and not name.endswith(kind):
        pytest.skip("a name that lies")
    smiles = library(100)
    lines = [f"{s}\tname{i}" for i, s in enumerate(smiles)]
    lines = lines if kind == "smi" else ["smiles\tid", *lines]
    text = "\n".join(lines).replace("\t", "," if kind == "csv" else "\t") + "\n"
    data = gzip.compress(text.encode()) if packed else text.encode()
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


@pytest.mark.parametrize("name", ["l.smi", "l.csv", "l.smi.gz", "l.csv.gz"])
def test_gzip_is_told_by_its_bytes_not_by_its_name(model, tmp_path, name):
    text = "CCO\nCCN\n" if "smi" in name else "smiles\nCCO\nCCN\n"
    data = text.encode() if name.endswith("gz") else gzip.compress(text.encode())
    (tmp_path / name).write_bytes(data)
    assert len(screen(model, tmp_path / name, 9)) == 2


def test_long_cells_and_rows_without_their_last_cells(model, tmp_path):
    (tmp_path / "l.csv").write_text("smiles,id,seq\nCCO,a\nCCN,b," + "A" * 300_000 + "\nCCC\n")
    hits = screen(model, tmp_path / "l.csv", 9)
    assert sorted(hits.ids) == ["", "a", "b"]


@pytest.mark.parametrize("odd", ["\xa0", "\u2028", "\x0b", "\x0c", "\x1c", "\x85"])
@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize("name", ["", " propane"])
def test_only_spaces_and_tabs_part_a_smiles_from_its_name(tmp_path, odd, size, name):
    (tmp_path / "a.smi").write_bytes(f"CCO{odd}CCN\r\nCCC{name}\rCC\n".encode())
    found = [text for chunk in Library(tmp_path / "a.smi").chunks(size) for text in chunk.smiles]
    assert found == [f"CCO{odd}CCN", "CCC", "CC"]
