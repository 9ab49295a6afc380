"""Estimators of scikit-learn as models, one fitted copy for each task, saved by skops."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from .. import train
from .._internal.arrays import refuse_sparse
from .._internal.numbers import path_of, shown
from .._internal.registry import Bool
from ..data.ragged import RaggedArray
from ..feat import Featurizer
from ..metrics import Metric
from .features import FeatureRows
from .labels import check_classes, check_numbers, check_some
from .settings import Settings, declared

if TYPE_CHECKING:
    from ..data.dataset import Batched

_MOST_CLASSES = 1_000_000
_FEW_ROWS = 2000
# Classes of scikit-learn that skops asks about, because it does not list them itself; none runs code of the file.
_KERNELS = (
    "CompoundKernel ConstantKernel DotProduct ExpSineSquared Exponentiation Matern Product RBF RationalQuadratic Sum"
)
_LOSSES = "HalfTweedieLoss HalfTweedieLossIdentity"
_DISTANCES = "Chebyshev Euclidean Hamming Jaccard Manhattan Minkowski"
TRUSTED = {
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.tree._tree.Tree",
    *(f"sklearn.gaussian_process.kernels.{name}" for name in [*_KERNELS.split(), "WhiteKernel"]),
    *(f"sklearn._loss.loss.{name}" for name in _LOSSES.split()),
    *(f"sklearn.metrics._dist_metrics.{name}Distance{bits}" for name in _DISTANCES.split() for bits in (32, 64)),
}


class Learned(NamedTuple):
    """What one task's labels taught: the fitted estimator, and the class of each of its columns (None for numbers)."""

    fitted: Any
    classes: NDArray[np.int64] | None


class Known(NamedTuple):
    """The rows of a dataset whose label is known for a task; weights are None where all are 1."""

    X: NDArray[Any]
    y: NDArray[Any]
    w: NDArray[np.float64] | None


@declared
class SklearnModel(FeatureRows):
    """A classifier or a regressor of scikit-learn, with fit, predict, evaluate, save and load as any model has them.

    It needs scikit-learn, and skops to be saved: ``pip install 'catalase[sklearn]'``.

    Parameters
    ----------
    model : sklearn.base.BaseEstimator
        A classifier or a regressor. It is not changed: `fit` fits one copy for each task.
    model_dir : path, optional
        The folder that `save` writes into where it is given none.
    use_weights : bool
        Whether labels count by their weights, where the estimator's ``fit`` takes ``sample_weight``; they count alike
        otherwise. A label of weight 0 is missing in either case.

    Attributes
    ----------
    model : sklearn.base.BaseEstimator
        As it was given.
    estimators : list
        The fitted copies, one for each task; empty before `fit`.
    n_tasks, n_features, n_classes : int
        What the last fit saw; ``n_classes`` is 1 for a regressor.

    Notes
    -----
    X (N, n_features) holds numbers, or packed bits where the dataset or the model has the featurizer that made them; uint8
    without one is refused, since it may be either. Integers and bits go to the estimator as float32, floats as they are.
    Labels y (N, n_tasks) of a classifier are class numbers; NaN, or weight 0, is a missing label, whose row is left out for
    that task.

    `predict` gives (N, n_tasks) numbers, or (N, n_tasks, n_classes) probabilities by the estimator's ``predict_proba``; a
    classifier without it gives 1 to the class that it predicts. Values are float64 and those of the estimator itself.

    An estimator is saved through skops, which writes no pickle. A type that neither skops nor this class knows as safe, such
    as a function or a class of your own, is refused both when a model is saved and when it is loaded. No code of a file
    runs, but the compiled code of scikit-learn trusts the arrays of a fitted estimator: load those of people you trust.

    References
    ----------
    https://scikit-learn.org, https://skops.readthedocs.io

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> from sklearn.linear_model import LinearRegression
    >>> X = np.arange(8.0).reshape(8, 1)
    >>> model = ct.models.SklearnModel(LinearRegression())
    >>> _ = model.fit(ct.data.NumpyDataset(X, np.hstack([X, 2 * X])))
    >>> model.predict([[10.0]]).round(6)
    array([[10., 20.]])
    """

    settings = Settings(use_weights=Bool())
    _rows_at_a_time = 10_000  # a call of an estimator costs some milliseconds
    use_weights: bool
    n_tasks: int
    n_features: int
    n_classes: int

    def __init__(self, model: Any, model_dir: str | Path | None = None, use_weights: bool = True) -> None:
        self._set(locals())
        self._check_estimator(type(self).__name__, model)
        self._start(model, model_dir)

    @classmethod
    def from_config(cls, fields: dict[str, Any]) -> Self:
        """Return a model without its estimator, which `load_state_dict` brings."""
        made = cls.__new__(cls)
        made._set({key: None for key, field in cls.settings.items() if field.optional} | fields)
        made._start(None, None)
        return made

    def _start(self, model: Any, model_dir: Any) -> None:
        super().__init__()
        self.model_dir = None if model_dir is None else path_of(type(self).__name__, "model_dir", model_dir)
        self.model = model
        self.n_tasks, self.n_features, self.n_classes = 0, 0, 0
        self._learned: list[Learned] = []

    def _check_estimator(self, where: str, model: Any) -> None:
        base = _sklearn(where)
        try:
            predicts = isinstance(model, base.BaseEstimator) and (base.is_classifier(model) or base.is_regressor(model))
        except AttributeError:  # a meta-estimator around nothing
            predicts = False
        if not predicts:
            raise TypeError(
                f"{where}: model must be a classifier or a regressor of scikit-learn, such as RandomForestRegressor(), got "
                f"{shown(model)}"
            )

    @property
    def estimators(self) -> list[Any]:
        """The fitted copies of the estimator, one for each task."""
        return [task.fitted for task in self._learned]

    @property
    def is_classifier(self) -> bool:
        """Whether the estimator predicts classes."""
        return bool(_sklearn(type(self).__name__).is_classifier(self.model))

    def fit(
        self,
        dataset: Batched,
        nb_epoch: int = 1,
        valid: Batched | None = None,
        callbacks: train.Callback | Sequence[train.Callback] = (),
        progress: bool | None = None,
        resume: str | Path | None = None,
        graph: bool = False,
        metrics: Metric | str | Sequence[Metric | str] | None = None,
    ) -> train.History:
        """Fit a copy of the estimator for each task; another call replaces them.

        Parameters
        ----------
        dataset : Dataset
            X (N, n_features), y and w in memory. Each task needs a label.
        nb_epoch, valid, callbacks, progress, resume, graph, metrics
            These are taken so that the call is that of any model, and change nothing.

        Returns
        -------
        train.History
            Of no epochs.

        Raises
        ------
        TypeError, ValueError
            For data that do not fit, saying what was needed and what came, and where the estimator refuses them.
        """
        return self._fit(f"{type(self).__name__}.fit", dataset, None)

    def _fit(self, where: str, dataset: Any, valid: Any) -> train.History:
        before = self.n_tasks, self.n_features, self.n_classes
        try:
            self._measure(where, dataset)
            self._check_dataset(where, dataset)
            if valid is not None:
                self._check_dataset(f"{where} (valid)", valid)
            self._learn_from(where, dataset, valid)
            own = self._known(where, dataset)
            measured = [None] * self.n_tasks if valid is None else self._known(f"{where} (valid)", valid)
            self._learned = [
                self._fitted(where, task, *parts) for task, parts in enumerate(zip(own, measured, strict=True))
            ]
        except BaseException:
            self.n_tasks, self.n_features, self.n_classes = before
            raise
        self.history = train.History(0)
        return self.history

    def _measure(self, where: str, dataset: Any) -> None:
        """Take the numbers of features, tasks and classes from a dataset."""
        if not all(hasattr(dataset, name) for name in ("X", "y", "w")) or not len(dataset):
            return  # `_check_dataset` says so
        refuse_sparse(where, "X", dataset.X)
        X, y, w = (np.asarray(getattr(dataset, name)) for name in ("X", "y", "w"))
        if X.ndim != 2 or X.shape[1] == 0:
            raise ValueError(f"{where}: X must have shape (rows, features), got {X.shape}")
        size = getattr(self.featurizer or getattr(dataset, "featurizer", None), "size", None)
        packed = X.dtype == np.uint8 and size == 8 * X.shape[1]
        if X.dtype == np.uint8 and not packed and size != X.shape[1]:
            raise ValueError(
                f"{where}: X is uint8, which may be packed bits or numbers; give the dataset (or the model) the featurizer "
                'that made it, or unpack bits with np.unpackbits(X, axis=1, bitorder="little").astype(np.float32), and '
                "convert numbers with X.astype(np.float32)"
            )
        self.n_features = 8 * X.shape[1] if packed else X.shape[1]
        self.n_tasks, self.n_classes = (y.shape[1] if y.ndim > 1 else 1), 1
        if self.is_classifier:
            labels = y.reshape(len(y), -1)
            labels = labels[np.broadcast_to(w.reshape(len(w), -1) != 0, labels.shape)]
            highest = labels.max(initial=1, where=np.isfinite(labels))
            self.n_classes = int(min(highest + 1, _MOST_CLASSES))

    def _check_labels(self, where: str, y: NDArray[Any], w: NDArray[Any]) -> None:
        if self.is_classifier:
            check_classes(where, y, w, self.n_tasks, self.n_classes)
        else:
            check_numbers(where, y, w, self.n_tasks)

    def _known(self, where: str, dataset: Any) -> list[Known]:
        """The rows that count, for each task."""
        X, y, w = self._values(dataset.X), np.asarray(dataset.y), np.asarray(dataset.w)
        check_some(where, w)
        weights = np.broadcast_to(w.reshape(len(w), -1), (len(y), self.n_tasks))
        labels = y.reshape(len(y), self.n_tasks)
        found = []
        for task in range(self.n_tasks):
            known = weights[:, task] != 0
            if not known.any():
                raise ValueError(f"{where}: task {task} has no labels (all its weights are 0); leave it out")
            rows = slice(None) if known.all() else known
            of_task = weights[rows, task].astype(np.float64)
            counted = self.use_weights and bool((of_task != 1).any())
            targets = labels[rows, task].astype(np.int64 if self.is_classifier else np.float64)
            found.append(Known(X[rows], targets, of_task if counted else None))
        return found

    def _fitted(self, where: str, task: int, known: Known, valid: Known | None) -> Learned:
        """What the labels of one task teach."""
        from sklearn.base import clone
        from sklearn.utils.validation import has_fit_parameter

        made = clone(self.model)
        weighted = known.w is not None and has_fit_parameter(made, "sample_weight")
        try:
            made.fit(known.X, known.y, **({"sample_weight": known.w} if weighted else {}))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{where}: {type(made).__name__} refuses y of task {task}: {error}") from error
        return Learned(made, np.asarray(made.classes_, np.int64) if self.is_classifier else None)

    def _values(self, X: Any) -> NDArray[Any]:
        """Features as the estimator takes them."""
        X = np.asarray(X)
        if self._goes_in_as_it_is(X):
            X = np.unpackbits(X, axis=1, bitorder="little")
        return X if X.dtype in (np.float32, np.float64) else X.astype(np.float32)

    def _check_fitted(self, where: str) -> None:
        if not self.n_features:
            raise ValueError(f"{where}: the model has learned nothing yet; give a dataset to fit first")

    def _check_width(self, where: str, featurizer: Featurizer) -> None:
        self._check_fitted(where)
        super()._check_width(where, featurizer)

    def _check_shape(self, where: str, X: NDArray[Any]) -> NDArray[Any]:
        self._check_fitted(where)
        return super()._check_shape(where, X)

    def _raw_batch(self, where: str, X: NDArray[Any]) -> NDArray[Any]:
        X = self._values(self._check_features(where, np.asarray(X) if isinstance(X, RaggedArray) else X))
        out = np.zeros((len(X), self.n_tasks, self.n_classes))
        for task, learned in enumerate(self._learned if len(X) else ()):
            found = self._answer(learned, X)
            out[:, task, learned.classes if learned.classes is not None else 0] = found
        return out if self.is_classifier else out[:, :, 0]

    def _answer(self, learned: Learned, X: NDArray[Any]) -> NDArray[Any]:
        """Predictions for one task: (N,) numbers, or (N, classes) probabilities of the classes that it learned from."""
        made = learned.fitted
        with _threads_for(len(X)):
            if learned.classes is None:
                return np.asarray(made.predict(X)).reshape(len(X))
            if hasattr(made, "predict_proba"):
                return np.asarray(made.predict_proba(X))
            return np.asarray(made.predict(X))[:, None] == learned.classes

    def save(self, path: str | Path | None = None) -> None:
        """Save the model into a folder, by default ``model_dir``; see `Model.save`.

        Raises
        ------
        TypeError
            If the estimator holds a type that is not known as safe: what could not be loaded is not saved.
        """
        path = self.model_dir if path is None else path
        if path is None:
            raise ValueError(f"{type(self).__name__}.save: needs a path, or a model_dir when the model is made")
        super().save(path)

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Return the estimator and its fitted copies as bytes: "sizes", "estimator", "task.0", "classes.0" and so on."""
        where = f"{type(self).__name__}.save"
        sizes = [self.n_tasks, self.n_features, self.n_classes]
        state: dict[str, NDArray[Any]] = {
            "sizes": np.array(sizes, np.int64),
            "estimator": _array(self._packed_estimator(where)),
        }
        for task, learned in enumerate(self._learned):
            state[f"task.{task}"] = _array(self._packed(where, learned.fitted))
            if learned.classes is not None:
                state[f"classes.{task}"] = learned.classes
        return state

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Set what was learned; nothing is changed where names, sizes or types do not fit."""
        where = "load_state_dict"
        if not isinstance(state, Mapping):
            raise TypeError(f"{where}: state must be a dictionary of arrays by name, got {shown(state)}")
        sizes = state.get("sizes")
        if not (
            isinstance(sizes, np.ndarray) and sizes.shape == (3,) and sizes.dtype == np.int64 and (sizes >= 0).all()
        ):
            raise ValueError(
                f"{where}: state must hold the names sizes, estimator, task.0 and so on, got {list(state)[:5]}"
            )
        n_tasks, n_features, n_classes = sizes.tolist()
        columns = [f"classes.{task}" for task in range(min(n_tasks, len(state)))] if n_classes > 1 else []
        needed = ["sizes", "estimator", *(f"task.{task}" for task in range(min(n_tasks, len(state)))), *columns]
        if set(state) != set(needed):
            raise ValueError(
                f"{where}: state needed the names {', '.join(needed[:5])} and so on, got {list(state)[:5]}"
            )
        before, self.model = self.model, self._unpacked_estimator(where, _bytes(where, "estimator", state))
        try:
            if n_tasks and self.is_classifier != bool(columns):
                raise ValueError(f"{where}: state holds {n_classes} classes, which do not fit its estimator")
            learned = []
            for task in range(n_tasks):
                classes = state[columns[task]] if columns else None
                fitted = self._unpacked(where, _bytes(where, f"task.{task}", state))
                if classes is not None and not _are_classes(classes, n_classes):
                    raise ValueError(f"{where}: classes.{task} must be different class numbers below {n_classes}")
                learned.append(Learned(fitted, classes))
        except BaseException:
            self.model = before
            raise
        self.n_tasks, self.n_features, self.n_classes, self._learned = n_tasks, n_features, n_classes, learned

    def _packed_estimator(self, where: str) -> bytes:
        return self._packed(where, self.model)

    def _unpacked_estimator(self, where: str, data: bytes) -> Any:
        found = self._unpacked(where, data)
        self._check_estimator(where, found)
        return found

    def _packed(self, where: str, estimator: Any) -> bytes:
        skops = _skops(where)
        try:
            data: bytes = skops.dumps(estimator)
        except TypeError as error:
            raise TypeError(f"{where}: skops cannot save {shown(estimator)}: {error}") from error
        _refuse_untrusted(where, data)
        return data

    def _unpacked(self, where: str, data: bytes) -> Any:
        skops = _skops(where)
        try:
            return skops.loads(data, trusted=sorted(TRUSTED))
        except skops.exceptions.UntrustedTypesFoundException:
            _refuse_untrusted(where, data)
            raise
        except Exception as error:  # whatever a damaged file leads to
            raise ValueError(f"{where}: skops cannot read the estimator: {error}") from error


def _threads_for(rows: int) -> Any:
    """Keep an estimator with ``n_jobs`` on one thread for few rows: joblib looks for results of threads every 10 ms."""
    import joblib

    return joblib.parallel_config(backend="sequential") if rows < _FEW_ROWS else contextlib.nullcontext()


def _refuse_untrusted(where: str, data: bytes) -> None:
    unknown = sorted(set(_skops(where).get_untrusted_types(data=data)) - TRUSTED)
    if unknown:
        raise TypeError(
            f"{where}: the estimator holds {', '.join(unknown[:5])}, which is not known as safe to load; a saved model may "
            "hold estimators of scikit-learn, numbers and arrays, and no functions or classes of other packages"
        )


def _sklearn(where: str) -> Any:
    try:
        from sklearn import base
    except ImportError:
        raise ImportError(f"{where}: scikit-learn is needed; pip install 'catalase[sklearn]'") from None
    return base


def _skops(where: str) -> Any:
    try:
        import skops.io
    except ImportError:
        raise ImportError(
            f"{where}: skops is needed to save and load estimators; pip install 'catalase[sklearn]'"
        ) from None
    return skops.io


def _array(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(data, np.uint8)


def _bytes(where: str, name: str, state: Mapping[str, Any]) -> bytes:
    array = state[name]
    if not (isinstance(array, np.ndarray) and array.dtype == np.uint8 and array.ndim == 1):
        raise ValueError(f"{where}: {name} must be bytes (uint8), got {shown(array)}")
    return array.tobytes()


def _are_classes(classes: Any, n_classes: int) -> bool:
    if not (isinstance(classes, np.ndarray) and classes.ndim == 1 and classes.dtype == np.int64):
        return False
    return bool(len(np.unique(classes)) == len(classes) and (classes >= 0).all() and (classes < n_classes).all())
