"""GraphConvModel: DeepChem's graph convolutional net."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import nn, optim
from .._internal.registry import Bool, Int, Str
from ..autograd import Tensor
from ..data.graph_batch import GraphBatch
from ..nn.onnx import Graph, Molecules, Value, exporter
from ..ops.mol_graphs import widths
from .graphs import GRAPH_TRAINING, ExtraFeatures, GraphRows
from .settings import N_CLASSES, N_TASKS, EachLayer, Layers, Numbers, Option, Settings, Share, declared
from .uncertainty import UncertainNet


class GraphConvNet(nn.Module):
    """Graph convolutions with pooling, a dense layer on atoms, and a dense layer on molecules."""

    def __init__(self, model: GraphConvModel, shape: tuple[int, ...]) -> None:
        super().__init__()
        rng = nn.init.generator(model.seed)
        width, dropouts = widths(model.features)[0], [*model.dropout]
        self.convolutions: list[_Block] = []
        for size, rate in zip(model.graph_conv_layers, dropouts[:-1], strict=True):
            self.convolutions.append(_Block(nn.GraphConv(width, size, rng=rng), size, rate, model.batch_normalize))
            width = size
        self.pool = nn.GraphPool()
        size = model.dense_layer_size
        dense = nn.Linear(width, size, "relu", rng=rng)
        self.dense = _Block(dense, size, dropouts[-1], model.batch_normalize)
        self.gather = nn.GraphGather()
        self.extra = ExtraFeatures(model.n_extra_features)
        self.output = nn.Linear(2 * size + model.n_extra_features, math.prod(shape), rng=rng)
        self.shape = shape

    def forward(self, batch: GraphBatch) -> Tensor:
        atoms = batch.atoms()
        rows: Any = atoms.features
        for block in self.convolutions:
            rows = self.pool(block(rows, atoms), atoms)
        rows = self.dense(Tensor(rows) if isinstance(rows, np.ndarray) else rows)
        return self.output(self.extra(self.gather(rows, atoms), batch)).reshape(len(batch), *self.shape)


class _Block(nn.Module):
    """A layer, batch normalization with the numbers of Keras, and dropout."""

    def __init__(self, layer: nn.Module, size: int, rate: float, normalize: bool) -> None:
        super().__init__()
        self.layer = layer
        self.norm = nn.BatchNorm(size, momentum=0.01, eps=1e-3) if normalize else None
        self.dropout = nn.Dropout(rate) if rate else None

    def forward(self, *inputs: Any) -> Tensor:
        rows = self.layer(*inputs)
        rows = rows if self.norm is None or not len(rows) else self.norm(rows)  # a batch may have no atoms
        return rows if self.dropout is None else self.dropout(rows)


@exporter(_Block)
def _block(graph: Graph, block: _Block, *inputs: Any) -> Value:
    rows = graph.layer(block.layer, *inputs)
    return rows if block.norm is None else graph.layer(block.norm, rows)


@exporter(GraphConvNet)
def _net(graph: Graph, net: GraphConvNet, batch: Molecules) -> Value:
    rows = batch.atoms
    for block in net.convolutions:
        rows = graph.layer(net.pool, graph.layer(block, rows, batch), batch)
    rows = graph.layer(net.gather, graph.layer(net.dense, rows), batch)
    return graph.reshape(graph.layer(net.output, graph.layer(net.extra, rows, batch)), [0, *net.shape])


@declared
class GraphConvModel(GraphRows, UncertainNet):
    """The graph convolutional net of DeepChem, on the features of its ConvMolFeaturizer.

    Parameters
    ----------
    n_tasks : int
    graph_conv_layers : list of int
        Widths of the graph convolutions; each is followed by a pooling over neighbours.
    dense_layer_size : int
        Width of the dense layer on atoms.
    dropout : float or list of float
        After each graph convolution and the dense layer; one number for all, or one for each.
    mode : {"classification", "regression"}
    n_classes : int
        Of each task, with "classification".
    batch_normalize : bool
        Whether each of these layers is followed by batch normalization.
    batch_size : int
    learning_rate : float or schedule
        A schedule of `catalase.optim` is saved with the model.
    seed : int, optional
        Same seed, same bits, for any number of threads.
    optimizer : str or optim.Optimizer, optional
        Adam where left out.
    uncertainty : bool
        Also predict the variance of each label, and train on the Gaussian likelihood (`nn.losses.GaussianNLL`), for
        `predict_uncertainty`. Only for a regression with dropout after every layer, as in DeepChem.
    n_extra_features : int
        The number of extra features of a molecule, such as descriptors (``graphs.extra``); the net appends them to the
        readout. Each column is scaled to mean 0 and deviation 1 over the rows of the first fit, and clipped to 6
        deviations. Values that are not finite become 0, as do columns that are constant in these rows.

    Notes
    -----
    X are molecular graphs with the features "convmol" (`catalase.feat.ConvMolFeaturizer`); `predict` also takes SMILES.
    Predictions are NaN for a graph without atoms, which stands for a molecule that could not be read.
    Defaults are DeepChem's. Labels y (N, n_tasks); NaN, or weight 0, is a missing label; normalize those of a regression
    first (`catalase.trans.NormalizationTransformer`). `predict` gives (N, n_tasks), or probabilities (N, n_tasks,
    n_classes).

    References
    ----------
    Altae-Tran et al., "Low data drug discovery with one-shot learning", ACS Cent. Sci. 3, 283 (2017).

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> graphs = ct.feat.ConvMolFeaturizer().featurize(["C" * n for n in range(1, 11)])
    >>> model = ct.models.GraphConvModel(1, mode="regression", graph_conv_layers=[8], dense_layer_size=8, seed=0)
    >>> _ = model.fit(ct.data.GraphDataset(graphs, np.arange(10.0)[:, None]), nb_epoch=2)
    >>> model.predict(["CCO", "CCN"]).shape
    (2, 1)
    """

    _rows_at_a_time = 64  # their rows stay in the L2 cache: 1.3 times as fast as 1,024

    settings = GRAPH_TRAINING | Settings(
        n_tasks=N_TASKS,
        graph_conv_layers=Layers(Int(1, 1_000_000), max_length=1000),
        dense_layer_size=Int(1, 1_000_000),
        dropout=EachLayer(Share(), "graph_conv_layers", output="last", counts_output=True),
        mode=Str(choices=["classification", "regression"]),
        n_classes=N_CLASSES,
        batch_normalize=Bool(),
        uncertainty=Option(),
    )
    features = "convmol"
    graph_conv_layers: list[int]
    dense_layer_size: int
    dropout: list[float]
    batch_normalize: bool

    def __init__(
        self,
        n_tasks: int,
        graph_conv_layers: Sequence[int] = (64, 64),
        dense_layer_size: int = 128,
        dropout: Numbers = 0.0,
        mode: str = "classification",
        n_classes: int = 2,
        batch_normalize: bool = True,
        batch_size: int = 100,
        learning_rate: Any = 1e-3,
        seed: int | None = None,
        optimizer: str | optim.Optimizer | None = None,
        uncertainty: bool = False,
        n_extra_features: int = 0,
    ) -> None:
        self._set(locals())
        if not self.uncertainty:
            self._start_with(GraphConvNet)
            return
        if self.mode != "regression" or not all(self.dropout):
            raise ValueError(
                'GraphConvModel: uncertainty=True needs mode="regression" and dropout above 0 after every layer, got '
                f"mode={self.mode!r} and dropout {self.dropout}"
            )
        self._start(GraphConvNet(self, (2, self.n_tasks)), nn.losses.GaussianNLL())
