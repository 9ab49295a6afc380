"""Scaled dot-product attention of 8 heads of 64 columns: forward, and forward with backward.

Catalase calls `catalase.ops`; PyTorch ``scaled_dot_product_attention``, whose backward goes through autograd, from a given
gradient at the output. The padded case has sequences of several lengths; PyTorch is given their mask. The work is that of
all pairs of a query and a key that is there; with causal attention, half of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..case import Case, Prepared

FAMILY = "attention"
_TOKENS = 2048  # of a batch


def cases(quick: bool) -> list[Case]:
    out = []
    for steps in (17,) if quick else (64, 128, 256, 512):
        for how in ("full", "causal", "padded"):
            n, heads, width = (2, 2, 5) if quick else (_TOKENS // steps, 8, 64)
            for backward in (False, True):
                options = {"how": how, "shape": (n, heads, steps, width), "backward": backward}
                lengths = _lengths(options)
                pairs = steps * (steps + 1) / 2 * n if how == "causal" else float((lengths * steps).sum())
                work = (14.0 if backward else 4.0) * heads * width * pairs
                name = f"{how}, {n}x{heads}x{steps}x{width}{', with backward' if backward else ''}"
                out.append(Case(name, work, "GFLOP/s", options, tolerance=1e-4))
    return out


def _lengths(options: dict[str, Any]) -> NDArray[np.int64]:
    """Of each sequence; half of the steps to all of them in the padded case."""
    n, _, steps, _ = options["shape"]
    return np.linspace(steps // 2, steps, n).astype(np.int64) if options["how"] == "padded" else np.full(n, steps)


def _arrays(case: Case) -> list[NDArray[Any]]:
    """q, k, v and the gradient at the output, the same for all libraries."""
    rng = np.random.default_rng(0)
    return [rng.standard_normal(case.options["shape"], dtype=np.float32) for _ in range(4)]


def catalase(case: Case) -> Prepared:
    from ... import ops

    q, k, v, dy = _arrays(case)
    options: dict[str, Any] = {"causal": case.options["how"] == "causal"}
    if case.options["how"] == "padded":
        options["lengths"] = _lengths(case.options)

    def call() -> list[Any]:
        if not case.options["backward"]:
            return [ops.attention(q, k, v, **options)]
        y, statistics = ops.attention_forward(q, k, v, **options)
        return [y, *ops.attention_backward(dy, q, k, v, y, statistics, **options)]

    return Prepared(call, call)


def torch(case: Case) -> Prepared:
    import torch

    attend: Any = torch.nn.functional.scaled_dot_product_attention
    *inputs, dy = map(torch.from_numpy, _arrays(case))
    options: dict[str, Any] = {"is_causal": case.options["how"] == "causal"}
    if case.options["how"] == "padded":
        steps = case.options["shape"][2]
        there = np.arange(steps) < _lengths(case.options)[:, None]
        options["attn_mask"] = torch.from_numpy(there)[:, None, None, :]
    backward = case.options["backward"]
    for t in inputs:
        t.requires_grad_(backward)

    def call() -> list[Any]:
        if not backward:
            with torch.no_grad():
                return [attend(*inputs, **options)]
        for t in inputs:
            t.grad = None
        y = attend(*inputs, **options)
        y.backward(dy)
        return [y, *(t.grad for t in inputs)]

    return Prepared(call, lambda: [t.detach().numpy() for t in call()])


LIBRARIES = {"catalase": catalase, "torch": torch}
