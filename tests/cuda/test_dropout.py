"""Tests that dropout draws the same masks as the CPU and the plain reference, to the bit."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from tests.reference.philox import word

KEY = {"seed": 2**63 + 12345, "layer": 3, "step": 2**32 - 1}


@pytest.mark.parametrize("size", [1, 15, 16, 63, 64, 65, 130, 5000])
@pytest.mark.parametrize("rate", [0.0, 0.4, 0.999])
def test_the_mask_is_the_cpus(backend, rng, size, rate):
    x, dy = rng.standard_normal(size).astype(np.float32), rng.standard_normal(size).astype(np.float32)
    kept = backend.poisoned(size, np.uint8)
    y = backend.get(ct.ops.dropout(backend.array(x), rate, **KEY, kept=kept))
    assert np.array_equal(y, ct.ops.dropout(x, rate, **KEY))
    some = range(0, size, max(1, size // 20))
    assert [bool(backend.get(kept)[i]) for i in some] == [word(i, *KEY.values()) >= round(rate * 2**32) for i in some]
    for mask in (None, kept):
        dx = backend.get(ct.ops.dropout_backward(backend.array(dy), rate, **KEY, kept=mask))
        assert np.array_equal(dx, ct.ops.dropout_backward(dy, rate, **KEY))


def test_shapes_and_errors(backend):
    x = backend.array(np.ones((6, 4), np.float32))
    assert np.array_equal(
        backend.get(ct.ops.dropout(x, 0.5, seed=1)), ct.ops.dropout(np.ones((6, 4), np.float32), 0.5, seed=1)
    )
    assert np.array_equal(
        backend.get(ct.ops.dropout(x[::2], 0.5, seed=1)), ct.ops.dropout(np.ones((3, 4), np.float32), 0.5, seed=1)
    )
    assert ct.ops.dropout(backend.array(np.empty((0, 2), np.float32)), 0.5, seed=1).shape == (0, 2)
    with pytest.raises(ValueError, match="rate must be from 0 to below 1"):
        ct.ops.dropout(x, 1.0, seed=1)
    with pytest.raises(ValueError, match=r"kept must be a (contiguous )?uint8 array"):
        ct.ops.dropout(x, 0.5, seed=1, kept=backend.poisoned((6, 3), np.uint8))


@pytest.mark.on_a_device
def test_doubles_are_refused(backend):
    ct.ops.dropout(backend.array(np.ones(3, np.float32)), 0.5, seed=1)
    with pytest.raises(TypeError, match="must be float32 on CUDA"):
        ct.ops.dropout(backend.array(np.ones(3)), 0.5, seed=1)
    with pytest.raises(TypeError, match="dropout_backward: dy must be float32"):
        ct.ops.dropout_backward(backend.array(np.ones(3)), 0.5, seed=1, kept=backend.poisoned((3,), np.uint8))
