"""Attention on the tape."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import ops
from ...autograd import Function, Tensor
from ...autograd.tensor import as_tensor
from ...backends import backend_of
from ...ops.checks import whole_numbers

Input = Tensor | NDArray[Any]


class Attention(Function):
    """Attention of q, k and v, which keeps them, its result and two numbers a query."""

    def forward(self, q: NDArray[Any], k: NDArray[Any], v: NDArray[Any], **options: Any) -> NDArray[Any]:
        if not self.recorded:
            return ops.attention(q, k, v, **options)
        self.options = _as_they_are(options)
        y, statistics = ops.attention_forward(q, k, v, **self.options)
        self.arrays = (q, k, v, y, statistics)
        return y

    def backward(self, dy: NDArray[Any]) -> tuple[Any, ...]:
        return ops.attention_backward(dy, *self.arrays, **self.options)


class SelfAttention(Function):
    """Attention of the queries, keys and values that one projection (N, T, 3 E) has side by side; the result (N, T, E)."""

    def forward(self, x: NDArray[Any], *, heads: int, **options: Any) -> NDArray[Any]:
        self.heads, self.options = heads, _as_they_are(options)
        parts = _parts(x, heads)
        if self.recorded:
            y, statistics = ops.attention_forward(*parts, **self.options)
            self.x, self.y, self.statistics = x, y, statistics
        else:
            y = ops.attention(*parts, **self.options)
        return y.transpose(0, 2, 1, 3).reshape(*x.shape[:2], x.shape[2] // 3)

    def backward(self, dy: NDArray[Any]) -> tuple[Any, ...]:
        rows = dy.reshape(*dy.shape[:2], self.heads, dy.shape[2] // self.heads).transpose(0, 2, 1, 3)
        dx = backend_of(self.x).empty(self.x.shape, self.x.dtype)
        out = _parts(dx, self.heads)
        ops.attention_backward(rows, *_parts(self.x, self.heads), self.y, self.statistics, **self.options, out=out)
        return (dx,)


def _parts(x: NDArray[Any], heads: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """The views (N, H, T, D) of queries, keys and values in an array (N, T, 3 E)."""
    n, steps, width = x.shape
    q, k, v = x.reshape(n, steps, 3, heads, width // (3 * heads)).transpose(2, 0, 3, 1, 4)
    return q, k, v


def _as_they_are(options: dict[str, Any]) -> dict[str, Any]:
    """The options, with lengths that a later change of the caller's arrays does not reach."""
    copied = {}
    for name in ("lengths", "query_lengths"):
        if options.get(name) is not None:
            copied[name] = np.array(whole_numbers("attention", name, options[name]))
    return options | copied


def attention(
    q: Input,
    k: Input,
    v: Input,
    *,
    lengths: Any = None,
    query_lengths: Any = None,
    causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Attend from queries to keys and values, one operation on the tape; see `catalase.ops.attention`."""
    tensors = (as_tensor("attention", name, a) for name, a in (("q", q), ("k", k), ("v", v)))
    made: Tensor = Attention.apply(*tensors, lengths=lengths, query_lengths=query_lengths, causal=causal, scale=scale)
    return made
