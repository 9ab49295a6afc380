"""Reductions over lists of rows on a device: launches of ``cuda/graph.cu``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ... import _core
from ..._internal.config import get_matmul_precision
from .launch import stride, unit_rows, walk
from .matmul import product

if TYPE_CHECKING:
    from .backend import CudaBackend


def list_sum(
    device: CudaBackend,
    x: Any,
    offsets: Any,
    index: Any = None,
    mean: bool = False,
    z: Any = None,
    kind: Any = None,
    relu: bool = False,
) -> Any:
    x, z = unit_rows(device, x), unit_rows(device, z)
    out = device.empty((offsets.shape[0] - 1, x.shape[1]), np.float32)
    args = (offsets, index, int(mean), x, stride(x, 0), z, stride(z, 0), kind, int(relu), out, out.shape[1])
    walk(device, "graph.list_sum_f32", out.size, *args)
    return out


def list_max(device: CudaBackend, x: Any, offsets: Any, index: Any = None) -> Any:
    x = unit_rows(device, x)
    out = device.empty((offsets.shape[0] - 1, x.shape[1]), np.float32)
    walk(device, "graph.list_max_f32", out.size, offsets, index, x, stride(x, 0), out, None, out.shape[1])
    return out


def list_max_backward(device: CudaBackend, dy: Any, x: Any, offsets: Any, index: Any = None) -> Any:
    x, dy = unit_rows(device, x), unit_rows(device, dy)
    dx = device.empty(x.shape, np.float32)
    winners = device.empty(dy.shape, np.int64)
    columns = x.shape[1]
    walk(device, "graph.list_max_f32", dy.size, offsets, index, x, stride(x, 0), None, winners, columns)
    if index is None:
        own = (offsets, offsets.shape[0] - 1, winners)
        walk(device, "graph.segment_max_backward_f32", dx.size, *own, dy, stride(dy, 0), dx, columns)
    else:
        turned, starts, entries = _transposed(device, offsets, index, x.shape[0])
        others = (starts, turned, entries, winners)
        walk(device, "graph.gather_max_backward_f32", dx.size, *others, dy, stride(dy, 0), dx, columns)
    return dx


def segment_softmax(device: CudaBackend, x: Any, offsets: Any) -> Any:
    x = unit_rows(device, x)
    y = device.empty(x.shape, np.float32)
    columns = x.shape[1]
    items = (offsets.shape[0] - 1) * columns
    walk(device, "graph.segment_softmax_f32", items, offsets, x, stride(x, 0), y, columns)
    return y


def segment_softmax_backward(device: CudaBackend, dy: Any, y: Any, offsets: Any) -> Any:
    dy, y = unit_rows(device, dy), unit_rows(device, y)
    dx = device.empty(y.shape, np.float32)
    columns = y.shape[1]
    items = (offsets.shape[0] - 1) * columns
    args = (offsets, dy, stride(dy, 0), y, stride(y, 0), dx, columns)
    walk(device, "graph.segment_softmax_backward_f32", items, *args)
    return dx


def segment_spread(device: CudaBackend, dy: Any, offsets: Any, mean: bool, rows: int) -> Any:
    dy = unit_rows(device, dy)
    dx = device.empty((rows, dy.shape[1]), np.float32)
    args = (offsets, offsets.shape[0] - 1, int(mean), dy, stride(dy, 0), dx, dx.shape[1])
    walk(device, "graph.segment_spread_f32", dx.size, *args)
    return dx


def message_update(
    device: CudaBackend,
    h: Any,
    w: Any,
    z: Any,
    kind: Any,
    b: Any,
    activation: int,
    offsets: Any,
    index: Any,
    keep: bool,
) -> tuple[Any, Any]:
    """Return as the protocol says, by a sum, a copy of the rows of z that are added, and a product."""
    m = list_sum(device, h, offsets, index)
    y = device.empty((m.shape[0], w.shape[1]), np.float32)
    if z is not None and kind is not None:
        z = list_sum(device, z, device.array(np.arange(m.shape[0] + 1)), kind)
    b = None if b is None else device.contiguous(b)
    product(device, m, w, y, bias=b, add=z, activation=activation, precision=get_matmul_precision())
    return y, m if keep else None


def transpose_lists(device: CudaBackend, offsets: Any, index: Any, rows: int) -> tuple[Any, Any]:
    """Return as the protocol says, sorted by the host, which waits for the lists."""
    return _transposed(device, offsets, index, rows)[:2]


def _transposed(device: CudaBackend, offsets: Any, index: Any, rows: int) -> tuple[Any, Any, Any]:
    """Return the transposed index and offsets, and the numbers of the entries."""
    starts, numbers = device.to_host(offsets), device.to_host(index)
    turned, ends = _core.transpose_lists(starts, numbers, rows)
    entries = np.argsort(numbers, kind="stable").astype(np.int32)
    return device.array(turned), device.array(ends), device.array(entries)
