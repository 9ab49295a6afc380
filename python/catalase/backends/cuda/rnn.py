"""Recurrent cells on a device: launches of ``cuda/rnn_forward.cu`` and ``rnn_backward.cu``, and matrix products."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ... import _core
from ..base import RnnSaved
from .matmul import product
from .rnn_weights import bias_gradient_of_steps, gather, scatter, weight_gradient_of_steps

if TYPE_CHECKING:
    from .backend import CudaBackend

_GATES = {"rnn": 1, "gru": 3, "lstm": 4}
_GATES_BYTES = 2**28  # memory for the input's part of the gates, where no gates are saved
_CHUNK_BYTES = 2**20  # size of the chunks of dz whose rows are summed together, as on the CPU


class Plan:
    """The order of rows in time, the same as on the CPU; the host computes it where lengths differ."""

    def __init__(self, device: CudaBackend, sizes: Any, lengths: Any, reverse: bool, dz_row: int = 0) -> None:
        self.batch, self.axis, self.reverse = sizes.batch, sizes.steps, int(reverse)
        ragged = lengths is not None and bool((lengths != sizes.steps).any())
        self.steps = sizes.steps if sizes.batch else 0
        self.offset = self.sequence = self.length = self.bounds = None
        self.in_order = not ragged and (sizes.steps <= 1 or (sizes.batch == 1 and not reverse))
        most = max(1, _CHUNK_BYTES // (4 * dz_row)) if dz_row else 0
        self.even, self.starts = 0, np.arange(self.steps + 1, dtype=np.int64) * self.batch
        if not ragged:
            steps = max(1, most // max(self.batch, 1))
            self.even, self.chunks = steps * self.batch, -(-self.steps // steps)
            return
        tables = _row_tables(lengths, most)
        self.starts, self.chunks = tables[0], len(tables[3]) - 1
        self.steps = len(self.starts) - 1
        table = device.array(np.concatenate(tables).astype(np.int64))
        ends = np.cumsum([0, self.steps + 1, self.batch, self.batch, self.chunks + 1])
        self.offset, self.sequence, self.length, self.bounds = (table[a:b] for a, b in pairwise(ends))

    @property
    def rows(self) -> int:
        return int(self.starts[-1])

    @property
    def order(self) -> tuple[Any, ...]:
        """The arguments of the kernels that describe the order."""
        return self.offset, self.sequence, self.length, self.batch, self.axis, self.reverse

    def pieces(self, row_bytes: int, whole: bool) -> list[tuple[int, int]]:
        """Return ranges of time steps, each with as many rows as the memory for gates holds."""
        if whole or self.rows * row_bytes <= _GATES_BYTES:
            return [(0, self.steps)]
        room, first, pieces = max(1, _GATES_BYTES // row_bytes), 0, []
        while first < self.steps:
            fits = int(np.searchsorted(self.starts, self.starts[first] + room, side="right")) - 1
            pieces.append((first, max(first + 1, fits)))
            first = pieces[-1][1]
        return pieces


def _row_tables(lengths: Any, most: int) -> tuple[Any, Any, Any, Any]:
    """Return the first row of each step, the sequence and the length of each row, and the first row of each chunk."""
    sequence = np.argsort(-lengths, kind="stable")
    length = lengths[sequence]
    steps = int(length[0])
    active = np.searchsorted(-length, -np.arange(1, steps + 1), side="right")  # sequences that have this step
    starts = np.concatenate([[0, len(lengths)], active[:-1]]).cumsum()[: steps + 1]
    return starts, sequence, length, _chunk_starts(starts, most) if most else [0]  # the forward pass needs no chunks


def _chunk_starts(starts: Any, most: int) -> list[int]:
    """Return the first rows of the CPU's chunks: steps are added to a chunk while its dz stays within 1 MiB."""
    bounds, step = [0], 0
    while step < len(starts) - 1:
        fits = int(np.searchsorted(starts, starts[step] + most, side="right")) - 1
        step = max(step + 1, fits)
        bounds.append(int(starts[step]))
    return bounds


class _Sizes(NamedTuple):
    batch: int
    steps: int
    inputs: int
    hidden: int


def _sizes(arrays: dict[str, Any]) -> _Sizes:
    batch, steps, inputs = arrays["x"].shape
    return _Sizes(batch, steps, inputs, arrays["w_h"].shape[0])


def rnn(
    device: CudaBackend, kind: str, cell: str, arrays: dict[str, Any], lengths: Any, reverse: bool, keep: bool
) -> tuple[Any, Any, Any, RnnSaved | None]:
    sizes = _sizes(arrays)
    plan = Plan(device, sizes, lengths, reverse)
    x, w_h, b, h0, c0 = (_dense(device, arrays.get(name)) for name in ("x", "w_h", "b", "h0", "c0"))
    H, lstm = sizes.hidden, kind == "lstm"
    width = _GATES[kind] * H
    bias, bias_h = (b[0], b[1]) if kind == "gru" else (b, None)
    y, h = _empty(device, (sizes.batch, sizes.steps, H)), _empty(device, (sizes.batch, H))
    c = _empty(device, h.shape) if lstm else None
    kept = sizes.batch + (sizes.batch * sizes.steps if lengths is None else int(lengths.sum()))
    states = _empty(device, (kept, H)) if keep else None
    cells = _empty(device, (kept, H)) if keep and lstm else None
    candidates = _empty(device, (plan.rows, H)) if keep and kind == "gru" else None
    gates = None
    for first, stop in plan.pieces(4 * width, keep):
        rows = int(plan.starts[stop] - plan.starts[first])
        part = gather(device, x, plan, first, stop, rows)
        gates = _empty(device, (rows, width))
        product(device, part, arrays["w_x"], gates, bias=bias)
        given = (gates, int(plan.starts[first]), w_h, width, bias_h, h0, c0, h, c, y, states, cells, candidates)
        _walk(device, "forward", cell, sizes, (*given, *plan.order, first, stop))
        h0, c0 = h, c  # the next steps continue from here
    if states is None:
        return y, h, c, None
    return y, h, c, RnnSaved(gates if kind in ("gru", "lstm") else None, candidates, states, cells)


def rnn_backward(
    device: CudaBackend, kind: str, cell: str, arrays: dict[str, Any], saved: RnnSaved, lengths: Any, reverse: bool,
    need_dx: bool,
) -> tuple[Any, ...]:  # fmt: skip
    sizes = _sizes(arrays)
    H, width = sizes.hidden, _GATES[kind] * sizes.hidden
    dz_row = 4 * H if kind == "gru" else width
    plan = Plan(device, sizes, lengths, reverse, dz_row)
    x, dy, dh, dc = (_dense(device, arrays.get(name)) for name in ("x", "dy", "dh", "dc"))
    dz, dh0 = _empty(device, (plan.rows, dz_row)), _empty(device, (sizes.batch, H))
    dc0 = _empty(device, dh0.shape) if kind == "lstm" else None
    given = (saved.gates, saved.candidates, saved.states, saved.cells, device.contiguous(arrays["w_h"].T))
    _walk(device, "backward", cell, sizes, (*given, dy, dh, dc, dz, dh0, dc0, *plan.order, plan.steps))
    rows = gather(device, x, plan, 0, plan.steps, plan.rows)
    dw_x = weight_gradient_of_steps(device, rows, dz[:, dz_row - width :], plan, 0)
    dw_h = weight_gradient_of_steps(
        device, saved.states[: plan.rows], dz[:, :width], plan, 2 * H if kind == "gru" else 0
    )
    db = bias_gradient_of_steps(device, dz, plan, kind == "gru")
    dx = None
    if need_dx:
        dx = _empty(device, x.shape)
        of_rows = dx.reshape(plan.rows, sizes.inputs) if plan.in_order else _empty(device, rows.shape)
        product(device, dz[:, dz_row - width :], arrays["w_x"].T, of_rows)
        scatter(device, of_rows, dx, plan)
    return dx, dw_x, dw_h, db, dh0, dc0


def _walk(device: CudaBackend, way: str, cell: str, sizes: Any, args: tuple[Any, ...]) -> None:
    """Launch all steps at once, with 1 row a block, or 4 if rows outnumber multiprocessors; weights that fit stay on chip."""
    if not sizes.batch:
        return
    H, number = sizes.hidden, _core.CELLS[cell]
    gates = {0: 1, 1: 1, 2: 3, 3: 4}[number]
    width, line = gates * H, -(-H // 16) * 16
    if way == "forward":  # floats a row: see "Memory" in the kernel's file
        floats = line + (4 * H if gates > 1 else H) + (H if cell == "lstm" else 0)
    else:
        floats = gates * line + H + (H if cell == "lstm" else 0)
    room = _shared_floats(device)
    rows = 4 if sizes.batch > device.multiprocessors and 4 * floats <= room else 1  # (a guess until it is measured)
    held = 128 if H > 64 and width <= 256 else 64 if width <= 512 else 0
    threads = width if held or way == "forward" else H
    threads = min(-(-threads // 32) * 32, 1024 if rows == 1 and way == "forward" else 512)
    args, used = (number, H, *args), -(-rows * floats // 4) * 4
    if used > room:
        scratch = _empty(device, (sizes.batch, used))
        return device.launch(f"rnn_{way}.rnn_{way}_far", (sizes.batch, 1, 1), (threads,), 0, (*args, 0, scratch, used))
    kept = min(-(-max(H - held, 0) // 4) * 4, (room - used) // width // 4 * 4)
    grid, name = (-(-sizes.batch // rows), 1, 1), f"rnn_{way}.rnn_{way}_{held}_{rows}"
    device.launch(name, grid, (threads,), 4 * (used + kept * width), (*args, kept))


def _shared_floats(device: CudaBackend) -> int:
    return device.shared_bytes // 4


def _empty(device: CudaBackend, shape: tuple[int, ...]) -> Any:
    return device.empty(shape, np.float32)


def _dense(device: CudaBackend, x: Any) -> Any:
    return None if x is None else device.contiguous(x)
