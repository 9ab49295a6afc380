"""`ScaffoldSplitter` keeps molecules that share a Bemis-Murcko scaffold in one part."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..chem.murcko import scaffold_groups, scaffold_of
from .splitter import Splitter


def murcko_scaffold(smiles: str, *, chiral: bool = False) -> str | None:
    """Return `catalase.chem.scaffold` of one molecule, under the name that it had first.

    Parameters
    ----------
    smiles : str
    chiral : bool
        Keep stereochemistry in the scaffold.

    Returns
    -------
    str or None
        ``""`` for a molecule without rings, None for text that RDKit cannot read.

    Examples
    --------
    >>> murcko_scaffold("CCc1ccccc1O")
    'c1ccccc1'
    """
    return scaffold_of("murcko_scaffold", smiles, chiral)


class ScaffoldSplitter(Splitter):
    """Put each scaffold whole into one part, the commonest into train and the rarest into test, without randomness.

    SMILES are read from ``dataset.ids``. Rows are grouped by `catalase.chem.scaffold`; groups are sorted by size, then by the
    index of their first row, both descending (DeepChem 2.8's order), and put into train while it has room, else into
    validation while train and validation have room, else into test.

    Notes
    -----
    `seed` has no effect. A row that RDKit cannot read is a group of its own, so it is kept (DeepChem drops it, and so
    can split other rows differently). All molecules without rings are one group. If the largest group is larger than
    the room in train it goes to test, and parts can differ much from their fractions or be empty. Chirality is ignored.
    Groups are found natively, at some 20 times RDKit's speed; the few molecules that have no native key go to RDKit.

    References
    ----------
    Bemis and Murcko, J. Med. Chem. 39 (1996) 2887, doi:10.1021/jm9602928.

    Examples
    --------
    >>> class Molecules:
    ...     ids = ["c1ccccc1C", "c1ccccc1N", "C1CC1", "C1CCC1", "CC"]
    ...     def __len__(self):
    ...         return 5
    >>> [part.tolist() for part in ScaffoldSplitter().split(Molecules(), 0.6, 0.2, 0.2)]
    [[0, 1, 4], [3], [2]]
    """

    def scaffold_sets(self, dataset: Any) -> list[list[int]]:
        """Return the groups of row indices that share a scaffold, in the order in which they are dealt out."""
        ids = np.asarray(getattr(dataset, "ids", None), dtype=object)
        if ids.ndim != 1 or not all(isinstance(text, str) for text in ids):
            raise TypeError("ScaffoldSplitter: dataset.ids must hold SMILES strings; give ids= to the dataset, or use "
                            "RandomSplitter")  # fmt: skip
        groups = scaffold_groups("ScaffoldSplitter", ids.tolist())
        return sorted(groups, key=lambda rows: (len(rows), rows[0]), reverse=True)

    def _split(
        self, dataset: Any, frac_train: float, frac_valid: float, seed: int | None
    ) -> tuple[list[int], list[int], list[int]]:
        train_room = frac_train * len(dataset) + 1e-9
        valid_room = (frac_train + frac_valid) * len(dataset) + 1e-9
        train: list[int] = []
        valid: list[int] = []
        test: list[int] = []
        for rows in self.scaffold_sets(dataset):
            if len(train) + len(rows) <= train_room:
                train += rows
            elif len(train) + len(valid) + len(rows) <= valid_room:
                valid += rows
            else:
                test += rows
        return train, valid, test
