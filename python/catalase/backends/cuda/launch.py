"""Helpers for kernel launches: grid sizes, argument types and strides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .backend import CudaBackend

GRID = 65535  # the most blocks of a grid along y and z
SCRATCH_BYTES = 2**28  # memory for the parts of a long sum


def value(x: Any) -> Any:
    """Return a scalar argument of a kernel as a NumPy scalar of the kernel's type: int is i64, float is float32."""
    if isinstance(x, np.generic):
        return x
    if isinstance(x, (bool, int)):
        return np.int64(x)
    if isinstance(x, float):
        return np.float32(x)
    raise TypeError(f"a kernel takes arrays, None, int and float, got {type(x).__name__}")


def blocks(items: int, threads: int, device: CudaBackend, per_multiprocessor: int = 8) -> tuple[int, int, int]:
    """Return a grid whose threads share ``items``, with at most ``per_multiprocessor`` blocks a multiprocessor."""
    return max(1, min(-(-items // threads), device.multiprocessors * per_multiprocessor)), 1, 1


def walk(device: CudaBackend, kernel: str, items: int, *args: Any) -> None:
    """Launch a kernel whose threads share ``items``; their number is its last argument."""
    if items:
        device.launch(kernel, blocks(items, 256, device), (256,), 0, (*args, items))


def stride(x: Any, axis: int) -> int:
    """Return a stride in elements; 0 for None."""
    return 0 if x is None else int(x.strides[axis]) // int(x.itemsize)


def has_unit_rows(x: Any) -> bool:
    """Return whether the elements of a row are contiguous."""
    return bool(x.size == 0 or x.shape[-1] <= 1 or x.strides[-1] == x.itemsize)


def unit_rows(device: CudaBackend, x: Any) -> Any:
    """Return ``x``, or a contiguous copy if its rows are not contiguous."""
    return x if x is None or has_unit_rows(x) else device.contiguous(x)
