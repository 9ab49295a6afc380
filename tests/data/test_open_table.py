"""Tests of the files of molecules: SD files, SMILES with names, Parquet, and the choice of a reader."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem, rdBase

import catalase as ct
from catalase.chem import reading
from catalase.data import sdf_file, smiles_file
from catalase.data.open_table import open_table
from catalase.data.table_file import TableFile

PACK = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


def record(smiles, title="", properties=(), v3000=False):
    """A record of an SD file."""
    block = Chem.MolToMolBlock(Chem.MolFromSmiles(smiles), forceV3000=v3000)
    return title + block + "".join(f">  <{name}>\n{value}\n\n" for name, value in properties) + "$$$$\n"


def rows_of(path, size=100, function="predict"):
    """Header, rows, and failures by row."""
    rows, failures = [], {}
    with open_table(path, function) as table:
        for part, wrong in table.chunks(size):
            assert all(len(row) == len(table.header) for row in part)
            failures |= {len(rows) + f.position: f for f in wrong}
            rows += part
        return table.header, rows, failures


GOOD = record("OCC", "ethanol", [("IC50", "7.5"), ("note", "two\nlines")])
BROKEN = GOOD.replace("ethanol", "broken").replace("  3  2  0", "  9  2  0")
SDF = GOOD + BROKEN + record("C[C@H](N)C(=O)O", "alanine", [("pKa", "2.3")], v3000=True)
HEADER = ["smiles", "name", "IC50", "note", "pKa"]
ROWS = [
    ["CCO", "ethanol", "7.5", "two\nlines", ""],
    ["", "broken", "7.5", "two\nlines", ""],
    ["C[C@H](N)C(=O)O", "alanine", "", "", "2.3"],
]


@pytest.mark.parametrize("name", ["l.sdf", "l.SD", "l.sdf.gz"])
@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("size", [1, 100])
def test_a_broken_record_is_a_failure_with_its_number_and_the_next_ones_are_read(tmp_path, name, packing, ends, size):
    (tmp_path / name).write_bytes(PACK[packing](SDF.replace("\n", ends).encode()))
    header, rows, failures = rows_of(tmp_path / name, size)
    assert header == HEADER and rows == ROWS
    assert (
        list(failures) == [1]
        and failures[1].text == "broken"
        and failures[1].reason == "RDKit cannot read the structure"
    )


@pytest.mark.parametrize("packing", PACK)
def test_sd_files_come_through_pipes_and_standard_input(tmp_path, monkeypatch, packing):
    data = PACK[packing](SDF.encode())
    for name in ("pipe", "pipe.sdf"):
        os.mkfifo(tmp_path / name)
        feeder = threading.Thread(target=(tmp_path / name).write_bytes, args=(data,))
        feeder.start()
        assert rows_of(tmp_path / name)[:2] == (HEADER, ROWS)
        feeder.join()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    monkeypatch.chdir(tmp_path)
    assert rows_of("-")[:2] == (HEADER, ROWS)


def test_properties_are_those_that_rdkit_reads(tmp_path):
    block = Chem.MolToMolBlock(Chem.MolFromSmiles("CCO"))
    text = block + (
        "> <A>\n1\n\n>  <B> (3)\n2\n3\n\n> <C> <D>\nx\n\n> <a>b>\n y \n\n> DT12 <E>\nz\n\n> 25 (X-1) <F>\n\n\n"
        "> <A>\nagain\n\n> <G>\n> 5\n\n> no name\nq\n\n$$$$\n"
    )
    (tmp_path / "l.sdf").write_text(text)
    (molecule,) = Chem.SDMolSupplier(str(tmp_path / "l.sdf"))
    expected = {name: molecule.GetProp(name).strip() for name in molecule.GetPropNames()}
    header, rows, failures = rows_of(tmp_path / "l.sdf")
    assert dict(zip(header, rows[0], strict=True)) == {"smiles": "CCO", **expected} and not failures
    assert expected["A"] == "again" and expected["G"] == "> 5"


def test_structures_are_those_that_rdkit_reads(tmp_path):
    smiles = ["C[C@H](N)C(=O)O", "C/C=C/C", "[Na+].[Cl-]", "c1ccccc1", "[2H]C([2H])O", "CC[NH3+]", "*CC", "[13CH4]"]
    (tmp_path / "l.sdf").write_text("".join(map(record, smiles)) + record(smiles[0], v3000=True))
    header, rows, failures = rows_of(tmp_path / "l.sdf")
    assert header == ["smiles"] and not failures  # no record has a name
    assert [row[0] for row in rows] == [Chem.MolToSmiles(m) for m in Chem.SDMolSupplier(str(tmp_path / "l.sdf"))]


def test_records_that_are_no_one_molecule_say_why(tmp_path, monkeypatch):
    query = record("CCO").replace(" C   0", " Q   0", 1)
    bond = record("CCO").replace("  1  2  1  0", "  1  2  8  0")
    large = record("C" * 120, v3000=True)
    monkeypatch.setattr(reading, "rdkit_limits", lambda: reading.Limits(100, 100))
    pentavalent = record("CCC").replace(" C   0", " F   0")
    (tmp_path / "l.sdf").write_text(query + bond + large + record("C" * 110) + pentavalent + record("CCN"))
    _, rows, failures = rows_of(tmp_path / "l.sdf")
    assert [row[0] for row in rows] == [""] * 5 + ["CCN"]
    words = ["is a query", "is a query", "it has 120 atoms", "it has 110 atoms", "Explicit valence for atom # 1 F, 2"]
    assert [f.text for f in failures.values()] == [f"record {i}" for i in range(1, 6)]
    assert all(word in f.reason for word, f in zip(words, failures.values(), strict=True)), failures


def test_odd_sd_files(tmp_path, monkeypatch):
    path = tmp_path / "l.sdf"
    path.write_bytes(b"")
    assert rows_of(path) == (["smiles"], [], {})
    path.write_text(Chem.MolToMolBlock(Chem.MolFromSmiles("")) + "> <ID>\n5\n\n$$$$\n")
    assert rows_of(path)[1] == [["", "5"]] and rows_of(path)[2][0].reason == "the structure has no atoms"
    path.write_text("$$$$\n" + GOOD.removesuffix("$$$$\n") + "\n")
    _, rows, failures = rows_of(path)
    assert [row[:2] for row in rows] == [["", ""], ["CCO", "ethanol"]] and list(failures) == [0]
    assert failures[0].reason == "RDKit cannot read the structure"
    path.write_text(record("CCO", "a", [("smiles", "C"), ("name", "b"), ("Name", "c")]))
    assert rows_of(path)[:2] == (
        ["smiles", "name", "smiles property", "name property", "Name"],
        [["CCO", "a", "C", "b", "c"]],
    )
    path.write_bytes(record("CCO", "x", [("unit", "?")]).encode().replace(b"?", b"\xb5M"))
    assert rows_of(path)[1] == [["CCO", "x", "\udcb5M"]]
    path.write_text(record("CCO").removesuffix("$$$$\n") + " \n$$$$\n")  # one space, as on its own line in some files
    assert rows_of(path)[1:] == ([["CCO"]], {})
    monkeypatch.setattr(sdf_file, "_LONGEST_RECORD", 1000)
    path.write_text(record("CCO", "long", [("p", "x" * 900)]) + record("CCN", "b"))
    _, rows, failures = rows_of(path)
    assert [row[0] for row in rows] == ["", "CCN"] and "more than 1,000 bytes" in failures[0].reason
    path.with_suffix(".gz").write_bytes(gzip.compress(SDF.encode() * 50, mtime=0)[:-40])
    with pytest.raises(ValueError, match=r"predict: .*l\.sdf\.gz is damaged or cut short"):
        path.with_suffix(".gz").rename(tmp_path / "l.sdf.gz")
        rows_of(tmp_path / "l.sdf.gz")


def test_smiles_with_names_are_a_table_and_nothing_behind_them_is_lost(tmp_path):
    path = tmp_path / "l.smi"
    path.write_bytes(
        b"\xef\xbb\xbfCCO  ethyl alcohol \r\n\r\nCCN\tamine\t6.1\t7\nCCC\n \t\nCCCC |$a$| butane\nCC |a:1|\tx\nCO caf\xe9"
    )
    header, rows, failures = rows_of(path, 2)
    assert header == ["smiles", "name"] and not failures
    assert rows == [
        ["CCO", "ethyl alcohol"], ["CCN", "amine\t6.1\t7"], ["CCC", ""], ["CCCC |$a$|", "butane"], ["CC |a:1|", "x"],
        ["CO", "caf\udce9"],
    ]  # fmt: skip
    path.write_text("SMILES zinc_id\nCCO Z1\n")
    assert rows_of(path)[:2] == (["smiles", "zinc_id"], [["CCO", "Z1"]])
    path.write_text("")
    assert rows_of(path) == (["smiles", "name"], [], {})


@pytest.mark.parametrize("packing", PACK)
def test_cxsmiles_are_a_table_where_they_have_a_header(tmp_path, packing):
    path = tmp_path / "l.cxsmiles"
    path.write_bytes(PACK[packing](b"smiles\tid\nCCO |$a$|\tZ1\n"))
    assert rows_of(path)[:2] == (["smiles", "id"], [["CCO |$a$|", "Z1"]])
    path.write_bytes(PACK[packing](b"CCO |$a$|\tZ1\nCC\tZ2\n"))
    assert rows_of(path)[:2] == (["smiles", "name"], [["CCO |$a$|", "Z1"], ["CC", "Z2"]])


def test_a_line_without_an_end_is_one_failure(tmp_path, monkeypatch):
    monkeypatch.setattr(smiles_file, "_LONGEST_LINE", 1000)
    (tmp_path / "l.smi").write_text("CCO a\n" + "C" * 5000 + " b\nCCN c\n")
    _, rows, failures = rows_of(tmp_path / "l.smi")
    assert rows == [["CCO", "a"], ["", ""], ["CCN", "c"]]
    assert list(failures) == [1] and "the line has more than" in failures[1].reason and len(failures[1].text) == 200


def test_parquet_files_are_tables_of_text(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    columns = {"SMILES": ["CCO", None, "CC"], "y": [1.5, None, 0.1], "n": [1, 2, 3], "raw": [b"\xb5", None, b"x"]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "l.parquet", row_group_size=2)
    expected = (
        ["SMILES", "y", "n", "raw"], [["CCO", "1.5", "1", "\udcb5"], ["", "", "2", ""], ["CC", "0.1", "3", "x"]], {},
    )  # fmt: skip
    for size in (1, 2, 100):
        assert rows_of(tmp_path / "l.parquet", size) == expected
    (tmp_path / "l.parquet").rename(tmp_path / "unknown")
    assert rows_of(tmp_path / "unknown") == expected
    (tmp_path / "bad.pq").write_bytes(b"PAR1 no")
    with pytest.raises(ValueError, match=r"predict: .*bad\.pq is not a Parquet file"):
        rows_of(tmp_path / "bad.pq")


def test_without_pyarrow_one_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "l.parquet").write_bytes(b"PAR1")
    with pytest.raises(ImportError, match=r"^predict: Parquet files need pyarrow; pip install 'catalase\[arrow\]'$"):
        rows_of(tmp_path / "l.parquet")


def test_files_are_closed_and_files_that_are_not_there_are_named(tmp_path):
    for name in ("no.sdf", "no.smi", "no.csv", "no"):
        with pytest.raises(FileNotFoundError, match=f"predict: there is no file .*{name}"):
            open_table(tmp_path / name, "predict")
        with pytest.raises(IsADirectoryError, match="is a folder"):
            open_table(tmp_path, "predict")
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else None
    for name, text in (("l.sdf", SDF), ("l.smi", "CCO a\n"), ("l.csv", "smiles\nCCO\n"), ("l", "smiles\nCCO\n")):
        (tmp_path / name).write_text(text)
        rows_of(tmp_path / name)
    assert before is None or len(os.listdir("/proc/self/fd")) == before
    with open_table(tmp_path / "l", "predict") as table:
        assert isinstance(table, TableFile)


def test_the_loader_takes_labels_from_properties_of_sd_files(tmp_path):
    (tmp_path / "l.sdf").write_text(SDF + record("CCN", "amine", [("IC50", "nothing")]))
    featurizer = ct.feat.CircularFingerprint(size=64)
    for field in ("smiles", "Structure"):  # a model may have learned from a table with another name
        dataset = ct.data.CSVLoader(["IC50"], featurizer, feature_field=field).create_dataset(
            tmp_path / "l.sdf", errors="mask"
        )
        assert dataset.ids.tolist() == ["CCO", "", "C[C@H](N)C(=O)O", "CCN"]
        assert dataset.w.ravel().tolist() == [1, 0, 0, 0] and dataset.y[0] == np.float32(7.5)
        assert [f.position for f in dataset.report.failures] == [1, 3]
        assert "cannot read the structure" in dataset.report.failures[0].reason
    with pytest.raises(ValueError, match="CSVLoader: row 1: RDKit cannot read the structure"):
        ct.data.CSVLoader(["IC50"], featurizer).create_dataset(tmp_path / "l.sdf")
    with pytest.raises(ValueError, match="has no column 'logD'; it has 'smiles', 'name', 'IC50'"):
        ct.data.CSVLoader(["logD"], featurizer).create_dataset(tmp_path / "l.sdf")


def test_rdkits_own_messages_do_not_reach_the_terminal(tmp_path):
    (tmp_path / "l.sdf").write_text(SDF + GOOD.replace(" C   0", " Xx  0", 1))
    code = f"import catalase.data.open_table as o; t = o.open_table({str(tmp_path / 'l.sdf')!r}, 'predict'); print(len(next(t.chunks(9))[1]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "2\n" and done.stderr == "" and rdBase.LogStatus()
