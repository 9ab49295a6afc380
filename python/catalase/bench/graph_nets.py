"""Training steps of graph nets, beside the same nets written in PyTorch: gathers, `index_add`, a softmax over neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .case import Case, Prepared
from .device import CPU
from .families.fingerprint import smiles_of, zinc_file
from .graph_step import number, training_step

NETS = ("GIN", "AttentiveFP")
_CHECKED_STEPS = 3


def cases(quick: bool) -> list[Case]:
    n = 12 if quick else 64
    source = " of ZINC" if zinc_file() else ""
    sizes = {"emb_dim": 8, "graph_feat_size": 8} if quick else {}
    return [
        Case(f"{net}, step of {n} molecules{source}", 1.0, "steps/s", {"net": net, "n": n, **sizes}, tolerance=2e-3)
        for net in NETS
    ]


def _model(case: Case) -> Any:
    from .. import models

    if case.options["net"] == "GIN":
        return models.GINModel(1, emb_dim=case.options.get("emb_dim", 64), seed=0)
    return models.AttentiveFPModel(1, graph_feat_size=case.options.get("graph_feat_size", 200), seed=0)


def _batch(case: Case) -> tuple[Any, NDArray[Any]]:
    from .. import ops

    graphs = ops.mol_graphs(smiles_of(case), "molgraph")
    return graphs, np.random.default_rng(0).standard_normal((len(graphs), 1)).astype(np.float32)


def catalase(case: Case) -> Prepared:
    from .. import nn, optim
    from ..data.graph_batch import GraphBatch

    graphs, y = _batch(case)

    def start() -> Any:
        net = _model(case).module
        return training_step(CPU, net, optim.Adam(net, lr=1e-3), nn.losses.L2Loss(), lambda: GraphBatch(graphs), y)

    return Prepared(start(), lambda: _losses(start()))


def torch(case: Case) -> Prepared:
    import torch

    graphs, labels = _batch(case)
    y = torch.from_numpy(labels)
    forward = {"GIN": _gin, "AttentiveFP": _attentive_fp}[case.options["net"]](graphs)

    def start() -> Any:
        parameters = {name: torch.from_numpy(value).clone() for name, value in _model(case).state_dict().items()}
        for name, value in parameters.items():
            value.requires_grad_("running" not in name)
        optimizer = torch.optim.Adam([p for p in parameters.values() if p.requires_grad], lr=1e-3)

        def step() -> Any:
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(forward(parameters), y)
            loss.backward()
            optimizer.step()
            return loss

        return step

    return Prepared(start(), lambda: _losses(start()))


def _losses(step: Callable[[], Any]) -> list[NDArray[Any]]:
    return [np.array([number(step()) for _ in range(_CHECKED_STEPS)])]


class _Tensors:
    """A batch of graphs as tensors of PyTorch, and the sums over its lists."""

    def __init__(self, graphs: Any) -> None:
        import torch

        def stacked(rows: Callable[[int], Any]) -> Any:
            return torch.from_numpy(np.concatenate([rows(i) for i in range(len(graphs))]))

        self.atoms, self.bonds = stacked(graphs.atom_features), stacked(graphs.bond_features)
        self.source, self.target = (torch.from_numpy(x.astype(np.int64)) for x in (graphs.source, graphs.target))
        self.counts = torch.from_numpy(np.diff(graphs.atom_offsets))
        self.owner = torch.repeat_interleave(torch.arange(len(graphs)), self.counts)

    def summed(self, rows: Any, where: Any, count: int) -> Any:
        return rows.new_zeros(count, rows.shape[1]).index_add(0, where, rows)

    def softmax(self, scores: Any, where: Any, count: int) -> Any:
        most = scores.new_full((count, 1), -np.inf).scatter_reduce(0, where[:, None], scores.detach(), "amax")
        e = (scores - most.index_select(0, where)).exp()
        return e / self.summed(e, where, count).index_select(0, where)


def _gin(graphs: Any) -> Callable[[dict[str, Any]], Any]:
    import torch
    from torch.nn import functional as tf

    g = _Tensors(graphs)

    def forward(p: dict[str, Any]) -> Any:
        h = g.atoms @ p["atoms.w"] + p["atoms.b"]
        layers = sum(name.startswith("layers.") and name.endswith("first.w") for name in p)
        for i in range(layers):
            w = _part(p, f"layers.{i}.")
            messages = torch.relu(h.index_select(0, g.source) + g.bonds @ w["bonds.w"] + w["bonds.b"])
            z = h + g.summed(messages, g.target, len(h))
            h = torch.relu(z @ w["first.w"] + w["first.b"]) @ w["last.w"] + w["last.b"]
            norm = _part(p, f"norms.{i}.")
            h = tf.batch_norm(h, None, None, norm["gamma"], norm["beta"], training=True)
            h = h if i == layers - 1 else torch.relu(h)
        rows = g.summed(h, g.owner, len(g.counts)) / g.counts[:, None]
        return rows @ p["output.layers.0.w"] + p["output.layers.0.b"]

    return forward


def _attentive_fp(graphs: Any) -> Callable[[dict[str, Any]], Any]:
    import torch
    from torch.nn import functional as tf

    g = _Tensors(graphs)
    loops = torch.arange(len(g.atoms))
    source, target = torch.cat([g.source, loops]), torch.cat([g.target, loops])
    bonds = torch.cat([g.bonds, g.bonds.new_zeros(len(loops), g.bonds.shape[1])])
    pairs = torch.cat([g.atoms.index_select(0, source), bonds], 1)

    def attention(w: dict[str, Any], state: Any, query: Any, values: Any, index: Any, where: Any) -> Any:
        scores = (query @ w["w_own"]).index_select(0, where) + (values @ w["w_other"]).index_select(0, index)
        shares = g.softmax(tf.leaky_relu(scores + w["b_score"]), where, len(state))
        rows = values @ w["project.w"] + w["project.b"]
        context = tf.elu(g.summed(rows.index_select(0, index) * shares, where, len(state)))
        of_input, of_state = context @ w["gru.w_x"] + w["gru.b"][0], state @ w["gru.w_h"] + w["gru.b"][1]
        (xr, xz, xn), (hr, hz, hn) = of_input.chunk(3, 1), of_state.chunk(3, 1)
        z = torch.sigmoid(xz + hz)
        return (1 - z) * torch.tanh(xn + torch.sigmoid(xr + hr) * hn) + z * state

    def forward(p: dict[str, Any]) -> Any:
        net = _part(p, "attention.")
        h = tf.leaky_relu(g.atoms @ net["atoms.w"] + net["atoms.b"])
        w_pair = torch.cat([net["w_pair_atom"], net["w_pair_bond"]])
        values, index = tf.leaky_relu(pairs @ w_pair + net["b_pair"]), torch.arange(len(pairs))
        for i in range(sum(name.startswith("layers.") and name.endswith("w_own") for name in net)):
            h = torch.relu(attention(_part(net, f"layers.{i}."), h, h, values, index, target))
            values, index = h, source
        state = g.summed(h, g.owner, len(g.counts))
        for i in range(sum(name.startswith("readouts.") and name.endswith("w_own") for name in net)):
            state = attention(_part(net, f"readouts.{i}."), state, torch.relu(state), h, loops, g.owner)
        return state @ p["output.layers.0.w"] + p["output.layers.0.b"]

    return forward


def _part(parameters: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in parameters.items() if name.startswith(prefix)}
