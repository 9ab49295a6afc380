"""Tests of arithmetic on a device against NumPy: broadcasting, views, sums over any axes, and gradients."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import catalase as ct
from catalase.autograd.joins import _split
from catalase.backends import assign, backend_of
from tests.reference.gradients import directional

pytestmark = pytest.mark.at_one_level

PAIRS = [((), (3,)), ((3, 1, 4, 1, 2), (2, 1, 5, 1)), ((1,), (1,)), ((7, 5), (5,)), ((4, 1, 3), (5, 1)), ((2, 3, 1, 5, 2), (4, 1, 1)), ((0, 3), (3,)),
         ((1030,), (1030,))]  # fmt: skip


def call(name, *arrays):
    return getattr(backend_of(*arrays), name)(*arrays)


@pytest.mark.parametrize("shapes", PAIRS, ids=str)
@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "equal", "power", "maximum", "minimum"])
def test_two_arrays(backend, rng, shapes, name):
    a, b = (rng.integers(1, 4, shape).astype(np.float32) + np.float32(0.5) for shape in shapes)
    function = partial(call, name)
    expected = np.asarray(function(a, b)).astype(np.float32)
    found = backend.get(function(backend.array(a), backend.array(b)))
    assert found.shape == expected.shape
    assert found.dtype == (np.bool_ if (backend.device, name) == ("cpu", "equal") else np.float32)
    exact = getattr(np, name)(a.astype(np.float64), b.astype(np.float64))
    assert np.allclose(found, exact, rtol=1e-6, atol=0)
    assert np.allclose(found, expected, rtol=1e-6, atol=0) if name == "power" else np.array_equal(found, expected)
    if a.ndim:  # a number on either side
        assert np.allclose(backend.get(function(backend.array(a), 3.0)), function(a, np.float32(3)), rtol=1e-6)
        assert np.allclose(
            backend.get(function(np.float32(3), backend.array(a))), function(np.float32(3), a), rtol=1e-6
        )
    ct.ops.relu(backend.array(np.ones(1, np.float32)))


MAPS = {
    "negative": np.negative, "sqrt": np.sqrt, "absolute": np.abs, "sign": np.sign, "copy": np.array,
    "sin": np.sin, "cos": np.cos,
    "log_or_zero": lambda x: np.array([np.log(v) if v > 0 else 0.0 for v in x]),
}  # fmt: skip


@pytest.mark.parametrize("name", list(MAPS))
def test_one_array(backend, name):
    x = np.array([-2, -0.5, -0.0, 0, 1e-3, 4, np.inf, np.nan], np.float32)
    with np.errstate(invalid="ignore"):
        expected, exact = call(name, x), MAPS[name](x.astype(np.float64))
        found = backend.get(call(name, backend.array(x)))
    assert found.dtype == np.float32 and np.allclose(found, expected, rtol=2e-7, atol=0, equal_nan=True)
    assert np.allclose(found, exact, rtol=4e-7, atol=0, equal_nan=True)


def test_views_are_read_and_written_in_place(backend, rng):
    x, y = rng.standard_normal((6, 10)).astype(np.float32), rng.standard_normal((4, 3)).astype(np.float32)
    on = backend.array(x)
    assign(on[1:5, 2:8:2], backend.array(y))
    backend_of(on[:, 9]).add(on[:, 9], 2.0, out=on[:, 9])
    backend_of(on.T[0]).copyto(on.T[0], 7.0)
    assign(on[5:6], np.arange(10))
    x[1:5, 2:8:2] = y
    x[:, 9] += 2
    x[:, 0] = 7
    x[5] = np.arange(10)
    assert np.array_equal(backend.get(on), x)
    assert np.array_equal(backend.get(backend_of(on.T[2:], on.T[:8]).multiply(on.T[2:], on.T[:8])), x.T[2:] * x.T[:8])
    on_cpu = "could not broadcast" if backend.device == "cpu" else None  # NumPy's words
    with pytest.raises(ValueError, match=on_cpu or "do not broadcast together"):
        assign(on[1:3, 2:4], on)
    with pytest.raises(ValueError, match=on_cpu or "do not fit an array of shape"):
        assign(on[1:2], on)


AXES = [((5,), None), ((3, 4), 0), ((3, 4), 1), ((3, 4), (0, 1)), ((2, 3, 4, 5), (0, 2)), ((2, 3, 4, 5), (1, 2)),
        ((2, 3, 4), (0, 2)), ((1, 1), None), ((70_000,), 0), ((2, 66_000), -1), ((300, 2), 0)]  # fmt: skip


@pytest.mark.parametrize(("shape", "axis"), AXES, ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
def test_sums_and_maxima(backend, rng, shape, axis, keepdims):
    x = rng.standard_normal(shape).astype(np.float32)
    on = backend.array(x)
    total = backend.get(backend_of(on).sum(on, axis, keepdims))
    exact = np.asarray(x.astype(np.float64).sum(axis=axis, keepdims=keepdims))
    bound = 2e-7 * np.abs(x).astype(np.float64).sum(axis=axis, keepdims=keepdims) * 2
    assert total.shape == exact.shape and np.all(np.abs(total - exact) <= bound + 1e-7 * x.size**0.5)
    if axis == 0 and x.ndim > 1:
        assert np.array_equal(total, x.sum(axis=0, keepdims=keepdims))  # NumPy's chain
    assert np.array_equal(backend.get(backend_of(on).max(on, axis, keepdims)), backend_of(x).max(x, axis, keepdims))


def test_sums_of_nothing_and_the_largest_beside_nan(backend):
    nothing = backend.array(np.ones((0, 3), np.float32))
    assert np.array_equal(backend.get(backend_of(nothing).sum(nothing, 0)), np.zeros(3))
    with pytest.raises(ValueError, match="zero-size array" if backend.device == "cpu" else "nothing to choose from"):
        backend_of(nothing).max(nothing, 0)
    x = np.array([[1, np.nan, 2], [np.nan, 5, 1], [-np.inf, -3, 0]], np.float32)
    assert np.array_equal(backend.get(backend_of(backend.array(x)).max(backend.array(x), 1)), x.max(1), equal_nan=True)
    assert np.array_equal(backend.get(backend_of(backend.array(x)).max(backend.array(x), 0)), x.max(0), equal_nan=True)


@pytest.mark.parametrize(
    ("shape", "axis"), [((1,), 0), ((300,), 0), ((7, 5), 0), ((7, 5), 1), ((2, 3, 4), 1), ((0, 3), 0)]
)
def test_running_sums(backend, rng, shape, axis):
    x = rng.standard_normal(shape).astype(np.float32)
    on = backend.array(x)
    back = (*(slice(None),) * axis, slice(None, None, -1))
    assert np.array_equal(backend.get(backend_of(on).cumsum(on, axis)), np.cumsum(x, axis))
    assert np.array_equal(backend.get(backend_of(on).cumsum(on[back], axis)), np.cumsum(x[back], axis))
    ct.ops.relu(backend.array(np.ones(1, np.float32)))


def test_the_larger_and_the_smaller_of_a_number_and_nan_is_nan(backend):
    a, b = np.array([np.nan, 1, -np.inf], np.float32), np.array([1, np.nan, np.inf], np.float32)
    for name in ("maximum", "minimum"):
        found = backend.get(call(name, backend.array(a), backend.array(b)))
        assert np.array_equal(found, getattr(np, name)(a, b), equal_nan=True)


@pytest.mark.parametrize("size", [1, 1000, 66_000])
def test_a_long_gradient_is_shortened(backend, rng, size):
    x = rng.standard_normal(size).astype(np.float32)
    on, short = backend.array(x), backend.array(x)
    backend_of(on).clip_norm(on, 0.5)
    backend_of(on).clip_norm(short, 1e6)
    assert np.array_equal(backend.get(short), x)
    exact = x * min(1.0, 0.5 / np.linalg.norm(x.astype(np.float64)))
    assert np.allclose(backend.get(on), exact, rtol=2e-7, atol=0)


def test_joins_and_choices(backend, rng):
    parts = [rng.standard_normal((2, n, 3)).astype(np.float32) for n in (1, 4, 2)]
    joined = backend_of(*[backend.array(p) for p in parts]).concatenate([backend.array(p) for p in parts], 1)
    assert np.array_equal(backend.get(joined), np.concatenate(parts, 1))
    for view, part in zip(_split(joined, [1, 4, 2], 1), parts, strict=True):
        assert np.array_equal(backend.get(view), part)
    a, b = parts[1], parts[1][:, :1]
    mask = rng.random((2, 4, 3)) < 0.5
    on = [backend.array(v) for v in (a, b)]
    for condition, chosen in ((mask, mask), (backend.array(mask), mask), (mask[:1], mask[:1])):
        assert np.array_equal(backend.get(backend_of(*on).where(condition, *on)), np.where(chosen, a, b))
    assert np.array_equal(backend.get(backend_of(*on).where(mask, on[0], np.float32(0))), np.where(mask, a, 0))


def functions(x, y):
    """Everything that the tape records and `ops` has no name for."""
    z = (x * y + x / (y * y + 2) - 3 * y).abs() ** 2 + (x * x + 0.5) ** (y * 0.25) + (x * x + 1).sqrt()
    z = ct.autograd.concatenate([z, (-z)[1:3] * 2.0, 1 - x], 0)
    z = ct.autograd.where(np.arange(3) > 0, z, 0.5).reshape(4, -1).T
    return (
        z.max(1).mean()
        + z.mean(0).sum()
        + z.sum(1, keepdims=True).sum(axis=0).max()
        + (z @ z.T).tanh().exp().log().mean()
    )


def more_functions(x, y):
    """The methods that have NumPy's names, and joins."""
    joined = ct.autograd.einsum("ij,kj->ik", x.sin(), ct.autograd.stack([y.cos(), y.clip(-0.5, 0.5)]))
    z = ct.autograd.maximum(x, y) - ct.autograd.minimum(x, 0.1) + x.cumsum(0) * y.expand_dims(0)
    first, second = z.pad(((0, 1), (1, 0)), 0.5).split(2)
    return (
        first.norm(1).sum()
        + second.std()
        + second.var(0).min()
        + joined.sum()
        + z.min(1, keepdims=True).squeeze().sum()
    )


def test_gradients_of_more_functions_on_the_tape(backend, rng):
    values = [rng.standard_normal(shape).astype(np.float32) for shape in ((5, 3), (3,))]
    cpu = [ct.Tensor(v, requires_grad=True) for v in values]
    on = [ct.Tensor(backend.array(v), requires_grad=True) for v in values]
    expected, found = more_functions(*cpu), more_functions(*on)
    expected.backward()
    found.backward()
    assert np.allclose(backend.get(found.data), expected.data, rtol=1e-5)
    for a, b in zip(on, cpu, strict=True):
        assert np.allclose(backend.get(a.grad), b.grad, rtol=1e-4, atol=1e-5)
    assert np.array_equal(on[0].argmax(1), values[0].argmax(1)) and on[0].argmin() == values[0].argmin()


def test_gradients_on_the_tape(backend, rng):
    values = [rng.standard_normal(shape).astype(np.float32) for shape in ((5, 3), (3,))]
    cpu = [ct.Tensor(v, requires_grad=True) for v in values]
    on = [ct.Tensor(backend.array(v), requires_grad=True) for v in values]
    expected, found = functions(*cpu), functions(*on)
    assert found.device == backend.device and np.isclose(found.item(), expected.item(), rtol=1e-5)
    expected.backward()
    found.backward()
    for a, b in zip(on, cpu, strict=True):
        assert np.allclose(backend.get(a.grad), b.grad, rtol=2e-4, atol=1e-5)
    measured, claimed = directional(
        lambda *v: functions(*map(ct.Tensor, v)).item(), [v.astype(np.float64) for v in values],
        [backend.get(a.grad) for a in on], rng,
    )  # fmt: skip
    assert np.isclose(measured, claimed, rtol=1e-3)
    assert np.array_equal(np.asarray(on[0]), values[0]) and on[0].numpy().base is None


@pytest.mark.on_a_device
def test_mixtures_are_refused_by_name(backend):
    x = ct.Tensor(backend.array(np.ones(3, np.float32)), requires_grad=True)
    with pytest.raises(TypeError, match=r"add: all arrays must be on one device, got a .* b numpy"):
        _ = x + np.ones(3, np.float32)
    with pytest.raises(TypeError, match="concatenate: all arrays must be on one device"):
        ct.autograd.concatenate([x, ct.Tensor(np.ones(3, np.float32))])
    with pytest.raises(TypeError, match="must be float32, got float64"):
        ct.Tensor(backend.array(np.ones(3)))
    wide = backend.array(np.ones((2, 3, 2, 3, 2, 3, 2), np.float32))
    with pytest.raises(ValueError, match="more than 5 axes"):
        backend_of(wide[:, :2, :1, :2, :1, :2], backend.array(np.ones((2, 1, 2, 1, 2, 1, 2), np.float32))).add(
            wide[:, :2, :1, :2, :1, :2], backend.array(np.ones((2, 1, 2, 1, 2, 1, 2), np.float32))
        )
    _ = x * 2
