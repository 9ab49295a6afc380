"""Datasets of sequences of any length: stored end to end, padded a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dataset import Batch, Dataset, NumpyDataset, filled_up
from .ragged import RaggedArray, ragged
from .tokenizer import CharTokenizer


class SequenceDataset(Dataset):
    """A dataset of sequences of any lengths: of token numbers, or of feature vectors.

    Parameters
    ----------
    sequences : list of array_like, or RaggedArray
        Each (T_i,) whole numbers from 0, which become int32, or each (T_i, F) numbers, which become float32.
    y, w, ids, tasks
        As `NumpyDataset`: one row of labels a sequence.
    bucket_batches : int
        Shuffled batches hold sequences of alike lengths: this many batches of random rows are sorted by length
        together, cut up again, and given in random order. 1 leaves them as they are drawn.
    empty : {"error", "keep"}
        What to do with a sequence of no steps: refuse it, naming its row, or keep it. Models see a kept one as the
        state before the first step.

    Attributes
    ----------
    X : RaggedArray
    lengths : ndarray, shape (N,)

    Raises
    ------
    TypeError
        For sequences that are no numbers, or of different kinds.
    ValueError
        For negative token numbers, different numbers of features, empty sequences (see ``empty``), and lengths of the
        other columns that do not fit.

    Notes
    -----
    Batches come as (X, y, w, ids) with X a `SequenceBatch`: padded once, here, with lengths beside. Models never read
    the padding. NaN in features is kept; models refuse it, naming row and step. Walks in order (``deterministic=True``)
    keep the order of the rows.

    Examples
    --------
    >>> import catalase as ct
    >>> data = ct.data.SequenceDataset.from_texts(["ACGT", "AC"], ct.data.DNATokenizer(), y=[1, 0])
    >>> data
    SequenceDataset(2 rows, X (2, 4), y (2,), w (2,))
    >>> X, y, w, ids = next(data.iterbatches(2, deterministic=True))
    >>> X.values.tolist(), ids.tolist()
    ([[4, 5, 6, 7], [4, 5, 0, 0]], ['ACGT', 'AC'])
    """

    X: Any

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
    ) -> None:
        if empty not in ("error", "keep"):
            raise ValueError(f"SequenceDataset: empty must be 'error' or 'keep', got {empty!r}")
        if isinstance(bucket_batches, bool) or not isinstance(bucket_batches, (int, np.integer)) or bucket_batches < 1:
            raise ValueError(
                f"SequenceDataset: bucket_batches must be a whole number, 1 or more, got {bucket_batches!r}"
            )
        self.X = sequences if isinstance(sequences, RaggedArray) else ragged(sequences)
        none = np.flatnonzero(self.X.lengths == 0)
        if empty == "error" and len(none):
            raise ValueError(
                f"SequenceDataset: the sequence at row {none[0]} is empty ({len(none)} in all); leave it out, or use "
                "empty='keep'"
            )
        self.bucket_batches, self.empty = int(bucket_batches), empty
        columns = NumpyDataset(np.zeros((len(self.X), 0), np.float32), y, w, ids, tasks)  # checks them
        self.y, self.w, self.ids, self.tasks, self.report = columns.y, columns.w, columns.ids, columns.tasks, None

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
        """Make a dataset of the tokens of texts, which are the ids where none are given.

        NumPy keeps each id as wide as the longest: give ``ids`` where texts are long.

        Raises
        ------
        ValueError
            For a token that the tokenizer does not know and does not replace: its row and position.
        """
        texts = list(texts)
        ids = np.array(texts, dtype=str) if ids is None and texts else ids
        return cls(tokenizer.encode_all(texts), y, w, ids, tasks, **options)

    @property
    def lengths(self) -> NDArray[np.int64]:
        return self.X.lengths

    def select(self, indices: Any) -> SequenceDataset:  # type: ignore[override]
        """Return the rows at `indices`, in that order, as a new dataset."""
        rows = np.arange(len(self))[np.asarray(indices, None if np.size(indices) else np.int64)]
        return self._with(self.X[rows], self.y[rows], self.w[rows], self.ids[rows])

    def transform(self, transformer: Any) -> SequenceDataset:
        """Return the dataset with labels and weights transformed.

        Raises
        ------
        TypeError
            For a transformer of X, which needs rows of equal size.
        """
        if transformer.transform_X:
            raise TypeError(f"SequenceDataset.transform: {type(transformer).__name__} changes X; only y and w can be")
        _, y, w = transformer.transform_array(self.X, self.y, self.w)
        return self._with(self.X, y, w, self.ids)

    def _with(self, X: RaggedArray, y: Any, w: Any, ids: Any) -> SequenceDataset:
        part = SequenceDataset(X, y, w, ids, self.tasks, bucket_batches=self.bucket_batches, empty="keep")
        part.report, part.empty = self.report, self.empty
        return part

    def numbered_batches(
        self,
        batch_size: int | None = 100,
        epochs: int = 1,
        deterministic: bool = False,
        pad_batches: bool = False,
        seed: int | None = None,
    ) -> Iterator[tuple[int, NDArray[np.int64], Batch]]:
        """Yield (epoch, row numbers, batch); shuffled ones are bucketed by length."""
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"iterbatches: batch_size must be 1 or more, got {batch_size}")
        size = max(1, len(self)) if batch_size is None else batch_size
        rng = np.random.Generator(np.random.Philox(seed))
        for epoch in range(epochs):
            order = np.arange(len(self)) if deterministic else rng.permutation(len(self))
            for rows in _cut(order, size) if deterministic else self._buckets(order, size, rng):
                filled, w = filled_up(rows, self.w, size if pad_batches else 0)
                yield epoch, filled, (self.X.padded(filled), self.y[filled], w, self.ids[filled])

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
