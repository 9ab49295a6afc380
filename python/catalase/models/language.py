"""LanguageModel: the probability of each next token, and new sequences drawn from it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import nn, ops
from .._registry import register
from ..autograd import Tensor, no_grad
from ..data import SequenceBatch
from ..data.tokenizer import END, PAD, START, UNKNOWN, CharTokenizer
from ._language_net import LanguageNet, Rows, Steps
from ._sequence_net import FIELDS, SequenceModel
from ._settings import is_count, is_number

_SAMPLE_ROWS = 1000  # sequences drawn at a time


@register("LanguageModel", **FIELDS)
class LanguageModel(SequenceModel):
    """A recurrent net that gives the probability of each next token, trained by likelihood; and draws new sequences.

    Parameters
    ----------
    tokenizer : CharTokenizer, SmilesTokenizer or DNATokenizer
        Saved with the model.
    cell : {"gru", "lstm", "rnn"}
    embedding_size, hidden_size, num_layers : int
    dropout : float
        Between recurrent layers, and before the dense output.
    clip_norm : float, optional
        Gradients of a larger norm are scaled down to it.
    batch_size : int
    learning_rate : float or schedule
        Of Adam.
    seed : int, optional
        Same seed, same bits, for any number of threads.

    Notes
    -----
    Trained on a `data.SequenceDataset` of tokens, labels not looked at: each sequence gets ``<start>`` before and ``<end>``
    behind it, and every token but the start is predicted from those before. Losses are means over these tokens, in nats;
    padding is not among them. A weight of a sequence is that of its tokens. An empty sequence is ``<end>`` alone.

    References
    ----------
    Segler et al., "Generating focused molecule libraries for drug discovery with recurrent neural networks",
    doi:10.1021/acscentsci.7b00512.

    Examples
    --------
    >>> import catalase as ct
    >>> smiles = ["CCO", "CCN", "CCCO"]
    >>> tokenizer = ct.data.SmilesTokenizer.fit(smiles)
    >>> model = ct.models.LanguageModel(tokenizer, hidden_size=16, embedding_size=8, learning_rate=0.02, seed=0)
    >>> history = model.fit(ct.data.SequenceDataset.from_texts(smiles, tokenizer), nb_epoch=30)
    >>> history["loss"][-1] < history["loss"][0]
    True
    >>> len(model.sample(5, prefix="CC", seed=1))
    5
    """

    fields = tuple(FIELDS)

    def __init__(
        self,
        tokenizer: CharTokenizer,
        cell: str = "gru",
        embedding_size: int = 64,
        hidden_size: int = 256,
        num_layers: int = 1,
        dropout: float = 0.0,
        clip_norm: float | None = 5.0,
        batch_size: int = 100,
        learning_rate: Any = 1e-3,
        seed: int | None = None,
    ) -> None:
        if tokenizer is None:
            raise TypeError("LanguageModel: needs a tokenizer, such as catalase.data.SmilesTokenizer.fit(texts)")
        super().__init__(
            tokenizer,
            cell,
            embedding_size,
            hidden_size,
            num_layers,
            dropout,
            clip_norm,
            batch_size,
            learning_rate,
            seed,
        )
        rng = nn.init.generator(self.seed)
        embedding = self._embedding(rng)
        recurrent = self._recurrent(self.embedding_size, rng)
        head = nn.Linear(recurrent.output_size, tokenizer.size, rng=rng)
        self.module = LanguageNet(embedding, recurrent, self.dropout, head)
        self.loss = nn.losses.SoftmaxCrossEntropy()

    def predict(self, dataset: Any, transformers: Any = ()) -> NDArray[Any]:
        """Return the log-likelihood of each sequence, ``<end>`` included, in nats.

        Parameters
        ----------
        dataset : SequenceDataset, or list of sequences or texts
        transformers
            Not used.

        Returns
        -------
        ndarray, shape (N,), float64
            A sequence's bits do not depend on those beside it.
        """
        X = self._sequences("LanguageModel.predict", dataset).X
        self._check_sequences("LanguageModel.predict", X)
        result = np.zeros(len(X))
        for rows, steps, losses, _ in self._scored(X):
            owner = np.repeat(np.arange(len(rows)), steps.lengths)
            result[rows] = -np.bincount(owner, losses, minlength=len(rows))
        return result

    def predict_on_batch(self, X: Any) -> NDArray[Any]:
        """Return what `predict` does."""
        return self.predict(X)

    def evaluate(self, dataset: Any) -> dict[str, float]:  # type: ignore[override]
        """Score the model on sequences or texts; on every token but the start.

        Parameters
        ----------
        dataset : SequenceDataset or list
            A weight of 0 leaves a sequence out; other weights are not looked at.

        Returns
        -------
        dict of str to float
            "loss", mean over the tokens in nats; "perplexity", its exponential; "accuracy", how often the likeliest token
            was the right one.
        """
        where = "LanguageModel.evaluate"
        data = self._sequences(where, dataset)
        self._check_sequences(where, data.X)
        counts = Rows(where, data).weights != 0
        total, right, tokens = 0.0, 0, 0
        for rows, steps, losses, hits in self._scored(data.X):
            kept = np.repeat(counts[rows], steps.lengths)
            total, right, tokens = total + losses[kept].sum(), right + int(hits[kept].sum()), tokens + int(kept.sum())
        if not tokens:
            raise ValueError(f"{where}: there is no sequence that counts")
        loss = float(total) / tokens
        return {"loss": loss, "perplexity": math.exp(loss), "accuracy": right / tokens}

    def sample(
        self,
        n: int,
        temperature: float = 1.0,
        prefix: str = "",
        seed: int | None = None,
        max_length: int = 200,
    ) -> list[str]:
        """Draw new sequences, token by token, the state carried on; those that have ended take no more time.

        Parameters
        ----------
        n : int
        temperature : float
            1 draws by the model's probabilities; less prefers likely tokens, 0 takes the likeliest; more the unlikely.
        prefix : str
            What all samples begin with.
        seed : int, optional
            Same seed, same samples; the first k of n are those of ``sample(k)``. Fresh entropy where left out.
        max_length : int
            Tokens at most, after the prefix; a sequence that has not ended by then is cut.

        Returns
        -------
        list of str
            With the prefix. ``<pad>``, ``<start>`` and ``<unk>`` are never drawn.

        Raises
        ------
        ValueError
            For numbers out of range, or a prefix of unknown tokens.
        """
        if not is_count(n, 0) or not is_count(max_length):
            raise ValueError(f"LanguageModel.sample: n and max_length must be whole numbers, got {n!r}, {max_length!r}")
        if not is_number(temperature) or not 0 <= temperature < math.inf:
            raise ValueError(f"LanguageModel.sample: temperature must be 0 or more, got {temperature!r}")
        assert self.tokenizer is not None
        start = np.concatenate([[START], self.tokenizer.encode(prefix)]).astype(np.int32)
        rng = np.random.Generator(np.random.Philox(seed))
        self.module.eval()
        texts: list[str] = []
        with no_grad():
            for first in range(0, n, _SAMPLE_ROWS):
                chances = rng.random((min(n - first, _SAMPLE_ROWS), max_length))
                texts += [prefix + self.tokenizer.decode(row) for row in self._draw(start, chances, temperature)]
        return texts

    def _draw(self, start: NDArray[np.int32], chances: NDArray[Any], temperature: float) -> NDArray[np.int32]:
        """Tokens (N, max_length) after the start, ``<pad>`` behind the end; a random number for each."""
        drawn = np.full(chances.shape, PAD, np.int32)
        rows = np.arange(len(chances))
        tokens, state = np.tile(start, (len(rows), 1)), None
        for step in range(chances.shape[1]):
            lengths = np.full(len(rows), tokens.shape[1])
            logits, state = self.module(SequenceBatch(tokens, lengths), state)
            last = logits.numpy().reshape(len(rows), tokens.shape[1], -1)[:, -1]
            picked = _pick(last, chances[rows, step], temperature)
            goes_on = picked != END
            rows, tokens = rows[goes_on], picked[goes_on, None]
            drawn[rows, step] = tokens[:, 0]
            if not len(rows):
                break
            state = _rows_of(state, goes_on)
        return drawn

    def _training_rows(self, dataset: Any) -> Any:
        return Rows("LanguageModel.fit", dataset)

    def _validation_rows(self, dataset: Any) -> Any:
        return Rows("LanguageModel.fit (valid)", super()._validation_rows(dataset))

    def _forward(self, module: nn.Module, X: Any) -> Tensor:
        logits: Tensor = module(X)[0]
        return logits

    def _scored(self, X: Any) -> Iterator[tuple[NDArray[np.int64], Steps, NDArray[Any], NDArray[np.bool_]]]:
        """Yield rows, their steps, and each step's loss and whether the likeliest token was right."""
        self.module.eval()
        for rows in self._by_length(X):
            steps = Steps(X.padded(rows))
            targets = steps.targets()
            with no_grad():
                logits = self._forward(self.module, steps).numpy()
            losses = ops.softmax_cross_entropy(logits, targets).astype(np.float64)
            yield rows, steps, losses, logits.argmax(axis=1) == targets


def _pick(logits: NDArray[Any], chances: NDArray[Any], temperature: float) -> NDArray[np.int32]:
    """One token a row: that in whose part of the row's probability the random number falls."""
    scores = logits.astype(np.float64)
    scores[:, [PAD, START, UNKNOWN]] = -np.inf
    if temperature == 0:
        return scores.argmax(axis=1).astype(np.int32)
    with np.errstate(over="ignore"):
        parts = np.exp((scores - scores.max(axis=1, keepdims=True)) / temperature).cumsum(axis=1)
    below = (parts <= chances[:, None] * parts[:, -1:]).sum(axis=1)
    return np.minimum(below, parts.shape[1] - 1).astype(np.int32)  # a product that rounds up to all of it


def _rows_of(state: Any, rows: NDArray[np.bool_]) -> Any:
    """The state of some sequences: (N, H), or (K, N, H), or a pair of these."""
    if isinstance(state, tuple):
        return tuple(_rows_of(part, rows) for part in state)
    return Tensor(np.ascontiguousarray(state.data[..., rows, :]))
