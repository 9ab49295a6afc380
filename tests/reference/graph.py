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


def environments(graphs, depth):
    """The contents of each bond's class at each depth, and of each atom's class, as nested tuples."""
    atom = [(tuple(c), f.tobytes()) for c, f in zip(graphs.atom_codes.tolist(), graphs.atom_floats, strict=True)]
    ends = list(zip(graphs.source.tolist(), graphs.target.tolist(), strict=True))
    into = [[b for b, (_, t) in enumerate(ends) if t == a] for a in range(len(atom))]
    first = [(atom[s], tuple(code)) for (s, _), code in zip(ends, graphs.bond_codes.tolist(), strict=True)]
    depths = [first]
    for _ in range(depth - 1):
        last = depths[-1]
        depths.append(
            [(first[b], tuple(sorted(last[o] for o in into[s] if o != b ^ 1))) for b, (s, _) in enumerate(ends)]
        )
    return depths, [(atom[a], tuple(sorted(depths[-1][b] for b in into[a]))) for a in range(len(atom))]


def atom_environments(graphs, depth, with_bonds=False):
    """The contents of each atom's class at each depth of message passing along atoms, or along atoms and bonds."""
    last = [(tuple(c), f.tobytes()) for c, f in zip(graphs.atom_codes.tolist(), graphs.atom_floats, strict=True)]
    depths = [last]
    for _ in range(depth):
        near = [[] for _ in last]
        for s, t, code in zip(*(x.tolist() for x in (graphs.source, graphs.target, graphs.bond_codes)), strict=True):
            near[t].append((last[s], tuple(code) if with_bonds else ()))
        last = [(own, tuple(sorted(others))) for own, others in zip(last, near, strict=True)]
        depths.append(last)
    return depths


def convolution(graphs, depth, inputs, w_own, w_near, bonds=0.0):
    """Hidden vectors of atoms: tanh(h @ w_own + sum over neighbours of (h + bond) @ w_near), in float64."""
    h = inputs.astype(np.float64)
    for _ in range(depth):
        total = np.zeros_like(h)
        np.add.at(total, graphs.target, h[graphs.source] + bonds)
        h = np.tanh(h @ w_own + total @ w_near)
    return h


def message_passing(graphs, depth, bond_inputs, atom_inputs, w_i, w_h, w_o):
    """D-MPNN's hidden vectors of atoms, bond by bond, in float64."""
    z0 = bond_inputs.astype(np.float64) @ w_i
    h = np.maximum(z0, 0)
    for _ in range(depth - 1):
        total = np.zeros((len(graphs.atom_codes), h.shape[1]))
        np.add.at(total, graphs.target, h)
        h = np.maximum(z0 + (total[graphs.source] - h[np.arange(len(h)) ^ 1]) @ w_h, 0)
    total = np.zeros((len(graphs.atom_codes), h.shape[1]))
    np.add.at(total, graphs.target, h)
    return np.maximum(np.hstack([atom_inputs, total]) @ w_o, 0)
