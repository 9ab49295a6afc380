"""Rows by number on a device, and their gradient: launches of ``cuda/embedding.cu``."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ._arrays import Runtime, float32, is_device_array, output, runtime_of
from .elementwise import walk
from .matmul import _GRID, _rows, _stride, _unit_rows

_STRETCH = 4096  # tokens that are sorted together


def forward(ids: Any, w: Any) -> Any:
    """`catalase.ops.embedding` for device arrays."""
    runtime = runtime_of("embedding", w=w)
    float32("embedding", "w", w)
    if w.ndim != 2:
        raise ValueError(f"embedding: w must be (V, D), one row a token, got shape {w.shape}")
    numbers, shape = _numbers("embedding", runtime, ids, w, w.shape[0])
    w = _rows(runtime, w)
    out = runtime.empty((*shape, w.shape[1]), np.float32)
    walk(runtime, "embedding.embedding_f32", out.size, numbers, w, _stride(w, 0), w.shape[0], out, w.shape[1])
    return out


def backward(dy: Any, ids: Any, rows: int, padding: int | None, out: Any) -> Any:
    """`catalase.ops.embedding_backward` for device arrays, after the checks of ``rows`` and ``padding``."""
    function = "embedding_backward"
    runtime = runtime_of(function, dy=dy, out=out)
    float32(function, "dy", dy)
    numbers, shape = _numbers(function, runtime, ids, dy, rows)
    if dy.ndim == 0 or tuple(dy.shape[:-1]) != shape:
        raise ValueError(f"{function}: dy must have shape (*ids.shape, D) for ids {shape}, got {dy.shape}")
    count, columns = prod(shape), dy.shape[-1]
    if max(count, rows) >= 2**31:
        raise ValueError(f"{function}: takes fewer than 2**31 tokens and rows, got {count} and {rows}")
    dw = output(function, runtime, out, (rows, columns), dy=dy)
    if not _unit_rows(dw):
        raise ValueError(f"{function}: the rows of out must be contiguous, got strides {dw.strides}")
    flat = runtime.contiguous(dy).reshape(count, columns)
    keys = sorted_places(runtime, numbers, rows, -1 if padding is None else padding, count)
    threads = min(128, max(32, -(-columns // 32) * 32))
    grid = (rows, -(-columns // threads), 1)
    if grid[1] > _GRID:
        raise ValueError(f"{function}: {columns} columns are more than a grid takes")
    if rows and columns:
        args = (keys, flat, columns, dw, _stride(dw, 0), columns, count)
        runtime.launch("embedding.embedding_gradient_f32", grid, (threads,), 0, args)
    return dw


def sorted_places(runtime: Runtime, numbers: Any, rows: int, padding: int, count: int) -> Any:
    """The keys by which gradients find the places of a row (``cuda/sorted_ids.cuh``)."""
    keys = runtime.empty((count,), np.int64)
    if count:
        sorting = min(1024, max(32, -(-count // 64) * 32))
        grid = (-(-count // _STRETCH), 1, 1)
        runtime.launch("embedding.sort_ids", grid, (sorting,), 0, (numbers, rows, padding, keys, count))
    return keys


def _numbers(function: str, runtime: Runtime, ids: Any, beside: Any, rows: int) -> tuple[Any, tuple[int, ...]]:
    """The ids on the device, and their shape. Those that come from the host are checked there."""
    if is_device_array(ids):
        runtime_of(function, ids=ids, beside=beside)
        if ids.dtype != np.int64:
            raise TypeError(f"{function}: ids must be int64 on CUDA, got {ids.dtype}; use ids.astype('int64')")
        return runtime.contiguous(ids), tuple(ids.shape)
    from ..ops.embedding import token_ids, unknown_id

    numbers, given = token_ids(function, ids)
    wrong = np.flatnonzero((numbers.reshape(-1) < 0) | (numbers.reshape(-1) >= rows))
    if wrong.size:
        raise unknown_id(function, given, int(wrong[0]), rows)
    return runtime.array(numbers), tuple(given.shape)
