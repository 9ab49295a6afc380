"""Tests of the CSV loader: accepted tables, refusals, and reports."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

import catalase as ct
from catalase.data import CSVLoader, DiskDataset

TABLE = "smiles,name,a,b\nCCO,ethanol,1,0\nC1CC,broken,0,1\nc1ccccc1,benzene,,1\nCC,ethane,0.5,x\n"


def loader(tasks=("a", "b")):
    return CSVLoader(list(tasks), ct.feat.CircularFingerprint(size=64), feature_field="smiles")


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(TABLE)
    return path


def test_raise_is_the_default_and_names_the_row(table):
    with pytest.raises(ValueError, match=r"row 3, column 'b': needs a number or nothing, got 'x'"):
        loader().create_dataset(table)
    with pytest.raises(ValueError, match=r"molecule 1 of 4 \('C1CC'\)"):
        loader(["a"]).create_dataset(table)


def test_a_table_without_labels_is_features_alone(tmp_path):
    (tmp_path / "t.csv").write_text("smiles\nCCO\nCC\n")
    data = loader([]).create_dataset(tmp_path / "t.csv")
    assert data.X.shape == (2, 64) and data.y.shape == data.w.shape == (2, 0)


@pytest.mark.filterwarnings("ignore:CSVLoader")
def test_drop_and_mask(table):
    dropped = loader().create_dataset(table, errors="drop")
    assert dropped.ids.tolist() == ["CCO", "c1ccccc1"] and dropped.w.tolist() == [[1, 1], [0, 1]]
    assert {f.position for f in dropped.report.failures} == {1, 3} and (dropped.report.total, dropped.report.kept) == (
        4,
        2,
    )
    masked = loader().create_dataset(table, errors="mask")
    assert len(masked) == 4 and not masked.w[1].any() and not masked.X[1].any()
    assert masked.w[3].tolist() == [1, 0] and masked.X[3].any()


def test_a_drop_warns(table):
    with pytest.warns(UserWarning, match="2 of 4 rows were left out"):
        loader().create_dataset(table, errors="drop")


@pytest.mark.filterwarnings("ignore:CSVLoader")
def test_small_shards_and_disk_give_the_same(table, tmp_path):
    whole = loader().create_dataset(table, errors="drop")
    disk = loader().create_dataset(table, data_dir=tmp_path / "d", shard_size=1, errors="drop")
    assert isinstance(disk, DiskDataset) and disk.report.kept == 2
    for name in ("X", "y", "w", "ids"):
        assert np.array_equal(getattr(whole, name), getattr(disk, name), equal_nan=name == "y")


def test_gzip_quotes_and_several_files(tmp_path):
    text = '\ufeffsmiles,a,b\n"CCO",1,\n" CC ",2,3\n'
    (tmp_path / "p.csv").write_text(text)
    (tmp_path / "p.csv.gz").write_bytes(gzip.compress(text.encode()))
    data = loader().create_dataset([tmp_path / "p.csv", tmp_path / "p.csv.gz"])
    assert data.ids.tolist() == ["CCO", " CC "] * 2 and data.y[:, 0].tolist() == [1, 2, 1, 2]


@pytest.mark.parametrize(
    "content, words",
    [
        ("smiles,a\nC,1\n", "has no column 'b'; it has 'smiles', 'a'"),
        ("", "is empty; it needs a header"),
        ("smiles,a,b\n", "no rows below its header"),
        ("smiles,a,b\nC,1,2,3\n", "row 0: the row has 4 fields, the header 3"),
        ("smiles,a,b\n,1,2\n", "empty 'smiles' cell"),
        ("smiles,a,b\nC,inf,2\n", "needs a finite number"),
    ],
)
def test_tables_that_are_refused(tmp_path, content, words):
    path = tmp_path / "t.csv"
    path.write_text(content)
    with pytest.raises(ValueError, match=words):
        loader().create_dataset(path)


def test_damaged_and_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        loader().create_dataset(tmp_path / "none.csv")
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress((TABLE * 200).encode())[:-20])
    with pytest.raises(ValueError):
        loader(["a"]).create_dataset(path, errors="mask")
    with pytest.raises(TypeError, match="wrap it in"):
        CSVLoader("a", None)


@pytest.mark.filterwarnings("ignore:CSVLoader")
def test_the_report_is_kept_on_disk(table, tmp_path):
    made = loader().create_dataset(table, data_dir=tmp_path / "d", errors="drop")
    again = DiskDataset(tmp_path / "d").report
    assert again.failures == made.report.failures != [] and (again.total, again.kept) == (4, 2)


@pytest.mark.parametrize("at", [12, 2000])
def test_a_gzip_with_altered_bytes(tmp_path, at):
    text = "smiles,a\n" + "".join(f"{'C' * (i % 30 + 1)},{i * 37 % 101}\n" for i in range(4000))
    data = bytearray(gzip.compress(text.encode()))
    data[at : at + 40] = b"\xff" * 40
    path = tmp_path / "t.csv.gz"
    path.write_bytes(data)
    # The stream breaks, or what comes out of it before its checksum is reached is no table: an error either way.
    with pytest.raises(ValueError, match=r"t\.csv\.gz is damaged or cut short|the header 2"):
        loader(["a"]).create_dataset(path)


def test_a_column_that_is_there_twice(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("smiles,a,a\nCC,1,2\n")
    with pytest.raises(ValueError, match="more than one column 'a'"):
        loader(["a"]).create_dataset(path)


def test_a_table_with_semicolons_is_read_but_its_labels_stay_strict(tmp_path):
    (tmp_path / "t.csv").write_bytes("smiles;name;y\r\nCCO;\xe9thanol;1.5\r\nCC;b;1,5\r\n".encode("cp1252"))
    loader = ct.data.CSVLoader(["y"], ct.feat.CircularFingerprint(size=64), id_field="name")
    with pytest.raises(ValueError, match="row 1, column 'y': needs a number or nothing, got '1,5'"):
        loader.create_dataset(tmp_path / "t.csv")
    with pytest.warns(UserWarning, match="1 of 2 rows"):
        dataset = loader.create_dataset(tmp_path / "t.csv", errors="drop")
    assert dataset.ids.tolist() == ["\xe9thanol"] and dataset.y.tolist() == [[1.5]]
