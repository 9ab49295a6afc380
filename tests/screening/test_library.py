"""Every format gives the same molecules; lines that are none go to the error file."""

from __future__ import annotations

import bz2
import csv
import gzip
import lzma

import pytest

from catalase.screening import screen

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
    assert found == {"CCO": (0, "ethyl alcohol"), "CCN": (1, "amine"), "CCC": (2, ""), "CCCO": (3, "caf\udce9")}
    assert [f.position for f in hits.report.failures] == [4] and "follows the SMILES" in hits.report.failures[0].reason
    assert b"caf\xe9" in (tmp_path / "h.csv").read_bytes()
    again = screen(model, path, 10, out=tmp_path / "h.csv", resume=True)
    assert again.ids == hits.ids and pairs(again) == pairs(hits)


def test_rows_of_other_lengths_go_to_the_error_file(model, tmp_path):
    (tmp_path / "l.csv").write_text("id,smiles\na,CCO\nb\nc,CCC,9\nd,CCN\n")
    hits = screen(model, tmp_path / "l.csv", 9, out=tmp_path / "h.csv")
    assert sorted(hits.ids) == ["a", "d"]
    rows = read(tmp_path / "h.csv.errors.csv")
    assert [(r["row"], r["text"]) for r in rows] == [("2", "b"), ("3", "c,CCC,9")] and "has 1 fields" in rows[0][
        "reason"
    ]


def rows_of(hits):
    return sorted(zip(hits.rows.tolist(), hits.smiles, hits.ids, strict=True))


@pytest.mark.parametrize("odd", ["\u00a0", "\u2028", "\x85", "\x0b", "\x0c", "\x1c", "\u3000", "\ufeff"])
@pytest.mark.parametrize("chunk", [1, 2, 1000])
def test_only_space_and_tab_end_a_smiles_and_only_line_ends_a_line(model, tmp_path, odd, chunk):
    lines = [f"CCO{odd}CCCCN", "CCC", odd, "CCN", "", " \t", "CCCO"]
    expected = [(1, "CCC"), (3, "CCN"), (4, "CCCO")]
    for name, end in [("plain", "\n"), ("windows", "\r\n"), ("mac", "\r")]:
        for last in ("CCCO", "CCCO butanol"):  # a name somewhere changes nothing elsewhere
            path = tmp_path / f"{name}.smi"
            path.write_bytes(end.join([*lines[:-1], last, ""]).encode())
            hits = screen(model, path, 9, chunk=chunk)
            assert [row[:2] for row in rows_of(hits)] == expected and hits.report.total == 5
            assert [f.position for f in hits.report.failures] == [0, 2]


def test_the_name_begins_at_the_first_white_space_and_ends_at_a_tab(model, tmp_path):
    path = tmp_path / "l.smi"
    path.write_text("CCO ethanol\t6.1\nCCN\tethyl amine\t5\nCCC  propane gas\nCCCC\t\t7\n\tCCS\nCCF |$a$|\tZ2\t1\n")
    hits = screen(model, path, 9)
    assert rows_of(hits) == [
        (0, "CCO", "ethanol"),
        (1, "CCN", "ethyl amine"),
        (2, "CCC", "propane gas"),
        (3, "CCCC", ""),
    ]
    assert [f.position for f in hits.report.failures] == [4, 5]


@pytest.mark.parametrize("ending", ["", ".gz", ".bz2", ".xz"])
def test_compressed_libraries_and_those_of_enamine(model, tmp_path, ending):
    text = b"smiles\tid\tHAC\nCCO\tZ1\t3\nC[C@H](N)CO |&1:1|\tZ2\t5\nCCN\tZ3\t3\n"
    pack = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}[ending]
    path = tmp_path / f"l.cxsmiles{ending}"
    path.write_bytes(pack(text))
    hits = screen(model, path, 9)
    assert rows_of(hits) == [(0, "CCO", "Z1"), (2, "CCN", "Z3")] and [f.position for f in hits.report.failures] == [1]
    if ending:
        path.write_bytes(pack(text * 2000)[:-30])
        with pytest.raises(ValueError, match="is damaged after molecule"):
            screen(model, path, 9)


def test_a_line_without_end_is_one_failed_row(model, tmp_path, monkeypatch):
    monkeypatch.setattr("catalase.screening._library._LONGEST_LINE", 1000)
    monkeypatch.setattr("catalase.screening._library._BLOCK", 300)
    path = tmp_path / "l.smi"
    path.write_text("CCO\n" + "C" * 5000 + " name\nCCN\n" + "C" * 900 + "\nCC" + "C" * 5000)
    hits = screen(model, path, 9)
    assert [row[0] for row in rows_of(hits)] == [0, 2, 3] and hits.report.total == 5
    assert [f.position for f in hits.report.failures] == [1, 4]
    assert all("more than" in f.reason and len(f.text) <= 200 for f in hits.report.failures)
