"""Tests of softmax and losses against float64, with gradients, missing labels, and extremes."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from tests.agreement import FLOATS, same_as_cpu
from tests.reference import losses as reference
from tests.reference.gradients import directional

SHAPES = [
    *((1, 1), (1, 2), (7, 2), (129, 2), (33, 10), (5, 100), (3, 4, 2), (40, 12, 2)),
    *(pytest.param(shape, marks=pytest.mark.on_the_cpu) for shape in ((0, 2), (16, 2), (17, 3))),
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_softmax(backend, threads, rng, shape):
    x, dy = ((5 * rng.standard_normal(shape)).astype(np.float32) for _ in range(2))
    logs = reference.log_softmax(x)
    for name, exact in (("softmax", np.exp(logs)), ("log_softmax", logs)):
        y = backend.run(getattr(ct.ops, name), x)
        assert np.allclose(y, exact, rtol=1e-5, atol=2e-6 if "log" in name else 1e-7) and same_as_cpu(
            y, getattr(ct.ops, name)(x)
        )
        dx = backend.run(getattr(ct.ops, name + "_backward"), dy, y)
        assert same_as_cpu(dx, getattr(ct.ops, name + "_backward")(dy, y))
        d, p = dy.astype(np.float64), np.exp(logs)
        exact = d - p * d.sum(-1, keepdims=True) if "log" in name else p * (d - (p * d).sum(-1, keepdims=True))
        assert np.allclose(dx, exact, rtol=1e-4, atol=1e-5 * (1 + np.abs(d).sum(-1).max(initial=0)))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_softmax_cross_entropy(backend, threads, rng, shape, weighted):
    x = (3 * rng.standard_normal(shape)).astype(np.float32)
    w = rng.random(shape[:-1]).astype(np.float32)
    w[rng.random(shape[:-1]) < 0.3] = 0
    numbers = rng.integers(0, shape[-1], shape[:-1])
    d = rng.standard_normal(shape[:-1]).astype(np.float32)
    probabilities = ct.ops.softmax(rng.standard_normal(shape).astype(np.float32))
    weights = w if weighted else None
    for labels in (numbers, probabilities):
        loss = backend.run(ct.ops.softmax_cross_entropy, x, labels, weights)
        exact = reference.softmax_cross_entropy(x, labels, w if weighted else np.ones_like(w))
        assert loss.shape == shape[:-1] and np.allclose(loss, exact, rtol=1e-5, atol=5e-6)
        assert same_as_cpu(loss, ct.ops.softmax_cross_entropy(x, labels, weights))
        dx = backend.run(ct.ops.softmax_cross_entropy_backward, d, x, labels, weights)
        assert same_as_cpu(dx, ct.ops.softmax_cross_entropy_backward(d, x, labels, weights))
        chosen = np.eye(shape[-1])[labels] if labels is numbers else labels
        exact = (d * (w if weighted else 1))[..., None] * (np.exp(reference.log_softmax(x)) - chosen)
        assert np.allclose(dx, exact, rtol=1e-5, atol=5e-6)


@pytest.mark.on_the_cpu
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


@pytest.mark.on_the_cpu
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


@pytest.mark.parametrize("name", ["sigmoid_cross_entropy", "squared_error"])
@pytest.mark.parametrize(
    "shape", [(1,), (7,), (16,), (17,), (257,), (13, 12), pytest.param((0,), marks=pytest.mark.on_the_cpu)], ids=str
)
def test_elementwise_losses(backend, rng, name, shape):
    x, d = (3 * rng.standard_normal(shape)).astype(np.float32), rng.standard_normal(shape).astype(np.float32)
    z, w = rng.random(shape).astype(np.float32), rng.random(shape).astype(np.float32)
    w[rng.random(shape) < 0.3], z[w == 0] = 0, np.nan
    forward, backward = getattr(ct.ops, name), getattr(ct.ops, name + "_backward")
    loss = backend.run(forward, x, z, w)
    assert same_as_cpu(loss, forward(x, z, w)) and np.all(loss[w == 0] == 0)
    dx = backend.run(backward, d, x, z, w)
    assert same_as_cpu(dx, backward(d, x, z, w)) and np.all(dx[w == 0] == 0)
    some, difference = w != 0, x.astype(np.float64) - z
    if name == "squared_error":
        exact, slope = w * difference**2, 2 * difference
    else:
        exact, slope = reference.sigmoid_cross_entropy(x, z, w), 1 / (1 + np.exp(-x.astype(np.float64))) - z
    assert np.allclose(loss[some], exact[some], rtol=1e-5, atol=1e-6)
    assert np.allclose(dx[some], (d * w * slope)[some], rtol=1e-5, atol=1e-6)
    assert same_as_cpu(backend.run(forward, x, x), forward(x, x, np.ones_like(x)))


@pytest.mark.parametrize("dtype", FLOATS)
def test_weight_zero_silences_any_label(backend, dtype):
    x = np.array([[1, 2], [3, 4], [np.inf, np.nan]], dtype)
    w, one = np.array([1, 0, 0], dtype), np.ones(3, dtype)
    for labels in (np.array([1, -7, 99]), np.array([[0, 1], [np.nan, np.nan], [0, 1]], dtype)):
        loss = backend.run(ct.ops.softmax_cross_entropy, x, labels, w)
        dx = backend.run(ct.ops.softmax_cross_entropy_backward, one, x, labels, w)
        assert np.isfinite(loss).all() and loss[1] == loss[2] == 0 and not dx[1:].any() and dx[0].any()
    y, z = np.array([1, 2, np.nan], dtype), np.array([0.5, np.nan, 1], dtype)
    for name in ("sigmoid_cross_entropy", "squared_error"):
        loss = backend.run(getattr(ct.ops, name), y, z, w)
        dx = backend.run(getattr(ct.ops, name + "_backward"), one, y, z, w)
        assert np.isfinite(loss).all() and not loss[1:].any() and not dx[1:].any() and dx[0]


@pytest.mark.on_a_device
def test_wrong_labels_show_on_a_device(backend):
    x, labels, d = np.zeros((3, 2), np.float32), np.array([0, -1, 7]), np.ones(3, np.float32)
    assert np.isnan(backend.run(ct.ops.softmax_cross_entropy, x, labels)).tolist() == [False, True, True]
    dx = backend.run(ct.ops.softmax_cross_entropy_backward, d, x, labels)
    assert np.isnan(dx).all(1).tolist() == [False, True, True]


def test_extremes_and_nan(backend):
    x = np.array([[1e4, -1e4], [-1e4, 1e4]], np.float32)
    assert backend.run(ct.ops.softmax_cross_entropy, x, np.array([0, 0])).tolist() == [0, 2e4]
    loss = backend.run(ct.ops.sigmoid_cross_entropy, x[:, 0].copy(), np.array([0, 0], np.float32))
    assert loss.tolist() == [1e4, 0]
    x = np.array([[1000, 1000], [-1e4, 0], [np.nan, 1], [3e38, -3e38]], np.float32)
    y = backend.run(ct.ops.softmax, x)
    assert np.isnan(y[2]).all() and y[[0, 1, 3]].tolist() == [[0.5, 0.5], [0, 1], [1, 0]]


def test_a_row_has_the_same_bits_in_any_batch(backend, rng):
    x, labels = rng.standard_normal((53, 10)).astype(np.float32), rng.integers(0, 10, 53)
    whole = backend.run(ct.ops.softmax_cross_entropy, x, labels)
    for i in (0, 17, 52):
        assert backend.run(ct.ops.softmax_cross_entropy, x[i : i + 1], labels[i : i + 1])[0] == whole[i]


@pytest.mark.at_one_level
def test_bad_input(backend):
    x, three, numbers = (
        backend.array(v) for v in (np.zeros((2, 3), np.float32), np.zeros(3, np.float32), np.zeros(2, int))
    )
    with pytest.raises(ValueError, match=r"labels must have shape \(2,\)|class numbers must be int64 of shape \(2,\)"):
        ct.ops.softmax_cross_entropy(x, numbers[:1])
    with pytest.raises(ValueError, match="weights must have shape"):
        ct.ops.softmax_cross_entropy(x, numbers, three)
    with pytest.raises(ValueError, match=r"target must have (shape \(2, 3\)|equal shapes, got \(2, 3\), \(3,\))"):
        ct.ops.squared_error(x, three)
    with pytest.raises(ValueError, match=r"labels must have (shape \(2, 3\)|equal shapes)"):
        ct.ops.sigmoid_cross_entropy(x, three)
    with pytest.raises(ValueError, match="at least one class"):
        ct.ops.softmax(x[:, :0])
    assert np.all(backend.get(ct.ops.softmax(x[:, :2])) == 0.5)


def test_bad_labels_and_dtypes_on_the_cpu():
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(
        ValueError, match=r"labels must be from 0 to 2, got 3 at \(1,\); give a missing label the weight 0"
    ):
        ct.ops.softmax_cross_entropy(x, np.array([0, 3]))
    with pytest.raises(TypeError, match="one dtype"):
        ct.ops.softmax_cross_entropy(x, np.array([0, 1]), np.ones(2))


@pytest.mark.on_a_device
def test_mixtures_and_small_class_numbers_are_refused(backend):
    x = backend.array(np.zeros((3, 2), np.float32))
    with pytest.raises(ValueError, match="class numbers must be int64 of shape"):
        ct.ops.softmax_cross_entropy(x, backend.array(np.zeros(3, np.int32)))
    with pytest.raises(TypeError, match="on one device"):
        ct.ops.squared_error(x, np.zeros((3, 2), np.float32))
    ct.ops.softmax(x)
