"""Convolution by its definition in float64: windows are gathered into rows (im2col) for one product."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np


class Geometry(NamedTuple):
    stride: tuple
    before: tuple
    dilation: tuple
    out: tuple


def geometry(size, kernel, stride=1, padding="same", dilation=1):
    """Return what TensorFlow's and NumPy's words for padding mean, one number a dimension, no tap left out."""
    stride, dilation = (v if isinstance(v, (tuple, list)) else (v,) * len(size) for v in (stride, dilation))
    before, out = [], []
    for i, (n, k, s, d) in enumerate(zip(size, kernel, stride, dilation, strict=True)):
        reach = (k - 1) * d + 1
        if padding == "same":
            out.append(-(-n // s))
            before.append(max((out[-1] - 1) * s + reach - n, 0) // 2)
            continue
        if isinstance(padding, str):
            ahead, behind = {"valid": (0, 0), "full": (reach - 1, reach - 1)}[padding]
        else:
            ahead, behind = (padding, padding) if isinstance(padding, int) else padding[i]
        if reach > n + ahead + behind:
            raise ValueError("the kernel is larger than the padded input")
        before.append(ahead)
        out.append((n + ahead + behind - reach) // s + 1)
    return Geometry(tuple(stride), tuple(before), tuple(dilation), tuple(out))


def im2col(x, kernel, stride, before, dilation, out, dtype=None):
    """Rows (N * pixels, taps * C): what each output sees, zeros outside x."""
    dims = len(kernel)
    after = [
        max(0, (o - 1) * s + (k - 1) * d + 1 - n - b)
        for o, s, k, d, n, b in zip(out, stride, kernel, dilation, x.shape[1:-1], before, strict=True)
    ]
    x = np.pad(x.astype(dtype or x.dtype), [(0, 0), *zip(before, after, strict=True), (0, 0)])
    columns = np.zeros((x.shape[0], *out, int(np.prod(kernel)), x.shape[-1]), x.dtype)
    for t, at in enumerate(itertools.product(*(range(k) for k in kernel))):
        window = tuple(slice(i * d, i * d + o * s, s) for i, d, o, s in zip(at, dilation, out, stride, strict=True))
        part = x[(slice(None), *window)]
        columns[..., t, :] = part[(slice(None), *(slice(0, o) for o in out))]
    assert columns.ndim == dims + 3
    return columns


def conv(x, w, stride, before, dilation, out, groups=1, flip=False):
    """Return y in float64, and a bound for the error of one chain in x's dtype."""
    kernel = w.shape[:-2]
    eps = float(np.finfo(x.dtype).eps)
    columns = im2col(x, kernel, stride, before, dilation, out, np.float64)
    weights = w.astype(np.float64).reshape(int(np.prod(kernel)), *w.shape[-2:])
    weights = weights[::-1] if flip else weights
    y = np.zeros((x.shape[0], *out, w.shape[-1]))
    size = np.zeros_like(y)
    inputs, outputs = x.shape[-1] // groups, w.shape[-1] // groups
    for g in range(groups):
        seen = columns[..., g * inputs : (g + 1) * inputs].reshape(*columns.shape[:-2], inputs * weights.shape[0])
        part = weights[..., g * outputs : (g + 1) * outputs].reshape(inputs * weights.shape[0], outputs)
        y[..., g * outputs : (g + 1) * outputs] = seen @ part
        size[..., g * outputs : (g + 1) * outputs] = np.abs(seen) @ np.abs(part)
    return y, (weights.shape[0] * weights.shape[1] + 2) * eps * size


def conv_gradients(dy, x, w, stride, before, dilation, out, groups=1, flip=False):
    """Return dx and dw in float64, from the sums that define y."""
    kernel = w.shape[:-2]
    d = dy.astype(np.float64)
    columns = im2col(x, kernel, stride, before, dilation, out, np.float64)
    weights = w.astype(np.float64).reshape(int(np.prod(kernel)), *w.shape[-2:])
    weights = weights[::-1] if flip else weights
    inputs, outputs = x.shape[-1] // groups, w.shape[-1] // groups
    dw, pixels = np.zeros(weights.shape), x.shape[0] * int(np.prod(out))
    seen = np.zeros(columns.shape)
    for g in range(groups):
        i, o = slice(g * inputs, (g + 1) * inputs), slice(g * outputs, (g + 1) * outputs)
        dw[..., o] = np.einsum(
            "ptc,po->tco", columns[..., i].reshape(pixels, weights.shape[0], inputs), d[..., o].reshape(pixels, outputs)
        )
        seen[..., i] = np.einsum("po,tco->ptc", d[..., o].reshape(pixels, outputs), weights[..., o]).reshape(
            *columns.shape[:-1], inputs
        )
    padded = np.zeros([x.shape[0], *(n + b + s * o + k * e for n, b, s, o, k, e in zip(
        x.shape[1:-1], before, stride, out, kernel, dilation, strict=True)), x.shape[-1]])  # fmt: skip
    for t, at in enumerate(itertools.product(*(range(k) for k in kernel))):
        window = tuple(
            slice(i * e, i * e + (o - 1) * s + 1, s) for i, e, o, s in zip(at, dilation, out, stride, strict=True)
        )
        if all(out):
            padded[(slice(None), *window)] += seen[..., t, :]
    inside = tuple(slice(b, b + n) for b, n in zip(before, x.shape[1:-1], strict=True))
    dw = dw[::-1] if flip else dw
    return padded[(slice(None), *inside)], dw.reshape(w.shape)
