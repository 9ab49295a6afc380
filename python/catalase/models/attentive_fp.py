"""AttentiveFPModel: a graph net whose atoms attend to their neighbours, and whose molecules to their atoms."""

from __future__ import annotations

from typing import Any

from .. import nn, optim
from .._internal.registry import Bool, Int, Str
from ..autograd import Tensor
from ..data.graph_batch import GraphBatch
from ..nn.onnx import Graph, Molecules, Value, exporter
from ..ops.mol_graphs import FEATURE_SETS, widths
from .graphs import GRAPH_TRAINING, ExtraFeatures, GraphRows, output_layer
from .settings import N_CLASSES, N_TASKS, Settings, Share, declared


class AttentiveFPNet(nn.Module):
    """Attention of atoms and molecules, and a dense layer."""

    def __init__(self, model: AttentiveFPModel, shape: tuple[int, ...]) -> None:
        super().__init__()
        rng = nn.init.generator(model.seed)
        self.attention = nn.AttentiveFP(
            *widths(model.features),
            hidden=model.graph_feat_size,
            num_layers=model.num_layers,
            num_timesteps=model.num_timesteps,
            dropout=model.dropout,
            self_loops=model.self_loop,
            rng=rng,
        )
        self.extra = ExtraFeatures(model.n_extra_features)
        self.output = output_layer(model.graph_feat_size + model.n_extra_features, shape, model.dropout, rng)

    def forward(self, batch: GraphBatch) -> Tensor:
        return self.output(self.extra(self.attention(batch), batch))


@exporter(AttentiveFPNet)
def _net(graph: Graph, net: AttentiveFPNet, batch: Molecules) -> Value:
    found: Value = graph.layer(net.output, graph.layer(net.extra, graph.layer(net.attention, batch), batch))
    return found


@declared
class AttentiveFPModel(GraphRows):
    """The net of AttentiveFP, with the arguments and defaults of DeepChem's model of this name.

    Parameters
    ----------
    n_tasks : int
    num_layers : int
        Rounds of attention of the atoms.
    num_timesteps : int
        Rounds of attention of the molecule to its atoms.
    graph_feat_size : int
        Width of the rows of atoms and molecules.
    dropout : float
        The share of values that is dropped before each attention and the output, in training.
    self_loop : bool
        Whether each atom also attends to itself.
    features : str
        Features of atoms and bonds; see `catalase.ops.mol_graphs`. They decide what DeepChem calls number_atom_features
        and number_bond_features.
    mode, n_classes, batch_size, learning_rate, seed, optimizer, n_extra_features
        As in `GraphConvModel`, but for "regression" as the default.

    Notes
    -----
    Graphs, labels and predictions are as in `GraphConvModel`, with ``features`` that may be chosen: by default those of
    `catalase.feat.MolGraphConvFeaturizer`. The net is `catalase.nn.AttentiveFP`.

    References
    ----------
    Xiong et al., "Pushing the boundaries of molecular representation for drug discovery with the graph attention
    mechanism", J. Med. Chem. 63, 8749 (2020).

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> graphs = ct.feat.MolGraphConvFeaturizer(use_edges=True).featurize(["C" * n for n in range(1, 11)])
    >>> model = ct.models.AttentiveFPModel(1, graph_feat_size=8, seed=0)
    >>> _ = model.fit(ct.data.GraphDataset(graphs, np.arange(10.0)[:, None]), nb_epoch=2)
    >>> model.predict(["CCO", "CCN"]).shape
    (2, 1)
    """

    settings = GRAPH_TRAINING | Settings(
        n_tasks=N_TASKS,
        num_layers=Int(1, 64),
        num_timesteps=Int(0, 1000),
        graph_feat_size=Int(1, 1_000_000),
        dropout=Share(),
        mode=Str(choices=["regression", "classification"]),
        n_classes=N_CLASSES,
        self_loop=Bool(),
        features=Str(choices=list(FEATURE_SETS)),
    )
    num_layers: int
    num_timesteps: int
    graph_feat_size: int
    dropout: float
    self_loop: bool

    def __init__(
        self,
        n_tasks: int,
        num_layers: int = 2,
        num_timesteps: int = 2,
        graph_feat_size: int = 200,
        dropout: float = 0.0,
        mode: str = "regression",
        n_classes: int = 2,
        self_loop: bool = True,
        features: str = "molgraph",
        batch_size: int = 100,
        learning_rate: Any = 1e-3,
        seed: int | None = None,
        optimizer: str | optim.Optimizer | None = None,
        n_extra_features: int = 0,
    ) -> None:
        self._set(locals())
        self._start_with(AttentiveFPNet)
