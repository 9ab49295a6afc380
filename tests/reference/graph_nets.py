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


def gin_conv(x, molecule, weights, activation="relu", eps=0.0):
    _, bonds, (source, target) = molecule
    sums = np.zeros_like(x)
    for bond, (u, v) in enumerate(zip(source, target, strict=True)):
        sums[v] += (
            np.maximum(x[u] + bonds[bond] @ weights["bonds.w"] + weights["bonds.b"], 0)
            if "bonds.w" in weights
            else x[u]
        )
    z = (1 + weights.get("eps", eps)) * x + sums
    return ACTIVATIONS[activation](z @ weights["first.w"] + weights["first.b"]) @ weights["last.w"] + weights["last.b"]


def leaky(x, slope=0.01):
    return np.where(x > 0, x, slope * x)


def softmax(scores):
    e = np.exp(scores - np.max(scores))
    return e / e.sum()


def attended(molecule, self_loops):
    """For each atom what it attends to, with the bond to it; the atom itself first, by no bond."""
    atoms, _, (source, target) = molecule
    return [
        [(v, None)] * self_loops + [(u, bond) for bond, u in enumerate(source) if target[bond] == v]
        for v in range(len(atoms))
    ]


def gat_conv(x, molecule, weights, heads=1, concat=True, negative_slope=0.2, self_loops=True):
    rows = (x @ weights["w"]).reshape(len(x), heads, weights["w"].shape[1] // heads)
    targets = (x @ weights["w_target"]).reshape(rows.shape) if "w_target" in weights else None
    out = np.zeros(rows.shape)
    for v, near in enumerate(attended(molecule, self_loops)):
        for k in range(heads if near else 0):
            own, others = weights["a_source"][k], np.array([rows[u, k] for u, _ in near])
            if targets is None:
                scores = leaky(others @ own + rows[v, k] @ weights["a_target"][k], negative_slope)
            else:
                scores = leaky(targets[v, k] + others, negative_slope) @ own
            out[v, k] = softmax(scores) @ others
    flat = out.reshape(len(x), rows.shape[1] * rows.shape[2]) if concat else out.mean(axis=1)
    return flat + weights.get("b", 0)


def gru_cell(x, h, weights):
    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    (xr, xz, xn), (hr, hz, hn) = (
        np.split(value @ weights[f"gru.w_{name}"] + weights["gru.b"][i], 3, axis=-1)
        for i, (name, value) in enumerate((("x", x), ("h", h)))
    )
    z = sigmoid(xz + hz)
    return (1 - z) * np.tanh(xn + sigmoid(xr + hr) * hn) + z * h


def attention(state, query, values, weights):
    """The state of one row after it has attended to the rows `values`."""
    found = np.zeros(len(state))
    if len(values):
        scores = query @ weights["w_own"] + values @ weights["w_other"] + weights["b_score"]
        shares = softmax(leaky(scores.ravel()))
        found = sum(
            share * (v @ weights["project.w"] + weights["project.b"]) for share, v in zip(shares, values, strict=True)
        )
    return gru_cell(ACTIVATIONS["elu"](found), state, weights)


def part(weights, prefix):
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


def attentive_fp(molecule, weights, num_layers=2, num_timesteps=2, self_loops=True):
    atoms, bonds, _ = molecule
    near = attended(molecule, self_loops)
    h = leaky(atoms @ weights["atoms.w"] + weights["atoms.b"])
    nothing = np.zeros(bonds.shape[1])
    for i in range(num_layers):
        own = part(weights, f"layers.{i}.")
        rows = []
        for v, others in enumerate(near):
            values = [h[u] for u, _ in others]
            if i == 0:
                w_atom, w_bond, b = (weights[f"{name}"] for name in ("w_pair_atom", "w_pair_bond", "b_pair"))
                values = [
                    leaky(atoms[u] @ w_atom + (nothing if e is None else bonds[e]) @ w_bond + b) for u, e in others
                ]
            rows.append(np.maximum(attention(h[v], h[v], np.array(values), own), 0))
        h = np.array(rows).reshape(h.shape)
    state = h.sum(axis=0)
    for i in range(num_timesteps):
        state = attention(state, np.maximum(state, 0), h, part(weights, f"readouts.{i}."))
    return state
