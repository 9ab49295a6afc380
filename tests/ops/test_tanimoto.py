"""Tanimoto similarity against plain NumPy, bit patterns of every length."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct


def oracle(a, b):
    x, y = np.unpackbits(a, axis=1).astype(np.int64), np.unpackbits(b, axis=1).astype(np.int64)
    both = x @ y.T
    either = x.sum(1)[:, None] + y.sum(1)[None] - both
    return np.where(either > 0, both.astype(np.float32) / np.maximum(either, 1).astype(np.float32), np.float32(0))


@pytest.mark.parametrize("size", [1, 7, 8, 9, 16, 33, 128, 256])
@pytest.mark.parametrize("rows", [(0, 3), (1, 1), (15, 2), (16, 5), (17, 40)])
def test_equals_the_oracle(backend, threads, rng, size, rows):
    a, b = (rng.integers(0, 256, (n, size), np.uint8) & rng.integers(0, 256, (n, size), np.uint8) for n in rows)
    assert np.array_equal(ct.ops.tanimoto(a, b), oracle(a, b))


def test_properties(rng):
    a = rng.integers(0, 256, (20, 64), np.uint8)
    similarity = ct.ops.tanimoto(a, a)
    assert np.all(np.diag(similarity) == 1) and np.array_equal(similarity, similarity.T)


def test_two_empty_fingerprints_have_similarity_zero():
    empty = np.zeros((2, 8), np.uint8)
    assert np.all(ct.ops.tanimoto(empty, empty) == 0)


def test_strided_input_is_accepted(rng):
    a = rng.integers(0, 256, (20, 64), np.uint8)
    assert np.array_equal(ct.ops.tanimoto(a[::2, ::2], a[1::2, ::2]), oracle(a[::2, ::2], a[1::2, ::2]))


def test_bad_input():
    with pytest.raises(TypeError, match="uint8 array of packed bits, got float64"):
        ct.ops.tanimoto(np.ones((2, 2)), np.ones((2, 2), np.uint8))
    with pytest.raises(ValueError, match="a has 2 bytes a row but b has 3"):
        ct.ops.tanimoto(np.ones((2, 2), np.uint8), np.ones((2, 3), np.uint8))
