"""Tests that convolution in any number of dimensions, as one product a tap, has the CPU's bits."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from tests.agreement import same_as_cpu

# x, w, options
CASES = [
    ((2, 3, 4, 3, 5, 2), (2, 1, 3, 2, 2, 3), {"padding": "same", "stride": (2, 1, 1, 3), "activation": "relu"}),
    ((1, 3, 3, 3, 3, 4), (2, 2, 2, 2, 2, 6), {"padding": "valid", "groups": 2, "flip_kernel": True, "activation": "tanh"}),
    ((2, 5, 1, 4, 2, 1), (3, 1, 2, 2, 1, 1), {"padding": ((2, 0), (0, 0), (1, 1), (0, 3)), "dilation": (2, 1, 1, 2)}),
    ((2, 2, 2, 2, 2, 2, 3), (2, 1, 2, 1, 2, 3, 2), {}), ((3, 2), (2, 5), {"activation": "sigmoid"}), ((2, 7, 4), (3, 2, 4), {"groups": 2}),
    ((0, 3, 3, 3, 3, 2), (2, 2, 2, 2, 2, 3), {}), ((1, 1, 1, 1, 1, 1), (1, 1, 1, 1, 1, 1), {}), ((1, 2, 2, 2, 2, 0), (1, 1, 1, 1, 0, 2), {}),
]  # fmt: skip


@pytest.mark.parametrize("shape, kernel, options", CASES, ids=str)
def test_agrees_with_the_cpu_and_float64(backend, rng, shape, kernel, options):
    x, w, b = (rng.standard_normal(s).astype(np.float32) for s in (shape, kernel, kernel[-1:]))
    on_x, on_w, on_b = (backend.array(a) for a in (x, w, b))
    for bias, on_bias in ((b, on_b), (None, None)):
        y = backend.get(ct.ops.convnd(on_x, on_w, on_bias, **options))
        expected = ct.ops.convnd(x, w, bias, **options)
        assert same_as_cpu(y, expected)
    exact = ct.ops.convnd(x.astype(np.float64), w.astype(np.float64), **options)
    assert np.allclose(y, exact, rtol=1e-4, atol=1e-4)
    dy = rng.standard_normal(y.shape).astype(np.float32)
    cpu = ct.ops.convnd_backward(dy, x, w, y, **options)
    found = ct.ops.convnd_backward(backend.array(dy), on_x, on_w, backend.array(y), **options)
    double = ct.ops.convnd_backward(*(a.astype(np.float64) for a in (dy, x, w, y)), **options)
    for gradient, own, exact in zip(cpu, found, double, strict=True):
        assert same_as_cpu(backend.get(own), gradient)
        assert np.allclose(backend.get(own), exact, rtol=1e-4, atol=1e-4)
    none, dw, _ = ct.ops.convnd_backward(backend.array(dy), on_x, on_w, backend.array(y), need_dx=False, **options)
    assert none is None and same_as_cpu(backend.get(dw), cpu[1])
    assert np.array_equal(backend.get(on_x), x) and np.array_equal(backend.get(on_w), w)


def test_views(backend, rng):
    x, w = (rng.standard_normal(s).astype(np.float32) for s in ((3, 4, 5, 3, 4, 6), (2, 2, 1, 2, 4, 6)))
    on_x, on_w = backend.array(x), backend.array(w)
    y = ct.ops.convnd(on_x[::2, ::-1, :, :, :, 1:5], on_w[..., ::2])
    assert same_as_cpu(backend.get(y), ct.ops.convnd(x[::2, ::-1, :, :, :, 1:5].copy(), w[..., ::2].copy()))


@pytest.mark.on_a_device
def test_lower_precision_leaves_it_as_it_is(backend, rng):
    x, w = (rng.standard_normal(s).astype(np.float32) for s in ((2, 2, 3, 2, 2, 9), (2, 1, 2, 1, 9, 9)))
    expected = ct.ops.convnd(x, w)
    ct.set_matmul_precision("tf32")
    try:
        y = backend.get(ct.ops.convnd(backend.array(x), backend.array(w)))
    finally:
        ct.set_matmul_precision("float32")
    assert same_as_cpu(y, expected)


@pytest.mark.at_one_level
def test_errors(backend):
    x, w = (backend.array(np.ones(s, np.float32)) for s in ((1, 2, 2, 2, 2, 3), (1, 1, 1, 1, 3, 2)))
    with pytest.raises(ValueError, match="x has 3 channels but w takes 2"):
        ct.ops.convnd(x, w[:, :, :, :, :2])
    y = ct.ops.convnd(x, w)
    with pytest.raises(ValueError, match="dy must have shape"):
        ct.ops.convnd_backward(x, x, w, y)
    assert np.all(backend.get(y) == 3)


@pytest.mark.on_a_device
def test_mixtures_and_doubles_are_refused(backend):
    x, w = (backend.array(np.ones(s, np.float32)) for s in ((1, 2, 2, 2, 2, 3), (1, 1, 1, 1, 3, 2)))
    with pytest.raises(TypeError, match=r"convnd: all arrays must be on one device, got x .* w numpy"):
        ct.ops.convnd(x, np.ones((1, 1, 1, 1, 3, 2), np.float32))
    with pytest.raises(TypeError, match="on one device"):
        ct.ops.convnd(np.ones((1, 2, 2, 2, 2, 3), np.float32), w)
    ct.ops.convnd(x, w)
    with pytest.raises(TypeError, match="must be float32 on CUDA"):
        ct.ops.convnd(backend.array(np.ones((1, 2, 3))), backend.array(np.ones((1, 3, 2))))
