"""Salts, and rows of the same molecule, in a table to train on: finding them, saying so, and making one row of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._internal.report import Failure
from ...chem.duplicates import Duplicates, duplicate_notes
from ...chem.standardizing import removed_fragments, standard_report, standardizer
from ...data import NumpyDataset


class SameMolecules:
    """The standard forms of the molecules of a dataset, and which of its rows are of the same molecule.

    Parameters
    ----------
    dataset : Dataset
        With SMILES as ids.
    rows : int64 ndarray
        The row of the table, from 0, of each row of the dataset.
    advance : callable
        Is told of each row that is done.
    """

    def __init__(self, dataset: Any, rows: NDArray[np.int64], advance: Callable[[int], object]) -> None:
        standard = standardizer("train", normalize=True, largest_fragment=True, neutralize=True, inchikey=True)
        self._dataset, self._rows = dataset, rows
        self._forms = []
        for text in dataset.ids:
            self._forms.append(standard(str(text)))
            advance(1)
        self._molecules = Duplicates(dataset.tasks)
        self.failures: list[Failure] = []
        labels = np.where(dataset.w == 0, np.nan, dataset.y).astype(np.float64).tolist()
        for form, row, text, values in zip(self._forms, rows.tolist(), dataset.ids, labels, strict=True):
            if form.reason:
                self.failures.append(Failure(row, str(text), form.reason))
            else:
                self._molecules.add(form.key, row, values)

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

    def merged(self, featurizer: Any) -> tuple[Any, NDArray[np.int64], list[str]]:
        """Return a dataset of one row a molecule, in its standard form; the row of the table of each; and what was done.

        The label of a molecule whose labels differ is their mean; between classes there is none, and it is missing.
        """
        labels = self._molecules.merged("train", "mean").astype(np.float32)
        smiles_of = {row: form.smiles for row, form in zip(self._rows.tolist(), self._forms, strict=True)}
        first = np.array([rows[0] for rows in self._molecules.rows.values()], np.int64)
        smiles = [smiles_of[row] for row in first.tolist()]
        X, kept = featurizer.featurize(smiles, errors="drop")
        if featurizer.report is not None:
            self.failures += [f._replace(position=int(first[f.position])) for f in featurizer.report.failures]
        tasks = self._dataset.tasks
        dataset = NumpyDataset(X, labels[kept], ids=np.array(smiles)[kept], tasks=tasks, featurizer=featurizer)
        notes = standard_report(self._forms, self._molecules, self.failures, len(self._rows), len(kept), 1).notes
        notes.append(
            f"trained on {len(kept):,} molecules of {len(self._rows):,} rows; standardize those to predict, too"
        )
        return dataset, first[kept], notes
