"""Tests of Tanimoto similarity and top-k search against NumPy and RDKit, with bit patterns of every length."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import catalase as ct
from catalase.backends.cuda import tanimoto as device
from tests.reference import tanimoto as reference

pytestmark = pytest.mark.counts_bits

FEW = [1, 7, 63, 64, 65, 128]  # either side of the words of a device's tile, which is all that its host shim need see
MANY = [8, 9, 15, 16, 17, 31, 32, 33, 127, 129, 255, 256, 257, 992, 993, 2000]  # either side of the CPU's vectors
SIZES = [*FEW, *(pytest.param(size, marks=pytest.mark.slow_on_the_host) for size in MANY)]
ROWS = [
    *(pytest.param(rows, marks=pytest.mark.on_the_cpu) for rows in [(0, 3), (3, 0), (15, 2), (16, 5)]),
    *((1, 1), (17, 140)),
    *(pytest.param(rows, marks=pytest.mark.on_a_device) for rows in [(3, 65), (64, 63), (70, 5)]),
]


# The oracles take most of the time, and are the same for every level and number of threads.
@functools.cache
def pairs(size, rows):
    """Random bits, and all their similarities."""
    rng = np.random.default_rng([size, *rows])
    a, b = (rng.integers(0, 256, (n, size), np.uint8) & rng.integers(0, 256, (n, size), np.uint8) for n in rows)
    a[:1], b[-1:] = 0, 0  # two that are empty
    return a, b, reference.tanimoto(a, b)


@functools.cache
def searches(size, n, m):
    """Queries, targets, and the best targets for some k and thresholds."""
    rng = np.random.default_rng([size, n, m])
    queries, targets = reference.library(rng, n, size), reference.library(rng, m, size)
    asked = [(1, 0.0), (3, 0.0), (10, 0.3), (64, 0.0), (m + 3, 0.0), (5, 1.0)]
    return queries, targets, {(k, bar): reference.topk(queries, targets, k, bar) for k, bar in asked}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("rows", ROWS, ids=str)
def test_equals_the_oracle(backend, threads, size, rows):
    a, b, expected = pairs(size, rows)
    found = backend.run(ct.ops.tanimoto, a, b)
    assert found.dtype == np.float32 and np.array_equal(found, expected) and not found[:1, -1:].any()


@pytest.mark.on_the_cpu
def test_bits_that_are_all_set(backend):
    """Byte counters of the kernels must not overflow: rows of ones, around the 31 vectors that one counter holds."""
    for size in (31 * 16, 31 * 32, 31 * 64, 31 * 64 + 1, 5000):
        ones = np.full((9, size), 255, np.uint8)
        assert np.all(ct.ops.tanimoto(ones, ones) == 1)
        assert ct.ops.tanimoto_topk(ones[:1], ones, 20)[0][0].tolist() == [*range(9), *[-1] * 11]


def test_properties(backend, rng):
    a = rng.integers(0, 256, (20, 64), np.uint8)
    similarity = backend.run(ct.ops.tanimoto, a, a)
    assert np.all(np.diag(similarity) == 1) and np.array_equal(similarity, similarity.T)


def test_empty_fingerprints_have_similarity_zero_and_no_fingerprints_none(backend):
    empty, none = np.zeros((2, 8), np.uint8), np.zeros((0, 8), np.uint8)
    assert np.all(backend.run(ct.ops.tanimoto, empty, empty) == 0)
    indices, similarities = backend.run(ct.ops.tanimoto_topk, empty, empty, 2)
    assert indices.tolist() == [[0, 1], [0, 1]] and np.all(similarities == 0)
    assert np.all(backend.run(ct.ops.tanimoto_topk, empty, empty, 2, threshold=1e-300)[0] == -1)
    indices, similarities = backend.run(ct.ops.tanimoto_topk, empty, none, 3)
    assert np.all(indices == -1) and np.isnan(similarities).all()
    assert backend.run(ct.ops.tanimoto_topk, none, empty, 3)[0].shape == (0, 3)
    assert backend.run(ct.ops.tanimoto, empty, none).shape == (2, 0)


def test_rows_of_no_bytes_are_empty():
    nothing = np.zeros((3, 0), np.uint8)
    assert np.array_equal(ct.ops.tanimoto(nothing, nothing), np.zeros((3, 3), np.float32))
    assert ct.ops.tanimoto_topk(nothing, nothing, 2)[0].tolist() == [[0, 1]] * 3


def test_strided_and_read_only_input_is_accepted(backend, rng):
    a = rng.integers(0, 256, (20, 64), np.uint8)
    a.flags.writeable = False
    on = backend.array(a)
    found = backend.get(ct.ops.tanimoto(on[::2, ::-2], on[1::2, ::-2]))
    assert np.array_equal(found, reference.tanimoto(a[::2, ::-2], a[1::2, ::-2]))
    assert np.array_equal(ct.ops.tanimoto(a, a[::3]), reference.tanimoto(a, a[::3]))
    assert np.array_equal(
        backend.get(ct.ops.tanimoto_topk(on[::2], on[::-1], 3)[0]), reference.topk(a[::2], a[::-1], 3)[0]
    )


LARGE = [pytest.param(*nm, marks=pytest.mark.slow_on_the_host) for nm in [(1, 1500), (17, 1030), (40, 100)]]


@pytest.mark.parametrize(
    "size", [5, *(pytest.param(size, marks=pytest.mark.slow_on_the_host) for size in (1, 128, 200, 256))]
)
@pytest.mark.parametrize(
    "n, m", [pytest.param(0, 5, marks=pytest.mark.on_the_cpu), (1, 0), (1, 1), (1, 63), (1, 64), (2, 65), *LARGE]
)
def test_topk_equals_a_full_sort(backend, threads, size, n, m):
    queries, targets, results = searches(size, n, m)
    for (k, threshold), expected in results.items():
        found = backend.run(ct.ops.tanimoto_topk, queries, targets, k, threshold=threshold)
        for ours, theirs, dtype in zip(found, expected, (np.int64, np.float32), strict=True):
            assert ours.shape == (n, k) and ours.dtype == dtype
            assert np.array_equal(ours, theirs, equal_nan=True), (size, n, m, k, threshold)


@pytest.mark.on_the_cpu
def test_topk_ties_go_to_the_lower_index(backend, threads):
    """Few distinct fingerprints, many of each; threads that each see a part of the targets must agree."""
    targets = np.random.default_rng(0).integers(0, 4, (3000, 1), np.uint8)
    queries = np.array([[0], [1], [3], [255]], np.uint8)
    for k in (1, 2, 700, 3000):
        for ours, theirs in zip(
            ct.ops.tanimoto_topk(queries, targets, k), reference.topk(queries, targets, k), strict=True
        ):
            assert np.array_equal(ours, theirs)


@pytest.mark.on_a_device
@pytest.mark.parametrize("chunk", [2**26, 4 * 5 * 20])
@pytest.mark.parametrize("k, threshold", [(1, 0.0), (7, 0.0), (90, 0.0), (10, 0.3), (3, 1.0)])
def test_targets_that_a_device_searches_in_chunks(backend, rng, monkeypatch, chunk, k, threshold):
    monkeypatch.setattr(device, "_CHUNK_BYTES", chunk)  # the second: 20 targets at a time
    targets = reference.library(rng, 70, 16)
    targets[40] = targets[3]  # equal similarities: the lower index first
    queries = np.concatenate([targets[[3, 11, 69]], np.zeros((1, 16), np.uint8), reference.library(rng, 1, 16)])
    found = backend.run(ct.ops.tanimoto_topk, queries, targets, k, threshold=threshold)
    for ours, theirs in zip(found, reference.topk(queries, targets, k, threshold), strict=True):
        assert ours.dtype == theirs.dtype and np.array_equal(ours, theirs, equal_nan=True)


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


@pytest.mark.at_one_level
def test_bad_input(backend):
    bits, wide = (backend.array(np.ones((2, n), np.uint8)) for n in (2, 3))
    with pytest.raises(TypeError, match="tanimoto: a must be a uint8 array of packed bits, got float64"):
        ct.ops.tanimoto(backend.array(np.ones((2, 2))), bits)
    with pytest.raises(ValueError, match="b has 3 bytes a row but a has 2; make both with the same fingerprint size"):
        ct.ops.tanimoto(bits, wide)
    with pytest.raises(TypeError, match="queries must be a uint8 array of packed bits, got list"):
        ct.ops.tanimoto_topk([[1, 2]], [[1, 2]], 1)
    with pytest.raises(
        ValueError, match=r"targets must be a matrix .* got shape \(2,\); a single fingerprint is targets\[None\]"
    ):
        ct.ops.tanimoto_topk(bits, bits[0], 1)
    with pytest.raises(ValueError, match="targets has 3 bytes a row but queries has 2"):
        ct.ops.tanimoto_topk(bits, wide, 1)
    for k, error in [(0, ValueError), (-1, ValueError), (1.0, TypeError), (True, TypeError), ("1", TypeError)]:
        with pytest.raises(error, match="tanimoto_topk: k must be"):
            ct.ops.tanimoto_topk(bits, bits, k)
    for threshold, error in [(-0.1, ValueError), (1.1, ValueError), (float("nan"), ValueError), ("0", TypeError)]:
        with pytest.raises(error, match="tanimoto_topk: threshold must be"):
            ct.ops.tanimoto_topk(bits, bits, 1, threshold=threshold)
    long = backend.array(np.zeros((1, 2**20 + 1), np.uint8))
    with pytest.raises(ValueError, match="more than the 1048576 that are exact"):
        ct.ops.tanimoto(long, long)
    assert np.all(backend.get(ct.ops.tanimoto(bits, bits)) == 1)


@pytest.mark.on_a_device
def test_mixtures_are_refused(backend):
    a = backend.array(np.zeros((2, 8), np.uint8))
    ct.ops.tanimoto(a, a)
    with pytest.raises(TypeError, match="on one device"):
        ct.ops.tanimoto_topk(a, np.zeros((2, 8), np.uint8), 1)
