"""Gaussian processes with Tanimoto similarity as the kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..feat import Featurizer
from ..models import Model, TanimotoGP
from .base import Classifier, Regressor, Rows, Unweighted, Vectors


class GaussianProcess(Unweighted, Vectors):
    def __init__(
        self,
        n_counts: int | None = None,
        *,
        max_exact: int = 10_000,
        n_inducing: int = 2000,
        random_state: Any = None,
        featurizer: Featurizer | None = None,
    ) -> None:
        self.n_counts = n_counts
        self.max_exact = max_exact
        self.n_inducing = n_inducing
        self.random_state = random_state
        self.featurizer = featurizer

    def _model(self, where: str, rows: Rows) -> Model:
        return TanimotoGP(
            rows.n_tasks,
            rows.X.shape[1],
            self.n_counts,
            "classification" if rows.n_classes > 1 else "regression",
            max(2, rows.n_classes),
            self.max_exact,
            self.n_inducing,
            rows.seed,
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = self.n_counts is None
        return tags


class TanimotoGPRegressor(Regressor, GaussianProcess):
    """A Gaussian process for numbers, with their deviations.

    Parameters
    ----------
    n_counts : int, optional
        The first ``n_counts`` features are counts or bits (0 or more), the rest descriptors; by default all are counts.
    max_exact, n_inducing : int
        As `catalase.models.TanimotoGP`.
    random_state : int, RandomState or None
        It draws the rows on which hyperparameters are chosen, and the inducing rows.
    featurizer : catalase.feat.Featurizer, optional
        For texts as X; see `DenseRegressor`.

    Attributes
    ----------
    model_ : catalase.models.TanimotoGP
    n_features_in_, feature_names_in_
        As `DenseRegressor`.

    Notes
    -----
    All rows count alike: `fit` takes no weights, as that of scikit-learn's ``GaussianProcessRegressor``.

    Examples
    --------
    >>> from catalase.feat import CircularFingerprint
    >>> from catalase.sklearn import TanimotoGPRegressor
    >>> model = TanimotoGPRegressor(featurizer=CircularFingerprint(is_counts_based=True), random_state=0)
    >>> mean, std = model.fit(["CCO", "CCCO", "CCN", "CCCN"], [1.0, 2.0, 3.0, 4.0]).predict(["CCCCO"], return_std=True)
    >>> mean.shape, bool(std[0] > 0)
    ((1,), True)
    """

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Return the predicted numbers, and with ``return_std`` also their standard deviations in the same shape."""
        if not return_std:
            return super().predict(X)
        check_is_fitted(self)
        X = self._rows(f"{type(self).__name__}.predict", X)
        found = [np.asarray(part, np.float64) for part in self.model_.predict_uncertainty(X)]  # type: ignore[attr-defined]
        return tuple(part[:, 0] if self._one_column else part for part in found)


class TanimotoGPClassifier(Classifier, GaussianProcess):
    """A Gaussian process for classes: one on -1 and 1 for each, its scores made probabilities.

    Parameters
    ----------
    n_counts, max_exact, n_inducing, random_state, featurizer
        As `TanimotoGPRegressor`.

    Attributes
    ----------
    model_ : catalase.models.TanimotoGP
    classes_ : ndarray, or a list of one for each output
    n_features_in_, feature_names_in_
        As `DenseRegressor`.

    Notes
    -----
    As `TanimotoGPRegressor`.

    Examples
    --------
    >>> from catalase.feat import CircularFingerprint
    >>> from catalase.sklearn import TanimotoGPClassifier
    >>> model = TanimotoGPClassifier(featurizer=CircularFingerprint(), random_state=0)
    >>> model.fit(["CCO", "CCCO", "CCN", "CCCN"], ["alcohol", "alcohol", "amine", "amine"]).predict(["CCCCO"]).tolist()
    ['alcohol']
    """
