"""Directed message passing on molecular graphs (chemprop's D-MPNN)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .._internal.numbers import whole_number
from ..data import Dataset, GraphDataset
from ..feat import Featurizer, MolGraphFeaturizer
from ..models import DMPNNModel, Model
from ..ops import MolGraphs
from .base import Classifier, Regressor, Rows, Texts
from .dense import Trained


class DMPNN(Trained, Texts):
    _stops_by_loss = False  # the learning rate follows the epochs

    def __init__(
        self,
        hidden_size: int = 300,
        depth: int = 3,
        *,
        ffn_hidden_size: int = 300,
        ffn_num_layers: int = 1,
        dropout: float = 0.0,
        aggregation: str = "norm",
        batch_size: int = 64,
        max_iter: int = 50,
        random_state: Any = None,
        tol: float = 1e-4,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        features: str = "dmpnn",
        extra: Featurizer | None = None,
        verbose: bool = False,
    ) -> None:
        self.hidden_size = hidden_size
        self.depth = depth
        self.ffn_hidden_size = ffn_hidden_size
        self.ffn_num_layers = ffn_num_layers
        self.dropout = dropout
        self.aggregation = aggregation
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.random_state = random_state
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.features = features
        self.extra = extra
        self.verbose = verbose

    def _rows(self, where: str, X: Any) -> Any:
        if isinstance(X, MolGraphs):
            return X
        return MolGraphFeaturizer(self.features, self.extra).featurize(super()._rows(where, X))

    def _dataset(self, rows: Rows) -> Dataset:
        data = super()._dataset(replace(rows, X=rows.y))
        made = MolGraphFeaturizer(self.features, self.extra) if rows.X.features == self.features else None
        return GraphDataset(rows.X, data.y, data.w, featurizer=made)

    def _model(self, where: str, rows: Rows) -> Model:
        return DMPNNModel(
            rows.n_tasks,
            "classification" if rows.n_classes > 1 else "regression",
            n_classes=max(2, rows.n_classes),
            features=rows.X.features,
            message_hidden_dim=whole_number(where, "hidden_size", self.hidden_size, 1, 1_000_000),
            depth=self.depth,
            dropout=self.dropout,
            aggregation=self.aggregation,
            ffn_hidden_dim=whole_number(where, "ffn_hidden_size", self.ffn_hidden_size, 1, 1_000_000),
            ffn_num_layers=self.ffn_num_layers,
            batch_size=whole_number(where, "batch_size", self.batch_size),
            seed=rows.seed,
            n_extra_features=rows.X.extra.shape[1],
        )


class DMPNNRegressor(Regressor, DMPNN):
    """A graph net for numbers that are measured of molecules.

    Parameters
    ----------
    hidden_size, depth : int
        Of the message passing.
    ffn_hidden_size, ffn_num_layers : int
        Width and number of the hidden layers after it.
    dropout : float
    aggregation : {"norm", "mean", "sum", "attention"}
        How rows of atoms become one of a molecule; see `catalase.models.DMPNNModel`.
    batch_size : int
    max_iter : int
        Epochs. The learning rate rises in the first two, and falls until the last.
    random_state, tol, early_stopping, validation_fraction, n_iter_no_change, verbose
        As `DenseRegressor`; without ``early_stopping`` all epochs are trained.
    features : str
        Of atoms and bonds, for X that holds SMILES or molecules; see `catalase.ops.mol_graphs`.
    extra : catalase.feat.Featurizer, optional
        What makes more features of a molecule, such as ``catalase.feat.Descriptors()``.

    Attributes
    ----------
    model_ : catalase.models.DMPNNModel
    n_iter_ : int
    loss_curve_, validation_curve_ : list of float

    Notes
    -----
    X holds SMILES or molecules of RDKit, in a list, an array, a Series or a frame of one column; or it is the graphs that
    the transformer `MolGraphs` makes, which a search then makes once.

    Examples
    --------
    >>> from catalase.sklearn import DMPNNRegressor
    >>> smiles = ["C" * n for n in range(1, 11)]
    >>> model = DMPNNRegressor(hidden_size=16, ffn_hidden_size=16, max_iter=5, random_state=0)
    >>> model.fit(smiles, range(1, 11)).predict(["CCO", "CCCCO"]).shape
    (2,)
    """


class DMPNNClassifier(Classifier, DMPNN):
    """A graph net for classes of molecules.

    Parameters
    ----------
    hidden_size, depth, ffn_hidden_size, ffn_num_layers, dropout, aggregation, batch_size, max_iter, random_state, tol, \
early_stopping, validation_fraction, n_iter_no_change, features, extra, verbose
        As `DMPNNRegressor`.

    Attributes
    ----------
    model_ : catalase.models.DMPNNModel
    classes_ : ndarray, or a list of one for each output
    n_iter_ : int
    loss_curve_, validation_curve_ : list of float

    Examples
    --------
    >>> from catalase.sklearn import DMPNNClassifier
    >>> model = DMPNNClassifier(hidden_size=16, ffn_hidden_size=16, max_iter=5, random_state=0)
    >>> model.fit(["CCO", "CCN", "CO", "CN"], ["alcohol", "amine"] * 2).predict_proba(["CCCO"]).shape
    (1, 2)
    """
