"""What RDKit does for `catalase.ops.ecfp`: the molecules that the native reader leaves."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._report import Failure
from ._ecfp_reasons import MAX_RDKIT_ATOMS, clean_for_rdkit, valence_reason, why

CHUNK = 10_000  # molecules held as RDKit objects at a time
REFUSED = _core.ECFP_STATUSES["refused"]


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
            item, position = smiles[i], i if places is None else int(places[i])
            refused = status[i] == REFUSED
            has_row = refused and partial
            molecule, reason = (None, valence_reason(item)) if refused else read_molecule(item)
            if reason:
                failure = Failure(position, _text(item), reason)
                if partial and not refused:
                    molecule = partial_molecule(item)
                n_partial += has_row or molecule is not None
                if not has_row and molecule is None and errors == "raise":
                    raise _refusal(item, failure, total)
                failures.append(failure)
            if molecule is not None:
                kept.append(i)
                molecules.append(molecule)
            elif not has_row:
                failed.append(position)
        if molecules:
            bits = _bits(generator, molecules, settings)
            rows[kept] = np.unpackbits(bits, axis=1, bitorder="little") if settings.output == "dense" else bits
    return failures, failed, n_partial


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
        radius=min(
            int(settings.radius), MAX_RDKIT_ATOMS
        ),  # no environment grows beyond; RDKit reserves memory for each
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
