"""Tests that pooling is within one rounding of the oracle, and has the CPU's bits on a device."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import catalase as ct
from tests.cuda.agreement import same_as_cpu
from tests.ops.test_pool import configurations, functions
from tests.reference import pool as reference

EPS = float(np.finfo(np.float32).eps)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(config=configurations(), seed=st.integers(0, 2**32 - 1))
def test_every_geometry(backend, config, seed):
    shape, size, stride, padding = config
    rng = np.random.default_rng(seed)
    options = {"stride": stride, "padding": padding}
    for kind in ("max", "avg"):
        forward, backward = functions(kind, len(size))
        for x in (rng.integers(-3, 4, shape).astype(np.float32), rng.standard_normal(shape).astype(np.float32)):
            y = backend.get(forward(backend.array(x), size, **options))
            assert same_as_cpu(y, forward(x, size, **options)), config
            exact = reference.pool(kind, x, size, stride, padding)
            assert y.shape == exact.shape and np.allclose(y, exact, rtol=EPS, atol=0 if kind == "max" else 64 * EPS), (
                config
            )
            dy = rng.standard_normal(y.shape).astype(np.float32)
            on = backend.array(x) if kind == "max" else shape
            dx = backend.get(backward(backend.array(dy), on, size, **options))
            assert same_as_cpu(dx, backward(dy, x if kind == "max" else shape, size, **options)), config
        exact = reference.pool_backward(kind, dy, x, size, stride, padding)
        assert dx.shape == exact.shape and np.allclose(dx, exact, rtol=0, atol=64 * EPS * 8), config


def test_global_pooling_and_nan(backend, rng):
    x = rng.standard_normal((2, 5, 4, 3)).astype(np.float32)
    x[0, 2, 1, 0] = np.nan
    dy = rng.standard_normal((2, 3)).astype(np.float32)
    for name, given_ in (("global_max_pool", x), ("global_avg_pool", x.shape)):
        forward, backward = getattr(ct.ops, name), getattr(ct.ops, name + "_backward")
        assert same_as_cpu(backend.get(forward(backend.array(x))), forward(x))
        on = backend.array(x) if given_ is x else given_
        dx = backend.get(backward(backend.array(dy), on))
        assert same_as_cpu(dx, backward(dy, given_))
        whole, reduce = x.reshape(2, 20, 3).astype(np.float64), np.max if "max" in name else np.mean
        assert np.allclose(backend.get(forward(backend.array(x))), reduce(whole, axis=1), atol=1e-6, equal_nan=True)
        assert np.allclose(dx.sum((1, 2)), dy, atol=1e-5) and np.count_nonzero(dx) == dy.size * (
            1 if "max" in name else 20
        )


@pytest.mark.parametrize("shape, factor", [((2, 3, 5), 2), ((1, 4, 3, 2), (3, 1)), ((1, 2, 3, 2, 1), 2)], ids=str)
def test_upsampling(backend, rng, shape, factor):
    x = rng.standard_normal(shape).astype(np.float32)
    y = ct.ops.upsample(x, factor)
    assert np.array_equal(backend.get(ct.ops.upsample(backend.array(x), factor)), y)
    factors = factor if isinstance(factor, tuple) else (factor,) * (len(shape) - 2)
    assert np.array_equal(y, reference.upsample(x, factors, "nearest"))
    dy = rng.standard_normal(y.shape).astype(np.float32)
    assert same_as_cpu(
        backend.get(ct.ops.upsample_backward(backend.array(dy), factor)), ct.ops.upsample_backward(dy, factor)
    )


def test_errors(backend):
    x = backend.array(np.ones((1, 4, 4, 2), np.float32))
    with pytest.raises(ValueError, match="x must have 3 axes"):
        ct.ops.max_pool1d(x)
    with pytest.raises(ValueError, match="the window of size 5 is larger than x"):
        ct.ops.max_pool2d(x, 5)
    with pytest.raises(ValueError, match="dy must have shape"):
        ct.ops.max_pool2d_backward(x, x)
    assert np.all(backend.get(ct.ops.max_pool2d(x)) == 1)


@pytest.mark.on_a_device
def test_mixtures_and_doubles_are_refused(backend):
    x = backend.array(np.ones((1, 4, 4, 2), np.float32))
    with pytest.raises(TypeError, match="on one device"):
        ct.ops.max_pool2d_backward(x[:, :2, :2], np.ones((1, 4, 4, 2), np.float32))
    with pytest.raises(TypeError, match="must be float32 on CUDA"):
        ct.ops.avg_pool2d(backend.array(np.ones((1, 4, 4, 2))))
    ct.ops.max_pool2d(x)
