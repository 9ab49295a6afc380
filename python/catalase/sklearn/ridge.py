"""Ridge regression, and classes told apart by it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..feat import Featurizer
from ..models import Model, RidgeRegression
from .base import Classifier, Regressor, Rows, Vectors, Weighted


class Ridge(Weighted, Vectors):
    _loss_is_a_mean = False  # but a sum, beside which the penalty stands

    def __init__(self, alpha: float | None = 1.0, *, featurizer: Featurizer | None = None) -> None:
        self.alpha = alpha
        self.featurizer = featurizer

    def _model(self, where: str, rows: Rows) -> Model:
        return RidgeRegression(rows.n_tasks, rows.X.shape[1], self.alpha, use_weights=True)


class RidgeRegressor(Regressor, Ridge):
    """Least squares with a penalty on the squares of the coefficients, in closed form.

    Parameters
    ----------
    alpha : float, optional
        The penalty, 0 or more; None chooses it, for each output, by the leave-one-out error.
    featurizer : catalase.feat.Featurizer, optional
        For texts as X; see `DenseRegressor`.

    Attributes
    ----------
    model_ : catalase.models.RidgeRegression
    n_features_in_, feature_names_in_
        As `DenseRegressor`.

    Examples
    --------
    >>> import numpy as np
    >>> from catalase.sklearn import RidgeRegressor
    >>> X = np.arange(6.0)[:, None]
    >>> RidgeRegressor(alpha=0.0).fit(X, 2 * X[:, 0] + 1).predict([[10.0]]).round(4).tolist()
    [21.0]
    """


class RidgeClassifier(Classifier, Ridge):
    """Classes by ridge regression on -1 and 1: one regression for each class, or one where there are two.

    Parameters
    ----------
    alpha, featurizer
        As `RidgeRegressor`.

    Attributes
    ----------
    model_ : catalase.models.RidgeRegression
    classes_ : ndarray
    n_features_in_, feature_names_in_
        As `DenseRegressor`.

    Notes
    -----
    As scikit-learn's class of this name it has a `decision_function` and no probabilities;
    ``sklearn.calibration.CalibratedClassifierCV`` makes some.

    Examples
    --------
    >>> import numpy as np
    >>> from catalase.sklearn import RidgeClassifier
    >>> X = np.arange(6.0)[:, None]
    >>> RidgeClassifier().fit(X, ["low", "low", "low", "high", "high", "high"]).predict([[0.0], [5.0]]).tolist()
    ['low', 'high']
    """

    predict_proba: Any = property(lambda self: _no_probabilities())  # scikit-learn asks with hasattr

    def _labels(self, where: str, y: Any) -> tuple[NDArray[np.float64], int]:
        numbers, _ = super()._labels(where, y)
        if not self._one_column:
            raise ValueError(f"{where}: y must have one column, got {numbers.shape[1]}; fit one classifier for each")
        known = np.arange(len(self.classes_)) if len(self.classes_) > 2 else np.array([len(self.classes_) - 1])
        return np.where(numbers == known, 1.0, -1.0), 1

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return the scores, (N,) with two classes (above 0 is the second), else (N, n_classes)."""
        found: NDArray[np.float64] = self._answers("decision_function", X)
        return found if found.shape[1] > 1 else found[:, 0]

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the classes with the highest scores."""
        scores = self.decision_function(X)
        chosen = (scores > 0) * (len(self.classes_) - 1) if scores.ndim == 1 else scores.argmax(axis=1)
        found: NDArray[Any] = self.classes_[chosen]
        return found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = tags.classifier_tags.multi_label = False
        return tags


def _no_probabilities() -> None:
    raise AttributeError("RidgeClassifier has no predict_proba; use decision_function, or CalibratedClassifierCV")
