"""Tests of Tanimoto similarity and top-k search against NumPy and RDKit, with bit patterns of every length."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import catalase as ct
from tests.reference import tanimoto as reference

SIZES = [1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 992, 993, 2000]


# The oracles take most of the time, and are the same for every level and number of threads.
@functools.cache
def pairs(size, rows):
    """Random bits, and all their similarities."""
    rng = np.random.default_rng([size, *rows])
    a, b = (rng.integers(0, 256, (n, size), np.uint8) & rng.integers(0, 256, (n, size), np.uint8) for n in rows)
    return a, b, reference.tanimoto(a, b)


@functools.cache
def searches(size, n, m):
    """Queries, targets, and the best targets for some k and thresholds."""
    rng = np.random.default_rng([size, n, m])
    queries, targets = reference.library(rng, n, size), reference.library(rng, m, size)
    asked = [(1, 0.0), (3, 0.0), (10, 0.3), (64, 0.0), (m + 3, 0.0), (5, 1.0)]
    return queries, targets, {(k, bar): reference.topk(queries, targets, k, bar) for k, bar in asked}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("rows", [(0, 3), (3, 0), (1, 1), (15, 2), (16, 5), (17, 140)])
def test_equals_the_oracle(fingerprint_backend, threads, size, rows):
    a, b, expected = pairs(size, rows)
    assert np.array_equal(ct.ops.tanimoto(a, b), expected)


def test_bits_that_are_all_set(fingerprint_backend):
    """Byte counters of the kernels must not overflow: rows of ones, around the 31 vectors that one counter holds."""
    for size in (31 * 16, 31 * 32, 31 * 64, 31 * 64 + 1, 5000):
        ones = np.full((9, size), 255, np.uint8)
        assert np.all(ct.ops.tanimoto(ones, ones) == 1)
        assert ct.ops.tanimoto_topk(ones[:1], ones, 20)[0][0].tolist() == [*range(9), *[-1] * 11]


def test_properties(rng):
    a = rng.integers(0, 256, (20, 64), np.uint8)
    similarity = ct.ops.tanimoto(a, a)
    assert np.all(np.diag(similarity) == 1) and np.array_equal(similarity, similarity.T)


def test_two_empty_fingerprints_have_similarity_zero():
    empty = np.zeros((2, 8), np.uint8)
    assert np.all(ct.ops.tanimoto(empty, empty) == 0)
    indices, similarities = ct.ops.tanimoto_topk(empty, empty, 2)
    assert indices.tolist() == [[0, 1], [0, 1]] and np.all(similarities == 0)
    assert np.all(ct.ops.tanimoto_topk(empty, empty, 2, threshold=1e-300)[0] == -1)


def test_rows_of_no_bytes_are_empty():
    nothing = np.zeros((3, 0), np.uint8)
    assert np.array_equal(ct.ops.tanimoto(nothing, nothing), np.zeros((3, 3), np.float32))
    assert ct.ops.tanimoto_topk(nothing, nothing, 2)[0].tolist() == [[0, 1]] * 3


def test_strided_and_read_only_input_is_accepted(rng):
    a = rng.integers(0, 256, (20, 64), np.uint8)
    a.flags.writeable = False
    assert np.array_equal(ct.ops.tanimoto(a[::2, ::-2], a[1::2, ::-2]), reference.tanimoto(a[::2, ::-2], a[1::2, ::-2]))
    assert np.array_equal(ct.ops.tanimoto_topk(a[::2], a[::-1], 3)[0], reference.topk(a[::2], a[::-1], 3)[0])


@pytest.mark.parametrize("size", [1, 5, 128, 200, 256])
@pytest.mark.parametrize("n, m", [(0, 5), (1, 0), (1, 1), (1, 63), (1, 64), (2, 65), (1, 1500), (17, 1030), (40, 100)])
def test_topk_equals_a_full_sort(fingerprint_backend, threads, size, n, m):
    queries, targets, results = searches(size, n, m)
    for (k, threshold), expected in results.items():
        found = ct.ops.tanimoto_topk(queries, targets, k, threshold=threshold)
        for ours, theirs, dtype in zip(found, expected, (np.int64, np.float32), strict=True):
            assert ours.shape == (n, k) and ours.dtype == dtype
            assert np.array_equal(ours, theirs, equal_nan=True), (size, n, m, k, threshold)


def test_topk_ties_go_to_the_lower_index(fingerprint_backend, threads):
    """Few distinct fingerprints, many of each; threads that each see a part of the targets must agree."""
    targets = np.random.default_rng(0).integers(0, 4, (3000, 1), np.uint8)
    queries = np.array([[0], [1], [3], [255]], np.uint8)
    for k in (1, 2, 700, 3000):
        for ours, theirs in zip(
            ct.ops.tanimoto_topk(queries, targets, k), reference.topk(queries, targets, k), strict=True
        ):
            assert np.array_equal(ours, theirs)


def test_the_threshold_is_rounded_as_similarities_are():
    """7 of 10 bits reach 0.7, 2 of 3 reach 2 / 3, although neither number is exact."""
    ten, seven = np.packbits([[1] * 10, [1] * 7 + [0] * 3], axis=1)
    assert ct.ops.tanimoto_topk(ten[None], seven[None], 1, threshold=0.7)[0].tolist() == [[0]]
    assert ct.ops.tanimoto_topk(ten[None], seven[None], 1, threshold=0.7001)[0].tolist() == [[-1]]


def test_equals_rdkit():
    data_structs = pytest.importorskip("rdkit.DataStructs")
    smiles = ["CCO", "CCCO", "c1ccccc1O", "CC(=O)Oc1ccccc1C(=O)O", "CN1C=NC2=C1C(=O)N(C(=O)N2C)C", "C"]
    packed = ct.ops.ecfp(smiles, size=1024)
    theirs = [data_structs.CreateFromBinaryText(row.tobytes()) for row in packed]
    expected = [data_structs.BulkTanimotoSimilarity(fp, theirs) for fp in theirs]
    assert np.array_equal(ct.ops.tanimoto(packed, packed), np.array(expected, np.float32))


def test_bad_input():
    bits = np.ones((2, 2), np.uint8)
    with pytest.raises(TypeError, match="tanimoto: a must be a uint8 array of packed bits, got float64"):
        ct.ops.tanimoto(np.ones((2, 2)), bits)
    with pytest.raises(ValueError, match="b has 3 bytes a row but a has 2"):
        ct.ops.tanimoto(bits, np.ones((2, 3), np.uint8))
    with pytest.raises(TypeError, match="queries must be a uint8 array of packed bits, got list"):
        ct.ops.tanimoto_topk([[1, 2]], bits, 1)
    with pytest.raises(
        ValueError, match=r"targets must be a matrix .* got shape \(2,\); a single fingerprint is targets\[None\]"
    ):
        ct.ops.tanimoto_topk(bits, bits[0], 1)
    with pytest.raises(ValueError, match="targets has 3 bytes a row but queries has 2"):
        ct.ops.tanimoto_topk(bits, np.ones((2, 3), np.uint8), 1)
    for k, error in [(0, ValueError), (-1, ValueError), (1.0, TypeError), (True, TypeError), ("1", TypeError)]:
        with pytest.raises(error, match="tanimoto_topk: k must be"):
            ct.ops.tanimoto_topk(bits, bits, k)
    for threshold, error in [(-0.1, ValueError), (1.1, ValueError), (float("nan"), ValueError), ("0", TypeError)]:
        with pytest.raises(error, match="tanimoto_topk: threshold must be"):
            ct.ops.tanimoto_topk(bits, bits, 1, threshold=threshold)
    with pytest.raises(ValueError, match="more than the 1048576 that are exact"):
        ct.ops.tanimoto(np.zeros((1, 2**20 + 1), np.uint8), np.zeros((1, 2**20 + 1), np.uint8))
