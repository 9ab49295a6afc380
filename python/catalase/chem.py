"""RDKit molecules: reading them within limits, explaining why one is refused, and drawing them."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from . import _core
from ._internal import storage
from ._internal.text import strip_white

MAX_SMILES_LENGTH = _core.MAX_SMILES_LENGTH  # characters of a molecule
MAX_RDKIT_CLOSURES = 500  # ring closures of a molecule that RDKit is to read
MAX_RDKIT_ATOMS = 10_000  # atoms of a molecule that RDKit has already read


class Limits(NamedTuple):
    """The most characters of a molecule that RDKit is to read, with rings and without."""

    rings: int
    chain: int


# RDKit's time and memory grow with the square of a molecule's size, before 2025.3 with its cube, inside calls that no signal
# interrupts. Measured near the limits: 2026.9 takes 3 s and 0.8 GB for one ring of 5,000 atoms, 4 s for a chain of 20,000;
# 2025.9 1.5 s for a chain of 5,000 (by 0.24 s for 2,000); 2024.9 0.7 s for 1,000 and 6 s for 2,000.
_LIMITS = {(2026, 3): Limits(5_000, 25_000), (2025, 3): Limits(5_000, 5_000), (0, 0): Limits(1_500, 1_500)}


@functools.cache
def rdkit_limits() -> Limits:
    """Return the limits for the installed RDKit."""
    from rdkit import rdBase

    year, month = (int(part) for part in rdBase.rdkitVersion.split(".")[:2])
    return next(limits for since, limits in _LIMITS.items() if (year, month) >= since)


_CLOSURE = re.compile(r"\[[^\]]*\]|(%\(\d+\)|%\d\d|\d)")  # digits in brackets are not ring closures


def clean_smiles(text: str) -> tuple[str, str]:
    """Return the stripped SMILES and an empty reason, or the reason why the text is refused without reading it."""
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
    """Return `clean_smiles` of a text that RDKit is to read; the reason may also be that RDKit would take too long."""
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


def refusal_reason(text: str) -> str:
    """Return RDKit's reason for refusing a SMILES, in one line."""
    from rdkit import Chem, rdBase

    text, reason = clean_for_rdkit(text)
    if reason:
        return reason
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(text, sanitize=False)
        if molecule is not None:
            problems = [problem.Message() for problem in Chem.DetectChemistryProblems(molecule)]
            return _listing(problems[:2], len(problems)) or "RDKit cannot sanitize it"
    return "not a valid SMILES (unknown atom, or unclosed ring, branch or bracket)"


def valence_reason(text: str) -> str:
    """Return `refusal_reason` without RDKit, for a SMILES that the native reader refuses for a metal's valence."""
    found = _core.valence_problems(clean_smiles(text)[0])
    if found is None:
        return refusal_reason(text)
    problems = [f"Explicit valence for atom # {a} {s}, {v}, is greater than permitted" for a, s, v in found[0]]
    return _listing(problems, found[1])


def _listing(first: list[str], count: int) -> str:
    """Return the first two problems of a molecule, and the number of further ones, as one text."""
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
    return (molecule, "") if molecule is not None else (None, refusal_reason(text))


def partial_molecule(item: Any) -> Any:
    """Read a molecule without checking valences; return None if that fails too."""
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
        molecule.UpdatePropertyCache(strict=False)  # the removal does not update hydrogen counts and rings
        Chem.GetSymmSSSR(molecule)
        Chem.AssignStereochemistry(molecule, cleanIt=True, force=True)  # as MolFromSmiles does; chiral bits need it
        return molecule


def _checked(molecule: Any) -> tuple[Any, str]:
    if (n := molecule.GetNumAtoms()) > MAX_RDKIT_ATOMS:
        return None, f"it has {n:,} atoms; of an RDKit molecule at most {MAX_RDKIT_ATOMS:,} are taken"
    return (molecule, "") if _is_sanitized(molecule) else (None, "the molecule is not sanitized; call Chem.SanitizeMol")


def _is_sanitized(molecule: Any) -> bool:
    """Return whether rings and valences are known; otherwise RDKit's threads would end the process."""
    if molecule.NeedsUpdatePropertyCache():
        return False
    try:
        molecule.GetRingInfo().NumRings()
    except RuntimeError:
        return False
    return True


@functools.cache
def _molecule_class() -> type:
    """Return `rdkit.Chem.Mol`, cached, because an import statement takes longer than the check of a molecule."""
    from rdkit import Chem

    return Chem.Mol


_MAX_DRAWN_ATOMS = 500  # the time for coordinates is quadratic, and so many atoms cannot be seen


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
