"""Putting a graph together: loss, outputs, optimizer, and the net that is built of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np

from ... import nn, optim
from ..._internal.numbers import path_of, shown
from ..._internal.registry import AnyOf, Field, Float, Int
from ...autograd import Tensor
from ..model import Model
from ..settings import checked
from .feeds import Feeder, Feeds, fed_rows
from .graph import Graph, named, ordered
from .layer import Layer
from .losses import WeightDecay

FIELDS: dict[str, Field] = {"batch_size": Int(1), "learning_rate": Float(low=0), "seed": AnyOf(Int(0), none=True)}


class GraphModel(Model):
    """A model whose net is built of layers; `TensorGraph` is what it is used by."""

    def __init__(
        self,
        batch_size: int = 100,
        learning_rate: Any = 0.001,
        model_dir: str | Path | None = None,
        seed: int | None = None,
        random_seed: int | None = None,
    ) -> None:
        super().__init__()
        found = checked(
            "TensorGraph", {**FIELDS, "random_seed": FIELDS["seed"]}, batch_size=batch_size, learning_rate=learning_rate,
            seed=seed, random_seed=random_seed,
        )  # fmt: skip
        self.batch_size, self.learning_rate = found["batch_size"], found["learning_rate"]
        self.model_dir = None if model_dir is None else path_of("TensorGraph", "model_dir", model_dir)
        self.seed = found["random_seed"] if found["seed"] is None else found["seed"]
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
        self.loss = self._loss  # type: ignore[assignment]
        self.built = True

    def to(self, device: str) -> Self:
        self.build()
        return super().to(device)

    def make_optimizer(self) -> optim.Optimizer:
        if self._make_optimizer is not None:
            return self._make_optimizer(self.module)
        penalty: dict[str, float] = {}
        if isinstance(self.loss_layer, WeightDecay):
            penalty = {self.loss_layer.penalty_type: self.loss_layer.penalty}
        return optim.Adam(self.module, lr=self.learning_rate, eps=1e-7, **penalty)

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
        return fed_rows(self._feeder, dataset, in_order=self._in_order)

    def _validation_rows(self, dataset: Any) -> Any:
        return fed_rows(self._feeder, dataset, most=self.batch_size)

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
