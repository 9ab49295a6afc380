"""The rows of a table with the standard forms of their molecules, for ``catalase standardize``."""

from __future__ import annotations

import argparse
import math

from ..._internal.report import Failure, Report
from ...chem.duplicates import Duplicates
from ...chem.standardizing import StandardForm, standard_report, standardizer
from ...data.labels import is_missing, parse_number

ADDED = ["standard smiles", "inchikey", "standardizing", "same as row"]
DIFFER = "labels that differ"  # a column where there are tasks


class StandardRows:
    """The rows of a table so far: what was done to them, and which are of the same molecule."""

    def __init__(self, options: argparse.Namespace, header: list[str], smiles: str) -> None:
        self._standard = standardizer(
            "standardize",
            normalize=not options.keep_groups,
            largest_fragment=not options.keep_fragments,
            neutralize=not options.keep_charges,
            inchikey=True,
        )
        self._column, self._merge = header.index(smiles), bool(options.merge)
        self._decimal: str | None = options.decimal
        self._commas: set[str] = set()  # tasks whose labels have decimal commas
        self._tasks = {task: header.index(task) for task in options.task}
        self.molecules = Duplicates(list(self._tasks))
        self._forms: list[StandardForm] = []
        self._kept: dict[str, list[str]] = {}  # the first row of each molecule, where rows are merged
        self._failures: list[Failure] = []

    def standardize(self, rows: list[list[str]], unread: list[Failure]) -> list[list[str]]:
        """Return the rows with their new cells."""
        known = {failure.position: failure for failure in unread}
        return [row + self._cells(row, known.get(i)) for i, row in enumerate(rows)]

    def _cells(self, row: list[str], unread: Failure | None) -> list[str]:
        """Return the new cells of a row."""
        number, text = len(self._forms), row[self._column]
        form = self._standard(text) if unread is None else StandardForm(reason=unread.reason)
        self._forms.append(form._replace(smiles="", inchikey="", changes=form.changes and "changed"))  # for the report
        if form.reason:
            self._failures.append(Failure(number, text if unread is None else unread.text, form.reason))
            return ["", "", f"failed: {form.reason}", ""] + [""] * bool(self._tasks)
        labels = [self._label(task, row[column]) for task, column in self._tasks.items()]
        first = self.molecules.add(form.key, number, labels)
        cells = [form.smiles, form.inchikey, form.changes, "" if first == number else str(first + 1)]
        cells += [self._differing(form.key)] if self._tasks else []
        if self._merge and first == number:
            self._kept[form.key] = row + cells
        return cells

    def _label(self, task: str, text: str) -> float:
        if is_missing(text):
            return math.nan
        number = parse_number(text, self._decimal)
        if number.reason:
            self._failures.append(Failure(len(self._forms) - 1, text, f"column {task!r}: {number.reason}"))
        elif "," in text:
            self._commas.add(task)
        return number.value

    def _differing(self, key: str) -> str:
        """Return the labels of the newest row of a molecule that differ from the first ones of earlier rows."""
        *earlier, newest = zip(self.molecules.rows[key], self.molecules.labels[key], strict=True)
        said = []
        for t, task in enumerate(self._tasks):
            value = newest[1][t]
            row, first = next(((row, one[t]) for row, one in earlier if one[t] == one[t]), (0, value))
            if value == value and value != first:
                said.append(f"{task}: {value:g}, but {first:g} in row {row + 1}")
        return "; ".join(said)

    def merged(self, how: str) -> list[list[str]]:
        """Return one row a molecule: the first of its rows, with the label of all, and the numbers of the others."""
        done = []
        labels = self.molecules.merged("standardize", how).tolist()
        for (key, numbers), values in zip(self.molecules.rows.items(), labels, strict=True):
            row = self._kept[key]
            if len(numbers) > 1:
                for (task, column), value in zip(self._tasks.items(), values, strict=True):
                    text = f"{value:.15g}" if value == value else ""
                    row[column] = text.replace(".", ",") if task in self._commas else text
            added = [" ".join(str(number + 1) for number in numbers[1:])]
            if self._tasks:
                added.append("; ".join(conflict.text(1) for conflict in self.molecules.conflicts_of(key)))
            done.append(row[: -len(added)] + added)
        return done

    def report(self) -> Report:
        """Return the report of all rows."""
        total, failed = len(self._forms), len({failure.position for failure in self._failures})
        return standard_report(self._forms, self.molecules, self._failures, total, total - failed, first=1)
