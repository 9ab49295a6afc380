"""Pooling and upsampling in plain float64 NumPy, with a loop over the windows."""

from __future__ import annotations

import numpy as np


def windows(lengths, size, stride, padding):
    """Yield (place in the output, slices of the input); padding is "valid", "same" or a pair an axis."""
    axes = []
    for i, (n, k, s) in enumerate(zip(lengths, size, stride, strict=True)):
        if padding == "same":
            count = -(-n // s)
            before = max((count - 1) * s + k - n, 0) // 2
        else:
            before, after = (0, 0) if padding == "valid" else padding[i]
            count = (n + before + after - k) // s + 1
        axes.append([slice(max(o * s - before, 0), min(o * s - before + k, n)) for o in range(count)])
    shape = tuple(len(a) for a in axes)
    return shape, [(place, tuple(a[i] for a, i in zip(axes, place, strict=True))) for place in np.ndindex(*shape)]


def pool(kind, x, size, stride, padding):
    """Return the maxima, or the means of the elements inside and the magnitudes that bound their error."""
    x = x.astype(np.float64)
    shape, found = windows(x.shape[1:-1], size, stride, padding)
    y = np.zeros((x.shape[0], *shape, x.shape[-1]))
    axes = tuple(range(1, x.ndim - 1))
    for place, part in found:
        inside = x[(slice(None), *part)]
        y[(slice(None), *place)] = inside.max(axis=axes) if kind == "max" else inside.mean(axis=axes)
    return y


def pool_backward(kind, dy, x, size, stride, padding):
    """Return the gradient: all of it to the first maximum in the order of memory, or evenly to all elements inside."""
    dx = np.zeros(x.shape)
    for place, part in windows(x.shape[1:-1], size, stride, padding)[1]:
        for n in range(x.shape[0]):
            for c in range(x.shape[-1]):
                inside = x[(n, *part, c)]
                gradient = dx[(n, *part, c)]
                if kind == "max":
                    gradient[np.unravel_index(np.argmax(inside), inside.shape)] += dy[(n, *place, c)]
                else:
                    gradient += dy[(n, *place, c)] / inside.size
    return dx


def upsample(x, factors, mode):
    """Repeat, or interpolate between centres with the edges repeated, one axis after the other."""
    x = x.astype(np.float64)
    for axis, times in enumerate(factors, 1):
        n = x.shape[axis]
        place = np.clip((np.arange(n * times) + 0.5) / times - 0.5, 0, max(n - 1, 0))
        low = np.minimum(np.floor(place).astype(int), max(n - 1, 0))
        high = np.minimum(low + 1, max(n - 1, 0))
        if mode == "nearest":
            x = np.take(x, np.arange(n * times) // times, axis)
            continue
        share = (place - low).reshape(-1, *(1,) * (x.ndim - 1 - axis))
        x = np.take(x, low, axis) * (1 - share) + np.take(x, high, axis) * share
    return x
