"""Message passing on graphs in plain float64 NumPy, one list at a time."""

from __future__ import annotations

from itertools import chain, pairwise

import numpy as np


def lists(offsets, index=None):
    """The rows of each list."""
    rows = np.arange(offsets[-1]) if index is None else np.asarray(index)
    return [rows[a:b] for a, b in pairwise(offsets)]


def reduced(how, x, offsets, index=None):
    """Sum, mean or max of the rows of each list; zeros for an empty one."""
    x = np.asarray(x, np.float64)
    out = np.zeros((len(offsets) - 1, *x.shape[1:]))
    for r, rows in enumerate(lists(offsets, index)):
        if len(rows):
            out[r] = getattr(np, how)(x[rows], axis=0)
    return out


def reduced_backward(how, dy, x, offsets, index=None):
    """The gradient at x: of a max, the first row of the largest value (or the first NaN) gets it."""
    dx = np.zeros(x.shape)
    columns = tuple(np.indices(x.shape[1:]))
    for r, rows in enumerate(lists(offsets, index)):
        if how == "max" and len(rows):
            np.add.at(dx, (rows[np.argmax(x[rows], axis=0)], *columns), dy[r])
        for row in rows if how != "max" else ():
            dx[row] += dy[r] / (len(rows) if how == "mean" else 1)
    return dx


def softmax(x, offsets):
    y = np.zeros(x.shape)
    for rows in lists(offsets):
        if len(rows):
            e = np.exp(x[rows].astype(np.float64) - x[rows].max(axis=0))
            y[rows] = e / e.sum(axis=0)
    return y


def softmax_backward(dy, y, offsets):
    dx = np.zeros(y.shape)
    for rows in lists(offsets):
        if len(rows):
            product = dy[rows].astype(np.float64) * y[rows]
            dx[rows] = product - y[rows] * product.sum(axis=0)
    return dx


def transposed(index, offsets, rows):
    """The lists that name each row."""
    named = [[] for _ in range(rows)]
    for r, of_list in enumerate(lists(offsets, index)):
        for row in of_list:
            named[row].append(r)
    return np.array(list(chain(*named)), np.int32), np.cumsum([0, *map(len, named)])


def update(h, w, z0, index, offsets, rep=None, b=None, relu=True):
    """act(z0[rep] + b + sum of h over each list @ w), and the sums."""
    m = reduced("sum", h, offsets, index)
    z = m @ np.asarray(w, np.float64) + np.asarray(z0 if rep is None else z0[rep], np.float64)
    z = z if b is None else z + b
    return (np.maximum(z, 0) if relu else z), m
