"""Scaled dot-product attention in float64: one sequence and one head at a time, with the whole matrix of scores."""

from __future__ import annotations

import numpy as np


def shares(q, k, scale, causal):
    """The probabilities (Tq, Tk); zeros for a query without keys."""
    seen = np.tri(len(q), len(k), dtype=bool) if causal else np.ones((len(q), len(k)), bool)
    if not seen.size:
        return np.zeros(seen.shape)
    s = np.where(seen, scale * (q @ k.T), -np.inf)
    e = np.exp(s - s.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def attention(q, k, v, dy=None, *, lengths=None, query_lengths=None, causal=False, scale=None):
    """y, or with ``dy`` y, dq, dk and dv; arrays as `catalase.ops.attention`."""
    q, k, v = (np.asarray(a, np.float64) for a in (q, k, v))
    scale = q.shape[3] ** -0.5 if scale is None else scale
    y = np.zeros((*q.shape[:3], v.shape[3]))
    dq, dk, dv = np.zeros(q.shape), np.zeros(k.shape), np.zeros(v.shape)
    for n, h in np.ndindex(q.shape[:2]):
        i = slice(0, None if query_lengths is None else query_lengths[n])
        j = slice(0, None if lengths is None else lengths[n])
        p = shares(q[n, h, i], k[n, h, j], scale, causal)
        y[n, h, i] = p @ v[n, h, j]
        if dy is None:
            continue
        d = np.asarray(dy, np.float64)[n, h, i]
        ds = p * (d @ v[n, h, j].T - (d * y[n, h, i]).sum(axis=1, keepdims=True)) * scale
        dq[n, h, i], dk[n, h, j], dv[n, h, j] = ds @ k[n, h, j], ds.T @ q[n, h, i], p.T @ d
    return y if dy is None else (y, dq, dk, dv)
