"""GINModel: a graph isomorphism network, which tells bonds apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import nn, optim
from .._internal.registry import Bool, Int, Str
from ..autograd import Tensor, concatenate
from ..data.graph_batch import GraphBatch
from ..nn import functional as F
from ..nn.graph import moved, uniform_linear
from ..nn.onnx import Graph, Molecules, Value, exporter
from ..ops.mol_graphs import FEATURE_SETS, widths
from .graphs import GRAPH_TRAINING, ExtraFeatures, GraphRows, output_layer
from .settings import N_CLASSES, N_TASKS, Settings, Share, declared


class GIN(nn.Module):
    """A dense layer on atoms, layers of GIN with batch normalization, a readout, and a dense layer on molecules."""

    def __init__(self, model: GINModel, shape: tuple[int, ...]) -> None:
        super().__init__()
        rng, width, count = nn.init.generator(model.seed), model.emb_dim, model.num_layer
        atoms, bonds = widths(model.features)
        self.atoms = uniform_linear(atoms, width, rng=rng)
        options: dict[str, Any] = {"train_eps": model.train_eps, "bond_features": bonds if model.use_edges else None}
        self.layers = [nn.GINConv(width, width, rng=rng, **options) for _ in range(count)]
        activations = ["relu"] * (count - 1) + [None]  # none after the last layer
        self.norms = [nn.BatchNorm(width, activation=name) for name in activations if model.batch_norm]
        self.dropouts = [nn.Dropout(model.dropout) for _ in range(count)] if model.dropout else []
        self.jump = model.jump_knowledge
        width *= count + 1 if self.jump == "concat" else 1
        self.readout = nn.GraphReadout(model.graph_pooling, features=width, rng=rng)
        self.extra = ExtraFeatures(model.n_extra_features)
        self.output = output_layer(width + model.n_extra_features, shape, 0.0, rng)
        self.along = "atoms and bonds" if model.use_edges else "atoms"

    def forward(self, batch: GraphBatch) -> Tensor:
        distinct = not (self.training and (self.norms or self.dropouts))
        paths = batch.environments(len(self.layers), along=self.along, distinct=distinct)
        rows = self.atoms(moved("GIN", "batch", paths.atom_features, self.atoms.w))
        seen = [rows]
        for i, (layer, lists) in enumerate(zip(self.layers, paths.depths, strict=True)):
            rows = layer(rows, lists, paths.bond_features)
            last = i == len(self.layers) - 1
            rows = self.norms[i](rows) if self.norms and len(rows) else rows if last else rows.relu()
            rows = self.dropouts[i](rows) if self.dropouts else rows
            if self.jump != "last":
                own: Any = lists.kind
                seen = [*(F.gather_rows(x, own) for x in seen), rows]
        rows = rows if self.jump == "last" else self._joined(seen)
        return self.output(self.extra(self.readout(rows, paths.molecules), batch))

    def _joined(self, depths: list[Tensor]) -> Tensor:
        """One row for each atom of its rows at all depths."""
        if self.jump == "concat":
            return concatenate(depths, axis=1)
        count = len(depths[0])
        index = np.arange(count * len(depths)).reshape(len(depths), count).T.ravel()
        offsets = np.arange(count + 1) * len(depths)
        return (F.gather_sum if self.jump == "sum" else F.gather_max)(concatenate(depths), index, offsets)


@exporter(GIN)
def _net(graph: Graph, net: GIN, batch: Molecules) -> Value:
    rows = graph.layer(net.atoms, batch.atoms)
    seen = [rows]
    for i, layer in enumerate(net.layers):
        rows = graph.layer(layer, rows, batch)
        last = i == len(net.layers) - 1
        rows = graph.layer(net.norms[i], rows) if net.norms else rows if last else graph.op("Relu", rows)
        seen.append(rows)
    if net.jump != "last":
        joined = {"concat": "Concat", "sum": "Sum", "max": "Max"}[net.jump]
        rows = graph.op(joined, *seen, axis=1 if joined == "Concat" else None)
    rows = graph.layer(net.readout, rows, batch)
    return graph.layer(net.output, graph.layer(net.extra, rows, batch))


@declared
class GINModel(GraphRows):
    """A graph isomorphism network, with features of bonds (GINE).

    Parameters
    ----------
    n_tasks : int
    num_layer : int
        Layers of message passing.
    emb_dim : int
        Width of the rows of atoms.
    graph_pooling : {"mean", "sum", "attention"}
        From rows of atoms to that of the molecule; see `catalase.nn.GraphReadout`.
    dropout : float
        The share of values that is dropped after each layer, in training.
    jump_knowledge : {"last", "sum", "max", "concat"}
        What the readout takes of an atom's rows at all depths.
    features : str
        Features of atoms and bonds; see `catalase.ops.mol_graphs`.
    use_edges : bool
        Whether messages contain the features of bonds.
    train_eps : bool
        Whether each layer learns the weight of the atom itself beside its neighbours; see `catalase.nn.GINConv`.
    batch_norm : bool
        Whether rows are normalized after each layer.
    mode, n_classes, batch_size, learning_rate, seed, optimizer, n_extra_features
        As in `GraphConvModel`, but for "regression" as the default.

    Notes
    -----
    Graphs, labels and predictions are as in `GraphConvModel`, with ``features`` that may be chosen: by default those of
    `catalase.feat.MolGraphConvFeaturizer`.

    Names and defaults are those of DeepChem's ``GNNModular(gnn_type="gin")``. As in the papers, each layer has two dense
    layers, where DeepChem's has one, and the last has no ReLU after it. Atoms with equal environments are computed once in
    `predict`, and in training without batch normalization and dropout.

    References
    ----------
    Xu et al., "How powerful are graph neural networks?", arXiv:1810.00826. Hu et al., "Strategies for pre-training graph
    neural networks", arXiv:1905.12265.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> graphs = ct.ops.mol_graphs(["C" * n for n in range(1, 11)], features="molgraph")
    >>> model = ct.models.GINModel(1, emb_dim=8, seed=0)
    >>> _ = model.fit(ct.data.GraphDataset(graphs, np.arange(10.0)[:, None]), nb_epoch=2)
    >>> model.predict(["CCO", "CCN"]).shape
    (2, 1)
    """

    settings = GRAPH_TRAINING | Settings(
        n_tasks=N_TASKS,
        num_layer=Int(1, 64),
        emb_dim=Int(1, 1_000_000),
        graph_pooling=Str(choices=["mean", "sum", "attention"]),
        dropout=Share(),
        jump_knowledge=Str(choices=["last", "sum", "max", "concat"]),
        mode=Str(choices=["regression", "classification"]),
        n_classes=N_CLASSES,
        features=Str(choices=list(FEATURE_SETS)),
        use_edges=Bool(),
        train_eps=Bool(),
        batch_norm=Bool(),
    )
    num_layer: int
    emb_dim: int
    graph_pooling: str
    dropout: float
    jump_knowledge: str
    use_edges: bool
    train_eps: bool
    batch_norm: bool

    def __init__(
        self,
        n_tasks: int,
        num_layer: int = 3,
        emb_dim: int = 64,
        graph_pooling: str = "mean",
        dropout: float = 0.0,
        jump_knowledge: str = "last",
        mode: str = "regression",
        n_classes: int = 2,
        features: str = "molgraph",
        use_edges: bool = True,
        train_eps: bool = False,
        batch_norm: bool = True,
        batch_size: int = 100,
        learning_rate: Any = 1e-3,
        seed: int | None = None,
        optimizer: str | optim.Optimizer | None = None,
        n_extra_features: int = 0,
    ) -> None:
        self._set(locals())
        if self.use_edges and not widths(self.features)[1]:
            raise ValueError(
                f"GINModel: the features {self.features!r} have no columns of bonds; choose others, or use_edges=False"
            )
        self._start_with(GIN)
