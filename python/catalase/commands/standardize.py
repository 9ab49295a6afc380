"""``catalase standardize`` gives every molecule of a table its standard form, and finds the rows of the same molecule."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from typing import IO, Any

from .common.command import Commands, command, exit_code
from .common.options import add_table_options, input_path, name, output_path

_CHUNK = 1024  # rows standardized at a time
_ADDED = ["standard smiles", "inchikey", "standardizing", "same as row"]
_DIFFER = "labels that differ"


def add(commands: Commands) -> None:
    """Declare the command and its options."""
    text = (
        "Standardize the molecules of a table: without salts, neutral, canonical; report duplicates and their labels."
    )
    parser = command(commands, "standardize", text, run, interrupted="nothing was written")
    parser.add_argument(
        "table", type=input_path, help="as for train; SMILES of CXSMILES tables may have their extension"
    )
    parser.add_argument(
        "-o",
        "--out",
        type=output_path,
        required=True,
        help="CSV to write: the table's columns, the standard SMILES, InChIKey, and what was done; - for standard output",
    )
    parser.add_argument("--smiles", type=name, default="smiles", help="column of SMILES (default: %(default)s)")
    parser.add_argument(
        "--task", type=name, action="append", default=[], help="column of labels, compared in rows of the same molecule"
    )
    parser.add_argument(
        "--merge",
        choices=["mean", "median", "missing"],
        help="write one row a molecule, with this label where labels differ (classes 0 and 1: missing)",
    )
    parser.add_argument("--keep-groups", action="store_true", help="leave functional groups as they are written")
    parser.add_argument(
        "--keep-fragments", action="store_true", help="keep counterions, solvents, all parts of mixtures"
    )
    parser.add_argument("--keep-charges", action="store_true", help="do not neutralize")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    add_table_options(parser)


def run(options: argparse.Namespace) -> int:
    """Copy the table chunk by chunk with new columns, or one row for each molecule."""
    from .._internal import storage
    from .._internal.console import Console
    from .._internal.storage.outputs import Output, check_outputs
    from ..data.csv_loader import check_columns
    from ..data.open_table import open_table
    from .common import tables

    out = options.out
    console = Console(sys.stderr if out in ("-", "/dev/stdout") else None)  # messages must not mix with the result
    unreadable = tables.UnreadableRows.of(options, tables.error_file_beside(out))
    check_outputs(
        "standardize", {"the table": options.table}, [Output("-o", out), unreadable.output], force=options.force
    )
    with open_table(options.table, "standardize") as table:
        smiles = table.smiles_column(options.smiles)
        added = _ADDED + ([_DIFFER] if options.task else [])
        tables.added_columns(table, smiles, added)
        check_columns(options.table, table.header, options.task)
        rows = _Rows(options, table.header, smiles)

        def write(binary: IO[bytes]) -> None:
            with storage.csv_writer(binary) as writer, console.progress("standardizing", None) as advance:
                writer.writerow(table.header + added)
                for part, unread in table.chunks(_CHUNK):
                    done = rows.standardize(part, unread)
                    if not options.merge:
                        writer.writerows(done)
                    advance(len(part))
                if options.merge:
                    writer.writerows(rows.merged(options.merge))
            unreadable.check_share(rows.report())

        tables.write_result(out, write)
    report = rows.report()
    written = f"{len(rows.first):,} molecules" if options.merge else f"{report.total:,} rows"
    console.print(f"{written} written to {'standard output' if out == '-' else out}")
    for note in report.notes:
        console.print(note)
    return exit_code(unreadable.tell(console, report), options)


class _Rows:
    """The rows of a table so far: what was done to them, and the first row of each molecule."""

    def __init__(self, options: argparse.Namespace, header: list[str], smiles: str) -> None:
        from ..chem.standardizing import standardizer

        self._standard = standardizer(
            "standardize",
            normalize=not options.keep_groups,
            largest_fragment=not options.keep_fragments,
            neutralize=not options.keep_charges,
            inchikey=True,
        )
        self._column, self._merge = header.index(smiles), bool(options.merge)
        self._tasks = {task: header.index(task) for task in options.task}
        self.first: dict[str, int] = {}  # by key of the molecule
        self._labels: dict[int, dict[str, list[tuple[int, float]]]] = {}  # by first row and task: rows and their labels
        self._kept: dict[int, list[str]] = {}  # rows to be merged, by first row
        self._together: dict[int, list[int]] = {}
        self._total = 0
        self._failures: list[Any] = []
        self._counts = Counter({"salts": 0, "mixtures": 0, "neutralized": 0, "duplicates": 0})
        self._salts: Counter[str] = Counter()
        self._repeated: set[int] = set()
        self._differing: dict[int, list[str]] = {}

    def standardize(self, rows: list[list[str]], unread: list[Any]) -> list[list[str]]:
        """Return the rows with their new cells."""
        known = {failure.position: failure for failure in unread}
        done = []
        for i, row in enumerate(rows):
            cells = self._failed(known[i].text, known[i].reason) if i in known else self._molecule(row)
            done.append(row + cells)
            self._total += 1
        return done

    def _failed(self, text: str, reason: str) -> list[str]:
        from .._internal.report import Failure

        self._failures.append(Failure(self._total, text, reason))
        return ["", "", f"failed: {reason}", ""] + [""] * bool(self._tasks)

    def _molecule(self, row: list[str]) -> list[str]:
        """Return the new cells of a row, whose number is the total so far."""
        text, number = row[self._column], self._total
        form = self._standard(text)
        if form.reason:
            return self._failed(text, form.reason)
        self._counts.update(salts=bool(form.removed), mixtures=form.mixture, neutralized=form.charges > 0)
        self._salts.update(set(form.removed))
        first = self.first.setdefault(form.key, number)
        if first != number:
            self._counts["duplicates"] += 1
            self._repeated.add(first)
        cells = [form.smiles, form.inchikey, form.changes, "" if first == number else str(first + 1)]
        cells += [self._compare(row, first)] if self._tasks else []
        if self._merge:
            self._together.setdefault(first, []).append(number)
            if first == number:
                self._kept[number] = row + cells
        return cells

    def _compare(self, row: list[str], first: int) -> str:
        """Keep the labels of a row, and return those that differ from the labels of earlier rows of the same molecule."""
        from .._internal.report import Failure
        from ..data.csv_loader import parse_label

        differing = []
        earlier = self._labels.setdefault(first, {})
        for task, column in self._tasks.items():
            value, reason = parse_label(row[column])
            if reason:
                self._failures.append(Failure(self._total, row[column], f"column {task!r}: {reason}"))
            if value != value:  # NaN: there is no label
                continue
            labels = earlier.setdefault(task, [])
            if labels and labels[0][1] != value:
                differing.append(f"{task}: {value:g}, but {labels[0][1]:g} in row {labels[0][0] + 1}")
            if self._merge or not labels:
                labels.append((self._total, value))
        if differing:
            self._differing.setdefault(first, []).extend(differing)
        return "; ".join(differing)

    def merged(self, how: str) -> list[list[str]]:
        """Return one row a molecule: the first of its rows with the label of all, and the numbers of its rows."""
        import numpy as np

        from ..chem.standardizing import merged_label

        values = {task: {v for one in self._labels.values() for _, v in one.get(task, [])} for task in self._tasks}
        done = []
        for first, row in self._kept.items():
            for task, column in self._tasks.items():
                labels = np.array([value for _, value in self._labels[first].get(task, [])])
                label = merged_label(labels, "missing" if values[task] <= {0.0, 1.0} else how)
                if len(self._together[first]) > 1:
                    row[column] = "" if np.isnan(label) else f"{label:.15g}"
            if self._tasks:
                row[-1] = "; ".join(self._differing.get(first, []))
            row[len(row) - 1 - bool(self._tasks)] = " ".join(str(number + 1) for number in self._together[first][1:])
            done.append(row)
        return done

    def report(self) -> Any:
        """Return the report of all rows."""
        from .._internal.report import Report
        from ..chem.standardizing import notes

        counts = {**self._counts, "conflicts": len(self._differing)}
        conflicts = [text for texts in self._differing.values() for text in texts]
        said = notes(counts, dict(self._salts.most_common()), len(self._repeated), conflicts)
        return Report(
            self._total, self._total - len({f.position for f in self._failures}), self._failures, said, counts
        )
