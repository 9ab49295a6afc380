"""Dense layers on a device: a product by ``cuda/matmul.cu``, or a sum of gathered weight rows by ``cuda/linear.cu``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..._internal.config import get_matmul_precision
from ..base import SparseRows
from .launch import GRID, stride, unit_rows
from .matmul import product

if TYPE_CHECKING:
    from .backend import CudaBackend


class GatheredBatch(SparseRows):
    """A batch on a device whose entries are mostly zero, as `catalase.ops.as_sparse` returns it.

    It refers to the array it was made of, which must not be changed before the step ends. ``shape`` and ``dtype`` are those
    of the features; ``entries`` is the number that is not zero (None for packed bits, which are not counted).
    """

    def __init__(self, data: Any, entries: int | None = None) -> None:
        self.data, self.entries = data, entries
        self.is_bits = data.dtype == np.uint8
        self.shape: tuple[int, int] = (data.shape[0], data.shape[1] * (8 if self.is_bits else 1))
        self.dtype = np.dtype(np.float32)

    def __len__(self) -> int:
        return self.shape[0]


def sparse(device: CudaBackend, x: Any, wide: bool) -> GatheredBatch | None:
    """Return as the protocol says; the device counts the entries of floats, and the host waits for the count."""
    if x.dtype == np.uint8:
        return GatheredBatch(unit_rows(device, x))
    if x.size < 4096:
        return None
    x = unit_rows(device, x)
    counts = device.empty((x.shape[0],), np.int64)
    device.launch("linear.count_rows_f32", (x.shape[0],), (128,), 0, (x, stride(x, 0), x.shape[1], counts))
    entries = int(device.to_host(counts).sum())
    return GatheredBatch(x, entries) if 8 * entries <= x.size else None


def linear(device: CudaBackend, x: Any, w: Any, b: Any, activation: int) -> Any:
    """Return as the protocol says; bits and a `GatheredBatch` gather rows, other floats are multiplied."""
    b = None if b is None else device.contiguous(b)
    y = device.empty((x.shape[0], w.shape[1]), np.float32)
    if isinstance(x, GatheredBatch):
        w = unit_rows(device, w)
        _gather(device, "linear", x, x.shape[0], (x.shape[1], w, stride(w, 0), b, activation, y, w.shape[1]))
    else:
        product(device, x, w, y, bias=b, activation=activation, precision=get_matmul_precision())
    return y


def weight_gradient(device: CudaBackend, x: Any, dz: Any, out: Any) -> Any:
    if not isinstance(x, GatheredBatch):
        product(device, x.T, dz, out, precision=get_matmul_precision())
        return out
    shape = (x.shape[1], dz.shape[1])
    target = out if out.flags.c_contiguous else device.empty(shape, np.float32)
    dz = unit_rows(device, dz)
    _gather(device, "weight_gradient", x, shape[0], (x.shape[0], dz, stride(dz, 0), target, shape[1]))
    if target is not out:
        out[...] = target
    return out


def _gather(device: CudaBackend, kernel: str, x: GatheredBatch, lines: int, args: tuple[Any, ...]) -> None:
    """Launch a kernel with one block for each line (a row of the batch, or a feature) and 128 columns."""
    columns = args[-1]
    if columns > 128 * GRID:
        raise ValueError(f"linear: {columns} outputs are more than a grid takes; multiply them in pieces")
    if lines and columns:
        name = f"linear.{kernel}_{'bits' if x.is_bits else 'rows'}_f32"
        device.launch(name, (lines, -(-columns // 128)), (128,), 0, (x.data, stride(x.data, 0), *args))
