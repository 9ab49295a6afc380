"""Datasets of molecular graphs: the rules of other datasets, and shards on disk."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

import catalase as ct
from catalase._internal import storage
from catalase.data import GraphDataset
from tests.ops.test_descriptors import readable
from tests.ops.test_ecfp_native import MOLECULES

SMILES = [text for text, _ in readable(MOLECULES)] + ["C", "[Na+].[Cl-]", ""]


def dataset(features="dmpnn"):
    featurizer = ct.feat.MolGraphFeaturizer(features)
    y = np.arange(float(2 * len(SMILES))).reshape(-1, 2)
    y[3, 1] = np.nan
    graphs = featurizer.featurize(SMILES)
    return GraphDataset(graphs, y, ids=SMILES, tasks=["a", "b"], featurizer=featurizer)


def same(one, other):
    graphs = [data.X if isinstance(data.X, ct.ops.MolGraphs) else data.X.packed() for data in (one, other)]
    assert graphs[0] == graphs[1] and list(one.tasks) == list(other.tasks) and one.featurizer == other.featurizer
    for column in ("y", "w", "ids"):
        a, b = getattr(one, column), getattr(other, column)
        assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f") and a.dtype == b.dtype, column


def test_columns_follow_the_rules_of_other_datasets():
    data = dataset()
    plain = ct.data.NumpyDataset(np.zeros((len(SMILES), 1)), data.y, ids=SMILES, tasks=["a", "b"])
    for column in ("y", "w", "ids"):
        assert np.array_equal(getattr(data, column), getattr(plain, column), equal_nan=column == "y")
    assert data.w[3].tolist() == [1, 0] and data.get_shape()[0] == (len(SMILES),)
    bare = GraphDataset(data.X)
    assert bare.y.shape == (len(SMILES), 0) and bare.ids.tolist() == list(range(len(SMILES)))
    with pytest.raises(TypeError, match=r"graphs must be MolGraphs, as catalase.ops.mol_graphs"):
        GraphDataset(SMILES)
    with pytest.raises(ValueError, match=f"X has {len(SMILES)} rows but y has shape"):
        GraphDataset(data.X, [1.0])


def test_walks_have_the_order_of_other_datasets():
    data = dataset()
    plain = ct.data.NumpyDataset(np.arange(float(len(SMILES)))[:, None], data.y, ids=SMILES)
    for options in ({"deterministic": True}, {"seed": 5, "epochs": 2}, {"seed": 1, "pad_batches": True}):
        walks = zip(data.iterbatches(4, **options), plain.iterbatches(4, **options), strict=True)
        for (X, y, w, ids), (rows, *others) in walks:
            assert data.X[rows[:, 0].astype(int)] == X
            for mine, other in zip((y, w, ids), others, strict=True):
                assert np.array_equal(mine, other, equal_nan=mine.dtype.kind == "f")
    assert [x for x, *_ in data.itersamples()] == list(data.X)


def test_select_and_splitters_keep_graphs_and_the_featurizer():
    data = dataset()
    part = data.select([4, 1, -1])
    assert data.X[[4, 1, len(SMILES) - 1]] == part.X and part.featurizer == data.featurizer
    for splitter in (ct.splits.RandomSplitter(), ct.splits.IndexSplitter(), ct.splits.ScaffoldSplitter()):
        parts = splitter.train_valid_test_split(data, frac_train=0.6, frac_valid=0.2, frac_test=0.2)
        assert all(isinstance(part, GraphDataset) for part in parts)
        assert sorted(text for part in parts for text in part.ids) == sorted(SMILES)
        for part in parts:
            assert ct.ops.mol_graphs(list(part.ids)) == part.X
    folds = ct.splits.RandomSplitter().k_fold_split(data, 3)
    assert all(len(train) + len(test) == len(data) for train, test in folds)


def test_labels_are_transformed_and_graphs_are_not():
    data = dataset()
    scaler = ct.trans.NormalizationTransformer(transform_y=True, dataset=data)
    for made in (data.transform(scaler), scaler.transform(data)):
        assert isinstance(made, GraphDataset) and made.X is data.X and made.featurizer == data.featurizer
        assert np.allclose(np.nanmean(made.y, axis=0), 0, atol=1e-5)
    plain = ct.trans.NormalizationTransformer(transform_X=True, dataset=ct.data.NumpyDataset(np.eye(3)))
    for transform in (data.transform, lambda scaler: scaler.transform(data)):
        with pytest.raises(TypeError, match="changes X; only y and w can be"):
            transform(plain)


@pytest.mark.parametrize("features", ["dmpnn", "convmol", "molgraph"])
@pytest.mark.parametrize("shard_size", [None, 1, 7, 1000])
def test_a_saved_dataset_is_the_same_after_loading(tmp_path, features, shard_size):
    data = dataset(features)
    data.report = ct.feat.MolGraphFeaturizer().report
    same(data.save(tmp_path / "a", shard_size), data)
    loaded = GraphDataset.load(tmp_path / "a")
    same(loaded, data)
    same(pickle.loads(pickle.dumps(loaded)), data)  # noqa: S301
    rows = np.random.default_rng(0).integers(0, len(data), 20)
    same(loaded.select(rows), data.select(rows))
    assert loaded.X[3:9] == data.X[3:9] and loaded.X[-2] == data.X[-2] and loaded.X[[]] == data.X[[]]
    with pytest.raises(IndexError):
        loaded.X[len(data)]
    for mine, other in zip(loaded.iterbatches(5, seed=2), data.iterbatches(5, seed=2), strict=True):
        assert mine[0] == other[0] and np.array_equal(mine[3], other[3])


def test_a_dataset_without_rows_is_saved():
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        empty = dataset().select([])
        same(empty.save(folder), empty)


def test_merging_gives_all_rows():
    data = dataset()
    parts = [data.select(np.arange(0, 5)), data.select(np.arange(5, len(data)))]
    same(GraphDataset.merge(parts), data)
    parts[1].featurizer = None
    assert GraphDataset.merge(parts).featurizer is None
    for wrong, what in (
        (dataset("convmol"), "one features, got 'dmpnn' and 'convmol'"),
        (GraphDataset(data.X), "must have one tasks"),
        (GraphDataset(data.X, data.y, tasks=["a", "c"]), "must have one tasks"),
        (GraphDataset(data.X, np.nan_to_num(data.y), np.ones(len(data)), tasks=["a", "b"]), "must have one w"),
    ):
        with pytest.raises(ValueError, match=what):
            GraphDataset.merge([data, wrong])
    with pytest.raises(ValueError, match="at least one"):
        GraphDataset.merge([])
    with pytest.raises(TypeError, match="datasets must be GraphDatasets"):
        GraphDataset.merge([ct.data.NumpyDataset(np.eye(3))])


def test_altered_files_are_refused(tmp_path):
    dataset().save(tmp_path, 5)
    file = next(tmp_path.glob("source-00001-*.npy"))
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match="was altered or cut short"):
        GraphDataset.load(tmp_path)
    with pytest.raises(ValueError, match=r"shard 1 of .* holds no graphs"):
        GraphDataset.load(tmp_path, verify=False)
    file.unlink()
    with pytest.raises(ValueError, match="is missing"):
        GraphDataset.load(tmp_path)


def test_folders_of_other_datasets_are_told_apart(tmp_path):
    dataset().save(tmp_path / "graphs")
    ct.data.DiskDataset.create(tmp_path / "rows", [ct.data.NumpyDataset(np.eye(3))])
    with pytest.raises(ValueError, match=r"is a dataset of graphs; catalase.data.GraphDataset.load opens it"):
        ct.data.DiskDataset(tmp_path / "graphs")
    with pytest.raises(ValueError, match=r"is no dataset of graphs .*DiskDataset opens datasets of arrays"):
        GraphDataset.load(tmp_path / "rows")
    with pytest.raises(FileNotFoundError, match=r"holds no manifest\.json"):
        GraphDataset.load(tmp_path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "manifest.json").write_text(json.dumps({"format": "of another program"}))
    with pytest.raises(ValueError, match="is not of a dataset and would be lost"):
        dataset().save(tmp_path / "other")


def test_saving_again_replaces_the_dataset_and_readers_keep_the_old_one(tmp_path):
    old = dataset().save(tmp_path, 4)
    new = dataset("convmol").select([0, 1])
    new.save(tmp_path)
    same(old, dataset())
    same(GraphDataset.load(tmp_path), new)
    del old
    new.save(tmp_path)
    assert len(list(tmp_path.glob("*.npy"))) == 10


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_loader_with_a_featurizer_of_graphs_makes_a_dataset_of_graphs(tmp_path, on_disk):
    table = tmp_path / "t.csv"
    table.write_text("smiles,y\n" + "".join(f"{text},{i}\n" for i, text in enumerate([*SMILES[:9], "C1CC", "CO"])))
    loader = ct.data.CSVLoader(["y"], ct.feat.ConvMolFeaturizer())
    options = {"data_dir": tmp_path / "made" if on_disk else None, "shard_size": 4}
    data = loader.create_dataset(table, errors="mask", **options)
    assert isinstance(data, GraphDataset) and data.featurizer == ct.feat.ConvMolFeaturizer()
    assert data.w[:, 0].tolist() == [1.0] * 9 + [0.0, 1.0] and [f.position for f in data.report.failures] == [9]
    assert data.X[:9] == ct.ops.mol_graphs(SMILES[:9], "convmol") and len(data.X[9].atom_codes) == 0
    with pytest.warns(UserWarning, match="1 of 11 rows were left out"):
        dropped = loader.create_dataset(table, errors="drop", **options)
    assert dropped.y[:, 0].tolist() == [*range(9), 10]
    assert dropped.X[:] == data.X[[*range(9), 10]]


def with_extra(columns=3):
    data, rng = dataset(), np.random.default_rng(1)
    extra = rng.standard_normal((len(data), columns)).astype(np.float32)
    extra[0, 0] = np.nan
    return GraphDataset(data.X.with_extra(extra), data.y, ids=data.ids, tasks=data.tasks, featurizer=data.featurizer)


@pytest.mark.parametrize("shard_size", [None, 1, 7])
def test_extra_features_stay_with_their_molecules(tmp_path, shard_size):
    data = with_extra()
    same(data.save(tmp_path / "a", shard_size), data)
    loaded = GraphDataset.load(tmp_path / "a")
    same(loaded, data)
    same(pickle.loads(pickle.dumps(loaded)), data)  # noqa: S301
    rows = np.random.default_rng(0).integers(0, len(data), 20)
    for whole in (data, loaded):
        assert np.array_equal(whole.X.extra, data.X.extra, equal_nan=True)
        assert np.array_equal(whole.select(rows).X.extra, data.X.extra[rows], equal_nan=True)
        for X, _, _, ids in whole.iterbatches(5, seed=2):
            places = [SMILES.index(text) for text in ids]
            assert np.array_equal(X.extra, data.X.extra[places], equal_nan=True)
    same(GraphDataset.merge([data.select([0, 1]), loaded.select(np.arange(2, len(data)))]), data)
    assert "3 extra features" in repr(data.X)


def test_only_datasets_with_extra_features_have_files_for_them(tmp_path):
    for data, version in ((with_extra(), 2), (dataset(), 1)):
        data.save(tmp_path, 6)
        assert bool(list(tmp_path.glob("extra-*"))) == (version == 2)
        assert json.loads((tmp_path / "manifest.json").read_text())["format_version"] == version


def test_parts_with_other_extra_features_do_not_fit(tmp_path):
    for wrong in (dataset(), with_extra(2)):
        with pytest.raises(ValueError, match="must have one number of extra features, got 3 and"):
            GraphDataset.merge([with_extra(), wrong])
        with pytest.raises(ValueError, match="must have one number of extra features, got 3 and"):
            GraphDataset.create(tmp_path / "b", [with_extra(), wrong])


def test_a_loader_carries_the_extra_features_of_its_featurizer(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("smiles,y\nCCO,1\nC1CC,2\nCCN,3\nCO,4\n")
    featurizer = ct.feat.MolGraphFeaturizer(extra=ct.feat.Descriptors(["MolWt"]))
    loader = ct.data.CSVLoader(["y"], featurizer)
    for folder in (None, tmp_path / "made"):
        data = loader.create_dataset(table, data_dir=folder, shard_size=2, errors="mask")
        assert data.w[:, 0].tolist() == [1, 0, 1, 1] and data.featurizer == featurizer
        assert np.allclose(data.X.extra[:, 0], [46.069, 0, 45.085, 32.042], atol=1e-3)


def test_format_versions_of_the_future_are_refused(tmp_path):
    with_extra().save(tmp_path)
    manifest = tmp_path / "manifest.json"
    fields = json.loads(manifest.read_text())
    assert fields["format_version"] == 2
    storage.write_json_atomic(manifest, {k: v for k, v in fields.items() if k != "digest"} | {"format_version": 3})
    with pytest.raises(ValueError, match="is no dataset of graphs of format version 1 or 2"):
        GraphDataset.load(tmp_path)
