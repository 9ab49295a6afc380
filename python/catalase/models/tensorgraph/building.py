"""Putting a graph together: loss, outputs, optimizer, and the net that is built of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ... import nn, optim
from ..._internal.numbers import path_of, shown
from ...autograd import Tensor
from ..net import NetModel
from ..settings import TRAINING, Settings
from .feeds import FedRows, Feeder, Feeds
from .graph import Graph, named, ordered
from .layer import Layer
from .losses import WeightDecay

FIELDS = {key: TRAINING[key] for key in ("batch_size", "learning_rate", "seed", "optimizer")}


class GraphModel(NetModel):
    """A model whose net is built of layers; `TensorGraph` is what it is used by."""

    settings = Settings(FIELDS)

    def __init__(
        self,
        batch_size: int = 100,
        learning_rate: Any = 0.001,
        model_dir: str | Path | None = None,
        seed: int | None = None,
        random_seed: int | None = None,
        optimizer: str | optim.Optimizer | None = None,
    ) -> None:
        self._set(locals())
        random_seed = TRAINING["seed"].take(random_seed, "TensorGraph", "random_seed")
        self.seed = random_seed if self.seed is None else self.seed
        self._start(nn.Module(), None)
        self.model_dir = None if model_dir is None else path_of("TensorGraph", "model_dir", model_dir)
        self.outputs: list[Layer] = []
        self.loss_layer: Layer | None = None
        self.layers: dict[str, Layer] = {}
        self.built = False
        self._make_optimizer: Callable[[nn.Module], optim.Optimizer] | None = None
        self._in_order = False

    def __getstate__(self) -> dict[str, Any]:
        # Layers first, each after its inputs: a deep graph is no deep recursion. A maker that was used is not needed.
        maker = self._make_optimizer if self._optimizer is None else None
        return {"layers": self.layers, **vars(self), "_make_optimizer": maker}

    def set_loss(self, layer: Layer) -> None:
        """Say which layer gives the number to make small."""
        self._add("set_loss", layer)
        self.loss_layer = layer

    def add_output(self, layer: Layer) -> None:
        """Say which layer `predict` gives; called again, one more."""
        self._add("add_output", layer)
        self.outputs.append(layer)

    def set_optimizer(self, make: Callable[[nn.Module], optim.Optimizer]) -> None:
        """Train with another optimizer: ``make(module)`` returns it, such as ``lambda net: optim.SGD(net, 0.1)``."""
        if not callable(make):
            raise TypeError(
                f"TensorGraph: set_optimizer takes make, a function from a module to an optimizer over it, got {shown(make)}"
            )
        self._make_optimizer, self._optimizer = make, None

    def _add(self, where: str, layer: Layer) -> None:
        if not isinstance(layer, Layer):
            raise TypeError(f"TensorGraph: {where} takes a layer, got {type(layer).__name__}")
        if self.built:
            raise RuntimeError(
                f"TensorGraph: {where} after the net was built; make a new TensorGraph of the same layers"
            )
        self.layers = named(ordered([*self.outputs, *([self.loss_layer] if self.loss_layer else []), layer]))

    def build(self) -> None:
        """Build the net, if that has not been done; `fit`, `predict` and `save` do it."""
        if not self.built:
            self._build(nn.init.generator(self.seed))

    def _build(self, rng: np.random.Generator | None) -> None:
        if not self.outputs and self.loss_layer is None:
            raise ValueError("TensorGraph: the graph is empty; call set_loss and add_output first")
        roots = [*self.outputs, *([self.loss_layer] if self.loss_layer else [])]
        self.layers = named(ordered(roots))
        decays = [name for name, layer in self.layers.items() if isinstance(layer, WeightDecay)]
        if decays and not (len(decays) == 1 and isinstance(self.loss_layer, WeightDecay)):
            raise ValueError(
                f"TensorGraph: {decays[0]} must be the loss itself: set_loss(WeightDecay(..., in_layers=loss))"
            )
        self.graph = Graph(self.layers, self.outputs or roots, rng)
        self.module = self.graph
        self._feeder = Feeder(self.graph)
        self.loss = self._loss
        self.built = True

    def to(self, device: str) -> Self:
        self.build()
        return super().to(device)

    def state_dict(self) -> dict[str, NDArray[Any]]:
        self.build()
        return super().state_dict()

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.build()
        super().load_state_dict(state)

    def _placed(self, rows: Any) -> Any:
        return rows  # the feeds see to it

    def make_optimizer(self) -> optim.Optimizer:
        if self._make_optimizer is not None:
            return self._make_optimizer(self.module)
        penalty: dict[str, float] = {}
        if isinstance(self.loss_layer, WeightDecay):
            penalty = {self.loss_layer.penalty_type: self.loss_layer.penalty}
        return self._declared_optimizer(optim.Adam(lr=self.learning_rate, eps=1e-7)).over(self.module, **penalty)

    def _loss(self, feeds: Any, y: Any, w: Any) -> Tensor:
        assert self.loss_layer is not None
        return self.graph.run(feeds.tensors, (self.graph.place[id(self.loss_layer)],))[0]

    def _forward(self, module: nn.Module, X: Any) -> Any:
        if isinstance(X, Feeds):
            return X  # training: the loss runs the graph, since it needs labels and weights too
        return self._run(self._feeder.columns(X), self.graph.outputs)[0]

    def _run(self, feeds: Feeds, wanted: tuple[int, ...]) -> list[Tensor]:
        return self.graph.run(feeds.tensors, wanted)

    def _training_rows(self, dataset: Any) -> Any:
        return FedRows(self._feeder, dataset, in_order=self._in_order)

    def _validation_rows(self, dataset: Any) -> Any:
        return FedRows(self._feeder, dataset, most=self.batch_size)

    def _check_dataset(self, where: str, dataset: Any) -> None:
        if not hasattr(dataset, "iterbatches") or not hasattr(dataset, "__len__"):
            raise TypeError(
                f"{where}: needs a dataset such as catalase.data.NumpyDataset(X, y), got {type(dataset).__name__}"
            )
        if len(dataset) == 0:
            raise ValueError(f"{where}: the dataset is empty; it needs at least one row")

    def summary(self) -> str:
        """Return a table of the layers that the outputs need; see `catalase.nn.summary`."""
        self.build()
        shapes = tuple(self.graph.shapes[i][1:] for i in self.graph.features)
        return self.module.summary(shapes[0] if len(shapes) == 1 else shapes)
