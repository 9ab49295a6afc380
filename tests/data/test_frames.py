"""Tests of data frames of pandas, polars and Arrow: into datasets and loaders, out of datasets, histories and hits."""

from __future__ import annotations

import importlib
import sys

import numpy as np
import pytest

import catalase as ct
from catalase.data import CSVLoader, GraphDataset, NumpyDataset, SequenceDataset
from catalase.screening import Hits

LIBRARIES = ["pandas", "polars", "arrow"]
MODULES = {"pandas": "pandas", "polars": "polars", "arrow": "pyarrow"}
COLUMNS = {
    "smiles": ["CCO", "c1ccccc1", "CN"],
    "weight": [46.1, 78.1, 31.1],
    "rings": [0, 1, 0],
    "logP": [-0.3, None, -0.7],
    "toxic": [True, False, True],
}


def frame_of(library, columns=COLUMNS):
    module = pytest.importorskip(MODULES[library])
    return module.table(columns) if library == "arrow" else module.DataFrame(columns)


def names_of(frame):
    return list(getattr(frame, "column_names", frame.columns))


@pytest.mark.parametrize("library", LIBRARIES)
def test_columns_become_a_dataset(library):
    frame = frame_of(library)
    data = NumpyDataset.from_dataframe(frame, X=["weight", "rings"], y=["logP", "toxic"], ids="smiles")
    assert np.array_equal(data.X, [[46.1, 0], [78.1, 1], [31.1, 0]])
    assert np.array_equal(data.y, [[-0.3, 1], [np.nan, 0], [-0.7, 1]], equal_nan=True)
    assert data.w.tolist() == [[1, 1], [0, 1], [1, 1]] and data.tasks == ["logP", "toxic"]
    assert data.ids.tolist() == COLUMNS["smiles"]
    one = NumpyDataset.from_dataframe(frame, X="weight", y="rings", w="weight")
    assert one.X.shape == one.y.shape == (3, 1) and np.array_equal(one.w, one.X)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_dataset_survives_the_way_through_a_frame(library):
    pytest.importorskip(MODULES[library])
    X = np.arange(36, dtype=np.float32).reshape(3, 12)
    data = NumpyDataset(X, [[1.0, np.nan], [2.0, 3.0], [0.0, 1.0]], ids=["a", "b", "c"])
    frame = data.to_dataframe(library)
    assert names_of(frame)[:2] == ["X1", "X2"] and names_of(frame)[-5:] == ["y1", "y2", "w1", "w2", "ids"]
    again = NumpyDataset.from_dataframe(frame)
    for part in ("X", "y", "w"):
        assert np.array_equal(getattr(again, part), getattr(data, part), equal_nan=True)
    assert again.ids.tolist() == ["a", "b", "c"] and again.X.dtype == np.float32
    assert names_of(NumpyDataset(X[:, :1], [1.0, 2.0, 3.0]).to_dataframe(library)) == ["X", "y", "w", "ids"]


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_loader_reads_a_frame_as_a_file(library, tmp_path):
    loader = CSVLoader(["logP", "toxic"], ct.feat.CircularFingerprint(size=64))
    (tmp_path / "t.csv").write_text(
        "smiles,logP,toxic\nCCO,-0.3,1\nc1ccccc1,,0\nCN,-0.7,1\n",
    )
    of_file, of_frame = loader.create_dataset(tmp_path / "t.csv"), loader.create_dataset(frame_of(library))
    for part in ("X", "y", "w", "ids"):
        assert np.array_equal(getattr(of_frame, part), getattr(of_file, part), equal_nan=part == "y")
    assert of_frame.featurizer == of_file.featurizer and of_frame.tasks == ["logP", "toxic"]
    assert len(loader.create_dataset([frame_of(library), tmp_path / "t.csv"], shard_size=2)) == 6
    disk = loader.create_dataset(frame_of(library), data_dir=tmp_path / "d", shard_size=2)
    assert np.array_equal(disk.X, of_file.X)


def test_a_frame_of_bad_rows_is_treated_as_a_file_of_them():
    frame = frame_of("pandas", {"smiles": ["CCO", None, "C(C"], "y": ["1.5", "2", "many"]})
    loader = CSVLoader(["y"], ct.feat.CircularFingerprint(size=64))
    with pytest.raises(ValueError, match="CSVLoader: row 2, column 'y'"):
        loader.create_dataset(frame)
    with pytest.warns(UserWarning, match="2 of 3 rows were left out"):
        kept = loader.create_dataset(frame, errors="drop")
    assert kept.ids.tolist() == ["CCO"] and len(kept.report.failures) == 2
    with pytest.raises(ValueError, match="CSVLoader: the data frame has no column 'z'; it has 'smiles', 'y'"):
        CSVLoader(["z"], ct.feat.CircularFingerprint()).create_dataset(frame)
    with pytest.raises(ValueError, match="CSVLoader: the data frame holds no rows"):
        loader.create_dataset(frame.head(0))


def test_what_is_no_frame_or_lacks_a_column_is_refused():
    pd = pytest.importorskip("pandas")
    where = "NumpyDataset.from_dataframe"
    with pytest.raises(
        TypeError, match=f"{where}: df must be a data frame of pandas or polars, or a table of Arrow, got list"
    ):
        NumpyDataset.from_dataframe([{}])
    with pytest.raises(
        ValueError, match=f"{where}: y names 'z', but the frame has no column of that name; it has 'a', 'b'"
    ):
        NumpyDataset.from_dataframe(pd.DataFrame({"a": [1], "b": [2]}), X="a", y="z")
    with pytest.raises(ValueError, match=f"{where}: X must name the columns of features; .* but 'a', 'b'"):
        NumpyDataset.from_dataframe(pd.DataFrame({"a": [1], "b": [2]}))
    with pytest.raises(ValueError, match=f"{where}: X names 'a', but the frame has more than one column of that name"):
        NumpyDataset.from_dataframe(pd.DataFrame([[1, 2]], columns=["a", "a"]), X="a")
    with pytest.raises(TypeError, match=f"{where}: X must be the name of a column or a list of names, got 1.5"):
        NumpyDataset.from_dataframe(pd.DataFrame({"a": [1]}), X=1.5)
    with pytest.raises(TypeError, match="X must be an array of numbers"):
        NumpyDataset.from_dataframe(pd.DataFrame({"a": ["x"]}), X="a")
    lazy = pytest.importorskip("polars").LazyFrame({"a": [1]})
    with pytest.raises(TypeError, match=r"got LazyFrame; call collect\(\) on it first"):
        NumpyDataset.from_dataframe(lazy, X="a")


def test_what_is_no_matrix_is_no_frame():
    pytest.importorskip("pandas")
    sequences = SequenceDataset.from_texts(["ACGT", "A"], ct.data.DNATokenizer(), [1, 0])
    images = NumpyDataset(np.zeros((2, 3, 3, 1), np.float32), [0.0, 1.0])
    graphs = GraphDataset(ct.ops.mol_graphs(["CCO", "C"]), [0.0, 1.0])
    for data in (sequences, images, graphs):
        with pytest.raises(TypeError, match="to_dataframe: X must be a matrix of numbers"):
            data.to_dataframe()


@pytest.mark.parametrize("library", LIBRARIES)
def test_histories_and_hits_are_frames_too(library):
    pytest.importorskip(MODULES[library])
    history = ct.train.History(3)
    history.epochs = [{"loss": 1.0}, {"loss": 0.5, "valid_loss": 0.75}]
    frame = history.to_frame(library)
    assert names_of(frame) == ["epoch", "loss", "valid_loss"]
    assert np.array_equal(np.asarray(frame["valid_loss"]), [np.nan, 0.75], equal_nan=True)
    hits = Hits([(0.75, 4, "CCO", "ethanol"), (0.5, 0, "C", "")])
    hits.columns["series"] = ["a", "b"]
    table = hits.to_frame(library)
    assert names_of(table) == ["rank", "row", "id", "smiles", "score", "series"]
    assert np.asarray(table["row"]).tolist() == [5, 1] and np.asarray(table["score"]).tolist() == [0.75, 0.5]
    assert len(Hits([]).to_frame(library)) == 0


def test_a_library_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ImportError, match=r"History\.to_frame: polars is needed; pip install polars"):
        ct.train.History(0).to_frame("polars")
    with pytest.raises(ValueError, match="library must be 'pandas', 'polars' or 'arrow', got 'dask'"):
        ct.train.History(0).to_frame("dask")


def test_a_sparse_matrix_stays_sparse():
    sparse = pytest.importorskip("scipy.sparse")
    rng = np.random.default_rng(0)
    dense = (rng.random((40, 300)) < 0.05) * rng.standard_normal((40, 300)).astype(np.float32)
    for kind in (sparse.csr_array, sparse.csr_matrix, sparse.coo_array, sparse.csc_matrix):
        data = NumpyDataset(kind(dense), np.arange(40.0))
        assert data.X.format == "csr" and data.X.dtype == np.float32 and data.X.has_canonical_format
        assert np.array_equal(data.select([3, 1]).X.toarray(), dense[[3, 1]])
    shuffled = sparse.csr_array((np.array([1.0, 2.0, 3.0]), np.array([4, 1, 4]), np.array([0, 3])), shape=(1, 6))
    given = shuffled.indices.copy()
    assert NumpyDataset(shuffled).X.toarray().tolist() == [[0, 2, 0, 0, 4, 0]]
    assert np.array_equal(shuffled.indices, given), "the caller's matrix is not changed"
    assert NumpyDataset(sparse.csr_array(np.eye(3, dtype=int))).X.dtype == np.float32
    with pytest.raises(TypeError, match="X must be a sparse matrix of numbers"):
        NumpyDataset(sparse.csr_array(np.eye(2) * 1j))


def test_importing_catalase_imports_no_library_of_frames():
    importlib.import_module("catalase.data.frames")
    code = "import sys, catalase as ct; ct.data.NumpyDataset, ct.train.History; print({'pandas', 'polars', 'pyarrow'} & set(sys.modules))"
    import subprocess

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
