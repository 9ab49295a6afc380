"""Recurrent nets on texts: DNA, proteins, SMILES."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .._internal.numbers import number
from ..data import CharTokenizer, Dataset, SequenceDataset
from ..models import Model
from ..models import SequenceClassifier as SequenceClassifierModel
from ..models import SequenceRegressor as SequenceRegressorModel
from .base import Classifier, Regressor, Rows, Texts, standardizer
from .dense import Trained


class Sequence(Trained, Texts):
    _what = "texts"

    def __init__(
        self,
        cell: str = "gru",
        *,
        tokenizer: CharTokenizer | None = None,
        embedding_size: int = 32,
        hidden_size: int = 64,
        num_layers: int = 1,
        bidirectional: bool = False,
        pool: str = "last",
        dropout: float = 0.0,
        batch_size: int = 100,
        learning_rate_init: float = 1e-3,
        max_iter: int = 50,
        random_state: Any = None,
        tol: float = 1e-4,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        verbose: bool = False,
    ) -> None:
        self.cell = cell
        self.tokenizer = tokenizer
        self.embedding_size = embedding_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.pool = pool
        self.dropout = dropout
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.random_state = random_state
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.verbose = verbose

    def _model(self, where: str, rows: Rows) -> Model:
        self.tokenizer_ = CharTokenizer.fit(rows.X, unknown="token") if self.tokenizer is None else self.tokenizer
        classes = rows.n_classes > 1
        kind: Any = SequenceClassifierModel if classes else SequenceRegressorModel
        model: Model = kind(
            rows.n_tasks,
            self.tokenizer_,
            cell=self.cell,
            embedding_size=self.embedding_size,
            hidden_size=self.hidden_size,
            num_layers=self.num_layers,
            bidirectional=self.bidirectional,
            pool=self.pool,
            dropout=self.dropout,
            batch_size=self.batch_size,
            learning_rate=number(where, "learning_rate_init", self.learning_rate_init, above=0),
            seed=rows.seed,
            **({"n_classes": rows.n_classes} if classes else {}),
        )
        if not classes:
            model.transformers = [standardizer(rows)]
        return model

    def _dataset(self, rows: Rows) -> Dataset:
        data = super()._dataset(replace(rows, X=rows.y))
        return SequenceDataset.from_texts(rows.X, self.tokenizer_, data.y, data.w)


class SequenceRegressor(Regressor, Sequence):
    """A recurrent net for numbers that are measured of sequences.

    Parameters
    ----------
    cell : {"gru", "lstm", "rnn", "transformer"}
    tokenizer : catalase.data.CharTokenizer, optional
        What makes tokens of a text; by default each letter of the training texts is one, and others are unknown.
    embedding_size, hidden_size, num_layers, bidirectional, pool, dropout
        As `catalase.models.SequenceClassifier`.
    batch_size : int
    learning_rate_init : float
    max_iter, random_state, tol, early_stopping, validation_fraction, n_iter_no_change, verbose
        As `DenseRegressor`.

    Attributes
    ----------
    model_ : catalase.models.SequenceRegressor
    tokenizer_ : catalase.data.CharTokenizer
    n_iter_ : int
    loss_curve_, validation_curve_ : list of float

    Notes
    -----
    X holds texts, in a list, an array, a Series or a frame of one column. Labels are standardized in `fit`.

    Examples
    --------
    >>> from catalase.sklearn import SequenceRegressor
    >>> model = SequenceRegressor(hidden_size=8, embedding_size=4, max_iter=2, random_state=0)
    >>> model.fit(["ACGT", "AC", "GGT", "A"], [4.0, 2.0, 3.0, 1.0]).predict(["ACG"]).shape
    (1,)
    """


class SequenceClassifier(Classifier, Sequence):
    """A recurrent net for classes of sequences.

    Parameters
    ----------
    cell, tokenizer, embedding_size, hidden_size, num_layers, bidirectional, pool, dropout, batch_size, \
learning_rate_init, max_iter, random_state, tol, early_stopping, validation_fraction, n_iter_no_change, verbose
        As `SequenceRegressor`.

    Attributes
    ----------
    model_ : catalase.models.SequenceClassifier
    classes_ : ndarray, or a list of one for each output
    tokenizer_, n_iter_, loss_curve_, validation_curve_
        As `SequenceRegressor`.

    Examples
    --------
    >>> from catalase.sklearn import SequenceClassifier
    >>> model = SequenceClassifier(hidden_size=8, embedding_size=4, max_iter=2, random_state=0)
    >>> model.fit(["ACGT", "AC", "GGT", "A"], [True, True, False, False]).predict_proba(["ACG"]).shape
    (1, 2)
    """
