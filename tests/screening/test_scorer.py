"""Tests of scores from models' predictions: tasks, classes, ensembles, neighbours, and numbers that are not finite."""

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
    ensemble.featurizer = ct.feat.CircularFingerprint(size=128)
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
        def predict(self, X, *arguments):
            out = super().predict(X, *arguments)
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
    model.featurizer = {"radius": 2, "size": 64}
    with pytest.raises(ValueError, match="of size 64"):
        screen(model, smiles)
    model.featurizer = ct.feat.DNAOneHotFeaturizer()
    with pytest.raises(ValueError, match="trained on the features of DNAOneHotFeaturizer"):
        screen(model, smiles)


def test_no_fingerprint_is_guessed():
    model = ct.models.MultitaskRegressor(1, 128, layer_sizes=[8], seed=0)
    for options in ({}, {"size": 128}):
        with pytest.raises(ValueError, match="names no featurizer, so it is not known which fingerprints"):
            screen(model, ["CCO"], **options)
    assert len(screen(model, ["CCO"], radius=1)) == 1  # the caller's word


SETTINGS = [
    {},
    {"radius": 3},
    {"chiral": True},
    {"bonds": False},
    {"features": True},
    {"is_counts_based": True},
    {"partial": True},
    {"radius": 1, "features": True, "is_counts_based": True, "chiral": True},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_scores_are_those_of_predict_for_every_fingerprint(settings, tmp_path):
    """From the features that the model was trained on, in the units of the measurement, in memory and from a folder."""
    smiles = ["CCO", "C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O", "CCCCCCCC", "c1ccccc1O", "CC(C)(C)(C)C", "C=CC=C", "NCCN"]
    if not settings.get("partial"):
        smiles.remove("CC(C)(C)(C)C")
    ecfp = ct.feat.CircularFingerprint(size=256, **settings)
    plain = ct.data.NumpyDataset(ecfp(smiles), np.arange(len(smiles)) * 100.0 + 5000, featurizer=ecfp)
    normal = ct.trans.NormalizationTransformer(transform_y=True, dataset=plain)
    scaled = normal.transform(plain)
    made = ct.models.MultitaskRegressor(1, 256, layer_sizes=[16], weight_init_stddevs=0.3, seed=0)
    made.fit(scaled, nb_epoch=3)
    made.transformers = [normal]
    made.save(tmp_path / "m")
    expected = normal.untransform(made.predict(ecfp(smiles), raw=True))[:, 0]
    assert abs(expected - 5000).max() < 2000 and np.ptp(expected) > 1
    for model in (made, tmp_path / "m", ct.models.load(tmp_path / "m")):
        hits = screen(model, smiles, 20)
        assert np.array_equal(hits.scores, expected[hits.rows]) and len(hits) == len(smiles)
    assert np.array_equal(made.predict(smiles)[:, 0], expected)


def test_scores_of_a_model_of_transformed_fingerprints(tmp_path):
    smiles = ["CCO", "CCCCCCCC", "c1ccccc1O", "C=CC=C", "NCCN"]
    ecfp = ct.feat.CircularFingerprint(size=64, is_counts_based=True)
    data = ct.data.NumpyDataset(ecfp(smiles), np.arange(5.0), featurizer=ecfp)
    data = data.transform(ct.trans.NormalizationTransformer(transform_X=True, dataset=data))
    made = ct.models.MultitaskRegressor(1, 64, layer_sizes=[16], weight_init_stddevs=0.3, seed=0)
    made.fit(data, nb_epoch=2)
    made.save(tmp_path / "m")
    expected = made.predict(data.X)[:, 0]
    hits = screen(tmp_path / "m", smiles, 5, similar_to=["CCO"])
    assert np.array_equal(hits.scores, expected[hits.rows])
    assert np.array_equal(ct.models.load(tmp_path / "m").predict(smiles)[:, 0], expected)


def test_an_ensemble_scores_in_the_units_of_its_members():
    smiles = ["CCO", "CCCCCCCC", "c1ccccc1O"]
    ecfp = ct.feat.CircularFingerprint(size=64)
    plain = ct.data.NumpyDataset(ecfp(smiles), [5000.0, 5100.0, 5200.0], featurizer=ecfp)
    normal = ct.trans.NormalizationTransformer(transform_y=True, dataset=plain)
    members = [ct.models.MultitaskRegressor(1, 64, layer_sizes=[8], seed=s) for s in range(2)]
    for member in members:
        member.fit(normal.transform(plain), nb_epoch=1)
        member.transformers = [normal]
    ensemble = ct.models.Ensemble(members)
    hits = screen(ensemble, smiles, 3)
    each = np.stack([m.predict(smiles) for m in members])
    assert np.allclose(hits.scores, each.mean(axis=0)[hits.rows, 0]) and hits.scores.min() > 4000
