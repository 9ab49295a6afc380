"""Tests that optimizer steps have the CPU's bits over many steps, are close to float64, and keep zeros."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase import ops
from tests.cuda.agreement import same_as_cpu
from tests.ops.test_optim import RULES, away_from_zero


@pytest.mark.parametrize("name", list(RULES))
@pytest.mark.parametrize("penalty", [{}, {"l1": 0.01}, {"l2": 0.02, "decay": 0.1}], ids=str)
@pytest.mark.parametrize("size", [1, 37, 2500])
def test_agrees_with_float64_and_with_the_cpu(backend, rng, name, penalty, size):
    step, reference, states, extra = RULES[name]
    cpu = [away_from_zero(rng, size, np.float32), *(np.zeros(size, np.float32) for _ in range(states))]
    on = [backend.array(x) for x in cpu]
    p, state = cpu[0].astype(np.float64), [np.zeros(size) for _ in range(states)]
    for t in range(1, 6):
        g = away_from_zero(rng, size, np.float32)
        step(cpu[0], g, cpu[1:], t, lr=0.01, **extra, **penalty)
        step(on[0], backend.array(g), on[1:], t, lr=0.01, **extra, **penalty)
        p, state = reference(
            p, g.astype(np.float64), state or [0.0], t, 0.01, **{"l1": 0, "l2": 0, "decay": 0, **penalty}, **extra
        )
    assert np.allclose(backend.get(on[0]), p, rtol=2e-5, atol=2e-6)
    assert all(same_as_cpu(backend.get(x), y) for x, y in zip(on, cpu, strict=True))


def test_zeros_stay_zero(backend):
    arrays = [backend.array(np.zeros(100, np.float32)) for _ in range(4)]
    ops.adam_step(*arrays, lr=0.1, step=1, l1=0.1, l2=0.1, decay=0.1)
    assert all(np.all(backend.get(x) == 0) for x in arrays)


def test_a_gradient_to_come(backend, rng):
    x, dz = rng.standard_normal((9, 20)).astype(np.float32), rng.standard_normal((9, 6)).astype(np.float32)
    p = rng.standard_normal((20, 6)).astype(np.float32)
    on = backend.array(p)
    ops.sgd_step(on, ops.LinearGradient(backend.array(x), backend.array(dz)), lr=0.1)
    ops.sgd_step(p, ops.LinearGradient(x, dz), lr=0.1)
    assert same_as_cpu(backend.get(on), p)


def test_errors(backend):
    p = backend.array(np.ones(3, np.float32))
    with pytest.raises(ValueError, match="grad must be like param"):
        ops.sgd_step(p, backend.array(np.ones(4, np.float32)), lr=0.1)
    with pytest.raises(ValueError, match="lr must be 0 or more"):
        ops.sgd_step(p, p, lr=-1)
    with pytest.raises(ValueError, match=r"must be (writable, )?contiguous"):
        ops.sgd_step(backend.array(np.ones(6, np.float32))[::2], p, lr=0.1)
    assert np.all(backend.get(p) == 1)  # nothing was stepped
    ops.sgd_step(p, p[:], lr=0.5)
    assert np.all(backend.get(p) == 0.5)


@pytest.mark.on_a_device
def test_mixtures_are_refused(backend):
    p = backend.array(np.ones(3, np.float32))
    with pytest.raises(TypeError, match="on one device"):
        ops.sgd_step(p, np.ones(3, np.float32), lr=0.1)
    ct.ops.relu(p)
