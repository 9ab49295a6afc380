"""Tables of molecules with measured values, as people have them: one reading for commands, workflows and Python."""

from __future__ import annotations

import itertools
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.report import Failure, Report, one_a_row
from .._internal.text import strip_white
from .csv_loader import check_columns
from .dataset import NumpyDataset
from .graph import dataset_in_memory
from .labels import LabelColumn, LabelFormat, column_of, decimal_of, looks_like_labels, read_labels
from .open_table import open_table
from .table_file import Table

_CHUNK = 8192  # rows that are read at a time
_DECADES = 4  # positive labels that spread over more powers of ten are better transformed


@dataclass(frozen=True)
class LabelledTable:
    """The molecules of a table that have a text, and their labels.

    Attributes
    ----------
    name : str
        The file.
    smiles : list of str
        The cells of the column of SMILES, unchanged, N of them.
    rows : int64 ndarray, shape (N,)
        The row of the table of each, counted from 0 below the header.
    y : float64 ndarray, shape (N, T)
        NaN for a missing label.
    tasks : list of str
        The names of the T columns of labels, or what their transform makes of them.
    mode : {"classification", "regression"}
        "classification" if all labels of all tasks are 0 and 1.
    smiles_column : str
        The column that the SMILES come from.
    total : int
        The rows of the table, those that are left out included.
    summary : list of str
        What was read as what, a sentence for the table and one for each task.
    failures : list of Failure
        The cells and rows that could not be read; a row that has lost its molecule or its only labels is left out.
    merged : int64 ndarray
        Rows that became part of the molecule of an earlier row (`same_molecules.SameMolecules`).
    """

    name: str
    smiles: list[str]
    rows: NDArray[np.int64]
    y: NDArray[np.float64]
    tasks: list[str]
    mode: str
    smiles_column: str
    total: int
    summary: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    merged: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def __len__(self) -> int:
        return len(self.smiles)

    @property
    def report(self) -> Report:
        """The report of the rows that are left out, and of the cells that are missing labels now."""
        return Report(self.total, len(self), one_a_row(self.failures))

    def take(self, kept: Any, failures: Sequence[Failure] = ()) -> LabelledTable:
        """Return the table of some of its molecules, by their numbers from 0, with further failures."""
        at = np.asarray(kept, np.int64)
        smiles = [self.smiles[i] for i in at.tolist()]
        return replace(self, smiles=smiles, rows=self.rows[at], y=self.y[at], failures=[*self.failures, *failures])

    def featurized(self, featurizer: Any) -> tuple[Any, LabelledTable]:
        """Return features of the molecules that can be read, and the table of these.

        A molecule that cannot be read becomes a failure of that table.
        """
        X, kept = featurizer.featurize([strip_white(text) for text in self.smiles], errors="drop")
        report = getattr(featurizer, "report", None)
        failed = report.failures if report is not None else []
        return X, self.take(kept, [f._replace(position=int(self.rows[f.position])) for f in failed])

    def dataset(self, featurizer: Any) -> tuple[Any, LabelledTable]:
        """Return features and labels (float32) of the molecules that can be read, and the table of these (`featurized`)."""
        X, table = self.featurized(featurizer)
        y = table.y.astype(np.float32)
        ids = np.array(table.smiles) if table.smiles else np.empty(0, "U1")
        return dataset_in_memory(X, y, ids=ids, tasks=self.tasks, featurizer=featurizer), table

    def molecules(self) -> NumpyDataset:
        """Return labels (float64) and molecules as a dataset whose ids are SMILES, without features: X is (N, 0)."""
        ids = np.array([strip_white(text) for text in self.smiles], dtype=object)
        known = ~np.isnan(self.y)
        return NumpyDataset(np.zeros((len(self), 0)), np.where(known, self.y, 0.0), known, ids, self.tasks)

    def check_lost(self, most: float = 0.5, listed: str = "") -> None:
        """Stop where more than this share of the rows is lost (`check_lost`)."""
        check_lost(self.name, self.report, self.lost, most, listed)

    @property
    def lost(self) -> NDArray[np.int64]:
        """The rows that are left out, and are not merged into others."""
        gone = np.ones(self.total, bool)
        gone[self.rows] = gone[self.merged] = False
        return np.flatnonzero(gone)


def check_lost(name: str, report: Report, lost: Any, most: float, listed: str = "") -> None:
    """Stop where too many rows of a table are lost, or all; the sentence has the three commonest reasons.

    Parameters
    ----------
    name : str
        The table.
    report : Report
    lost : sequence of int
        The rows that are left out, or have no result.
    most : float
        The largest share of the rows that may be lost.
    listed : str
        Where all of them are listed, for the message.

    Raises
    ------
    ValueError
    """
    rows = set(np.asarray(lost, np.int64).tolist())
    if not rows or (len(rows) < report.total and len(rows) <= most * report.total):
        return
    failures = [failure for failure in one_a_row(report.failures) if failure.position in rows]
    shown = []
    for kind, count in Counter(map(_kind, failures)).most_common(3):
        example = next(failure for failure in failures if _kind(failure) == kind)
        more = f" ({count:,} such rows)" if count > 1 else ""
        shown.append(f"row {example.position + 1}, {example.text[:40]!r}: {example.reason}{more}")
    if len(rows) == report.total:
        count_of, advice = f"no row of {name} could be read", "is it the right column?"
    else:
        count_of = f"{len(rows):,} of {report.total:,} rows of {name} could not be read"
        advice = f"at most a share of {most:g} may be lost (--max-lost, also called --max-unreadable)"
    raise ValueError(f"{count_of}; {'; '.join(shown)}{listed}; {advice}")


def _kind(failure: Failure) -> str:
    """Return a failure's reason without the texts and numbers in it, which differ from row to row."""
    return re.sub(r"'(?:[^'\\]|\\.)*'|[0-9]+", "", failure.reason)


def read_labelled_table(
    file: str | os.PathLike[str],
    tasks: Sequence[str],
    *,
    smiles_column: str | None = None,
    preferred: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    labels: LabelFormat | None = None,
    function: str = "read_labelled_table",
) -> LabelledTable:
    """Read the molecules and labels of a table of any format that `open_table` knows.

    Parameters
    ----------
    file : path
        The table; ``-`` is standard input.
    tasks : sequence of str
        Columns of labels. A task that is no column, but the name of one that is transformed (`labels.transformed_name`), is
        read from that, so that a model finds its labels in the table that it was trained on.
    smiles_column : str, optional
        The column of SMILES; by default it is found by its name (`columns.smiles_among`).
    preferred : str, optional
        A column of SMILES that is taken where ``smiles_column`` is not given and the table has it.
    delimiter, encoding : str, optional
        The format of a table of text, instead of what is found.
    labels : LabelFormat, optional
        How the labels are written, and what becomes of them.
    function : str
        The name for messages.

    Raises
    ------
    ValueError
        For a table without one of the columns, without rows, or damaged; without ``tasks`` (the error lists the columns
        that look like labels); for a column of two words of which it is not known which means 1.

    Examples
    --------
    >>> import pathlib
    >>> from catalase.data.labelled_table import read_labelled_table
    >>> _ = pathlib.Path("t.csv").write_text("Name;SMILES;log S\\na;CCO;1,5\\nb;CC;<-2,0\\nc;CCC;n.d.\\n")
    >>> table = read_labelled_table("t.csv", ["log S"])
    >>> table.smiles, table.y.ravel().tolist(), table.mode
    (['CCO', 'CC', 'CCC'], [1.5, -2.0, nan], 'regression')
    >>> print("\\n".join(table.summary))
    t.csv: 3 rows; SMILES in column 'SMILES'; its fields are separated by semicolons; decimal commas
    log S: 2 labels from -2 to 1.5 (median -0.25); 1 missing; 1 is a bound such as '<-2,0', taken as the value
    """
    form = labels or LabelFormat()
    with open_table(file, function, delimiter=delimiter, encoding=encoding, wanted=smiles_column) as table:
        smiles = table.smiles_column(smiles_column, preferred)
        check_columns(table.name, table.header, [smiles], function)
        if not tasks:
            raise ValueError(f"{function}: {_tasks_among(table, smiles)}")
        columns, forms = _columns(function, tasks, table, form)
        if smiles in columns:
            raise ValueError(f"{function}: --task {smiles} is the column of SMILES; name the column to learn")
        rows = _Rows(table, smiles, columns)
    where = f"{function}: {table.name}"
    if not rows.total:
        raise ValueError(f"{where} holds no rows below its header")
    if form.decimal is None:
        decimal = decimal_of(list(itertools.chain.from_iterable(rows.cells)))
        forms = [replace(own, decimal=decimal) for own in forms]
    _check_positive(where, form.positive, rows.cells)
    parts = zip(columns, rows.cells, forms, strict=True)
    read = [(read_labels(where, column, cells, own), cells, own) for column, cells, own in parts]
    names = [column.name for column, _, _ in read]
    if len(set(names)) < len(names):
        raise ValueError(f"{where}: {form.transform} gives several columns one name: {', '.join(names)}; rename them")
    y = np.stack([column.values for column, _, _ in read], axis=1)
    failures = list(rows.failures)
    gone = set[int]()
    for column, cells, own in read:
        faults = list(column.faults)
        gone |= {i for i, _ in faults if np.isnan(y[i]).all()}
        if own.censored == "drop":
            faults += [(i, "left out, because it is a bound (--censored drop)") for i in column.censored]
            gone.update(column.censored)
        failures += [Failure(rows.numbers[i], cells[i], f"column {column.name!r}: {reason}") for i, reason in faults]
    kept = np.array([i for i in range(len(rows.smiles)) if i not in gone], np.int64)
    whole = [f"{table.name}: {rows.total:,} row{'' if rows.total == 1 else 's'}", f"SMILES in column {smiles!r}"]
    whole += table.notes + ["decimal commas"] * (forms[0].decimal == ",")
    if repeats := len(rows.smiles) - len(set(map(strip_white, rows.smiles))):
        whole.append(f"{repeats:,} row{' repeats' if repeats == 1 else 's repeat'} the SMILES of an earlier one")
    summary = ["; ".join(whole), *(_sentence(*one) for one in read)]
    classes = [column.name for column, _, _ in read if column.is_classes]
    if 0 < len(classes) < len(read):
        have = "has" if len(classes) == 1 else "have"
        summary.append(
            f"{', '.join(classes)} {have} two classes, the other tasks numbers; train on them apart to learn classes"
        )
    everything = LabelledTable(
        name=table.name,
        smiles=rows.smiles,
        rows=np.array(rows.numbers, np.int64),
        y=y,
        tasks=names,
        mode="classification" if len(classes) == len(read) else "regression",
        smiles_column=smiles,
        total=rows.total,
        summary=summary,
        failures=failures,
    )
    return everything.take(kept)


class _Rows:
    """The rows of a table that can be read and have a text for the molecule, and the failures of the others.

    Attributes
    ----------
    smiles : list of str
    cells : list of list of str
        For each column, the cell of each row.
    numbers : list of int
        The rows of the table.
    total : int
    failures : list of Failure
    """

    def __init__(self, table: Table, smiles: str, columns: Sequence[str]) -> None:
        self.smiles: list[str] = []
        self.cells: list[list[str]] = [[] for _ in columns]
        self.numbers: list[int] = []
        self.failures: list[Failure] = []
        self.total = 0
        at, places = table.header.index(smiles), [table.header.index(column) for column in columns]
        table.only([at, *places])
        for part, unread in table.chunks(_CHUNK):
            failures = {failure.position: failure for failure in unread}
            for i, row in enumerate(part):
                if not strip_white(row[at]):
                    failures.setdefault(i, Failure(i, "", f"the {smiles!r} cell is empty"))
                if i in failures:
                    continue
                self.numbers.append(self.total + i)
                self.smiles.append(row[at])
                for cells, place in zip(self.cells, places, strict=True):
                    cells.append(row[place])
            self.failures += [failure.shifted(self.total) for failure in failures.values()]
            self.total += len(part)


def _columns(
    function: str, tasks: Sequence[str], table: Table, form: LabelFormat
) -> tuple[list[str], list[LabelFormat]]:
    """Return the column of each task, and how it is read."""
    found = [None if form.transform else column_of(task, table.header) for task in tasks]
    columns = [task if one is None else one[0] for task, one in zip(tasks, found, strict=True)]
    check_columns(table.name, table.header, columns, function)
    return columns, [form if one is None else replace(form, transform=one[1]) for one in found]


def _tasks_among(table: Table, smiles: str) -> str:
    """Return the sentence for a user who names no column of labels."""
    rows, _ = next(table.chunks(_CHUNK), ([], []))
    others = [(i, name) for i, name in enumerate(table.header) if name and name != smiles]
    found = [repr(name) for i, name in others if looks_like_labels([row[i] for row in rows])]
    if not found:
        shown = ", ".join(repr(name) for _, name in others) or "no other column"
        return f"--task must name the column to learn; none of {table.name} looks like labels; it has {shown}"
    return (
        f"--task must name the column to learn; in {table.name} {'this looks' if len(found) == 1 else 'these look'} like "
        f"labels: {', '.join(found[:30])}{', ...' if len(found) > 30 else ''}"
    )


def _check_positive(where: str, positive: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    there = {strip_white(text).lower() for column in cells for text in column} if positive else set()
    for word in positive:
        if word.lower() not in there:
            raise ValueError(f"{where}: --positive {word} is in no cell of the columns of labels")


def _sentence(column: LabelColumn, cells: Sequence[str], form: LabelFormat) -> str:
    """Return what was read in a column of labels."""
    there = column.values[~np.isnan(column.values)]
    said = [f"{column.name}: no labels"]
    if column.is_classes:
        ones = int(there.sum())
        said = [f"{column.name}: {there.size:,} labels, {ones:,} of class 1 and {there.size - ones:,} of class 0"]
    elif there.size:
        spread = f"from {there.min():.4g} to {there.max():.4g} (median {np.median(there):.4g})"
        said = [f"{column.name}: {there.size:,} label{'' if there.size == 1 else 's'} {spread}"]
    said += column.notes
    if column.missing:
        said.append(f"{column.missing:,} missing")
    if column.censored:
        count, example = len(column.censored), strip_white(cells[column.censored[0]])
        done = {"bound": "taken as the value", "missing": "a missing label now", "drop": "left out with the row"}
        said.append(
            f"{count:,} {'is a bound' if count == 1 else 'are bounds'} such as {example!r}, {done[form.censored]}"
        )
    if column.faults:
        count, reason = len(column.faults), column.faults[0][1]
        said.append(f"{count:,} cannot be read and {'is' if count == 1 else 'are'} missing now: {reason}")
    decades = np.log10(there.max() / there.min()) if there.size and there.min() > 0 else 0.0
    if column.transform is None and decades > _DECADES:
        said.append(f"they spread over {decades:.0f} decades: consider --transform pIC50 or log10")
    return "; ".join(said)
