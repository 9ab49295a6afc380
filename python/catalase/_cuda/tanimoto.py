"""Tanimoto similarities on a device: launches of ``cuda/tanimoto.cu``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._arrays import runtime_of
from .matmul import _GRID

_ROWS = 64  # of a block's tile, in both directions


def tanimoto(a: Any, b: Any) -> Any:
    """`catalase.ops.tanimoto` for device arrays."""
    runtime = runtime_of("tanimoto", a=a, b=b)
    for name, x in (("a", a), ("b", b)):
        if x.dtype != np.uint8 or x.ndim != 2:
            raise TypeError(f"tanimoto: {name} must be a uint8 matrix of packed bits, got {x.dtype} {x.shape}")
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"tanimoto: b has {b.shape[1]} bytes a row but a has {a.shape[1]}; make both with the same size"
        )
    (n, width), m = a.shape, b.shape[0]
    out = runtime.empty((n, m), np.float32)
    a, b = runtime.contiguous(a), runtime.contiguous(b)
    for first in range(0, m if n else 0, _ROWS * _GRID):
        some = b[first : first + _ROWS * _GRID]
        part = out if len(some) == m else runtime.empty((n, len(some)), np.float32)
        grid = (-(-n // _ROWS), -(-len(some) // _ROWS))
        runtime.launch("tanimoto.tanimoto_f32", grid, (256,), 0, (a, n, some, len(some), width, part))
        if part is not out:
            out[:, first : first + len(some)] = part
    return out
