"""Work for all steps of a recurrent cell at once (gathering rows, gradients): launches of ``cuda/rnn_weights.cu``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .launch import GRID, SCRATCH_BYTES, blocks, stride, walk

if TYPE_CHECKING:
    from .backend import CudaBackend

_TILE = 64


def gather(device: CudaBackend, x: Any, plan: Any, first: int, stop: int, rows: int) -> Any:
    """Return the rows of x (N, T, I) for these steps in the order of time, or a view if they already have it."""
    inputs = x.shape[2]
    if plan.in_order:
        start = int(plan.starts[first])
        return x.reshape(x.shape[0] * x.shape[1], inputs)[start : start + rows]
    out = device.empty((rows, inputs), np.float32)
    order = plan.order
    items = (stop - first) * plan.batch * inputs
    walk(device, "rnn_weights.gather_steps", items, x, out, *order, first, inputs)
    return out


def scatter(device: CudaBackend, rows: Any, dx: Any, plan: Any) -> None:
    """Write rows back into dx (N, T, I), with zeros beyond each sequence's end."""
    if not plan.in_order:
        walk(device, "rnn_weights.scatter_steps", dx.size, rows, dx, *plan.order, dx.shape[2])


def weight_gradient_of_steps(device: CudaBackend, a: Any, dz: Any, plan: Any, turn: int) -> Any:
    """Return ``a.T @ dz``, summed chunk by chunk, latest first, with its columns rotated to the right by ``turn``."""
    lines, columns, chunks = a.shape[1], dz.shape[1], plan.chunks
    dw = device.empty((lines, columns), np.float32)
    tiles = (-(-lines // _TILE), -(-columns // _TILE))
    if tiles[1] > GRID:
        raise ValueError(f"recurrent cell: {columns} gates are more than a grid takes")
    if not lines:
        return dw
    fixed = (a, lines, dz, stride(dz, 0), columns, plan.bounds, plan.even, plan.rows)
    if chunks <= 1 or tiles[0] * tiles[1] >= device.multiprocessors:
        device.launch(
            "rnn_weights.weight_chunks", (*tiles, 1), (256,), 0, (*fixed, 0, max(chunks, 1), chunks, dw, turn)
        )
        return dw
    room = min(chunks, GRID, max(1, SCRATCH_BYTES // (4 * dw.size)))
    parts = device.empty((room, lines, columns), np.float32)
    stop = chunks
    while stop > 0:
        first = max(0, stop - room)
        device.launch(
            "rnn_weights.weight_chunks", (*tiles, stop - first), (256,), 0, (*fixed, first, 1, stop, parts, 0)
        )
        _join(device, parts, dw.size, stop - first, stop < chunks, dw, columns, turn, dw.size)
        stop = first
    return dw


def bias_gradient_of_steps(device: CudaBackend, dz: Any, plan: Any, gru: bool) -> Any:
    """Sum dz (rows, columns) over its rows in the same way; GRU's [q r z n] is returned as (2, 3H): r z n, r z q."""
    columns, chunks = dz.shape[1], plan.chunks
    width = 3 * columns // 4 if gru else columns
    db = device.empty((2, width) if gru else (width,), np.float32)
    parts = device.empty((max(chunks, 1), columns), np.float32)
    for first in range(0, chunks, GRID):
        grid = (-(-columns // 128), min(GRID, chunks - first), 1)
        args = (dz, columns, plan.bounds, plan.even, plan.rows, first, parts[first:])
        device.launch("rnn_weights.bias_chunks", grid, (128,), 0, args)
    if not gru:
        _join(device, parts, columns, chunks, False, db, width, 0, width)
        return db
    _join(device, parts[:, columns - width :], columns, chunks, False, db[0], width, 0, width)
    _join(device, parts, columns, chunks, False, db[1], width, 2 * (columns - width), width)
    return db


def _join(
    device: CudaBackend, parts: Any, apart: int, count: int, add: bool, out: Any, columns: int, turn: int, items: int
) -> None:
    args = (parts, apart, count, int(add), out, columns, turn, items)
    device.launch("rnn_weights.join_chunks", blocks(items, 256, device), (256,), 0, args)
