"""Tests of saliency, integrated gradients, occlusion, mutagenesis and optimized inputs."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase.explain.substitutions import _Patches
from catalase.explain.target import Target

MOTIF = "TGACTCA"


@ct.models.register
class SmoothNet(ct.nn.Module):
    """Two dense layers with tanh, whose gradient central differences can check."""

    def __init__(self):
        super().__init__()
        self.layers = ct.nn.Sequential(ct.nn.Linear(5, 7, "tanh", rng=0), ct.nn.Linear(7, 2, rng=1))

    def forward(self, x):
        return self.layers(x)


def dna(count, seed, planted):
    rng = np.random.default_rng(seed)
    letters = rng.choice(list("ACGT"), (count, 41))
    starts = rng.integers(0, 41 - len(MOTIF), count)
    for row, start in zip(letters, starts, strict=True):
        if planted:
            row[start : start + len(MOTIF)] = list(MOTIF)
    return ct.ops.one_hot_dna(["".join(row) for row in letters]), starts


@pytest.fixture(scope="module")
def binding():
    """A net that finds a motif, and held-out sequences that have it, with its starts."""
    (with_it, _), (without, _) = dna(600, 0, True), dna(600, 1, False)
    model = ct.models.CNN(
        1, 4, 1, layer_filters=[16], kernel_size=9, dropouts=0.1, seed=0, learning_rate=5e-3, weight_init_stddevs=0.1,
        bias_init_consts=0.0,
    )  # fmt: skip
    data = ct.data.NumpyDataset(np.concatenate([with_it, without]), np.repeat([1.0, 0.0], 600))
    model.fit(data, nb_epoch=20)
    return model, *dna(60, 2, True)


def share_found(importance, starts):
    """The share of rows in which the mean importance is highest at the motif among all stretches of its length."""
    means = np.array([np.convolve(row, np.ones(len(MOTIF)) / len(MOTIF), "valid") for row in importance])
    return float(np.mean(np.abs(means.argmax(axis=1) - starts) <= 1))


def test_mutagenesis_and_occlusion_find_a_motif_and_gradients_mostly_do(binding):
    model, X, starts = binding
    found = ct.explain.mutagenesis(model, X)
    assert found.shape == X.shape and not found[X == 1].any()
    assert share_found(-found.sum(axis=2), starts) >= 0.95
    assert share_found(ct.explain.occlusion(model, X, window=1), starts) >= 0.95
    assert share_found((ct.explain.saliency(model, X) * X).sum(axis=2), starts) >= 0.8
    assert share_found(ct.explain.integrated_gradients(model, X[:20]).sum(axis=2), starts[:20]) >= 0.8


def test_mutagenesis_equals_predictions_one_by_one(binding):
    model, X, _ = binding
    found = ct.explain.mutagenesis(model, X[:1])
    p = model.predict(X[:1])[0, 0].astype(float)
    for place, letter in ((0, 1), (40, 3), (20, 0)):
        changed = X[:1].copy()
        changed[0, place] = np.eye(4)[letter]
        q = model.predict(changed)[0, 0].astype(float)
        assert abs(found[0, place, letter] - np.log(q[1] / q[0] * p[0] / p[1])) < 1e-3


def test_saliency_is_the_gradient_in_the_units_of_the_measurement(rng):
    X = rng.standard_normal((6, 5)).astype(np.float32)
    data = ct.data.NumpyDataset(X, rng.standard_normal((6, 2)) * 5 + 3)
    model = ct.models.NetModel(SmoothNet(), "L2Loss", seed=0)
    model.transformers = [ct.trans.NormalizationTransformer(transform_y=True, dataset=data)]
    step = 1e-2
    for task in (0, 1):
        found = ct.explain.saliency(model, X, task)
        for column in range(5):
            e = step * np.eye(5, dtype=np.float32)[column]
            difference = (model.predict(X + e) - model.predict(X - e))[:, task] / (2 * step)
            np.testing.assert_allclose(found[:, column], difference, rtol=5e-3, atol=5e-3)


def test_saliency_of_a_net_with_a_variance_is_the_gradient_of_its_mean(rng):
    X = rng.standard_normal((6, 5)).astype(np.float32)
    for tasks in (1, 2):
        options = {"layer_sizes": [8], "activation_fns": "tanh", "dropouts": 0.1, "weight_init_stddevs": 0.5, "seed": 0}
        model = ct.models.MultitaskRegressor(tasks, 5, uncertainty=True, **options)
        for task in range(tasks):
            found = ct.explain.saliency(model, X, task)
            for column in range(5):
                e = 1e-2 * np.eye(5, dtype=np.float32)[column]
                difference = (model.predict(X + e) - model.predict(X - e))[:, task] / 2e-2
                np.testing.assert_allclose(found[:, column], difference, rtol=5e-3, atol=5e-3)


def test_integrated_gradients_sum_to_the_difference_within_the_tolerance(binding):
    model, X, _ = binding
    found = ct.explain.integrated_gradients(model, X[:5], 0.25, tolerance=1e-4)
    p, q = (model.predict(x)[:, 0].astype(float) for x in (X[:5], np.full_like(X[:5], 0.25)))
    goal = np.log(p[:, 1] / p[:, 0]) - np.log(q[:, 1] / q[:, 0])
    assert np.all(np.abs(found.sum(axis=(1, 2)) - goal) <= 2e-4 * (1 + np.abs(goal)))


def test_occlusion_finds_a_blob_in_an_image(rng):
    def images(count):
        X = 0.1 * rng.random((count, 12, 12, 1), np.float32)
        y, at = np.arange(count) % 2, rng.integers(0, 9, (count, 2))
        for image, label, (i, j) in zip(X, y, at, strict=True):
            image[i : i + 3, j : j + 3] += label
        return X, y, at

    X, y, _ = images(300)
    model = ct.models.CNN(1, 1, 2, layer_filters=[8], kernel_size=3, dropouts=0.0, seed=0, weight_init_stddevs=0.2,
                          bias_init_consts=0.0, learning_rate=1e-2)  # fmt: skip
    model.fit(ct.data.NumpyDataset(X, y * 1.0), nb_epoch=20)
    X, y, at = images(60)
    maps = ct.explain.occlusion(model, X[y == 1], window=3)
    hits = 0
    for found, (i, j) in zip(maps, at[y == 1], strict=True):
        blob = np.zeros((12, 12), bool)
        blob[i : i + 3, j : j + 3] = True
        hits += found[blob].mean() > found[~blob].mean() and blob.flat[found.argmax()]
    assert hits / 30 >= 0.95


def test_the_gradient_of_pixels_is_by_the_pixel_as_it_is_given(rng):
    X = rng.integers(0, 256, (20, 6, 6, 1)).astype(np.uint8)
    model = ct.models.CNN(1, 1, 2, layer_filters=[4], kernel_size=3, mode="regression", dropouts=0.0, seed=0)
    model.fit(ct.data.NumpyDataset(X, rng.random(20)), nb_epoch=1)
    as_floats = ct.explain.saliency(model, X.astype(np.float32))
    np.testing.assert_allclose(ct.explain.saliency(model, X), as_floats, rtol=1e-5)


@pytest.mark.parametrize("method", ["mutations", "gradient"])
def test_an_optimized_input_is_never_worse_and_is_equal_from_run_to_run(binding, method):
    model, *_ = binding
    start = dna(1, 9, False)[0]
    found = ct.explain.optimize_input(model, start, 60, method, seed=3)
    again = ct.explain.optimize_input(model, start, 60, method, seed=3)
    assert np.array_equal(found.X, again.X) and found.score == again.score
    assert (np.diff(found.history) >= 0).all() and found.score > found.history[0] + 1
    assert len(found.history) == 61 and np.array_equal(start, dna(1, 9, False)[0])
    least = ct.explain.optimize_input(model, start, 20, method, maximize=False)
    assert least.score <= least.history[0]


def test_explaining_changes_nothing_about_the_model(binding):
    model, X, _ = binding
    before = {name: array.copy() for name, array in model.state_dict().items()}
    p = model.predict(X)
    ct.explain.saliency(model, X)
    assert np.array_equal(p, model.predict(X))
    assert all(np.array_equal(before[name], array) for name, array in model.state_dict().items())


def test_bad_input_is_one_sentence(binding):
    model, X, _ = binding
    ridge = ct.models.RidgeRegression(1, 4)
    tokens = ct.models.SequenceClassifier(1, ct.data.DNATokenizer(), hidden_size=4, embedding_size=2, seed=0)
    for wrong, match in ((ridge, "model must have gradients, but RidgeRegression is no net"),
                         (tokens, "model must read arrays of numbers for gradients")):  # fmt: skip
        with pytest.raises(TypeError, match=f"saliency: {match}"):
            ct.explain.saliency(wrong, np.ones((2, 4), np.float32))
    with pytest.raises(TypeError, match=r"saliency: model must be a model of catalase\.models"):
        ct.explain.saliency(None, X)
    with pytest.raises(ValueError, match="task must be below 1, the number of tasks, got 2"):
        ct.explain.saliency(model, X, 2)
    with pytest.raises(ValueError, match="label must be below 2, the number of classes"):
        ct.explain.saliency(model, X, label=2)
    with pytest.raises(ValueError, match="X must have one row or more"):
        ct.explain.saliency(model, X[:0])
    with pytest.raises(ValueError, match="mutagenesis: X must be one-hot, but position 0 of row 0"):
        ct.explain.mutagenesis(model, X * 0.5)
    with pytest.raises(ValueError, match="occlusion: stride must be"):
        ct.explain.occlusion(model, X, window=2, stride=3)
    one_class = ct.models.CNN(1, 4, 1, layer_filters=[4], kernel_size=3, n_classes=2, seed=0)
    with pytest.raises(ValueError, match="X must be one row, got 60"):
        ct.explain.optimize_input(one_class, X)


@pytest.mark.parametrize("pool", ["max", "average"])
@pytest.mark.parametrize("mode", ["regression", "classification"])
@pytest.mark.parametrize("layers, padding", [([6], "valid"), ([6, 5], "valid"), ([6], "same"), ([6, 5], "same")])
def test_mutagenesis_of_what_changes_equals_whole_predictions(rng, pool, mode, layers, padding):
    model = ct.models.CNN(1, 4, 1, layer_filters=layers, kernel_size=[4, 3][: len(layers)], pool_type=pool, mode=mode,
                          padding=padding, dense_layer_size=7, weight_init_stddevs=0.5, batch_norm=len(layers) == 2,
                          bias_init_consts=0.3, seed=0)  # fmt: skip
    assert _Patches.of(Target("mutagenesis", model), np.zeros((1, 23, 4))) is not None, "it is not computed whole"
    if mode == "regression":
        data = ct.data.NumpyDataset(np.ones((4, 3)), np.arange(4.0))
        model.transformers = [ct.trans.NormalizationTransformer(transform_y=True, dataset=data)]
    X = np.eye(4, dtype=np.float32)[rng.integers(0, 4, (2, 23))]
    X[1, 3] = 0  # an unknown letter
    found = ct.explain.mutagenesis(model, X)

    def score(x):
        p = model.predict(x)[:, 0].astype(float)
        return p if mode == "regression" else np.log(p[:, 1] / p[:, 0])

    for row in range(2):
        for place in range(23):
            changed = np.repeat(X[row : row + 1], 4, axis=0)
            changed[:, place] = np.eye(4)
            expected = score(changed) - score(X[row : row + 1])
            np.testing.assert_allclose(found[row, place], expected, atol=2e-5)


@pytest.mark.parametrize("kind, layers", [(ct.models.VAE, {"activation": "tanh"}), (ct.models.GAN, {})])
def test_the_gradient_of_a_net_of_several_outputs_is_that_of_its_prediction(rng, kind, layers):
    model = kind(5, layer_sizes=[8], seed=0, **layers)
    X, step = rng.standard_normal((3, 5)).astype(np.float32), np.float32(1e-2)
    found = ct.explain.saliency(model, X)
    for column in range(5):
        moved = np.eye(5, dtype=np.float32)[column] * step
        slope = (model.predict(X + moved) - model.predict(X - moved))[:, 0] / (2 * step)
        np.testing.assert_allclose(np.abs(found[:, column]), np.abs(slope), atol=5e-3)
