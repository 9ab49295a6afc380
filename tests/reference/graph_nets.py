"""Graph nets molecule by molecule and atom by atom, in float64."""

from __future__ import annotations

import numpy as np

ACTIVATIONS = {"relu": lambda x: np.maximum(x, 0), "tanh": np.tanh, "elu": lambda x: np.where(x > 0, x, np.expm1(x))}


def molecules(graphs):
    """For each molecule the features of its atoms and bonds, and the atoms of each bond."""
    for i in range(len(graphs)):
        yield graphs.atom_features(i).astype(float), graphs.bond_features(i).astype(float), graphs.edge_index(i)


def dmpnn_atoms(molecule, weights, depth, activation):
    """The rows of a molecule's atoms after messages along directed bonds; bonds 2k and 2k + 1 are one bond."""
    atoms, bonds, (source, target) = molecule
    act = ACTIVATIONS[activation]
    start = np.concatenate([atoms[source], bonds], axis=1) @ weights["w_input"] + weights.get("b_input", 0)
    hidden = act(start)
    for _ in range(depth - 1):
        sums = np.zeros_like(hidden)
        for bond in range(len(bonds)):
            for other in range(len(bonds)):
                if target[other] == source[bond] and other != bond ^ 1:
                    sums[bond] += hidden[other]
        hidden = act(start + sums @ weights["w_message"] + weights.get("b_message", 0))
    incoming = np.zeros((len(atoms), hidden.shape[1]))
    for bond in range(len(bonds)):
        incoming[target[bond]] += hidden[bond]
    return act(atoms @ weights["w_atom"] + incoming @ weights["w_output"] + weights["b_output"])


def readout(rows, kind, norm=100.0, w=None, b=0.0):
    if not len(rows):
        return np.zeros(rows.shape[1])
    if kind == "attention":
        scores = (rows @ w + b).ravel()
        shares = np.exp(scores - scores.max())
        return (shares / shares.sum()) @ rows
    return rows.sum(axis=0) / {"sum": 1, "mean": len(rows), "norm": norm}[kind]


def neighbours(molecule):
    atoms, _, (source, target) = molecule
    return [sorted(source[target == i].tolist()) for i in range(len(atoms))]


def graph_conv(x, near, weights, max_degree, activation):
    out = []
    for own, others in zip(x, near, strict=True):
        degree = min(len(others), max_degree)
        y = own @ weights["w_own"][degree] + weights["b"][degree]
        if others:
            y = y + x[others].sum(axis=0) @ weights["w_neighbours"][degree - 1]
        out.append(ACTIVATIONS[activation](y))
    return np.array(out).reshape(len(x), weights["b"].shape[1])


def graph_pool(x, near):
    return np.array([np.max(x[[i, *others]], axis=0) for i, others in enumerate(near)]).reshape(x.shape)
