"""What all models share: predictions in the units of the measurement, scores, and a folder to be saved in."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .. import metrics as known_metrics
from .._internal import arrays as _arrays
from .._internal import storage
from .._internal.markup import card
from .._internal.numbers import choice, flag, path_of, shown
from .._internal.report import Failure
from .._internal.settings import Declared, check_registered
from ..backends import to_host
from ..data.dataset import task_names
from ..data.ragged import RaggedArray
from ..feat import Featurizer
from ..feat.featurizer import checked, saved_form
from ..metrics import Metric
from ..nn.module import check_finite
from ..nn.onnx import Graph, Value
from ..ops.checks import check_device
from ..trans import NormalizationTransformer, Transformer, undo_transforms
from . import carried as _carried
from .datapoints import Answers, datapoints, is_dataset, predict_datapoints, with_gaps
from .labels import flat
from .settings import flags

if TYPE_CHECKING:
    from ..train import History

KIND = "catalase model"


class Model(Declared):
    """Base class of models.

    A subclass declares its ``settings`` and writes ``fit``, ``_raw_batch`` (predictions for some rows), and ``state_dict``
    with ``load_state_dict`` for what it has learned. `NetModel` does so for a net that is trained by gradient descent.

    Attributes
    ----------
    history : train.History or None
        Of the last fit.
    transformers : list of Transformer
        What was done to the labels that it was trained on: `predict` undoes it, so that predictions come in the units of
        the measurement. Set it yourself; `fit` does not. Saved with the model.
    featurizer : Featurizer or None
        What made the features: `predict`, `catalase.screen` and the command line use it. `fit` takes that of the dataset.
        Saved with the model.
    tasks : list of str or None
        Names of the columns of y; `fit` takes those of the dataset. Saved with the model.
    smiles_column : str or None
        Column of a table that the command line reads where it is told no other. Saved with the model.

    Notes
    -----
    Models can be pickled (for joblib, Dask or processes; `save` is for files) and copied, in the middle of a training too:
    predictions are equal, and training goes on with the same bits. ``copy.copy`` copies as ``copy.deepcopy`` does, since
    two models over one net would train each other. A pickle takes what is on a device to the host.
    """

    _takes_bits = False  # whether X may be packed bits
    _rows_at_a_time = 1000  # that are predicted together

    def __init__(self) -> None:
        self.history: History | None = None
        self.transformers: list[Transformer] = []
        self._featurizer: Featurizer | None = None
        self._tasks: list[str] | None = None
        self.smiles_column: str | None = None

    def __copy__(self) -> Self:
        return copy.deepcopy(self)

    def _repr_html_(self) -> str:
        """What a notebook shows: the settings, what the model reads and predicts, and how it was trained."""
        settings = {key: getattr(self, key) for key in type(self).settings if hasattr(self, key)}
        facts = [(key, repr(value)) for key, value in settings.items() if value is not None]
        facts += [("featurizer", repr(self.featurizer))] if self.featurizer is not None else []
        facts += [("tasks", ", ".join(self.tasks[:10]) + ", ..." * (len(self.tasks) > 10))] if self.tasks else []
        if self.history is not None:  # a graph of layers that was never trained is not built by looking at it
            facts += [("numbers learned", f"{sum(array.size for array in self.state_dict().values()):,}")]
            last = self.history.epochs[-1] if self.history.epochs else {}
            facts += [(f"{name} (last epoch)", f"{value:.4g}") for name, value in last.items() if name != "seconds"]
        return card(type(self).__name__, facts)

    @property
    def featurizer(self) -> Featurizer | None:
        """What made the features, or None; the dictionaries of earlier versions may still be assigned."""
        return self._featurizer

    @featurizer.setter
    def featurizer(self, value: Any) -> None:
        self._set_featurizer(value)

    def _set_featurizer(self, value: Any) -> None:
        self._set_carried(_carried.read(f"{type(self).__name__}.featurizer", value))

    def _set_carried(self, found: _carried.Carried) -> None:
        self._featurizer = found.featurizer
        self._tasks = self._tasks if found.tasks is None else found.tasks
        self.smiles_column = self.smiles_column if found.smiles_column is None else found.smiles_column

    @property
    def tasks(self) -> list[str] | None:
        """Names of the columns of y, or None."""
        return self._tasks

    @tasks.setter
    def tasks(self, value: Any) -> None:
        self._set_tasks(value)

    def _set_tasks(self, value: Any) -> None:
        self._tasks = None if value is None else task_names(f"{type(self).__name__}.tasks", value, numbers=False)

    @property
    def device(self) -> str:
        """Where the model computes: "cpu" or "cuda"."""
        return "cpu"

    def to(self, device: str) -> Self:
        """Compute on another device from now on; returns the model.

        Weights and the optimizer's moments move. Datasets stay in the host's memory and come batch by batch (packed bits
        packed, and rows of zeros and ones as packed bits); predictions and whatever is saved are NumPy's, so a model
        that was trained on one device goes on, or is loaded, on another.

        Parameters
        ----------
        device : {"cpu", "cuda"}

        Raises
        ------
        RuntimeError
            Where there is no such device: one sentence with the reason and the command that installs what is needed.
        TypeError
            Where the model has no net.

        Examples
        --------
        >>> import catalase as ct
        >>> ct.models.MultitaskRegressor(1, 8, layer_sizes=[4]).to("cpu").device
        'cpu'
        """
        name = type(self).__name__
        if isinstance(device, str) and device != "cpu":
            raise TypeError(f"{name}.to: this model is no net; it computes on the CPU")
        check_device(f"{name}.to", device)
        return self

    def fit(self, dataset: Any, *args: Any, **options: Any) -> History:
        """Learn from a dataset; every model writes its own. `NetModel.fit` has what models with a net take."""
        raise TypeError(f"{type(self).__name__} has no fit method")

    def predict_on_batch(
        self, X: Any, transformers: Sequence[Transformer] | None = None, raw: bool = False
    ) -> NDArray[Any]:
        """Return the predictions for an array of features (N, n_features); as `predict`, in the same units."""
        return self.predict(X, transformers, raw)

    def predict(
        self,
        dataset: Any,
        transformers: Sequence[Transformer] | None = None,
        raw: bool = False,
        errors: str = "raise",
    ) -> NDArray[Any]:
        """Return the predictions, in the units of the measurement.

        Parameters
        ----------
        dataset : Dataset, array_like of shape (N, n_features), or list of what the model's featurizer takes
            SMILES, for example, where ``model.featurizer`` is a `catalase.feat.CircularFingerprint`.
        transformers : sequence of Transformer, optional
            Those that changed y are undone, instead of the model's own (``model.transformers``); none with an empty list.
        raw : bool
            Undo nothing: the net's own scale.
        errors : {"raise", "mask"}
            What to do with a SMILES that cannot be read: raise, naming its row, or give NaN; the reasons are in
            ``model.featurizer.report``.

        Returns
        -------
        ndarray
            (N, tasks) for regression, (N, tasks, classes) probabilities for classification. A row's bits do not depend
            on the other rows.

        Raises
        ------
        TypeError, ValueError
            For data that do not fit, such as SMILES for a model without a featurizer, or a dataset that another
            featurizer made.
        """
        where = f"{type(self).__name__}.predict"
        chosen = chosen_transformers(where, transformers, raw)
        choice(where, "errors", errors, ("raise", "mask"))
        items = self._datapoints(where, dataset, self.featurizer)
        if items is None:
            self._check_features_alike(where, dataset)
            return self._by_row(where, dataset, self._undone(where, dataset, chosen))
        answers = self._answers(
            where, items, lambda X: self._undone(where, X, chosen), "drop" if errors == "mask" else "raise"
        )
        return with_gaps(where, answers, len(items))

    def _datapoints(self, where: str, given: Any, featurizer: Featurizer | None) -> list[Any] | None:
        """What the featurizer is to read; None for what the model takes as it is."""
        return datapoints(where, given, featurizer)

    def _by_row(self, where: str, rows: Any, predictions: NDArray[Any]) -> Any:
        """Predictions of rows as `predict` gives them."""
        return predictions

    def _answers(
        self,
        where: str,
        items: Sequence[Any],
        predict: Callable[[Any], NDArray[Any]],
        errors: str = "drop",
        featurizer: Featurizer | None = None,
        unread: Sequence[Failure] = (),
    ) -> Answers:
        """What `predict` gives for datapoints, featurized as the model was trained; see `predict_datapoints`."""
        featurizer = self.featurizer if featurizer is None else featurizer
        if featurizer is None:
            raise TypeError(
                f"{where}: got {type(items[0]).__name__} where X was needed, and the model names no featurizer; set "
                "model.featurizer to what made the features it was trained on, such as "
                "catalase.feat.CircularFingerprint(radius=2, size=2048), or train it on a dataset that has one"
            )
        self._check_width(where, featurizer)
        return predict_datapoints(where, items, featurizer, predict, self._takes_bits, errors, unread)

    def _check_width(self, where: str, featurizer: Featurizer) -> None:
        """Refuse a featurizer that gives another number of features than the model takes."""

    def _undone(self, where: str, rows: Any, transformers: Sequence[Transformer] | None) -> NDArray[Any]:
        """Predictions for a dataset or an array, the transformers undone; the model's own for None."""
        chosen = check_transformers(
            where, self.transformers if transformers is None else transformers
        )  # before the work
        return undo_transforms(self._raw(where, rows), chosen)

    def _raw(self, where: str, rows: Any) -> NDArray[Any]:
        """Predictions for a dataset or an array, on the net's own scale."""
        return self._in_slices(where, rows, self._raw_batch)

    def _in_slices(self, where: str, rows: Any, answer: Callable[[str, NDArray[Any]], NDArray[Any]]) -> NDArray[Any]:
        """What a function answers for the X of a dataset or an array, some rows at a time."""
        if is_dataset(rows) and not hasattr(rows, "X"):
            raise TypeError(f"{where}: needs a dataset that has X, got {type(rows).__name__}")
        X = rows.X if is_dataset(rows) else self._array(where, rows)
        X = self._check_shape(where, X)
        parts = [answer(where, X[start:stop]) for start, stop in slices(X.shape[0], self._rows_at_a_time)]
        return np.concatenate(parts)

    def _array(self, where: str, rows: Any) -> Any:
        """What a caller gives as an array of features."""
        return _arrays.numbers(where, "X", to_host(rows))

    def _raw_batch(self, where: str, X: NDArray[Any]) -> NDArray[Any]:
        raise TypeError(f"{type(self).__name__} has no _raw_batch method, so it cannot predict")

    def evaluate(
        self,
        dataset: Any,
        metrics: Metric | Sequence[Metric],
        transformers: Sequence[Transformer] | None = None,
        per_task_metrics: bool = False,
        use_sample_weights: bool = False,
        mask_missing: bool = True,
    ) -> Any:
        """Score the model on a dataset.

        Parameters
        ----------
        dataset : Dataset
            y in the units of the measurement; transformed, where `transformers` are given.
        metrics : Metric or list of Metric
        transformers : sequence of Transformer, optional
            Those that y was transformed with: they are undone on labels and predictions alike, instead of the model's own
            on the predictions. With an empty list labels and predictions are compared as they are.
        per_task_metrics : bool
            Also return each task's score.
        use_sample_weights, mask_missing : bool
            See `Metric.compute_metric`.

        Returns
        -------
        dict of str to float, or a pair of dicts (means, lists a task)
        """
        where = f"{type(self).__name__}.evaluate"
        check_rows(where, dataset)
        chosen = chosen_metrics(where, metrics)  # before the work
        undo = chosen_transformers(where, transformers)
        options = {"per_task_metrics": per_task_metrics, "use_sample_weights": use_sample_weights}
        options = flags(where, **options, mask_missing=mask_missing)
        return self._compared(chosen, dataset, self._to_score(where, dataset, undo), undo or (), **options)

    def _compared(
        self,
        chosen: Sequence[Metric],
        dataset: Any,
        prediction: NDArray[Any],
        undo: Sequence[Transformer],
        **options: bool,
    ) -> Any:
        """The scores of predictions of a dataset, as `evaluate` returns them."""
        y = undo_transforms(flat(dataset.y), undo)
        return scores(chosen, y, prediction, flat(dataset.w), **options)

    def summary(self) -> str:
        """Return a table of the net's layers and parameters; a model that is not a net has none."""
        raise TypeError(f"{type(self).__name__}.summary: this model is not a net, it has no layers")

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Return what was learned, arrays by name: the weights of a net."""
        return {}

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Set what was learned; ValueError, and nothing is changed, where names, shapes or dtypes do not fit."""
        if state:
            raise ValueError(f"load_state_dict: {type(self).__name__} has no arrays, got {', '.join(map(str, state))}")

    def save(self, path: str | Path) -> None:
        """Save the model into a folder: weights as safetensors, settings as JSON, committed by one rename.

        Parameters
        ----------
        path : path
            Made where it does not exist; a model that is there is replaced, and stays loadable until the new one is.

        Raises
        ------
        OSError
            If the folder cannot be written (full disk, no permission). What was saved before is not lost.
        ValueError
            If a weight is NaN or infinite.
        TypeError
            If a class of your own is not registered; see `catalase.models.register`.
        """
        where = f"{type(self).__name__}.save"
        path = path_of(where, "path", path)
        check_registered(where, type(self))
        config = {"kind": KIND, "model": self.to_config(), **self._to_carry()}
        state = self.state_dict()
        check_finite(where, state, "nothing was saved; train again with a lower learning rate")
        storage.save_folder(path, config, state)

    def to_onnx(self, path: str | Path) -> None:
        """Write the model as an ONNX file: the arithmetic of `predict`, labels' transformers undone.

        Parameters
        ----------
        path : path
            The file, such as ``"model.onnx"``; replaced where it exists.

        Raises
        ------
        TypeError
            If ONNX cannot express the model, or no exporter is known for a layer or a transformer.
        ValueError
            If nothing has been learned yet.
        ImportError
            If the package onnx is missing.

        Notes
        -----
        Inputs are float32 in the layout of this library (images with channels last), with batches of any size; token
        numbers and bonds are int64. The first output, "prediction", is what `predict` answers, in float32. Featurizers stay
        outside: the file takes the features. Its metadata name the model, tasks and classes, and the version of
        Catalase. docs/onnx.md lists the inputs of each kind of model.
        """
        where = f"{type(self).__name__}.to_onnx"
        target = path_of(where, "path", path)
        graph = Graph(where)
        outputs = {"prediction": self._onnx_predictions(graph, *self._onnx_inputs(graph))}
        graph.save(target, outputs, self._onnx_metadata())

    def _onnx_inputs(self, graph: Graph) -> list[Any]:
        """Declare the inputs of a file of ONNX."""
        raise _without_onnx(graph)

    def _onnx_raw(self, graph: Graph, *inputs: Any) -> Value:
        """Add the nodes of what `_raw` computes."""
        raise _without_onnx(graph)

    def _onnx_predictions(self, graph: Graph, *inputs: Any) -> Value:
        """Add the nodes of the predictions, transformers undone."""
        y = self._onnx_raw(graph, *inputs)
        for transformer in reversed(check_transformers(graph.where, self.transformers)):
            if transformer.transform_y:
                if type(transformer) is not NormalizationTransformer:
                    raise TypeError(
                        f"{graph.where}: transformers: only a NormalizationTransformer is exported, got {transformer!r}; set "
                        "model.transformers to [] and undo it on the outputs"
                    )
                mean, std = (a[:, None] if y.rank == 3 else a for a in (transformer.means, transformer.stds))
                y = graph.op("Add", graph.op("Mul", y, np.asarray(std, np.float32)), np.asarray(mean, np.float32))
        return y

    def _onnx_metadata(self) -> dict[str, str]:
        """What a file of ONNX says about the model, each value a text or JSON."""
        found = {"model": type(self).__name__, "catalase_version": _core.__version__}
        for name in ("tasks", "mode", "n_tasks", "n_classes", "pixel_scale"):
            value = getattr(self, name, None)
            if value is not None:
                found[name] = value if isinstance(value, str) else json.dumps(value)
        if self.featurizer is not None:
            found["featurizer"] = json.dumps(saved_form(f"{type(self).__name__}.to_onnx", self.featurizer))
        found["transformers"] = json.dumps([t.to_config() for t in self.transformers])
        return found

    def _to_carry(self) -> dict[str, Any]:
        """What is saved beside the settings of the net, as JSON values."""
        return {
            "transformers": [t.to_config() for t in self.transformers],
            "featurizer": saved_form(f"{type(self).__name__}.save", self.featurizer),
            "tasks": self.tasks,
            "smiles_column": self.smiles_column,
        }

    def _carry(self, path: Any, config: dict[str, Any]) -> None:
        """Take over what `_to_carry` saved, here or in an earlier version."""
        transformers, featurizer = config.get("transformers"), config.get("featurizer")
        if not isinstance(transformers, list) or not (featurizer is None or isinstance(featurizer, dict)):
            raise ValueError(f"load: the config in {path} lacks its transformers or its featurizer")
        self.transformers = [Transformer.build(t) for t in transformers]
        self._set_carried(_carried.read_saved(path, featurizer))
        tasks, column = config.get("tasks"), config.get("smiles_column")
        if not (tasks is None or (isinstance(tasks, list) and all(isinstance(task, str) for task in tasks))):
            raise ValueError(f"load: the config in {path} names {tasks!r:.100} as tasks")
        if not (column is None or isinstance(column, str)):
            raise ValueError(f"load: the config in {path} names {column!r:.100} as a column")
        self._tasks = self._tasks if tasks is None else tasks
        self.smiles_column = self.smiles_column if column is None else column

    def _learn_from(self, where: str, dataset: Any, valid: Any = None) -> None:
        """Take over the featurizer and the tasks of a dataset that is about to be learned."""
        self._check_features_alike(where, dataset)
        found = getattr(dataset, "featurizer", None)
        of_valid = getattr(valid, "featurizer", None)
        known = self.featurizer or found
        if known is not None and of_valid is not None and not known.agrees_with(of_valid):
            raise ValueError(
                f"{where} (valid): the dataset was made by {of_valid!r}, but the model is trained on the features of "
                f"{known!r}"
            )
        self._featurizer = checked(where, known)
        names = list(getattr(dataset, "tasks", ()))
        if (
            names
            and all(isinstance(name, str) for name in names)
            and len(names) == getattr(self, "n_tasks", len(names))
        ):
            self._tasks = [str(name) for name in names]

    def _check_features_alike(self, where: str, dataset: Any) -> None:
        """Refuse a dataset whose features another featurizer made than those of the model."""
        found, own = getattr(dataset, "featurizer", None), self.featurizer
        if isinstance(found, Featurizer) and own is not None and not own.agrees_with(found):
            raise ValueError(
                f"{where}: the dataset was made by {found!r}, but the model is trained on the features of {own!r}; featurize "
                "it likewise, or set model.featurizer if that is wrong"
            )

    def _to_score(self, where: str, dataset: Any, transformers: Sequence[Transformer] | None) -> NDArray[Any]:
        """The predictions as metrics take them, in the order of the labels."""
        self._check_to_score(where, dataset)
        return self._undone(where, dataset, transformers)

    def _check_to_score(self, where: str, dataset: Any) -> None:
        """Refuse a dataset whose labels are of another kind than the predictions."""
        self._check_features_alike(where, dataset)

    def _check_dataset(self, where: str, dataset: Any) -> None:
        if not all(hasattr(dataset, name) for name in ("X", "y", "w", "ids")):
            raise TypeError(
                f"{where}: needs a dataset such as catalase.data.NumpyDataset(X, y), got {type(dataset).__name__}"
            )
        if len(dataset) == 0:
            raise ValueError(f"{where}: the dataset is empty; it needs at least one row")
        self._check_features(where, dataset.X)
        self._check_labels(where, np.asarray(dataset.y), np.asarray(dataset.w))

    def _check_labels(self, where: str, y: NDArray[Any], w: NDArray[Any]) -> None:
        """Refuse labels that the loss cannot take; subclasses know more."""

    def _check_shape(self, where: str, X: Any) -> Any:
        """Refuse an array that the model cannot take; subclasses know its shape."""
        _arrays.refuse_sparse(where, "X", X)
        if X.dtype.kind not in "fiub":
            raise TypeError(f"{where}: X must hold numbers, got {X.dtype}")
        return X

    def _check_features(self, where: str, X: Any) -> Any:
        """Refuse an array of another shape, and values that are not finite."""
        X = self._check_shape(where, X)
        ragged = isinstance(X, RaggedArray)
        values = X.values if ragged else X
        if X.dtype.kind == "f":
            for start, stop in slices(len(values), self._rows_at_a_time):
                bad = ~np.isfinite(values[start:stop])
                if bad.any():
                    row = start + int(np.argwhere(bad)[0][0])
                    row = X.place(row)[0] if ragged else row
                    raise ValueError(f"{where}: X is not finite at row {row}; impute or drop it")
        return X


def _without_onnx(graph: Graph) -> TypeError:
    return TypeError(f"{graph.where}: this kind of model has no form in ONNX; docs/onnx.md lists those that have one")


def check_rows(where: str, dataset: Any) -> None:
    """Refuse what has no labels to compare with."""
    if not all(hasattr(dataset, name) for name in ("y", "w")):
        raise TypeError(
            f"{where}: needs a dataset such as catalase.data.NumpyDataset(X, y), got {type(dataset).__name__}"
        )


def chosen_metrics(where: str, metrics: Any) -> list[Metric]:
    """The metrics as a list; what is none is refused."""
    chosen = list(metrics) if isinstance(metrics, (list, tuple)) else [metrics]
    for metric in chosen:
        if not isinstance(metric, Metric):
            raise TypeError(
                f"{where}: metrics must be Metric objects, got {shown(metric)}; wrap a function: "
                "catalase.metrics.Metric(function)"
            )
    return chosen


def chosen_transformers(
    where: str, transformers: Sequence[Transformer] | None, raw: bool = False
) -> Sequence[Transformer] | None:
    """What is to be undone: None for the model's own, nothing with ``raw``."""
    if transformers is not None:
        check_transformers(where, transformers)
    if flag(where, "raw", raw) and transformers:
        raise ValueError(f"{where}: raw=True undoes nothing, so give no transformers with it")
    return () if raw else transformers


def check_transformers(where: str, transformers: Any) -> Sequence[Transformer]:
    """Return a list of transformers as it is; refuse what is none."""
    if isinstance(transformers, (str, bytes)) or not isinstance(transformers, Sequence):
        raise TypeError(
            f"{where}: transformers must be a list of transformers, got {type(transformers).__name__}; wrap it in [ ]"
        )
    for transformer in transformers:
        if not (hasattr(transformer, "transform_y") and hasattr(transformer, "untransform")):
            raise TypeError(f"{where}: transformers must be a list of transformers, got {shown(transformer)} in it")
    return transformers


def scores(chosen: Sequence[Metric], y: Any, prediction: Any, w: Any, per_task_metrics: bool, **options: Any) -> Any:
    """What `Model.evaluate` returns."""
    found = {m.name: m.compute_metric(y, prediction, w, per_task_metrics=True, **options) for m in chosen}
    means = {name: mean for name, (mean, _) in found.items()}
    return (means, {name: tasks for name, (_, tasks) in found.items()}) if per_task_metrics else means


def validation_metrics(where: str, metrics: Any, valid: Any) -> list[Metric]:
    """The metrics that a fit computes after each epoch, given as `Metric` objects or by the names of `catalase.metrics`."""
    found = list(metrics) if isinstance(metrics, (list, tuple)) else [] if metrics is None else [metrics]
    known = [name for name in known_metrics.__all__ if name not in ("Metric", "bootstrap_interval")]
    for i, metric in enumerate(found):
        if isinstance(metric, str):
            found[i] = Metric(getattr(known_metrics, choice(where, "metrics", metric, known)))
    chosen = chosen_metrics(where, found)
    taken = ["loss", "valid_loss", "seconds", *(metric.name for metric in chosen)]
    twice = next((name for name in taken if taken.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{where}: metrics would give the history two figures named {twice!r}; name one otherwise")
    if chosen and valid is None:
        raise ValueError(f"{where}: metrics are computed on valid; give a validation dataset, or leave metrics out")
    return chosen


def slices(rows: int, size: int) -> Iterator[tuple[int, int]]:
    """Ranges of ``size`` rows that cover all rows; one empty range where there are none."""
    for start in range(0, max(1, rows), size):
        yield start, min(rows, start + size)
