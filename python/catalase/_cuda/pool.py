"""Pooling on a device: launches of ``cuda/pool.cu``."""

from __future__ import annotations

from typing import Any

from ._arrays import float32, runtime_of
from .elementwise import walk


def run(kind: int, x: Any, windows: Any) -> Any:
    """`catalase.ops.pool.run` for device arrays."""
    runtime = runtime_of("pooling", x=x)
    float32("pooling", "x", x)
    lengths = (1,) * (5 - x.ndim) + tuple(x.shape[1:-1])
    y = runtime.empty((x.shape[0], *windows.out[5 - x.ndim :], x.shape[-1]), x.dtype)
    walk(runtime, "pool.pool_f32", y.size, kind, runtime.contiguous(x), y, *_shape(lengths, windows, x.shape[-1]))
    return y


def run_backward(kind: int, dy: Any, x: Any, shape: tuple[int, ...], windows: Any) -> Any:
    """`catalase.ops.pool.run_backward` for device arrays."""
    runtime = runtime_of("pooling", dy=dy, x=x)
    float32("pooling", "dy", dy)
    if x is not None:
        x = runtime.contiguous(float32("pooling", "x", x))
    dx = runtime.empty(shape, dy.dtype)
    lengths = (1,) * (5 - len(shape)) + tuple(shape[1:-1])
    numbers = _shape(lengths, windows, shape[-1])
    walk(runtime, "pool.pool_backward_f32", dx.size, kind, x, runtime.contiguous(dy), dx, *numbers)
    return dx


def _shape(lengths: tuple[int, ...], windows: Any, channels: int) -> tuple[int, ...]:
    return (*lengths, *windows.out, *windows.size, *windows.stride, *windows.before, channels)
