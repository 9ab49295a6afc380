"""Clustering of fingerprints."""

from __future__ import annotations

import heapq
import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._internal.numbers import flag, fraction
from .fingerprint_index import FingerprintIndex
from .ops.checks import packed_bits

_BLOCK = 8192  # fingerprints whose neighbours are counted in one call
_CANDIDATES = 256  # centroids whose neighbours are looked up together
_MOST_NEIGHBORS = 1 << 24  # neighbours held at a time, unless one fingerprint has more


def butina(
    fingerprints: NDArray[np.uint8], cutoff: float = 0.35, *, reordering: bool = False
) -> list[NDArray[np.int64]]:
    """Cluster fingerprints by the Taylor-Butina method, as RDKit's ``Butina.ClusterData`` does.

    The neighbours of a fingerprint are those at a distance ``1 - similarity`` of at most ``cutoff``. The fingerprint with
    most neighbours becomes the centroid of a cluster, which takes them; then the same is done with the remaining ones,
    and so on.

    Parameters
    ----------
    fingerprints : ndarray of uint8, shape (N, bytes)
        Packed bits, as `catalase.ops.ecfp` returns them. Copied if not contiguous.
    cutoff : float
        Tanimoto distance from 0 to 1. Members are within it of their centroid, not necessarily of each other.
    reordering : bool
        Count only neighbours without a cluster when the next centroid is chosen. This is slower, because otherwise
        neighbours are counted once.

    Returns
    -------
    list of ndarray of int64
        One array a cluster, in the order in which they were made: the centroid first, then its members by ascending
        index. Of two candidates with equally many neighbours the one with the higher index is the centroid, as in RDKit.
        Each fingerprint is in one cluster; fingerprints without neighbours are clusters of one, at the end.

    Raises
    ------
    TypeError, ValueError
        If ``fingerprints`` is not a matrix of uint8, or ``cutoff`` not a number from 0 to 1.

    Notes
    -----
    The result equals ``ClusterData([1 - s for s in similarities], N, cutoff, isDistData=True)``, with distances in float64
    too. A `catalase.FingerprintIndex` finds neighbours when they are needed; neither they nor the N x N distances are
    kept, so memory is limited to the index, some tens of bytes a fingerprint, and the neighbours of 256 centroids. The
    result is the same for any number of threads.

    References
    ----------
    Taylor, J. Chem. Inf. Comput. Sci. 35 (1995) 59-67, doi:10.1021/ci00023a009;
    Butina, J. Chem. Inf. Comput. Sci. 39 (1999) 747-750, doi:10.1021/ci9803381.

    Examples
    --------
    >>> import catalase as ct
    >>> smiles = ["CCCCO", "c1ccccc1O", "CCCCCO", "c1ccccc1", "CCCCCCO"]
    >>> [cluster.tolist() for cluster in ct.cluster.butina(ct.ops.ecfp(smiles), cutoff=0.4)]
    [[4, 0, 2], [3], [1]]
    """
    fingerprints = packed_bits("butina", "fingerprints", fingerprints)
    cutoff, reordering = fraction("butina", "cutoff", cutoff), flag("butina", "reordering", reordering)
    search = _Neighbors(fingerprints, cutoff)
    return _reordered(search) if reordering else _ordered_once(search)


class _Neighbors:
    """The neighbours of fingerprints: their numbers, without the fingerprint itself, and on demand their rows."""

    def __init__(self, fingerprints: NDArray[np.uint8], cutoff: float) -> None:
        self._fingerprints, self._cutoff = fingerprints, cutoff
        self._index = FingerprintIndex(fingerprints)
        blocks = [fingerprints[i : i + _BLOCK] for i in range(0, len(fingerprints), _BLOCK)]
        found = [self._index._neighbors(block, cutoff)[0] for block in blocks]
        self._found = np.concatenate(found) if found else np.zeros(0, np.int64)
        # A fingerprint with a bit has distance 0 to itself. An empty one has distance 1 to all, even to itself.
        self.counts = self._found - (fingerprints.any(axis=1) if cutoff < 1 else 1)

    def of(self, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Return the neighbours of each row, ascending; the row is among them if it has any bit."""
        starts, neighbors = self._index._neighbors(self._fingerprints[rows], self._cutoff, self._found[rows])
        assert neighbors is not None
        return [neighbors[a:b] for a, b in itertools.pairwise(starts)]

    def pieces(self, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Cut rows into pieces whose neighbours fit in memory."""
        pieces, begin, held = [], 0, 0
        for i, row in enumerate(rows):
            held += int(self._found[row])
            if i > begin and (held > _MOST_NEIGHBORS or i - begin == _CANDIDATES):
                pieces.append(rows[begin:i])
                begin, held = i, int(self._found[row])
        return [*pieces, rows[begin:]]


def _ordered_once(search: _Neighbors) -> list[NDArray[np.int64]]:
    n = len(search.counts)
    order = np.lexsort((-np.arange(n), -search.counts))
    order, alone = order[: np.count_nonzero(search.counts)], order[np.count_nonzero(search.counts) :]
    clusters: list[NDArray[np.int64]] = []
    taken = np.zeros(n, bool)
    while len(order):
        # Some candidates are taken by those before them. Their search is wasted, but searching one at a time is much slower.
        candidates = search.pieces(order[:_CANDIDATES])[0]
        order = order[len(candidates) :]
        for centroid, neighbors in zip(candidates, search.of(candidates), strict=True):
            if not taken[centroid]:
                clusters.append(_claim(centroid, neighbors, taken))
        order = order[~taken[order]]
    return clusters + [alone[i : i + 1] for i in range(len(alone))]


def _reordered(search: _Neighbors) -> list[NDArray[np.int64]]:
    counts = search.counts.copy()
    queue: list[tuple[int, int]] = [(-int(count), -row) for row, count in enumerate(counts)]
    heapq.heapify(queue)
    clusters: list[NDArray[np.int64]] = []
    taken = np.zeros(len(counts), bool)
    while queue:
        count, row = (-value for value in heapq.heappop(queue))
        if taken[row] or count != counts[row]:  # a later entry has replaced this one
            continue
        centroid = np.int64(row)
        neighbors = search.of(np.array([centroid]))[0] if count else np.zeros(0, np.int64)
        clusters.append(_claim(centroid, neighbors, taken))
        if count == 0:
            continue
        changed: list[NDArray[np.int64]] = []
        for piece in search.pieces(clusters[-1]):
            rows, times = np.unique(np.concatenate(search.of(piece)), return_counts=True)
            left = ~taken[rows]
            counts[rows[left]] -= times[left]
            changed.append(rows[left])
        for other in np.unique(np.concatenate(changed)):
            heapq.heappush(queue, (-int(counts[other]), -int(other)))
    return clusters


def _claim(centroid: Any, neighbors: NDArray[np.int64], taken: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return a cluster of a centroid and its neighbours that are not taken, and mark them as taken."""
    taken[centroid] = True
    members = neighbors[~taken[neighbors]]
    taken[members] = True
    return np.concatenate([np.array([centroid], np.int64), members])
