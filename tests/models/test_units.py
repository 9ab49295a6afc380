"""Tests that predictions of every model have the units of the measurement, with transformations undone exactly once."""

from __future__ import annotations

import json

import numpy as np
import pytest

import catalase as ct
from catalase import models
from catalase.models.tensorgraph import layers

ROWS, MEAN, SPREAD = 60, 5000.0, 100.0


def vectors():
    return np.random.default_rng(0).random((ROWS, 16), np.float32)


def measured(X):
    """Two tasks far from 0, each on its own scale."""
    total = X.reshape(len(X), -1).mean(axis=1, dtype=np.float64)
    return np.stack([total * SPREAD + MEAN, -total * 3 - 40], axis=1)


def dense(seed=0):
    return models.MultitaskRegressor(2, 16, layer_sizes=[8], learning_rate=0.01, seed=seed)


def graph():
    x, y = layers.Feature(shape=(None, 16)), layers.Label(shape=(None, 2))
    guess = layers.Dense(2, in_layers=x)
    model = models.TensorGraph(batch_size=10, seed=0)
    model.set_loss(layers.ReduceMean(layers.L2Loss([guess, y])))
    model.add_output(guess)
    return model


def images():
    return np.random.default_rng(1).integers(0, 256, (ROWS, 6, 6, 1), np.uint8)


CASES = {
    "dense": (dense, vectors),
    "ensemble": (lambda: models.Ensemble([dense(0), dense(1)]), vectors),
    "neighbours": (lambda: models.TanimotoKNNRegressor(2, 16, k=3), lambda: np.round(vectors())),
    "gaussian process": (lambda: models.TanimotoGP(2, 16, 0), vectors),
    "ridge": (lambda: models.RidgeRegression(2, 16), vectors),
    "euclidean neighbours": (lambda: models.EuclideanKNNRegressor(2, 16), vectors),
    "cnn": (lambda: models.CNN(2, 1, 2, [4], mode="regression", kernel_size=3, seed=0), images),
    "graph": (graph, vectors),
}


def dataset(X):
    return ct.data.NumpyDataset(X, measured(X))


@pytest.mark.parametrize("name", CASES)
def test_predictions_are_in_the_units_of_the_measurement(name, tmp_path):
    make, rows = CASES[name]
    X = rows()
    plain = dataset(X)
    normal = ct.trans.NormalizationTransformer(transform_y=True, dataset=plain)
    model = make()
    model.fit(normal.transform(plain), nb_epoch=2)
    assert model.transformers == []  # fit never sets them
    own = model.predict(X)
    assert abs(own).max() < 50 and np.array_equal(own, model.predict(X, raw=True))
    right = normal.untransform(own)
    assert np.array_equal(model.predict(X, [normal]), right)
    model.transformers = [normal, ct.trans.BalancingTransformer(ct.data.NumpyDataset(X, (measured(X) > 0) * 1.0))]
    model.save(tmp_path / "m")
    for one in (model, models.load(tmp_path / "m")):
        assert np.array_equal(one.predict(X), right) and abs(right[:, 0] - MEAN).max() < 5 * MEAN
        assert np.array_equal(one.predict(plain), right) and np.array_equal(one.predict(X, one.transformers), right)
        assert np.array_equal(one.predict_on_batch(X[:5]), right[:5])
        for raw in (
            one.predict(X, raw=True),
            one.predict(X, []),
            one.predict(X, ()),
            one.predict_on_batch(X, raw=True),
        ):
            assert np.array_equal(raw, own)
    with pytest.raises(ValueError, match="raw=True undoes nothing"):
        model.predict(X, [normal], raw=True)
    with pytest.raises(TypeError, match="transformers must be a list"):
        model.predict(X, normal)


@pytest.mark.parametrize("name", CASES)
def test_scores_compare_equal_units(name):
    make, rows = CASES[name]
    X = rows()
    plain = dataset(X)
    normal = ct.trans.NormalizationTransformer(transform_y=True, dataset=plain)
    scaled = normal.transform(plain)
    model = make()
    model.fit(scaled, nb_epoch=2)
    error = ct.metrics.Metric(ct.metrics.mae_score, np.mean)

    def score(data, *arguments):
        return next(iter(model.evaluate(data, error, *arguments).values()))

    right = abs(plain.y - model.predict(X, [normal])).mean()
    own = score(scaled)
    assert score(scaled, [normal]) == pytest.approx(right, rel=1e-4)  # as DeepChem: y transformed
    model.transformers = [normal]
    assert score(plain) == pytest.approx(right, rel=1e-6)
    assert score(scaled, [normal]) == pytest.approx(right, rel=1e-4)
    assert score(scaled, []) == own  # neither is undone


def test_sequences_answer_in_the_units_of_the_measurement(tmp_path):
    texts = ["ACGT", "AC", "GGGTTT", "T"]
    tokenizer = ct.data.DNATokenizer()
    plain = ct.data.SequenceDataset.from_texts(texts, tokenizer, y=[5000.0, 5200.0, 5400.0, 5600.0])
    normal = ct.trans.NormalizationTransformer(transform_y=True, dataset=plain)
    model = models.SequenceRegressor(1, tokenizer, hidden_size=4, embedding_size=4, seed=0)
    model.fit(plain.transform(normal), nb_epoch=1)
    own = model.predict(texts)
    model.transformers = [normal]
    model.save(tmp_path / "m")
    right = normal.untransform(own)
    error = ct.metrics.Metric(ct.metrics.mae_score)
    for one in (model, models.load(tmp_path / "m")):
        for given in (texts, np.array(texts), np.array(texts, object), tuple(texts), plain):
            assert np.array_equal(one.predict(given), right)
        batch = plain.X.padded()
        assert np.allclose(one.predict_on_batch(batch), right) and np.array_equal(one.predict(texts, raw=True), own)
        expected = abs(right[:, 0] - plain.y).mean()
        assert one.evaluate(plain, error)["mae_score"] == pytest.approx(expected, rel=1e-6)
    with pytest.raises(TypeError, match="wrap it in"):
        model.predict("ACGT")


def test_labels_of_steps_answer_in_the_units_of_the_measurement():
    signals = [np.ones((n, 1), np.float32) for n in (2, 4)]
    plain = ct.data.SequenceDataset(signals, y=[[5000.0, 5100.0], [5000.0, 5100.0, 5200.0, 5300.0]], per_step=True)
    normal = ct.trans.NormalizationTransformer(transform_y=True, dataset=plain)
    model = models.SequenceRegressor(1, n_features=1, hidden_size=4, seed=0, per_step=True)
    model.fit(plain.transform(normal), nb_epoch=1)
    own = model.predict(signals)
    model.transformers = [normal]
    for mine, raw in zip(model.predict(signals), own, strict=True):
        assert np.array_equal(mine, normal.untransform(raw)) and mine.min() > 4000
    expected = abs(np.concatenate(model.predict(signals))[:, 0] - plain.y.values).mean()
    error = ct.metrics.Metric(ct.metrics.mae_score)
    assert model.evaluate(plain, error)["mae_score"] == pytest.approx(expected, rel=1e-6)


def test_maps_answer_in_the_units_that_are_asked_for():
    X = images()[:4]
    model = models.UNet(layer_filters=[4, 4], mode="regression", seed=0)
    model.fit(ct.data.NumpyDataset(X, X / 255.0), nb_epoch=1)

    class Hundredfold(ct.trans.Transformer):
        transform_y = True

        def untransform(self, z):
            return np.asarray(z) * 100

    own = model.predict(X)
    model.transformers = [Hundredfold()]
    assert np.array_equal(model.predict(X), own * 100) and np.array_equal(model.predict(X, raw=True), own)
    data = ct.data.NumpyDataset(X, own * 100)
    error = ct.metrics.Metric(ct.metrics.mae_score)
    assert model.evaluate(data, error)["mae_score"] == pytest.approx(0, abs=1e-6)
    assert model.evaluate(ct.data.NumpyDataset(X, own), error, [Hundredfold()])["mae_score"] == pytest.approx(
        0, abs=1e-6
    )


def test_probabilities_have_no_units():
    X = vectors()
    data = ct.data.NumpyDataset(X, (X[:, :1] > 0.5) * 1.0)
    balancing = ct.trans.BalancingTransformer(data)
    model = models.MultitaskClassifier(1, 16, layer_sizes=[8], seed=0)
    model.fit(balancing.transform(data), nb_epoch=1)
    before = model.predict(X)
    model.transformers = [balancing]
    assert np.array_equal(model.predict(X), before)


def test_several_outputs_do_not_say_whose_units_they_have():
    model = graph()
    second = layers.Dense(2, in_layers=next(iter(model.layers.values())))
    model.add_output(second)
    X = vectors()
    assert len(model.predict(X)) == 2
    model.transformers = [ct.trans.NormalizationTransformer(transform_y=True, dataset=dataset(X))]
    with pytest.raises(ValueError, match="raw=True"):
        model.predict(X)
    assert len(model.predict(X, raw=True)) == 2 and model.predict(X, outputs=second).shape == (ROWS, 2)


class TestEnsembles:
    def fitted(self):
        X = vectors()
        plain = dataset(X)
        normal = ct.trans.NormalizationTransformer(transform_y=True, dataset=plain)
        members = [dense(seed) for seed in range(3)]
        for member in members:
            member.fit(normal.transform(plain), nb_epoch=2)
        return X, normal, members

    def test_members_that_have_transformers_answer_in_their_units(self, tmp_path):
        X, normal, members = self.fitted()
        own = np.stack([m.predict(X) for m in members])
        for member in members:
            member.transformers = [normal]
        ensemble = models.Ensemble(members)
        ensemble.save(tmp_path / "e")
        each = np.stack([normal.untransform(one) for one in own])
        for one in (ensemble, models.load(tmp_path / "e")):
            assert np.allclose(one.predict(X), each.mean(axis=0), rtol=1e-6)
            mean, spread = one.predict_spread(X)
            assert np.allclose(mean, each.mean(axis=0)) and np.allclose(spread, each.std(axis=0), rtol=1e-4)
            assert np.allclose(one.predict(X, raw=True), own.mean(axis=0), atol=1e-6)
            assert np.allclose(one.predict_spread(X, raw=True)[1], own.std(axis=0), atol=1e-6)

    def test_the_transformers_of_the_ensemble_take_the_place_of_the_members(self):
        X, normal, members = self.fitted()
        expected = normal.untransform(models.Ensemble(members).predict(X))
        members[0].transformers = [normal]
        ensemble = models.Ensemble(members)
        ensemble.transformers = [normal]
        assert np.array_equal(ensemble.predict(X), expected)
        assert np.allclose(ensemble.predict_spread(X)[0], expected, rtol=1e-6)

    def test_images_and_texts_have_ensembles_too(self):
        X = images()
        members = [models.CNN(1, 1, 2, [4], mode="regression", kernel_size=3, seed=s) for s in range(2)]
        ensemble = models.Ensemble(members)
        ensemble.fit(ct.data.NumpyDataset(X, X.mean(axis=(1, 2, 3))), nb_epoch=1)
        expected = np.mean([m.predict(X) for m in members], axis=0)
        assert np.allclose(ensemble.predict(X), expected) and np.allclose(ensemble.predict(X.astype(float)), expected)

    def test_a_folder_of_an_earlier_version(self, tmp_path):
        X, normal, members = self.fitted()
        ensemble = models.Ensemble(members)
        ensemble.transformers = [normal]
        ensemble.save(tmp_path / "e")
        as_of_old(tmp_path / "e", {"radius": 2, "size": 16})
        assert np.array_equal(models.load(tmp_path / "e").predict(X), ensemble.predict(X))


def as_of_old(folder, featurizer):
    """Make a saved model one of the version that kept a dictionary, and nothing else."""
    from catalase._internal import storage

    config, arrays = storage.load_folder(folder)
    config = {name: config[name] for name in ("kind", "model", "transformers")} | {"featurizer": featurizer}
    storage.save_folder(folder, config, arrays)
    assert "tasks" not in json.loads((folder / "config.json").read_text())


def test_a_folder_of_an_earlier_version_answers_in_the_units_of_the_measurement(tmp_path):
    smiles = ["CCO", "CCN", "CCCC", "c1ccccc1"]
    X = ct.ops.ecfp(smiles, size=64, radius=1)
    plain = ct.data.NumpyDataset(X, [5000.0, 5100.0, 5200.0, 5300.0])
    normal = ct.trans.NormalizationTransformer(transform_y=True, dataset=plain)
    model = models.MultitaskRegressor(1, 64, layer_sizes=[8], seed=0)
    model.fit(normal.transform(plain), nb_epoch=1)
    model.transformers = [normal]
    model.save(tmp_path / "m")
    fingerprint = {"radius": 1, "size": 64}
    whole = {"fingerprint": fingerprint, "smiles": "mol", "tasks": ["logS"], "classification": False}
    for old in (fingerprint, whole):
        as_of_old(tmp_path / "m", old)
        again = models.load(tmp_path / "m")
        assert np.array_equal(again.predict(smiles), model.predict(X)) and again.predict(smiles).min() > 4000
        assert again.featurizer == ct.feat.CircularFingerprint(radius=1, size=64)
    assert again.tasks == ["logS"] and again.smiles_column == "mol"
    as_of_old(tmp_path / "m", {"something": "else"})
    with pytest.warns(UserWarning, match="names no fingerprint"):
        again = models.load(tmp_path / "m")
    assert again.featurizer is None and np.array_equal(again.predict(X), model.predict(X))
