"""Rows of the same molecule: which they are, which of their labels differ, and the one label of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import choice


class Conflict(NamedTuple):
    """Rows of one molecule whose labels differ.

    Attributes
    ----------
    rows : list of int
        The rows that have a label, counted from 0.
    task : str
    values : list of float
        Their labels, in the same order.
    """

    rows: list[int]
    task: str
    values: list[float]

    def __str__(self) -> str:
        return self.text(0)

    def text(self, first: int) -> str:
        """Return the conflict in words, with rows counted from ``first``."""
        shown = [f"row {row + first}: {value:g}" for row, value in zip(self.rows[:6], self.values[:6], strict=True)]
        more = f" and {len(self.rows) - 6} more" if len(self.rows) > 6 else ""
        return f"{self.task}: {', '.join(shown)}{more}"


class Duplicates:
    """The different molecules among rows that come one after another.

    Parameters
    ----------
    tasks : sequence of str
        Names of the labels; empty where there are none.

    Attributes
    ----------
    rows : dict of str to list of int
        The rows of each molecule by its key, in the order of the first ones.
    labels : dict of str to list of sequence of float
        The labels of these rows: one for each task, NaN where it is missing.
    """

    def __init__(self, tasks: Sequence[str] = ()) -> None:
        self.tasks = list(tasks)
        self.rows: dict[str, list[int]] = {}
        self.labels: dict[str, list[Sequence[float]]] = {}

    def add(self, key: str, row: int, labels: Sequence[float] = ()) -> int:
        """Take the next row, and return the first row of its molecule."""
        self.rows.setdefault(key, []).append(row)
        if self.tasks:
            self.labels.setdefault(key, []).append(labels)
        return self.rows[key][0]

    def repeated(self) -> list[list[int]]:
        """Return the rows of each molecule that has more than one."""
        return [rows for rows in self.rows.values() if len(rows) > 1]

    def conflicts_of(self, key: str) -> list[Conflict]:
        """Return the tasks in which rows of a molecule have different labels."""
        found: list[Conflict] = []
        if len(self.labels.get(key, ())) < 2:
            return found
        columns = zip(*self.labels[key], strict=True)
        for task, column in zip(self.tasks, columns, strict=True):
            there = [(row, value) for row, value in zip(self.rows[key], column, strict=True) if value == value]
            if len({value for _, value in there}) > 1:
                found.append(Conflict([row for row, _ in there], task, [value for _, value in there]))
        return found

    def conflicts(self) -> list[list[Conflict]]:
        """Return the conflicts of each molecule that has some."""
        return [found for key in self.labels if (found := self.conflicts_of(key))]

    def merged(self, function: str, how: str) -> NDArray[np.float64]:
        """Return one label for each molecule and task.

        ``how`` says what becomes of labels that differ: "mean", "median", "first" or "missing". A task whose labels are all
        0 and 1 is one of classes, between which there is nothing: its mean and median are NaN.
        """
        choice(function, "how", how, ("mean", "median", "first", "missing"))
        merged = np.full((len(self.rows), len(self.tasks)), np.nan)
        for t in range(len(self.tasks)):
            columns = [np.array([labels[t] for labels in self.labels[key]]) for key in self.rows]
            columns = [column[~np.isnan(column)] for column in columns]
            classes = all(((column == 0) | (column == 1)).all() for column in columns)
            for m, column in enumerate(columns):
                if how == "first" and column.size:
                    merged[m, t] = column[0]
                elif column.size and (np.ptp(column) == 0 or (how != "missing" and not classes)):
                    merged[m, t] = np.median(column) if how == "median" else column.mean()
        return merged


def duplicate_notes(duplicates: Duplicates, first: int) -> list[str]:
    """Return the sentences of a report about duplicates, with rows counted from ``first``."""
    repeated, conflicts = duplicates.repeated(), duplicates.conflicts()
    if not repeated:
        return []
    one, repeats = len(repeated) == 1, sum(map(len, repeated)) - len(repeated)
    said = [
        f"{len(repeated):,} molecule{' occurs' if one else 's occur'} more than once, in {len(repeated) + repeats:,} rows: "
        f"{repeats:,} row{' repeats' if repeats == 1 else 's repeat'} an earlier one"
    ]
    if conflicts:
        texts = [conflict.text(first) for found in conflicts for conflict in found]
        more = f"; and {len(texts) - 3:,} more" if len(texts) > 3 else ""
        have = "has" if len(conflicts) == 1 else "have"
        said.append(f"{len(conflicts):,} of them {have} labels that differ: {'; '.join(texts[:3])}{more}")
    return said
