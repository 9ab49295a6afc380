"""Sequences of any length end to end in one array, and as one padded array."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.arrays import array_of, refuse_masked, rows_of
from .._internal.numbers import is_whole, shown, whole_number
from ..backends import is_device_array
from ..ops.checks import check_device
from .batch import Batch


class SequenceBatch(Batch):
    """Some sequences as one padded array.

    Attributes
    ----------
    values : ndarray, shape (N, T) int32 or (N, T, F) float32
        Zeros beyond a sequence's length; T is the longest length.
    lengths : ndarray, shape (N,), int64
    checked : bool
        Whether all token numbers are known to be in the net's vocabulary. The models set it.
    per_step : bool
        Whether the loss is a mean over steps, which ``len`` then counts. The models set it.
    carried : Any
        Where truncated backpropagation leaves the state for the next time steps of these sequences; None elsewhere.

    Examples
    --------
    >>> import catalase as ct
    >>> data = ct.data.SequenceDataset([[5, 6, 7], [8]])
    >>> batch = data.X.padded()
    >>> batch.values.tolist(), batch.lengths.tolist(), batch.mask.tolist()
    ([[5, 6, 7], [8, 0, 0]], [3, 1], [[True, True, True], [True, False, False]])
    """

    checked = per_step = False
    carried: Any = None

    def __init__(self, values: NDArray[Any], lengths: NDArray[np.int64]) -> None:
        refuse_masked("SequenceBatch", "values", values)
        here = isinstance(values, np.ndarray) and values.dtype.kind in "fiu"
        if not (here or is_device_array(values)) or values.ndim < 2:
            raise TypeError(f"SequenceBatch: values must be an array (N, T) or (N, T, F), got {shown(values)}")
        if not isinstance(lengths, np.ndarray) or lengths.dtype.kind not in "iu" or lengths.shape != values.shape[:1]:
            raise TypeError(
                f"SequenceBatch: lengths must be an array of {values.shape[0]} whole numbers, as values has rows, got "
                f"{shown(lengths)}"
            )
        self.values, self.lengths = values, lengths

    def __len__(self) -> int:
        return int(self.lengths.sum()) if self.per_step else len(self.lengths)

    @property
    def X(self) -> SequenceBatch:
        return self

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Which steps are there, (N, T)."""
        return np.arange(self.values.shape[1]) < self.lengths[:, None]

    @property
    def full(self) -> bool:
        """Whether no sequence is padded."""
        return bool((self.lengths == self.values.shape[1]).all())

    @property
    def arrays(self) -> Sequence[Any]:
        return (self.values.astype(np.int64) if self.values.dtype.kind in "iu" else self.values,)

    @property
    def static(self) -> Hashable:
        # The host lays out the rows of sequences of several lengths, and looks for tokens that a net does not know.
        # A subclass may hold more than the values.
        known = type(self) is SequenceBatch and (self.checked or self.values.dtype.kind == "f")
        captured = known and self.full and self.values.size and self.carried is None
        return ("sequences", self.per_step) if captured else None

    def with_arrays(self, arrays: Sequence[Any]) -> SequenceBatch:
        other = copy.copy(self)
        (other.values,) = arrays
        return other

    def to(self, device: str) -> SequenceBatch:
        """Return the batch itself: the net moves the values, after lengths and tokens were looked at on the host."""
        check_device("SequenceBatch.to", device)
        return self


class RaggedArray:
    """Sequences end to end in one array; what ``dataset.X`` is, and y and w where labels are per step.

    Indexed by a number it gives a sequence (T_i,) or (T_i, F), a view; by a slice or an array of rows a `RaggedArray`.

    Attributes
    ----------
    values : ndarray, shape (all steps,) or (all steps, F)
        Of X int32 tokens or float32 features; of y and w what was given.
    offsets : ndarray, shape (N + 1,), int64
        Sequence i is ``values[offsets[i]:offsets[i + 1]]``.
    lengths : ndarray, shape (N,), int64
    """

    def __init__(self, values: NDArray[Any], offsets: NDArray[np.int64]) -> None:
        if not isinstance(values, np.ndarray) or values.ndim == 0:
            raise TypeError(f"RaggedArray: values must be an array of all steps, got {shown(values)}")
        if (
            not isinstance(offsets, np.ndarray)
            or offsets.dtype.kind not in "iu"
            or offsets.ndim != 1
            or not len(offsets)
        ):
            raise TypeError(f"RaggedArray: offsets must be an array of N + 1 whole numbers, got {shown(offsets)}")
        if offsets[0] != 0 or offsets[-1] != len(values) or (offsets[1:] < offsets[:-1]).any():
            raise ValueError(
                f"RaggedArray: offsets must ascend from 0 to the {len(values)} steps of values, got {shown(offsets)} from "
                f"{offsets[0]} to {offsets[-1]}"
            )
        self.values, self.offsets = values, offsets
        self.lengths: NDArray[np.int64] = np.diff(offsets)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.values.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, longest, ...), the shape that it would have padded."""
        return (len(self), int(self.lengths.max(initial=0)), *self.values.shape[1:])

    @property
    def ndim(self) -> int:
        return 1 + self.values.ndim

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, rows: Any) -> Any:
        if is_whole(rows):
            if not -len(self) <= rows < len(self):
                raise IndexError(f"RaggedArray: there is no row {shown(rows)}, rows are 0 to {len(self) - 1}")
            row = int(rows) % len(self)
            return self.values[self.offsets[row] : self.offsets[row + 1]]
        sliced = isinstance(rows, slice)
        numbers = np.arange(len(self))[rows] if sliced else rows_of("RaggedArray", "rows", rows, len(self))
        places, offsets = self.places(numbers)
        return RaggedArray(self.values[places], offsets)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[row] for row in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """The sequences of an array of equal lengths as one array."""
        if len(set(self.lengths.tolist())) > 1:
            raise TypeError(
                "RaggedArray: rows of different lengths are no array; take .values (end to end) or .padded()"
            )
        array = self.values.reshape(self.shape).astype(self.dtype if dtype is None else dtype, copy=False)
        return array.copy() if copy else array

    def padded(self, rows: NDArray[np.int64] | None = None) -> SequenceBatch:
        """Return the chosen sequences (all where left out) as one padded array."""
        rows = np.arange(len(self)) if rows is None else rows_of("padded", "rows", rows, len(self))
        lengths = self.lengths[rows]
        batch = SequenceBatch(
            np.zeros((len(rows), int(lengths.max(initial=0)), *self.values.shape[1:]), self.dtype), lengths
        )
        batch.values[batch.mask] = self.values[self.places(rows)[0]]
        return batch

    def place(self, step: int) -> tuple[int, int]:
        """Return the row, and the step in it, of a place in ``values``."""
        step = whole_number("place", "step", step, 0, max(0, len(self.values) - 1))
        row = int(np.searchsorted(self.offsets, step, side="right")) - 1
        return row, step - int(self.offsets[row])

    def places(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the places in ``values`` of the chosen rows' steps, end to end, and the rows' offsets among them."""
        rows = rows_of("places", "rows", rows, len(self))
        lengths = self.lengths[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        return np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][rows] - offsets[:-1], lengths), offsets

    def __repr__(self) -> str:
        return f"RaggedArray(shape {self.shape}, {len(self.values)} steps, {self.dtype})"


def ragged(sequences: Any) -> RaggedArray:
    """Check a list of sequences and put them end to end."""
    many = isinstance(sequences, Sequence) or (isinstance(sequences, np.ndarray) and sequences.ndim > 0)
    if isinstance(sequences, (str, bytes, bytearray)) or not many:
        raise TypeError(f"SequenceDataset: needs a list of sequences, got {type(sequences).__name__}")
    for row, sequence in enumerate(sequences):
        refuse_masked("SequenceDataset", f"the sequence of row {row}", sequence)
    refuse_masked("SequenceDataset", "X", sequences)
    arrays = [array_of("SequenceDataset", f"the sequence of row {row}", one) for row, one in enumerate(sequences)]
    # The first row that has a form decides; an empty list fits anywhere.
    first = next((row for row, array in enumerate(arrays) if array.ndim != 1 or array.size), 0)
    inner = arrays[first].shape[1:] if arrays else ()
    for row, array in enumerate(arrays):
        if array.dtype.kind not in "fiub":
            hint = "; tokenize texts: SequenceDataset.from_texts" if array.dtype.kind == "U" else ""
            raise TypeError(f"SequenceDataset: row {row} must hold numbers, got {array.dtype}{hint}")
        fits = array.shape == (0,) or array.shape[1:] == inner
        if array.ndim not in (1, 2) or array.shape[1:] == (0,) or not fits:
            beside = "" if fits else f", row {first} {arrays[first].shape}"
            raise ValueError(
                f"SequenceDataset: sequences must all be (steps,) token numbers or all (steps, features) with the same "
                f"features; row {row} has shape {array.shape}{beside}"
            )
    if not inner and any(array.dtype.kind not in "iu" and array.size for array in arrays):
        row = next(row for row, array in enumerate(arrays) if array.dtype.kind not in "iu" and array.size)
        raise TypeError(
            f"SequenceDataset: row {row} has shape {arrays[row].shape} and dtype {arrays[row].dtype}; token numbers must be "
            "whole, features (steps, features)"
        )
    offsets = np.concatenate([[0], np.cumsum([len(array) for array in arrays], dtype=np.int64)])
    dtype = np.float32 if inner else np.int32
    parts = [array.reshape(len(array), *inner) for array in arrays if array.size]
    joined = np.concatenate(parts) if parts else np.zeros((0, *inner), dtype)
    ragged = RaggedArray(joined.astype(dtype, copy=False), offsets)
    if not inner and len(joined) and (joined.min() < 0 or joined.max() > np.iinfo(np.int32).max):
        row, step = ragged.place(int(np.flatnonzero((joined < 0) | (joined > np.iinfo(np.int32).max))[0]))
        raise ValueError(f"SequenceDataset: token numbers must be from 0 to 2**31 - 1; see row {row}, step {step}")
    return ragged
