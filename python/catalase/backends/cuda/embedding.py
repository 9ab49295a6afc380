"""Embedding rows and their gradient on a device: launches of ``cuda/embedding.cu``."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from .launch import GRID, stride, unit_rows, walk

if TYPE_CHECKING:
    from .backend import CudaBackend

_STRETCH = 4096  # tokens that are sorted together


def embedding(device: CudaBackend, ids: Any, w: Any) -> tuple[Any, int]:
    """Return as the protocol says; an id on the device that has no row gives a row of NaN."""
    ids, w = device.contiguous(ids), unit_rows(device, w)
    out = device.empty((*ids.shape, w.shape[1]), np.float32)
    walk(device, "embedding.embedding_f32", out.size, ids, w, stride(w, 0), w.shape[0], out, w.shape[1])
    return out, -1


def embedding_backward(device: CudaBackend, ids: Any, dy: Any, dw: Any, padding: int) -> int:
    count, (rows, columns) = prod(ids.shape), dw.shape
    flat = device.contiguous(dy).reshape(count, columns)
    keys = sorted_places(device, device.contiguous(ids), rows, padding, count)
    threads = min(128, max(32, -(-columns // 32) * 32))
    grid = (rows, -(-columns // threads), 1)
    if grid[1] > GRID:
        raise ValueError(f"embedding_backward: {columns} columns are more than a grid takes")
    if rows and columns:
        args = (keys, flat, columns, dw, stride(dw, 0), columns, count)
        device.launch("embedding.embedding_gradient_f32", grid, (threads,), 0, args)
    return -1


def sorted_places(device: CudaBackend, numbers: Any, rows: int, padding: int, count: int) -> Any:
    """Return the sorted keys with which the gradient kernels find the places of a row (``cuda/sorted_ids.cuh``)."""
    keys = device.empty((count,), np.int64)
    if count:
        sorting = min(1024, max(32, -(-count // 64) * 32))
        grid = (-(-count // _STRETCH), 1, 1)
        device.launch("embedding.sort_ids", grid, (sorting,), 0, (numbers, rows, padding, keys, count))
    return keys
