"""Attention on a device: launches of ``cuda/attention.cu``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .launch import blocks, stride, unit_rows

if TYPE_CHECKING:
    from .backend import CudaBackend

_TILE = 64


def attention(
    device: CudaBackend, q: Any, k: Any, v: Any, query_lengths: Any, lengths: Any, causal: bool, scale: float
) -> tuple[Any, Any]:
    y, statistics = _by_heads(device, q, v.shape[3]), device.empty((2, *q.shape[:3]), np.float32)
    q, k, v = (unit_rows(device, a) for a in (q, k, v))
    tiles = _tiles(q.shape[2]) * _tiles(v.shape[3])
    ends = (*_sizes(device, q, k, v, query_lengths, lengths, causal, scale), *_heads(y), statistics[0], statistics[1])
    _launch(device, "attention.attention_f32", q, tiles, (*_heads(q), *_heads(k), *_heads(v), *ends))
    return y, statistics


def attention_backward(
    device: CudaBackend, dy: Any, q: Any, k: Any, v: Any, y: Any, statistics: Any, query_lengths: Any, lengths: Any,
    causal: bool, scale: float, out: Any,
) -> tuple[Any, Any, Any]:  # fmt: skip
    dq, dk, dv = out or tuple(_by_heads(device, a, a.shape[3]) for a in (q, k, v))
    dy, q, k, v, y = (unit_rows(device, a) for a in (dy, q, k, v, y))
    statistics = device.contiguous(statistics)
    delta = device.empty(q.shape[:3], np.float32)
    if delta.size:
        args = (*_heads(dy), *_heads(y), q.shape[1], q.shape[2], v.shape[3], delta, delta.size)
        device.launch("attention.attention_delta_f32", blocks(32 * delta.size, 256, device), (256,), 0, args)
    given = (*_heads(dy), *_heads(q), *_heads(k), *_heads(v), statistics[0], statistics[1], delta)
    given = (*given, *_sizes(device, q, k, v, query_lengths, lengths, causal, scale), float(scale))
    tiles = _tiles(k.shape[2]) * max(_tiles(q.shape[3]), _tiles(v.shape[3]))
    _launch(device, "attention.attention_key_gradients_f32", q, tiles, (*given, *_heads(dk), *_heads(dv)))
    tiles = _tiles(q.shape[2]) * _tiles(q.shape[3])
    _launch(device, "attention.attention_query_gradients_f32", q, tiles, (*given, *_heads(dq)))
    return dq, dk, dv


def _by_heads(device: CudaBackend, x: Any, width: int) -> Any:
    n, heads, steps, _ = x.shape
    return device.empty((n, steps, heads, width), np.float32).transpose(0, 2, 1, 3)


def _heads(x: Any) -> tuple[Any, ...]:
    """An array and its strides, for a kernel."""
    return x, *(stride(x, axis) for axis in range(3))


def _sizes(
    device: CudaBackend, q: Any, k: Any, v: Any, query_lengths: Any, lengths: Any, causal: bool, scale: float
) -> tuple[Any, ...]:
    on = (None if a is None else device.array(a.astype(np.int64)) for a in (query_lengths, lengths))
    factor = np.float32(np.float64(np.float32(scale)) * math.log2(math.e))
    return *on, q.shape[1], q.shape[2], k.shape[2], q.shape[3], v.shape[3], causal, factor


def _tiles(n: int) -> int:
    return -(-n // _TILE)


def _launch(device: CudaBackend, kernel: str, q: Any, tiles: int, args: tuple[Any, ...]) -> None:
    """Launch a kernel with ``tiles`` blocks for each head of each sequence."""
    count = q.shape[0] * q.shape[1] * tiles
    if count:
        device.launch(kernel, (count, 1, 1), (256,), 0, args)
