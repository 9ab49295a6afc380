"""Models that read sequences: SequenceClassifier, SequenceRegressor, and what they share with LanguageModel."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import nn, optim
from .._internal.numbers import shown
from .._internal.registry import Bool, Int, Object, Str
from ..autograd import no_grad
from ..data import SequenceBatch, SequenceDataset
from ..data.batch import Batches, batches_of
from ..data.ragged import RaggedArray
from ..data.tokenizer import PAD, CharTokenizer
from ..feat import Featurizer
from ..nn.onnx import Graph
from ..trans import Transformer
from .datapoints import is_list_of_arrays
from .labels import Place, check_classes, check_numbers, flat
from .net import NetModel
from .sequence_net import POOLS, SequenceNet
from .settings import N_CLASSES, N_TASKS, TRAINING, Settings, Share, declared, is_count
from .transformer import TransformerReader
from .truncation import read_ahead, step_batches

CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
KINDS = [*CELLS, "transformer"]
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


class _Heads(Int):
    """A number that a later version added; the config of a model where it is 4 is that of earlier versions."""

    def __init__(self) -> None:
        super().__init__(1, 10_000, optional=True)

    def writes(self, value: Any) -> bool:
        return bool(value != 4)


class SequenceModel(NetModel):
    """What all models of sequences share: recurrent layers, a pool over the time steps or none, a dense output."""

    settings = TRAINING | Settings(
        n_tasks=N_TASKS,
        tokenizer=_Tokenizer(CharTokenizer, none=True),
        n_features=Int(1, 10_000_000, none=True),
        n_classes=N_CLASSES,
        cell=Str(choices=KINDS),
        embedding_size=Int(1, 1_000_000),
        hidden_size=Int(1, 1_000_000),
        num_layers=Int(1, 1000),
        num_heads=_Heads(),
        dropout=Share(),
        bidirectional=Bool(),
        pool=Str(choices=list(POOLS)),
        per_step=Bool(optional=True),
        truncation=_Truncation(1, none=True, optional=True),
    )
    tokenizer: CharTokenizer | None
    cell: str
    embedding_size: int
    hidden_size: int
    num_layers: int
    num_heads: int
    dropout: float
    truncation: int | None
    n_tasks: int
    n_classes: int
    n_features: Any = None  # a whole number without a tokenizer
    bidirectional = False
    pool: str | None = None
    per_step = False

    def _check_settings(self) -> None:
        """Refuse settings of a model that predicts tasks, where they do not fit each other."""
        name = type(self).__name__
        if (self.tokenizer is None) == (self.n_features is None):
            raise ValueError(f"{name}: give tokenizer for sequences of tokens, or n_features for feature vectors")
        if self.per_step and self.pool != "last":
            raise ValueError(f"{name}: with per_step=True no steps are pooled; leave pool={self.pool!r} out")
        if self.bidirectional and self.truncation is not None:
            raise ValueError(
                f"{name}: truncation carries the state from the first step on, and bidirectional=True reads from the last "
                "too; leave one of them out"
            )

    def _net(self, shape: tuple[int, ...]) -> SequenceNet:
        rng = nn.init.generator(self.seed)
        embedding, inputs = None, self.n_features
        if self.tokenizer is not None:
            embedding = nn.Embedding(self.tokenizer.size, self.embedding_size, PAD, rng=rng)
            inputs = self.embedding_size
        recurrent = self._reader(inputs, rng)
        head = nn.Linear(recurrent.output_size, int(np.prod(shape)), rng=rng)
        return SequenceNet(embedding, recurrent, None if self.per_step else self.pool, self.dropout, head, shape)

    def _reader(self, inputs: int, rng: np.random.Generator) -> Any:
        """The layers that read the sequences."""
        if self.cell == "transformer":
            where = type(self).__name__
            if self.truncation is not None:
                raise ValueError(f'{where}: truncation carries a recurrent state; leave it out with cell="transformer"')
            if self.hidden_size % self.num_heads:
                raise ValueError(
                    f"{where}: hidden_size must be a multiple of num_heads, got {self.hidden_size} and {self.num_heads}"
                )
            return TransformerReader(
                inputs, self.hidden_size, self.num_heads, self.num_layers, self.dropout, self.bidirectional, rng
            )
        return CELLS[self.cell](
            inputs, self.hidden_size, num_layers=self.num_layers, dropout=self.dropout if self.num_layers > 1 else 0.0,
            bidirectional=self.bidirectional, rng=rng,
        )  # fmt: skip

    def _training_rows(self, dataset: Any) -> Batches:
        return step_batches(dataset, self.truncation) if self.per_step else batches_of(dataset, self._batch)

    def _validation_rows(self, dataset: Any) -> Batches:
        rows = by_length(dataset)
        return step_batches(rows, None) if self.per_step else batches_of(rows, self._batch)

    def _batch(self, X: SequenceBatch) -> SequenceBatch:
        X.checked = type(self.module) is SequenceNet  # another net may know fewer tokens than the tokenizer has
        return X

    def _forward(self, module: Any, X: Any) -> Any:
        if X.carried is not None:
            output, state = module(X, X.carried.state)
            X.carried.state = nn.detach_state(state)
        elif self.truncation is not None and module.training and module.pool is not None:
            last, before = read_ahead(module, X, self.truncation)
            output, _ = module(last, None, before)
        else:
            output, _ = module(X)
        return output

    def predict(
        self,
        dataset: Any,
        transformers: Sequence[Transformer] | None = None,
        raw: bool = False,
        errors: str = "raise",
    ) -> Any:
        """Return the predictions for a dataset, or for a list of sequences or (with a tokenizer) of texts.

        Parameters
        ----------
        dataset : SequenceDataset, list, or a SequenceBatch, which goes through the net all at once
        transformers : sequence of Transformer, optional
            Those that changed y are undone, instead of the model's own.
        raw : bool
            Undo nothing: the net's own scale.
        errors : {"raise", "mask"}
            What to do with a SMILES that cannot be read, where ``model.featurizer`` is a `catalase.feat.SmilesTokens`:
            raise, naming its row, or give NaN. Without a featurizer texts are tokenized, and not read.

        Returns
        -------
        ndarray; list of ndarray with ``per_step``
            (N, tasks) for regression, (N, tasks, classes) probabilities for classification, in the order of the rows;
            with ``per_step`` an array of each sequence's own length, (T_i, tasks) or (T_i, tasks, classes). A sequence's
            bits do not depend on those beside it.

        Raises
        ------
        TypeError, ValueError
            For sequences of another kind, unknown tokens and NaN, naming row and step.
        """
        return super().predict(dataset, transformers, raw, errors)

    def _datapoints(self, where: str, given: Any, featurizer: Featurizer | None) -> list[Any] | None:
        """Texts, where the featurizer makes sequences of them; else the net reads texts and sequences itself."""
        if featurizer is None or not featurizer.makes_sequences or self.per_step:
            return None
        if isinstance(given, RaggedArray) or is_list_of_arrays(given):
            return None
        return super()._datapoints(where, given, featurizer)

    def _check_width(self, where: str, featurizer: Featurizer) -> None:
        self._check_tokenizer(where, featurizer, "model.featurizer has", "set SmilesTokens(model.tokenizer)")

    def _by_row(self, where: str, rows: Any, predictions: NDArray[Any]) -> Any:
        """With ``per_step`` an array of each sequence's own length."""
        if not self.per_step:
            return predictions
        lengths = rows.lengths if isinstance(rows, SequenceBatch) else self._sequences(where, rows).X.lengths
        return list(RaggedArray(predictions, np.concatenate([[0], np.cumsum(lengths)])))

    def _raw(self, where: str, rows: Any) -> NDArray[Any]:
        """Predictions in one array, of steps end to end; a `SequenceBatch` goes through the net as it is."""
        if isinstance(rows, SequenceBatch):
            return self._outputs(rows)
        X = self._sequences(where, rows).X
        self._check_sequences(where, X)
        none = self._outputs(X.padded(np.zeros(0, np.int64)))
        whole = np.empty((len(X.values) if self.per_step else len(X), *none.shape[1:]), none.dtype)
        for chosen in self._by_length(X):
            whole[X.places(chosen)[0] if self.per_step else chosen] = self._outputs(X.padded(chosen))
        return whole

    def _outputs(self, X: SequenceBatch) -> NDArray[Any]:
        with nn.inference(), no_grad():
            return self._output(self._forward(self.module, X))

    def _onnx_inputs(self, graph: Graph) -> list[Any]:
        if self.tokenizer is None:
            x = graph.input("X", np.float32, ("N", "T", self.n_features))
        else:
            x = graph.input("tokens", np.int64, ("N", "T"))
        return [x, graph.input("lengths", np.int64, ("N",))]

    def _onnx_metadata(self) -> dict[str, str]:
        tokens = {} if self.tokenizer is None else {"tokens": json.dumps(list(self.tokenizer.tokens))}
        return super()._onnx_metadata() | tokens

    def _check_to_score(self, where: str, dataset: Any) -> None:
        self._check_per_step(where, dataset)
        super()._check_to_score(where, dataset)

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

    def _check_tokenizer(
        self,
        where: str,
        of: Any,
        what: str = "the dataset was made by",
        advice: str = "make it by SequenceDataset.from_texts(texts, model.tokenizer)",
    ) -> None:
        """Refuse tokens, of a dataset or a featurizer, that mean other letters than those of the model."""
        found = getattr(of, "tokenizer", None)
        if found is not None and self.tokenizer is not None and found.tokens != self.tokenizer.tokens:
            raise ValueError(
                f"{where}: {what} another tokenizer than the model's, so its token numbers mean other letters; {advice}"
            )

    def _check_per_step(self, where: str, dataset: Any) -> None:
        """Refuse labels of steps where the model's are of sequences, and the other way round."""
        if isinstance(dataset, SequenceDataset) and dataset.per_step != self.per_step:
            given = "has a label a step" if dataset.per_step else "has no labels of steps"
            raise ValueError(
                f"{where}: this model was made with per_step={self.per_step}, but the dataset {given}; give "
                f"{'the SequenceDataset' if self.per_step else 'the model'} per_step=True"
            )

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


def by_length(dataset: SequenceDataset) -> SequenceDataset:
    """The rows in the order of their lengths: batches of less padding, and the same mean."""
    return dataset.select(np.argsort(dataset.lengths, kind="stable"))


@declared
class SequenceClassifier(SequenceModel):
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
    cell : {"gru", "lstm", "rnn", "transformer"}
    embedding_size, hidden_size, num_layers : int
    dropout : float
        Between recurrent layers, and before the dense output.
    bidirectional : bool
        Read from both ends; with "transformer", a step sees also those after it.
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
    num_heads : int
        Heads of attention with ``cell="transformer"``; ``hidden_size`` must be a multiple of it.

    Notes
    -----
    Trained on a `data.SequenceDataset`; labels, weights, loss and metrics as `MultitaskClassifier`: NaN, or weight 0, is
    a missing label. Padding is never read. A sequence of no steps (kept by ``empty="keep"``, or in a list given to
    `predict`) gives what zeros at the dense output's input give. Unknown tokens are the tokenizer's affair; token
    numbers beyond its vocabulary, and NaN in features, are refused with row and step.

    With ``per_step`` the loss is the mean over the steps of a batch, each the same, those without a label among them as
    everywhere; metrics see all steps that have labels, end to end. `predict` returns a list, an array of each sequence's
    own length.

    With ``truncation`` and ``per_step`` a batch is run in parts of that many steps from the first on: an optimizer step
    a part, the state carried to the next part without its gradient. Without ``per_step`` a sequence has one loss, at
    its end: all but its last ``truncation`` steps are read first and nothing of them is kept; an optimizer step a batch.
    No shorter than the longest sequence, it changes no bit. ``valid_loss`` and predictions are not truncated.

    With ``cell="transformer"`` tokens or features are projected to ``hidden_size`` values, sinusoidal positions are added,
    and ``num_layers`` layers of attention and of a dense block (`catalase.nn.TransformerEncoder`, normalized before, GELU)
    read them. ``pool="last"`` takes the output at the last step.

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
        num_heads: int = 4,
    ) -> None:
        self._set(locals())
        self._check_settings()
        self._start(self._net((self.n_tasks, self.n_classes)), nn.losses.SoftmaxCrossEntropy())

    def _check_labels(self, where: str, y: NDArray[Any], w: NDArray[Any], place: Place | None = None) -> None:
        check_classes(where, y, w, self.n_tasks, self.n_classes, place)


@declared
class SequenceRegressor(SequenceModel):
    """Recurrent layers over a sequence, and one number for each task, trained on squared error.

    Parameters
    ----------
    n_tasks, tokenizer, n_features, cell, embedding_size, hidden_size, num_layers, dropout, bidirectional, pool, \
clip_norm, batch_size, learning_rate, seed, per_step, truncation, optimizer, num_heads
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
        num_heads: int = 4,
    ) -> None:
        self._set(locals())
        self._check_settings()
        self._start(self._net((self.n_tasks,)), nn.losses.L2Loss())

    def _check_labels(self, where: str, y: NDArray[Any], w: NDArray[Any], place: Place | None = None) -> None:
        check_numbers(where, y, w, self.n_tasks, place)
