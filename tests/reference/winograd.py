"""Stride-1 convolution in plain float64 NumPy, and the error bound of Winograd's algorithm against it.

The bound is that of a chain, eps * steps * sum |a| |b|, with the sum in the transformed planes, where every matrix of the
algorithm, and x, w and dy, are replaced by their absolute values.
"""

from __future__ import annotations

import numpy as np

POINTS = (0, 1, -1, 2, -2)
B = np.array([[4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0],
              [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1]], float)  # fmt: skip
TRANSFORM_STEPS = 40  # roundings in the transforms on the way of one output, all three of them in both dimensions


def powers(count):
    """Return the polynomial of `count` coefficients at the five points and infinity, (6, count)."""
    rows = [[float(p) ** k for k in range(count)] for p in POINTS]
    return np.array([*rows, [0.0] * (count - 1) + [1.0]])


def lagrange(kernel):
    """Return the filter's transform G, (6, kernel)."""
    weights = [1 / np.prod([p - q for q in POINTS if q != p]) for p in POINTS]
    return np.array([*weights, 1.0])[:, None] * powers(kernel)


def windows(x, before, out, size, step):
    """Return the zero-padded windows (N, tiles, tiles, size, size, C) whose corners lie `step` apart."""
    counts = [-(-o // step) for o in out]
    ends = [max((c - 1) * step + size - b - n, 0) for c, b, n in zip(counts, before, x.shape[1:3], strict=True)]
    padded = np.pad(x, [(0, 0), *zip(before, ends, strict=True), (0, 0)])
    views = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))
    return views[:, : counts[0] * step : step, : counts[1] * step : step].transpose(0, 1, 2, 4, 5, 3)


def forward(x, w, before, out):
    """Return y (N, OH, OW, O) in float64."""
    return np.einsum("nijabc,abco->nijo", windows(x.astype(float), before, out, w.shape[0], 1), w.astype(float))


def backward_data(dy, w, before, size):
    """Return dx: the full correlation of dy with the filters turned around, cut to x."""
    turned = w[::-1, ::-1].transpose(0, 1, 3, 2)
    k = w.shape[0]
    lead = [max(b - k + 1, 0) for b in before]  # rows of dy that see no x at all
    padding = [max(k - 1 - b, 0) for b in before]
    return forward(dy[:, lead[0] :, lead[1] :], turned, padding, size)


def backward_weights(x, dy, before, kernel):
    """Return dw (K, K, C, O)."""
    return np.einsum("nijabc,nijo->abco", windows(x.astype(float), before, dy.shape[1:3], kernel, 1), dy.astype(float))


def forward_bound(x, w, before, out):
    """Return the largest error of each output."""
    kernel = w.shape[0]
    step = 7 - kernel
    b, g, a = np.abs(B), np.abs(lagrange(kernel)), np.abs(powers(step))
    v = np.einsum("pa,qb,nijabc->nijpqc", b, b, np.abs(windows(x.astype(float), before, out, 6, step)), optimize=True)
    u = np.einsum("pa,qb,abco->pqco", g, g, np.abs(w.astype(float)), optimize=True)
    m = np.einsum("nijpqc,pqco->nijpqo", v, u, optimize=True)
    y = np.einsum("pa,qb,nijpqo->niajbo", a, a, m, optimize=True)
    n, tiles_h, _, tiles_w, _, o = y.shape
    y = y.reshape(n, tiles_h * step, tiles_w * step, o)[:, : out[0], : out[1]]
    return (x.shape[3] + TRANSFORM_STEPS) * np.finfo(np.float32).eps * y + np.finfo(np.float32).tiny


def backward_data_bound(dy, w, before, size):
    """Return the largest error of each element of dx."""
    k = w.shape[0]
    lead = [max(b - k + 1, 0) for b in before]
    padding = [max(k - 1 - b, 0) for b in before]
    return forward_bound(dy[:, lead[0] :, lead[1] :], w[::-1, ::-1].transpose(0, 1, 3, 2), padding, size)


def backward_weights_bound(x, dy, before, kernel):
    """Return the largest error of each element of dw."""
    step = 7 - kernel
    b, g, a = np.abs(B), np.abs(lagrange(kernel)), np.abs(powers(step))
    tiles = windows(np.abs(x.astype(float)), before, dy.shape[1:3], 6, step)
    v = np.einsum("pa,qb,nijabc->pqnijc", b, b, tiles, optimize=True)
    e = windows(np.abs(dy.astype(float)), (0, 0), dy.shape[1:3], step, step)
    s = np.einsum("pqnijc,pqnijo->pqco", v, np.einsum("pa,qb,nijabo->pqnijo", a, a, e, optimize=True), optimize=True)
    dw = np.einsum("pa,qb,pqco->abco", g, g, s, optimize=True)
    count = int(np.prod(tiles.shape[:3]))
    return (count + TRANSFORM_STEPS) * np.finfo(np.float32).eps * dw + np.finfo(np.float32).tiny
