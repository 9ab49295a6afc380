"""What all models share: training, prediction, scores, and a folder to live in."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .. import _anywhere, _arrays, _registry, _storage, nn, ops, optim, train
from ..autograd import Tensor, no_grad
from ..metrics import Metric
from ..trans import Transformer, undo_transforms
from ._labels import check_some, flat
from ._sparse_rows import PlacedRows, on_device

_KIND = "catalase model"
_LARGEST = np.finfo(np.float32).max
_PREDICT_ROWS = 1000  # rows that go through the net at a time


class Model:
    """Base class of models.

    A subclass sets ``module`` (the net), ``loss``, and the settings below, and writes ``to_config``.

    Attributes
    ----------
    module : nn.Module
    batch_size : int
    learning_rate : float or schedule
    seed : int or None
        Decides start values, shuffling and dropout; None draws a fresh one.
    history : train.History or None
        Of the last fit.
    transformers : list of Transformer
        Kept with the model when it is saved, for whoever predicts with it later; `predict` undoes those it is given.
    featurizer : dict or None
        Settings of the featurizer, kept likewise.
    """

    module: nn.Module
    loss: nn.losses.Loss
    batch_size: int
    learning_rate: Any
    seed: int | None
    n_features: int

    def __init__(self) -> None:
        self.history: train.History | None = None
        self.transformers: list[Transformer] = []
        self.featurizer: dict[str, Any] | None = None
        self._optimizer: optim.Optimizer | None = None
        self._fits = 0

    @property
    def device(self) -> str:
        """Where the model computes: "cpu" or "cuda"."""
        return self.module.device

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
            Where the model has no net, or one of layers that have no CUDA kernels yet.

        Examples
        --------
        >>> import catalase as ct
        >>> ct.models.MultitaskRegressor(1, 8, layer_sizes=[4]).to("cpu").device
        'cpu'
        """
        name = type(self).__name__
        if device != "cpu" and (self._stays or not self.module.parameters()):
            raise TypeError(f"{name}.to: {self._stays or 'this model is not a net'}; it computes on the CPU")
        _anywhere.check_device(f"{name}.to", device)
        self.module.to(device)
        return self

    _stays = ""  # why not on a device

    def make_optimizer(self) -> optim.Optimizer:
        """Return the optimizer of the first fit; later fits go on with it."""
        return optim.Adam(self.module, lr=self.learning_rate)

    def fit(
        self,
        dataset: Any,
        nb_epoch: int = 10,
        valid: Any = None,
        callbacks: Sequence[train.Callback] = (),
        progress: bool | None = None,
        resume: str | Path | None = None,
        graph: bool = False,
    ) -> train.History:
        """Train on a dataset.

        Parameters
        ----------
        dataset : Dataset
            X (N, n_features) without NaN; y and w as the model's loss needs them. Weight 0 is a missing label.
        nb_epoch : int
            Passes over the data. Another call goes on from where this one ended.
        valid : Dataset, optional
            Its loss is reported after each epoch as ``valid_loss``, for `train.EarlyStopping`.
        callbacks : sequence of train.Callback
        progress : bool, optional
            A progress bar on standard error; None shows one on a terminal.
        resume : path, optional
            Go on from the last state that a `train.Checkpoint` committed there.
        graph : bool
            On a device, replay the step as a CUDA graph; see `train.fit`.

        Returns
        -------
        train.History

        Raises
        ------
        TypeError, ValueError
            For data that do not fit, saying what was needed and what came.
        """
        name = type(self).__name__
        self._check_dataset(f"{name}.fit", dataset)
        if hasattr(dataset, "w"):  # a stream's weights come batch by batch
            check_some(f"{name}.fit", np.asarray(flat(dataset.w)))
        if valid is not None:
            self._check_dataset(f"{name}.fit (valid)", valid)
        if self._optimizer is None:
            self._optimizer = self.make_optimizer()
        seed = self.seed
        if seed is not None and self._fits:
            seed = int(np.random.SeedSequence([seed, self._fits]).generate_state(1)[0])
        self.history = train.fit(
            self.module,
            self._placed(self._training_rows(dataset)),
            self.loss,
            optimizer=self._optimizer,
            nb_epoch=nb_epoch,
            batch_size=self.batch_size,
            seed=seed,
            valid=None if valid is None else self._placed(self._validation_rows(valid)),
            callbacks=callbacks,
            progress=progress,
            forward=self._forward,
            resume=resume,
            graph=graph,
        )
        self._fits += 1
        return self.history

    def predict_on_batch(self, X: Any) -> NDArray[Any]:
        """Return the predictions for an array of features (N, n_features), all at once."""
        X = self._check_features(
            f"{type(self).__name__}.predict",
            _arrays.numbers(f"{type(self).__name__}.predict", "X", _anywhere.to_host(X)),
        )
        self.module.eval()
        with no_grad():
            return self._output(self._forward(self.module, X))

    def predict(self, dataset: Any, transformers: Sequence[Transformer] = ()) -> NDArray[Any]:
        """Return the predictions for a dataset, or for an array of features.

        Parameters
        ----------
        dataset : Dataset or array_like, shape (N, n_features)
        transformers : sequence of Transformer
            Those that changed y are undone, so that predictions come in the units of the measurement.

        Returns
        -------
        ndarray
            (N, tasks) for regression, (N, tasks, classes) probabilities for classification. A row's bits do not depend
            on the other rows.
        """
        X = (
            dataset.X
            if hasattr(dataset, "X")
            else _arrays.numbers(f"{type(self).__name__}.predict", "X", _anywhere.to_host(dataset))
        )
        X = self._check_shape(f"{type(self).__name__}.predict", X)
        parts = [self.predict_on_batch(X[start:stop]) for start, stop in _slices(len(X))]
        return undo_transforms(np.concatenate(parts), transformers)

    def evaluate(
        self,
        dataset: Any,
        metrics: Metric | Sequence[Metric],
        transformers: Sequence[Transformer] = (),
        per_task_metrics: bool = False,
        use_sample_weights: bool = False,
        mask_missing: bool = True,
    ) -> Any:
        """Score the model on a dataset.

        Parameters
        ----------
        dataset : Dataset
        metrics : Metric or list of Metric
        transformers : sequence of Transformer
            Undone on labels and predictions alike.
        per_task_metrics : bool
            Also return each task's score.
        use_sample_weights, mask_missing : bool
            See `Metric.compute_metric`.

        Returns
        -------
        dict of str to float, or a pair of dicts (means, lists a task)
        """
        where = f"{type(self).__name__}.evaluate"
        chosen = chosen_metrics(where, metrics)  # before the work
        prediction, y = self._to_score(dataset, transformers), undo_transforms(flat(dataset.y), transformers)
        options: dict[str, Any] = {"mask_missing": mask_missing, "use_sample_weights": use_sample_weights}
        return scores(chosen, y, prediction, flat(dataset.w), per_task_metrics, **options)

    def summary(self) -> str:
        """Return a table of the net's layers and parameters; see `catalase.nn.summary`.

        Examples
        --------
        >>> import catalase as ct
        >>> print(ct.models.MultitaskRegressor(1, 8, layer_sizes=[4], dropouts=0.0).summary())
        Layer            Output shape  Parameters  Note
        layers.0 Linear  (N, 4)                36
        layers.1 Linear  (N, 1)                 5
        Total                                  41
        """
        if not self.module.parameters():
            raise TypeError(f"{type(self).__name__}.summary: this model is not a net, it has no layers")
        runs = type(self.module).forward is not nn.Module.forward
        return self.module.summary((self.n_features,) if runs else None)

    def to_config(self) -> dict[str, Any]:
        """Return the settings as JSON values, with the class's name under "class"."""
        raise TypeError(f"{type(self).__name__} has no to_config method, so it cannot be saved")

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
        """
        config = {
            "kind": _KIND,
            "model": self.to_config(),
            "transformers": [t.to_config() for t in self.transformers],
            "featurizer": self.featurizer,
        }
        _storage.save_folder(path, config, self.module.state_dict())

    def _to_score(self, dataset: Any, transformers: Sequence[Transformer]) -> NDArray[Any]:
        """The predictions as metrics take them, in the order of the labels."""
        return self.predict(dataset, transformers)

    def _training_rows(self, dataset: Any) -> Any:
        """What the training loop walks through: the dataset, or the same batches in a form that the net takes faster."""
        return dataset

    def _validation_rows(self, dataset: Any) -> Any:
        """As `_training_rows`, for the loss after each epoch."""
        return dataset

    def _placed(self, rows: Any) -> Any:
        """The same batches, X as the net takes it; on the CPU `_forward` sees to that."""
        return rows if self.device == "cpu" else PlacedRows(rows, self._input)

    def _forward(self, module: nn.Module, X: Any) -> Tensor:
        return module(self._input(X))

    def _input(self, X: Any) -> Any:
        """A batch as the net takes it, on its device; what is there already stays as it is."""
        if isinstance(X, Tensor) or not isinstance(X, (np.ndarray, ops.SparseBatch)):
            return X
        device = self.device
        if isinstance(X, ops.SparseBatch):
            return X if device == "cpu" else on_device(X, device)
        if self._is_packed(X):
            return _anywhere.to_device(X, device)
        return Tensor(_anywhere.to_device(np.asarray(X, dtype=np.float32), device))

    def _is_packed(self, X: NDArray[Any]) -> bool:
        """Whether X holds packed bits: uint8, 8 features a byte, as `ops.ecfp` packs them."""
        return X.dtype == np.uint8 and X.ndim == 2 and 8 * X.shape[1] == self.n_features

    def _output(self, raw: Tensor) -> NDArray[Any]:
        return raw.numpy()

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

    def _check_shape(self, where: str, X: NDArray[Any]) -> NDArray[Any]:
        if self._is_packed(X):
            return X
        if X.ndim != 2 or X.shape[1] != self.n_features:
            raise ValueError(f"{where}: X must have shape (rows, {self.n_features}), got {X.shape}")
        if X.dtype.kind not in "fiub":
            raise TypeError(f"{where}: X must hold numbers, got {X.dtype}")
        return X

    def _check_features(self, where: str, X: NDArray[Any]) -> NDArray[Any]:
        X = self._check_shape(where, X)
        if X.dtype.kind == "f":
            for start, stop in _slices(len(X)):
                # Not below the largest float32 is not finite, or will not be when the net has made it float32.
                bad = ~(abs(X[start:stop]) <= _LARGEST)
                if bad.any():
                    row, column = (int(i) for i in np.argwhere(bad)[0])
                    raise ValueError(
                        f"{where}: X holds {X[start + row, column]} at row {start + row}, column {column}; "
                        "impute or drop it"
                    )
        return X


def chosen_metrics(where: str, metrics: Any) -> list[Metric]:
    """The metrics as a list; what is none is refused."""
    chosen = list(metrics) if isinstance(metrics, Sequence) and not isinstance(metrics, str) else [metrics]
    for metric in chosen:
        if not isinstance(metric, Metric):
            raise TypeError(
                f"{where}: metrics must be Metric objects, got {metric!r}; wrap a function: catalase.metrics.Metric(function)"
            )
    return chosen


def scores(chosen: Sequence[Metric], y: Any, prediction: Any, w: Any, per_task_metrics: bool, **options: Any) -> Any:
    """What `Model.evaluate` returns."""
    found = {m.name: m.compute_metric(y, prediction, w, per_task_metrics=True, **options) for m in chosen}
    means = {name: mean for name, (mean, _) in found.items()}
    return (means, {name: tasks for name, (_, tasks) in found.items()}) if per_task_metrics else means


def load(path: str | Path) -> Any:
    """Load a model that was saved by `Model.save`. Predictions are equal to the bit.

    Parameters
    ----------
    path : path
        The folder.

    Returns
    -------
    Model

    Raises
    ------
    FileNotFoundError
        If there is no saved model.
    ValueError
        If a file is truncated or was altered, or the config names a class or a setting that is not known.

    Notes
    -----
    Safe on files from strangers: nothing is unpickled, and only Catalase's own classes can be named.

    Examples
    --------
    >>> import tempfile, numpy as np, catalase as ct
    >>> model = ct.models.MultitaskRegressor(1, 8, layer_sizes=[4], seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(folder)
    ...     again = ct.models.load(folder)
    >>> X = np.ones((2, 8), np.float32)
    >>> bool(np.array_equal(model.predict(X), again.predict(X)))
    True
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"load: needs the folder that Model.save wrote, got {type(path).__name__}")
    config, arrays = _storage.load_folder(path)
    if config.get("kind") != _KIND or not isinstance(config.get("model"), dict):
        raise ValueError(f"load: {path} holds no model; give the folder that Model.save wrote")
    from . import register_all

    register_all()
    model: Model = _registry.build(config["model"], Model)
    try:
        model.module.load_state_dict(arrays)
    except ValueError as error:
        raise ValueError(f"load: the weights in {path} do not fit its config: {error}") from None
    transformers, featurizer = config.get("transformers"), config.get("featurizer")
    if not isinstance(transformers, list) or not (featurizer is None or isinstance(featurizer, dict)):
        raise ValueError(f"load: the config in {path} lacks its transformers or its featurizer")
    model.transformers = [Transformer.build(t) for t in transformers]
    model.featurizer = featurizer
    return model


def _slices(rows: int) -> Iterator[tuple[int, int]]:
    """Ranges that cover all rows; one empty range where there are none."""
    for start in range(0, max(1, rows), _PREDICT_ROWS):
        yield start, min(rows, start + _PREDICT_ROWS)
