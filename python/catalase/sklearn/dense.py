"""Dense nets, with scikit-learn's words for their arguments."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from .. import train
from .._internal.numbers import choice, flag, is_list, number, shown, whole_number
from ..data import Dataset
from ..feat import Featurizer
from ..models import Model, MultitaskClassifier, MultitaskRegressor
from ..models.settings import ACTIVATIONS
from .base import Classifier, Regressor, Rows, Vectors, Weighted, standardizer

MOST_EPOCHS = 2**31 - 1


class Trained(Weighted):
    """For families that are trained by gradient descent, in epochs, and may stop early.

    Attributes
    ----------
    n_iter_ : int
        Epochs that were trained.
    loss_curve_ : list of float
        The loss of each epoch.
    validation_curve_ : list of float
        With ``early_stopping`` the loss of the validation part after each epoch.
    """

    max_iter: Any
    early_stopping: Any
    validation_fraction: Any
    n_iter_no_change: Any
    tol: Any
    verbose: Any
    _stops_by_loss = True  # without a validation part

    def _fit(self, where: str, rows: Rows) -> None:
        epochs = whole_number(where, "max_iter", self.max_iter, 1, MOST_EPOCHS)
        patience = whole_number(where, "n_iter_no_change", self.n_iter_no_change)
        tol = number(where, "tol", self.tol, at_least=0)
        valid, callbacks = None, list[train.Callback]()
        if flag(where, "early_stopping", self.early_stopping):
            part = number(where, "validation_fraction", self.validation_fraction, above=0, below=1)
            single = rows.n_classes > 1 and rows.n_tasks == 1
            ours, theirs = train_test_split(
                np.arange(len(rows)), test_size=part, random_state=rows.seed, stratify=rows.y[:, 0] if single else None
            )
            valid, rows = rows.at(np.sort(theirs)), rows.at(np.sort(ours))
            callbacks = [train.EarlyStopping(patience=patience, min_delta=tol)]
        elif self._stops_by_loss:
            callbacks = [train.EarlyStopping("loss", patience, tol, restore_best=False)]
        model: Any = self._model(where, rows)
        held_out = None if valid is None else self._data(model, valid)
        history = model.fit(
            self._data(model, rows),
            nb_epoch=epochs,
            valid=held_out,
            callbacks=callbacks,
            progress=flag(where, "verbose", self.verbose),
        )
        self.model_, self.n_iter_, self.loss_curve_ = model, len(history), history["loss"]
        if valid is not None:
            self.validation_curve_ = history["valid_loss"]

    def _data(self, model: Model, rows: Rows) -> Dataset:
        """Rows with their labels on the scale on which the net learns them."""
        data = self._dataset(rows)
        for transformer in model.transformers:
            data = data.transform(transformer)
        return data


class Dense(Trained, Vectors):
    _takes_sparse = True

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] | int = (100,),
        activation: str = "relu",
        *,
        dropout: float = 0.0,
        alpha: float = 1e-4,
        batch_size: int | str = "auto",
        learning_rate_init: float = 1e-3,
        max_iter: int = 200,
        random_state: Any = None,
        tol: float = 1e-4,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        layer_norm: bool = False,
        residual: bool = False,
        featurizer: Featurizer | None = None,
        verbose: bool = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.random_state = random_state
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.layer_norm = layer_norm
        self.residual = residual
        self.featurizer = featurizer
        self.verbose = verbose

    def _model(self, where: str, rows: Rows) -> Model:
        given: Any = self.hidden_layer_sizes
        sizes = [
            whole_number(where, "hidden_layer_sizes", n, 1, 10_000_000) for n in (given if is_list(given) else [given])
        ]
        n_features, outputs = rows.X.shape[1], rows.n_tasks * (rows.n_classes if rows.n_classes > 1 else 1)
        widths = [n_features, *sizes, outputs]
        batch = self.batch_size
        if isinstance(batch, str) and batch != "auto":
            raise ValueError(f"{where}: batch_size must be 'auto' or a whole number, got {shown(batch)}")
        batch = 200 if isinstance(batch, str) else whole_number(where, "batch_size", batch)
        alpha = number(where, "alpha", self.alpha, at_least=0)
        options: dict[str, Any] = {
            "layer_sizes": sizes,
            "activation_fns": choice(where, "activation", self.activation, ACTIVATIONS),
            "dropouts": number(where, "dropout", self.dropout, at_least=0, below=1),
            "weight_init_stddevs": [math.sqrt(2 / (a + b)) for a, b in itertools.pairwise(widths)],
            "bias_init_consts": 0.0,
            "weight_decay_penalty": alpha
            / 2
            / min(batch, rows.weights.sum()),  # scikit-learn's: over the rows of a batch
            "batch_size": batch,
            "learning_rate": number(where, "learning_rate_init", self.learning_rate_init, above=0),
            "seed": rows.seed,
            "layer_norm": flag(where, "layer_norm", self.layer_norm),
            "residual": flag(where, "residual", self.residual),
            "dtype": np.dtype(rows.X.dtype).name,
        }
        if rows.n_classes > 1:
            return MultitaskClassifier(rows.n_tasks, n_features, n_classes=rows.n_classes, **options)
        model = MultitaskRegressor(rows.n_tasks, n_features, **options)
        model.transformers = [standardizer(rows)]
        return model


class DenseRegressor(Regressor, Dense):
    """A dense net for numbers.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, or int
        Widths of the hidden layers.
    activation : str
        A name of `catalase.ops.activation`.
    dropout : float
        The share of hidden values that is dropped in training, from 0 to below 1.
    alpha : float
        The strength of the penalty on the squares of the hidden layers' weights; it is divided by the rows of a batch, as
        scikit-learn does.
    batch_size : int or "auto"
        "auto" is 200, or all rows where there are fewer.
    learning_rate_init : float
        Of Adam.
    max_iter : int
        Epochs.
    random_state : int, RandomState or None
        Start values, shuffling, dropout and the validation part: same seed, same bits, for any number of threads.
    tol : float
        The least fall of the loss that counts as an improvement.
    early_stopping : bool
        Hold ``validation_fraction`` of the rows out, stop when their loss has not improved for ``n_iter_no_change`` epochs,
        and keep the weights of the best epoch. Without it the loss of the training rows decides, and the last weights stay.
    validation_fraction : float
    n_iter_no_change : int
    layer_norm, residual : bool
        As `catalase.models.MultitaskClassifier`.
    featurizer : catalase.feat.Featurizer, optional
        For texts as X, such as SMILES: what makes features of them.
    verbose : bool
        A progress bar.

    Attributes
    ----------
    model_ : catalase.models.MultitaskRegressor
    n_iter_ : int
    loss_curve_, validation_curve_ : list of float
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X was a frame whose columns have names.

    Notes
    -----
    Names and defaults are those of scikit-learn's ``MLPRegressor``. What differs: labels are standardized in `fit` (and
    predictions are in their own units); the output layer carries no penalty; and no warning is given where ``max_iter`` ends
    the training. float64 features are trained in float64, all others in float32 or, where they are whole numbers, float64;
    float32 is twice as fast, and fingerprints of `ECFP` have it. Sparse matrices of SciPy are taken as they are.

    Examples
    --------
    >>> import numpy as np
    >>> from catalase.sklearn import DenseRegressor
    >>> X = np.linspace(-1, 1, 80).reshape(-1, 1)
    >>> model = DenseRegressor(learning_rate_init=0.01, random_state=0).fit(X, X[:, 0] ** 2)
    >>> model.score(X, X[:, 0] ** 2) > 0.95
    True
    """


class DenseClassifier(Classifier, Dense):
    """A dense net for classes.

    Parameters
    ----------
    hidden_layer_sizes, activation, dropout, alpha, batch_size, learning_rate_init, max_iter, random_state, tol, \
early_stopping, validation_fraction, n_iter_no_change, layer_norm, residual, featurizer, verbose
        As `DenseRegressor`; the validation part has the classes in the proportions of all rows.

    Attributes
    ----------
    model_ : catalase.models.MultitaskClassifier
    classes_ : ndarray, or a list of one for each output
    n_iter_ : int
    loss_curve_, validation_curve_ : list of float
    n_features_in_, feature_names_in_
        As `DenseRegressor`.

    Notes
    -----
    As `DenseRegressor`. Several outputs may have classes of their own each.

    Examples
    --------
    >>> from catalase.feat import CircularFingerprint
    >>> from catalase.sklearn import DenseClassifier
    >>> model = DenseClassifier(featurizer=CircularFingerprint(size=512), random_state=0)
    >>> smiles, kinds = ["CCO", "CCCO", "CCN", "CCCN"], ["alcohol", "alcohol", "amine", "amine"]
    >>> model.fit(smiles, kinds).predict(["CCCCO", "CCCCN"]).tolist()
    ['alcohol', 'amine']
    """
