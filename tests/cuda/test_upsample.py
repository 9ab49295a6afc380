"""Tests that linear upsampling has the CPU's bits, forward and backward, and is within the bound of float64."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from tests.cuda.agreement import same_as_cpu

_CASES = [
    ((2, 3, 5), 2), ((1, 1, 1), 3), ((2, 7, 1), 5), ((1, 4, 3, 2), (3, 1)), ((1, 4, 3, 2), (1, 1)), ((3, 5, 1, 33), (2, 4)),
    ((1, 2, 3, 2, 1), 2), ((2, 2, 1, 5, 3), (1, 3, 2)), ((0, 3, 2), 2), ((2, 0, 2), 2), ((2, 3, 0), 2), ((1, 257, 2), 3),
]  # fmt: skip


@pytest.mark.parametrize("shape, factor", _CASES, ids=str)
def test_agrees_with_float64_and_with_the_cpu(backend, rng, shape, factor):
    x = rng.standard_normal(shape).astype(np.float32)
    y = ct.ops.upsample(x, factor, mode="linear")
    found = backend.get(ct.ops.upsample(backend.array(x), factor, mode="linear"))
    assert same_as_cpu(found, y)
    exact = ct.ops.upsample(x.astype(np.float64), factor, mode="linear")
    assert np.allclose(found, exact, rtol=0, atol=1e-5)
    dy = rng.standard_normal(y.shape).astype(np.float32)
    dx = backend.get(ct.ops.upsample_backward(backend.array(dy), factor, mode="linear"))
    assert same_as_cpu(dx, ct.ops.upsample_backward(dy, factor, mode="linear"))
    exact = ct.ops.upsample_backward(dy.astype(np.float64), factor, mode="linear")
    assert np.allclose(dx, exact, rtol=0, atol=1e-4)
    backend.get(ct.ops.relu(backend.array(np.ones(1, np.float32))))  # what is empty launches nothing


def test_layouts_and_what_is_not_finite(backend, rng):
    x = rng.standard_normal((4, 6, 5, 3)).astype(np.float32)
    x[0, 2, 1, 0], x[1, 3, 3, 1] = np.nan, np.inf
    views = (lambda a: a[::2, ::-1, 1:4], lambda a: a.transpose(3, 2, 1, 0))
    for view in views:
        for run in (ct.ops.upsample, ct.ops.upsample_backward):
            given = view(x) if run is ct.ops.upsample else view(ct.ops.upsample(x, (2, 2)))[:, :2, :2]
            on = backend.array(x) if run is ct.ops.upsample else backend.array(ct.ops.upsample(x, (2, 2)))
            on = view(on) if run is ct.ops.upsample else view(on)[:, :2, :2]
            with np.errstate(invalid="ignore"):
                assert same_as_cpu(backend.get(run(on, 2, mode="linear")), run(given, 2, mode="linear"))
    edge = np.array([[[np.inf], [1], [2], [-np.inf]]], np.float32)  # 0 times infinity is NaN, where the CPU has it
    with np.errstate(invalid="ignore"):
        y = ct.ops.upsample(edge, 3, mode="linear")
        assert same_as_cpu(backend.get(ct.ops.upsample(backend.array(edge), 3, mode="linear")), y)
    same = backend.array(x)
    assert ct.ops.upsample(same, 1, mode="linear") is not same
    assert same_as_cpu(backend.get(ct.ops.upsample(same, 1, mode="linear")), x)


def test_errors(backend):
    x = backend.array(np.ones((1, 4, 4, 2), np.float32))
    with pytest.raises(ValueError, match="must be multiples of the factors"):
        ct.ops.upsample_backward(x, 3, mode="linear")
    assert np.all(backend.get(ct.ops.upsample(x, mode="linear")) == 1)


@pytest.mark.on_a_device
def test_doubles_are_refused(backend):
    with pytest.raises(TypeError, match="upsample: x must be float32 on CUDA"):
        ct.ops.upsample(backend.array(np.ones((1, 4, 2))), mode="linear")
    with pytest.raises(TypeError, match="upsample_backward: dy must be float32 on CUDA"):
        ct.ops.upsample_backward(backend.array(np.ones((1, 4, 2))), mode="linear")
    ct.ops.upsample(backend.array(np.ones((1, 4, 2), np.float32)), mode="linear")
