"""What a model gives is scored: tasks, classes, ensembles, neighbours, numbers that are not finite."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase.screening import screen

from .helpers import library, pairs


def test_classifiers_tasks_and_ensembles():
    smiles = [s for s in library(40) if s and s != "C1CC"]
    X = ct.ops.ecfp(smiles, size=128)
    members = [ct.models.MultitaskClassifier(2, 128, layer_sizes=[8], n_classes=3, seed=s) for s in range(2)]
    ensemble = ct.models.Ensemble(members)
    expected = ensemble.predict(X)[:, 1, 2]
    hits = screen(ensemble, smiles, 5, task=1, class_index=2)
    assert hits.rows.tolist() == np.lexsort((np.arange(len(smiles)), -expected))[:5].tolist()
    assert np.array_equal(hits.scores, expected[hits.rows])
    ensemble.featurizer = {"fingerprint": {"size": 128}, "tasks": ["a", "b"]}
    assert pairs(screen(ensemble, smiles, 5, task="b", class_index=2)) == pairs(hits)
    assert pairs(screen(ensemble, smiles, 5, task="1", class_index=2)) == pairs(hits)
    for options, words in [
        ({}, "tasks a, b; choose"),
        ({"task": "c"}, "no task 'c'; it has tasks a, b"),
        ({"task": 2}, "no task 2"),
        ({"task": 0, "class_index": 3}, "classes 0 to 2"),
        ({"task": 0, "size": 256}, "trained with size 128, got 256"),
    ]:
        with pytest.raises(ValueError, match=words):
            screen(ensemble, smiles, **options)


def test_counts_and_numbers_that_are_not_finite():
    class Broken(ct.models.MultitaskRegressor):
        def predict(self, X, transformers=()):
            out = super().predict(X, transformers)
            out[1:2] = np.nan
            return out

    model = Broken(1, 64, layer_sizes=[4], seed=0)
    model.featurizer = {"fingerprint": ct.feat.CircularFingerprint(size=64, is_counts_based=True).to_config()}
    smiles = ["CCO", "CCN", "CCCC"]
    hits = screen(model, smiles, 5)
    assert sorted(hits.rows.tolist()) == [0, 2] and "finite" in hits.report.failures[0].reason
    X = ct.ops.ecfp(smiles, size=64, output="counts").astype(np.float32)
    assert np.array_equal(hits.scores, super(Broken, model).predict(X)[hits.rows, 0])


def test_nearest_neighbours_and_models_without_metadata():
    smiles = [s for s in library(40) if s and s != "C1CC"]
    X = ct.ops.ecfp(smiles, size=128, radius=3)
    model = ct.models.TanimotoKNNRegressor(1, 128, k=3)
    model.fit(ct.data.NumpyDataset(X, np.arange(len(smiles))[:, None]))
    hits = screen(model, smiles, 5, radius=3, size=128)
    expected = model.predict(X)[:, 0]
    assert np.array_equal(hits.scores, np.sort(expected)[::-1][:5])
    with pytest.raises(ValueError, match="needs fingerprints of size 128, got 64"):
        screen(model, smiles, size=64)
    for featurizer, words in [({"fingerprint": {"bits": 3}}, "names"), ({"radius": 2, "size": 64}, "of size 64")]:
        model.featurizer = featurizer
        with pytest.raises(ValueError, match=words):
            screen(model, smiles)
