"""Pooling and linear upsampling on a device: launches of ``cuda/pool.cu`` and ``cuda/upsample.cu``."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from ..base import Windows
from .launch import walk

if TYPE_CHECKING:
    from .backend import CudaBackend


def pool(device: CudaBackend, kind: int, x: Any, windows: Windows) -> Any:
    y = device.empty((x.shape[0], *windows.out[5 - x.ndim :], x.shape[-1]), x.dtype)
    walk(device, "pool.pool_f32", y.size, kind, device.contiguous(x), y, *_numbers(x.shape, windows))
    return y


def pool_backward(device: CudaBackend, kind: int, dy: Any, x: Any, shape: tuple[int, ...], windows: Windows) -> Any:
    x = None if x is None else device.contiguous(x)
    dx = device.empty(shape, dy.dtype)
    walk(device, "pool.pool_backward_f32", dx.size, kind, x, device.contiguous(dy), dx, *_numbers(shape, windows))
    return dx


def stretch(device: CudaBackend, x: Any, factors: tuple[int, ...]) -> Any:
    return _stretch(device, x, factors, backward=False)


def stretch_backward(device: CudaBackend, dy: Any, factors: tuple[int, ...]) -> Any:
    return _stretch(device, dy, factors, backward=True)


def _stretch(device: CudaBackend, x: Any, factors: tuple[int, ...], backward: bool) -> Any:
    """Interpolate along one axis after the other."""
    result = device.contiguous(x)
    for axis, times in enumerate(factors, 1):
        if times == 1:
            continue
        shape = list(result.shape)
        length = shape[axis] // times if backward else shape[axis]
        shape[axis] = length if backward else length * times
        target = device.empty(tuple(shape), result.dtype)
        kernel = "upsample.stretch_backward_f32" if backward else "upsample.stretch_f32"
        walk(device, kernel, target.size, result, target, length, prod(shape[axis + 1 :]), times)
        result = target
    return device.copy(x) if result is x else result


def _numbers(shape: tuple[int, ...], windows: Windows) -> tuple[int, ...]:
    lengths = (1,) * (5 - len(shape)) + tuple(shape[1:-1])
    return (*lengths, *windows.out, *windows.size, *windows.stride, *windows.before, shape[-1])
