"""Tanimoto similarities and their top-k on a device: launches of ``cuda/tanimoto.cu`` and ``cuda/top_k.cu``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .launch import GRID, walk

if TYPE_CHECKING:
    from .backend import CudaBackend

_ROWS = 64  # rows of a block's tile along both axes
_CHUNK_BYTES = 2**26  # memory for the similarities of a chunk of targets


def tanimoto(device: CudaBackend, a: Any, b: Any) -> Any:
    n, m = a.shape[0], b.shape[0]
    out = device.empty((n, m), np.float32)
    a, b = device.contiguous(a), device.contiguous(b)
    for first in range(0, m, _ROWS * GRID):
        some = b[first : first + _ROWS * GRID]
        part = out if len(some) == m else device.empty((n, len(some)), np.float32)
        _pairs(device, a, some, part)
        if part is not out:
            out[:, first : first + len(some)] = part
    return out


def tanimoto_topk(device: CudaBackend, queries: Any, targets: Any, k: int, threshold: float) -> tuple[Any, Any]:
    """Return as the protocol says; similarities are computed for a chunk of targets at a time and merged into the best."""
    n, m = queries.shape[0], targets.shape[0]
    if m >= 2**32 - 1:
        raise ValueError(f"tanimoto_topk: {m} targets are more than 2**32 - 2; search them in parts")
    queries, targets = device.contiguous(queries), device.contiguous(targets)
    kept, merged = (device.empty((n, k), np.uint64) for _ in range(2))
    walk(device, "top_k.clear_keys", n * k, kept)
    chunk = max(1, min(m, _ROWS * GRID, _CHUNK_BYTES // (4 * max(n, 1))))
    for first in range(0, m if n else 0, chunk):
        some = targets[first : first + chunk]
        similarities = device.empty((n, len(some)), np.float32)
        _pairs(device, queries, some, similarities)
        args = (similarities, first, len(some), float(threshold), k, kept, merged)
        device.launch("top_k.merge_top_k", (n,), (256,), 0, args)
        kept, merged = merged, kept
    indices, best = device.empty((n, k), np.int64), device.empty((n, k), np.float32)
    walk(device, "top_k.open_keys", n * k, kept, indices, best)
    return indices, best


def _pairs(device: CudaBackend, a: Any, b: Any, out: Any) -> None:
    if a.shape[0] and b.shape[0]:
        grid = (-(-a.shape[0] // _ROWS), -(-b.shape[0] // _ROWS))
        device.launch("tanimoto.tanimoto_f32", grid, (256,), 0, (a, a.shape[0], b, b.shape[0], a.shape[1], out))
