"""Tests that softmax and losses are close to float64 without missing labels, and have the CPU's bits on a device."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from tests.cuda.agreement import same_as_cpu
from tests.reference import losses as reference

SHAPES = [(1, 1), (1, 2), (7, 2), (129, 2), (33, 10), (5, 100), (3, 4, 2), (40, 12, 2)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_softmax(backend, rng, shape):
    x, dy = ((5 * rng.standard_normal(shape)).astype(np.float32) for _ in range(2))
    logs = reference.log_softmax(x)
    for name, exact in (("softmax", np.exp(logs)), ("log_softmax", logs)):
        y = backend.get(getattr(ct.ops, name)(backend.array(x)))
        assert np.allclose(y, exact, rtol=1e-5, atol=2e-6) and same_as_cpu(y, getattr(ct.ops, name)(x))
        dx = backend.get(getattr(ct.ops, name + "_backward")(backend.array(dy), backend.array(y)))
        assert same_as_cpu(dx, getattr(ct.ops, name + "_backward")(dy, y))
        d, p = dy.astype(np.float64), np.exp(logs)
        exact = d - p * d.sum(-1, keepdims=True) if "log" in name else p * (d - (p * d).sum(-1, keepdims=True))
        assert np.allclose(dx, exact, rtol=1e-4, atol=1e-5 * (1 + np.abs(d).sum(-1).max()))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_softmax_cross_entropy(backend, rng, shape, weighted):
    x = (3 * rng.standard_normal(shape)).astype(np.float32)
    w = rng.random(shape[:-1]).astype(np.float32)
    w[rng.random(shape[:-1]) < 0.3] = 0
    numbers = rng.integers(0, shape[-1], shape[:-1])
    d = rng.standard_normal(shape[:-1]).astype(np.float32)
    probabilities = ct.ops.softmax(rng.standard_normal(shape).astype(np.float32))
    weights = w if weighted else None
    on = None if weights is None else backend.array(w)
    for labels in (numbers, probabilities):
        loss = backend.get(ct.ops.softmax_cross_entropy(backend.array(x), backend.array(labels), on))
        exact = reference.softmax_cross_entropy(x, labels, w if weighted else np.ones_like(w))
        assert loss.shape == shape[:-1] and np.allclose(loss, exact, rtol=1e-5, atol=5e-6)
        assert same_as_cpu(loss, ct.ops.softmax_cross_entropy(x, labels, weights))
        dx = ct.ops.softmax_cross_entropy_backward(*map(backend.array, (d, x, labels)), on)
        assert same_as_cpu(backend.get(dx), ct.ops.softmax_cross_entropy_backward(d, x, labels, weights))
        chosen = np.eye(shape[-1])[labels] if labels is numbers else labels
        exact = (d * (w if weighted else 1))[..., None] * (np.exp(reference.log_softmax(x)) - chosen)
        assert np.allclose(backend.get(dx), exact, rtol=1e-5, atol=5e-6)


@pytest.mark.parametrize("name", ["sigmoid_cross_entropy", "squared_error"])
@pytest.mark.parametrize("shape", [(1,), (257,), (13, 12)], ids=str)
def test_elementwise_losses(backend, rng, name, shape):
    x, d = (3 * rng.standard_normal(shape)).astype(np.float32), rng.standard_normal(shape).astype(np.float32)
    z, w = rng.random(shape).astype(np.float32), rng.random(shape).astype(np.float32)
    w[rng.random(shape) < 0.3], z[w == 0] = 0, np.nan
    forward, backward = getattr(ct.ops, name), getattr(ct.ops, name + "_backward")
    loss = backend.get(forward(*map(backend.array, (x, z, w))))
    assert same_as_cpu(loss, forward(x, z, w)) and np.all(loss[w == 0] == 0)
    dx = backend.get(backward(*map(backend.array, (d, x, z, w))))
    assert same_as_cpu(dx, backward(d, x, z, w)) and np.all(dx[w == 0] == 0)
    some, difference = w != 0, x.astype(np.float64) - z
    if name == "squared_error":
        exact, slope = w * difference**2, 2 * difference
    else:
        exact, slope = reference.sigmoid_cross_entropy(x, z, w), 1 / (1 + np.exp(-x.astype(np.float64))) - z
    assert np.allclose(loss[some], exact[some], rtol=1e-5, atol=1e-6)
    assert np.allclose(dx[some], (d * w * slope)[some], rtol=1e-5, atol=1e-6)
    assert same_as_cpu(backend.get(forward(backend.array(x), backend.array(x))), forward(x, x))


@pytest.mark.on_a_device
def test_missing_labels_never_count_and_wrong_ones_show(backend):
    x = backend.array(np.zeros((3, 2), np.float32))
    labels, w = backend.array(np.array([0, -1, 7])), backend.array(np.array([1, 0, 0], np.float32))
    assert np.allclose(backend.get(ct.ops.softmax_cross_entropy(x, labels, w)), [np.log(2), 0, 0])
    assert np.isnan(backend.get(ct.ops.softmax_cross_entropy(x, labels))).tolist() == [False, True, True]
    d = backend.array(np.ones(3, np.float32))
    dx = backend.get(ct.ops.softmax_cross_entropy_backward(d, x, labels))
    assert np.isnan(dx).all(1).tolist() == [False, True, True]
    assert np.all(backend.get(ct.ops.softmax_cross_entropy_backward(d, x, labels, w))[1:] == 0)


def test_extremes_and_nan(backend):
    x = np.array([[1000, 1000], [-1e4, 0], [np.nan, 1], [3e38, -3e38]], np.float32)
    y = backend.get(ct.ops.softmax(backend.array(x)))
    assert same_as_cpu(y, ct.ops.softmax(x)) and np.isnan(y[2]).all() and np.isfinite(y[[0, 1, 3]]).all()


def test_errors(backend):
    x = backend.array(np.zeros((3, 2), np.float32))
    with pytest.raises(ValueError, match="weights must have shape"):
        ct.ops.softmax_cross_entropy(x, backend.array(np.zeros(3, np.int64)), backend.array(np.zeros(2, np.float32)))
    with pytest.raises(ValueError, match="at least one class"):
        ct.ops.softmax(backend.array(np.zeros((3, 0), np.float32)))
    with pytest.raises(ValueError, match=r"target must have (shape \(3, 2\)|equal shapes)"):
        ct.ops.squared_error(x, backend.array(np.zeros(3, np.float32)))
    with pytest.raises(ValueError, match=r"labels must have (shape \(3, 2\)|equal shapes)"):
        ct.ops.sigmoid_cross_entropy(x, backend.array(np.zeros(3, np.float32)))
    assert np.all(backend.get(ct.ops.softmax(x)) == 0.5)


@pytest.mark.on_a_device
def test_mixtures_and_small_class_numbers_are_refused(backend):
    x = backend.array(np.zeros((3, 2), np.float32))
    with pytest.raises(ValueError, match="class numbers must be int64 of shape"):
        ct.ops.softmax_cross_entropy(x, backend.array(np.zeros(3, np.int32)))
    with pytest.raises(TypeError, match="on one device"):
        ct.ops.squared_error(x, np.zeros((3, 2), np.float32))
    ct.ops.softmax(x)
