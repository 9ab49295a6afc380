"""Tests of ridge regression against the definition: its optimum, its leave-one-out errors, missing labels, refusals."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase import models


def table(n, p, tasks=2, seed=0):
    rng = np.random.default_rng([n, p, seed])
    X = rng.standard_normal((n, p)) + 3
    y = X @ rng.standard_normal((p, tasks)) + 5 + 0.5 * rng.standard_normal((n, tasks))
    return X, y


def by_definition(X, y, alpha):
    """Least squares with the penalty as more rows, and a column for the offset without one."""
    n, p = X.shape
    rows = np.vstack([np.hstack([X, np.ones((n, 1))]), np.hstack([np.sqrt(alpha) * np.eye(p), np.zeros((p, 1))])])
    return np.linalg.lstsq(rows, np.concatenate([y, np.zeros(p)]), rcond=None)[0]


@pytest.mark.parametrize(("n", "p"), [(1, 1), (2, 5), (30, 1), (40, 39), (40, 40), (40, 41), (70, 130), (130, 70)])
@pytest.mark.parametrize("alpha", [1e-3, 2.0])
def test_coefficients_are_the_least_squares(n, p, alpha):
    X, y = table(n, p)
    model = models.RidgeRegression(2, p, alpha=alpha)
    model.fit(ct.data.NumpyDataset(X, y))
    state = model.state_dict()
    for task in range(2):
        expected = by_definition(X, y[:, task], alpha)
        assert np.allclose(state["coefficients"][:, task], expected[:p], rtol=1e-6, atol=1e-7)
        assert np.isclose(state["offsets"][task], expected[p], rtol=1e-6, atol=1e-6)
    found = model.predict(X)
    assert found.dtype == np.float32 and np.array_equal(model.predict(X[n // 2 :][:1]), found[n // 2 :][:1])


@pytest.mark.parametrize(("n", "p"), [(40, 6), (25, 60)])
def test_the_penalty_has_the_smallest_leave_one_out_error(n, p):
    X, y = table(n, p, tasks=1)
    model = models.RidgeRegression(1, p)
    model.fit(ct.data.NumpyDataset(X, y))
    centred = X - X.mean(axis=0)
    penalties = 10.0 ** np.arange(-6, 4) * (centred**2).sum() / n

    def error(alpha):
        left = []
        for i in range(n):
            kept = np.arange(n) != i
            one = models.RidgeRegression(1, p, alpha=float(alpha))
            one.fit(ct.data.NumpyDataset(X[kept], y[kept]))
            left.append(float(one.predict(X[i : i + 1])[0, 0]) - y[i, 0])
        return float(np.mean(np.square(left)))

    errors = [error(alpha) for alpha in penalties]
    assert np.isclose(model.alphas[0], penalties[int(np.argmin(errors))], rtol=1e-12)


def test_a_missing_label_is_as_a_row_that_is_not_there(rng):
    X, y = table(50, 8)
    w = np.ones_like(y)
    w[rng.random(w.shape) < 0.3] = 0
    both = models.RidgeRegression(2, 8)
    both.fit(ct.data.NumpyDataset(X, np.where(w == 0, np.nan, y), w))
    for task in range(2):
        one, there = models.RidgeRegression(1, 8), w[:, task] != 0
        one.fit(ct.data.NumpyDataset(X[there], y[there, task : task + 1]))
        assert np.array_equal(one.predict(X)[:, 0], both.predict(X)[:, task]) and one.alphas[0] == both.alphas[task]


def test_packed_bits_are_features(tmp_path):
    bits = ct.ops.ecfp(["CCO", "CCCO", "CCN", "c1ccccc1", "CC(=O)O"], size=64)
    y = np.arange(5.0)[:, None]
    packed, dense = models.RidgeRegression(1, 64), models.RidgeRegression(1, 64)
    packed.fit(ct.data.NumpyDataset(bits, y))
    wide = np.unpackbits(bits, axis=1, bitorder="little").astype(np.float32)
    dense.fit(ct.data.NumpyDataset(wide, y))
    assert np.array_equal(packed.predict(bits), dense.predict(wide))
    packed.save(tmp_path / "m")
    again = models.load(tmp_path / "m")
    assert np.array_equal(again.predict(bits), packed.predict(bits)) and again.alphas == packed.alphas


def test_refusals_say_what_to_do():
    X = np.ones((4, 2)) * np.arange(4)[:, None]  # equal columns
    with pytest.raises(ValueError, match="not determined, since features depend on each other; give a larger alpha"):
        models.RidgeRegression(1, 2, alpha=0).fit(ct.data.NumpyDataset(X, X[:, :1]))
    with pytest.raises(ValueError, match="call fit first"):
        models.RidgeRegression(1, 2).predict(X)
    with pytest.raises(ValueError, match="task 1 has no labels"):
        models.RidgeRegression(2, 2).fit(ct.data.NumpyDataset(X, X, np.array([[1.0, 0.0]] * 4)))
    constant = models.RidgeRegression(1, 2)
    constant.fit(ct.data.NumpyDataset(np.ones((4, 2)), X[:, :1]))
    assert np.allclose(constant.predict(np.ones((1, 2))), 1.5)


@pytest.mark.parametrize(("n", "p"), [(30, 4), (20, 50)])
def test_a_weight_counts_as_so_many_rows(n, p):
    X, y = table(n, p)
    times = np.arange(n) % 4
    weighted, repeated = (models.RidgeRegression(2, p, alpha=2.0, use_weights=use) for use in (True, False))
    weighted.fit(ct.data.NumpyDataset(X, y, times.astype(float)))
    repeated.fit(ct.data.NumpyDataset(X.repeat(times, axis=0), y.repeat(times, axis=0)))
    for name, array in weighted.state_dict().items():
        assert np.allclose(array, repeated.state_dict()[name], rtol=1e-8, atol=1e-9)


def test_equal_weights_choose_the_penalty_that_none_choose():
    X, y = table(30, 6)
    found = []
    for use, w in ((False, None), (True, np.ones(30)), (True, np.full(30, 3.0))):
        model = models.RidgeRegression(2, 6, use_weights=use)
        model.fit(ct.data.NumpyDataset(X, y, w))
        found.append(model)
    assert all(
        np.allclose(model.alphas[0] / found[0].alphas[0], factor)
        for model, factor in zip(found, (1, 1, 3), strict=True)
    )
    assert np.allclose(found[0].predict(X), found[1].predict(X)) and np.allclose(
        found[0].predict(X), found[2].predict(X), rtol=1e-5
    )
