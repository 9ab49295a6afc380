"""What goes into a graph, batch by batch: rows of a dataset, or what a generator yields."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._internal.numbers import shown
from ...autograd import Tensor
from ...backends import to_device
from ...data.batch import Batch, Batches
from .graph import Graph
from .inputs import Feature, Input, Label, Weights
from .layer import Layer


class Feeds(Batch):
    """One batch of a graph: an array for each input that is fed, by the number of its node."""

    def __init__(self, arrays: Mapping[int, Any]) -> None:
        self.fed = dict(arrays)
        rows = {len(value) for value in self.fed.values()}
        if len(rows) != 1:
            raise ValueError(f"TensorGraph: the arrays of a batch must have as many rows each, got {sorted(rows)}")
        self.rows = rows.pop()

    def __len__(self) -> int:
        return self.rows

    @property
    def X(self) -> Feeds:
        return self

    @property
    def tensors(self) -> dict[int, Tensor]:
        return {place: Tensor(array) for place, array in self.fed.items()}

    @property
    def arrays(self) -> Sequence[Any]:
        return tuple(self.fed.values())

    @property
    def static(self) -> Hashable:
        return "inputs", *self.fed

    def with_arrays(self, arrays: Sequence[Any]) -> Feeds:
        return Feeds(dict(zip(self.fed, arrays, strict=True)))

    def to(self, device: str) -> Feeds:
        return Feeds({place: to_device(array, device) for place, array in self.fed.items()})


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
        fed: dict[int, Any] = {}
        device = self.graph.device
        weights = [np.asarray(array) for place, array in arrays.items() if place in self.of[Weights]]
        for place, array in arrays.items():
            node = self.graph.nodes[place]
            assert isinstance(node.layer, Input)
            taken = node.layer.take(node.name, array)
            if isinstance(node.layer, Label) and np.isnan(taken).any():
                taken = self._without_missing(node.name, taken, weights)
            fed[place] = to_device(taken, device)
        return Feeds(fed)

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


def fed_rows(feeder: Feeder, dataset: Any, in_order: bool = False, most: int | None = None) -> Batches:
    """The batches of a dataset as `Feeds`, of ``most`` rows at most."""

    def iterbatches(batch_size: int, deterministic: bool = False, seed: int | None = None) -> Iterator[Any]:
        size = batch_size if most is None else min(batch_size, most)
        for X, y, w, ids in dataset.iterbatches(size, deterministic=in_order or deterministic, seed=seed):
            yield feeder.columns(X, y, w), None, None, ids  # labels and weights are fed

    return Batches(dataset, iterbatches)


def fed_items(feeder: Feeder, generator: Iterable[Any]) -> Batches:
    """The batches of a generator as `Feeds`, to be walked through once."""
    items = walk("TensorGraph.fit_generator", generator)
    try:
        first = feeder.item(next(items))
    except StopIteration:
        raise ValueError("TensorGraph: the generator yielded no batch; there is nothing to learn from") from None

    def iterbatches(batch_size: int, deterministic: bool = False, seed: int | None = None) -> Iterator[Any]:
        yield first, None, None, None
        for item in items:
            yield feeder.item(item), None, None, None

    return Batches(first, iterbatches)  # the loop asks only whether it is empty
