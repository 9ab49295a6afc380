"""Tests that batch normalization has the CPU's bits over awkward shapes, and is close to float64."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from tests.cuda.agreement import same_as_cpu
from tests.reference import norm as reference


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (63, 5), (64, 33), (65, 2), (211, 7), (2, 9, 8, 3)], ids=str)
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("inference", [False, True])
def test_agrees_with_float64_and_with_the_cpu(backend, rng, shape, relu, inference):
    channels, eps, activation = shape[-1], 1e-3, "relu" if relu else None
    x = (rng.standard_normal(shape) * 3 + 100 * rng.standard_normal(channels)).astype(np.float32)
    gamma, beta, mean = (rng.standard_normal(channels).astype(np.float32) for _ in range(3))
    used = (mean, (rng.random(channels) + 0.1).astype(np.float32)) if inference else ()
    cpu = ct.ops.batch_norm(x, gamma, beta, *used, eps=eps, activation=activation)
    on = ct.ops.batch_norm(*map(backend.array, (x, gamma, beta, *used)), eps=eps, activation=activation)
    assert all(same_as_cpu(backend.get(a), b) for a, b in zip(on, cpu, strict=True))
    flat = x.reshape(-1, channels)
    exact = reference.batch_norm(flat, gamma, beta, *(s.astype(np.float64) for s in cpu[1:]), eps, relu).reshape(shape)
    assert np.allclose(backend.get(on[0]), exact, rtol=1e-4, atol=1e-3)
    dy = rng.standard_normal(shape).astype(np.float32)
    options = {"batch_statistics": not inference, "eps": eps, "activation": activation}
    expected = ct.ops.batch_norm_backward(dy, x, gamma, beta, *cpu[1:], **options)
    arguments = [backend.array(a) for a in (dy, x, gamma, beta, *cpu[1:])]
    found = ct.ops.batch_norm_backward(*arguments, **options)
    assert all(same_as_cpu(backend.get(a), b) for a, b in zip(found, expected, strict=True))
    if not relu or np.all(np.abs(exact[exact != 0]) > 1e-4):  # on the edge either side is right
        double = [a.astype(np.float64) for a in (gamma, beta, *cpu[1:])]
        right = reference.batch_norm_backward(dy.reshape(-1, channels), flat, *double, eps, relu, not inference)
        for a, b in zip(found, right, strict=True):
            slack = 1e-5 * (1 + np.abs(b).max() + len(flat))
            assert np.allclose(backend.get(a).reshape(b.shape), b, rtol=1e-4, atol=slack)
    none, dgamma, _ = ct.ops.batch_norm_backward(*arguments, **options, input_gradient=False)
    assert none is None and np.array_equal(backend.get(dgamma), backend.get(found[1]))


def test_errors(backend):
    x, one = backend.array(np.ones((3, 2), np.float32)), backend.array(np.ones(2, np.float32))
    with pytest.raises(ValueError, match=r"gamma must have shape \(2,\)"):
        ct.ops.batch_norm(x, backend.array(np.ones(3, np.float32)), one)
    with pytest.raises(ValueError, match="has no rows"):
        ct.ops.batch_norm(x[:0], one, one)
    assert np.all(backend.get(ct.ops.batch_norm(x, one, one)[0]) == 1)


@pytest.mark.on_a_device
def test_mixtures_and_doubles_are_refused(backend):
    x, one = backend.array(np.ones((3, 2), np.float32)), backend.array(np.ones(2, np.float32))
    with pytest.raises(TypeError, match="on one device"):
        ct.ops.batch_norm(x, np.ones(2, np.float32), one)
    with pytest.raises(TypeError, match="must be float32 on CUDA"):
        ct.ops.batch_norm(backend.array(np.ones((3, 2))), one, one)
    ct.ops.batch_norm(x, one, one)
