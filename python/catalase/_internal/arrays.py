"""Checks of the arrays that callers pass in. Values that NumPy would convert silently are refused, or become missing labels.

`numpy.asarray` drops the mask of a masked array, makes objects of sparse matrices and of missing values, and reads numbers
out of strings. Every array of a caller that `catalase.ops` does not check itself is checked here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .numbers import shown
from .text import FLOAT32_LIMIT


def numbers(function: str, name: str, values: Any, dtype: Any = None) -> NDArray[Any]:
    """Return ``values`` as an array of real numbers or booleans.

    Raises
    ------
    TypeError
        For strings, complex numbers, dates, sparse matrices, and Python objects that are not numbers.
    ValueError
        For a masked array with masked elements.
    """
    if type(values) is np.ndarray and values.dtype.kind in "fiub":
        return values if dtype is None else values.astype(dtype, copy=False)
    refuse_sparse(function, name, values)
    refuse_masked(function, name, values)
    array = array_of(function, name, values)
    if array.dtype.kind not in "fiub":
        _refuse_kind(function, name, array)
    return array if dtype is None else array.astype(dtype, copy=False)


def labels(function: str, name: str, values: Any) -> NDArray[Any]:
    """Return ``values`` as `numbers` does, with NaN for masked elements, ``None`` and pandas' ``NA``: missing labels.

    Raises
    ------
    TypeError
        As `numbers`.
    ValueError
        For a finite label that float32, in which nets compute, would make infinite.
    """
    refuse_sparse(function, name, values)
    mask = _mask_of(values)
    if mask is not None and not isinstance(values, np.ndarray):
        values = np.ma.stack(values)
    array = array_of(function, name, values)
    if array.dtype.hasobject:
        array = _without_missing(function, name, array)
    if array.dtype.kind not in "fiub":
        _refuse_kind(function, name, array)
    if mask is not None:
        array = np.where(mask, np.nan, array.astype(array.dtype if array.dtype.kind == "f" else np.float64))
    if array.dtype.kind == "f" and array.dtype.itemsize > 4:
        with np.errstate(invalid="ignore"):
            large = (abs(array) >= FLOAT32_LIMIT) & (abs(array) < np.inf)
        if large.any():
            raise ValueError(
                f"{function}: {name} holds {array[large][0]} at {_place(large)}, but float32 ends at 3.4e38; use another "
                "unit, or NaN where the label is missing"
            )
    return array


def are_weights(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which values are valid weights: 0 or more, and finite as float32 too."""
    good: NDArray[np.bool_] = (values >= 0) & np.isfinite(values)
    return good & (values < FLOAT32_LIMIT) if values.dtype.itemsize > 4 else good


def refuse_masked(function: str, name: str, values: Any) -> None:
    """Refuse a masked array (or a list of them) with masked elements, because the values under a mask are not data."""
    mask = _mask_of(values)
    if mask is not None:
        raise ValueError(
            f"{function}: {name} is a masked array with {np.count_nonzero(mask)} masked elements, the first at "
            f"{_place(mask)}; fill them ({name}.filled(value)), or leave those rows out"
        )


def _mask_of(values: Any) -> NDArray[np.bool_] | None:
    """Return a mask of the masked elements; None where there are none."""
    if type(values) is np.ndarray or "numpy.ma" not in sys.modules:  # numpy.ma takes 10 ms to import
        return None
    if isinstance(values, (list, tuple)) and any(isinstance(part, np.ma.MaskedArray) for part in values):
        masks = [np.ma.getmaskarray(part) if isinstance(part, np.ndarray) else np.zeros(np.shape(part), bool)
                 for part in values]  # fmt: skip
        if not any(part.any() for part in masks):
            return None
        alike = len({part.shape for part in masks}) == 1
        return np.stack(masks) if alike else np.concatenate([part.ravel() for part in masks])
    if not isinstance(values, np.ma.MaskedArray):
        return None
    mask = np.ma.getmaskarray(values)
    return mask if mask.any() else None


def refuse_sparse(function: str, name: str, values: Any) -> None:
    """Refuse a sparse matrix of SciPy, because NumPy would make one Python object of it."""
    if is_scipy(values):
        raise TypeError(
            f"{function}: {name} is a sparse matrix of SciPy; give {name}.toarray(), or fingerprints as packed bits "
            "(ops.ecfp), which take 1/32 of its memory"
        )


def is_scipy(values: Any) -> bool:
    """Return whether ``values`` is a sparse matrix or array of SciPy; SciPy is not imported to know it."""
    return type(values).__module__.startswith("scipy.sparse")


def sparse_rows(function: str, name: str, values: Any) -> Any:
    """Return a sparse matrix of SciPy as one in CSR form, float32 or float64, each row's columns ascending and once."""
    if values.ndim != 2 or values.dtype.kind not in "fiub":
        raise TypeError(
            f"{function}: {name} must be a sparse matrix of numbers, got {values.ndim} axes of {values.dtype}"
        )
    wide = values.dtype == np.float64
    rows = values.tocsr(copy=not values.has_canonical_format) if values.format == "csr" else values.tocsr()
    rows.sum_duplicates()
    return rows.astype(np.float64 if wide else np.float32, copy=False)


def names(function: str, name: str, values: Any) -> NDArray[Any]:
    """Return ``values`` as an array of texts, numbers or dates, or of Python objects that are identified by their text.

    Raises
    ------
    TypeError
        For a mapping, a set, or anything else that NumPy cannot make an array of names of.
    """
    refuse_sparse(function, name, values)
    refuse_masked(function, name, values)
    array = array_of(function, name, values, "names or numbers")
    if array.ndim == 0:
        raise TypeError(f"{function}: {name} must be a list of names or numbers, one a row, got {shown(values)}")
    return array


def dataset_of(function: str, name: str, dataset: Any, parts: Iterable[str] = ("X", "y", "w", "ids")) -> Any:
    """Return ``dataset`` if it has a length and these columns; the columns are not read."""
    if not isinstance(dataset, type) and hasattr(type(dataset), "__len__") and all(_has(dataset, p) for p in parts):
        return dataset
    raise TypeError(f"{function}: {name} must be a dataset, such as a NumpyDataset, got {shown(dataset)}")


def _has(thing: Any, part: str) -> bool:
    """Return the same as `hasattr`, but without reading a column that is stored in files."""
    return part in getattr(thing, "__dict__", ()) or hasattr(type(thing), part) or hasattr(thing, part)


def dtype_of(function: str, name: str, value: Any, known: Sequence[str]) -> np.dtype[Any]:
    """Return NumPy's dtype for a dtype, a type or a name, if it is one of the known."""
    found = None
    if isinstance(value, (str, type, np.dtype)):
        with suppress(TypeError, ValueError, SyntaxError):
            found = np.dtype(value)
    if found is None or found.name not in known or not found.isnative:
        raise TypeError(f"{function}: {name} must be {', '.join(known[:-1])} or {known[-1]}, got {shown(value)}")
    return found


def rows_of(function: str, name: str, indices: Any, count: int) -> NDArray[np.int64]:
    """Return the numbers of the chosen rows, from 0. ``indices`` lists them (-1 is the last row), or is a mask of all rows.

    Raises
    ------
    TypeError
        For anything but whole numbers and masks.
    ValueError
        For a mask of another length, and arrays of several axes.
    IndexError
        For rows that do not exist, as in NumPy.
    """
    refuse_masked(function, name, indices)
    array = array_of(function, name, indices, "row numbers")
    if array.ndim == 1 and not array.size and array.dtype.kind == "f":  # an empty list
        array = array.astype(np.int64)
    if array.dtype.kind not in "iub":
        raise TypeError(f"{function}: {name} must be the numbers of rows, or a mask of them, got {shown(indices)}")
    if array.ndim != 1:
        raise ValueError(f"{function}: {name} must be a list of row numbers, got {shown(indices)}")
    if array.dtype.kind == "b":
        if len(array) != count:
            raise ValueError(f"{function}: {name} is a mask of {len(array)} rows, but there are {count}")
        return np.flatnonzero(array)
    beyond = (array >= count) | (array < -count if array.dtype.kind == "i" else False)
    if beyond.any():
        raise IndexError(f"{function}: {name} asks for row {array[beyond][0]}, but there are {count}")
    rows = array.astype(np.int64)
    return np.where(rows < 0, rows + count, rows)


def array_of(function: str, name: str, values: Any, what: str = "numbers") -> NDArray[Any]:
    """Return ``values`` as a NumPy array; refuse raw bytes, and nested lists of different lengths."""
    if isinstance(values, (bytes, bytearray, memoryview)):  # NumPy would make text or numbers of them
        raise TypeError(f"{function}: {name} must be an array of {what}, got {shown(values)}")
    try:
        return np.asarray(values)
    except (ValueError, OverflowError, RecursionError):  # lists of different lengths, or one within itself
        raise TypeError(f"{function}: {name} must be an array of {what}, got rows of different lengths") from None


def _without_missing(function: str, name: str, array: NDArray[Any]) -> NDArray[np.float64]:
    """Return an array of Python objects as numbers, with NaN for missing values."""
    made = np.full(array.shape, np.nan)
    for place, value in np.ndenumerate(array):
        if isinstance(value, (int, float, np.number, np.bool_)) and not isinstance(value, np.complexfloating):
            made[place] = value
        elif value is not None and type(value).__name__ != "NAType":
            _refuse_object(function, name, value, place)
    return made


def _refuse_kind(function: str, name: str, array: NDArray[Any]) -> None:
    if array.dtype.hasobject:
        for place, value in np.ndenumerate(array):
            if not isinstance(value, (int, float, np.number)):
                _refuse_object(function, name, value, place)
        raise TypeError(f"{function}: {name} must be an array of numbers, got Python objects; use .astype(float)")
    what = "complex numbers; give real ones, such as their absolute values" if array.dtype.kind == "c" else array.dtype
    raise TypeError(f"{function}: {name} must be an array of numbers, got {what}")


def _refuse_object(function: str, name: str, value: Any, place: tuple[int, ...]) -> None:
    missing = value is None or type(value).__name__ == "NAType"
    what = "a missing value" if missing else f"a {type(value).__name__}"
    raise TypeError(
        f"{function}: {name} must be an array of numbers, got Python objects: {what} at {_shown(place)}; "
        + ("impute it, or leave the row out" if missing else "convert them first, or give rows of one length")
    )


def _place(wrong: NDArray[np.bool_]) -> str:
    return _shown(np.argwhere(wrong)[0])


def _shown(place: Iterable[Any]) -> str:
    first, *rest = (*map(int, place),) or (0,)
    return f"row {first}" + (f", column {rest[0]}" if len(rest) == 1 else f", {tuple(rest)}" if rest else "")
