"""`Mol` objects to the native fingerprint code, by way of RDKit's binary form (cpp/molecule/rdkit_binary.h)."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core

_MAX_THREADS = 3


def prefers_binary(radius: int, output: str, features: bool, threads: int) -> bool:
    """Whether the native code can do it and is likely to be ahead of RDKit's bulk call.

    The binary form is written under Python's lock, on one thread, in about half the time that RDKit's bits take there; its
    bits are made on all threads. Counts and features are much slower in RDKit.
    """
    return radius <= _core.ECFP_MAX_RADIUS and (threads <= _MAX_THREADS or features or output == "counts")


def fill_from_molecules(
    smiles: list[Any],
    positions: NDArray[np.intp],
    settings: tuple[int, int, bool, bool, bool],
    rows: NDArray[Any],
    status: NDArray[np.uint8],
    threads: int,
) -> None:
    """Fill the rows of `Mol` objects, and their status, as far as RDKit's binary form says all that is needed."""
    binaries = _binaries([smiles[i] for i in positions.tolist()])
    first, last = positions[0], positions[-1] + 1
    if last - first == len(positions):
        _core.ecfp(binaries, *settings, rows[first:last], status[first:last], threads, True)
        return
    part, reasons = np.empty((len(positions), rows.shape[1]), rows.dtype), np.empty(len(positions), np.uint8)
    _core.ecfp(binaries, *settings, part, reasons, threads, True)
    rows[positions], status[positions] = part, reasons


def _binaries(items: list[Any]) -> list[bytes | None]:
    """RDKit's binary form of each molecule; None for other things, and where hydrogens were never counted."""
    from rdkit import Chem

    if not _binary_is_known():
        return [None] * len(items)
    # Not the item's own methods, which a subclass may have replaced.
    to_binary, uncounted = Chem.Mol.ToBinary, Chem.Mol.NeedsUpdatePropertyCache
    flags = int(Chem.PropertyPickleOptions.NoConformers)
    binaries: list[bytes | None] = []
    for item in items:
        binary: bytes | None = None
        if isinstance(item, Chem.Mol):
            try:
                binary = None if uncounted(item) else to_binary(item, flags)
            except Exception:  # RDKit's to say
                binary = None
        binaries.append(binary)
    return binaries


@functools.cache
def _binary_is_known() -> bool:
    """Whether the native code reads the binary form of this RDKit: it follows RDKit's versions."""
    from rdkit import Chem

    binary = Chem.MolFromSmiles("C").ToBinary(int(Chem.PropertyPickleOptions.NoConformers))
    status = np.ones(1, np.uint8)
    _core.ecfp([binary], 2, 8, True, False, False, np.zeros((1, 1), np.uint8), status, 1, True)
    return not status.any()
