"""Tanimoto similarities on a device: equal to the CPU's and to the reference, to the bit."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from tests.reference import tanimoto as reference


@pytest.mark.parametrize("width", [1, 3, 63, 64, 65, 128])
@pytest.mark.parametrize("rows", [(1, 1), (3, 65), (64, 63), (70, 5)], ids=str)
def test_equal_to_the_cpu(backend, rng, width, rows):
    a, b = (reference.library(rng, n, width) for n in rows)
    a[0] = 0
    b[-1] = 0  # two that are empty
    s = backend.get(ct.ops.tanimoto(backend.array(a), backend.array(b)))
    assert s.dtype == np.float32 and np.array_equal(s, ct.ops.tanimoto(a, b))
    assert np.array_equal(s, reference.tanimoto(a, b)) and s[0, -1] == 0


def test_random_bits_and_itself(backend, rng):
    a = rng.integers(0, 256, (20, 40), np.uint8)
    s = backend.get(ct.ops.tanimoto(backend.array(a), backend.array(a)))
    assert np.array_equal(s, s.T) and np.all(np.diag(s) == 1) and np.array_equal(s, reference.tanimoto(a, a))
    assert np.array_equal(backend.get(ct.ops.tanimoto(backend.array(a)[::3], backend.array(a))), s[::3])


def test_empty_and_errors(backend):
    a = backend.array(np.zeros((2, 8), np.uint8))
    assert ct.ops.tanimoto(a, backend.array(np.zeros((0, 8), np.uint8))).shape == (2, 0)
    assert np.all(backend.get(ct.ops.tanimoto(a, a)) == 0)
    with pytest.raises(ValueError, match="make both with the same size"):
        ct.ops.tanimoto(a, backend.array(np.zeros((2, 9), np.uint8)))
    with pytest.raises(TypeError, match="uint8 matrix of packed bits"):
        ct.ops.tanimoto(a, backend.array(np.zeros((2, 8), np.float32)))
    with pytest.raises(TypeError, match="tanimoto_topk: queries is on the GPU"):
        ct.ops.tanimoto_topk(a, a, 1)
