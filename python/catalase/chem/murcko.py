"""Bemis-Murcko scaffolds: the rings of a molecule and the linkers between them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import _core
from .._internal.numbers import flag, shown
from .reading import molecule_list, read_molecule

_MAX_ATOMS = 1_000  # in a molecule with rings; the scaffold of one this large takes up to 2 s


def scaffold(smiles: str | Sequence[str], *, chiral: bool = False) -> str | list[str | None] | None:
    """Return the SMILES of the Bemis-Murcko scaffold (rings and the linkers between them), made by RDKit.

    Parameters
    ----------
    smiles : str or sequence of str
        One molecule, or several. Surrounding white space is ignored.
    chiral : bool
        Keep stereochemistry in the scaffold.

    Returns
    -------
    str or None, or a list of these
        ``""`` for a molecule without rings. None where RDKit cannot read the SMILES, or would take minutes: where it
        is longer than `ops.ecfp` lets RDKit read, or has rings and more than 1,000 atoms. `read` says why.

    References
    ----------
    Bemis and Murcko, J. Med. Chem. 39 (1996) 2887, doi:10.1021/jm9602928.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.chem.scaffold("CCc1ccccc1O")
    'c1ccccc1'
    >>> ct.chem.scaffold(["C1CC1CC2CC2N", "CCO", "C1CC"])
    ['C1CC1CC1CC1', '', None]
    """
    chiral = flag("scaffold", "chiral", chiral)
    if isinstance(smiles, str):
        return scaffold_of("scaffold", smiles, chiral)
    return [scaffold_of("scaffold", text, chiral) for text in molecule_list("scaffold", smiles)]


def scaffold_of(function: str, smiles: str, chiral: bool) -> str | None:
    """Return `scaffold` of one text; ``function`` is named in errors."""
    if not isinstance(smiles, str):
        raise TypeError(f"{function}: smiles must be a str, got {shown(smiles)}")
    chiral = flag(function, "chiral", chiral)
    from rdkit import rdBase
    from rdkit.Chem.Scaffolds.MurckoScaffold import MurckoScaffoldSmiles

    mol, _ = read_molecule(smiles)
    if mol is None or not mol.GetNumAtoms():
        return None
    with rdBase.BlockLogs():
        if mol.GetRingInfo().NumRings() == 0:  # RDKit's scaffold code needs quadratic time to find that out
            return ""
        if mol.GetNumAtoms() > _MAX_ATOMS:
            return None
        try:
            return str(MurckoScaffoldSmiles(mol=mol, includeChirality=chiral))
        except (ValueError, RuntimeError):
            return None


def scaffold_groups(function: str, smiles: Sequence[str]) -> list[list[int]]:
    """Return the rows that have equal scaffolds, without chirality; a row that has none that RDKit can write is alone.

    The groups are those of `scaffold_of`. Most molecules get a key of their scaffold natively (cpp/scaffold); the scaffold of
    one that is left to RDKit is compared with those of the groups that have the same elements.
    """
    status = np.ones(len(smiles), np.uint8)
    keys = _core.scaffold_keys(list(smiles), status, _core.get_num_threads())
    groups: dict[bytes | str, list[int]] = {}
    for row, key in enumerate(keys):
        if key is not None:
            groups.setdefault(key, []).append(row)
    alone: list[list[int]] = []
    known: dict[str, bytes | str] = {"": b""}  # RDKit's scaffolds, and the group of each
    alike: dict[tuple[int, ...], list[bytes]] = {}
    left = [row for row, key in enumerate(keys) if key is None]
    if left:
        for key in filter(None, dict.fromkeys(keys)):
            alike.setdefault(_elements_of_key(key), []).append(key)
    for row in left:
        text = scaffold_of(function, smiles[row], False)
        if text is None:
            alone.append([row])
            continue
        if text not in known:
            candidates = alike.get(_elements_of_scaffold(text), [])
            same = (key for key in candidates if scaffold_of(function, smiles[groups[key][0]], False) == text)
            known[text] = next(same, text)
        groups.setdefault(known[text], []).append(row)
    return [*map(sorted, groups.values()), *alone]


def _elements_of_key(key: bytes) -> tuple[int, ...]:
    """Return the atomic numbers of a native key, which begins with the number of atoms and their labels."""
    words = np.frombuffer(key, np.uint32)
    return tuple(sorted((words[1 : 1 + int(words[0])] & 255).tolist()))


def _elements_of_scaffold(text: str) -> tuple[int, ...]:
    from rdkit import Chem

    molecule = Chem.MolFromSmiles(text, sanitize=False)
    return tuple(sorted(atom.GetAtomicNum() for atom in molecule.GetAtoms()))
