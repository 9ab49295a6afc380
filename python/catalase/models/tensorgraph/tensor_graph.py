"""`TensorGraph`: a model whose net is put together layer by layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ... import train
from ..._internal.numbers import flag, path_of, whole_number
from ..._internal.registry import Int, List, Object, register
from ...metrics import Metric
from ..load import load
from .building import FIELDS
from .feeds import FedItems
from .layer import Layer
from .prediction import PredictingGraph


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
    **FIELDS,
)
class TensorGraph(PredictingGraph):
    """A net built from `layers`, each of which names the layers that it takes its inputs from.

    Parameters
    ----------
    batch_size : int
    learning_rate : float or schedule
        A schedule of `catalase.optim` is saved with the model.
    model_dir : path, optional
        A folder that the model is saved into at the end of every fit, and every ``checkpoint_interval`` steps of it;
        `restore` and `catalase.models.load` read it.
    seed : int, optional
        Decides start values, shuffling and dropout; ``random_seed`` is another name for it.
    optimizer : str or optim.Optimizer, optional
        As `MultitaskClassifier`; Adam with eps 1e-7, as in DeepChem, where left out. `set_optimizer` takes a function.

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
        graph : bool
            As `Model.fit`. A step that reads values back, as for class numbers as labels, is launched as usual.
        restore : bool
            Read the weights from ``model_dir`` first.
        deterministic : bool
            Take the rows in order instead of shuffled.
        checkpoint_interval : int
            Steps between two saves into ``model_dir``; 0 saves at the end only.
        metrics : Metric, str, or list of these, optional
            As `Model.fit`, for the one output.

        Returns
        -------
        train.History
        """
        self._ready_to_fit("TensorGraph.fit", restore, checkpoint_interval)
        self._in_order = flag("TensorGraph.fit", "deterministic", deterministic)
        hooks = self._hooks(callbacks, checkpoint_interval)
        history = super().fit(dataset, nb_epoch, valid, hooks, progress, resume, graph, metrics)
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
            Of dicts from input layers (or their names) to arrays, or of (X, y) or (X, y, w), each an array or a list with
            one array a layer, in the order of `layers`.
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
        rows = FedItems(self._feeder, generator)
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

    def to_config(self) -> dict[str, Any]:
        self.build()
        place = self.graph.place
        saved = [
            {**step.layer.to_config(), "node": step.name, "inputs": [place[id(a)] for a in step.layer.in_layers]}
            for step in self.graph.steps
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
        """Build the model of a saved config; every number of a layer is checked."""
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
        path = path_of("TensorGraph.restore", "path", path)
        self.build()
        other = load(path)
        if not isinstance(other, TensorGraph):
            raise ValueError(f"TensorGraph.restore: {path} holds a {type(other).__name__}")
        try:
            self.module.load_state_dict(other.module.state_dict())
        except ValueError as error:
            raise ValueError(f"TensorGraph.restore: {path} was saved by a graph of other layers: {error}") from None
