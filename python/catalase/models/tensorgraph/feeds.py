"""What goes into a graph, batch by batch: rows of a dataset, or what a generator yields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._internal.numbers import shown
from ...autograd import Tensor
from ...backends import to_device
from ...backends.cuda.capture import Parts
from .graph import Graph
from .inputs import Feature, Input, Label, Weights
from .layer import Layer

Batch = tuple[Any, Any, Any, Any]


class Feeds:
    """One batch: a tensor for each input of the graph that has one."""

    def __init__(self, tensors: dict[int, Tensor]) -> None:
        self.tensors = tensors
        rows = {len(value) for value in tensors.values()}
        if len(rows) != 1:
            raise ValueError(f"TensorGraph: the arrays of a batch must have as many rows each, got {sorted(rows)}")
        self.rows = rows.pop()

    def __len__(self) -> int:
        return self.rows

    def graph_parts(self) -> Parts:
        """What a captured step reads; see `catalase.backends.cuda.capture.Parts`."""
        places = tuple(self.tensors)
        arrays = [tensor.data for tensor in self.tensors.values()]
        return Parts(places, arrays, lambda given: Feeds(dict(zip(places, map(Tensor, given), strict=True))))


def walk(where: str, generator: Any) -> Iterator[Any]:
    """Return an iterator over batches; what cannot be walked through is refused."""
    if isinstance(generator, type) or not isinstance(generator, Iterable) or getattr(generator, "ndim", 1) == 0:
        raise TypeError(f"{where}: generator must be a generator or a list of batches, got {shown(generator)}")
    return iter(generator)


class Feeder:
    """Turns arrays into `Feeds` for one graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.of: dict[type[Input], list[int]] = {
            kind: [i for i, node in enumerate(graph.nodes) if type(node.layer) is kind]
            for kind in (Feature, Label, Weights)
        }
        self.names = {node.name: i for i, node in enumerate(graph.nodes) if isinstance(node.layer, Input)}

    def columns(self, X: Any, y: Any = None, w: Any = None) -> Feeds:
        """Feed X to the Features, y to the Labels and w to the Weights: one array, or a list with one for each."""
        feeds = dict(self._column(Feature, "X", X))
        labels: dict[int, Any] = {} if y is None else dict(self._column(Label, "y", y))
        weights: dict[int, Any] = {} if w is None else dict(self._column(Weights, "w", w))
        return self._feeds({**feeds, **labels, **weights})

    def item(self, item: Any) -> Feeds:
        """Feed what a generator gave: a dict by layer (or its name), or (X, y) or (X, y, w)."""
        if isinstance(item, Mapping):
            return self._feeds({self._place(key): value for key, value in item.items()})
        if isinstance(item, (tuple, list)) and 1 <= len(item) <= 3:
            return self.columns(*item)
        raise TypeError(
            "TensorGraph: a generator must yield a dict from layers to arrays, or (X, y) or (X, y, w), got "
            f"{type(item).__name__}"
        )

    def _column(self, kind: type[Input], column: str, value: Any) -> Iterator[tuple[int, Any]]:
        places = self.of[kind]
        if not isinstance(value, (list, tuple)):
            if not places and kind is not Feature:
                return  # every dataset has weights
            value = [value]
        if len(value) != len(places):
            raise ValueError(
                f"TensorGraph: this graph has {len(places)} {kind.__name__} layers but {column} is {len(value)} arrays; "
                f"give {column} as a list with one array for each, or a generator to fit_generator"
            )
        yield from zip(places, value, strict=True)

    def _place(self, key: Any) -> int:
        place = self.graph.place.get(id(key)) if isinstance(key, Layer) else self.names.get(key)
        if place is None or not isinstance(self.graph.nodes[place].layer, Input):
            name = f"{key!r:.100}"
            raise ValueError(f"TensorGraph: {name} is no input of this graph; its inputs are {', '.join(self.names)}")
        return place

    def _feeds(self, arrays: Mapping[int, Any]) -> Feeds:
        tensors: dict[int, Tensor] = {}
        device = self.graph.device
        weights = [np.asarray(array) for place, array in arrays.items() if place in self.of[Weights]]
        for place, array in arrays.items():
            node = self.graph.nodes[place]
            assert isinstance(node.layer, Input)
            taken = node.layer.take(node.name, array)
            if isinstance(node.layer, Label) and np.isnan(taken).any():
                taken = self._without_missing(node.name, taken, weights)
            tensors[place] = Tensor(to_device(taken, device))
        return Feeds(tensors)

    def _without_missing(
        self, name: str, labels: NDArray[np.float32], weights: list[NDArray[Any]]
    ) -> NDArray[np.float32]:
        """Labels with 0 for NaN, which must have weight 0 in one of the weights that came along."""
        missing = np.isnan(labels)
        heard = missing
        for w in weights:
            heard = heard & ~_silenced(w, labels.shape)
        if heard.any():
            row = int(np.argwhere(heard)[0][0])
            raise ValueError(
                f"TensorGraph: {name} was fed NaN, a missing label, in row {row} of a batch, with no weight of 0; feed a "
                "Weights layer and use WeightedError, or drop it"
            )
        return np.where(missing, np.float32(0), labels)


def _silenced(weights: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which labels have weight 0; none where the weights are for labels of another shape."""
    zero = weights.reshape(weights.shape + (1,) * (len(shape) - weights.ndim)) == 0
    try:
        return np.broadcast_to(zero, shape)
    except ValueError:
        return np.zeros(shape, bool)


class FedRows:
    """A dataset for `train.fit` whose batches are `Feeds`, of `most` rows at most."""

    def __init__(self, feeder: Feeder, dataset: Any, in_order: bool = False, most: int | None = None) -> None:
        self.feeder, self.dataset, self.in_order, self.most = feeder, dataset, in_order, most

    def __len__(self) -> int:
        return len(self.dataset)

    def iterbatches(self, batch_size: int, deterministic: bool = False, seed: int | None = None) -> Iterator[Batch]:
        size = batch_size if self.most is None else min(batch_size, self.most)
        in_order = self.in_order or deterministic
        for X, y, w, ids in self.dataset.iterbatches(size, deterministic=in_order, seed=seed):
            yield self.feeder.columns(X, y, w), None, None, ids  # labels and weights are fed


class FedItems:
    """The batches of a generator for `train.fit`, to be walked through once."""

    def __init__(self, feeder: Feeder, items: Iterable[Any]) -> None:
        self.feeder, self.items = feeder, walk("TensorGraph.fit_generator", items)
        try:
            self.first = feeder.item(next(self.items))
        except StopIteration:
            raise ValueError("TensorGraph: the generator yielded no batch; there is nothing to learn from") from None

    def __len__(self) -> int:
        return len(self.first)  # all that is asked of it is not to be empty

    def iterbatches(self, batch_size: int, deterministic: bool = False, seed: int | None = None) -> Iterator[Batch]:
        yield self.first, None, None, None
        for item in self.items:
            yield self.feeder.item(item), None, None, None
