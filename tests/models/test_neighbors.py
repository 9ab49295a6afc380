"""Tests of Tanimoto nearest neighbours against the definition, with missing labels, saved folders, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase import models
from catalase._internal import storage
from tests.reference import tanimoto as reference


@pytest.fixture
def data(rng):
    X = reference.library(rng, 150, 16, bits=14)
    X[5] = 0
    y = rng.standard_normal((150, 3))
    y[rng.random(y.shape) < 0.3] = np.nan
    w = rng.uniform(0.5, 2, y.shape) * ~np.isnan(y)
    return ct.data.NumpyDataset(X, y, w)


def expected_means(data, queries, k, by_similarity):
    """Each task by itself: sort what was measured, weigh the first k, take the mean."""
    out = np.empty((len(queries), data.y.shape[1]))
    for i, row in enumerate(reference.tanimoto(queries, data.X).astype(np.float64)):
        for task in range(out.shape[1]):
            known = np.flatnonzero(data.w[:, task])
            near = known[np.lexsort((known, -row[known]))][:k]
            vote = row[near] if by_similarity and row[near].any() else np.ones(len(near))
            out[i, task] = np.average(data.y[near, task], weights=vote * data.w[near, task])
    return out


@pytest.mark.parametrize("k", [1, 4, 1000])
@pytest.mark.parametrize("weights", ["similarity", "uniform"])
def test_regression_is_the_definition(threads, data, rng, k, weights):
    model = models.TanimotoKNNRegressor(3, 128, k=k, weights=weights)
    model.fit(data)
    queries = np.concatenate([data.X[:20], reference.library(rng, 20, 16, bits=14), np.zeros((1, 16), np.uint8)])
    found = model.predict(queries)
    assert found.shape == (41, 3) and found.dtype == np.float32
    assert np.allclose(found, expected_means(data, queries, k, weights == "similarity"), rtol=1e-5, atol=1e-5)
    assert np.array_equal(model.predict(queries[7:8]), found[7:8])
    dense = np.unpackbits(queries, axis=1, bitorder="little").astype(np.float32)
    assert np.array_equal(model.predict(dense), found)


def test_classification_and_one_hot_labels(data):
    y = np.where(np.isnan(data.y), np.nan, np.where(data.y > 0.5, 2, data.y > 0))
    model = models.TanimotoKNNClassifier(3, 128, k=5, n_classes=3)
    model.fit(ct.data.NumpyDataset(data.X, y, data.w), nb_epoch=10)
    found = model.predict(data.X)
    assert found.shape == (150, 3, 3) and np.allclose(found.sum(axis=2), 1, atol=1e-6)
    for c in range(3):
        one = ct.data.NumpyDataset(data.X, np.where(np.isnan(y), np.nan, y == c), data.w)
        assert np.allclose(found[:, :, c], expected_means(one, data.X, 5, True), atol=1e-6)
    whole = np.nan_to_num(y[:, 0]).astype(int)
    one_task, one_hot = (models.TanimotoKNNClassifier(1, 128, n_classes=3) for _ in range(2))
    one_task.fit(ct.data.NumpyDataset(data.X, whole[:, None]))
    one_hot.fit(ct.data.NumpyDataset(data.X, np.eye(3)[whole]))
    assert np.array_equal(one_task.predict(data.X), one_hot.predict(data.X))


def test_scores_like_any_model(data):
    y = (np.nan_to_num(data.y[:, :1]) > 0).astype(float)
    model = models.TanimotoKNNClassifier(1, 128, k=1)
    model.fit(ct.data.NumpyDataset(data.X, y), nb_epoch=3, progress=False)
    score = model.evaluate(ct.data.NumpyDataset(data.X, y), ct.metrics.Metric(ct.metrics.accuracy_score))
    assert score["accuracy_score"] > 0.95 and len(model.history) == 0


@pytest.mark.parametrize("make", [models.TanimotoKNNRegressor, models.TanimotoKNNClassifier])
def test_saves_and_loads(tmp_path, data, make):
    dataset = data if make is models.TanimotoKNNRegressor else ct.data.NumpyDataset(data.X, data.y > 0, data.w)
    model = make(3, 128, k=3, weights="uniform")
    model.save(tmp_path / "empty")
    with pytest.raises(ValueError, match="call fit first"):
        models.load(tmp_path / "empty").predict(data.X)
    model.fit(dataset)
    model.save(tmp_path / "model")
    again = models.load(tmp_path / "model")
    assert type(again) is make and again.to_config() == model.to_config()
    assert np.array_equal(again.predict(data.X), model.predict(data.X))


def test_altered_state_is_refused(tmp_path, data):
    model = models.TanimotoKNNRegressor(3, 128)
    model.fit(data)
    state = model.state_dict()
    config = {"kind": "catalase model", "model": model.to_config(), "transformers": [], "featurizer": None}
    for change, words in [
        ({"weights": state["weights"][:-1]}, r"fingerprints must be uint8 \(149, 16\), got uint8 \(150, 16\)"),
        ({"weights": -state["weights"]}, "weights 0 or more"),
        ({"targets": state["targets"] * np.nan}, "must be finite"),
        ({"more": state["weights"]}, "needed fingerprints, targets, weights"),
    ]:
        storage.save_folder(tmp_path, config, {**state, **change})
        with pytest.raises(ValueError, match=words):
            models.load(tmp_path)


def test_bad_input(data):
    for options, words in [
        ({"k": 0}, "k must be"),
        ({"weights": "rank"}, "weights must be"),
        ({"n_classes": 1}, "n_classes"),
    ]:
        with pytest.raises(ValueError, match=f"TanimotoKNNClassifier: {words}"):
            models.TanimotoKNNClassifier(1, 8, **options)
    model = models.TanimotoKNNRegressor(3, 128)
    with pytest.raises(ValueError, match=r"X must hold 0 and 1, got 2\.0 at row 0, column 3"):
        model.fit(ct.data.NumpyDataset(np.eye(3, 128, 3) * 2, np.ones((3, 3))))
    with pytest.raises(ValueError, match=r"X must have shape \(rows, 128\)"):
        model.predict(np.zeros((2, 100)))
    with pytest.raises(ValueError, match="task 1 has no labels"):
        model.fit(ct.data.NumpyDataset(data.X, data.y, data.w * [1, 0, 1]))
    with pytest.raises(ValueError, match="y must have shape"):
        model.fit(ct.data.NumpyDataset(data.X, data.y[:, :2]))
    with pytest.raises(ValueError, match=r"Ensemble: members must be nets .* TanimotoKNNRegressor has none"):
        models.Ensemble([model])
