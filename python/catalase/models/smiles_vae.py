"""SmilesVAE: texts as points of a continuous space, from which new texts are written."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import nn, optim, train
from .._internal.numbers import listed, number, shown, whole_number
from .._internal.registry import Float, Int
from ..autograd import Tensor, concatenate, no_grad
from ..backends import to_device, to_host
from ..data import SequenceBatch, SequenceDataset
from ..data.batch import Batches
from ..data.tokenizer import END, PAD, START, UNKNOWN, CharTokenizer
from .autoencoder import Evidence, RandomLayer, Sampling, Variational, latent_variables
from .labels import check_numbers
from .language import behind_start, pick, scored, targets
from .sequence import CELLS, SequenceModel, by_length
from .sequence_net import packed
from .settings import Settings, Share, declared
from .truncation import state_of

_DRAWN_ROWS = 1000  # texts that are written at a time


class _TokenDropout(RandomLayer):
    """While training, put ``<unk>`` in the place of a share of the tokens that the decoder is shown."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, tokens: NDArray[Any]) -> NDArray[Any]:
        if not self.training or not self.rate:
            return tokens
        hidden = self.generator().random(tokens.shape, np.float32) < self.rate
        return np.where(hidden & (tokens != PAD) & (tokens != START), tokens.dtype.type(UNKNOWN), tokens)


class _Net(nn.Module):
    """A recurrent encoder of tokens, a draw, and a recurrent decoder that is shown the latent variables at every step."""

    def __init__(self, model: SmilesVAE, rng: np.random.Generator) -> None:
        super().__init__()
        size, wide, deep, latent = model.embedding_size, model.hidden_size, model.num_layers, model.latent_size
        assert model.tokenizer is not None
        kind, tokens = CELLS[model.cell], model.tokenizer.size
        self.latent_size, self.deep, self.wide, self.lstm = latent, deep, wide, model.cell == "lstm"
        self.embedding = nn.Embedding(tokens, size, PAD, rng=rng)
        self.encoder = kind(size, wide, num_layers=deep, rng=rng)
        self.latent = nn.Linear(wide, 2 * latent, rng=rng)
        self.sampling = Sampling()
        self.first = nn.Linear(latent, deep * wide, "tanh", rng=rng)
        self.shown = _TokenDropout(model.token_dropout)
        self.decoder = kind(size + latent, wide, num_layers=deep, rng=rng)
        self.head = nn.Linear(wide, tokens, rng=rng)
        self.properties = nn.Linear(latent, model.n_properties, rng=rng) if model.n_properties else None
        self.epochs = nn.Buffer(np.zeros((), np.float32))

    def distribution(self, batch: SequenceBatch) -> tuple[Tensor, Tensor]:
        """Return means and log variances of the latent variables, each (N, L)."""
        _, state = self.encoder(self.embedding(batch.values), None, batch.lengths)
        h = state[0] if isinstance(state, tuple) else state
        found = self.latent(h if h.ndim == 2 else h[-1])
        return found[:, : self.latent_size], found[:, self.latent_size :]

    def start(self, z: Tensor) -> Any:
        """Return the decoder's first state."""
        h = self.first(z)
        if self.deep > 1:
            h = h.reshape(len(z), self.deep, self.wide).transpose(1, 0, 2)
        return (h, h * 0.0) if self.lstm else h

    def write(self, z: Tensor, batch: SequenceBatch, state: Any) -> tuple[Tensor, Any]:
        """Return logits of the token behind each that is there, (steps, V), and the last state."""
        shown = self.embedding(self.shown(batch.values))
        ones = Tensor(to_device(np.ones((1, shown.shape[1], 1), z.dtype), self.device))
        every = z.reshape(len(z), 1, self.latent_size) * ones
        y, state = self.decoder(concatenate([shown, every], axis=-1), state, batch.lengths)
        return self.head(packed(y, batch.mask)), state

    def forward(self, batch: SequenceBatch) -> Any:
        mean, log_variance = self.distribution(batch)
        z = self.sampling(mean, log_variance)
        logits, _ = self.write(z, behind_start(batch), self.start(z))
        guess = None if self.properties is None else self.properties(mean)
        return logits, mean, log_variance, guess


class _Loss(Evidence):
    """The bound on the evidence of a text, and the squared error of its properties."""

    def __init__(self, beta: float, weight: float) -> None:
        super().__init__(nn.losses.SoftmaxCrossEntropy(), 1.0, beta)
        self.weight = weight

    def __call__(self, output: Any, y: Any, w: Any) -> Tensor:
        *evidence, guess = output
        following, labels, weights = y
        found = super().__call__(tuple(evidence), following, None)
        return found if guess is None else found + nn.losses.L2Loss()(guess, labels, weights) * self.weight


@declared
class SmilesVAE(Variational, SequenceModel):
    """A variational autoencoder of texts: SMILES, or sequences of a protein; with properties beside them, on request.

    Parameters
    ----------
    tokenizer : CharTokenizer, SmilesTokenizer or DNATokenizer
        Saved with the model.
    latent_size : int
        Numbers that a text is encoded in.
    cell : {"gru", "lstm", "rnn"}
    embedding_size, hidden_size, num_layers : int
        Of the encoder and of the decoder, which share the embedding.
    token_dropout : float
        Share of the tokens that the decoder is not shown while training, so that it must read the latent variables
        (Bowman et al., arXiv:1511.06349).
    n_properties : int
        Columns of y that are predicted from the latent variables too, so that these are ordered by them.
    property_weight : float
        Of their squared error in the loss.
    beta, annealing_epochs
        As `VAE`.
    clip_norm, batch_size, learning_rate, seed, optimizer
        As `LanguageModel`.

    Notes
    -----
    Trained on a `data.SequenceDataset` of tokens, or on texts by `fit_sequences`. The decoder starts from the latent
    variables, is shown them at every step, and gives the probability of each next token. The loss of a text is
    ``reconstruction + beta * KL``, the reconstruction being summed over its tokens, ``<end>`` included; the history has
    both apart, as that of `VAE`. `fit_sequences`, `predict_from_sequences`, `predict_embeddings` and
    `predict_from_embeddings` have the names of DeepChem's ``SeqToSeq`` and ``AspuruGuzikAutoEncoder``, whose encoder is
    convolutional.

    `predict` gives the properties, (N, n_properties), on the scale of y; without any, the log-likelihood of each text,
    written from its own means, (N,).

    References
    ----------
    Gomez-Bombarelli et al., "Automatic chemical design using a data-driven continuous representation of molecules",
    doi:10.1021/acscentsci.7b00572.

    Examples
    --------
    >>> import catalase as ct
    >>> smiles = ["CCO", "CCN", "CCCO"]
    >>> tokenizer = ct.data.SmilesTokenizer.fit(smiles)
    >>> model = ct.models.SmilesVAE(tokenizer, 4, embedding_size=8, hidden_size=16, seed=0)
    >>> history = model.fit_sequences(smiles, nb_epoch=3)
    >>> model.encode(smiles).shape, len(model.sample(5, seed=0)), len(model.interpolate("CCO", "CCN", 4))
    ((3, 4), 5, 4)
    """

    settings = SequenceModel.settings | Settings(
        latent_size=Int(1, 1_000_000),
        token_dropout=Share(),
        n_properties=Int(0, 10_000),
        property_weight=Float(low=0),
        beta=Float(low=0),
        annealing_epochs=Int(0, 1_000_000),
    )
    latent_size: int
    token_dropout: float
    n_properties: int
    property_weight: float

    def __init__(
        self,
        tokenizer: CharTokenizer,
        latent_size: int = 196,
        cell: str = "gru",
        embedding_size: int = 64,
        hidden_size: int = 256,
        num_layers: int = 1,
        token_dropout: float = 0.0,
        n_properties: int = 0,
        property_weight: float = 1.0,
        beta: float = 1.0,
        annealing_epochs: int = 0,
        clip_norm: float | None = 5.0,
        batch_size: int = 100,
        learning_rate: Any = 1e-3,
        seed: int | None = None,
        optimizer: str | optim.Optimizer | None = None,
    ) -> None:
        if tokenizer is None:
            raise TypeError("SmilesVAE: needs a tokenizer, such as catalase.data.SmilesTokenizer.fit(texts)")
        self._set(locals())
        self.truncation = None
        self._start(_Net(self, nn.init.generator(self.seed)), _Loss(self.beta, self.property_weight))

    # Training.
    def fit_sequences(
        self, sequences: Sequence[Any], nb_epoch: int = 10, progress: bool | None = None, y: Any = None
    ) -> train.History:
        """Train on texts; see `fit`.

        Parameters
        ----------
        sequences : sequence of str, or of pairs of equal str
            Pairs of input and output, as DeepChem takes them.
        nb_epoch : int
        progress : bool, optional
        y : array_like, shape (N, n_properties), optional
            The properties, where the model has some.

        Returns
        -------
        train.History
        """
        where = "SmilesVAE.fit_sequences"
        texts = listed(where, "sequences", sequences, "texts")
        for row, item in enumerate(texts):
            if isinstance(item, (tuple, list)) and len(item) == 2 and isinstance(item[0], str) and item[0] == item[1]:
                texts[row] = item[0]
            elif not isinstance(item, str):
                raise TypeError(
                    f"{where}: sequences must be texts, or pairs of a text and itself, got {shown(item)} at row {row}"
                )
        assert self.tokenizer is not None
        return self.fit(SequenceDataset.from_texts(texts, self.tokenizer, y), nb_epoch=nb_epoch, progress=progress)

    def _check_counts(self, where: str, dataset: Any, aim: str = "to learn from") -> None:
        if self.n_properties:
            super()._check_counts(where, dataset, aim)

    def _check_labels(self, where: str, y: Any, w: Any, place: Any = None) -> None:
        if self.n_properties:
            check_numbers(where, y, w, self.n_properties)

    def _walk(self, dataset: SequenceDataset) -> Batches:
        def iterbatches(batch_size: int, deterministic: bool = False, seed: int | None = None) -> Any:
            for X, y, w, ids in dataset.iterbatches(batch_size, 1, deterministic, seed=seed):
                yield X, (targets(behind_start(X)), y, w), None, ids  # type: ignore[arg-type]

        return Batches(dataset, iterbatches)

    def _validation_rows(self, dataset: Any) -> Batches:
        return self._walk(by_length(dataset))

    def _forward(self, module: Any, X: Any) -> Any:
        return module(X)

    # What is read.
    def _outputs(self, X: SequenceBatch) -> NDArray[Any]:
        with nn.inference(), no_grad():
            if self.module.properties is not None:  # type: ignore[attr-defined]
                found: NDArray[Any] = self.module.properties(self.module.distribution(X)[0]).numpy()  # type: ignore[attr-defined]
                return found
            steps = behind_start(X)
            losses = nn.losses.SoftmaxCrossEntropy().elementwise(self.module(X)[0], targets(steps), None).numpy()
        owner = np.repeat(np.arange(len(steps.lengths)), steps.lengths)
        return -np.bincount(owner, losses, minlength=len(steps.lengths)).astype(np.float64)  # whole numbers of no rows

    def _check_to_score(self, where: str, dataset: Any) -> None:
        if not self.n_properties:
            raise TypeError(f"{where}: the model predicts no properties to score; make it with n_properties")
        super()._check_to_score(where, dataset)

    def encode(self, X: Any) -> NDArray[np.float32]:
        """Return the means of the latent variables of texts or of a `data.SequenceDataset`, (N, latent_size)."""
        return self._encoded("SmilesVAE.encode", X)

    def predict_embeddings(self, sequences: Any) -> NDArray[np.float32]:
        """Return what `encode` returns, under DeepChem's name."""
        return self._encoded("SmilesVAE.predict_embeddings", sequences)

    def _encoded(self, where: str, rows: Any) -> NDArray[np.float32]:
        X = self._sequences(where, rows).X
        self._check_sequences(where, X)
        found = np.zeros((len(X), self.latent_size), np.float32)
        for chosen in self._by_length(X):
            with nn.inference(), no_grad():
                found[chosen] = self.module.distribution(X.padded(chosen))[0].numpy()  # type: ignore[attr-defined]
        return found

    # What is written.
    def decode(self, z: Any, temperature: float = 0.0, seed: int | None = None, max_length: int = 200) -> list[str]:
        """Write a text from each row of latent variables.

        Parameters
        ----------
        z : array_like, shape (N, latent_size)
        temperature : float
            0 takes the likeliest token at each step; 1 draws by the model's probabilities.
        seed : int, optional
            Of the draws.
        max_length : int
            Tokens at most; a text that has not ended by then is cut.

        Returns
        -------
        list of str
            ``<pad>``, ``<start>`` and ``<unk>`` are never written. They need not be molecules.
        """
        where = "SmilesVAE.decode"
        z = latent_variables(where, z, self.latent_size)
        return self._written(z, *self._how(where, temperature, seed, max_length))

    def predict_from_embeddings(self, embeddings: Any) -> list[str]:
        """Return the likeliest texts, as `decode` writes them, under DeepChem's name."""
        where = "SmilesVAE.predict_from_embeddings"
        z = latent_variables(where, embeddings, self.latent_size, "embeddings")
        return self._written(z, *self._how(where, 0.0, None, 200))

    def predict_from_sequences(self, sequences: Any) -> list[str]:
        """Return the texts that are written from the means of texts: what the model makes of them."""
        return self._written(
            self._encoded("SmilesVAE.predict_from_sequences", sequences), *self._how("", 0.0, None, 200)
        )

    def sample(self, n: int, temperature: float = 1.0, seed: int | None = None, max_length: int = 200) -> list[str]:
        """Write new texts from draws of N(0, I); arguments as `decode`."""
        where = "SmilesVAE.sample"
        n = whole_number(where, "n", n, 0, 2**40)
        how = self._how(where, temperature, seed, max_length)
        return self._written(how[1].standard_normal((n, self.latent_size), np.float32), *how)

    def interpolate(self, first: str, last: str, steps: int = 10) -> list[str]:
        """Write the texts on the line between the means of two texts, ends included."""
        where = "SmilesVAE.interpolate"
        for name, text in (("first", first), ("last", last)):
            if not isinstance(text, str):
                raise TypeError(f"{where}: {name} must be a text, got {shown(text)}")
        steps = whole_number(where, "steps", steps, 2, 100_000)
        a, b = self._encoded(where, [first, last])
        return self._written(np.linspace(a, b, steps, dtype=np.float32), *self._how(where, 0.0, None, 200))

    def optimize(
        self,
        score: Callable[[list[str]], Any],
        n: int = 10,
        start: Sequence[str] | None = None,
        rounds: int = 20,
        spread: float = 1.0,
        seed: int | None = None,
    ) -> tuple[list[str], NDArray[np.float64]]:
        """Search the latent space for texts of a high score.

        Parameters
        ----------
        score : callable
            From a list of texts to a number each: the higher the better, NaN for what does not count, such as texts that
            are no molecules.
        n : int
            How many texts are returned.
        start : sequence of str, optional
            Where the search begins; draws from N(0, I) where left out.
        rounds : int
            In each, 10 n points are drawn around the best n so far, and written as texts.
        spread : float
            Standard deviation of the draws in the first round; it falls evenly to a tenth of that.
        seed : int, optional
            Same seed, same search.

        Returns
        -------
        texts : list of str
            The best different texts, best first; fewer than n where fewer counted.
        scores : ndarray
        """
        where = "SmilesVAE.optimize"
        if isinstance(score, type) or not callable(score):
            raise TypeError(f"{where}: score must be a function of a list of texts, got {shown(score)}")
        n, rounds = whole_number(where, "n", n, 1, 100_000), whole_number(where, "rounds", rounds, 1, 1_000_000)
        spread = number(where, "spread", spread, above=0, at_most=1e6)
        _, rng, *how = self._how(where, 0.0, seed, 200)
        if start is None:
            centers = rng.standard_normal((n, self.latent_size), np.float32)
        else:
            centers = self._encoded(where, start)
        best: dict[str, tuple[float, NDArray[Any]]] = {}
        z = centers
        for turn in range(rounds):
            texts = self._written(z, 0.0, rng, *how)
            fresh = {text: point for text, point in zip(texts, z, strict=True) if text not in best}
            for text, value in zip(fresh, scored(where, score, list(fresh)), strict=True):
                if not math.isnan(value):
                    best[text] = (value, fresh[text])
            order = sorted(best, key=lambda text: -best[text][0])[: 10 * n]
            best = {text: best[text] for text in order}
            around = np.array([best[text][1] for text in order[:n]]) if order else centers
            falling = spread * (1 - 0.9 * turn / max(1, rounds - 1))
            drawn = rng.standard_normal((10 * n, self.latent_size), np.float32) * np.float32(falling)
            z = np.resize(around, drawn.shape).astype(np.float32) + drawn
        return order[:n], np.array([best[text][0] for text in order[:n]])

    def _how(self, where: str, temperature: Any, seed: Any, max_length: Any) -> tuple[float, np.random.Generator, int]:
        temperature = number(where, "temperature", temperature, at_least=0)
        seed = self.settings["seed"].take(seed, where, "seed")
        max_length = whole_number(where, "max_length", max_length, 1, 2**31 - 1)
        return temperature, np.random.Generator(np.random.Philox(seed)), max_length

    def _written(
        self, z: NDArray[np.float32], temperature: float, rng: np.random.Generator, max_length: int
    ) -> list[str]:
        assert self.tokenizer is not None
        texts: list[str] = []
        with nn.inference(), no_grad():
            for first in range(0, len(z), _DRAWN_ROWS):
                part = z[first : first + _DRAWN_ROWS]
                texts += [self.tokenizer.decode(row) for row in self._tokens(part, temperature, rng, max_length)]
        return texts

    def _tokens(
        self, z: NDArray[np.float32], temperature: float, rng: np.random.Generator, max_length: int
    ) -> NDArray[np.int32]:
        """Tokens (N, T) written from latent variables, ``<pad>`` behind the end."""
        net: Any = self.module
        rows, columns = np.arange(len(z)), []
        given = Tensor(to_device(z, self.device))
        tokens, state = np.full((len(z), 1), START, np.int32), net.start(given)
        for _ in range(max_length):
            logits, state = net.write(given, SequenceBatch(tokens, np.ones(len(rows), np.int64)), state)
            picked = pick(to_host(logits.data), rng.random(len(z))[rows], temperature)
            goes_on = picked != END
            rows, tokens, state = rows[goes_on], picked[goes_on, None], state_of(state, goes_on)
            if not goes_on.all():
                given = Tensor(to_device(np.ascontiguousarray(z[rows]), self.device))
            column = np.full(len(z), PAD, np.int32)
            column[rows] = tokens[:, 0]
            columns.append(column)
            if not len(rows):
                break
        return np.stack(columns, axis=1)
