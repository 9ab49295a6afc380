"""Class numbers and DNA as one-hot rows, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.arrays import numbers
from .._internal.numbers import shown, whole_number


def to_one_hot(y: Any, n_classes: int = 2) -> NDArray[Any]:
    """Encode class numbers, or DNA, as rows with one 1 among zeros.

    Parameters
    ----------
    y : array_like of shape (N,) or (N, 1), or DNA
        Class numbers from 0; or a sequence of A C G T, or a list of sequences of one length.
    n_classes : int
        The number of columns; DNA has four.

    Returns
    -------
    ndarray
        (N, n_classes) of float64. DNA is encoded by `catalase.ops.one_hot_dna`: (L, 4) for a sequence and (N, L, 4) for a
        list, of float32, with zeros for a letter such as N.

    Raises
    ------
    TypeError, ValueError
        For what is neither, and a class outside the columns.

    Examples
    --------
    >>> to_one_hot([0, 2], 3).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    >>> to_one_hot("AT").tolist()
    [[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    """
    name = "to_one_hot"
    n_classes = whole_number(name, "n_classes", n_classes, 1, 2**31)
    if isinstance(y, (str, bytes)):
        return _dna(y)
    if isinstance(y, np.ndarray) and y.dtype.kind in "US":
        y = y.tolist()
    if isinstance(y, (list, tuple)) and y and all(isinstance(item, (str, bytes)) for item in y):
        return _dna(list(y))
    classes = numbers(name, "y", y)
    classes = classes[:, 0] if classes.ndim == 2 and classes.shape[1] == 1 else classes
    if classes.ndim != 1:
        raise ValueError(f"{name}: y must have shape (N,) or (N, 1), got {classes.shape}")
    wrong = classes[~((classes >= 0) & (classes < n_classes) & (classes == np.floor(classes)))]
    if len(wrong):
        raise ValueError(
            f"{name}: y must have whole numbers from 0 to {n_classes - 1}, found {wrong[0]:g}; give n_classes, and leave "
            "missing labels out"
        )
    made = np.zeros((len(classes), n_classes))
    made[np.arange(len(classes)), classes.astype(np.int64)] = 1
    return made


def _dna(sequences: Any) -> NDArray[Any]:
    from .. import ops

    try:
        return ops.one_hot_dna(sequences)
    except ValueError as error:
        raise ValueError(f"to_one_hot: y is no DNA that can be encoded: {error}") from None


def from_one_hot(y: Any, axis: int = 1, *, letters: str | None = None) -> Any:
    """Return the class of each one-hot row: the place of its largest number.

    Parameters
    ----------
    y : array_like
        (N, classes), or probabilities of such a shape.
    axis : int
        The axis of the classes.
    letters : str, optional
        What each class is called, such as ``"ACGT"``: then the classes are in the last axis, and the result is a text for an
        array (L, 4), or a list of texts for (N, L, 4); a row of zeros is "N".

    Returns
    -------
    ndarray of int64, str, or list of str

    Raises
    ------
    TypeError, ValueError
        For what is no array of numbers, NaN, an axis that there is not, and letters that do not fit the classes.

    Examples
    --------
    >>> from_one_hot([[1, 0, 0], [0, 0, 1]]).tolist()
    [0, 2]
    >>> from_one_hot(to_one_hot(["ACGN", "TTTT"]), letters="ACGT")
    ['ACGN', 'TTTT']
    """
    name = "from_one_hot"
    rows = numbers(name, "y", y)
    if letters is not None and (not isinstance(letters, str) or not letters):
        raise TypeError(f"{name}: letters must be a text or None, got {shown(letters)}")
    axis = whole_number(name, "axis", axis, None)
    if letters is not None:
        axis = -1
        if rows.ndim not in (2, 3) or rows.shape[-1] != len(letters):
            raise ValueError(
                f"{name}: y must have shape (L, {len(letters)}) or (N, L, {len(letters)}) for these letters, got {rows.shape}"
            )
    if not -rows.ndim <= axis < rows.ndim or rows.shape[axis] == 0:
        raise ValueError(f"{name}: y must have classes on axis {axis}, got shape {rows.shape}")
    if rows.dtype.kind == "f" and np.isnan(rows).any():
        raise ValueError(f"{name}: y has NaN; leave missing rows out")
    classes = np.argmax(rows, axis=axis)
    if letters is None:
        return classes
    known = np.array([*letters, "N"])
    text = known[np.where((rows == 0).all(axis=-1), len(letters), classes)]
    return _joined(text) if text.ndim == 1 else [_joined(row) for row in text]


def _joined(letters: Sequence[str] | NDArray[Any]) -> str:
    return "".join(letters)
