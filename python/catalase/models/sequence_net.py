"""What all models of sequences share: their settings, and the check of what they read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import nn
from .._internal.numbers import shown
from .._internal.registry import Int, Object, Str
from ..autograd import Tensor
from ..data import SequenceDataset
from ..data.ragged import RaggedArray
from ..data.tokenizer import PAD, CharTokenizer
from .labels import Place, flat
from .net import NetModel
from .settings import TRAINING, Settings, Share, is_count

CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
_PREDICT_STEPS = 100_000  # padded steps that go through the net at a time
_LARGEST = np.finfo(np.float32).max


class _Tokenizer(Object):
    def take(self, value: Any, owner: str, key: str, of: Any = None) -> Any:
        if value is not None and not isinstance(value, CharTokenizer):
            raise TypeError(f"{owner}: {key} must be a catalase.data tokenizer, got {type(value).__name__}")
        return value


class _Truncation(Int):
    def take(self, value: Any, owner: str, key: str, of: Any = None) -> Any:
        if value is not None and not is_count(value):
            raise ValueError(f"{owner}: {key} must be None or a whole number of steps, 1 or more, got {shown(value)}")
        return None if value is None else int(value)


class SequenceModel(NetModel):
    """What all models of sequences share."""

    settings = TRAINING | Settings(
        tokenizer=_Tokenizer(CharTokenizer, none=True),
        cell=Str(choices=list(CELLS)),
        embedding_size=Int(1, 1_000_000),
        hidden_size=Int(1, 1_000_000),
        num_layers=Int(1, 1000),
        dropout=Share(),
        truncation=_Truncation(1, none=True, optional=True),
    )
    tokenizer: CharTokenizer | None
    cell: str
    embedding_size: int
    hidden_size: int
    num_layers: int
    dropout: float
    truncation: int | None
    n_features: Any
    per_step = False

    def _recurrent(self, inputs: int, rng: np.random.Generator, bidirectional: bool = False) -> Any:
        between = self.dropout if self.num_layers > 1 else 0.0
        return CELLS[self.cell](
            inputs, self.hidden_size, num_layers=self.num_layers, dropout=between, bidirectional=bidirectional, rng=rng
        )

    def _embedding(self, rng: np.random.Generator) -> nn.Embedding:
        assert self.tokenizer is not None
        return nn.Embedding(self.tokenizer.size, self.embedding_size, PAD, rng=rng)

    def _forward(self, module: nn.Module, X: Any) -> Tensor:
        carried = getattr(X, "carried", None)
        if carried is None:
            output: Tensor = module(X)[0]
            return output
        output, state = module(X, carried.state)
        carried.state = nn.detach_state(state)
        return output

    def _datapoints(self, where: str, given: Any, featurizer: Any) -> None:
        """The net reads texts and sequences itself."""

    def _sequences(self, where: str, data: Any) -> SequenceDataset:
        """The dataset, or one made of a list of sequences or texts; empty ones are kept."""
        if isinstance(data, SequenceDataset):
            self._check_tokenizer(where, data)
            return data
        if isinstance(data, str):
            raise TypeError(f"{where}: needs a list of texts, got one str; wrap it in [ ]")
        if isinstance(data, np.ndarray) and data.ndim == 0:
            raise TypeError(f"{where}: needs a list of sequences or texts, got an array of no axes")
        if (
            hasattr(data, "__array__")
            and not isinstance(data, (RaggedArray, type))
            and np.asarray(data).dtype.kind in "OUT"
        ):
            data = list(data)  # texts of a NumPy array or a pandas Series
        if isinstance(data, (list, tuple)) and data and all(isinstance(text, str) for text in data):
            if self.tokenizer is None:
                raise TypeError(f"{where}: this model reads feature vectors; texts need a model with a tokenizer")
            return SequenceDataset.from_texts(data, self.tokenizer, empty="keep")
        if isinstance(data, (list, tuple, np.ndarray, RaggedArray)):
            made = SequenceDataset(data, empty="keep")
            if self.tokenizer is None and len(made.X.values) == 0:  # no step anywhere tells how many features there are
                made.X = RaggedArray(np.zeros((0, self.n_features), np.float32), made.X.offsets)
            return made
        raise TypeError(f"{where}: needs a catalase.data.SequenceDataset or a list, got {type(data).__name__}")

    def _check_dataset(self, where: str, dataset: Any) -> None:
        if not isinstance(dataset, SequenceDataset):
            raise TypeError(f"{where}: needs a catalase.data.SequenceDataset, got {type(dataset).__name__}")
        if len(dataset) == 0:
            raise ValueError(f"{where}: the dataset is empty; it needs at least one row")
        self._check_tokenizer(where, dataset)
        self._check_sequences(where, dataset.X)
        self._check_per_step(where, dataset)
        if self.per_step and not len(dataset.X.values):
            raise ValueError(f"{where}: no sequence has a step; there is nothing to learn from")
        y, w = np.asarray(flat(dataset.y)), np.asarray(flat(dataset.w))
        self._check_labels(where, y, w, dataset.X.place if self.per_step else None)

    def _check_tokenizer(self, where: str, dataset: SequenceDataset) -> None:
        """Refuse tokens that mean other letters than those of the model."""
        found = dataset.tokenizer
        if found is not None and self.tokenizer is not None and found.tokens != self.tokenizer.tokens:
            raise ValueError(
                f"{where}: the dataset was made by another tokenizer than the model's, so its token numbers mean other "
                "letters; make it by SequenceDataset.from_texts(texts, model.tokenizer)"
            )

    def _check_per_step(self, where: str, dataset: Any) -> None:
        """Refuse labels of steps where the model's are of sequences, and the other way round."""

    def _check_labels(self, where: str, y: NDArray[Any], w: NDArray[Any], place: Place | None = None) -> None:
        """Refuse labels that the loss cannot take; those of steps come end to end, with the place of each."""

    def _check_sequences(self, where: str, X: RaggedArray) -> None:
        """Refuse tokens that the vocabulary lacks, and features that are not finite or too few."""
        if self.tokenizer is not None:
            if X.values.ndim != 1:
                raise ValueError(f"{where}: this model reads token numbers, (steps,); got sequences of shape {X.shape}")
            if len(X.values) and X.values.max() >= self.tokenizer.size:
                row, step = X.place(int(np.flatnonzero(X.values >= self.tokenizer.size)[0]))
                raise ValueError(
                    f"{where}: unknown token {X[row][step]} at row {row}, step {step}; the vocabulary ends at "
                    f"{self.tokenizer.size - 1}"
                )
            return
        if len(X.values) and X.values.shape[1:] != (self.n_features,):
            raise ValueError(f"{where}: sequences must be (steps, {self.n_features}), got shape {X.shape[1:]}")
        with np.errstate(invalid="ignore"):
            good = abs(X.values) <= _LARGEST
        if not good.all():
            at, column = (int(i) for i in np.argwhere(~good)[0])
            row, step = X.place(at)
            raise ValueError(
                f"{where}: X holds {X.values[at, column]} at row {row}, step {step}, column {column}; impute or drop it"
            )

    def _validation_rows(self, dataset: Any) -> Any:
        return dataset.select(np.argsort(dataset.lengths, kind="stable"))  # less padding, the same mean

    def _by_length(self, X: RaggedArray) -> list[NDArray[np.int64]]:
        """Rows in batches of alike lengths, none of too many steps."""
        order, lengths = np.argsort(X.lengths, kind="stable"), X.lengths
        batches, start = [], 0
        while start < len(order):
            stop = start + 1
            while stop < len(order) and (stop + 1 - start) * lengths[order[stop]] <= _PREDICT_STEPS:
                stop += 1
            batches.append(order[start:stop])
            start = stop
        return batches

    def summary(self) -> str:
        """Return a table of the net's layers and parameters; shapes are not shown, since lengths differ."""
        return self.module.summary()
