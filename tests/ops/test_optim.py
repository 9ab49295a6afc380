"""Tests of optimizer steps against float64 NumPy over many steps, and that zeros stay where they must."""

from __future__ import annotations

import numpy as np
import pytest

from catalase import ops
from tests.agreement import same_as_cpu
from tests.reference import optim as reference

RULES = {
    "sgd": (lambda p, g, s, t, **k: ops.sgd_step(p, g, **k), reference.sgd, 0, {}),
    "momentum": (lambda p, g, s, t, **k: ops.momentum_step(p, g, *s, **k), reference.momentum, 1, {"momentum": 0.8}),
    "nesterov": (lambda p, g, s, t, **k: ops.momentum_step(p, g, *s, **k), reference.momentum, 1, {"nesterov": True}),
    "adam": (lambda p, g, s, t, **k: ops.adam_step(p, g, *s, step=t, **k), reference.adam, 2, {}),
    "adagrad": (lambda p, g, s, t, **k: ops.adagrad_step(p, g, *s, **k), reference.adagrad, 1, {}),
    "amsgrad": (lambda p, g, s, t, **k: ops.adam_step(p, g, *s, step=t, **k), reference.amsgrad, 3, {"beta2": 0.9}),
    "lion": (lambda p, g, s, t, **k: ops.lion_step(p, g, *s, **k), reference.lion, 1, {"beta2": 0.98}),
    "lamb": (lambda p, g, s, t, **k: ops.lamb_step(p, g, *s, step=t, **k), reference.lamb, 2, {}),
    "rmsprop": (lambda p, g, s, t, **k: ops.rmsprop_step(p, g, *s, **k), reference.rmsprop, 2, {"momentum": 0.5}),
}


def away_from_zero(rng, size, dtype):
    x = rng.standard_normal(size)
    return (x + np.copysign(0.5, x)).astype(dtype)


CASES = [
    *((1, np.float32), (37, np.float32), (2500, np.float32)),
    *(
        pytest.param(*case, marks=pytest.mark.on_the_cpu)
        for case in ((0, np.float32), (1, np.float64), (70_001, np.float32))
    ),
]


@pytest.mark.parametrize("name", list(RULES))
@pytest.mark.parametrize("penalty", [{}, {"l1": 0.01}, {"l2": 0.02, "decay": 0.1}], ids=str)
@pytest.mark.parametrize("size, dtype", CASES)
def test_agrees_with_float64_and_the_cpu(backend, threads, rng, name, penalty, size, dtype):
    step, exact_step, n_state, settings = RULES[name]
    settings = {"lr": 0.001, "l1": 0.0, "l2": 0.0, "decay": 0.0, **settings, **penalty}
    # Away from zero: a first gradient next to zero has no stable root.
    cpu = [away_from_zero(rng, size, dtype), *(np.zeros(size, dtype) for _ in range(n_state))]
    on = list(map(backend.array, cpu))
    exact, *exact_state = (a.astype(np.float64) for a in cpu)
    for t in range(1, 9):
        g = away_from_zero(rng, size, dtype)
        if name == "lion" and "l1" in penalty:
            g = np.abs(g)  # next to a zero of the moment its reciprocal has no stable value
        step(on[0], backend.array(g), on[1:], t, **settings)
        step(cpu[0], g, cpu[1:], t, **settings)
        exact, exact_state = exact_step(exact, g.astype(np.float64), exact_state, t, **settings)
    found = list(map(backend.get, on))
    tolerance = 40 * 8 * np.finfo(dtype).eps  # 8 steps of some 40 roundings each
    assert np.allclose(found[0], exact, rtol=tolerance, atol=tolerance), np.abs(found[0] - exact).max(initial=0)
    if name != "lamb":  # whose norms a device sums in another order
        assert all(map(same_as_cpu, found, cpu))


@pytest.mark.parametrize("name", list(RULES))
def test_zeros_stay_zero(backend, name):
    step, _, n_state, settings = RULES[name]
    p, g, *state = (backend.array(np.zeros(100, np.float32)) for _ in range(2 + n_state))
    for t in range(1, 6):
        step(p, g, state, t, lr=0.1, l1=0.1, l2=0.1, decay=0.1, **settings)
    assert not any(backend.get(a).any() for a in (p, *state))


@pytest.mark.on_the_cpu
def test_moments_of_dead_units_do_not_turn_denormal(backend):
    p, m, v = np.ones(64, np.float32), np.full(64, 1e-3, np.float32), np.full(64, 1e-6, np.float32)
    for t in range(1, 1201):
        ops.adam_step(p, np.zeros(64, np.float32), m, v, lr=1e-3, step=t)
    assert np.all((m == 0) | (np.abs(m) >= np.finfo(np.float32).tiny))


@pytest.mark.at_one_level
def test_bad_input(backend):
    p, g, m, v, long = (backend.array(np.ones(n, np.float32)) for n in (4, 4, 4, 4, 8))
    for call, words in [
        (lambda: ops.sgd_step(p, g, lr=-1), "lr must be 0 or more"),
        (lambda: ops.sgd_step(p, g[:3], lr=1), "grad must be like param"),
        (lambda: ops.sgd_step(p, long[::2], lr=1), "grad must be contiguous"),
        (lambda: ops.sgd_step(long[::2], g, lr=1), r"must be (writable, )?contiguous"),
        (lambda: ops.adam_step(p, g, m, v, lr=1, step=0), "step must be 1 or more"),
        (lambda: ops.momentum_step(p, g, m, lr=1, momentum=1.0), "momentum must be from 0 to below 1"),
        (lambda: ops.rmsprop_step(p, g, m, lr=1, momentum=0.5), "needs mom"),
    ]:
        with pytest.raises(ValueError, match=words):
            call()
    assert np.all(backend.get(p) == 1), "a refused call changes nothing"
    ops.sgd_step(p, p[:], lr=0.5)
    assert np.all(backend.get(p) == 0.5)


@pytest.mark.parametrize("name", list(RULES))
def test_the_proximal_step_gives_exact_zeros_and_lets_nan_through(backend, name):
    step, _, n_state, settings = RULES[name]
    p = backend.array(np.array([1e-3, -1e-3, 50.0, 1.0, -0.0], np.float32))
    g = backend.array(np.array([1e-4, -1e-4, 1.0, np.nan, 0.0], np.float32))
    state = [backend.array(np.full(5, 0.01, np.float32)) for _ in range(n_state)]
    if name == "lamb":  # its norms carry a NaN to all
        p, g = backend.array(np.array([1e-6, 50.0], np.float32)), backend.array(np.array([1e-4, 1.0], np.float32))
        state = [backend.array(np.full(2, 0.01, np.float32)) for _ in range(n_state)]
        step(p, g, state, 3, lr=0.001, l1=1.0, **settings)
        assert backend.get(p)[0] == 0 and backend.get(p)[1] > 1
        return
    step(p, g, state, 3, lr=0.01, l1=1.0, **settings)
    found = backend.get(p)
    assert not found[:2].any() and not found[4].any() and found[2] > 1 and np.isnan(found[3])


def test_a_gradient_to_come(backend, rng):
    x, dz = rng.standard_normal((9, 20)).astype(np.float32), rng.standard_normal((9, 6)).astype(np.float32)
    p = rng.standard_normal((20, 6)).astype(np.float32)
    on = backend.array(p)
    ops.sgd_step(on, ops.LinearGradient(backend.array(x), backend.array(dz)), lr=0.1)
    ops.sgd_step(p, ops.LinearGradient(x, dz), lr=0.1)
    assert same_as_cpu(backend.get(on), p)


@pytest.mark.on_the_cpu
@pytest.mark.parametrize("name", [name for name in RULES if name != "lamb"])
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


@pytest.mark.on_the_cpu
def test_more_than_a_thousand_steps_do_not_leave_denormals(backend):
    """Moments of dead units decay by 0.9 a step, and are denormal after some 800; kernels flush them to zero."""
    p, m, v = np.ones(64, np.float32), np.full(64, 1e-3, np.float32), np.full(64, 1e-30, np.float32)
    zero = np.zeros(64, np.float32)
    for step in range(1, 1301):
        ops.adam_step(p, zero, m, v, lr=1e-3, step=step)
    assert (m == 0).all(), "the first moment is flushed once it is below the smallest normal number"
    tiny = np.finfo(np.float32).tiny
    assert all(((a == 0) | (np.abs(a) >= tiny)).all() for a in (p, m, v))
