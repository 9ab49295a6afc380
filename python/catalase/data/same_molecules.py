"""Salts, and rows of the same molecule, in a table to train on: finding them, saying so, and making one row of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import choice
from .._internal.report import Failure
from ..chem.duplicates import Duplicates, duplicate_notes
from ..chem.standardizing import removed_fragments, standard_report, standardizer
from .labelled_table import LabelledTable

DUPLICATES = ("mean", "first", "drop", "refuse")


class SameMolecules:
    """The standard forms of the molecules of a table, and which of its rows are of the same molecule.

    Parameters
    ----------
    table : LabelledTable
    advance : callable
        Is told of each row that is done.
    """

    def __init__(self, table: LabelledTable, advance: Callable[[int], object] = lambda done: None) -> None:
        standard = standardizer("train", normalize=True, largest_fragment=True, neutralize=True, inchikey=True)
        self._table = table
        self._forms = []
        for text in table.smiles:
            self._forms.append(standard(text))
            advance(1)
        self._molecules = Duplicates(table.tasks)
        self._failures: list[Failure] = []
        for form, row, text, labels in zip(
            self._forms, table.rows.tolist(), table.smiles, table.y.tolist(), strict=True
        ):
            if form.reason:
                self._failures.append(Failure(row, text, form.reason))
            else:
                self._molecules.add(form.key, row, labels)

    def notes_unmerged(self, parts: Sequence[NDArray[np.int64]]) -> list[str]:
        """Return what a user must know who trains on the rows as they are; ``parts`` are the rows of the table by part."""
        salts = removed_fragments(self._forms)
        said = duplicate_notes(self._molecules, 1)
        part_of = {row: number for number, part in enumerate(parts) for row in part.tolist()}
        places = ({part_of[row] for row in rows if row in part_of} for rows in self._molecules.repeated())
        shared = sum(len(place) > 1 for place in places)
        if shared:
            stand = "molecule stands" if shared == 1 else "molecules stand"
            said.append(f"{shared:,} {stand} in several parts of the split, which makes the scores below too good")
        if salts:
            count = sum(bool(form.removed) for form in self._forms)
            said.append(
                f"{count:,} row{' has' if count == 1 else 's have'} counterions or other fragments, which are part of the "
                f"features: {', '.join(list(salts)[:8])}"
            )
        if said:
            said.append(
                "--standardize removes fragments and merges rows of one molecule; catalase standardize shows them"
            )
        return said

    def merged(self, duplicates: str = "mean") -> tuple[LabelledTable, list[str]]:
        """Return a table of one row a molecule, in its standard form and with the row of its first text; and what was done.

        Parameters
        ----------
        duplicates : {"mean", "first", "drop", "refuse"}
            The label of a molecule whose labels differ: their mean (between classes there is none, and it is missing), the
            first one, none (each such label is a failure of the table), or an error that names them.
        """
        choice("train", "duplicates", duplicates, DUPLICATES)
        conflicts = [conflict for found in self._molecules.conflicts() for conflict in found]
        if conflicts and duplicates == "refuse":
            shown = "; ".join(conflict.text(1) for conflict in conflicts[:3])
            more = f"; and {len(conflicts) - 3:,} more" if len(conflicts) > 3 else ""
            raise ValueError(
                f"{self._table.name} has rows of the same molecule whose labels differ: {shown}{more}; choose what to do by "
                "--duplicates mean, first or drop"
            )
        first = [rows[0] for rows in self._molecules.rows.values()]
        smiles_of = {row: form.smiles for row, form in zip(self._table.rows.tolist(), self._forms, strict=True)}
        labels = self._molecules.merged("train", duplicates if duplicates in ("mean", "first") else "missing")
        failures = [*self._table.failures, *self._failures]
        kept = np.ones(len(first), bool)
        if duplicates == "drop":
            text = dict(zip(self._table.rows.tolist(), self._table.smiles, strict=True))
            failures += [
                Failure(row, text[row], f"left out, because rows of this molecule differ: {conflict.text(1)}")
                for conflict in conflicts
                for row in conflict.rows
            ]
            differ = {row for conflict in conflicts for row in conflict.rows}
            molecules = self._molecules.rows.values()
            kept = ~(np.isnan(labels).all(axis=1) & np.array([not differ.isdisjoint(rows) for rows in molecules], bool))
        later = [
            row for rows, there in zip(self._molecules.rows.values(), kept, strict=True) if there for row in rows[1:]
        ]
        rows = np.array(first, np.int64)[kept]
        table = replace(
            self._table,
            smiles=[smiles_of[row] for row in rows.tolist()],
            rows=rows,
            y=labels[kept],
            failures=failures,
            merged=np.array(later, np.int64),
        )
        total = len(self._forms)
        return table, standard_report(self._forms, self._molecules, self._failures, total, len(table), 1).notes
