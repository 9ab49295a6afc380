"""Molecular graphs as rows: what graph nets take."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import nn
from .._internal.numbers import shown
from ..autograd import no_grad
from ..data.batch import Batch, Batches, row_batches
from ..data.graph import ShardedGraphs
from ..data.graph_batch import GraphBatch
from ..feat import Featurizer, MolGraphFeaturizer
from ..nn.graph import uniform_linear
from ..ops import MolGraphs
from .datapoints import is_dataset
from .labels import check_classes, check_numbers
from .net import NetModel

_CHUNK = 4096  # molecules whose environments are found together in `predict`


class GraphRows(NetModel):
    """Checks X, molecular graphs with the model's set of features, and walks through them in batches.

    Attributes
    ----------
    features : str
        The feature set of the graphs that the model takes.
    """

    features: str
    n_tasks: int
    mode: str
    n_classes: int

    _rows_at_a_time = 512

    def _start_with(self, net: Callable[[Any, tuple[int, ...]], nn.Module]) -> None:
        """Start with the net that ``net(self, shape)`` makes: a number for each task, or a logit for each of its classes."""
        classes = self.mode == "classification"
        shape: tuple[int, ...] = (self.n_tasks, self.n_classes) if classes else (self.n_tasks,)
        self._start(net(self, shape), nn.losses.SoftmaxCrossEntropy() if classes else nn.losses.L2Loss())

    def _start(self, module: Any, loss: Any) -> None:
        super()._start(module, loss)
        self._featurizer = self._own_featurizer()

    def _own_featurizer(self) -> Featurizer:
        """What makes graphs that the model takes."""
        return MolGraphFeaturizer(self.features)

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
        return X

    def _check_shape(self, where: str, X: Any) -> Any:
        return self._graphs(where, X)

    def _check_features(self, where: str, X: Any) -> Any:
        return self._graphs(where, X)

    def _datapoints(self, where: str, given: Any, featurizer: Featurizer | None) -> list[Any] | None:
        return None if isinstance(given, (MolGraphs, ShardedGraphs)) else super()._datapoints(where, given, featurizer)

    def _raw(self, where: str, rows: Any) -> NDArray[Any]:
        graphs = self._graphs(where, rows.X if is_dataset(rows) else rows)
        size = self._rows_at_a_time
        parts = []
        for start in range(0, max(1, len(graphs)), _CHUNK):
            chunk = graphs[start : start + _CHUNK]
            for first in range(0, max(1, len(chunk)), size):
                rows = np.arange(first, min(first + size, len(chunk)))
                parts.append(self._raw_batch(where, GraphBatch(chunk, rows)))
        return np.concatenate(parts)

    def _raw_batch(self, where: str, X: Any) -> NDArray[Any]:
        with nn.inference(), no_grad():
            return self._output(self._forward(self.module, X))

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
