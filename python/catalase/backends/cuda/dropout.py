"""Dropout on a device: launches of ``cuda/dropout.cu``, which draws the same masks as the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .capture import captured
from .launch import blocks, walk

if TYPE_CHECKING:
    from .backend import CudaBackend


def dropout(device: CudaBackend, x: Any, key: tuple[int, int, int], rate: float, kept: Any, out: Any = None) -> Any:
    y = device.empty(x.shape, x.dtype) if out is None else out
    if x.size:
        bits, layer, step = np.array(key[0], np.uint64).astype(np.int64)[()], *key[1:]  # the seed's 64 bits
        threshold, scale, graph = min(round(rate * 2**32), 2**32 - 1), 1.0 / (1.0 - rate), captured()
        later = None if graph is None else graph.later
        args = (bits, layer, step, later, threshold, scale, device.contiguous(x), y, kept, x.size)
        device.launch("dropout.dropout_f32", blocks(-(-x.size // 64) * 16, 256, device), (256,), 0, args)
    return y


def dropout_backward(device: CudaBackend, dy: Any, rate: float, kept: Any) -> Any:
    dx = device.empty(dy.shape, dy.dtype)
    walk(device, "dropout.keep_f32", dy.size, kept, 1.0 / (1.0 - rate), device.contiguous(dy), dx)
    return dx
