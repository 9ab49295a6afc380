"""Tests of the Gaussian process against the definition: means, variances, groups left out, inducing rows, classes."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase import models
from catalase._internal import storage
from tests.reference import tanimoto as reference

N, COUNTS, DESCRIPTORS = 70, 40, 5


@pytest.fixture
def data(rng):
    counts = rng.integers(0, 4, (N, COUNTS)) * (rng.random((N, COUNTS)) < 0.3)
    descriptors = rng.standard_normal((N, DESCRIPTORS))
    descriptors[:, 3] = 7  # constant
    X = np.hstack([counts, descriptors])
    y = np.stack([counts[:, :8].sum(axis=1) + 2 * descriptors[:, 0], descriptors[:, 1]], axis=1)
    y += 0.3 * rng.standard_normal(y.shape) + 10
    w = np.ones_like(y)
    w[: N // 3, 1], y[: N // 3, 1] = 0, np.nan
    return ct.data.NumpyDataset(X, y, w)


def fitted(data, **options):
    model = models.TanimotoGP(data.y.shape[1], data.X.shape[1], COUNTS, **options)
    model.fit(data)
    return model


def scaled(X, train):
    """The rule of the docstring for descriptors."""
    X, train = (np.clip(np.where(np.isfinite(x), x, 0), -1e5, 1e5) for x in (X, train))
    kept = np.ptp(train, axis=0) > 0
    return np.clip((X[:, kept] - train[:, kept].mean(axis=0)) / train[:, kept].std(axis=0), -6, 6)


def kernel(x, z, train, chosen):
    """The formula of the docstring."""
    a, b, t = (scaled(rows[:, COUNTS:], train[:, COUNTS:]) for rows in (x, z, train))
    squares = ((a[:, None] - b[None]) ** 2).sum(axis=2)
    among = ((t[:, None] - t[None]) ** 2).sum(axis=2)
    unit = np.median(among[np.triu_indices(len(t), 1)])
    similar = reference.tanimoto_counts(x[:, :COUNTS], z[:, :COUNTS])
    return chosen.share * similar + (1 - chosen.share) * np.exp(-squares / unit / (2 * chosen.length**2))


def by_definition(train, y, X, all_rows, chosen, amplitude, mean):
    """Mean and deviation of new measurements, by dense matrices."""
    covariance = kernel(train, train, all_rows, chosen) + chosen.noise * np.eye(len(train))
    cross = kernel(X, train, all_rows, chosen)
    found = cross @ np.linalg.solve(covariance, y - mean) + mean
    variance = 1 + chosen.noise - (cross * np.linalg.solve(covariance, cross.T).T).sum(axis=1)
    return found, np.sqrt(amplitude * variance)


def test_means_and_deviations_are_the_definition(data, rng):
    model = fitted(data)
    new = np.vstack(
        [data.X[:7], data.X[:30] + np.hstack([rng.integers(0, 2, (30, COUNTS)), rng.random((30, DESCRIPTORS))])]
    )
    mean, std = model.predict_uncertainty(new)
    quick = model.predict(new)
    assert mean.dtype == np.float64 and quick.dtype == np.float32 and mean.shape == std.shape == (37, 2)
    for task, chosen in enumerate(model.hyperparameters):
        there = data.w[:, task] != 0
        y = data.y[there, task]
        covariance = kernel(data.X[there], data.X[there], data.X, chosen) + chosen.noise * np.eye(there.sum())
        amplitude = (y - y.mean()) @ np.linalg.solve(covariance, y - y.mean()) / len(y)
        expected = by_definition(data.X[there], y, new, data.X, chosen, amplitude, y.mean())
        assert np.allclose(mean[:, task], expected[0], rtol=1e-5) and np.allclose(std[:, task], expected[1], rtol=1e-4)
        assert np.allclose(quick[:, task], mean[:, task], atol=1e-3 * y.std())
    assert np.array_equal(model.predict(new[9:10]), quick[9:10])


@pytest.mark.parametrize("descriptors", [0, 20])
def test_coefficients_of_both_signs_cancel_in_predictions_too(rng, descriptors):
    counts = rng.poisson(3, (1500, 60))
    X = np.hstack([counts, rng.standard_normal((1500, descriptors)) * 0.3])
    y = counts @ rng.standard_normal((60, 1)) / np.sqrt(180)
    model = models.TanimotoGP(1, X.shape[1], 60, seed=0)
    model.fit(ct.data.NumpyDataset(X[:1200], y[:1200]))
    assert abs(model._arrays["coefficients"]).sum() > 400
    difference = model.predict(X[1200:]) - model.predict_uncertainty(X[1200:])[0]
    assert abs(difference).max() < 4e-6  # sums in float32 differ by more than 1e-5


def test_groups_are_left_out_as_if_their_labels_were_missing(data):
    model = fitted(data)
    groups = np.arange(N) % 7
    mean, std = model.leave_groups_out(data, groups)
    assert np.array_equal(np.isnan(mean), data.w == 0)
    for task, chosen in enumerate(model.hyperparameters):
        there = np.flatnonzero(data.w[:, task])
        whole, amplitude = data.y[there, task].mean(), model.state_dict()["numbers"][task, 0, 3]
        for group in range(7):
            kept, left = there[groups[there] != group], there[groups[there] == group]
            expected = by_definition(data.X[kept], data.y[kept, task], data.X[left], data.X, chosen, amplitude, whole)
            assert np.allclose(mean[left, task], expected[0], rtol=1e-5)
            assert np.allclose(std[left, task], expected[1], rtol=1e-4)
    assert np.array_equal(model.leave_groups_out(data, (10 - groups).tolist())[0], mean, equal_nan=True)


def test_inducing_rows_that_are_all_rows_are_the_exact_process(data):
    exact, few = fitted(data), fitted(data, max_exact=10, n_inducing=N)
    assert few.hyperparameters == exact.hyperparameters
    for one, other in zip(exact.predict_uncertainty(data.X), few.predict_uncertainty(data.X), strict=True):
        assert np.allclose(one, other, rtol=2e-3, atol=2e-3)
    groups = np.arange(N) % 5
    for one, other in zip(exact.leave_groups_out(data, groups), few.leave_groups_out(data, groups), strict=True):
        assert np.allclose(one, other, rtol=5e-3, atol=5e-3, equal_nan=True)
    less = fitted(data, max_exact=10, n_inducing=20)
    assert len(less.state_dict()["counts"]) == 20
    assert np.corrcoef(less.predict(data.X)[:, 0], data.y[:, 0])[0, 1] > 0.6


def test_the_marginal_likelihood_prefers_the_block_that_explains_the_labels(rng, data):
    X = data.X
    similar = reference.tanimoto_counts(X[:, :COUNTS], X[:, :COUNTS])
    draws = np.linalg.cholesky(similar + 1e-6 * np.eye(N)) @ rng.standard_normal((N, 6))
    smooth = np.sin(X[:, COUNTS : COUNTS + 1]) + X[:, COUNTS + 1 : COUNTS + 2]
    of_counts = fitted(ct.data.NumpyDataset(X, draws)).hyperparameters
    of_descriptors = fitted(ct.data.NumpyDataset(X, smooth)).hyperparameters
    assert np.mean([chosen.share for chosen in of_counts]) > 0.6 and of_descriptors[0].share < 0.3


@pytest.mark.parametrize("width", [0, COUNTS + DESCRIPTORS])
def test_either_block_may_be_missing(data, width):
    X = abs(data.X)
    model = models.TanimotoGP(1, X.shape[1], width)
    model.fit(ct.data.NumpyDataset(X, data.y[:, :1]))
    assert model.hyperparameters[0].share == (1.0 if width else 0.0)
    assert np.corrcoef(model.predict(X)[:, 0], data.y[:, 0])[0, 1] > 0.9
    assert np.isfinite(model.predict_uncertainty(X)[1]).all()


def test_packed_bits_are_counts_of_one():
    bits = ct.ops.ecfp(["CCO", "CCCO", "CCN", "c1ccccc1O", "CC(=O)O", "CCCC"], size=256)
    wide = np.unpackbits(bits, axis=1, bitorder="little").astype(np.float32)
    y = np.arange(6.0)[:, None]
    packed, dense = models.TanimotoGP(1, 256), models.TanimotoGP(1, 256)
    packed.fit(ct.data.NumpyDataset(bits, y))
    dense.fit(ct.data.NumpyDataset(wide, y))
    assert np.array_equal(packed.predict(bits), dense.predict(wide))


def test_descriptors_that_are_not_finite_or_huge_become_plain_numbers(data):
    X = data.X.copy()
    X[3, COUNTS], X[4, COUNTS + 1], X[5, COUNTS + 2] = np.nan, np.inf, 1e300
    model = fitted(ct.data.NumpyDataset(X, data.y, data.w))
    plain = X.copy()
    plain[3, COUNTS], plain[4, COUNTS + 1], plain[5, COUNTS + 2] = 0, 0, 1e5
    assert np.isfinite(model.predict(X)).all() and np.array_equal(model.predict(X), model.predict(plain))


@pytest.mark.parametrize("classes", [2, 3])
def test_classes_have_calibrated_probabilities(rng, classes):
    X = rng.standard_normal((700, 4))
    chance = 1 / (1 + np.exp(-2 * X[:, 0]))
    y = (rng.random(700) < chance).astype(int) + (classes == 3) * (X[:, 1] > 1)
    model = models.TanimotoGP(1, 4, 0, mode="classification", n_classes=classes)
    model.fit(ct.data.NumpyDataset(X[:400], y[:400, None]))
    found, spread = model.predict_uncertainty(X[400:])
    assert found.shape == spread.shape == (300, 1, classes) and np.allclose(found.sum(axis=2), 1)
    assert np.allclose(model.predict(X[400:]), found, atol=1e-3) and (spread >= 0).all()
    if classes == 2:
        assert abs(found[:, 0, 1] - chance[400:]).mean() < 0.1
        sure = found[:, 0, 1] > 0.7
        assert abs(found[sure, 0, 1].mean() - y[400:][sure].mean()) < 0.1
    else:
        assert (found[:, 0].argmax(axis=1) == y[400:]).mean() > 0.6
    left, _ = model.leave_groups_out(ct.data.NumpyDataset(X[:400], y[:400, None]), np.arange(400))
    assert (left[:, 0].argmax(axis=1) == y[:400]).mean() > 0.6
    one_hot = models.TanimotoGP(1, 4, 0, mode="classification", n_classes=classes)
    one_hot.fit(ct.data.NumpyDataset(X[:400], np.eye(classes)[y[:400]]))
    assert np.array_equal(one_hot.predict(X), model.predict(X))


def test_intervals_cover_new_measurements(rng):
    X = rng.standard_normal((600, 3))
    y = np.sin(2 * X[:, :1]) + X[:, 1:2] ** 2 / 2 + 0.2 * rng.standard_normal((600, 1))
    model = models.TanimotoGP(1, 3, 0)
    model.fit(ct.data.NumpyDataset(X[:300], y[:300]))
    mean, std = model.predict_uncertainty(X[300:])
    assert 0.84 < (abs(mean - y[300:]) < 1.645 * std).mean() < 0.96


def test_smiles_are_predicted_in_the_units_of_the_measurement(tmp_path):
    smiles = ["CCO", "CCCO", "CCN", "CCCN", "c1ccccc1O", "CCCCCC"]
    featurizer = ct.feat.CircularFingerprint(size=512, is_counts_based=True)
    plain = ct.data.NumpyDataset(featurizer.featurize(smiles), np.arange(6.0)[:, None] * 100 + 1000)
    normal = ct.trans.NormalizationTransformer(transform_y=True, dataset=plain)
    model = models.TanimotoGP(1, 512)
    model.fit(normal.transform(plain))
    model.featurizer, model.transformers = featurizer, [normal]
    mean, std = model.predict_uncertainty(smiles)
    assert 900 < mean.min() < mean.max() < 1600 and np.allclose(mean, model.predict(smiles), rtol=1e-4)
    raw = model.predict_uncertainty(smiles, raw=True)
    assert np.allclose(std, raw[1] * plain.y.std(), rtol=1e-6) and abs(raw[0]).max() < 3
    left, _ = model.leave_groups_out(normal.transform(plain), range(6))
    assert 900 < left.min() < left.max() < 1600
    model.save(tmp_path / "m")
    again = models.load(tmp_path / "m")
    assert all(np.array_equal(a, b) for a, b in zip(again.predict_uncertainty(smiles), (mean, std), strict=True))
    assert again.hyperparameters == model.hyperparameters


def test_bits_are_equal_for_any_number_of_threads(data):
    from tests.agreement import same_with_threads

    same_with_threads(lambda: (*(m := fitted(data)).predict_uncertainty(data.X), m.predict(data.X)), (1, 2, 3))


def test_labels_without_variance_have_their_value_and_one_row_is_enough():
    X = np.ones((3, 8), np.float32) * np.arange(1, 4)[:, None]
    model = models.TanimotoGP(1, 8)
    model.fit(ct.data.NumpyDataset(X, np.full((3, 1), 5.0)))
    assert np.all(model.predict(X) == 5) and np.isfinite(model.predict_uncertainty(X)[1]).all()
    model.fit(ct.data.NumpyDataset(X[:1], [[2.0]]))
    assert np.all(model.predict(X) == 2)
    same = models.TanimotoGP(1, 8, mode="classification")
    same.fit(ct.data.NumpyDataset(X, np.zeros((3, 1))))
    assert np.all(same.predict(X)[:, 0, 1] < 0.5)


def test_refusals_say_what_to_do(data, tmp_path):
    with pytest.raises(ValueError, match="n_counts must be at most n_features, 8, got 9"):
        models.TanimotoGP(1, 8, 9)
    with pytest.raises(ValueError, match="call fit first"):
        models.TanimotoGP(1, 8).predict(np.ones((1, 8)))
    model = fitted(data)
    X = np.tile(data.X, (40, 1))
    X[2500, 3] = -1
    with pytest.raises(
        ValueError, match=r"predict: X holds -1\.0 at row 2500, column 3; the first 40 columns are counts"
    ):
        model.predict(X)
    with pytest.raises(ValueError, match="groups must hold one group for each of 70 rows"):
        model.leave_groups_out(data, [1, 2])
    state = model.state_dict()
    for name, wrong in [
        ("columns", state["columns"] + 100),
        ("coefficients", state["coefficients"][1:]),
        ("numbers", state["numbers"] * np.nan),
        ("counts", state["counts"].astype(np.float64)),
    ]:
        with pytest.raises(ValueError, match="load_state_dict"):
            model.load_state_dict(state | {name: wrong})
    model.save(tmp_path / "m")
    config, arrays = storage.load_folder(tmp_path / "m")
    arrays = dict(arrays)
    arrays.pop("unit")
    storage.save_folder(tmp_path / "bad", config, arrays)
    with pytest.raises(ValueError, match=r"needed columns, .*unit.* got columns"):
        models.load(tmp_path / "bad")
