"""LanguageModel: the probability of each next token, and new sequences drawn from it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import nn, ops, optim
from .._internal.numbers import flag, is_number, shown, whole_number
from ..autograd import no_grad
from ..data import SequenceBatch, SequenceDataset
from ..data.batch import Batches
from ..data.tokenizer import END, PAD, START, UNKNOWN, CharTokenizer
from ..metrics import Metric
from ..nn.onnx import Graph, Value, steps_there
from .model import chosen_transformers, scores
from .sequence import SequenceModel, by_length
from .settings import declared, flags, is_count
from .truncation import parts, state_of, step_batch

_SAMPLE_ROWS = 1000  # sequences drawn at a time


@declared
class LanguageModel(SequenceModel):
    """A recurrent net that gives the probability of each next token, trained by likelihood; and draws new sequences.

    Parameters
    ----------
    tokenizer : CharTokenizer, SmilesTokenizer or DNATokenizer
        Saved with the model.
    cell : {"gru", "lstm", "rnn", "transformer"}
    embedding_size, hidden_size, num_layers : int
    dropout : float
        Between recurrent layers, and before the dense output.
    clip_norm : float, optional
        Gradients of a larger norm are scaled down to it.
    batch_size : int
    learning_rate : float or schedule
        A schedule of `catalase.optim` is saved with the model.
    seed : int, optional
        Same seed, same bits, for any number of threads.
    truncation : int, optional
        Truncated back-propagation through time: sequences are run in parts of this many tokens while training, an
        optimizer step a part, the state carried from one to the next without its gradient. What is kept for gradients
        is bounded by it. No shorter than the longest sequence with its start, it changes no bit.
    optimizer : str or optim.Optimizer, optional
        As `MultitaskClassifier`.
    num_heads : int
        Heads of attention with ``cell="transformer"``; ``hidden_size`` must be a multiple of it.

    Notes
    -----
    Trained on a `data.SequenceDataset` of tokens, labels not looked at: each sequence gets ``<start>`` before and ``<end>``
    behind it, and every token but the start is predicted from those before. Losses are means over these tokens, in nats;
    padding is not among them. A weight of a sequence is that of its tokens. An empty sequence is ``<end>`` alone.

    With ``cell="transformer"`` a causal `catalase.nn.TransformerEncoder` reads the tokens, as in `SequenceClassifier`;
    `sample` keeps the keys and values of the tokens that were drawn, so a token costs one step.

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
        truncation: int | None = None,
        optimizer: str | optim.Optimizer | None = None,
        num_heads: int = 4,
    ) -> None:
        if tokenizer is None:
            raise TypeError("LanguageModel: needs a tokenizer, such as catalase.data.SmilesTokenizer.fit(texts)")
        self._set(locals())
        self._start(self._net((tokenizer.size,)), nn.losses.SoftmaxCrossEntropy())

    def predict(self, dataset: Any, transformers: Any = None, raw: bool = False) -> NDArray[Any]:  # type: ignore[override]
        """Return the log-likelihood of each sequence, ``<end>`` included, in nats.

        Parameters
        ----------
        dataset : SequenceDataset, or list of sequences or texts
        transformers, raw
            Not used: there are no labels, whose units a transformer could have changed.

        Returns
        -------
        ndarray, shape (N,), float64
            A sequence's bits do not depend on those beside it.
        """
        chosen_transformers("LanguageModel.predict", transformers, raw)
        return self._raw("LanguageModel.predict", dataset)

    def _onnx_raw(self, graph: Graph, *inputs: Any) -> Value:
        tokens, lengths = inputs
        one = graph.op("Slice", graph.op("Shape", lengths, rank=1), np.array([0]), np.array([1]))
        column = graph.op("Expand", np.full((1, 1), START), graph.op("Concat", one, np.array([1]), axis=0))
        logits = graph.layer(
            self.module,
            graph.op("Concat", column, tokens, axis=1),
            graph.op("Add", lengths, np.int64(1)),
        )
        within = steps_there(graph, logits, lengths)
        following = graph.op("Where", within, graph.op("Concat", tokens, column, axis=1), np.int64(END), rank=2)
        chances = graph.op("LogSoftmax", logits, axis=-1)
        found = graph.op("GatherElements", chances, graph.op("Unsqueeze", following, np.array([2]), rank=3), axis=2)
        found = graph.op("Squeeze", found, np.array([2]), rank=2)
        there = steps_there(graph, logits, graph.op("Add", lengths, np.int64(1)))
        found = graph.op("Where", there, found, np.float32(0), rank=2)
        return graph.op("ReduceSum", found, np.array([1]), keepdims=0, rank=1)

    def _raw(self, where: str, rows: Any) -> NDArray[Any]:
        X = self._sequences(where, rows).X
        self._check_sequences(where, X)
        result = np.zeros(len(X))
        for chosen, steps, following, logits in self._scored(X):
            owner = np.repeat(np.arange(len(chosen)), steps.lengths)
            result[chosen] = -np.bincount(owner, _token_losses(logits, following), minlength=len(chosen))
        return result

    def evaluate(
        self,
        dataset: Any,
        metrics: Metric | Sequence[Metric] | None = None,
        transformers: Any = None,
        per_task_metrics: bool = False,
        use_sample_weights: bool = False,
        mask_missing: bool = True,
    ) -> Any:
        """Score the model on sequences or texts; on every token but the start.

        Parameters
        ----------
        dataset : SequenceDataset or list
            A sequence's weight is that of its tokens.
        metrics : Metric or list of Metric, optional
            Scored on each token: its number as the label, beside the probabilities of all tokens, which are then kept in
            memory together (4 bytes a token and token of the vocabulary). The three figures below where left out.
        transformers
            Not used.
        per_task_metrics : bool
            Also return a dict of lists, as `Model.evaluate` does; the next token is the one task.
        use_sample_weights : bool
            Weigh tokens; without it they all count the same.
        mask_missing : bool
            Leave out sequences of weight 0.

        Returns
        -------
        dict of str to float, or a pair of dicts
            Without ``metrics``: "loss", mean over the tokens in nats; "perplexity", its exponential; "accuracy", how often
            the likeliest token was the right one. With them, their scores by name.

        Raises
        ------
        TypeError, ValueError
            For sequences that the model does not read, metrics that are none, and where no sequence counts.
        """
        where = "LanguageModel.evaluate"
        chosen_transformers(where, transformers)
        flags(where, use_sample_weights=use_sample_weights, mask_missing=mask_missing)
        per_task_metrics = flag(where, "per_task_metrics", per_task_metrics)
        data = self._sequences(where, dataset)
        self._check_sequences(where, data.X)
        weights = _token_weights(where, data)
        if not np.any(weights if mask_missing or use_sample_weights else np.ones_like(weights)):
            raise ValueError(f"{where}: there is no sequence that counts in the dataset")
        if metrics is not None:
            return super().evaluate(data, metrics, None, per_task_metrics, use_sample_weights, mask_missing)
        if not use_sample_weights:
            weights = (weights != 0) | (not mask_missing)
        total, right, count = 0.0, 0.0, 0.0
        for rows, steps, following, logits in self._scored(data.X):
            w = np.repeat(weights[rows], steps.lengths).astype(np.float64)
            kept = w != 0  # what is left out may be anything, NaN too
            total += float(_token_losses(logits, following)[kept] @ w[kept])
            right, count = right + float((logits.argmax(axis=1) == following) @ w), count + float(w.sum())
        loss = total / count
        found = {"loss": loss, "perplexity": math.exp(loss), "accuracy": right / count}
        return (found, {name: [value] for name, value in found.items()}) if per_task_metrics else found

    def _to_score(self, where: str, dataset: Any, transformers: Any) -> NDArray[Any]:
        """The probabilities of each token, (steps, 1, V), in the order of `_compared`."""
        self._check_to_score(where, dataset)
        X = self._sequences(where, dataset).X
        return np.concatenate([ops.softmax(logits)[:, None] for *_, logits in self._scored(X)])

    def _compared(self, chosen: Any, dataset: Any, prediction: Any, undo: Any, **options: bool) -> Any:
        weights, following, w = _token_weights("LanguageModel.evaluate", dataset), [], []
        for rows in self._by_length(dataset.X):
            steps = behind_start(dataset.X.padded(rows))
            following.append(targets(steps))
            w.append(np.repeat(weights[rows], steps.lengths))
        return scores(chosen, np.concatenate(following), prediction, np.concatenate(w), **options)

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
        where = "LanguageModel.sample"
        for key, value, low in (("n", n, 0), ("max_length", max_length, 1)):
            if not is_count(value, low):
                raise ValueError(f"{where}: {key} must be a whole number, {low} or more, got {shown(value)}")
        if not is_number(temperature) or not 0 <= temperature < math.inf:
            raise ValueError(f"{where}: temperature must be 0 or more, got {shown(temperature)}")
        if not isinstance(prefix, str):
            raise TypeError(f"{where}: prefix must be a text, got {shown(prefix)}")
        seed = self.settings["seed"].take(seed, where, "seed")
        assert self.tokenizer is not None
        start = np.concatenate([[START], self.tokenizer.encode(prefix)]).astype(np.int32)
        rng = np.random.Generator(np.random.Philox(seed))
        texts: list[str] = []
        with nn.inference(), no_grad():
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
            picked = pick(last, chances[rows, step], temperature)
            goes_on = picked != END
            rows, tokens = rows[goes_on], picked[goes_on, None]
            drawn[rows, step] = tokens[:, 0]
            if not len(rows):
                break
            state = state_of(state, goes_on)
        return drawn

    def climb(
        self,
        score: Callable[[list[str]], Any],
        rounds: int = 10,
        n: int = 1000,
        keep: int = 100,
        nb_epoch: int = 2,
        temperature: float = 1.0,
        seed: int | None = None,
        max_length: int = 200,
    ) -> tuple[list[str], NDArray[np.float64]]:
        """Train the model towards texts of a high score: hill climbing.

        In each round n texts are drawn, and the model is trained on the best of all that were drawn so far.

        Parameters
        ----------
        score : callable
            From a list of different texts to a number each: the higher the better, NaN for what does not count, such as
            texts that are no molecules. Another model's `predict`, for example.
        rounds : int
        n : int
            Texts that are drawn in a round.
        keep : int
            How many of the best ones the model is trained on.
        nb_epoch : int
            Passes over these in each round.
        temperature, max_length
            As `sample`.
        seed : int, optional
            Same seed, same climb.

        Returns
        -------
        texts : list of str
            The best different texts of all rounds, best first; fewer than ``keep`` where fewer counted.
        scores : ndarray

        Notes
        -----
        The model itself changes; `save` it before, or climb with ``copy.copy(model)``. To tune it to a set of texts, call
        `fit` again with these.

        References
        ----------
        Segler et al., doi:10.1021/acscentsci.7b00512; Brown et al., "GuacaMol", arXiv:1811.09621 (hill climbing).

        Examples
        --------
        >>> import catalase as ct
        >>> texts = ["CCO", "CCN", "CCCO"]
        >>> model = ct.models.LanguageModel(ct.data.CharTokenizer.fit(texts), hidden_size=8, embedding_size=4, seed=0)
        >>> best, scores = model.climb(lambda texts: [len(t) for t in texts], rounds=2, n=20, keep=5, seed=0, max_length=9)
        >>> len(best), bool((scores[:-1] >= scores[1:]).all())
        (5, True)
        """
        where = "LanguageModel.climb"
        if isinstance(score, type) or not callable(score):
            raise TypeError(f"{where}: score must be a function of a list of texts, got {shown(score)}")
        counts = {"rounds": rounds, "n": n, "keep": keep, "nb_epoch": nb_epoch}
        rounds, n, keep, nb_epoch = (whole_number(where, key, value, 1, 2**31 - 1) for key, value in counts.items())
        seed = self.settings["seed"].take(seed, where, "seed")
        seeds = np.random.SeedSequence(seed)
        found: dict[str, float] = {}
        best: list[str] = []
        for _ in range(rounds):
            drawn = self.sample(n, temperature, "", int(seeds.spawn(1)[0].generate_state(1)[0]), max_length)
            fresh = [text for text in dict.fromkeys(drawn) if text not in found and self._reads(text)]
            found.update(zip(fresh, scored(where, score, fresh), strict=True))
            best = sorted((t for t, value in found.items() if not math.isnan(value)), key=lambda t: -found[t])[:keep]
            if best:
                assert self.tokenizer is not None
                self.fit(SequenceDataset.from_texts(best, self.tokenizer), nb_epoch=nb_epoch, progress=False)
        return best, np.array([found[text] for text in best])

    def _reads(self, text: str) -> bool:
        """Whether a text that was drawn is one of known tokens: two that meet may be another one."""
        assert self.tokenizer is not None
        try:
            return bool(text) and UNKNOWN not in self.tokenizer.encode(text)
        except ValueError:
            return False

    def _check_per_step(self, where: str, dataset: Any) -> None:
        _token_weights(where, dataset)

    def _training_rows(self, dataset: Any) -> Batches:
        return _token_batches(dataset, self.truncation)

    def _validation_rows(self, dataset: Any) -> Batches:
        return _token_batches(by_length(dataset), None)

    def _scored(self, X: Any) -> Iterator[tuple[NDArray[np.int64], SequenceBatch, NDArray[np.int64], NDArray[Any]]]:
        """Yield rows, their steps, the token after each, and the logits (steps, V) it was to have."""
        for rows in self._by_length(X):
            steps = behind_start(X.padded(rows))
            with nn.inference(), no_grad():
                logits = self._forward(self.module, steps).numpy()
            yield rows, steps, targets(steps), logits


def behind_start(batch: SequenceBatch) -> SequenceBatch:
    """Each sequence behind its start. Its length counts tokens to predict, end included."""
    starts = np.full((len(batch), 1), START, batch.values.dtype)
    return step_batch(np.concatenate([starts, batch.values], axis=1), batch.lengths + 1)


def targets(batch: SequenceBatch) -> NDArray[np.int64]:
    """The token after each step that is there, row by row, (steps,); ``<end>`` after a row's last."""
    following = np.zeros(batch.values.shape, np.int64)
    following[:, :-1] = batch.values[:, 1:]
    following[np.arange(len(batch.lengths)), batch.lengths - 1] = END
    return following[batch.mask]


def _token_weights(where: str, dataset: SequenceDataset) -> NDArray[Any]:
    """The weight of each sequence, which is that of its tokens."""
    if dataset.per_step:
        raise ValueError(f"{where}: a language model takes one weight a sequence; this dataset has one a step")
    w = np.asarray(dataset.w)
    if w.size not in (0, len(w)):
        raise ValueError(f"{where}: a language model takes one weight a sequence, (rows,), got {w.shape}")
    return np.ones(len(dataset)) if w.size == 0 else w.reshape(-1)


def _token_batches(dataset: SequenceDataset, truncation: int | None) -> Batches:
    """The batches of a dataset: steps, the token after each as its label, and the weight of its sequence."""
    weights = _token_weights("LanguageModel.fit", dataset)

    def iterbatches(batch_size: int, deterministic: bool = False, seed: int | None = None) -> Iterator[Any]:
        for _, rows, (X, *_, ids) in dataset.numbered_batches(batch_size, 1, deterministic, seed=seed):
            steps = behind_start(X)  # type: ignore[arg-type]
            w = np.repeat(weights[rows], steps.lengths)
            for part, following, of_part in parts(steps, targets(steps), w, truncation):
                yield part, following, of_part, ids

    return Batches(dataset, iterbatches)


def _token_losses(logits: NDArray[Any], following: NDArray[np.int64]) -> NDArray[np.float64]:
    return ops.softmax_cross_entropy(logits, following).astype(np.float64)


def pick(logits: NDArray[Any], chances: NDArray[Any], temperature: float) -> NDArray[np.int32]:
    """One token a row: that in whose part of the row's probability the random number falls."""
    scores = logits.astype(np.float64)
    scores[:, [PAD, START, UNKNOWN]] = -np.inf
    if temperature == 0:
        return scores.argmax(axis=1).astype(np.int32)
    with np.errstate(over="ignore"):
        parts = np.exp((scores - scores.max(axis=1, keepdims=True)) / temperature).cumsum(axis=1)
    below = (parts <= chances[:, None] * parts[:, -1:]).sum(axis=1)
    return np.minimum(below, parts.shape[1] - 1).astype(np.int32)  # a product that rounds up to all of it


def scored(where: str, score: Callable[[list[str]], Any], texts: list[str]) -> list[float]:
    """Return the numbers that a function gives texts; refuse what is not one a text."""
    if not texts:
        return []
    found = np.asarray(score(texts), np.float64).reshape(-1)
    if len(found) != len(texts):
        raise ValueError(f"{where}: score must give a number for each of {len(texts)} texts, got {len(found)}")
    return [float(value) for value in found]
