"""Bemis-Murcko scaffolds: the rings of a molecule and the linkers between them."""

from __future__ import annotations

from collections.abc import Sequence

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
