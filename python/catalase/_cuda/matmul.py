"""Products on a device: launch shapes of ``cuda/matmul.cu`` and ``cuda/matmul_mma.cu``."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core
from .._config import get_matmul_precision
from ._arrays import Runtime, blocks, float32, output, runtime_of

CHAIN = _core.CHAIN_LENGTH  # terms of one chain of multiply-adds
_NOTHING = (None, None, 0, None, 0, 0)  # the epilogue that changes nothing
_GRID = 65535  # blocks that a grid takes along y and z
_SCRATCH_BYTES = 2**28  # parts of a long product that are kept at a time


def matmul(
    a: Any, b: Any, *, transpose_a: bool = False, transpose_b: bool = False, out: Any = None, add: Any = None, keep: Any = None
) -> Any:  # fmt: skip
    """`catalase.ops.matmul` for device arrays."""
    runtime = runtime_of("matmul", a=a, b=b, out=out, add=add, keep=keep)
    for name, x in (("a", a), ("b", b), ("add", add), ("keep", keep)):
        if x is not None:
            float32("matmul", name, x)
    from ..ops.matmul import check_product

    left, right = check_product(a, b, transpose_a, transpose_b)
    out = output("matmul", runtime, out, (*left.shape[:-1], right.shape[-1]), a=a, b=b)
    if not _unit_rows(out):
        raise ValueError(f"matmul: the rows of out must have unit stride, got strides {out.strides}")
    for name, x in (("add", add), ("keep", keep)):
        if x is not None and (left.ndim != 2 or x.shape != out.shape):
            raise ValueError(
                f"matmul: {name} goes with two matrices, of the product's shape {out.shape}, got {x.shape}"
            )
    if left.ndim > 3:
        for index in np.ndindex(left.shape[:-3]):
            product(runtime, left[index], right[index], out[index], precision=get_matmul_precision())
    else:
        product(runtime, left, right, out, add=add, keep=keep, precision=get_matmul_precision())
    return out


def product(
    runtime: Runtime,
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
    """``c = act(a @ b + bias + add)``, zero where keep is not above zero; two matrices or two stacks (S, M, K), (S, K, N).

    ``precision`` is "float32" for whoever promises the CPU's bits, else what `get_matmul_precision` says.
    """
    m, k, n = a.shape[-2], a.shape[-1], b.shape[-1]
    stack = a.shape[0] if a.ndim == 3 else 1
    if m == 0 or n == 0 or stack == 0:
        return
    if stack > _GRID:
        for first in range(0, stack, _GRID):
            some = slice(first, first + _GRID)
            product(
                runtime, a[some], b[some], c[some], bias=bias, activation=activation, precision=precision, tile=tile
            )
        return
    add, keep = _rows(runtime, add), _rows(runtime, keep)
    ends = (bias, add, _stride(add, -2), keep, _stride(keep, -2), activation)
    how = (precision, tile)
    if k <= CHAIN:
        step = (_stride(a, 0), _stride(b, 0), _stride(c, 0)) if stack > 1 else (0, 0, 0)
        _launch(runtime, a, b, c, _stride(c, -2), (m, n, k), step, (stack, 0, max(k, 1)), ends, how)
    elif stack > 1:
        for i in range(stack):
            _long_product(runtime, a[i], b[i], c[i], ends, how)
    else:
        one = (x[0] if x.ndim == 3 else x for x in (a, b, c))
        _long_product(runtime, next(one), next(one), next(one), ends, how)


def _long_product(runtime: Runtime, a: Any, b: Any, c: Any, ends: tuple[Any, ...], how: tuple[str, int | None]) -> None:
    """Parts of 4,096 terms side by side into scratch memory; then added in order, with the epilogue."""
    (m, k), n = a.shape, b.shape[1]
    parts = -(-k // CHAIN)
    room = min(parts, _GRID, max(2, _SCRATCH_BYTES // (4 * m * n)))
    scratch = runtime.empty((room, m, n), np.float32)
    done = 0
    while done < parts:
        kept = 1 if done else 0  # slot 0 then holds the sum so far
        now = min(parts - done, room - kept)
        target = scratch[kept:]
        where = (now, done * CHAIN, CHAIN)
        _launch(runtime, a, b, target, n, (m, n, k), (0, 0, m * n), where, _NOTHING, how)
        done += now
        last = done == parts
        join(
            runtime,
            scratch,
            now + kept,
            c if last else scratch,
            _stride(c, -2) if last else n,
            m,
            n,
            ends if last else _NOTHING,
        )


def join(
    runtime: Runtime, parts: Any, count: int, c: Any, c_row: int, m: int, n: int, ends: tuple[Any, ...] = _NOTHING
) -> None:  # fmt: skip
    """``c = epilogue(parts[0] + parts[1] + ...)``; parts (count, m, n)."""
    grid = blocks(m * n, 256, runtime)
    runtime.launch("matmul.join_parts_f32", grid, (256,), 0, (parts, count, c, c_row, m, n, *ends))


def column_sum(runtime: Runtime, x: Any, out: Any) -> None:
    """``out[j] = sum over i of x[i, j]``, ascending, cut as products are."""
    m, n = x.shape
    if n == 0:
        return
    x = _rows(runtime, x)
    parts = max(1, -(-m // CHAIN))
    sums = out if parts == 1 else runtime.empty((parts, n), np.float32)
    runtime.launch("matmul.column_sum_f32", (-(-n // 128), parts), (128,), 0, (x, _stride(x, 0), sums, m, n))
    if parts > 1:
        join(runtime, sums, parts, out, n, 1, n)


def _launch(
    runtime: Runtime,
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
    if precision != "float32" and runtime.capability < 80:
        raise RuntimeError(
            f"matmul: {precision} products need a GPU of compute capability 8.0 or above, this one has "
            f"{runtime.capability / 10}; use catalase.set_matmul_precision('float32')"
        )
    size = tile or _tile(runtime, m, n, layers, precision)
    if layers > _GRID or -(-n // size) > _GRID:
        raise ValueError(
            f"matmul: {layers} products of {n} columns are more than a grid takes; multiply them in pieces"
        )
    grid = (-(-m // size), -(-n // size), layers)
    args = (
        a, _stride(a, -2), _stride(a, -1), steps[0], b, _stride(b, -2), _stride(b, -1), steps[1],
        c, c_row, steps[2], *sizes, k_begin, k_part, *ends,
    )  # fmt: skip
    if precision == "float32":
        runtime.launch(f"matmul.matmul_f32_{size}", grid, (128 if size == 32 else 256,), 0, args)
    else:
        layout = _unit_axis(_stride(a, -2), _stride(a, -1)) + _unit_axis(_stride(b, -1), _stride(b, -2))
        runtime.launch(f"matmul_mma.matmul_{precision}_{size}_{layout}", grid, (128,), 0, args)


def _unit_axis(line: int, depth: int) -> str:
    """Which of an operand's axes is copied in whole pieces: its lines ("l") or its depth k ("d")."""
    return "l" if line == 1 and depth != 1 else "d"


def _tile(runtime: Runtime, m: int, n: int, layers: int, precision: str) -> int:
    """The widest tile that the product fills, and of which there are enough. (A guess until it is measured.)"""
    if precision != "float32":  # two tiles only; narrow products waste part of the smaller one
        return 128 if -(-m // 128) * -(-n // 128) * layers >= runtime.multiprocessors else 64
    for size in (128, 64):
        if min(m, n) > size // 2 and -(-m // size) * -(-n // size) * layers >= runtime.multiprocessors:
            return size
    return 32 if n <= 32 * _GRID else 128


def _stride(x: Any, axis: int) -> int:
    return 0 if x is None else int(x.strides[axis]) // int(x.itemsize)


def _unit_rows(x: Any) -> bool:
    return bool(x.size == 0 or x.shape[-1] <= 1 or x.strides[-1] == x.itemsize)


def _rows(runtime: Runtime, x: Any) -> Any:
    """``x``, or a copy where its rows have no unit stride."""
    return x if x is None or _unit_rows(x) else runtime.contiguous(x)
