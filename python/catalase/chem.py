"""Molecules of RDKit: reading them within bounds, saying why one is refused, and drawing them."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from . import _core
from ._internal import storage
from ._internal.text import strip_white

MAX_SMILES_LENGTH = _core.MAX_SMILES_LENGTH  # characters of a molecule
MAX_RDKIT_CLOSURES = 500  # ring closures of a molecule that RDKit is given
MAX_RDKIT_ATOMS = 10_000  # of a molecule that RDKit has read already


class Limits(NamedTuple):
    """Characters of a molecule that RDKit is given at most: with rings, and without."""

    rings: int
    chain: int


# RDKit's time and memory grow with the square of a molecule, inside calls that hear no signal, and with its cube before
# 2025.3. Measured near the limits: 2026.9 takes 3 s and 0.8 GB for one ring of 5,000 atoms, 4 s for a chain of 20,000;
# 2025.9 1.5 s for a chain of 5,000 (by 0.24 s for 2,000); 2024.9 0.7 s for 1,000 and 6 s for 2,000.
_LIMITS = {(2026, 3): Limits(5_000, 25_000), (2025, 3): Limits(5_000, 5_000), (0, 0): Limits(1_500, 1_500)}


@functools.cache
def rdkit_limits() -> Limits:
    """The limits for the RDKit that is installed."""
    from rdkit import rdBase

    year, month = (int(part) for part in rdBase.rdkitVersion.split(".")[:2])
    return next(limits for since, limits in _LIMITS.items() if (year, month) >= since)


_CLOSURE = re.compile(r"\[[^\]]*\]|(%\(\d+\)|%\d\d|\d)")  # outside brackets, where a digit is no ring closure


def clean_smiles(text: str) -> tuple[str, str]:
    """Return the stripped SMILES and an empty reason, or the reason why the text is refused before chemistry."""
    stripped = strip_white(text)
    if len(stripped) > MAX_SMILES_LENGTH:
        return stripped, f"it has {len(stripped):,} characters; a SMILES of at most {MAX_SMILES_LENGTH:,} is read"
    if stripped.isascii() and stripped.isprintable() and " " not in stripped:
        return stripped, ""
    for i, character in enumerate(stripped):
        if character in " \t":
            return (
                stripped,
                f"something follows the SMILES at position {i}: {strip_white(stripped[i:])[:40]!r}; pass it apart",
            )
        if not "!" <= character <= "~":
            return (
                stripped,
                f"character {character!r} (U+{ord(character):04X}) at position {i} does not belong in a SMILES",
            )
    return stripped, ""


def clean_for_rdkit(text: str) -> tuple[str, str]:
    """`clean_smiles` of a text that RDKit is to read; the reason may also be that RDKit would take too long."""
    stripped, reason = clean_smiles(text)
    if reason or len(stripped) <= MAX_RDKIT_CLOSURES:
        return stripped, reason
    limits = rdkit_limits()
    rings = len(stripped) <= limits.chain and any(match[1] for match in _CLOSURE.finditer(stripped))
    longest = limits.rings if rings else limits.chain
    if len(stripped) > longest:
        kind = " of a molecule with rings" if rings else ""
        return stripped, (
            f"only RDKit could read it, which is given at most {longest:,} characters{kind}, and it has {len(stripped):,}"
        )
    closures = sum(bool(match[1]) for match in _CLOSURE.finditer(stripped)) // 2
    if closures > MAX_RDKIT_CLOSURES:
        return stripped, (
            f"only RDKit could read it, which is given at most {MAX_RDKIT_CLOSURES} ring closures, and it has {closures:,}"
        )
    return stripped, ""


def why(text: str) -> str:
    """RDKit's reason for refusing a SMILES, in one line."""
    from rdkit import Chem, rdBase

    text, reason = clean_for_rdkit(text)
    if reason:
        return reason
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(text, sanitize=False)
        if molecule is not None:
            problems = [problem.Message() for problem in Chem.DetectChemistryProblems(molecule)]
            return _joined(problems[:2], len(problems)) or "RDKit cannot sanitize it"
    return "not a valid SMILES (unknown atom, or unclosed ring, branch or bracket)"


def valence_reason(text: str) -> str:
    """The same, without RDKit, for a SMILES that the native reader knows to be refused for a metal's valence."""
    found = _core.valence_problems(clean_smiles(text)[0])
    if found is None:
        return why(text)
    problems = [f"Explicit valence for atom # {a} {s}, {v}, is greater than permitted" for a, s, v in found[0]]
    return _joined(problems, found[1])


def _joined(first: list[str], count: int) -> str:
    """The first two problems of a molecule, and how many there are beyond."""
    return "; ".join(first + ([f"and {count - 2} problems more"] if count > 2 else []))


def read_molecule(item: Any) -> tuple[Any, str]:
    """Return an RDKit molecule and an empty reason, or None and the reason why it cannot be read."""
    if not isinstance(item, str):
        if isinstance(item, _molecule_class()):
            return _checked(item)
        return None, f"needs text or an RDKit molecule, got {type(item).__name__}"
    from rdkit import Chem, rdBase

    text, reason = clean_for_rdkit(item)
    if reason:
        return None, reason
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(text)
    return (molecule, "") if molecule is not None else (None, why(text))


def partial_molecule(item: Any) -> Any:
    """Read a molecule without checking valences; None where even that fails."""
    from rdkit import Chem, rdBase

    if not isinstance(item, str):
        return None
    text, reason = clean_for_rdkit(item)
    if reason:
        return None
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(text, sanitize=False)
        if molecule is None:
            return None
        molecule.UpdatePropertyCache(strict=False)
        steps = Chem.SanitizeFlags.SANITIZE_ALL ^ Chem.SanitizeFlags.SANITIZE_PROPERTIES
        if Chem.SanitizeMol(molecule, steps, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
            return None
        molecule = Chem.RemoveHs(molecule, sanitize=False)
        molecule.UpdatePropertyCache(strict=False)  # the removal left the hydrogen counts and the rings behind
        Chem.GetSymmSSSR(molecule)
        Chem.AssignStereochemistry(molecule, cleanIt=True, force=True)  # as MolFromSmiles does; chiral bits need it
        return molecule


def _checked(molecule: Any) -> tuple[Any, str]:
    if (n := molecule.GetNumAtoms()) > MAX_RDKIT_ATOMS:
        return None, f"it has {n:,} atoms; of an RDKit molecule at most {MAX_RDKIT_ATOMS:,} are taken"
    return (molecule, "") if _is_sanitized(molecule) else (None, "the molecule is not sanitized; call Chem.SanitizeMol")


def _is_sanitized(molecule: Any) -> bool:
    """Whether rings and valences are known; RDKit's threads would end the process where they are not."""
    if molecule.NeedsUpdatePropertyCache():
        return False
    try:
        molecule.GetRingInfo().NumRings()
    except RuntimeError:
        return False
    return True


@functools.cache
def _molecule_class() -> type:
    """`rdkit.Chem.Mol`: an import statement a molecule costs more than looking at one."""
    from rdkit import Chem

    return Chem.Mol


_MAX_DRAWN_ATOMS = 500  # of a molecule that is drawn: coordinates take time with the square, and nobody sees the atoms


def molecule_grid(path: str, mols: Sequence[Any], legends: Sequence[str], *, columns: int = 5) -> None:
    """Draw molecules in a grid with a legend below each, five to a row, as a PNG file.

    A molecule of more than 500 atoms is left blank, and its legend says so.
    """
    from rdkit import Chem
    from rdkit.Chem import rdDepictor
    from rdkit.Chem.Draw import rdMolDraw2D

    mols, legends = list(mols), list(legends)
    for i, mol in enumerate(mols):
        if mol.GetNumAtoms() > _MAX_DRAWN_ATOMS:
            legends[i] = f"{legends[i]} (not drawn: {mol.GetNumAtoms():,} atoms)"
            mols[i] = Chem.Mol()
    rows = -(-len(mols) // columns)
    drawer = rdMolDraw2D.MolDraw2DCairo(columns * 260, rows * 230, 260, 230)
    options: Any = drawer.drawOptions()
    options.legendFontSize = 17
    options.padding = 0.08
    for mol in mols:
        rdDepictor.Compute2DCoords(mol)
    drawer.DrawMolecules(mols, legends=legends)
    drawer.FinishDrawing()
    picture: bytes = drawer.GetDrawingText()
    storage.write_file_atomic(path, lambda file: cast(None, file.write(picture)))
