"""Nearest neighbours by Euclidean distance: beside plain NumPy, missing labels, votes, ties, scale, bits, threads."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase.models.load import load

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 7)) * [1, 2, 3, 4, 5, 60, 0.1] + 5
Y = RNG.normal(size=(60, 3))
QUERIES = RNG.normal(size=(11, 7)) * [1, 2, 3, 4, 5, 60, 0.1] + 5


def oracle(x, y, queries, k, uniform, scale):
    """One query and one task after the other, in float64; NaN is a missing label."""
    if scale:
        center, deviation = x.mean(axis=0), x.std(axis=0)
        x, queries = (x - center) / deviation, (queries - center) / deviation
    out = np.empty((len(queries), y.shape[1]))
    for i, query in enumerate(queries):
        for t in range(y.shape[1]):
            there = np.flatnonzero(~np.isnan(y[:, t]))
            distance = np.sqrt(((x[there] - query) ** 2).sum(axis=1))
            order = np.argsort(distance, kind="stable")[:k]
            vote = np.ones(len(order)) if uniform else 1 / distance[order]
            out[i, t] = (vote * y[there[order], t]).sum() / vote.sum()
    return out


@pytest.mark.parametrize("k", [1, 4, 100])
@pytest.mark.parametrize("weights", ["distance", "uniform"])
@pytest.mark.parametrize("scale", [True, False])
def test_predictions_are_those_of_plain_numpy(k, weights, scale):
    y = np.where(RNG.random(Y.shape) < 0.2, np.nan, Y)
    model = ct.models.EuclideanKNNRegressor(3, 7, k=k, weights=weights, scale=scale)
    model.fit(ct.data.NumpyDataset(X, np.nan_to_num(y), ~np.isnan(y)))
    np.testing.assert_allclose(model.predict(QUERIES), oracle(X, y, QUERIES, k, weights == "uniform", scale), rtol=1e-5)


def test_probabilities_are_shares_of_the_votes():
    classes = RNG.integers(0, 3, (60, 2)).astype(float)
    model = ct.models.EuclideanKNNClassifier(2, 7, k=4, weights="uniform", n_classes=3)
    model.fit(ct.data.NumpyDataset(X, classes))
    found = model.predict(QUERIES)
    assert found.shape == (11, 2, 3) and np.allclose(found.sum(axis=2), 1)
    for c in range(3):
        np.testing.assert_allclose(found[:, :, c], oracle(X, (classes == c) * 1.0, QUERIES, 4, True, True), atol=1e-6)


def test_a_training_row_answers_with_its_own_label_and_equal_rows_with_their_mean():
    model = ct.models.EuclideanKNNRegressor(3, 7)
    model.fit(ct.data.NumpyDataset(np.vstack([X, X[:5]]), np.vstack([Y, Y[:5] + 1])))
    found = model.predict(X)
    np.testing.assert_allclose(found[5:], Y[5:], rtol=1e-6)
    np.testing.assert_allclose(found[:5], Y[:5] + 0.5, rtol=1e-6)


def test_of_equally_distant_rows_the_first_counts():
    model = ct.models.EuclideanKNNRegressor(1, 1, k=1, scale=False)
    model.fit(ct.data.NumpyDataset([[1.0], [-1.0], [1.0]], [[10.0], [20.0], [30.0]]))
    assert model.predict([[0.0]]).tolist() == [[10.0]]


def test_a_constant_column_changes_nothing():
    wide = np.column_stack([X, np.full(60, 3.0)])
    one, two = ct.models.EuclideanKNNRegressor(3, 7), ct.models.EuclideanKNNRegressor(3, 8)
    one.fit(ct.data.NumpyDataset(X, Y))
    two.fit(ct.data.NumpyDataset(wide, Y))
    queries = np.column_stack([QUERIES, np.full(11, 3.0)])
    np.testing.assert_allclose(two.predict(queries), one.predict(QUERIES), rtol=1e-6)


def test_packed_bits_are_the_bits():
    bits = RNG.integers(0, 2, (40, 24)).astype(np.uint8)
    packed = np.packbits(bits, axis=1, bitorder="little")
    found = []
    for features in (packed, bits.astype(np.float32)):
        model = ct.models.EuclideanKNNRegressor(3, 24)
        model.fit(ct.data.NumpyDataset(features, Y[:40]))
        found.append(model.predict(features[:9]))
    np.testing.assert_array_equal(*found)


def test_a_row_has_the_same_bits_alone_for_any_threads_and_after_loading(tmp_path):
    model = ct.models.EuclideanKNNRegressor(3, 7)
    model.fit(ct.data.NumpyDataset(X, Y))
    together, before = model.predict(QUERIES), ct.get_num_threads()
    for threads in (1, 2, 3, 7):
        ct.set_num_threads(threads)
        np.testing.assert_array_equal(model.predict(QUERIES), together)
    ct.set_num_threads(before)
    for i in range(11):
        np.testing.assert_array_equal(model.predict(QUERIES[i : i + 1]), together[i : i + 1])
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(load(tmp_path / "m").predict(QUERIES), together)
