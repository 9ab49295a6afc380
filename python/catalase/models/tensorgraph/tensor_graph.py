"""`TensorGraph`: a model whose net is a graph of layers that the user connects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import nn, optim, train
from ..._internal.numbers import choice, flag, path_of, shown, whole_number
from ..._internal.registry import Int, List, Object, register
from ...autograd import Tensor, no_grad
from ...feat import Featurizer
from ...metrics import Metric
from ...nn import onnx
from ...trans import Transformer, undo_transforms
from ..datapoints import batches, datapoints, is_list_of_arrays
from ..load import load
from ..model import check_transformers, chosen_metrics, chosen_transformers, scores
from ..net import NetModel
from ..settings import TRAINING, Settings
from .feeds import Feeder, Feeds, fed_items, fed_rows, walk
from .graph import Graph, named, ordered
from .inputs import Label, Weights
from .layer import Layer
from .losses import WeightDecay

Outputs = Layer | Sequence[Layer] | None

FIELDS = Settings({key: TRAINING[key] for key in ("batch_size", "learning_rate", "seed", "optimizer")})


class _SaveNowAndThen(train.Callback):
    """Saves the model into its folder after every ``interval`` steps."""

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
    **FIELDS,
)
class TensorGraph(NetModel):
    """A net built from `layers`, each of which names the layers that it takes its inputs from.

    Parameters
    ----------
    batch_size : int
    learning_rate : float or schedule
        A schedule of `catalase.optim` is saved with the model.
    model_dir : path, optional
        The model is saved into this folder at the end of every fit, and every ``checkpoint_interval`` steps during it;
        `restore` and `catalase.models.load` read it.
    seed : int, optional
        It decides start values, shuffling and dropout; ``random_seed`` is another name for it.
    optimizer : str or optim.Optimizer, optional
        As `MultitaskClassifier`; Adam with eps 1e-7, as in DeepChem, where left out. `set_optimizer` takes a function.

    Attributes
    ----------
    layers : dict of str to Layer
        All layers that the loss and the outputs need, by name.

    Notes
    -----
    The names and the defaults are DeepChem 2.1's, with three differences. Batches are not padded, since padded rows count
    in a mean. Labels that are NaN are taken as 0 where the graph has `Weights` (a dataset gives them weight 0), and are
    refused otherwise. `fit` returns a history. The net is built from `catalase.nn` at the first use; after that no layer
    can be added.

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

    settings = FIELDS

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
        random_seed = FIELDS["seed"].take(random_seed, "TensorGraph", "random_seed")
        self.seed = random_seed if self.seed is None else self.seed
        self._start(nn.Module(), None)  # `build` makes the net
        self.model_dir = None if model_dir is None else path_of("TensorGraph", "model_dir", model_dir)
        self.outputs: list[Layer] = []
        self.loss_layer: Layer | None = None
        self.layers: dict[str, Layer] = {}
        self.built = False
        self._make_optimizer: Callable[[nn.Module], optim.Optimizer] | None = None
        self._in_order = False

    def __getstate__(self) -> dict[str, Any]:
        # The layers come first, each after its inputs, so that pickling a deep graph does not recurse deeply. The function
        # that makes the optimizer, often a lambda, is left out once it was called.
        maker = self._make_optimizer if self._optimizer is None else None
        return {"layers": self.layers, **vars(self), "_make_optimizer": maker}

    def set_loss(self, layer: Layer) -> None:
        """Choose the layer whose value, one number, training makes small."""
        self._add("set_loss", layer)
        self.loss_layer = layer

    def add_output(self, layer: Layer) -> None:
        """Add a layer to those whose values `predict` returns."""
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
        self.layers = named(ordered([*self._roots(), layer]))

    def _roots(self) -> list[Layer]:
        return self.outputs if self.loss_layer is None else [*self.outputs, self.loss_layer]

    def build(self) -> None:
        """Build the net unless it is built; `fit`, `predict` and `save` call this first."""
        if not self.built:
            self._build(nn.init.generator(self.seed))

    def _build(self, rng: np.random.Generator | None) -> None:
        roots = self._roots()
        if not roots:
            raise ValueError("TensorGraph: the graph is empty; call set_loss and add_output first")
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

    def _ready(self) -> None:
        self.build()

    def summary(self) -> str:
        """Return a table of the layers that the outputs need; see `catalase.nn.summary`."""
        self.build()
        shapes = tuple(self.graph.shapes[i][1:] for i in self.graph.features)
        return self.module.summary(shapes[0] if len(shapes) == 1 else shapes)

    def make_optimizer(self) -> optim.Optimizer:
        self.build()
        if self._make_optimizer is not None:
            return self._make_optimizer(self.module)
        penalty: dict[str, float] = {}
        if isinstance(self.loss_layer, WeightDecay):
            penalty = {self.loss_layer.penalty_type: self.loss_layer.penalty}
        return self._declared_optimizer(optim.Adam(lr=self.learning_rate, eps=1e-7)).over(self.module, **penalty)

    def fit(  # type: ignore[override]
        self,
        dataset: Any,
        nb_epoch: int = 10,
        valid: Any = None,
        callbacks: train.Callback | Sequence[train.Callback] = (),
        progress: bool | None = None,
        resume: str | Path | None = None,
        graph: bool = False,
        restore: bool = False,
        deterministic: bool = False,
        checkpoint_interval: int = 1000,
        metrics: Metric | str | Sequence[Metric | str] | None = None,
        noise: train.Noise | None = None,
    ) -> train.History:
        """Train on a dataset.

        Parameters
        ----------
        dataset : Dataset
            X goes to the Feature, y to the Label, w to the Weights (where the graph has one). With several Features,
            ``iterbatches`` must give X as a list with an array for each, and likewise y for several Labels and w for
            several Weights; or use `fit_generator`.
        nb_epoch, valid, callbacks, progress, resume
            As `NetModel.fit`.
        graph : bool
            As `NetModel.fit`. A step that reads values on the host, such as class numbers as labels, is launched as usual.
        restore : bool
            Start from the weights saved in ``model_dir``.
        deterministic : bool
            Take the rows in order instead of shuffled.
        checkpoint_interval : int
            Steps between two saves into ``model_dir``; 0 saves at the end only.
        metrics : Metric, str, or list of these, optional
            As in `NetModel.fit`, of the one output.
        noise : train.Noise, optional
            Of its settings a graph takes ``weights``; for the rest there are layers such as `Dropout`.

        Returns
        -------
        train.History
        """
        self._ready_to_fit("TensorGraph.fit", restore, checkpoint_interval)
        self._in_order = flag("TensorGraph.fit", "deterministic", deterministic)
        hooks = self._hooks(callbacks, checkpoint_interval)
        history = super().fit(dataset, nb_epoch, valid, hooks, progress, resume, graph, metrics, noise)
        return self._saved(history)

    def fit_generator(
        self,
        generator: Iterable[Any],
        callbacks: train.Callback | Sequence[train.Callback] = (),
        progress: bool | None = None,
        restore: bool = False,
        checkpoint_interval: int = 1000,
        graph: bool = False,
    ) -> train.History:
        """Train once on each batch that a generator yields.

        Parameters
        ----------
        generator : iterable
            It yields dicts from input layers (or their names) to arrays, or tuples (X, y) or (X, y, w) in which each
            entry is an array, or a list with one array for each layer in the order of `layers`.
        callbacks, progress, restore, checkpoint_interval, graph
            As in `fit`; all batches are one epoch.

        Returns
        -------
        train.History
        """
        self._ready_to_fit("TensorGraph.fit_generator", restore, checkpoint_interval)
        if self._optimizer is None:
            self._optimizer = self.make_optimizer()
        seed = self.seed
        if seed is not None and self._fits:
            seed = int(np.random.SeedSequence([seed, self._fits]).generate_state(1)[0])
        rows = fed_items(self._feeder, generator)
        self.history = train.fit(
            self.module, rows, self._loss, optimizer=self._optimizer, nb_epoch=1, seed=seed, progress=progress,
            callbacks=self._hooks(callbacks, checkpoint_interval), forward=self._forward, graph=graph,
        )  # fmt: skip
        self._fits += 1
        return self._saved(self.history)

    def _ready_to_fit(self, where: str, restore: bool, interval: int) -> None:
        whole_number(where, "checkpoint_interval", interval, 0)
        restore = flag(where, "restore", restore)
        self.build()
        if self.loss_layer is None:
            raise ValueError(f"{where}: the graph has no loss; call set_loss first")
        shape = self.graph.shapes[self.graph.place[id(self.loss_layer)]]
        if shape != ():
            name = next(name for name, layer in self.layers.items() if layer is self.loss_layer)
            raise ValueError(f"{where}: the loss {name} must be one number; put a ReduceMean behind it")
        if restore:
            self.restore()

    def _hooks(self, callbacks: Any, interval: int) -> list[train.Callback]:
        hooks = train.callbacks.callback_list("TensorGraph.fit", callbacks)
        if self.model_dir is None or not interval:
            return hooks
        return [*hooks, _SaveNowAndThen(self, interval)]

    def _saved(self, history: train.History) -> train.History:
        if self.model_dir is not None:
            self.save()
        return history

    def _loss(self, feeds: Any, y: Any, w: Any) -> Tensor:
        assert self.loss_layer is not None
        return self.graph.run(feeds.tensors, (self.graph.place[id(self.loss_layer)],))[0]

    def _forward(self, module: nn.Module, X: Any) -> Any:
        if isinstance(X, Feeds):
            return X  # in training the loss runs the graph, since it needs labels and weights too
        return self.graph.run(self._feeder.columns(X).tensors, self.graph.outputs)[0]

    def _onnx_inputs(self, graph: onnx.Graph) -> list[Any]:
        self.build()
        if len(self.outputs) != 1:
            raise ValueError(f"{graph.where}: the graph has {len(self.outputs)} outputs and needs one")
        nodes = [self.graph.nodes[i] for i in self.graph.features]
        return [
            graph.input(n.name, np.float32, ("N", *self.graph.shapes[i][1:]))
            for i, n in zip(self.graph.features, nodes, strict=True)
        ]

    def _onnx_output(self, graph: onnx.Graph, y: onnx.Value) -> onnx.Value:
        return y

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

    def predict_on_batch(  # type: ignore[override]
        self,
        X: Any,
        transformers: Sequence[Transformer] | None = None,
        outputs: Outputs = None,
        raw: bool = False,
    ) -> Any:
        """Return the outputs for an array of rows, or a list with an array for each Feature, in one batch; see `predict`."""
        self.build()
        return self._predict([self._feeder.columns(X)], transformers, outputs, raw)

    def predict(  # type: ignore[override]
        self,
        dataset: Any,
        transformers: Sequence[Transformer] | None = None,
        outputs: Outputs = None,
        raw: bool = False,
        errors: str = "raise",
    ) -> Any:
        """Return the outputs for a dataset, an array, or a list with an array for each Feature.

        Parameters
        ----------
        dataset : Dataset, array_like, or list of datapoints for the model's featurizer
        transformers : sequence of Transformer, optional
            Transformers whose changes of y are undone, instead of the model's own. They cannot be undone for several
            outputs, since they do not say which output they belong to; give ``raw=True`` there.
        outputs : Layer or list of Layer, optional
            The layers to return, instead of those that were added by `add_output`.
        raw : bool
            Return the net's own scale: no transformer is undone.
        errors : {"raise", "mask"}
            As in `Model.predict`.

        Returns
        -------
        ndarray, or list of ndarray where there are several outputs
            The bits of a row do not depend on the other rows.
        """
        self.build()
        where = "TensorGraph.predict"
        choice(where, "errors", errors, ("raise", "mask"))
        if self._datapoints(where, dataset, self.featurizer) is None:
            self._check_features_alike(where, dataset)
            return self._predict(self._fed(dataset), transformers, outputs, raw)
        if outputs is not None or len(self.outputs) != 1:
            raise ValueError(f"{where}: gives one output for what a featurizer takes; featurize, and give the array")
        return super().predict(dataset, transformers, raw, errors)

    def _datapoints(self, where: str, given: Any, featurizer: Featurizer | None) -> list[Any] | None:
        return None if is_list_of_arrays(given) else datapoints(where, given, featurizer)

    def _fed(self, dataset: Any) -> Iterable[Feeds]:
        return (self._feeder.columns(X) for X in batches(dataset, self.batch_size))

    def _raw(self, where: str, rows: Any) -> NDArray[Any]:
        self.build()
        if len(self.outputs) != 1:
            raise ValueError(f"{where}: the graph has {len(self.outputs)} outputs and needs one")
        return np.asarray(self._predict(self._fed(rows), None, None, raw=True))

    def predict_on_generator(
        self,
        generator: Iterable[Any],
        transformers: Sequence[Transformer] | None = None,
        outputs: Outputs = None,
        raw: bool = False,
    ) -> Any:
        """Return the outputs for the batches of a generator; see `fit_generator` and `predict`."""
        self.build()
        items = walk("TensorGraph.predict_on_generator", generator)
        return self._predict((self._feeder.item(item) for item in items), transformers, outputs, raw)

    def _predict(
        self, feeds: Iterable[Feeds], transformers: Sequence[Transformer] | None, outputs: Outputs, raw: bool = False
    ) -> Any:
        wanted = self._wanted(outputs)
        chosen = chosen_transformers("TensorGraph.predict", transformers, raw)
        undo = check_transformers("TensorGraph.predict", self.transformers if chosen is None else chosen)
        if len(wanted) > 1 and any(transformer.transform_y for transformer in undo):
            raise ValueError(
                "TensorGraph.predict: transformers are undone for one output only; give raw=True and undo them yourself"
            )
        parts: list[list[NDArray[Any]]] = [[] for _ in wanted]
        for feed in feeds:  # the code of a user's generator runs outside of the modes
            with nn.inference(), no_grad():
                values = self.graph.run(feed.tensors, wanted)
            for place, value, part in zip(wanted, values, parts, strict=True):
                array = value.numpy()
                if array.ndim == 0 or len(array) != len(feed):
                    raise ValueError(
                        f"TensorGraph.predict: {self.graph.nodes[place].name} gives {array.shape} for {len(feed)} "
                        "rows, so it cannot be an output"
                    )
                part.append(array)
        if not parts[0]:
            raise ValueError("TensorGraph.predict: the generator yielded no batch")
        results = [np.concatenate(part) for part in parts]
        return undo_transforms(results[0], undo) if len(results) == 1 else results

    def _wanted(self, outputs: Outputs) -> tuple[int, ...]:
        if outputs is not None and not isinstance(outputs, (Layer, list, tuple)):
            raise TypeError(f"TensorGraph.predict: outputs must be a layer or a list of layers, got {shown(outputs)}")
        chosen = self.outputs if outputs is None else [outputs] if isinstance(outputs, Layer) else outputs
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
        transformers: Sequence[Transformer] | None = None,
        per_task_metrics: bool = False,
    ) -> Any:
        """Score the first output on the batches of a generator, which must feed the Label and may feed the Weights.

        The units are as in `Model.evaluate`.
        """
        where = "TensorGraph.evaluate_generator"
        chosen, undo = chosen_metrics(where, metrics), chosen_transformers(where, transformers)
        per_task_metrics = flag(where, "per_task_metrics", per_task_metrics)
        self.build()
        feeds = [self._feeder.item(item) for item in walk(where, generator)]
        if not feeds:
            raise ValueError(f"{where}: the generator yielded no batch")
        columns = []
        for kind in (Label, Weights):
            places = self._feeder.of[kind]
            fed = bool(places) and all(places[0] in feed.tensors for feed in feeds)
            columns.append(np.concatenate([f.tensors[places[0]].numpy() for f in feeds]) if fed else None)
        if columns[0] is None:
            raise ValueError("TensorGraph.evaluate_generator: the generator must feed the graph's Label")
        y = undo_transforms(columns[0], undo or ())
        prediction = self._predict(feeds, undo, self.outputs[:1])
        return scores(chosen, y, prediction, columns[1], per_task_metrics)

    def _check_to_score(self, where: str, dataset: Any) -> None:
        super()._check_to_score(where, dataset)
        if len(self.outputs) != 1:
            raise ValueError(
                f"{where}: the graph has {len(self.outputs)} outputs and needs one; score what predict gives"
            )

    def to_config(self) -> dict[str, Any]:
        self.build()
        place = self.graph.place
        saved = [
            {**node.layer.to_config(), "node": node.name, "inputs": [place[id(a)] for a in node.layer.in_layers]}
            for node in self.graph.nodes
        ]
        return {
            "class": "TensorGraph",
            "layers": saved,
            "outputs": [place[id(layer)] for layer in self.outputs],
            "loss": None if self.loss_layer is None else place[id(self.loss_layer)],
            **super().to_config(),
        }

    @classmethod
    def from_config(cls, fields: dict[str, Any]) -> TensorGraph:
        """Build the model of a saved config; the numbers by which it names layers are checked."""
        layers: list[Layer] = fields["layers"]
        numbers = [n for layer in layers for n in layer.saved_inputs] + fields["outputs"] + [fields["loss"] or 0]
        if any(n >= len(layers) for n in numbers):
            raise ValueError(f"config: TensorGraph has {len(layers)} layers but names number {max(numbers)}")
        for layer in layers:
            layer.in_layers = [layers[n] for n in layer.saved_inputs]
        model = cls(**{key: fields[key] for key in FIELDS if key in fields})
        for n in fields["outputs"]:
            model.add_output(layers[n])
        if fields["loss"] is not None:
            model.set_loss(layers[fields["loss"]])
        model._build(None)
        return model

    def save(self, path: str | Path | None = None) -> None:
        """Save the model into a folder, by default ``model_dir``; see `Model.save`."""
        path = self.model_dir if path is None else path
        if path is None:
            raise ValueError("TensorGraph.save: needs a path, or a model_dir when the model is made")
        self.build()
        super().save(path)

    def restore(self, path: str | Path | None = None) -> None:
        """Read the weights that a model of the same layers saved in a folder, by default ``model_dir``."""
        path = self.model_dir if path is None else path
        if path is None:
            raise ValueError("TensorGraph.restore: needs a path, or a model_dir when the model is made")
        path = path_of("TensorGraph.restore", "path", path)
        self.build()
        other = load(path)
        if not isinstance(other, TensorGraph):
            raise ValueError(f"TensorGraph.restore: {path} holds a {type(other).__name__}")
        try:
            self.module.load_state_dict(other.module.state_dict())
        except ValueError as error:
            raise ValueError(f"TensorGraph.restore: {path} was saved by a graph of other layers: {error}") from None
