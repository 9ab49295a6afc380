"""D-MPNN: a net on molecular graphs that sends messages along directed bonds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import nn, optim
from .._internal.registry import Bool, Float, Int, Str
from ..autograd import Tensor
from ..data.batch import Batches
from ..data.graph_batch import GraphBatch
from ..nn.graph import uniform_linear
from ..nn.onnx import Graph, Molecules, Value, exporter
from ..ops.checks import ACTIVATION_NAMES
from ..ops.mol_graphs import FEATURE_SETS, widths
from .graphs import GRAPH_TRAINING, ExtraFeatures, GraphRows
from .labels import flat
from .settings import N_CLASSES, N_TASKS, Settings, Share, declared

if TYPE_CHECKING:
    from ..data.dataset import Batched
    from ..train import History


class DMPNN(nn.Module):
    """The net: message passing, a readout, and a dense net."""

    def __init__(self, model: DMPNNModel, shape: tuple[int, ...]) -> None:
        super().__init__()
        rng = nn.init.generator(model.seed)
        hidden, width = model.message_hidden_dim, model.ffn_hidden_dim
        self.messages = nn.DirectedMessagePassing(
            *widths(model.features),
            hidden=hidden,
            depth=model.depth,
            bias=model.message_bias,
            dropout=model.dropout,
            activation=model.activation,
            rng=rng,
        )
        self.readout = nn.GraphReadout(model.aggregation, norm=model.aggregation_norm, features=hidden, rng=rng)
        self.norm = nn.BatchNorm(hidden) if model.batch_norm else None
        layers: list[nn.Module] = []
        self.extra = ExtraFeatures(model.n_extra_features)
        sizes = [hidden + model.n_extra_features, *[width] * model.ffn_num_layers, math.prod(shape)]
        for i, (inputs, size) in enumerate(itertools.pairwise(sizes)):
            last = i == len(sizes) - 2
            activation = None if last else model.activation
            layers.append(uniform_linear(inputs, size, activation, rng))
            if model.dropout and not last:
                layers.append(nn.Dropout(model.dropout))
        self.layers = nn.Sequential(*layers, output_shape=shape if len(shape) > 1 else None)
        self.label_mean = nn.Buffer(np.zeros(model.n_tasks, np.float32))
        self.label_scale = nn.Buffer(np.ones(model.n_tasks, np.float32))

    def fingerprint(self, batch: GraphBatch) -> Tensor:
        """Return a row for each molecule, before the dense net."""
        rows = self.readout(*self.messages(batch))
        return self.extra(rows if self.norm is None else self.norm(rows), batch)

    def forward(self, batch: GraphBatch) -> Tensor:
        return self.layers(self.fingerprint(batch))


@exporter(DMPNN)
def _net(graph: Graph, net: DMPNN, batch: Molecules) -> Value:
    rows = graph.layer(net.readout, *graph.layer(net.messages, batch))
    rows = rows if net.norm is None else graph.layer(net.norm, rows)
    return graph.layer(net.layers, graph.layer(net.extra, rows, batch))


@declared
class DMPNNModel(GraphRows):
    """A directed message-passing net on molecular graphs (chemprop's D-MPNN).

    Parameters
    ----------
    n_tasks : int
    mode : {"regression", "classification"}
    n_classes : int
        Of each task, with "classification".
    features : str
        Features of atoms and bonds; see `catalase.ops.mol_graphs`.
    message_hidden_dim, depth, message_bias
        Of the message passing; see `catalase.nn.DirectedMessagePassing`.
    dropout : float
        The share of values that is dropped in the message passing and in the dense net, in training.
    activation : str
        As for `catalase.ops.activation`.
    aggregation : {"norm", "mean", "sum", "attention"}
    aggregation_norm : float
        The divisor of "norm".
    batch_norm : bool
        Whether the rows of molecules are normalized before the dense net.
    ffn_hidden_dim, ffn_num_layers : int
        Width and number of the hidden layers of the dense net.
    warmup_epochs : int
    init_lr, max_lr, final_lr : float
        The learning rate goes up from ``init_lr`` to ``max_lr`` in ``warmup_epochs``, and then falls to ``final_lr`` at the
        end of the first `fit`; see `catalase.optim.WarmupExponentialDecay`. Later fits go on with ``final_lr``.
    batch_size : int
    seed : int, optional
        Same seed, same bits, for any number of threads.
    optimizer : str or optim.Optimizer, optional
        The name of one of `catalase.optim`, which follows the learning rate above, or one with settings of its own and
        without a module. Adam where left out.
    n_extra_features : int
        The number of extra features of a molecule, such as descriptors (``graphs.extra``); the net appends them to the
        readout. Each column is scaled to mean 0 and deviation 1 over the rows of the first fit, and clipped to 6
        deviations. Values that are not finite become 0, as do columns that are constant in these rows.

    Notes
    -----
    X are molecular graphs (`catalase.ops.mol_graphs`, `catalase.data.GraphDataset`); `predict` also takes SMILES.
    Predictions are NaN for a graph without atoms, which stands for a molecule that could not be read.

    Names and defaults are those of chemprop 2.3's command line, as are the start values. With "regression" the labels are
    standardized by the mean and the deviation of each task in the first fit, and predictions come in the units of the
    labels; the loss that is reported is of standardized labels. NaN, or weight 0, is a missing label. As in
    chemprop, the loss is the mean over the labels of a batch that are there, and an epoch leaves out a last batch of a single
    row, another row each time; with it, the error on FreeSolv (513 rows, batches of 64) was larger by 0.2, and depended on
    the order of the rows.

    References
    ----------
    Yang et al., J. Chem. Inf. Model. 59, 3370 (2019). Heid et al., J. Chem. Inf. Model. 64, 9 (2024).

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> smiles = ["C" * n for n in range(1, 11)]
    >>> data = ct.data.GraphDataset(ct.ops.mol_graphs(smiles), np.arange(1.0, 11.0)[:, None])
    >>> model = ct.models.DMPNNModel(message_hidden_dim=16, ffn_hidden_dim=16, seed=0)
    >>> _ = model.fit(data, nb_epoch=5)
    >>> model.predict(["CCO", "CCCCO"]).shape
    (2, 1)
    """

    settings = GRAPH_TRAINING | Settings(
        n_tasks=N_TASKS,
        mode=Str(choices=["regression", "classification"]),
        n_classes=N_CLASSES,
        features=Str(choices=list(FEATURE_SETS)),
        message_hidden_dim=Int(1, 1_000_000),
        depth=Int(1, 64),
        message_bias=Bool(),
        dropout=Share(),
        activation=Str(choices=ACTIVATION_NAMES),
        aggregation=Str(choices=["norm", "mean", "sum", "attention"]),
        aggregation_norm=Float(low=1e-30),
        batch_norm=Bool(),
        ffn_hidden_dim=Int(1, 1_000_000),
        ffn_num_layers=Int(0, 1000),
        warmup_epochs=Int(0, 1_000_000),
        init_lr=Float(low=1e-30),
        max_lr=Float(low=1e-30),
        final_lr=Float(low=1e-30),
    )
    message_hidden_dim: int
    depth: int
    message_bias: bool
    dropout: float
    activation: str
    aggregation: str
    aggregation_norm: float
    batch_norm: bool
    ffn_hidden_dim: int
    ffn_num_layers: int
    warmup_epochs: int
    init_lr: float
    max_lr: float
    final_lr: float
    module: DMPNN

    def __init__(
        self,
        n_tasks: int = 1,
        mode: str = "regression",
        n_classes: int = 2,
        features: str = "dmpnn",
        message_hidden_dim: int = 300,
        depth: int = 3,
        message_bias: bool = False,
        dropout: float = 0.0,
        activation: str = "relu",
        aggregation: str = "norm",
        aggregation_norm: float = 100.0,
        batch_norm: bool = False,
        ffn_hidden_dim: int = 300,
        ffn_num_layers: int = 1,
        warmup_epochs: int = 2,
        init_lr: float = 1e-4,
        max_lr: float = 1e-3,
        final_lr: float = 1e-4,
        batch_size: int = 64,
        seed: int | None = None,
        optimizer: str | optim.Optimizer | None = None,
        n_extra_features: int = 0,
    ) -> None:
        self._set(locals())
        loss: nn.losses.Loss = nn.losses.L2Loss()
        shape: tuple[int, ...] = (self.n_tasks,)
        if self.mode == "classification":
            binary = self.n_classes == 2
            shape = shape if binary else (self.n_tasks, self.n_classes)
            loss = nn.losses.SigmoidCrossEntropy() if binary else nn.losses.SoftmaxCrossEntropy()
        self.learning_rate: Any = self.max_lr
        self._start(DMPNN(self, shape), loss)

    def fit(self, dataset: Batched, nb_epoch: int = 10, *args: Any, **options: Any) -> History:
        if self._optimizer is None and hasattr(dataset, "y") and isinstance(nb_epoch, int):
            self._plan(dataset, nb_epoch)
        return super().fit(dataset, nb_epoch, *args, **options)

    fit.__doc__ = GraphRows.fit.__doc__

    def _plan(self, dataset: Any, nb_epoch: int) -> None:
        """Before the first fit: the course of the learning rate, and the scale of the labels."""
        steps = _steps_of(len(dataset), self.batch_size)
        total = max(1, nb_epoch * steps)
        warmup = min(total, self.warmup_epochs * steps)
        self.learning_rate = optim.WarmupExponentialDecay(self.init_lr, self.max_lr, self.final_lr, total, warmup)

    def _training_rows(self, dataset: Any) -> Any:
        """The walk of `fit`, without a last batch of one row: its gradient is noise, which Adam takes at full length."""
        rows = super()._training_rows(dataset)

        def iterbatches(batch_size: int, **order: Any) -> Iterator[Any]:
            steps = _steps_of(len(rows), batch_size)
            for X, y, w, ids in itertools.islice(rows.iterbatches(batch_size, **order), steps):
                yield X, y, w * _share_missing(w), ids

        return Batches(rows, iterbatches)

    def _validation_rows(self, dataset: Any) -> Any:
        rows, factor = super()._validation_rows(dataset), _share_missing(np.asarray(dataset.w))

        def iterbatches(batch_size: int, **order: Any) -> Iterator[Any]:
            for X, y, w, ids in rows.iterbatches(batch_size, **order):
                yield X, y, w * factor, ids

        return Batches(rows, iterbatches)

    def _learn_from(self, where: str, dataset: Any, valid: Any = None) -> None:
        super()._learn_from(where, dataset, valid)
        if self.mode == "regression" and self._fits == 0:
            mean, scale = _moments(np.asarray(flat(dataset.y)), np.asarray(flat(dataset.w)), self.n_tasks)
            self.module.label_mean.data[...], self.module.label_scale.data[...] = mean, scale

    def _prepared_labels(self, y: NDArray[Any]) -> NDArray[Any]:
        y = np.asarray(y)
        if self.mode == "classification":
            return y
        scale = self.module.label_scale.numpy().astype(np.float64)
        found = (y.reshape(len(y), -1) - self.module.label_mean.numpy()) / scale
        return found.astype(np.float32)

    def _output(self, raw: Tensor) -> NDArray[Any]:
        found = self.loss.prediction(raw.numpy())
        if self.mode == "regression":
            return found * self.module.label_scale.numpy() + self.module.label_mean.numpy()
        if self.n_classes == 2:
            return np.stack([1 - found, found], axis=-1)
        return found

    def _onnx_output(self, graph: Graph, y: Value) -> Value:
        found = super()._onnx_output(graph, y)
        if self.mode == "regression":
            found = graph.op("Mul", found, self.module.label_scale.numpy())
            return graph.op("Add", found, self.module.label_mean.numpy())
        if self.n_classes > 2:
            return found
        ones = graph.op("Unsqueeze", found, np.array([2]), rank=3)
        return graph.op("Concat", graph.op("Sub", np.float32(1), ones, rank=3), ones, axis=2)


def _steps_of(rows: int, batch_size: int) -> int:
    """Batches of an epoch."""
    steps = math.ceil(rows / batch_size)
    return steps - 1 if steps > 1 and rows % batch_size == 1 else steps


def _share_missing(w: NDArray[Any]) -> np.float32:
    """The factor that makes a mean over all labels one over the labels that are there."""
    return np.float32(w.size / max(1, int(np.count_nonzero(w))))


def _moments(y: NDArray[Any], w: NDArray[Any], n_tasks: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Mean and standard deviation of the labels of each task that are there; 0 and 1 where there is none."""
    y = y.reshape(len(y), -1).astype(np.float64)
    there = np.broadcast_to(w.reshape(len(w), -1) != 0, y.shape)
    count = np.maximum(there.sum(axis=0), 1)
    mean = np.where(there, y, 0).sum(axis=0) / count
    deviation = np.sqrt(np.where(there, (y - mean) ** 2, 0).sum(axis=0) / count)
    return mean, np.where(deviation > 0, deviation, 1.0)
