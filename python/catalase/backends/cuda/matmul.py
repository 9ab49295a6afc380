"""Matrix products on a device: launches of ``cuda/matmul.cu`` and ``cuda/matmul_mma.cu``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ... import _core
from ..._internal.config import get_matmul_precision
from .launch import GRID, SCRATCH_BYTES, blocks, stride, unit_rows

if TYPE_CHECKING:
    from .backend import CudaBackend

CHAIN = _core.CHAIN_LENGTH  # terms of one chain of multiply-adds
_NOTHING = (None, None, 0, None, 0, 0)  # the epilogue that changes nothing


def matmul(
    device: CudaBackend, a: Any, b: Any, out: Any = None, add: Any = None, keep: Any = None, exact: bool = False
) -> Any:
    if out is None:
        out = device.empty((*a.shape[:-1], b.shape[-1]), np.float32)
    precision = "float32" if exact else get_matmul_precision()
    if a.ndim > 3:
        for index in np.ndindex(a.shape[:-3]):
            product(device, a[index], b[index], out[index], precision=precision)
    else:
        product(device, a, b, out, add=add, keep=keep, precision=precision)
    return out


def product(
    device: CudaBackend,
    a: Any,
    b: Any,
    c: Any,
    *,
    bias: Any = None,
    add: Any = None,
    keep: Any = None,
    activation: int = 0,
    precision: str = "float32",
    tile: int | None = None,
) -> None:
    """Write ``c = act(a @ b + bias + add)``, with 0 where keep is not above 0, for matrices or stacks (S, M, K), (S, K, N).

    ``precision`` is "float32" where the CPU's bits are promised, else the value of `get_matmul_precision`.
    """
    m, k, n = a.shape[-2], a.shape[-1], b.shape[-1]
    stack = a.shape[0] if a.ndim == 3 else 1
    if m == 0 or n == 0 or stack == 0:
        return
    if stack > GRID:
        for first in range(0, stack, GRID):
            some = slice(first, first + GRID)
            product(device, a[some], b[some], c[some], bias=bias, activation=activation, precision=precision, tile=tile)
        return
    add, keep = unit_rows(device, add), unit_rows(device, keep)
    ends = (bias, add, stride(add, -2), keep, stride(keep, -2), activation)
    how = (precision, tile)
    if k <= CHAIN:
        step = (stride(a, 0), stride(b, 0), stride(c, 0)) if stack > 1 else (0, 0, 0)
        _launch(device, a, b, c, stride(c, -2), (m, n, k), step, (stack, 0, max(k, 1)), ends, how)
    elif stack > 1:
        for i in range(stack):
            _long_product(device, a[i], b[i], c[i], ends, how)
    else:
        one = (x[0] if x.ndim == 3 else x for x in (a, b, c))
        _long_product(device, next(one), next(one), next(one), ends, how)


def _long_product(
    device: CudaBackend, a: Any, b: Any, c: Any, ends: tuple[Any, ...], how: tuple[str, int | None]
) -> None:
    """Compute parts of 4,096 terms in parallel into scratch memory, then add them in order and apply the epilogue."""
    (m, k), n = a.shape, b.shape[1]
    parts = -(-k // CHAIN)
    room = min(parts, GRID, max(2, SCRATCH_BYTES // (4 * m * n)))
    scratch = device.empty((room, m, n), np.float32)
    done = 0
    while done < parts:
        kept = 1 if done else 0  # after the first round slot 0 holds the sum so far
        now = min(parts - done, room - kept)
        target = scratch[kept:]
        where = (now, done * CHAIN, CHAIN)
        _launch(device, a, b, target, n, (m, n, k), (0, 0, m * n), where, _NOTHING, how)
        done += now
        last = done == parts
        join(
            device,
            scratch,
            now + kept,
            c if last else scratch,
            stride(c, -2) if last else n,
            m,
            n,
            ends if last else _NOTHING,
        )


def join(
    device: CudaBackend, parts: Any, count: int, c: Any, c_row: int, m: int, n: int, ends: tuple[Any, ...] = _NOTHING
) -> None:  # fmt: skip
    """Write ``c = epilogue(parts[0] + parts[1] + ...)`` for parts (count, m, n)."""
    grid = blocks(m * n, 256, device)
    device.launch("matmul.join_parts_f32", grid, (256,), 0, (parts, count, c, c_row, m, n, *ends))


def column_sum(device: CudaBackend, x: Any, out: Any) -> None:
    """Write ``out[j] = sum over i of x[i, j]``, with i ascending, in the same parts as a product."""
    m, n = x.shape
    if n == 0:
        return
    x = unit_rows(device, x)
    parts = max(1, -(-m // CHAIN))
    sums = out if parts == 1 else device.empty((parts, n), np.float32)
    device.launch("matmul.column_sum_f32", (-(-n // 128), parts), (128,), 0, (x, stride(x, 0), sums, m, n))
    if parts > 1:
        join(device, sums, parts, out, n, 1, n)


def _launch(
    device: CudaBackend,
    a: Any,
    b: Any,
    c: Any,
    c_row: int,
    sizes: tuple[int, int, int],
    steps: tuple[int, int, int],
    depth: tuple[int, int, int],
    ends: tuple[Any, ...],
    how: tuple[str, int | None],
) -> None:
    m, n, _ = sizes
    layers, k_begin, k_part = depth
    precision, tile = how
    if precision != "float32" and device.capability < 80:
        raise RuntimeError(
            f"matmul: {precision} products need a GPU of compute capability 8.0 or above, this one has "
            f"{device.capability / 10}; use catalase.set_matmul_precision('float32')"
        )
    size = tile or _tile(device, m, n, layers, precision)
    if layers > GRID or -(-n // size) > GRID:
        raise ValueError(
            f"matmul: {layers} products of {n} columns are more than a grid takes; multiply them in pieces"
        )
    grid = (-(-m // size), -(-n // size), layers)
    args = (
        a, stride(a, -2), stride(a, -1), steps[0], b, stride(b, -2), stride(b, -1), steps[1],
        c, c_row, steps[2], *sizes, k_begin, k_part, *ends,
    )  # fmt: skip
    if precision == "float32":
        device.launch(f"matmul.matmul_f32_{size}", grid, (128 if size == 32 else 256,), 0, args)
    else:
        layout = _unit_axis(stride(a, -2), stride(a, -1)) + _unit_axis(stride(b, -1), stride(b, -2))
        device.launch(f"matmul_mma.matmul_{precision}_{size}_{layout}", grid, (128,), 0, args)


def _unit_axis(line: int, depth: int) -> str:
    """Return which axis of an operand is contiguous, and copied in vectors: its lines ("l") or its depth k ("d")."""
    return "l" if line == 1 and depth != 1 else "d"


def _tile(device: CudaBackend, m: int, n: int, layers: int, precision: str) -> int:
    """Return the widest tile that the product fills and that gives enough blocks. (A guess until it is measured.)"""
    if precision != "float32":  # there are two tiles; narrow products waste part of the smaller one
        return 128 if -(-m // 128) * -(-n // 128) * layers >= device.multiprocessors else 64
    for size in (128, 64):
        if min(m, n) > size // 2 and -(-m // size) * -(-n // size) * layers >= device.multiprocessors:
            return size
    return 32 if n <= 32 * GRID else 128
