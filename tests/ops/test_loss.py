"""Tests of softmax and losses against float64, with gradients, missing labels, and extremes."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from tests.reference import losses as reference
from tests.reference.gradients import directional

SHAPES = [(0, 2), (1, 1), (1, 2), (7, 2), (16, 2), (17, 3), (33, 10), (5, 100), (3, 4, 2), (40, 12, 2)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_softmax(backend, threads, rng, shape):
    x = (5 * rng.standard_normal(shape)).astype(np.float32)
    logs = reference.log_softmax(x)
    assert np.allclose(ct.ops.log_softmax(x), logs, rtol=1e-5, atol=2e-6)
    assert np.allclose(ct.ops.softmax(x), np.exp(logs), rtol=1e-5, atol=1e-7)


def test_softmax_gradients(backend, rng):
    x, dy = rng.standard_normal((5, 7)), rng.standard_normal((5, 7))
    for forward, backward in (
        (ct.ops.softmax, ct.ops.softmax_backward),
        (ct.ops.log_softmax, ct.ops.log_softmax_backward),
    ):
        slope, claimed = directional(lambda v, f=forward: np.sum(dy * f(v)), [x], [backward(dy, forward(x))], rng)
        assert np.isclose(slope, claimed, rtol=1e-5)
        single = backward(dy.astype(np.float32), forward(x.astype(np.float32)))
        assert np.allclose(single, backward(dy, forward(x)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_softmax_cross_entropy(backend, threads, rng, shape):
    x = (3 * rng.standard_normal(shape)).astype(np.float32)
    w = rng.random(shape[:-1]).astype(np.float32)
    numbers = rng.integers(0, shape[-1], shape[:-1])
    probabilities = ct.ops.softmax(rng.standard_normal(shape).astype(np.float32))
    for labels in (numbers, probabilities):
        loss = ct.ops.softmax_cross_entropy(x, labels, w)
        assert loss.shape == shape[:-1]
        assert np.allclose(loss, reference.softmax_cross_entropy(x, labels, w), rtol=1e-5, atol=5e-6)


def test_loss_gradients(backend, rng):
    x, w, d = rng.standard_normal((6, 3, 4)), rng.random((6, 3)), rng.standard_normal((6, 3))
    for labels in (rng.integers(0, 4, (6, 3)), np.exp(reference.log_softmax(rng.standard_normal((6, 3, 4))))):
        dx = ct.ops.softmax_cross_entropy_backward(d, x, labels, w)
        slope, claimed = directional(
            lambda v, z=labels: np.sum(d * ct.ops.softmax_cross_entropy(v, z, w)), [x], [dx], rng
        )
        assert np.isclose(slope, claimed, rtol=1e-5)
    z, w, d = rng.random(x.shape), rng.random(x.shape), rng.standard_normal(x.shape)
    for forward, backward in (
        (ct.ops.sigmoid_cross_entropy, ct.ops.sigmoid_cross_entropy_backward),
        (ct.ops.squared_error, ct.ops.squared_error_backward),
    ):
        slope, claimed = directional(lambda v, f=forward: np.sum(d * f(v, z, w)), [x], [backward(d, x, z, w)], rng)
        assert np.isclose(slope, claimed, rtol=1e-5)


@pytest.mark.parametrize("size", [0, 1, 7, 16, 17, 1009])
def test_elementwise_losses(backend, rng, size):
    x, z = (4 * rng.standard_normal(size)).astype(np.float32), rng.random(size).astype(np.float32)
    w = rng.random(size).astype(np.float32)
    exact = reference.sigmoid_cross_entropy(x, z, w)
    assert np.allclose(ct.ops.sigmoid_cross_entropy(x, z, w), exact, rtol=1e-5, atol=1e-6)
    assert np.allclose(ct.ops.squared_error(x, z, w), w * (x.astype(np.float64) - z) ** 2, rtol=1e-5, atol=1e-7)
    assert np.array_equal(ct.ops.squared_error(x, z), ct.ops.squared_error(x, z, np.ones_like(x)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weight_zero_silences_any_label(backend, dtype):
    x = np.array([[1, 2], [3, 4], [np.inf, np.nan]], dtype)
    w, one = np.array([1, 0, 0], dtype), np.ones(3, dtype)
    for labels in (np.array([1, -7, 99]), np.array([[0, 1], [np.nan, np.nan], [0, 1]], dtype)):
        loss = ct.ops.softmax_cross_entropy(x, labels, w)
        dx = ct.ops.softmax_cross_entropy_backward(one, x, labels, w)
        assert np.isfinite(loss).all() and loss[1] == loss[2] == 0 and not dx[1:].any() and dx[0].any()
    y, z = np.array([1, 2, np.nan], dtype), np.array([0.5, np.nan, 1], dtype)
    for name in ("sigmoid_cross_entropy", "squared_error"):
        loss = getattr(ct.ops, name)(y, z, w)
        dx = getattr(ct.ops, name + "_backward")(one, y, z, w)
        assert np.isfinite(loss).all() and not loss[1:].any() and not dx[1:].any() and dx[0]


def test_extremes_do_not_overflow(backend):
    x = np.array([[1e4, -1e4], [-1e4, 1e4]], np.float32)
    assert ct.ops.softmax_cross_entropy(x, np.array([0, 0])).tolist() == [0, 2e4]
    assert ct.ops.sigmoid_cross_entropy(x[:, 0].copy(), np.array([0, 0], np.float32)).tolist() == [1e4, 0]


def test_a_row_has_the_same_bits_in_any_batch(backend, rng):
    x, labels = rng.standard_normal((53, 10)).astype(np.float32), rng.integers(0, 10, 53)
    whole = ct.ops.softmax_cross_entropy(x, labels)
    for i in (0, 17, 52):
        assert ct.ops.softmax_cross_entropy(x[i : i + 1], labels[i : i + 1])[0] == whole[i]


def test_bad_input():
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(
        ValueError, match=r"labels must be from 0 to 2, got 3 at \(1,\); give a missing label the weight 0"
    ):
        ct.ops.softmax_cross_entropy(x, np.array([0, 3]))
    with pytest.raises(ValueError, match=r"labels must have shape \(2,\)"):
        ct.ops.softmax_cross_entropy(x, np.array([0]))
    with pytest.raises(TypeError, match="one dtype"):
        ct.ops.softmax_cross_entropy(x, np.array([0, 1]), np.ones(2))
    with pytest.raises(ValueError, match=r"equal shapes, got \(2, 3\), \(3,\)"):
        ct.ops.squared_error(x, np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="at least one class"):
        ct.ops.softmax(np.zeros((3, 0)))
