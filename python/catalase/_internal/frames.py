"""Data frames of pandas, polars and Arrow; none of these is imported before a frame of it is made or given."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .numbers import choice, shown

LIBRARIES = {"pandas": "pandas", "polars": "polars", "arrow": "pyarrow"}
_CLASSES = {("pandas", "DataFrame"), ("polars", "DataFrame"), ("pyarrow", "Table"), ("pyarrow", "RecordBatch")}


def is_frame(value: Any) -> bool:
    """Return whether a value is a data frame of pandas or polars, or a table of Arrow."""
    return any((kind.__module__.partition(".")[0], kind.__name__) in _CLASSES for kind in type(value).__mro__)


def check_frame(function: str, name: str, value: Any) -> Any:
    """Return a data frame unchanged; refuse anything else."""
    if is_frame(value):
        return value
    lazy = "; call collect() on it first" if type(value).__name__ == "LazyFrame" else ""
    raise TypeError(
        f"{function}: {name} must be a data frame of pandas or polars, or a table of Arrow, got {shown(value)}{lazy}"
    )


def header_of(frame: Any) -> list[Any]:
    """Return the names of a frame's columns."""
    return list(frame.schema.names if type(frame).__module__.startswith("pyarrow") else frame.columns)


def column_of(frame: Any, at: int) -> NDArray[Any]:
    """Return a column by its position: numbers, or objects of Python where it holds others; None, NaN and NA are missing."""
    if hasattr(frame, "iloc"):
        column: NDArray[Any] = frame.iloc[:, at].to_numpy()
        return column
    if hasattr(frame, "get_columns"):
        return np.asarray(frame.get_columns()[at].to_numpy())
    return np.asarray(
        frame.column(at).to_numpy(**({"zero_copy_only": False} if hasattr(frame, "to_struct_array") else {}))
    )


def is_missing(value: Any) -> bool:
    """Return whether a cell is empty: None, NaN, or pandas' NA and NaT."""
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value)


def make_frame(function: str, columns: Mapping[str, Any], library: Any) -> Any:
    """Return a frame of these columns."""
    library = choice(function, "library", library, list(LIBRARIES))
    try:
        module: Any = importlib.import_module(LIBRARIES[library])
    except ImportError:
        raise ImportError(f"{function}: {LIBRARIES[library]} is needed; pip install {LIBRARIES[library]}") from None
    return module.table(dict(columns)) if library == "arrow" else module.DataFrame(dict(columns))
