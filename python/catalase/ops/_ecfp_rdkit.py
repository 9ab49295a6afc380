"""What RDKit does for `catalase.ops.ecfp`: the molecules that the native reader leaves, and the reasons of refusals."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._report import Failure

CHUNK = 10_000  # molecules held as RDKit objects at a time
REFUSED = 9  # status of cpp/fingerprint/molecule.h


class Settings(NamedTuple):
    """What a fingerprint is, and on how many threads it is made; checked."""

    radius: int
    size: int
    output: str
    chirality: bool
    features: bool
    use_bond_types: bool
    threads: int


def fill_by_rdkit(
    smiles: list[Any],
    left: NDArray[np.intp],
    rows: NDArray[Any],
    status: NDArray[np.uint8],
    settings: Settings,
    partial: bool,
    errors: str,
    places: NDArray[np.intp] | None,
    total: int,
) -> tuple[list[Failure], list[int], int]:
    """Fill the rows that are ``left``; return what failed, where, and how many were read in part.

    ``places`` are the positions of ``smiles`` among the caller's ``total``, if these are not all.
    """
    failures: list[Failure] = []
    failed: list[int] = []
    n_partial = 0
    generator = _generator(settings) if (status[left] != REFUSED).any() else None
    for start in range(0, len(left), CHUNK):
        molecules: list[Any] = []
        kept: list[int] = []
        for i in left[start : start + CHUNK].tolist():
            position = i if places is None else int(places[i])
            refused = status[i] == REFUSED
            molecule, reason = (None, _valence_reason(smiles[i])) if refused else read_molecule(smiles[i])
            if reason:
                failure = Failure(position, _text(smiles[i]), reason)
                if refused and partial:  # its row is there
                    n_partial += 1
                    failures.append(failure)
                    continue
                if molecule is None and partial:
                    molecule = partial_molecule(smiles[i])
                    n_partial += molecule is not None
                if molecule is None and errors == "raise":
                    raise _refusal(smiles[i], failure, total)
                failures.append(failure)
            if molecule is None:
                failed.append(position)
            else:
                kept.append(i)
                molecules.append(molecule)
        if molecules:
            bits = _bits(generator, molecules, settings)
            rows[kept] = np.unpackbits(bits, axis=1, bitorder="little") if settings.output == "dense" else bits
    return failures, failed, n_partial


def clean_smiles(text: str) -> tuple[str, str]:
    """Return the stripped SMILES and an empty reason, or the reason why the text is refused before chemistry."""
    stripped = text.strip(" \t\n\r\x0b\x0c")
    if stripped.isascii() and stripped.isprintable() and " " not in stripped:
        return stripped, ""
    for i, character in enumerate(stripped):
        if character in " \t":
            return (
                stripped,
                f"something follows the SMILES at position {i}: {stripped[i:].strip()[:40]!r}; pass it apart",
            )
        if not "!" <= character <= "~":
            return (
                stripped,
                f"character {character!r} (U+{ord(character):04X}) at position {i} does not belong in a SMILES",
            )
    return stripped, ""


def read_molecule(item: Any) -> tuple[Any, str]:
    """Return an RDKit molecule and an empty reason, or None and the reason why it cannot be read."""
    if not isinstance(item, str):
        if isinstance(item, _molecule_class()):
            return (item, "") if _is_sanitized(item) else (None, "the molecule is not sanitized; call Chem.SanitizeMol")
        return None, f"needs text or an RDKit molecule, got {type(item).__name__}"
    from rdkit import Chem, rdBase

    text, reason = clean_smiles(item)
    if reason:
        return None, reason
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(text)
    return (molecule, "") if molecule is not None else (None, _why(text))


def partial_molecule(item: Any) -> Any:
    """Read a molecule without checking valences; None where even that fails."""
    from rdkit import Chem, rdBase

    if not isinstance(item, str):
        return None
    text, reason = clean_smiles(item)
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


def _why(text: str) -> str:
    """RDKit's reason for refusing a SMILES, in one line."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(text, sanitize=False)
        if molecule is not None:
            problems = [problem.Message() for problem in Chem.DetectChemistryProblems(molecule)]
            return _joined(problems[:2], len(problems)) or "RDKit cannot sanitize it"
    return "not a valid SMILES (unknown atom, or unclosed ring, branch or bracket)"


def _valence_reason(text: str) -> str:
    """The same for a molecule whose status is _REFUSED, without asking RDKit."""
    from .. import _core

    found = _core.valence_problems(text.strip(" \t\n\r\x0b\x0c"))
    if found is None:
        raise AssertionError(f"{text!r} was refused for a valence that is not found again")
    first, count = found
    return _joined([f"Explicit valence for atom # {a} {s}, {v}, is greater than permitted" for a, s, v in first], count)


def _joined(first: list[str], count: int) -> str:
    """The first two problems of a molecule, and how many there are beyond."""
    return "; ".join(first + ([f"and {count - 2} problems more"] if count > 2 else []))


def _refusal(item: Any, failure: Failure, total: int) -> Exception:
    kind = ValueError if isinstance(item, str) else TypeError
    return kind(
        f"ecfp: molecule {failure.position} of {total} ({failure.text[:80]!r}) cannot be read: {failure.reason}; "
        "errors='mask' gives it a row of zeros, errors='drop' leaves it out"
    )


def _text(item: Any) -> str:
    return item if isinstance(item, str) else repr(item)[:200]


def _generator(settings: Settings) -> Any:
    from rdkit.Chem import rdFingerprintGenerator as generators

    invariants = generators.GetMorganFeatureAtomInvGen() if settings.features else None
    return generators.GetMorganGenerator(
        radius=int(settings.radius),
        fpSize=int(settings.size),
        includeChirality=bool(settings.chirality),
        useBondTypes=bool(settings.use_bond_types),
        atomInvariantsGenerator=invariants,
    )


def _bits(generator: Any, molecules: list[Any], settings: Settings) -> NDArray[Any]:
    """Packed bits, or counts, of molecules that were read."""
    from rdkit import DataStructs

    if settings.output == "counts":
        table = np.zeros((len(molecules), settings.size), np.uint32)
        vectors = generator.GetCountFingerprints(molecules, numThreads=settings.threads)
        for row, vector in zip(table, vectors, strict=True):
            elements = vector.GetNonzeroElements()
            row[list(elements.keys())] = list(elements.values())
        return table
    to_bytes: Callable[[Any], bytes] = DataStructs.BitVectToBinaryText
    packed = b"".join(map(to_bytes, generator.GetFingerprints(molecules, numThreads=settings.threads)))
    return np.frombuffer(packed, np.uint8).reshape(len(molecules), settings.size // 8)
