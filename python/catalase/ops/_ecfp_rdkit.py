"""What RDKit does for `catalase.ops.ecfp`: the molecules that the native reader leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._internal.report import Failure
from ..chem import MAX_RDKIT_ATOMS, partial_molecule, read_molecule, valence_reason

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
