"""Nearest neighbours, by Euclidean distance or by Tanimoto similarity."""

from __future__ import annotations

from typing import Any

from .._internal.numbers import choice, flag, whole_number
from ..feat import Featurizer
from ..models import (
    EuclideanKNNClassifier,
    EuclideanKNNRegressor,
    Model,
    TanimotoKNNClassifier,
    TanimotoKNNRegressor,
)
from .base import Classifier, Regressor, Rows, Unweighted, Vectors


class KNN(Unweighted, Vectors):
    def __init__(
        self,
        n_neighbors: int = 5,
        *,
        weights: str = "distance",
        metric: str = "euclidean",
        scale: bool = True,
        featurizer: Featurizer | None = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.weights = weights
        self.metric = metric
        self.scale = scale
        self.featurizer = featurizer

    def _model(self, where: str, rows: Rows) -> Model:
        k = whole_number(where, "n_neighbors", self.n_neighbors, 1, 10_000_000)
        weights = choice(where, "weights", self.weights, ("distance", "uniform"))
        tanimoto = choice(where, "metric", self.metric, ("euclidean", "tanimoto")) == "tanimoto"
        kinds: Any = (
            (TanimotoKNNRegressor, TanimotoKNNClassifier)
            if tanimoto
            else (EuclideanKNNRegressor, EuclideanKNNClassifier)
        )
        options: dict[str, Any] = {} if tanimoto else {"scale": flag(where, "scale", self.scale)}
        if rows.n_classes > 1:
            options["n_classes"] = rows.n_classes
        weights = "similarity" if tanimoto and weights == "distance" else weights
        made: Model = kinds[rows.n_classes > 1](rows.n_tasks, rows.X.shape[1], k=k, weights=weights, **options)
        return made

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = isinstance(self.metric, str) and self.metric == "tanimoto"
        return tags


class KNNRegressor(Regressor, KNN):
    """The mean of the measurements of the nearest rows.

    Parameters
    ----------
    n_neighbors : int
    weights : {"distance", "uniform"}
        A neighbour's vote: 1 over its distance (with "tanimoto" its similarity), or 1.
    metric : {"euclidean", "tanimoto"}
        "tanimoto" is for fingerprints: X of 0 and 1.
    scale : bool
        With "euclidean", whether features are brought to mean 0 and deviation 1 over the training rows first.
    featurizer : catalase.feat.Featurizer, optional
        For texts as X; see `DenseRegressor`.

    Attributes
    ----------
    model_ : catalase.models.EuclideanKNNRegressor or catalase.models.TanimotoKNNRegressor
    n_features_in_, feature_names_in_
        As `DenseRegressor`.

    Notes
    -----
    All rows count alike: `fit` takes no weights, as that of scikit-learn's ``KNeighborsRegressor``.

    Examples
    --------
    >>> from catalase.feat import CircularFingerprint
    >>> from catalase.sklearn import KNNRegressor
    >>> model = KNNRegressor(1, metric="tanimoto", featurizer=CircularFingerprint(size=512))
    >>> model.fit(["CCO", "CCCO", "CCN", "CCCN"], [1.0, 2.0, 3.0, 4.0]).predict(["CCCCN"]).tolist()
    [4.0]
    """


class KNNClassifier(Classifier, KNN):
    """Class probabilities from the classes of the nearest rows.

    Parameters
    ----------
    n_neighbors, weights, metric, scale, featurizer
        As `KNNRegressor`.

    Attributes
    ----------
    model_ : catalase.models.EuclideanKNNClassifier or catalase.models.TanimotoKNNClassifier
    classes_ : ndarray, or a list of one for each output
    n_features_in_, feature_names_in_
        As `DenseRegressor`.

    Notes
    -----
    As `KNNRegressor`.

    Examples
    --------
    >>> from catalase.sklearn import KNNClassifier
    >>> KNNClassifier(2).fit([[0.0], [1.0], [10.0], [11.0]], ["a", "a", "b", "b"]).predict([[9.0]]).tolist()
    ['b']
    """
