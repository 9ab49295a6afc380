"""Tests of residual blocks, layer normalization and the variance output of the dense nets, against NumPy's arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase import models, nn
from catalase._internal import storage
from tests.agreement import same_with_threads
from tests.reference.gradients import directional
from tests.reference.norm import layer_norm

ACTIVATIONS = {"relu": lambda x: np.maximum(x, 0), "tanh": np.tanh, "identity": lambda x: x}
KINDS = [{"residual": True}, {"layer_norm": True}, {"residual": True, "layer_norm": True}]
SMALL = {"layer_sizes": [12, 12, 7, 7], "activation_fns": ["relu", "tanh", "identity", "relu"], "seed": 3}


def expected(model, x):
    """The output of the net without dropout, layer by layer."""
    arrays = [a.astype(np.float64) for a in model.state_dict().values()]
    take = iter(arrays)
    acts = [ACTIVATIONS[name] for name in model.activation_fns]
    norm = lambda h: layer_norm(h, next(take), next(take), 1e-5) if model.layer_norm else h  # noqa: E731
    x, before = x.astype(np.float64), None
    for i, act in enumerate(acts):
        if not model.residual:
            x = act(norm(x @ next(take) + next(take)))
            continue
        y = x if i == 0 else acts[i - 1](norm(x))
        y = y @ next(take) + next(take)
        x, before = (x + y if y.shape[1] == before else y), y.shape[1]
    if model.residual:
        x = acts[-1](norm(x))
    return x @ next(take) + next(take)


@pytest.mark.parametrize("options", KINDS)
@pytest.mark.parametrize("dropouts", [0.0, 0.4])
def test_predictions_are_those_of_the_definition(rng, options, dropouts):
    X = rng.standard_normal((21, 12)).astype(np.float32)  # as wide as the first layer, which has no block
    model = models.MultitaskRegressor(2, 12, **SMALL, dropouts=dropouts, weight_init_stddevs=0.3, **options)
    for name, array in model.module.named_parameters():
        if name.endswith(("gamma", "beta")):
            array.data[...] += 0.3 * rng.standard_normal(array.shape)
    assert np.allclose(model.predict(X), expected(model, X), atol=1e-5)
    classifier = models.MultitaskClassifier(2, 12, **SMALL, dropouts=dropouts, n_classes=3, **options)
    logits = expected(classifier, X).reshape(21, 2, 3)
    odds = np.exp(logits - logits.max(axis=2, keepdims=True))
    assert np.allclose(classifier.predict(X), odds / odds.sum(axis=2, keepdims=True), atol=1e-5)
    assert np.array_equal(model.predict(X[4:5]), model.predict(X)[4:5])


@pytest.mark.parametrize("options", KINDS)
def test_they_learn_the_same_bits_with_any_threads_and_survive_a_folder(rng, options, tmp_path):
    X = (rng.random((90, 64)) < 0.2).astype(np.float32)
    packed = np.packbits(X.astype(bool), axis=1, bitorder="little")
    y = X[:, :1] - X[:, 1:2] + X[:, 2:3]

    def trained(X=X):
        model = models.MultitaskRegressor(
            1, 64, layer_sizes=[32, 32, 32], dropouts=0.1, seed=1, batch_size=16, weight_decay_penalty=1e-5, **options
        )
        history = model.fit(ct.data.NumpyDataset(X, y), nb_epoch=30)
        return model, history

    model, history = trained()
    assert history["loss"][-1] < 0.25 * history["loss"][0]
    same_with_threads(lambda: [*trained()[0].state_dict().values()], (1, 2, 3))
    assert np.array_equal(trained(packed)[0].predict(packed), model.predict(X))
    model.save(tmp_path / "m")
    again = models.load(tmp_path / "m")
    assert np.array_equal(again.predict(X), model.predict(X))
    assert (again.residual, again.layer_norm) == (model.residual, model.layer_norm)
    decays = [array.decay for name, array in model.module.named_parameters() if name.endswith("w")]
    assert decays == [True, True, True, False]


def test_folders_without_the_options_are_nets_without_them(tmp_path, rng):
    for kind in (models.MultitaskClassifier, models.MultitaskRegressor):
        model = kind(2, 6, layer_sizes=[5, 5], seed=0)
        assert list(model.state_dict()) == [f"layers.{i}.{name}" for i in (0, 2, 4) for name in "wb"]
        model.save(tmp_path / "m")
        config, _ = storage.load_folder(tmp_path / "m")
        assert not {"residual", "layer_norm", "uncertainty"} & set(config["model"])  # as earlier versions wrote it
        X = rng.standard_normal((4, 6)).astype(np.float32)
        assert np.array_equal(models.load(tmp_path / "m").predict(X), model.predict(X))


def test_the_gaussian_loss_is_its_formula_with_weights_and_missing_labels(rng):
    output, y = rng.standard_normal((7, 2, 3)), rng.standard_normal((7, 3))
    w = rng.uniform(0.5, 2, y.shape)
    y[2, 1], w[2, 1] = np.nan, 0
    t = ct.Tensor(output, requires_grad=True)
    loss = nn.losses.GaussianNLL()
    value = loss(t, y, w)
    value.backward()
    known = np.where(w > 0, y, 0)
    each = lambda o: w * ((known - o[:, 0]) ** 2 / np.exp(o[:, 1]) + o[:, 1])  # noqa: E731
    assert np.isclose(value.item(), each(output).mean())
    slope, claimed = directional(lambda o: each(o).mean(), [output], [t.grad], rng)
    assert np.isclose(slope, claimed, rtol=1e-6) and not t.grad[2, :, 1].any()
    w = None
    assert np.isclose(loss(t, known).item(), ((known - output[:, 0]) ** 2 / np.exp(output[:, 1]) + output[:, 1]).mean())
    assert np.array_equal(loss.prediction(output), output[:, 0])
    with pytest.raises(ValueError, match=r"output must be \(..., 2, T\), means and log variances, got shape \(7, 3\)"):
        loss(ct.Tensor(output[:, 0]), known)


def noisy(rng, rows=1500):
    """Labels whose noise grows with the first feature, and the deviation of each."""
    X = rng.uniform(-1, 1, (rows, 4)).astype(np.float32)
    std = np.where(X[:, :1] > 0, 1.0, 0.1)
    return ct.data.NumpyDataset(X, X[:, 1:2] + std * rng.standard_normal((rows, 1))), std


def uncertain(**options):
    settings = {"layer_sizes": [32], "dropouts": 0.1, "seed": 0, "learning_rate": 0.01, "batch_size": 50, **options}
    return models.MultitaskRegressor(1, 4, uncertainty=True, **settings)


@pytest.mark.parametrize("options", [{}, {"layer_norm": True, "residual": True, "layer_sizes": [16, 16]}])
def test_the_deviation_is_that_of_the_labels(rng, options, tmp_path):
    data, true = noisy(rng)
    model = uncertain(**options)
    model.fit(data, nb_epoch=40)
    mean, std = model.predict_uncertainty(data)
    assert mean.shape == std.shape == (1500, 1) and mean.dtype == std.dtype == np.float32
    inside = abs(data.y - mean) < 1.645 * std
    for half in (true == 1, true == 0.1):
        assert 0.8 < inside[half].mean() < 0.99
    assert std[true == 1].mean() > 3 * std[true == 0.1].mean()
    assert np.abs(mean - model.predict(data)).mean() < 0.1
    model.save(tmp_path / "m")
    again = models.load(tmp_path / "m")
    assert again.uncertainty and all(map(np.array_equal, again.predict_uncertainty(data), (mean, std)))
    assert model.evaluate(data, ct.metrics.Metric(ct.metrics.r2_score))["r2_score"] > 0.2


def test_masks_thin_the_net_for_all_rows_alike(rng):
    data, _ = noisy(rng, 60)
    model = uncertain(dropouts=0.3)
    model.fit(data, nb_epoch=2)
    w1, b1, w2, b2 = (a.astype(np.float64) for a in model.state_dict().values())
    means, variances = [], []
    for mask in range(7):
        kept = ct.ops.dropout(np.ones(32, np.float32), 0.3, seed=0, layer=0, step=mask)
        out = (np.maximum(data.X @ w1 + b1, 0) * kept) @ w2 + b2
        means.append(out[:, :1]), variances.append(np.exp(out[:, 1:]))
    mean, std = model.predict_uncertainty(data, masks=7)
    assert np.allclose(mean, np.mean(means, axis=0), atol=1e-5)
    assert np.allclose(std, np.sqrt(np.var(means, axis=0) + np.mean(variances, axis=0)), atol=1e-5)
    part = model.predict_uncertainty(data.X[50:53], 7)
    assert np.array_equal(part[0], mean[50:53]) and np.array_equal(part[1], std[50:53])
    same_with_threads(lambda: model.predict_uncertainty(data, 7), (1, 2, 3))


def test_asking_changes_nothing_in_a_training(rng):
    data, _ = noisy(rng, 100)
    states = []
    for ask in (False, True):
        model = uncertain()
        model.fit(data, nb_epoch=2)
        if ask:
            model.predict_uncertainty(data, 3)
        model.fit(data, nb_epoch=2)
        states.append(model.state_dict())
    assert all(np.array_equal(a, b) for a, b in zip(*(s.values() for s in states), strict=True))


def test_means_and_deviations_come_in_the_units_of_the_measurement(rng):
    data, _ = noisy(rng, 200)
    data = ct.data.NumpyDataset(data.X, 500 + 40 * data.y)
    normal = ct.trans.NormalizationTransformer(transform_y=True, dataset=data)
    model = uncertain()
    model.transformers = [normal]
    model.fit(normal.transform(data), nb_epoch=5)
    mean, std = model.predict_uncertainty(data)
    raw_mean, raw_std = model.predict_uncertainty(data, raw=True)
    assert np.allclose(mean, normal.untransform(raw_mean), rtol=1e-5)
    assert np.allclose(std, normal.untransform_spread(raw_std), rtol=1e-5)
    assert all(map(np.array_equal, model.predict_uncertainty(data, 50, []), (raw_mean, raw_std)))


def test_smiles_are_taken_and_what_does_not_fit_is_refused(rng):
    smiles = ["CCO", "CCN", "c1ccccc1", "CC(=O)O"]
    featurizer = ct.feat.CircularFingerprint(size=64)
    model = models.MultitaskRegressor(2, 64, layer_sizes=[8], seed=0, uncertainty=True)
    model.featurizer = featurizer
    found = model.predict_uncertainty(smiles, masks=3)
    assert all(map(np.array_equal, found, model.predict_uncertainty(featurizer(smiles), 3)))
    with pytest.raises(ValueError, match="row 1, 'no': "):
        model.predict_uncertainty(["CCO", "no"])
    with pytest.raises(
        ValueError, match="MultitaskRegressor: uncertainty=True needs dropouts above 0 after every hidden layer"
    ):
        models.MultitaskRegressor(1, 4, layer_sizes=[4, 4], dropouts=[0.5, 0.0], uncertainty=True)
    with pytest.raises(ValueError, match=r"predict_uncertainty: the model has no variance output"):
        models.MultitaskRegressor(1, 4, layer_sizes=[4]).predict_uncertainty(np.ones((2, 4)))
    with pytest.raises(ValueError, match="masks must be"):
        model.predict_uncertainty(smiles, masks=0)

    class Logarithm:
        transform_y = True

        def untransform(self, z):
            return np.exp(z)

    model.transformers = [Logarithm()]
    with pytest.raises(TypeError, match=r"untransform_spread\), which .* does not; give raw=True"):
        model.predict_uncertainty(smiles)
