"""Batches of rows in memory: the rows that a dataset would give, in the form that costs least."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import catalase as ct
from catalase.data.batch import Batch, Batches, batches_in_memory, batches_of, compressed

F32 = np.float32


def mostly_zeros(rng, values=None):
    set_ = rng.random((100, 64)) < 0.05
    return set_ * (F32(1) if values is None else values).astype(F32)


@pytest.mark.parametrize("deterministic", [False, True])
def test_rows_in_memory_come_as_the_dataset_would_give_them(rng, deterministic):
    X, y = mostly_zeros(rng, rng.standard_normal((100, 64))), rng.random((100, 2)).astype(F32)
    data = ct.data.NumpyDataset(X, y, rng.random(100).astype(F32))
    expected = list(batches_of(data, Batch).iterbatches(30, deterministic=deterministic, seed=1))
    for form in (X, compressed(X, "cpu")):
        walk = batches_in_memory(form, data.y, data.w, Batch)
        assert len(walk) == 100
        found = list(walk.iterbatches(30, deterministic=deterministic, seed=1))
        assert [len(batch) for batch, *_ in found] == [30, 30, 30, 10]
        for (a, *others), (b, *given) in zip(expected, found, strict=True):
            assert np.array_equal(a.X, b.X if form is X else b.X.to_dense())
            assert all(np.array_equal(*pair) for pair in zip(others, given, strict=True))


def test_rows_are_compressed_where_that_pays(rng):
    ones, values = mostly_zeros(rng), mostly_zeros(rng, rng.standard_normal((100, 64)))
    dense = rng.standard_normal((100, 64)).astype(F32)
    assert compressed(dense, "cpu") is dense and compressed(dense, "cuda") is dense
    for X in (ones, values):
        assert isinstance(compressed(X, "cpu"), ct.ops.SparseBatch)
        assert np.array_equal(compressed(X, "cpu").to_dense(), X)
    assert np.array_equal(np.unpackbits(compressed(ones, "cuda"), axis=1, bitorder="little"), ones)
    assert isinstance(compressed(values, "cuda"), ct.ops.SparseBatch), "other values than zeros and ones"
    assert isinstance(compressed(ones[:, :63].copy(), "cuda"), ct.ops.SparseBatch), "no whole number of bytes"


def test_a_dataset_of_your_own_may_yield_batches(rng):
    X, y = rng.standard_normal((20, 3)).astype(F32), rng.standard_normal((20, 1)).astype(F32)
    data = ct.data.NumpyDataset(X, y)
    losses = []
    for rows in (data, Batches(data, batches_of(data, Batch).iterbatches)):
        net = ct.nn.Sequential(ct.nn.Linear(3, 1, rng=0))
        fit = {"optimizer": ct.optim.Adam(net), "nb_epoch": 2, "batch_size": 7, "seed": 0, "valid": rows}
        history = ct.train.fit(net, rows, ct.nn.losses.L2Loss(), **fit)
        losses.append((history["loss"], history["valid_loss"]))
    assert losses[0] == losses[1]


def test_batches_on_the_host_are_not_captured_and_can_be_copied(rng):
    for batch in (Batch(rng.random((3, 2))), Batch(compressed(mostly_zeros(rng), "cpu"))):
        assert batch.to("cpu") is batch and batch.static is None
        assert len(copy.deepcopy(batch)) == len(batch)
    values, lengths = np.array([[5, 6, 7], [8, 9, 4]]), np.array([3, 3])
    batch = ct.data.SequenceBatch(values, lengths)
    assert batch.X is batch and isinstance(batch, Batch)
    assert batch.static is None, "a net of your own looks for unknown tokens on the host"
    batch.checked = True
    other = copy.deepcopy(batch).with_arrays([values + 1])
    assert other.static == batch.static is not None and np.array_equal(other.values, values + 1)
    batch.per_step = True
    assert (len(other), len(batch)) == (2, 6)
    batch.lengths = np.array([3, 2])
    assert batch.static is None, "sequences of two lengths"
