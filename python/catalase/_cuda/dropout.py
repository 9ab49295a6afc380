"""Dropout on a device: launches of ``cuda/dropout.cu``. The masks are the CPU's."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._arrays import Runtime, blocks, float32, runtime_of
from ._graph import captured
from .elementwise import walk


def dropout(function: str, x: Any, seed: int, layer: int, step: int, threshold: int, scale: float, kept: Any) -> Any:
    """Draw the mask and apply it; ``kept`` gets it where given."""
    runtime = _check(function, "x" if function == "dropout" else "dy", x, kept)
    y = runtime.empty(x.shape, x.dtype)
    if x.size:
        key = (np.array(seed, np.uint64).astype(np.int64)[()], layer, step)  # the kernel takes the seed's 64 bits
        graph = captured()
        args = (*key, None if graph is None else graph.later, threshold, scale, runtime.contiguous(x), y, kept, x.size)
        runtime.launch("dropout.dropout_f32", blocks(-(-x.size // 64) * 16, 256, runtime), (256,), 0, args)
    return y


def keep(dy: Any, scale: float, kept: Any) -> Any:
    """Apply a mask drawn before."""
    runtime = _check("dropout_backward", "dy", dy, kept)
    dx = runtime.empty(dy.shape, dy.dtype)
    walk(runtime, "dropout.keep_f32", dy.size, kept, scale, runtime.contiguous(dy), dx)
    return dx


def _check(function: str, name: str, x: Any, kept: Any) -> Runtime:
    runtime = runtime_of(function, **{name: x}, kept=kept)
    float32(function, name, x)
    if kept is not None and (kept.dtype != np.uint8 or kept.shape != x.shape or not kept.flags.c_contiguous):
        raise ValueError(
            f"{function}: kept must be a contiguous uint8 array of shape {x.shape}, got {kept.dtype} {kept.shape}"
        )
    return runtime
