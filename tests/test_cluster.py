"""Tests of Butina clustering against RDKit's, and for any number of threads."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase import cluster
from tests.reference import tanimoto as reference

pytestmark = [pytest.mark.on_the_cpu, pytest.mark.counts_bits]


def rdkit_clusters(packed, cutoff, reordering=False):
    butina = pytest.importorskip("rdkit.ML.Cluster.Butina")
    data_structs = pytest.importorskip("rdkit.DataStructs")
    bits = [data_structs.CreateFromBinaryText(row.tobytes()) for row in packed]
    distances = [1 - s for i in range(len(bits)) for s in data_structs.BulkTanimotoSimilarity(bits[i], bits[:i])]
    return butina.ClusterData(distances, len(bits), cutoff, isDistData=True, reordering=reordering)


@pytest.mark.parametrize("reordering", [False, True])
@pytest.mark.parametrize("cutoff", [0.0, 0.2, 0.35, 0.5, 0.65, 0.8, 1.0])
def test_equals_rdkit(backend, threads, cutoff, reordering):
    packed = reference.library(np.random.default_rng(5), 260, 16, bits=14)
    packed[10], packed[90], packed[[3, 200, 201]] = 0, 0, packed[7]  # empty ones, and copies
    ours = ct.cluster.butina(packed, cutoff, reordering=reordering)
    theirs = rdkit_clusters(packed, cutoff, reordering)
    assert all(c.dtype == np.int64 for c in ours)
    assert [c[0] for c in ours] == [c[0] for c in theirs]  # centroids, in order
    assert [sorted(c) for c in ours] == [sorted(c) for c in theirs]
    if not reordering:
        assert [tuple(c) for c in ours] == [tuple(c) for c in theirs]
    assert sorted(np.concatenate(ours)) == list(range(len(packed)))


def test_distances_are_compared_as_rdkit_compares_them():
    """1 - 13 / 20 is 0.35 and 1 - 0.7 is above 0.3 in float64: neither is a matter of taste."""
    rows = np.packbits([[1] * 20 + [0] * 4, [1] * 13 + [0] * 11], axis=1)
    tens = np.packbits([[1] * 10 + [0] * 6, [1] * 7 + [0] * 9], axis=1)
    for packed, cutoff in ((rows, 0.35), (tens, 0.3)):
        assert [tuple(c) for c in ct.cluster.butina(packed, cutoff)] == list(rdkit_clusters(packed, cutoff))


@pytest.mark.parametrize("reordering", [False, True])
def test_small_inputs(reordering):
    for n in (0, 1):
        clusters = ct.cluster.butina(np.full((n, 4), 3, np.uint8), reordering=reordering)
        assert [c.tolist() for c in clusters] == [[0]] * n
    assert [c.tolist() for c in ct.cluster.butina(np.zeros((3, 4), np.uint8), reordering=reordering)] == [[2], [1], [0]]
    same = np.full((5, 1), 255, np.uint8)
    assert [c.tolist() for c in ct.cluster.butina(same, 0.0, reordering=reordering)] == [[4, 0, 1, 2, 3]]


@pytest.mark.parametrize("reordering", [False, True])
def test_memory_limits_do_not_change_the_result(monkeypatch, rng, reordering):
    packed = reference.library(rng, 500, 16, bits=14)
    expected = ct.cluster.butina(packed, 0.6, reordering=reordering)
    monkeypatch.setattr(cluster, "_MOST_NEIGHBORS", 40)
    monkeypatch.setattr(cluster, "_CANDIDATES", 7)
    monkeypatch.setattr(cluster, "_BLOCK", 33)
    again = ct.cluster.butina(packed, 0.6, reordering=reordering)
    assert [c.tolist() for c in again] == [c.tolist() for c in expected]


def test_bad_input():
    with pytest.raises(TypeError, match="butina: fingerprints must be a uint8 array"):
        ct.cluster.butina(np.ones((3, 4)))
    with pytest.raises(ValueError, match=r"cutoff must be from 0 to 1, got 1\.5"):
        ct.cluster.butina(np.ones((3, 4), np.uint8), 1.5)
