"""Maps: the CPU's bits, and close to float64."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase import _core
from tests.reference.activations import ACTIVATIONS, NAMES

REFERENCES = {
    **{name: ACTIVATIONS[name] for name in NAMES},
    "exp": np.exp,
    "log": np.log,
}
SPECIAL = np.array(
    [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 88.7, 88.8, -87.3, -103.9, 0.625, 0.5, 3e38, 1.2e-38], np.float32
)


def inputs(rng, size):
    x = np.concatenate(
        [SPECIAL, (rng.standard_normal(max(size - 15, 0)) * rng.choice([0.1, 1, 30], max(size - 15, 0)))]
    )
    return rng.permutation(x)[:size].astype(np.float32)


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("size", [1, 255, 256, 257, 3000])
def test_agrees_with_float64_and_with_the_cpu(backend, rng, name, size):
    x = inputs(rng, size)
    y = backend.get(getattr(ct.ops, name)(backend.array(x)))
    with np.errstate(all="ignore"):
        exact = REFERENCES[name](x.astype(np.float64))
        exact = np.where(np.abs(exact) > np.finfo(np.float32).max, np.sign(exact) * np.inf, exact)
    assert y.dtype == np.float32 and y.shape == x.shape
    assert np.array_equal(np.isnan(y), np.isnan(exact))
    finite = np.isfinite(exact)
    assert np.array_equal(y[~finite & ~np.isnan(exact)], exact[~finite & ~np.isnan(exact)])
    error = np.abs(y[finite] - exact[finite])
    assert np.all(error <= 4 * np.finfo(np.float32).eps * np.abs(exact[finite]) + np.finfo(np.float32).tiny)
    if _core.get_cpu_level() != "portable":
        assert np.array_equal(y, getattr(ct.ops, name)(x), equal_nan=True)


@pytest.mark.parametrize("name", [None, *ACTIVATIONS])
def test_derivatives(backend, rng, name):
    x, dy = inputs(rng, 1000), rng.standard_normal(1000).astype(np.float32)
    y = ct.ops.activation(x, name)
    dx = backend.get(ct.ops.activation_backward(*map(backend.array, (dy, y)), name, x=backend.array(x)))
    cpu = ct.ops.activation_backward(dy, y, name, x=x)
    if _core.get_cpu_level() == "portable":
        assert np.allclose(dx, cpu, rtol=1e-5, atol=1e-7, equal_nan=True)
    else:
        assert np.array_equal(dx, cpu, equal_nan=True)
    assert np.array_equal(backend.get(ct.ops.activation(backend.array(x), name)), y, equal_nan=True) or name


def test_layouts_and_outputs(backend, rng):
    x = rng.standard_normal((12, 10)).astype(np.float32)
    on = backend.array(x)
    assert np.array_equal(backend.get(ct.ops.relu(on[::-2, 1::3])), np.maximum(x[::-2, 1::3], 0))
    out = backend.poisoned((12, 10))
    assert ct.ops.relu(on, out=out) is out and np.array_equal(backend.get(out), np.maximum(x, 0))
    wide = backend.poisoned((12, 20))
    ct.ops.relu(on, out=wide[:, ::2])
    assert np.array_equal(backend.get(wide)[:, ::2], np.maximum(x, 0)) and np.isnan(backend.get(wide)[:, 1::2]).all()
    assert ct.ops.relu(on, out=on) is on and np.array_equal(backend.get(on), np.maximum(x, 0))
    assert ct.ops.relu(backend.array(np.empty((0, 3), np.float32))).shape == (0, 3)


def test_errors(backend):
    x = backend.array(np.ones(3, np.float32))
    with pytest.raises(ValueError, match=r"relu: out must be float32 of shape \(3,\)"):
        ct.ops.relu(x, out=backend.array(np.ones(4, np.float32)))
    with pytest.raises(ValueError, match="equal shapes"):
        ct.ops.activation_backward(x, backend.array(np.ones(4, np.float32)), "relu")
    assert np.allclose(backend.get(ct.ops.exp(x)), np.e)


@pytest.mark.on_a_device
def test_doubles_are_refused(backend):
    ct.ops.exp(backend.array(np.ones(3, np.float32)))
    with pytest.raises(TypeError, match="must be float32 on CUDA, got float64"):
        ct.ops.exp(backend.array(np.ones(3)))


def test_out_may_overlap_what_is_read(backend, rng):
    x = rng.standard_normal(3000).astype(np.float32)
    on = backend.array(x)
    ct.ops.relu(on[1:], out=on[:-1])
    assert np.array_equal(backend.get(on), np.append(np.maximum(x[1:], 0), x[-1]))
