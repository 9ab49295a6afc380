"""Tests that Tanimoto similarities equal the CPU's and the reference's, to the bit."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase.backends.cuda import tanimoto as device
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


@pytest.mark.parametrize("chunk", [2**26, 4 * 5 * 20])
@pytest.mark.parametrize("k, threshold", [(1, 0.0), (7, 0.0), (90, 0.0), (10, 0.3), (3, 1.0)])
def test_the_best(backend, rng, monkeypatch, chunk, k, threshold):
    monkeypatch.setattr(device, "_CHUNK_BYTES", chunk)  # the second: 20 targets at a time
    targets = reference.library(rng, 70, 16)
    targets[40] = targets[3]  # equal similarities: the lower index first
    queries = np.concatenate([targets[[3, 11, 69]], np.zeros((1, 16), np.uint8), reference.library(rng, 1, 16)])
    indices, best = ct.ops.tanimoto_topk(backend.array(queries), backend.array(targets), k, threshold=threshold)
    expected = reference.topk(queries, targets, k, threshold)
    cpu = ct.ops.tanimoto_topk(queries, targets, k, threshold=threshold)
    for found, a, b in zip((indices, best), expected, cpu, strict=True):
        assert found.dtype == a.dtype
        assert np.array_equal(backend.get(found), a, equal_nan=True) and np.array_equal(b, a, equal_nan=True)


def test_no_targets_and_no_queries(backend):
    a, none = backend.array(np.ones((2, 8), np.uint8)), backend.array(np.zeros((0, 8), np.uint8))
    indices, best = ct.ops.tanimoto_topk(a, none, 3)
    assert np.all(backend.get(indices) == -1) and np.isnan(backend.get(best)).all()
    assert ct.ops.tanimoto_topk(none, a, 3)[0].shape == (0, 3)


def test_empty_and_errors(backend):
    a = backend.array(np.zeros((2, 8), np.uint8))
    assert ct.ops.tanimoto(a, backend.array(np.zeros((0, 8), np.uint8))).shape == (2, 0)
    assert np.all(backend.get(ct.ops.tanimoto(a, a)) == 0)
    with pytest.raises(ValueError, match="make both with the same fingerprint size"):
        ct.ops.tanimoto(a, backend.array(np.zeros((2, 9), np.uint8)))
    with pytest.raises(TypeError, match=r"uint8 (matrix|array) of packed bits"):
        ct.ops.tanimoto(a, backend.array(np.zeros((2, 8), np.float32)))
    with pytest.raises(ValueError, match="k must be 1 or more"):
        ct.ops.tanimoto_topk(a, a, 0)


@pytest.mark.on_a_device
def test_mixtures_are_refused(backend):
    a = backend.array(np.zeros((2, 8), np.uint8))
    ct.ops.tanimoto(a, a)
    with pytest.raises(TypeError, match="on one device"):
        ct.ops.tanimoto_topk(a, np.zeros((2, 8), np.uint8), 1)
