"""Datasets from data frames and as data frames, and a data frame as a table of texts, for loaders."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .._internal.arrays import is_scipy
from .._internal.frames import check_frame, column_of, header_of, is_missing, make_frame
from .._internal.numbers import shown
from .._internal.report import Failure
from .table_file import Table


class FrameTable(Table):
    """The rows of a data frame as texts; a missing value is an empty cell."""

    def __init__(self, frame: Any, function: str) -> None:
        super().__init__("the data frame", function)
        self._frame = frame
        self.header = [str(name) for name in header_of(frame)]
        self._wanted: Sequence[int] = range(len(self.header))

    def only(self, columns: Sequence[int]) -> None:
        """Read these columns only; the cells of others are empty."""
        self._wanted = sorted(set(columns))

    def position(self) -> int:
        """Return how many rows have been read."""
        return self._row

    def chunks(self, size: int) -> Iterator[tuple[list[list[str]], list[Failure]]]:
        """Yield the rows; all can be read."""
        columns = {at: column_of(self._frame, at) for at in self._wanted}
        count = len(next(iter(columns.values()))) if columns else 0
        for start in range(0, count, size):
            rows = [[""] * len(self.header) for _ in range(start, min(start + size, count))]
            for at, column in columns.items():
                for row, value in zip(rows, column[start : start + size].tolist(), strict=True):
                    row[at] = _text(value)
            self._row += len(rows)
            yield rows, []


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))  # a label
    return "" if is_missing(value) else str(value)


def columns_for(function: str, frame: Any, X: Any, y: Any, w: Any, ids: Any) -> dict[str, Any]:
    """Return the arguments of a `NumpyDataset` from the columns of a frame; see `NumpyDataset.from_dataframe`."""
    header = header_of(check_frame(function, "df", frame))
    found: dict[str, Any] = {}
    for part, given in (("X", X), ("y", y), ("w", w)):
        names = _named(function, part, given, header)
        if names:
            columns = [column_of(frame, header.index(name)) for name in names]
            found[part] = np.stack(columns, axis=1) if columns[0].ndim == 1 else np.concatenate(columns, axis=1)
        if part == "y" and given is not None:
            found["tasks"] = names
    if "X" not in found:
        raise ValueError(
            f"{function}: X must name the columns of features; the frame has no columns called X, X1, X2 ..., but "
            f"{_listed(header)}"
        )
    if ids is None and "ids" in header:
        ids = "ids"
    if ids is not None:
        found["ids"] = column_of(frame, header.index(_present(function, "ids", ids, header)))
    return found


def _named(function: str, part: str, given: Any, header: list[Any]) -> list[Any]:
    """Return the names of the columns of a part: those given, or the ones that `to_frame` writes."""
    if given is None:
        found = [name for name in header if isinstance(name, str) and re.fullmatch(rf"{part}[0-9]*", name)]
        return sorted(found, key=lambda name: int(name[1:] or 0))
    names = list(given) if isinstance(given, (list, tuple)) else [given]
    if not names:
        raise ValueError(f"{function}: {part} must name a column or more, got {shown(given)}")
    return [_present(function, part, name, header) for name in names]


def _present(function: str, part: str, name: Any, header: list[Any]) -> Any:
    if not isinstance(name, (str, int)) or isinstance(name, bool):
        raise TypeError(f"{function}: {part} must be the name of a column or a list of names, got {shown(name)}")
    if header.count(name) != 1:
        how = "no column" if name not in header else "more than one column"
        raise ValueError(
            f"{function}: {part} names {name!r}, but the frame has {how} of that name; it has {_listed(header)}"
        )
    return name


def _listed(header: list[Any]) -> str:
    return ", ".join(map(repr, header[:30])) + (", ..." if len(header) > 30 else "") if header else "none"


def to_frame(function: str, dataset: Any, library: Any) -> Any:
    """Return the columns of a dataset as a frame; see `Dataset.to_dataframe`."""
    columns: dict[str, Any] = {}
    for part in ("X", "y", "w"):
        values = getattr(dataset, part)
        values = values.toarray() if is_scipy(values) else values
        if not isinstance(values, np.ndarray) or values.ndim > 2:
            came = f"shape {values.shape}" if isinstance(values, np.ndarray) else shown(values)
            raise TypeError(f"{function}: {part} must be a matrix of numbers, one row of a frame for each, got {came}")
        if values.ndim == 1 or values.shape[1] == 1:
            columns[part] = values.reshape(-1)
        else:
            columns |= {f"{part}{i + 1}": values[:, i] for i in range(values.shape[1])}
    return make_frame(function, columns | {"ids": dataset.ids}, library)
