"""Tests of optimizer steps against float64 NumPy over many steps, and that zeros stay where they must."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase import ops
from tests.reference import optim as reference

RULES = {
    "sgd": (lambda p, g, s, t, **k: ops.sgd_step(p, g, **k), reference.sgd, 0, {}),
    "momentum": (lambda p, g, s, t, **k: ops.momentum_step(p, g, *s, **k), reference.momentum, 1, {"momentum": 0.8}),
    "nesterov": (lambda p, g, s, t, **k: ops.momentum_step(p, g, *s, **k), reference.momentum, 1, {"nesterov": True}),
    "adam": (lambda p, g, s, t, **k: ops.adam_step(p, g, *s, step=t, **k), reference.adam, 2, {}),
    "adagrad": (lambda p, g, s, t, **k: ops.adagrad_step(p, g, *s, **k), reference.adagrad, 1, {}),
    "rmsprop": (lambda p, g, s, t, **k: ops.rmsprop_step(p, g, *s, **k), reference.rmsprop, 2, {"momentum": 0.5}),
}


def away_from_zero(rng, size, dtype):
    x = rng.standard_normal(size)
    return (x + np.copysign(0.5, x)).astype(dtype)


@pytest.mark.parametrize("name", list(RULES))
@pytest.mark.parametrize("penalty", [{}, {"l1": 0.01}, {"l2": 0.02, "decay": 0.1}])
@pytest.mark.parametrize("size, dtype", [(0, np.float32), (1, np.float64), (37, np.float32), (70_001, np.float32)])
def test_agrees_with_float64(backend, threads, rng, name, penalty, size, dtype):
    step, exact_step, n_state, settings = RULES[name]
    settings = {"lr": 0.001, "l1": 0.0, "l2": 0.0, "decay": 0.0, **settings, **penalty}
    # Away from zero: there the sign in the L1 penalty jumps, and a first gradient next to zero has no stable root.
    p = away_from_zero(rng, size, dtype)
    state = [np.zeros(size, dtype) for _ in range(n_state)]
    exact, exact_state = p.astype(np.float64), [s.astype(np.float64) for s in state]
    for t in range(1, 9):
        g = away_from_zero(rng, size, dtype)
        step(p, g, state, t, **settings)
        exact, exact_state = exact_step(exact, g.astype(np.float64), exact_state, t, **settings)
    tolerance = 40 * 8 * np.finfo(dtype).eps  # 8 steps of some 40 roundings each
    assert np.allclose(p, exact, rtol=tolerance, atol=tolerance), np.abs(p - exact).max(initial=0)


@pytest.mark.parametrize("name", list(RULES))
def test_zeros_stay_zero(backend, name):
    step, _, n_state, settings = RULES[name]
    p, g, state = (
        np.zeros(100, np.float32),
        np.zeros(100, np.float32),
        [np.zeros(100, np.float32) for _ in range(n_state)],
    )
    for t in range(1, 6):
        step(p, g, state, t, lr=0.1, l1=0.1, l2=0.1, decay=0.1, **settings)
    assert not p.any() and not any(s.any() for s in state)


def test_moments_of_dead_units_do_not_turn_denormal(backend):
    p, m, v = np.ones(64, np.float32), np.full(64, 1e-3, np.float32), np.full(64, 1e-6, np.float32)
    for t in range(1, 1201):
        ops.adam_step(p, np.zeros(64, np.float32), m, v, lr=1e-3, step=t)
    assert np.all((m == 0) | (np.abs(m) >= np.finfo(np.float32).tiny))


def test_bad_input():
    p, g = np.ones(4, np.float32), np.ones(4, np.float32)
    for call, words in [
        (lambda: ops.sgd_step(p, g, lr=-1), "lr must be 0 or more"),
        (lambda: ops.sgd_step(p, g[:3], lr=1), "grad must be like param"),
        (lambda: ops.sgd_step(p, np.ones(8, np.float32)[::2], lr=1), "grad must be contiguous"),
        (lambda: ops.adam_step(p, g, p * 0, p * 0, lr=1, step=0), "step must be 1 or more"),
        (lambda: ops.momentum_step(p, g, p * 0, lr=1, momentum=1.0), "momentum must be from 0 to below 1"),
        (lambda: ops.rmsprop_step(p, g, p * 0, lr=1, momentum=0.5), "needs mom"),
    ]:
        with pytest.raises(ValueError, match=words):
            call()
    assert np.all(p == 1), "a refused call changes nothing"
    assert ct.ops.sgd_step is ops.sgd_step


@pytest.mark.parametrize("name", list(RULES))
@pytest.mark.parametrize("kind", ["sparse", "dense"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_gradient_computed_on_the_way_gives_the_same_bits(backend, threads, rng, name, kind, dtype):
    """Weights (203, 29) in rows of 48; the pad columns stay as they are."""
    step, _, n_state, settings = RULES[name]
    settings = {"lr": 0.01, "l1": 0.001, "l2": 0.02, "decay": 0.1, **settings}
    x = rng.standard_normal((60, 203))
    x = (x * (rng.random(x.shape) < 0.05) if kind == "sparse" else x).astype(dtype)
    dz = rng.standard_normal((60, 29)).astype(dtype)
    flat = [rng.random((203, 48)).astype(dtype) for _ in range(1 + n_state)]
    expected = [np.ascontiguousarray(a[:, :29]).reshape(-1) for a in flat]
    before = [a[:, 29:].copy() for a in flat]
    inputs = [x] + ([ops.as_sparse(x)] if kind == "sparse" else [])
    assert inputs[-1] is not None
    step(expected[0], ops.LinearGradient(x, dz).array().reshape(-1), expected[1:], 3, **settings)
    for each in inputs:
        views = [a.copy()[:, :29] for a in flat]
        step(views[0], ops.LinearGradient(each, dz), views[1:], 3, **settings)
        for view, exact in zip(views, expected, strict=True):
            assert np.array_equal(view.reshape(-1), exact), f"{backend} {threads} {name} {kind} {dtype}"
        assert all(np.array_equal(v.base[:, 29:], b) for v, b in zip(views, before, strict=True))


def test_a_gradient_that_does_not_fit_the_weights_is_refused():
    gradient = ops.LinearGradient(np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(ValueError, match=r"grad must be like param"):
        ops.sgd_step(np.zeros((4, 3)), gradient, lr=0.1)
    with pytest.raises(ValueError, match="a matrix, since grad is a LinearGradient"):
        ops.sgd_step(np.zeros(12), gradient, lr=0.1)
    with pytest.raises(ValueError, match="laid out like param"):
        ops.momentum_step(np.zeros((3, 4)), gradient, np.zeros((4, 3)).T, lr=0.1)


def test_more_than_a_thousand_steps_do_not_leave_denormals(backend):
    """Moments of dead units decay by 0.9 a step, and are denormal after some 800; kernels flush them to zero."""
    p, m, v = np.ones(64, np.float32), np.full(64, 1e-3, np.float32), np.full(64, 1e-30, np.float32)
    zero = np.zeros(64, np.float32)
    for step in range(1, 1301):
        ops.adam_step(p, zero, m, v, lr=1e-3, step=step)
    assert (m == 0).all(), "the first moment is flushed once it is below the smallest normal number"
    tiny = np.finfo(np.float32).tiny
    assert all(((a == 0) | (np.abs(a) >= tiny)).all() for a in (p, m, v))
