"""Datasets of sequences of any length: stored end to end, padded a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.arrays import rows_of
from .._internal.numbers import choice, shown, whole_number
from ..feat.featurizer import Featurizer, checked
from .dataset import Dataset, Rows, checked_columns, checked_walk, filled_up
from .ragged import RaggedArray, ragged
from .step_labels import step_labels, step_weights
from .tokenizer import CharTokenizer, texts_of


class SequenceDataset(Dataset):
    """A dataset of sequences of any lengths: of token numbers, or of feature vectors.

    Parameters
    ----------
    sequences : list of array_like, or RaggedArray
        Each (T_i,) whole numbers from 0, which become int32, or each (T_i, F) numbers, which become float32.
    y, w, ids, tasks
        As `NumpyDataset`: one row of labels a sequence. With ``per_step`` y is a list with an array for each sequence,
        (T_i,) or (T_i, tasks), w likewise or one weight a sequence.
    bucket_batches : int
        Shuffled batches hold sequences of alike lengths: this many batches of random rows are sorted by length
        together, cut up again, and given in random order. 1 leaves them as they are drawn.
    empty : {"error", "keep"}
        What to do with a sequence of no steps: refuse it, naming its row, or keep it. Models see a kept one as the
        state before the first step.
    per_step : bool
        Every step of a sequence has a label of its own (or a vector of tasks), for models with ``per_step=True``.
    featurizer : Featurizer, optional
        The featurizer that made the sequences, such as `catalase.feat.SmilesTokens`.

    Attributes
    ----------
    X : RaggedArray
    y, w : ndarray; RaggedArray with ``per_step``
    lengths : ndarray, shape (N,)
    tokenizer : tokenizer or None
        What made the tokens, where they were made by `from_texts` or a featurizer: a model of another tokenizer refuses
        them.

    Raises
    ------
    TypeError
        For sequences that are no numbers, or of different kinds.
    ValueError
        For negative token numbers, different numbers of features, empty sequences (see ``empty``), and lengths of the
        other columns that do not fit; with ``per_step`` the row whose labels are not as many as its steps is named.

    Notes
    -----
    Batches come as (X, y, w, ids) with X a `SequenceBatch`: padded once, here, with lengths beside. Models never read
    the padding. NaN in features is kept; models refuse it, naming row and step. Walks in order (``deterministic=True``)
    keep the order of the rows. NaN in y is a missing label, its weight 0, of a step too; steps beyond a sequence's end
    have no label.

    Examples
    --------
    >>> import catalase as ct
    >>> data = ct.data.SequenceDataset.from_texts(["ACGT", "AC"], ct.data.DNATokenizer(), y=[1, 0])
    >>> data
    SequenceDataset(2 rows, X (2, 4), y (2,), w (2,))
    >>> X, y, w, ids = next(data.iterbatches(2, deterministic=True))
    >>> X.values.tolist(), ids.tolist()
    ([[4, 5, 6, 7], [4, 5, 0, 0]], ['ACGT', 'AC'])
    >>> marked = ct.data.SequenceDataset([[4, 5, 6], [7]], y=[[0.0, 1.0, float("nan")], [1.0]], per_step=True)
    >>> marked
    SequenceDataset(2 rows, X (2, 3), y (2, 3), w (2, 3))
    >>> [w.tolist() for w in marked.w]
    [[1.0, 1.0, 0.0], [1.0]]
    """

    X: Any
    y: Any
    w: Any
    tokenizer: CharTokenizer | None = None

    def __init__(
        self,
        sequences: Any,
        y: Any = None,
        w: Any = None,
        ids: Any = None,
        tasks: Sequence[Any] | None = None,
        *,
        bucket_batches: int = 50,
        empty: str = "error",
        per_step: bool = False,
        featurizer: Featurizer | None = None,
    ) -> None:
        choice("SequenceDataset", "empty", empty, ("error", "keep"))
        bucket_batches = whole_number("SequenceDataset", "bucket_batches", bucket_batches)
        if not isinstance(per_step, bool):
            raise TypeError(f"SequenceDataset: per_step must be True or False, got {shown(per_step)}")
        self.X = sequences if isinstance(sequences, RaggedArray) else ragged(sequences)
        none = np.flatnonzero(self.X.lengths == 0)
        if empty == "error" and len(none):
            raise ValueError(
                f"SequenceDataset: the sequence at row {none[0]} is empty ({len(none)} in all); leave it out, or use "
                "empty='keep'"
            )
        self.bucket_batches, self.empty, self.per_step = bucket_batches, empty, per_step
        self.featurizer = checked("SequenceDataset", featurizer)
        self.tokenizer = getattr(self.featurizer, "tokenizer", None)
        name, rows = "SequenceDataset", len(self.X)
        if per_step:
            labels = step_labels(y, self.X)
            weights = step_weights(w, labels, self.X)
            columns = checked_columns(name, len(labels.values), labels.values, weights, None, tasks)
            self.y, self.w = RaggedArray(columns.y, self.X.offsets), RaggedArray(columns.w, self.X.offsets)
            self.ids = checked_columns(name, rows, None, None, ids, None).ids
        else:
            columns = checked_columns(name, rows, y, w, ids, tasks)
            self.y, self.w, self.ids = columns.y, columns.w, columns.ids
        self.tasks, self.report = columns.tasks, None

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str],
        tokenizer: CharTokenizer,
        y: Any = None,
        w: Any = None,
        ids: Any = None,
        tasks: Sequence[Any] | None = None,
        **options: Any,
    ) -> SequenceDataset:
        """Make a dataset of the tokens of texts.

        Parameters
        ----------
        texts : iterable of str
            One for each row.
        tokenizer : CharTokenizer
            Makes tokens of a text; the dataset keeps it.
        y, w, tasks
            As for `SequenceDataset`.
        ids : array_like, optional
            The texts if not given. NumPy keeps each id as wide as the longest: give ids if texts are long.
        **options
            The other arguments of `SequenceDataset`.

        Returns
        -------
        SequenceDataset

        Raises
        ------
        ValueError
            For a token that the tokenizer does not know and does not replace: its row and position.
        """
        if isinstance(tokenizer, type) or not hasattr(tokenizer, "encode_all"):
            raise TypeError(
                "SequenceDataset.from_texts: tokenizer must be one such as catalase.data.DNATokenizer(), got "
                f"{shown(tokenizer)}"
            )
        texts = list(texts_of("SequenceDataset.from_texts", texts))
        ids = np.array(texts, dtype=str) if ids is None and texts else ids
        made = cls(tokenizer.encode_all(texts), y, w, ids, tasks, **options)
        made.tokenizer = tokenizer
        return made

    @property
    def lengths(self) -> NDArray[np.int64]:
        return self.X.lengths

    def select(self, indices: Any) -> SequenceDataset:  # type: ignore[override]
        """Return the rows at `indices`, in that order, as a new dataset."""
        rows = rows_of("select", "indices", indices, len(self))
        return self._with(self.X[rows], self.y[rows], self.w[rows], self.ids[rows])

    def transform(self, transformer: Any) -> SequenceDataset:
        """Return the dataset with labels and weights transformed.

        Raises
        ------
        TypeError
            For a transformer of X, which needs rows of equal size.
        """
        if isinstance(transformer, type) or not callable(getattr(transformer, "transform_array", None)):
            raise TypeError(
                "transform: transformer must be one such as catalase.trans.NormalizationTransformer(...), got "
                f"{shown(transformer)}"
            )
        if transformer.transform_X:
            raise TypeError(f"SequenceDataset.transform: {type(transformer).__name__} changes X; only y and w can be")
        if self.per_step:
            _, *columns = transformer.transform_array(self.X, self.y.values, self.w.values)
            y, w = (RaggedArray(column, self.X.offsets) for column in columns)
        else:
            _, y, w = transformer.transform_array(self.X, self.y, self.w)
        return self._with(self.X, y, w, self.ids)

    def _with(self, X: RaggedArray, y: Any, w: Any, ids: Any) -> SequenceDataset:
        options: dict[str, Any] = {"bucket_batches": self.bucket_batches, "empty": "keep", "per_step": self.per_step}
        part = SequenceDataset(X, y, w, ids, self.tasks, featurizer=self.featurizer, **options)
        part.report, part.empty = self.report, self.empty
        part.tokenizer = self.tokenizer
        return part

    def numbered_batches(
        self,
        batch_size: int | None = 100,
        epochs: int = 1,
        deterministic: bool = False,
        pad_batches: bool = False,
        seed: int | None = None,
    ) -> Iterator[tuple[int, NDArray[np.int64], Rows]]:
        """Yield (epoch, row numbers, batch); shuffled ones are bucketed by length."""
        walk = checked_walk(batch_size, epochs, deterministic, pad_batches, seed)
        batch_size, epochs, deterministic, pad_batches, seed = walk
        size = max(1, len(self)) if batch_size is None else batch_size
        rng = np.random.Generator(np.random.Philox(seed))
        for epoch in range(epochs):
            order = np.arange(len(self)) if deterministic else rng.permutation(len(self))
            for rows in _cut(order, size) if deterministic else self._buckets(order, size, rng):
                filled, w = self._filled_up(rows, size if pad_batches else 0)
                yield epoch, filled, (self.X.padded(filled), self.y[filled], w, self.ids[filled])

    def _filled_up(self, rows: NDArray[np.int64], size: int) -> tuple[NDArray[np.int64], Any]:
        if not self.per_step:
            return filled_up(rows, self.w, size)
        filled = np.concatenate([rows, np.resize(rows, max(0, size - len(rows)))])
        w = self.w[filled]
        w.values[w.offsets[len(rows)] :] = 0
        return filled, w

    def _buckets(self, order: NDArray[np.int64], size: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """Batches of rows: alike lengths in a batch, batches in random order. Ties keep the order they were drawn in."""
        if self.bucket_batches == 1:
            return _cut(order, size)
        lengths = self.lengths
        batches = []
        for window in _cut(order, size * self.bucket_batches):
            batches += _cut(window[np.argsort(lengths[window], kind="stable")], size)
        return [batches[i] for i in rng.permutation(len(batches))]


def _cut(rows: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]
