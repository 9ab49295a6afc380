"""Models that read sequences: SequenceClassifier and SequenceRegressor."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from .. import nn, optim
from ..data.tokenizer import CharTokenizer
from .labels import Place, check_classes, check_numbers
from .reader import Reader
from .settings import declared


@declared
class SequenceClassifier(Reader):
    """Recurrent layers over a sequence, and a softmax over the classes of each task.

    Parameters
    ----------
    n_tasks : int
    tokenizer : CharTokenizer, SmilesTokenizer or DNATokenizer, optional
        For sequences of tokens, which get a trained embedding. It is saved with the model.
    n_features : int, optional
        For sequences of feature vectors (steps, n_features), in place of a tokenizer.
    n_classes : int
        Of each task.
    cell : {"gru", "lstm", "rnn"}
    embedding_size, hidden_size, num_layers : int
    dropout : float
        Between recurrent layers, and before the dense output.
    bidirectional : bool
        Read from both ends.
    pool : {"last", "mean", "max"}
        What the dense output sees: the last state (of each direction), or the mean or largest output over the steps.
    clip_norm : float, optional
        Gradients of a larger norm are scaled down to it.
    batch_size : int
    learning_rate : float or schedule
        A schedule of `catalase.optim` is saved with the model.
    seed : int, optional
        Same seed, same bits, for any number of threads.
    per_step : bool
        Predict for each step of a sequence (what Keras calls ``return_sequences``) instead of once a sequence, from
        labels for each step: ``data.SequenceDataset(..., per_step=True)``. No ``pool`` then.
    truncation : int, optional
        Truncated back-propagation through time: gradients reach back this many steps at most, and no more steps are kept
        for them. Not with ``bidirectional``.
    optimizer : str or optim.Optimizer, optional
        As `MultitaskClassifier`.

    Notes
    -----
    Trained on a `data.SequenceDataset`; labels, weights, loss and metrics as `MultitaskClassifier`: NaN, or weight 0, is
    a missing label. Padding is never read. A sequence of no steps (kept by ``empty="keep"``, or in a list given to
    `predict`) gives what zeros at the dense output's input give. Unknown tokens are the tokenizer's affair; token
    numbers beyond its vocabulary, and NaN in features, are refused with row and step.

    With ``per_step`` the loss is the mean over the steps of a batch, each the same, those without a label among them as
    everywhere; metrics see all steps that have labels, end to end. `predict` returns a list, an array of each sequence's
    own length.

    With ``truncation`` and ``per_step`` a batch is run in windows of that many steps from the first on: an optimizer step
    a window, the state carried to the next window without its gradient. Without ``per_step`` a sequence has one loss, at
    its end: all but its last ``truncation`` steps are read first and nothing of them is kept; an optimizer step a batch.
    No shorter than the longest sequence, it changes no bit. ``valid_loss`` and predictions are not truncated.

    Examples
    --------
    >>> import catalase as ct
    >>> smiles, toxic = ["CCO", "CCN", "c1ccccc1", "Clc1ccccc1"], [0, 0, 1, 1]
    >>> tokenizer = ct.data.SmilesTokenizer.fit(smiles)
    >>> model = ct.models.SequenceClassifier(1, tokenizer, hidden_size=8, embedding_size=4, seed=0)
    >>> _ = model.fit(ct.data.SequenceDataset.from_texts(smiles, tokenizer, toxic), nb_epoch=2)
    >>> model.predict(["CCCl"]).shape
    (1, 1, 2)

    A label for each step: is this base a G or a C?

    >>> dna, strong = ["ATGCA", "GCA"], [[0, 0, 1, 1, 0], [1, 1, 0]]
    >>> tokenizer = ct.data.DNATokenizer()
    >>> model = ct.models.SequenceClassifier(1, tokenizer, hidden_size=8, embedding_size=4, seed=0, per_step=True)
    >>> _ = model.fit(ct.data.SequenceDataset.from_texts(dna, tokenizer, strong, per_step=True), nb_epoch=2)
    >>> [probabilities.shape for probabilities in model.predict(["ATGCA", "GCA"])]
    [(5, 1, 2), (3, 1, 2)]
    """

    def __init__(
        self,
        n_tasks: int,
        tokenizer: CharTokenizer | None = None,
        n_features: int | None = None,
        n_classes: int = 2,
        cell: str = "gru",
        embedding_size: int = 64,
        hidden_size: int = 128,
        num_layers: int = 1,
        dropout: float = 0.0,
        bidirectional: bool = False,
        pool: str = "last",
        clip_norm: float | None = 5.0,
        batch_size: int = 100,
        learning_rate: Any = 1e-3,
        seed: int | None = None,
        per_step: bool = False,
        truncation: int | None = None,
        optimizer: str | optim.Optimizer | None = None,
    ) -> None:
        self._set(locals())
        self._start(self._checked_net((self.n_tasks, self.n_classes)), nn.losses.SoftmaxCrossEntropy())

    n_classes: int

    def _check_labels(self, where: str, y: NDArray[Any], w: NDArray[Any], place: Place | None = None) -> None:
        check_classes(where, y, w, self.n_tasks, self.n_classes, place)


@declared
class SequenceRegressor(Reader):
    """Recurrent layers over a sequence, and one number for each task, trained on squared error.

    Parameters
    ----------
    n_tasks, tokenizer, n_features, cell, embedding_size, hidden_size, num_layers, dropout, bidirectional, pool, \
clip_norm, batch_size, learning_rate, seed, per_step, truncation, optimizer
        As `SequenceClassifier`.

    Notes
    -----
    Labels and loss as `MultitaskRegressor`; sequences as `SequenceClassifier`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> signals = [np.ones((steps, 1), np.float32) for steps in (2, 5, 3)]
    >>> model = ct.models.SequenceRegressor(1, n_features=1, hidden_size=8, seed=0)
    >>> _ = model.fit(ct.data.SequenceDataset(signals, y=[2.0, 5.0, 3.0]), nb_epoch=2)
    >>> model.predict(signals).shape
    (3, 1)
    """

    def __init__(
        self,
        n_tasks: int,
        tokenizer: CharTokenizer | None = None,
        n_features: int | None = None,
        cell: str = "gru",
        embedding_size: int = 64,
        hidden_size: int = 128,
        num_layers: int = 1,
        dropout: float = 0.0,
        bidirectional: bool = False,
        pool: str = "last",
        clip_norm: float | None = 5.0,
        batch_size: int = 100,
        learning_rate: Any = 1e-3,
        seed: int | None = None,
        per_step: bool = False,
        truncation: int | None = None,
        optimizer: str | optim.Optimizer | None = None,
    ) -> None:
        self._set(locals())
        self._start(self._checked_net((self.n_tasks,)), nn.losses.L2Loss())

    def _check_labels(self, where: str, y: NDArray[Any], w: NDArray[Any], place: Place | None = None) -> None:
        check_numbers(where, y, w, self.n_tasks, place)
