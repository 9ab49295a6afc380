"""What a graph gives: predictions and scores, for datasets and for generators."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import nn
from ..._internal.numbers import choice, flag, shown
from ...autograd import no_grad
from ...feat import Featurizer
from ...metrics import Metric
from ...trans import Transformer, undo_transforms
from ..datapoints import batches, datapoints, is_list_of_arrays
from ..model import check_transformers, chosen_metrics, chosen_transformers, scores
from .building import GraphModel
from .feeds import Feeds, walk
from .inputs import Label, Weights
from .layer import Layer

Outputs = Layer | Sequence[Layer] | None


class PredictingGraph(GraphModel):
    """The half of `TensorGraph` that predicts."""

    def predict_on_batch(  # type: ignore[override]
        self,
        X: Any,
        transformers: Sequence[Transformer] | None = None,
        outputs: Outputs = None,
        raw: bool = False,
    ) -> Any:
        """Return the outputs for an array of rows (or a list, an array a Feature), all at once; as `predict`."""
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
        dataset : Dataset, array_like, or list of what the model's featurizer takes
        transformers : sequence of Transformer, optional
            Those that changed y are undone on the one output, instead of the model's own. With several outputs none can be,
            since they do not say whose they are: give ``raw=True``.
        outputs : Layer or list of Layer, optional
            Instead of those that were added by `add_output`.
        raw : bool
            Undo nothing: the net's own scale.
        errors : {"raise", "mask"}
            As in `Model.predict`.

        Returns
        -------
        ndarray, or a list of them where there are several outputs
            A row's bits do not depend on the other rows.
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
        for feed in feeds:  # a generator's own code runs outside of the modes
            with nn.inference(), no_grad():
                values = self._run(feed, wanted)
            for place, value, part in zip(wanted, values, parts, strict=True):
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

        Units are as in `Model.evaluate`.
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
