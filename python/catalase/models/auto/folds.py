"""Folds of molecules: equal molecules, and with `splitter="scaffold"` those that share a scaffold, stay together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...chem.murcko import scaffold_groups
from ...chem.standardizing import standardizer
from ...feat import Descriptors
from .blocks import Blocks, MoleculeBlocks

_WEIGHT = Descriptors().columns.index("MolWt")
_UNCLEAR = frozenset(".+-")  # in a SMILES: there may be counterions, or charges that neutralization takes away


def same_molecules(smiles: Sequence[str], blocks: Blocks) -> NDArray[np.intp]:
    """Return a number for each molecule, which equal molecules share.

    Molecules are equal if their standard forms (`catalase.chem.standardize`) have equal counts of ECFP4 and equal weights; so
    stereoisomers are, which the features cannot tell apart.
    """
    standard = standardizer("AutoModel.fit", normalize=True, largest_fragment=True, neutralize=True, inchikey=False)
    unclear = [i for i, text in enumerate(smiles) if not _UNCLEAR.isdisjoint(text)]
    forms = [standard(smiles[i]).smiles or smiles[i] for i in unclear]
    changed, kept = MoleculeBlocks().featurize(forms, errors="drop")
    keys = [_key(blocks, i) for i in range(len(blocks))]
    for place, row in enumerate(kept.tolist()):
        keys[unclear[row]] = _key(changed, place)
    return np.unique(np.array(keys), return_inverse=True)[1]


def _key(blocks: Blocks, row: int) -> bytes:
    import hashlib

    weight = round(
        float(blocks.descriptors[row, _WEIGHT]), 2
    )  # a sum, whose last digits depend on the order of the atoms
    return hashlib.sha256(blocks.counts[row].tobytes() + str(weight).encode()).digest()


def grouped(smiles: Sequence[str], same: NDArray[np.intp], splitter: str) -> NDArray[np.intp]:
    """Return the group of each molecule: rows of a group stay in one part."""
    if splitter == "random":
        return same
    scaffold = np.empty(len(smiles), np.intp)
    for number, rows in enumerate(scaffold_groups("AutoModel.fit", list(smiles))):
        scaffold[rows] = number
    first = np.full(int(same.max()) + 1, -1, np.intp)  # of equal molecules, the scaffold of the first one
    for row, molecule in enumerate(same.tolist()):
        if first[molecule] < 0:
            first[molecule] = scaffold[row]
    return first[same]


def folds_of(groups: NDArray[np.intp], count: int, seed: int) -> NDArray[np.intp]:
    """Return the fold of each row: groups by size, the largest first and equal ones by chance, each into the smallest fold."""
    sizes = np.bincount(groups)
    order = np.random.default_rng(seed).permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    fold, filled = np.empty(len(sizes), np.intp), np.zeros(count, np.intp)
    for group in order.tolist():
        fold[group] = int(filled.argmin())
        filled[fold[group]] += sizes[group]
    return fold[groups]
