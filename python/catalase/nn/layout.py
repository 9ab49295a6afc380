"""How the values of parameters lie in memory: on cache lines, rows of matrices an odd number of lines apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backends import assign, backend_named

LINE = 64  # bytes in a cache line


def aligned(array: NDArray[Any], device: str) -> NDArray[Any]:
    """Copy into memory laid out as in the flat buffer, so that a net which is never trained is as fast as one that is."""
    rows, row = padded(array.shape, array.itemsize)
    copy = view(backend_named(device).full((rows * row,), 0.0, array.dtype), 0, row, array.shape)
    assign(copy, array)
    return copy


def round_up(n: int, step: int) -> int:
    return -(-n // step) * step


def padded(shape: tuple[int, ...], itemsize: int) -> tuple[int, int]:
    """Rows, and the padded length of a row in elements."""
    if len(shape) < 2:
        return 1, int(np.prod(shape, dtype=np.int64))
    rows, row = int(np.prod(shape[:-1], dtype=np.int64)), shape[-1]
    if len(shape) == 2 and row * itemsize > LINE:
        lines = -(-row * itemsize // LINE)
        row = (lines + 1 - lines % 2) * LINE // itemsize
    return rows, row


def view(flat: NDArray[Any], offset: int, row: int, shape: tuple[int, ...]) -> NDArray[Any]:
    rows, _ = padded(shape, flat.itemsize)
    part = flat[offset : offset + rows * row]
    if len(shape) == 2:
        return part.reshape(rows, row)[:, : shape[1]]
    return part.reshape(shape)
