"""SMILES, molecules and sequences in the forms in which scikit-learn's users hold them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._internal.arrays import array_of
from .._internal.numbers import shown


def is_text(item: Any) -> bool:
    """Return whether an item is a text, or a molecule of RDKit."""
    return isinstance(item, (str, bytes)) or hasattr(item, "GetNumAtoms")


def texts_in(where: str, X: Any) -> list[Any] | None:
    """Return the texts or molecules of a list, an array, a Series or a table of one column; None where X holds others."""
    if is_text(X):
        raise TypeError(f"{where}: X must be a list of texts, got one {type(X).__name__}; wrap it in [ ]")
    if isinstance(X, np.ndarray) and X.dtype.kind in "fiubc":
        return None
    if hasattr(X, "columns"):
        if len(X.columns) != 1 or len(X) == 0:
            return None
    elif not hasattr(X, "__len__") or not hasattr(X, "__iter__") or type(X).__module__.startswith("scipy.sparse"):
        return None
    elif isinstance(X, (list, tuple)):
        return list(X) if any(map(is_text, X)) else None
    try:
        array = array_of(where, "X", X)
    except TypeError:  # rows of different lengths: scikit-learn's check refuses them
        return None
    if array.dtype.kind not in "OUST" or array.ndim > 2 or (array.ndim == 2 and array.shape[1] != 1):
        return None
    items = array.reshape(-1).tolist()
    return items if any(map(is_text, items)) else None


def needed_texts(where: str, X: Any, what: str) -> list[Any]:
    """Return the texts of X; refuse anything else, naming the first item that is none."""
    found = texts_in(where, X)
    if found is None:
        empty = hasattr(X, "__len__") and len(X) == 0
        came = "nothing" if empty else shown(X)
        raise ValueError(f"{where}: X must be a list, a Series or a column of {what}, got {came}")
    for row, item in enumerate(found):
        if not is_text(item):
            raise ValueError(f"{where}: X must hold {what}, got {shown(item)} at row {row}; leave that row out")
    return found
