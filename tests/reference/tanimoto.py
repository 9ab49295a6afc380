"""Tanimoto similarity and its top-k, by unpacked bits and a full sort; and of counts, by minima and maxima."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def tanimoto(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float32]:
    """|a & b| / |a | b| of all pairs, 0 where both are empty."""
    x, y = np.unpackbits(a, axis=1).astype(np.float64), np.unpackbits(b, axis=1).astype(np.float64)
    both = x @ y.T
    either = x.sum(1)[:, None] + y.sum(1)[None] - both
    return np.where(either > 0, both.astype(np.float32) / np.maximum(either, 1).astype(np.float32), np.float32(0))


def tanimoto_counts(a: NDArray[np.floating | np.integer], b: NDArray[np.floating | np.integer]) -> NDArray[np.float64]:
    """sum(min) / sum(max) of all pairs, 0 where both are empty."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    low = np.array([np.minimum(row, y).sum(axis=1) for row in x]).reshape(len(x), len(y))
    high = np.array([np.maximum(row, y).sum(axis=1) for row in x]).reshape(len(x), len(y))
    return low / np.where(high > 0, high, 1)


def topk(
    queries: NDArray[np.uint8], targets: NDArray[np.uint8], k: int, threshold: float = 0.0
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Higher similarity first, then lower index; -1 and NaN past the last that reaches the threshold."""
    similarity = tanimoto(queries, targets)
    indices = np.full((len(queries), k), -1, np.int64)
    best = np.full((len(queries), k), np.nan, np.float32)
    for i, row in enumerate(similarity):
        order = np.lexsort((np.arange(len(row)), -row))
        order = order[row[order] >= np.float32(threshold)][:k]
        indices[i, : len(order)], best[i, : len(order)] = order, row[order]
    return indices, best


def library(rng: np.random.Generator, n: int, width: int, bits: float = 45) -> NDArray[np.uint8]:
    """Random fingerprints that look like a library's: some bits common and most rare, popcounts spread, relatives."""
    frequency = np.sort(rng.random(8 * width) ** 6)[::-1]
    frequency *= min(bits, 4 * width) / max(frequency.sum(), 1e-9)
    scale = rng.uniform(0.4, 1.6, (n, 1))
    made = rng.random((n, 8 * width)) < frequency * scale
    for i in range(1, n, 3):  # every third one resembles the one before it
        keep = rng.random(8 * width) < 0.8
        made[i] = np.where(keep, made[i - 1], made[i])
    return np.packbits(made, axis=1, bitorder="little")
