"""The user's tables: reading one, listing the rows that cannot be read, and scoring a model on one."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ... import metrics, models
from ..._internal import storage
from ..._internal.console import Console, ReaderGone
from ..._internal.report import Failure, Report, error_lines
from ..._internal.storage.outputs import ERRORS_BEGIN, Output, begins_with
from ...data.csv_loader import check_columns
from ...data.labelled_table import LabelledTable, check_lost, read_labelled_table
from ...data.open_table import open_table
from ...data.table_file import Table
from .options import label_format

_CHUNK = 4096  # rows that are read, and get their new columns, at a time


def error_file_beside(path: str) -> str | None:
    """Return the name of the error file next to a table or an output; None where that is no file."""
    if path == "-" or (os.path.exists(path) and not os.path.isfile(path)) or path.startswith("/dev/"):
        return None
    return f"{path}.errors.csv"


@dataclass(frozen=True)
class UnreadableRows:
    """How a command treats the rows of a table that cannot be read.

    Attributes
    ----------
    table : str
        The table's name.
    error_file : str or None
        The CSV file that lists them; where there is none, the first is printed.
    most : float
        The largest share of the rows that may be unreadable.
    advice : str
        Tells the user how to get an error file where there is none.
    """

    table: str
    error_file: str | None
    most: float
    advice: str = "name a file for them by --errors-file"

    @classmethod
    def of(cls, options: argparse.Namespace, error_file: str | None) -> UnreadableRows:
        """Take the options of a command; ``error_file`` is used where the user names none."""
        return cls(options.table, options.errors_file or error_file, options.max_unreadable)

    @property
    def output(self) -> Output:
        """The error file, as an output of the command."""
        return Output("--errors-file", self.error_file, ERRORS_BEGIN)

    def check_share(self, report: Report, lost: Any = None) -> None:
        """Stop where too many rows, or all, are lost; the error file is written nevertheless.

        ``lost`` are the rows that are left out; None for all that have a failure.
        """
        rows = sorted({failure.position for failure in report.failures}) if lost is None else lost
        try:
            check_lost(self.table, report, rows, self.most)
        except ValueError:
            if self.error_file is None:
                raise
            _write_error_file(self.error_file, report)
            check_lost(self.table, report, rows, self.most, f"; all are listed in {self.error_file}")

    def tell(self, console: Console, report: Report | None, lost: Any = None) -> int:
        """Print how many rows could not be read; write the error file, or remove that of an earlier run.

        ``lost`` are the rows that are left out; None for all that have a failure. Return how many rows have one.
        """
        failures = report.failures if report is not None else []
        if report is None or not failures:
            if self.error_file is not None and begins_with(self.error_file, ERRORS_BEGIN):
                os.unlink(os.path.realpath(self.error_file))
            return 0
        count = len({f.position for f in failures})
        listed = f"they are listed in {self.error_file}"
        if self.error_file is None:
            first = min(failures, key=lambda failure: failure.position)
            listed = f"the first is row {first.position + 1}, {first.text[:40]!r}: {first.reason}; {self.advice}"
        else:
            try:
                _write_error_file(self.error_file, report)
            except OSError as error:  # all other results are written, and must not be lost by this
                listed = f"they could not be listed: {error}"
        gone = count if lost is None else len({f.position for f in failures} & set(lost.tolist()))
        said = f"{gone:,} of {report.total:,} rows could not be read"
        if gone < count:
            cells = f"{count - gone:,} row{' has' if count - gone == 1 else 's have'} cells that could not be read"
            said = f"{said}, and {cells}" if gone else f"{cells} of {report.total:,}"
        console.print(f"{said}; {listed}")
        return count


def _write_error_file(path: str, report: Report) -> None:
    lines = error_lines(sorted(report.failures, key=lambda failure: failure.position))

    def write(file: IO[bytes]) -> None:
        file.write(ERRORS_BEGIN + lines)

    Path(path).parent.mkdir(parents=True, exist_ok=True)
    storage.write_file_atomic(path, write)


def opened(options: argparse.Namespace, function: str, smiles: str | None) -> Table:
    """Return the opened table of a command, in the format that its options say."""
    return open_table(options.table, function, delimiter=options.delimiter, encoding=options.encoding, wanted=smiles)


def labelled_table(
    options: argparse.Namespace, function: str, tasks: Sequence[str], preferred: str | None = None
) -> LabelledTable:
    """Return the table of a command that needs labels, in the format that its options say."""
    return read_labelled_table(
        options.table,
        tasks,
        smiles_column=options.smiles,
        preferred=preferred,
        delimiter=options.delimiter,
        encoding=options.encoding,
        labels=label_format(options),
        function=function,
    )


def copy_with_columns(
    function: str,
    doing: str,
    unreadable: UnreadableRows,
    options: argparse.Namespace,
    preferred: str | None,
    added: list[str],
    cells_of: Callable[[list[str], list[Failure]], tuple[list[list[str]], list[Failure]]],
) -> tuple[Console, int]:
    """Copy a table chunk by chunk, in bounded memory, with new columns that follow from its SMILES.

    Parameters
    ----------
    function, doing : str
        The command, and what it does, for messages.
    unreadable : UnreadableRows
    options : Namespace
        The command's: ``table``, ``out``, ``smiles`` and the format.
    preferred : str or None
        The column of SMILES where the user names none and the table has it.
    added : list of str
        The new columns.
    cells_of : callable
        From the SMILES of a chunk, and the rows of it that the reader refused, to the new cells of each row and all
        failures.

    Returns
    -------
    Console
        Where further messages go, so that they do not mix with the result.
    int
        The number of rows that could not be read.
    """
    out = options.out
    console = console_beside(out)
    failures: list[Failure] = []
    total = 0
    # The table is opened before the output, so that its faults are not taken for faults of the output.
    with opened(options, function, options.smiles) as table:
        smiles = table.smiles_column(options.smiles, preferred)
        added_columns(table, smiles, added)
        column = table.header.index(smiles)

        def write(binary: IO[bytes]) -> None:
            nonlocal total
            with storage.csv_writer(binary) as writer, console.progress(doing, None) as advance:
                writer.writerow(table.header + added)
                for rows, unread in table.chunks(_CHUNK):
                    cells, failed = cells_of([row[column] for row in rows], unread)
                    failures.extend(failure.shifted(total) for failure in failed)
                    writer.writerows(row + more for row, more in zip(rows, cells, strict=True))
                    total += len(rows)
                    advance(len(rows))
            unreadable.check_share(report())

        def report() -> Report:
            return Report(total, total - len({f.position for f in failures}), failures)

        write_result(out, write)
        print_format(console, table, smiles)
    console.print(f"{total:,} rows written to {'standard output' if out == '-' else out}")
    return console, unreadable.tell(console, report())


def print_format(console: Console, table: Table, smiles: str) -> None:
    """Print what was found out about a table's format, and the column of SMILES."""
    console.print("; ".join([f"{table.name}: SMILES in column {smiles!r}", *table.notes]))


def console_beside(out: str) -> Console:
    """Return where messages go beside a result: standard error, if the result goes to standard output."""
    return Console(sys.stderr if out in ("-", "/dev/stdout") else None)


def added_columns(table: Table, smiles: str, added: list[str]) -> list[str]:
    """Return the names of new columns; refuse a table that has one of them, or that lacks its SMILES."""
    check_columns(table.name, table.header, [smiles])
    clash = [column for column in added if column in table.header]
    if clash:
        raise ValueError(f"{table.name} has a column {', '.join(map(repr, clash))} already; rename or remove it")
    return added


def write_result(out: str, write: Callable[[IO[bytes]], None]) -> None:
    """Write a result into a file, a pipe, or standard output (``-``)."""
    try:
        if out != "-":
            storage.remove_leftovers(out)
            storage.write_file_atomic(out, write)
            return
        binary = getattr(sys.stdout, "buffer", None)
        if binary is None:
            raise ValueError("standard output is closed, or takes no bytes; name a file by -o")
        write(binary)
        binary.flush()
    except BrokenPipeError:
        raise ReaderGone(out) from None


def load_model(path: str) -> Any:
    """Return a saved model; it must name its featurizer."""
    model = models.load(path)
    if model.featurizer is None:
        raise ValueError(
            f"the model in {path} names no featurizer, so it is not known what it takes instead of SMILES; set "
            "model.featurizer to what made the features that it was trained on, such as "
            "catalase.feat.CircularFingerprint(...), and save it again"
        )
    return model


def check_classes(labels: NDArray[Any], tasks: Sequence[str]) -> None:
    """Refuse labels of a classification that are not 0 and 1; those that are missing are left out."""
    values = np.unique(labels)
    if not set(values.tolist()) <= {0.0, 1.0}:
        shown = ", ".join(f"{v:g}" for v in values[:6])
        raise ValueError(f"classification needs labels 0 and 1 in {', '.join(tasks)}, got {shown}")


def print_scores(console: Console, model: Any, parts: list[tuple[str, Any]]) -> None:
    """Print a table of the usual scores for each part, whose labels are in the units of the table."""
    rows, undefined = [], False
    names: list[str] = []
    for name, part in parts:
        prediction = model.predict(part)
        if prediction.ndim == 3 and prediction.shape[2] == 2:
            check_classes(part.y[part.w != 0], part.tasks)
            functions: list[Any] = [metrics.roc_auc_score, metrics.prc_auc_score, metrics.balanced_accuracy_score]
            names = ["ROC-AUC", "PRC-AUC", "balanced accuracy"]
        elif prediction.ndim == 3:
            functions, names = (
                [metrics.accuracy_score, metrics.balanced_accuracy_score],
                ["accuracy", "balanced accuracy"],
            )
        else:
            functions = [metrics.rms_score, metrics.mae_score, metrics.r2_score, metrics.spearman_score]
            names = ["RMSE", "MAE", "R2", "Spearman"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one sentence below replaces the warnings of all scores
            scores = [metrics.Metric(f, np.mean).compute_metric(part.y, prediction, part.w) for f in functions]
        undefined |= bool(np.isnan(scores).any())
        rows.append([name, f"{len(part):,}", *[f"{score:.3f}" for score in scores]])
    console.table(["part", "rows", *names], rows)
    if undefined:
        needed = "molecules of both classes" if names[0] == "ROC-AUC" else "several different values"
        console.print(f"nan: this score cannot be computed; it needs {needed} in each task")
