"""Tests of datasets in PyTorch's and TensorFlow's loaders."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import catalase as ct

X = np.arange(30, dtype=np.float32).reshape(10, 3)


def dataset():
    return ct.data.NumpyDataset(X, X[:, :1], ids=[f"m{i}" for i in range(10)])


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("seed", [None, 3])
def test_each_row_comes_once_whatever_the_workers(workers, seed):
    data = pytest.importorskip("torch").utils.data
    rows, found = dataset().make_pytorch_dataset(seed=seed), []
    for x, y, w, ids in data.DataLoader(rows, batch_size=5, num_workers=workers):
        assert x.dtype == y.dtype and w.shape == y.shape
        found += [(name, row.tolist()) for name, row in zip(ids, x, strict=True)]
    assert sorted(found) == [(f"m{i}", X[i].tolist()) for i in range(10)]
    shapes = [
        len(x)
        for x, *_ in data.DataLoader(dataset().make_pytorch_dataset(batch_size=4, seed=seed), None, num_workers=workers)
    ]
    assert sorted(shapes) == [2, 4, 4]


def test_epochs_are_shuffled_anew_unless_they_are_in_order():
    pytest.importorskip("torch")
    ids = [[i for *_, i in dataset().make_pytorch_dataset(deterministic=order)] for order in (True, False)]
    assert ids[0] == [f"m{i}" for i in range(10)]
    assert sorted(ids[1]) == ids[0]
    assert len(list(dataset().make_pytorch_dataset(epochs=3))) == 30
    rows = dataset().make_pytorch_dataset()
    walks = {tuple(i for *_, i in rows) for _ in range(5)}
    assert len(walks) > 1
    seeded = dataset().make_pytorch_dataset(seed=1)
    assert [i for *_, i in seeded] == [i for *_, i in pickle.loads(pickle.dumps(seeded))]  # noqa: S301


def test_graphs_come_in_batches():
    data = pytest.importorskip("torch").utils.data
    graphs = ct.data.GraphDataset(ct.ops.mol_graphs(["CCO", "C", "CN"]), [1.0, 2.0, 3.0])
    found = list(data.DataLoader(graphs.make_pytorch_dataset(batch_size=2, deterministic=True), batch_size=None))
    assert [len(X) for X, *_ in found] == [2, 1]
    assert [y.tolist() for _, y, _, _ in found] == [[1.0, 2.0], [3.0]]


def test_tensorflow_gets_batches_of_one_shape():
    pytest.importorskip("tensorflow")
    found = list(dataset().make_tf_dataset(4, deterministic=True))
    assert [tuple(x.shape) for x, _, _ in found] == [(4, 3), (4, 3), (2, 3)]
    assert np.array_equal(np.concatenate([x.numpy() for x, _, _ in found]), X)
    padded = list(dataset().make_tf_dataset(4, 2, pad_batches=True))
    assert [tuple(y.shape) for _, y, _ in padded] == [(4, 1)] * 6
    with pytest.raises(TypeError, match="make_tf_dataset: the dataset must have rows"):
        ct.data.GraphDataset(ct.ops.mol_graphs(["C"])).make_tf_dataset()
