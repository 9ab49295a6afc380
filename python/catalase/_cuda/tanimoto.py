"""Tanimoto similarities, and the best of them, on a device: launches of ``cuda/tanimoto.cu`` and ``cuda/top_k.cu``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._arrays import Runtime, runtime_of
from .elementwise import walk
from .matmul import _GRID

_ROWS = 64  # of a block's tile, in both directions
_CHUNK_BYTES = 2**26  # similarities that the search for the best keeps at a time


def tanimoto(a: Any, b: Any) -> Any:
    """`catalase.ops.tanimoto` for device arrays."""
    runtime = _check("tanimoto", a=a, b=b)
    n, m = a.shape[0], b.shape[0]
    out = runtime.empty((n, m), np.float32)
    a, b = runtime.contiguous(a), runtime.contiguous(b)
    for first in range(0, m, _ROWS * _GRID):
        some = b[first : first + _ROWS * _GRID]
        part = out if len(some) == m else runtime.empty((n, len(some)), np.float32)
        _pairs(runtime, a, some, part)
        if part is not out:
            out[:, first : first + len(some)] = part
    return out


def top_k(queries: Any, targets: Any, k: int, bar: float) -> tuple[Any, Any]:
    """`catalase.ops.tanimoto_topk` for device arrays: similarities a chunk of targets at a time, merged into the best."""
    runtime = _check("tanimoto_topk", queries=queries, targets=targets)
    n, m = queries.shape[0], targets.shape[0]
    if m >= 2**32 - 1:
        raise ValueError(f"tanimoto_topk: {m} targets are more than 2**32 - 2; search them in parts")
    queries, targets = runtime.contiguous(queries), runtime.contiguous(targets)
    kept, merged = (runtime.empty((n, k), np.uint64) for _ in range(2))
    walk(runtime, "top_k.clear_keys", n * k, kept)
    chunk = max(1, min(m, _ROWS * _GRID, _CHUNK_BYTES // (4 * max(n, 1))))
    for first in range(0, m if n else 0, chunk):
        some = targets[first : first + chunk]
        similarities = runtime.empty((n, len(some)), np.float32)
        _pairs(runtime, queries, some, similarities)
        args = (similarities, first, len(some), float(bar), k, kept, merged)
        runtime.launch("top_k.merge_top_k", (n,), (256,), 0, args)
        kept, merged = merged, kept
    indices, best = runtime.empty((n, k), np.int64), runtime.empty((n, k), np.float32)
    walk(runtime, "top_k.open_keys", n * k, kept, indices, best)
    return indices, best


def _check(function: str, **arrays: Any) -> Runtime:
    runtime = runtime_of(function, **arrays)
    for name, x in arrays.items():
        if x.dtype != np.uint8 or x.ndim != 2:
            raise TypeError(f"{function}: {name} must be a uint8 matrix of packed bits, got {x.dtype} {x.shape}")
    widths = {name: x.shape[1] for name, x in arrays.items()}
    if len(set(widths.values())) > 1:
        (a, x), (b, y) = widths.items()
        raise ValueError(
            f"{function}: {b} has {y} bytes a row but {a} has {x}; make both with the same fingerprint size"
        )
    return runtime


def _pairs(runtime: Runtime, a: Any, b: Any, out: Any) -> None:
    if a.shape[0] and b.shape[0]:
        grid = (-(-a.shape[0] // _ROWS), -(-b.shape[0] // _ROWS))
        runtime.launch("tanimoto.tanimoto_f32", grid, (256,), 0, (a, a.shape[0], b, b.shape[0], a.shape[1], out))
