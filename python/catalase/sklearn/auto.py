"""Several kinds of models, chosen by their errors on molecules that they have not seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from .._internal.numbers import flag
from ..models import AutoModel, Model
from .base import Classifier, Regressor, Rows, Texts, Unweighted


class Auto(Unweighted, Texts):
    _task: str

    def __init__(
        self,
        time_budget: float = 60.0,
        *,
        splitter: str = "scaffold",
        folds: int = 5,
        members: Sequence[str] | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.time_budget = time_budget
        self.splitter = splitter
        self.folds = folds
        self.members = members
        self.random_state = random_state
        self.verbose = verbose

    def _model(self, where: str, rows: Rows) -> Model:
        return AutoModel(self._task, self.time_budget, rows.seed, self.splitter, self.folds, self.members)

    def _fit(self, where: str, rows: Rows) -> None:
        model: Any = self._model(where, rows)
        model.fit(rows.X, rows.y, progress=flag(where, "verbose", self.verbose))
        self.model_ = model


class AutoRegressor(Regressor, Auto):
    """Numbers that are measured of molecules, by the kinds of models that prove good, together.

    Parameters
    ----------
    time_budget : float
        Seconds.
    splitter : {"scaffold", "random"}
    folds : int
    members : list of str, optional
        As `catalase.models.AutoModel`.
    random_state : int, RandomState or None
    verbose : bool
        Say what is being trained.

    Attributes
    ----------
    model_ : catalase.models.AutoModel
        ``model_.report`` says what was trained and how good it is; ``model_.predict_table(smiles)`` gives intervals.

    Notes
    -----
    X holds SMILES or molecules of RDKit, in a list, an array, a Series or a frame of one column. All rows count alike.

    Examples
    --------
    >>> from catalase.sklearn import AutoRegressor
    >>> smiles = ["C" * n + end for n in range(1, 13) for end in ("O", "N", "Cl")]
    >>> model = AutoRegressor(members=["Gaussian process"], splitter="random", random_state=0)
    >>> mean, std = model.fit(smiles, [len(text) / 2 for text in smiles]).predict(["CCCCCO"], return_std=True)
    >>> mean.shape, bool(std[0] > 0)
    ((1,), True)
    """

    _task = "regression"

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Return the predicted numbers, and with ``return_std`` also their standard deviations in the same shape."""
        if not return_std:
            return super().predict(X)
        check_is_fitted(self)
        X = self._rows(f"{type(self).__name__}.predict", X)
        found = self.model_.predict_table(X)  # type: ignore[attr-defined]
        return tuple(part[:, 0] if self._one_column else part for part in (found.mean, found.std))


class AutoClassifier(Classifier, Auto):
    """Two classes of molecules, by the kinds of models that prove good, together.

    Parameters
    ----------
    time_budget, splitter, folds, members, random_state, verbose
        As `AutoRegressor`.

    Attributes
    ----------
    model_ : catalase.models.AutoModel
    classes_ : ndarray, or a list of one for each output

    Examples
    --------
    >>> from catalase.sklearn import AutoClassifier
    >>> smiles = ["C" * n + end for n in range(1, 13) for end in ("O", "N")]
    >>> model = AutoClassifier(members=["Gaussian process"], splitter="random", random_state=0)
    >>> model.fit(smiles, ["alcohol", "amine"] * 12).predict(["CCCCCCCCCCCCCO"]).tolist()
    ['alcohol']
    """

    _task = "classification"

    def _labels(self, where: str, y: Any) -> tuple[NDArray[np.float64], int]:
        labels, n_classes = super()._labels(where, y)
        if n_classes > 2:
            raise ValueError(f"{where}: y must have two classes, got {n_classes}; DMPNNClassifier takes more")
        return labels, n_classes

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags
