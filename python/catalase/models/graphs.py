"""Molecular graphs as rows: what graph nets take."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import nn
from .._internal.numbers import shown
from ..autograd import Tensor, concatenate
from ..backends import to_device_of
from ..data.batch import Batch, Batches, row_batches
from ..data.graph import ShardedGraphs
from ..data.graph_batch import GraphBatch
from ..feat import Featurizer, MolGraphFeaturizer
from ..nn.graph import uniform_linear
from ..nn.onnx import Graph, Molecules, Value, exporter
from ..ops import MolGraphs
from ..ops.mol_graphs import widths
from .datapoints import is_dataset
from .labels import check_classes, check_numbers
from .net import NetModel
from .scaling import DEVIATIONS, LARGEST, bounded, on_scale, scaling
from .settings import TRAINING, OptionalCount, Settings

_CHUNK = 4096  # molecules whose environments are found together in `predict`
GRAPH_TRAINING = TRAINING | Settings(n_extra_features=OptionalCount(1_000_000))


class ExtraFeatures(nn.Module):
    """Appends the extra features of molecules to their rows, on the scale of the training rows.

    Values that are not finite become 0, all are clipped to ``limits[0]``; then ``(x - mean) / deviation`` is clipped to
    ``limits[1]``. A column with the deviation 0, which was constant in training, becomes 0.
    """

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.columns = columns
        if columns:
            self.mean = nn.Buffer(np.zeros(columns, np.float32))
            self.deviation = nn.Buffer(np.ones(columns, np.float32))
            self.limits = nn.Buffer(np.array([LARGEST, DEVIATIONS], np.float32))

    def learn(self, extra: NDArray[Any]) -> None:
        """Take the means and deviations of the columns."""
        if not self.columns:
            return
        found = scaling(bounded(extra))
        for buffer, values in ((self.mean, found["centers"]), (self.deviation, found["scales"])):
            whole = np.zeros(self.columns, np.float32)
            whole[found["columns"]] = values
            buffer.data = to_device_of(whole, buffer.data)

    def forward(self, rows: Tensor, batch: GraphBatch) -> Tensor:
        if not self.columns:
            return rows
        mean, deviation, (largest, most) = self.mean.numpy(), self.deviation.numpy(), self.limits.numpy()
        there = deviation > 0
        found = np.zeros((len(batch), self.columns), np.float32)
        found[:, there] = on_scale(bounded(batch.extra, largest)[:, there], mean[there], deviation[there], most)
        return concatenate([rows, Tensor(to_device_of(found, rows.data))], axis=1)


@exporter(ExtraFeatures)
def _extra(graph: Graph, layer: ExtraFeatures, rows: Value, batch: Molecules) -> Value:
    if not layer.columns:
        return rows
    mean, deviation, (largest, most) = layer.mean.numpy(), layer.deviation.numpy(), layer.limits.numpy()
    finite = graph.op("LessOrEqual", graph.op("Abs", batch.extra), np.finfo(np.float32).max)
    found = graph.op("Where", finite, batch.extra, np.float32(0), rank=2)
    found = graph.op("Sub", graph.op("Clip", found, -largest, largest), mean)
    found = graph.op(
        "Mul", found, np.where(deviation > 0, 1 / np.where(deviation > 0, deviation, 1), 0).astype(np.float32)
    )
    return graph.op("Concat", rows, graph.op("Clip", found, -most, most), axis=1)


class GraphRows(NetModel):
    """Checks X, molecular graphs with the model's set of features, and walks through them in batches.

    The prediction of a graph without atoms is NaN.

    Attributes
    ----------
    features : str
        The feature set of the graphs that the model takes.
    n_extra_features : int
        The number of their extra features; the net has an `ExtraFeatures` of this size as ``extra``.
    """

    features: str
    n_extra_features: int = 0
    module: Any
    n_tasks: int
    mode: str
    n_classes: int

    _rows_at_a_time = 1024

    def _start_with(self, net: Callable[[Any, tuple[int, ...]], nn.Module]) -> None:
        """Start with the net that ``net(self, shape)`` makes: a number for each task, or a logit for each of its classes."""
        classes = self.mode == "classification"
        shape: tuple[int, ...] = (self.n_tasks, self.n_classes) if classes else (self.n_tasks,)
        self._start(net(self, shape), nn.losses.SoftmaxCrossEntropy() if classes else nn.losses.L2Loss())

    def _start(self, module: Any, loss: Any) -> None:
        super()._start(module, loss)
        self._featurizer = self._own_featurizer()

    def _own_featurizer(self) -> Featurizer | None:
        """What makes graphs that the model takes; unknown before `fit` where they have extra features."""
        return None if self.n_extra_features else MolGraphFeaturizer(self.features)

    def _learn_from(self, where: str, dataset: Any, valid: Any = None) -> None:
        super()._learn_from(where, dataset, valid)
        if self.n_extra_features and self._fits == 0:
            self.module.extra.learn(dataset.X.extra)

    def _graphs(self, where: str, X: Any) -> MolGraphs | ShardedGraphs:
        """Graphs with the model's features; anything else is refused."""
        if not isinstance(X, (MolGraphs, ShardedGraphs)):
            raise TypeError(
                f"{where}: X must be molecular graphs (catalase.ops.mol_graphs, catalase.feat.MolGraphFeaturizer), got "
                f"{shown(X)}"
            )
        if X.features != self.features:
            raise ValueError(
                f"{where}: the model takes graphs with the features {self.features!r}, got {X.features!r}; make them with "
                f"catalase.ops.mol_graphs(smiles, features={self.features!r})"
            )
        columns = X[:0].extra.shape[1]
        if columns != self.n_extra_features:
            raise ValueError(
                f"{where}: the model takes {self.n_extra_features} extra features of a molecule (n_extra_features), got "
                f"graphs with {columns}; catalase.feat.MolGraphFeaturizer(features, extra=...) makes them"
            )
        return X

    def _check_shape(self, where: str, X: Any) -> Any:
        return self._graphs(where, X)

    def _check_features(self, where: str, X: Any) -> Any:
        return self._graphs(where, X)

    def _check_dataset(self, where: str, dataset: Any) -> None:
        super()._check_dataset(where, dataset)
        w = np.asarray(dataset.w).reshape(len(dataset), -1)
        bad = np.flatnonzero((dataset.X.atom_counts == 0) & (w != 0).any(axis=1))
        if len(bad):
            raise ValueError(
                f"{where}: row {bad[0]} of X is a graph without atoms, as that of a molecule that could not be read, but has "
                "a label; leave it out, or give it the weight 0"
            )

    def _datapoints(self, where: str, given: Any, featurizer: Featurizer | None) -> list[Any] | None:
        if isinstance(given, (MolGraphs, ShardedGraphs)):
            return None
        items = super()._datapoints(where, given, featurizer)
        if items is not None and featurizer is None and self.n_extra_features:
            raise TypeError(
                f"{where}: X must be graphs with {self.n_extra_features} extra features of a molecule, got a list of "
                f"{type(items[0]).__name__}, and the model names no featurizer that makes them; set model.featurizer to what "
                f"made those it was trained on, such as catalase.feat.MolGraphFeaturizer({self.features!r}, "
                "extra=catalase.feat.Descriptors())"
            )
        return items

    def _in_slices(self, where: str, rows: Any, answer: Callable[[str, Any], NDArray[Any]]) -> NDArray[Any]:
        graphs = self._graphs(where, rows.X if is_dataset(rows) else rows)
        size = self._rows_at_a_time
        parts = []
        for start in range(0, max(1, len(graphs)), _CHUNK):
            chunk = graphs[start : start + _CHUNK]
            for first in range(0, max(1, len(chunk)), size):
                rows = np.arange(first, min(first + size, len(chunk)))
                found = np.array(answer(where, GraphBatch(chunk, rows)))
                found[chunk.atom_counts[rows] == 0] = np.nan  # it is no molecule
                parts.append(found)
        return np.concatenate(parts)

    def _onnx_inputs(self, graph: Graph) -> list[Any]:
        return [Molecules(graph, *widths(self.features), self.n_extra_features)]

    def _onnx_raw(self, graph: Graph, *inputs: Any) -> Value:
        y, counts = super()._onnx_raw(graph, *inputs), inputs[0].counts
        counts = graph.reshape(counts, [-1] + [1] * (y.rank - 1))
        return graph.op("Where", graph.op("Equal", counts, np.int64(0)), np.float32(np.nan), y, rank=y.rank)

    def _checked_input(self, where: str, X: Any) -> Any:
        return X

    def _batch(self, X: Any) -> Batch:
        return X if isinstance(X, Batch) else GraphBatch(X)

    def _training_rows(self, dataset: Any) -> Any:
        """The batches of a dataset. Environments are found once for graphs in memory, else batch by batch."""
        X = dataset.X

        def of_memory(batch_size: int, deterministic: bool = False, seed: int | None = None) -> Iterator[Any]:
            y, w = self._prepared_labels(dataset.y), np.asarray(dataset.w)
            for rows in row_batches(len(X), batch_size, 1, deterministic, seed):
                yield GraphBatch(X, rows), y[rows], w[rows], rows

        def of_shards(*args: Any, **options: Any) -> Iterator[Any]:
            for graphs, y, w, ids in dataset.iterbatches(*args, **options):
                yield GraphBatch(graphs), self._prepared_labels(y), w, ids

        return Batches(X, of_memory if isinstance(X, MolGraphs) else of_shards)

    _validation_rows = _training_rows

    def _prepared_labels(self, y: NDArray[Any]) -> NDArray[Any]:
        """Labels in the form that the loss takes."""
        return np.asarray(y)

    def _check_labels(self, where: str, y: NDArray[Any], w: NDArray[Any]) -> None:
        if self.mode == "classification":
            check_classes(where, y, w, self.n_tasks, self.n_classes)
        else:
            check_numbers(where, y, w, self.n_tasks)


def output_layer(width: int, shape: tuple[int, ...], dropout: float, rng: np.random.Generator) -> nn.Sequential:
    """Return dropout and the dense layer from rows of molecules to the outputs."""
    layers: list[nn.Module] = [nn.Dropout(dropout)] if dropout else []
    layers.append(uniform_linear(width, math.prod(shape), rng=rng))
    return nn.Sequential(*layers, output_shape=shape if len(shape) > 1 else None)
