"""What all estimators share: inputs, weights, labels and answers, in scikit-learn's forms.

A family is a class that derives from `Vectors` (rows of numbers) or `Texts` (molecules or sequences). It lists its
arguments in a constructor that stores them as they are, and makes a model in ``_model``. `Regressor` and `Classifier`, put
before it, make two estimators of it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_array,
    check_consistent_length,
    check_is_fitted,
    check_non_negative,
    validate_data,
)

from ..data import Dataset, NumpyDataset
from ..feat import Featurizer
from ..feat.featurizer import checked
from ..models import Model
from ..trans import NormalizationTransformer, Transformer
from .texts import needed_texts, texts_in

_FLOATS = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """What a fit learns from: rows of weight 0 are left out.

    Attributes
    ----------
    X : array, CSR matrix, MolGraphs or list of texts
    y : float64 ndarray (N, tasks)
        Numbers, or the numbers of classes.
    weights : float64 ndarray (N,)
        As given; ones where none were.
    n_classes : int
        The largest number of classes of a task, 2 or more; 1 for numbers.
    seed : int
    """

    X: Any
    y: _FLOATS
    weights: _FLOATS
    n_classes: int
    seed: int

    def __len__(self) -> int:
        return len(self.y)

    @property
    def n_tasks(self) -> int:
        return self.y.shape[1]

    def at(self, rows: NDArray[Any]) -> Rows:
        X = [self.X[row] for row in rows.tolist()] if isinstance(self.X, list) else self.X[rows]
        return replace(self, X=X, y=self.y[rows], weights=self.weights[rows])


class Estimator(BaseEstimator):
    """The base of all estimators.

    Attributes
    ----------
    model_ : catalase.models.Model
        What was trained; ``model_.save(path)`` keeps it, and `catalase.models.load` brings it back.
    """

    model_: Model
    _loss_is_a_mean = True

    def _learn(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Check what a fit is given, and train on it."""
        where = f"{type(self).__name__}.fit"
        X, y = self._inputs(where, X, y)
        labels, n_classes = self._labels(where, y)
        weights = np.ones(len(labels))
        if sample_weight is not None:
            given = _check_sample_weight(sample_weight, labels, dtype=np.float64, ensure_non_negative=True)
            weights = np.asarray(given)
        seed = int(check_random_state(getattr(self, "random_state", None)).randint(2**31 - 1))
        rows = Rows(X, labels, weights, n_classes, seed)
        if not weights.all():
            rows = rows.at(np.flatnonzero(weights))
        if not len(rows):
            raise ValueError(f"{where}: all sample weights are zero, so there is nothing to learn from")
        self._fit(where, rows)
        return self

    def _fit(self, where: str, rows: Rows) -> None:
        """Make a model and train it."""
        model = self._model(where, rows)
        model.fit(self._dataset(rows))
        self.model_ = model

    def _inputs(self, where: str, X: Any, y: Any) -> tuple[Any, Any]:
        """The checked X and y of a fit."""
        raise NotImplementedError

    def _rows(self, where: str, X: Any) -> Any:
        """The checked X of a prediction."""
        raise NotImplementedError

    def _labels(self, where: str, y: Any) -> tuple[_FLOATS, int]:
        """Labels as numbers (N, tasks), and the number of classes; `Regressor` and `Classifier` write it."""
        raise NotImplementedError

    def _model(self, where: str, rows: Rows) -> Model:
        """The model of the family, untrained."""
        raise NotImplementedError

    def _dataset(self, rows: Rows) -> Dataset:
        """What the model is trained on. Weights have the mean 1 where the loss is a mean."""
        weights = rows.weights / rows.weights.mean() if self._loss_is_a_mean else rows.weights
        return NumpyDataset(rows.X, rows.y, np.repeat(weights[:, None], rows.n_tasks, axis=1))

    def _answers(self, method: str, X: Any) -> _FLOATS:
        """The model's predictions: (N, tasks), or (N, tasks, classes)."""
        check_is_fitted(self)
        X = self._rows(f"{type(self).__name__}.{method}", X)
        return np.asarray(self.model_.predict(X), np.float64)

    def save(self, path: str | Path) -> None:
        """Save the trained model into a folder, which `catalase.models.load` reads; see `catalase.models.Model.save`.

        The labels of classes are not in it: the model numbers them as ``classes_`` does.
        """
        check_is_fitted(self)
        self.model_.save(path)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        return tags


class Weighted(Estimator):
    """For families whose rows may count more or less."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from rows and their labels; another call begins anew.

        Parameters
        ----------
        X : array, frame or sparse matrix (N, n_features), or texts (N,), as the class says
        y : array_like (N,) or (N, n_outputs)
        sample_weight : array_like (N,), optional
            0 or more: a row of weight 2 counts as two rows, one of weight 0 as none.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            For data or arguments that do not fit.
        """
        return self._learn(X, y, sample_weight)


class Unweighted(Estimator):
    """For families whose rows all count alike."""

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from rows and their labels; another call begins anew. See `Weighted.fit`."""
        return self._learn(X, y)


class Vectors(Estimator):
    """Rows of numbers: arrays, frames, or texts that ``featurizer`` makes rows of."""

    featurizer: Featurizer | None = None
    _takes_sparse = False
    _made_features = False  # whether the last fit was given texts

    def _featurized(self, where: str, X: Any) -> Any:
        featurizer = checked(where, self.featurizer)
        if texts_in(where, X) is None:
            return None
        if featurizer is None or not featurizer.makes_rows:
            raise ValueError(
                f"{where}: X holds texts; put a transformer such as catalase.sklearn.ECFP() before the estimator in a "
                "pipeline, or give featurizer=catalase.feat.CircularFingerprint()"
            )
        return featurizer.featurize(needed_texts(where, X, "SMILES or sequences"))

    def _checked(self, where: str, X: Any, *y: Any, **options: Any) -> Any:
        accepted = "csr" if self._takes_sparse else False
        found = validate_data(self, X, *y, dtype=[np.float64, np.float32], accept_sparse=accepted, **options)
        if self.__sklearn_tags__().input_tags.positive_only:
            check_non_negative(found[0] if y else found, where)
        return found

    def _inputs(self, where: str, X: Any, y: Any) -> tuple[Any, Any]:
        made = self._featurized(where, X)
        self._made_features = made is not None
        found: tuple[Any, Any] = self._checked(where, X if made is None else made, y, multi_output=True)
        return found

    def _dataset(self, rows: Rows) -> Dataset:
        data = super()._dataset(rows)
        data.featurizer = checked("featurizer", self.featurizer) if self._made_features else None
        return data

    def _rows(self, where: str, X: Any) -> Any:
        made = self._featurized(where, X)
        return self._checked(where, X if made is None else made, reset=False)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self._takes_sparse
        tags.input_tags.string = isinstance(self.featurizer, Featurizer)
        return tags


class Texts(Estimator):
    """Molecules or sequences, in a list, an array, a Series, or a frame of one column."""

    _what = "SMILES or molecules"

    def _inputs(self, where: str, X: Any, y: Any) -> tuple[Any, Any]:
        if y is None:
            raise ValueError(f"{where}: this estimator requires y to be passed, but the target y is None")
        X = self._rows(where, X)
        y = check_array(y, ensure_2d=False, dtype=None, input_name="y")
        check_consistent_length(X, y)
        return X, y

    def _rows(self, where: str, X: Any) -> Any:
        return needed_texts(where, X, self._what)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags


class Regressor(RegressorMixin):
    """Numbers as labels. Comes before the family's class."""

    _answers: Any
    _one_column: bool

    def _labels(self, where: str, y: Any) -> tuple[_FLOATS, int]:
        y = np.asarray(y)
        if y.dtype.kind not in "fiub":
            try:
                y = y.astype(np.float64)
            except (TypeError, ValueError):
                raise ValueError(f"{where}: y must be numbers, got an array of {y.dtype}") from None
        y, self._one_column = _columns(y)
        return y.astype(np.float64), 1

    def predict(self, X: Any) -> _FLOATS:
        """Return the predicted numbers, float64 (N,), or (N, n_outputs) after a fit on several outputs."""
        found: _FLOATS = self._answers("predict", X)
        return found[:, 0] if self._one_column else found


class Classifier(ClassifierMixin):
    """Classes as labels. Comes before the family's class.

    Attributes
    ----------
    classes_ : ndarray (n_classes,), or a list of one for each output
    """

    _answers: Any
    classes_: Any
    _one_column: bool

    def _labels(self, where: str, y: Any) -> tuple[_FLOATS, int]:
        y, self._one_column = _columns(np.asarray(y))
        check_classification_targets(y[:, 0] if self._one_column else y)
        found = [np.unique(column, return_inverse=True) for column in y.T]
        known = [classes for classes, _ in found]
        self.classes_ = known[0] if self._one_column else known
        return np.stack([numbers for _, numbers in found], axis=1).astype(np.float64), max(2, *map(len, known))

    def predict_proba(self, X: Any) -> Any:
        """Return the probabilities of the classes, float64 (N, n_classes), in the order of ``classes_``.

        After a fit on several outputs a list of one such array for each, as scikit-learn's forests give.
        """
        found = self._answers("predict_proba", X)
        known = [self.classes_] if self._one_column else self.classes_
        each = []
        for task, classes in enumerate(known):  # a task may have fewer classes than another
            chances = found[:, task, : len(classes)]
            each.append(chances / chances.sum(axis=1, keepdims=True))
        return each[0] if self._one_column else each

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable classes, (N,), or (N, n_outputs) after a fit on several outputs."""
        chances = self.predict_proba(X)
        if self._one_column:
            chosen: NDArray[Any] = self.classes_[chances.argmax(axis=1)]
            return chosen
        return np.stack([c[p.argmax(axis=1)] for c, p in zip(self.classes_, chances, strict=True)], axis=1)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = tags.target_tags.multi_output
        return tags


def _columns(y: NDArray[Any]) -> tuple[NDArray[Any], bool]:
    """Return labels (N, tasks), and whether they are one column of scikit-learn's."""
    if y.ndim == 2 and y.shape[1] == 1:
        warnings.warn(
            "A column-vector y was passed when a 1d array was expected; give y.ravel()",
            DataConversionWarning,
            stacklevel=4,
        )
    if y.ndim > 2:
        raise ValueError(f"y must be (N,) or (N, n_outputs), got shape {y.shape}")
    return (y[:, None], True) if y.ndim == 1 else (y, y.shape[1] == 1)


def standardizer(rows: Rows) -> Transformer:
    """Return the transformer that gives the labels the weighted mean 0 and deviation 1."""
    means = np.average(rows.y, axis=0, weights=rows.weights)
    stds = np.sqrt(np.average((rows.y - means) ** 2, axis=0, weights=rows.weights))
    stds[stds <= 1e-12 * np.maximum(1, abs(means))] = 1.0
    config = {"class": NormalizationTransformer.__name__, "transform_X": False}
    made: Transformer = Transformer.build({**config, "means": means.tolist(), "stds": stds.tolist()})
    return made
