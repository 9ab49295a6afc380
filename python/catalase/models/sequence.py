"""Models that read sequences: SequenceClassifier and SequenceRegressor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import nn, ops
from .._registry import Int, register
from ..autograd import Tensor, no_grad
from ..data.ragged import SequenceBatch
from ..data.tokenizer import CharTokenizer
from ..trans import Transformer, undo_transforms
from ._labels import check_classes, check_numbers
from ._sequence_net import FIELDS, POOLS, READER_FIELDS, SequenceModel, SequenceNet
from ._settings import is_count


class _Reader(SequenceModel):
    """What the two models share: recurrent layers, a pool over the steps, a dense output."""

    fields = (*FIELDS, *READER_FIELDS)

    def __init__(
        self,
        n_tasks: int,
        tokenizer: CharTokenizer | None,
        n_features: int | None,
        bidirectional: bool,
        pool: str,
        *settings: Any,
    ) -> None:
        super().__init__(tokenizer, *settings)
        name = type(self).__name__
        if (tokenizer is None) == (n_features is None):
            raise ValueError(f"{name}: give tokenizer for sequences of tokens, or n_features for feature vectors")
        if not is_count(n_tasks) or not (n_features is None or is_count(n_features)):
            raise ValueError(
                f"{name}: n_tasks and n_features must be whole numbers, 1 or more, got {n_tasks!r}, {n_features!r}"
            )
        if pool not in POOLS:
            raise ValueError(f"{name}: pool must be one of {', '.join(POOLS)}, got {pool!r}")
        self.n_tasks, self.bidirectional, self.pool = int(n_tasks), bool(bidirectional), pool
        self.n_features = None if n_features is None else int(n_features)  # type: ignore[assignment]

    def _net(self, shape: tuple[int, ...]) -> SequenceNet:
        rng = nn.init.generator(self.seed)
        embedding = None if self.tokenizer is None else self._embedding(rng)
        inputs = self.n_features if embedding is None else self.embedding_size
        recurrent = self._recurrent(inputs, rng, self.bidirectional)
        head = nn.Linear(recurrent.output_size, int(np.prod(shape)), rng=rng)
        return SequenceNet(embedding, recurrent, self.pool, self.dropout, head, shape)

    def predict_on_batch(self, X: Any) -> NDArray[Any]:
        """Return the predictions for a `SequenceBatch`, all at once; or for what `predict` takes."""
        if not isinstance(X, SequenceBatch):
            return self.predict(X)
        self.module.eval()
        with no_grad():
            return self._output(self._forward(self.module, X))

    def predict(self, dataset: Any, transformers: Sequence[Transformer] = ()) -> NDArray[Any]:
        """Return the predictions for a dataset, or for a list of sequences or (with a tokenizer) of texts.

        Parameters
        ----------
        dataset : SequenceDataset or list
        transformers : sequence of Transformer
            Those that changed y are undone.

        Returns
        -------
        ndarray
            (N, tasks) for regression, (N, tasks, classes) probabilities for classification, in the order of the rows. A
            sequence's bits do not depend on those beside it.

        Raises
        ------
        TypeError, ValueError
            For sequences of another kind, unknown tokens and NaN, naming row and step.
        """
        where = f"{type(self).__name__}.predict"
        X = self._sequences(where, dataset).X
        self._check_sequences(where, X)
        result = self.predict_on_batch(X.padded(np.zeros(0, np.int64)))
        result = np.empty((len(X), *result.shape[1:]), result.dtype)
        for rows in self._by_length(X):
            result[rows] = self.predict_on_batch(X.padded(rows))
        return undo_transforms(result, transformers)


@register("SequenceClassifier", **FIELDS, **READER_FIELDS, n_classes=Int(2, 1_000_000))
class SequenceClassifier(_Reader):
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
        Of Adam.
    seed : int, optional
        Same seed, same bits, for any number of threads.

    Notes
    -----
    Trained on a `data.SequenceDataset`; labels, weights, loss and metrics as `MultitaskClassifier`: NaN, or weight 0, is
    a missing label. Padding is never read. A sequence of no steps (kept by ``empty="keep"``, or in a list given to
    `predict`) gives what zeros at the dense output's input give. Unknown tokens are the tokenizer's affair; token
    numbers beyond its vocabulary, and NaN in features, are refused with row and step.

    Examples
    --------
    >>> import catalase as ct
    >>> smiles, toxic = ["CCO", "CCN", "c1ccccc1", "Clc1ccccc1"], [0, 0, 1, 1]
    >>> tokenizer = ct.data.SmilesTokenizer.fit(smiles)
    >>> model = ct.models.SequenceClassifier(1, tokenizer, hidden_size=8, embedding_size=4, seed=0)
    >>> _ = model.fit(ct.data.SequenceDataset.from_texts(smiles, tokenizer, toxic), nb_epoch=2)
    >>> model.predict(["CCCl"]).shape
    (1, 1, 2)
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
    ) -> None:
        super().__init__(
            n_tasks, tokenizer, n_features, bidirectional, pool, cell, embedding_size, hidden_size, num_layers,
            dropout, clip_norm, batch_size, learning_rate, seed,
        )  # fmt: skip
        if not is_count(n_classes, 2):
            raise ValueError(f"SequenceClassifier: n_classes must be a whole number, 2 or more, got {n_classes!r}")
        self.n_classes = int(n_classes)
        self.module = self._net((self.n_tasks, self.n_classes))
        self.loss = nn.losses.SoftmaxCrossEntropy()

    def to_config(self) -> dict[str, Any]:
        return {**super().to_config(), "n_classes": self.n_classes}

    def _output(self, raw: Tensor) -> NDArray[Any]:
        return ops.softmax(raw.numpy())

    def _check_labels(self, where: str, y: NDArray[Any], w: NDArray[Any]) -> None:
        check_classes(where, y, w, self.n_tasks, self.n_classes)


@register("SequenceRegressor", **FIELDS, **READER_FIELDS)
class SequenceRegressor(_Reader):
    """Recurrent layers over a sequence, and one number for each task, trained on squared error.

    Parameters
    ----------
    n_tasks, tokenizer, n_features, cell, embedding_size, hidden_size, num_layers, dropout, bidirectional, pool, \
clip_norm, batch_size, learning_rate, seed
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
    ) -> None:
        super().__init__(
            n_tasks, tokenizer, n_features, bidirectional, pool, cell, embedding_size, hidden_size, num_layers,
            dropout, clip_norm, batch_size, learning_rate, seed,
        )  # fmt: skip
        self.module = self._net((self.n_tasks,))
        self.loss = nn.losses.L2Loss()

    def _check_labels(self, where: str, y: NDArray[Any], w: NDArray[Any]) -> None:
        check_numbers(where, y, w, self.n_tasks)
