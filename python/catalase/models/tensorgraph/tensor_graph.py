"""`TensorGraph`: a model whose net is put together layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import nn, optim, train
from ..._registry import AnyOf, Float, Int, List, Object, register
from ...autograd import Tensor, no_grad
from ...metrics import Metric
from ...trans import Transformer, undo_transforms
from .._settings import is_count
from ..model import Model, load
from ._feeds import FedItems, FedRows, Feeder, Feeds, batches
from ._graph import Graph, named, ordered
from ._inputs import Label, Weights
from ._layer import Layer
from ._losses import WeightDecay

Outputs = Layer | Sequence[Layer] | None


class _SaveNowAndThen(train.Callback):
    """Saves the model into its folder every so many steps."""

    def __init__(self, model: TensorGraph, interval: int) -> None:
        self.model, self.interval, self.steps = model, interval, 0

    def on_batch_end(self, state: train.TrainState) -> None:
        self.steps += 1
        if self.steps % self.interval == 0:
            self.model.save()


@register(
    "TensorGraph",
    layers=List(Object(Layer), 1, 10_000),
    outputs=List(Int(0), 0, 10_000),
    loss=Int(0, none=True),
    batch_size=Int(1),
    learning_rate=Float(low=0),
    seed=AnyOf(Int(0), none=True),
)
class TensorGraph(Model):
    """A net built from `layers`, each of which names the layers that it takes its inputs from.

    Parameters
    ----------
    batch_size : int
    learning_rate : float or schedule
        Of Adam (eps 1e-7, as in DeepChem); `set_optimizer` takes another.
    model_dir : path, optional
        A folder that the model is saved into at the end of every fit, and every ``checkpoint_interval`` steps of it;
        `restore` and `catalase.models.load` read it.
    seed : int, optional
        Decides start values, shuffling and dropout; ``random_seed`` is another name for it.

    Attributes
    ----------
    layers : dict of str to Layer
        All that the loss and the outputs need, by name.

    Notes
    -----
    The names and the defaults are DeepChem 2.1's. What differs: batches are not padded, since padded rows count in a mean;
    labels that are NaN are taken as 0 where the graph has `Weights` (a dataset gives them weight 0), and refused else;
    `fit` returns a history. The net is built from `catalase.nn` at the first use; after that layers cannot be added.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> from catalase.models.tensorgraph import layers
    >>> x, y = layers.Feature(shape=(None, 4)), layers.Label(shape=(None, 1))
    >>> guess = layers.Dense(1, in_layers=layers.Dense(16, activation_fn="relu", in_layers=x))
    >>> model = ct.models.TensorGraph(batch_size=10, learning_rate=0.01, seed=0)
    >>> model.set_loss(layers.ReduceMean(layers.L2Loss([guess, y])))
    >>> model.add_output(guess)
    >>> X = np.random.default_rng(0).random((50, 4), np.float32)
    >>> history = model.fit(ct.data.NumpyDataset(X, X[:, :1] * X[:, 1:2]), nb_epoch=30)
    >>> history["loss"][-1] < 0.1 * history["loss"][0]
    True
    >>> model.predict(X).shape
    (50, 1)
    """

    def __init__(
        self,
        batch_size: int = 100,
        learning_rate: Any = 0.001,
        model_dir: str | Path | None = None,
        seed: int | None = None,
        random_seed: int | None = None,
    ) -> None:
        super().__init__()
        if not is_count(batch_size):
            raise ValueError(f"TensorGraph: batch_size must be a whole number, 1 or more, got {batch_size!r}")
        seed = random_seed if seed is None else seed
        if seed is not None and not is_count(seed, 0):
            raise ValueError(f"TensorGraph: seed must be None or a whole number, 0 or more, got {seed!r}")
        self.batch_size, self.learning_rate = int(batch_size), learning_rate
        self.model_dir = None if model_dir is None else Path(model_dir)
        self.seed = None if seed is None else int(seed)
        self.outputs: list[Layer] = []
        self.loss_layer: Layer | None = None
        self.layers: dict[str, Layer] = {}
        self.built = False
        self._make_optimizer: Callable[[nn.Module], optim.Optimizer] | None = None
        self._in_order = False

    # Building.
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
            raise TypeError("TensorGraph: set_optimizer takes a function from a module to an optimizer over it")
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

    def make_optimizer(self) -> optim.Optimizer:
        if self._make_optimizer is not None:
            return self._make_optimizer(self.module)
        penalty: dict[str, float] = {}
        if isinstance(self.loss_layer, WeightDecay):
            penalty = {self.loss_layer.penalty_type: self.loss_layer.penalty}
        return optim.Adam(self.module, lr=self.learning_rate, eps=1e-7, **penalty)

    # Training.
    def fit(
        self,
        dataset: Any,
        nb_epoch: int = 10,
        valid: Any = None,
        callbacks: Sequence[train.Callback] = (),
        progress: bool | None = None,
        resume: str | Path | None = None,
        restore: bool = False,
        deterministic: bool = False,
        checkpoint_interval: int = 1000,
    ) -> train.History:
        """Train on a dataset.

        Parameters
        ----------
        dataset : Dataset
            X goes to the Feature, y to the Label, w to the Weights (where the graph has one). With several Features,
            ``iterbatches`` must give X as a list with an array for each, and so with Labels and Weights; or use
            `fit_generator`.
        nb_epoch, valid, callbacks, progress, resume
            As `Model.fit`.
        restore : bool
            Read the weights from ``model_dir`` first.
        deterministic : bool
            Take the rows in order instead of shuffled.
        checkpoint_interval : int
            Steps between two saves into ``model_dir``; 0 saves at the end only.

        Returns
        -------
        train.History
        """
        self._ready_to_fit(restore)
        self._in_order = bool(deterministic)
        history = super().fit(dataset, nb_epoch, valid, self._hooks(callbacks, checkpoint_interval), progress, resume)
        return self._saved(history)

    def fit_generator(
        self,
        generator: Iterable[Any],
        callbacks: Sequence[train.Callback] = (),
        progress: bool | None = None,
        restore: bool = False,
        checkpoint_interval: int = 1000,
    ) -> train.History:
        """Train once on each batch that a generator yields.

        Parameters
        ----------
        generator : iterable
            Of dicts from input layers (or their names) to arrays, or of (X, y) or (X, y, w), each an array or a list with
            one array a layer, in the order of `layers`.
        callbacks, progress, restore, checkpoint_interval
            As in `fit`; all batches are one epoch.

        Returns
        -------
        train.History
        """
        self._ready_to_fit(restore)
        if self._optimizer is None:
            self._optimizer = self.make_optimizer()
        seed = self.seed
        if seed is not None and self._fits:
            seed = int(np.random.SeedSequence([seed, self._fits]).generate_state(1)[0])
        rows = FedItems(self._feeder, generator)
        self.history = train.fit(
            self.module, rows, self._loss, optimizer=self._optimizer, nb_epoch=1, seed=seed, progress=progress,
            callbacks=self._hooks(callbacks, checkpoint_interval), forward=self._forward,
        )  # fmt: skip
        self._fits += 1
        return self._saved(self.history)

    def _ready_to_fit(self, restore: bool) -> None:
        self.build()
        if self.loss_layer is None:
            raise ValueError("TensorGraph.fit: the graph has no loss; call set_loss first")
        shape = self.graph.shapes[self.graph.place[id(self.loss_layer)]]
        if shape != ():
            name = next(name for name, layer in self.layers.items() if layer is self.loss_layer)
            raise ValueError(f"TensorGraph.fit: the loss {name} must be one number; put a ReduceMean behind it")
        if restore:
            self.restore()

    def _hooks(self, callbacks: Sequence[train.Callback], interval: int) -> list[train.Callback]:
        if self.model_dir is None or not interval:
            return list(callbacks)
        return [*callbacks, _SaveNowAndThen(self, interval)]

    def _saved(self, history: train.History) -> train.History:
        if self.model_dir is not None:
            self.save()
        return history

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

    # Prediction.
    def predict_on_batch(self, X: Any, transformers: Sequence[Transformer] = (), outputs: Outputs = None) -> Any:
        """Return the outputs for an array of rows (or a list, an array a Feature), all at once."""
        self.build()
        return self._predict([self._feeder.columns(X)], transformers, outputs)

    def predict(self, dataset: Any, transformers: Sequence[Transformer] = (), outputs: Outputs = None) -> Any:
        """Return the outputs for a dataset, an array, or a list with an array for each Feature.

        Parameters
        ----------
        dataset : Dataset or array_like
        transformers : sequence of Transformer
            Those that changed y are undone; only where there is one output.
        outputs : Layer or list of Layer, optional
            Instead of those that were added by `add_output`.

        Returns
        -------
        ndarray, or a list of them where there are several outputs
            A row's bits do not depend on the other rows.
        """
        self.build()
        feeds = (self._feeder.columns(X) for X in batches(dataset, self.batch_size))
        return self._predict(feeds, transformers, outputs)

    def predict_on_generator(
        self, generator: Iterable[Any], transformers: Sequence[Transformer] = (), outputs: Outputs = None
    ) -> Any:
        """Return the outputs for the batches of a generator; see `fit_generator` and `predict`."""
        self.build()
        return self._predict((self._feeder.item(item) for item in generator), transformers, outputs)

    def _predict(self, feeds: Iterable[Feeds], transformers: Sequence[Transformer], outputs: Outputs) -> Any:
        wanted = self._wanted(outputs)
        parts: list[list[NDArray[Any]]] = [[] for _ in wanted]
        self.module.eval()
        with no_grad():
            for feed in feeds:
                for place, value, part in zip(wanted, self._run(feed, wanted), parts, strict=True):
                    array = value.numpy()
                    if array.ndim == 0 or len(array) != len(feed):
                        raise ValueError(
                            f"TensorGraph.predict: {self.graph.steps[place].name} gives {array.shape} for {len(feed)} "
                            "rows, so it cannot be an output"
                        )
                    part.append(array)
        if not parts[0]:
            raise ValueError("TensorGraph.predict: the generator yielded no batch")
        results = [np.concatenate(part) for part in parts]
        if len(results) == 1:
            return undo_transforms(results[0], transformers)
        if transformers:
            raise ValueError("TensorGraph.predict: transformers are undone for one output only; undo them yourself")
        return results

    def _wanted(self, outputs: Outputs) -> tuple[int, ...]:
        chosen = self.outputs if outputs is None else [outputs] if isinstance(outputs, Layer) else list(outputs)
        if not chosen:
            raise ValueError("TensorGraph.predict: the graph has no output; call add_output first, or give outputs")
        for layer in chosen:
            if id(layer) not in self.graph.place:
                raise ValueError(f"TensorGraph.predict: {layer!r} is not in this graph; add it before the net is built")
        return tuple(self.graph.place[id(layer)] for layer in chosen)

    def evaluate_generator(
        self,
        generator: Iterable[Any],
        metrics: Metric | Sequence[Metric],
        transformers: Sequence[Transformer] = (),
        per_task_metrics: bool = False,
    ) -> Any:
        """Score the first output on the batches of a generator, which must feed the Label and may feed the Weights."""
        self.build()
        feeds = [self._feeder.item(item) for item in generator]
        columns = []
        for kind in (Label, Weights):
            places = [i for i, step in enumerate(self.graph.steps) if type(step.layer) is kind]
            fed = bool(places) and all(places[0] in feed.tensors for feed in feeds)
            columns.append(np.concatenate([f.tensors[places[0]].numpy() for f in feeds]) if fed else None)
        if columns[0] is None:
            raise ValueError("TensorGraph.evaluate_generator: the generator must feed the graph's Label")
        y = undo_transforms(columns[0], transformers)
        prediction = self._predict(feeds, transformers, self.outputs[:1])
        chosen = [metrics] if isinstance(metrics, Metric) else list(metrics)
        scores = {m.name: m.compute_metric(y, prediction, columns[1], per_task_metrics=True) for m in chosen}
        means = {name: mean for name, (mean, _) in scores.items()}
        return (means, {name: tasks for name, (_, tasks) in scores.items()}) if per_task_metrics else means

    def evaluate(self, dataset: Any, metrics: Any, *args: Any, **options: Any) -> Any:
        """Score the model on a dataset; as `Model.evaluate`."""
        if len(self.outputs) != 1:
            raise ValueError(
                f"TensorGraph.evaluate: the graph has {len(self.outputs)} outputs and needs one; score what predict gives"
            )
        return super().evaluate(dataset, metrics, *args, **options)

    def summary(self) -> str:
        """Return a table of the layers that the outputs need; see `catalase.nn.summary`."""
        self.build()
        shapes = tuple(self.graph.shapes[i][1:] for i in self.graph.features)
        return self.module.summary(shapes[0] if len(shapes) == 1 else shapes)

    # The folder.
    def to_config(self) -> dict[str, Any]:
        self.build()
        place = self.graph.place
        saved = [
            {**step.layer.to_config(), "node": step.name, "inputs": [place[id(a)] for a in step.layer.in_layers]}
            for step in self.graph.steps
        ]
        rate = self.learning_rate(0) if callable(self.learning_rate) else self.learning_rate
        return {
            "class": "TensorGraph",
            "layers": saved,
            "outputs": [place[id(layer)] for layer in self.outputs],
            "loss": None if self.loss_layer is None else place[id(self.loss_layer)],
            "batch_size": self.batch_size,
            "learning_rate": float(rate),
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, fields: dict[str, Any]) -> TensorGraph:
        """Build the model of a saved config; every number of a layer is checked."""
        layers: list[Layer] = fields["layers"]
        numbers = [n for layer in layers for n in layer.saved_inputs] + fields["outputs"] + [fields["loss"] or 0]
        if any(n >= len(layers) for n in numbers):
            raise ValueError(f"config: TensorGraph has {len(layers)} layers but names number {max(numbers)}")
        for layer in layers:
            layer.in_layers = [layers[n] for n in layer.saved_inputs]
        model = cls(fields["batch_size"], fields["learning_rate"], seed=fields["seed"])
        for n in fields["outputs"]:
            model.add_output(layers[n])
        if fields["loss"] is not None:
            model.set_loss(layers[fields["loss"]])
        model._build(None)
        return model

    def save(self, path: str | Path | None = None) -> None:
        """Save the model into a folder, ``model_dir`` where left out; see `Model.save`."""
        path = self.model_dir if path is None else path
        if path is None:
            raise ValueError("TensorGraph.save: needs a path, or a model_dir when the model is made")
        self.build()
        super().save(path)

    def restore(self, path: str | Path | None = None) -> None:
        """Set the weights to those saved in a folder, ``model_dir`` where left out, by a model of the same layers."""
        path = self.model_dir if path is None else path
        if path is None:
            raise ValueError("TensorGraph.restore: needs a path, or a model_dir when the model is made")
        self.build()
        other = load(path)
        if not isinstance(other, TensorGraph):
            raise ValueError(f"TensorGraph.restore: {path} holds a {type(other).__name__}")
        try:
            self.module.load_state_dict(other.module.state_dict())
        except ValueError as error:
            raise ValueError(f"TensorGraph.restore: {path} was saved by a graph of other layers: {error}") from None
