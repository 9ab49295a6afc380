"""Message passing on graphs: reductions over lists of rows and the update of messages, forward and with backward.

The lists are those of a batch of 64 drug-like molecules: directed bonds that sum the other bonds into their source. PyTorch
gathers rows by `index_select` and adds them by `index_add_`, as chemprop does; its backward goes through autograd. Training
steps of whole nets follow (``bench/graph_nets.py``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import graph_nets
from ..case import Case, Prepared

FAMILY = "graph"
_REDUCTIONS = ("gather sum", "segment mean", "segment max", "segment softmax")


def cases(quick: bool) -> list[Case]:
    lists, rows, columns = (40, 12, 20) if quick else (3600, 3600, 300)
    entries = _lists(lists, rows)[0].size
    out = []
    for backward in (False, True):
        suffix = ", with backward" if backward else ""
        for what in _REDUCTIONS:
            moved = entries + (entries if what == "segment softmax" else lists)
            name = f"{what}, {lists} lists of {entries} x {columns}{suffix}"
            out.append(
                _case(name, 4.0 * moved * columns * (1 + backward), "GB/s", what, lists, rows, columns, backward)
            )
        for label, few in (("", lists), (" of distinct rows", lists // 3)):
            work = 2.0 * few * columns * columns * (3 if backward else 1)
            name = f"message update{label}, {few} x {columns}{suffix}"
            out.append(_case(name, work, "GFLOP/s", "update", few, rows // 3 if label else rows, columns, backward))
    return out + graph_nets.cases(quick)


def _case(name: str, work: float, unit: str, what: str, lists: int, rows: int, columns: int, backward: bool) -> Case:
    options = {"what": what, "lists": lists, "rows": rows, "columns": columns, "backward": backward}
    return Case(name, work, unit, options, tolerance=1e-4)


def _lists(lists: int, rows: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the index and the offsets: as long as those of a molecule's bonds, and as near to each other."""
    rng = np.random.default_rng(0)
    lengths = rng.choice([0, 1, 2, 3], lists, p=[0.1, 0.5, 0.35, 0.05])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    near = np.repeat(np.arange(lists) * rows // lists, lengths) + rng.integers(-20, 20, offsets[-1])
    return (near % rows).astype(np.int32), offsets


def _arrays(case: Case) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(1)
    o = case.options
    index, offsets = _lists(o["lists"], o["rows"])
    rows = len(index) if o["what"].startswith("segment") else o["rows"]
    out = len(index) if o["what"] == "segment softmax" else o["lists"]
    return {
        "index": index, "offsets": offsets, "x": rng.standard_normal((rows, o["columns"]), np.float32),
        "dy": rng.standard_normal((out, o["columns"]), np.float32),
        "w": rng.standard_normal((o["columns"], o["columns"]), np.float32) * np.float32(0.05),
        "z": rng.standard_normal((140, o["columns"]), np.float32), "kind": rng.integers(0, 140, o["lists"]).astype(np.int32),
    }  # fmt: skip


def catalase(case: Case) -> Prepared:
    from ... import ops

    if "net" in case.options:
        return graph_nets.catalase(case)

    a, what, backward = _arrays(case), case.options["what"], case.options["backward"]
    index, offsets, x, dy, w = (a[name] for name in ("index", "offsets", "x", "dy", "w"))
    turned = ops.transpose_index(index, offsets, case.options["rows"])
    by_kind = ops.transpose_index(a["kind"], np.arange(case.options["lists"] + 1), 140)

    def call() -> list[Any]:
        if what == "gather sum":
            return [ops.gather_sum(x, index, offsets)] + ([ops.gather_sum(dy, *turned)] if backward else [])
        if what == "update":
            y, m = ops.message_update_forward(x, w, index, offsets, z=a["z"], kind=a["kind"])
            if not backward:
                return [y]
            dz = ops.activation_backward(dy, y, "relu")
            dh = ops.gather_sum(ops.matmul(dz, w, transpose_b=True), *turned)
            return [y, dh, ops.matmul(m, dz, transpose_a=True), ops.gather_sum(dz, *by_kind)]
        y = getattr(ops, what.replace(" ", "_"))(x, offsets)
        if not backward:
            return [y]
        if what == "segment mean":
            return [y, ops.segment_mean_backward(dy, offsets, len(x))]
        given = x if what == "segment max" else y
        return [y, getattr(ops, what.replace(" ", "_") + "_backward")(dy, given, offsets)]

    return Prepared(call, call)


def torch(case: Case) -> Prepared:
    import torch

    if "net" in case.options:
        return graph_nets.torch(case)

    a, what, backward = _arrays(case), case.options["what"], case.options["backward"]
    lists, columns = case.options["lists"], case.options["columns"]
    owner = torch.from_numpy(np.repeat(np.arange(lists), np.diff(a["offsets"])))
    index, kind = (torch.from_numpy(a[name].astype(np.int64)) for name in ("index", "kind"))
    dy, wide = torch.from_numpy(a["dy"]), owner[:, None].expand(-1, columns)
    leaves = [torch.from_numpy(a[name]).requires_grad_(backward) for name in ("x", "w", "z")]
    x, w, z = leaves
    used = leaves if what == "update" else leaves[:1]
    counts = torch.bincount(owner, minlength=lists).clamp(min=1)[:, None]

    def forward() -> Any:
        zeros = torch.zeros(lists, columns)
        if what == "gather sum":
            return zeros.index_add(0, owner, x.index_select(0, index))
        if what == "update":
            return torch.relu(z[kind] + zeros.index_add(0, owner, x.index_select(0, index)) @ w)
        if what == "segment mean":
            return zeros.index_add(0, owner, x) / counts
        most = zeros.scatter_reduce(0, wide, x, "amax", include_self=False)
        if what == "segment max":
            return most
        e = torch.exp(x - most.detach().index_select(0, owner))
        return e / zeros.index_add(0, owner, e).index_select(0, owner)

    def call() -> list[Any]:
        y = forward()
        if not backward:
            return [y]
        return [y, *torch.autograd.grad(y, used, dy)]

    return Prepared(call, lambda: [y.detach().numpy() for y in call()])


LIBRARIES = {"catalase": catalase, "torch": torch}
