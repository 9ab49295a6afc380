"""The atoms of a molecule from which the bits of its fingerprint come."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Origins(NamedTuple):
    """Pairs of an atom and a bit that it takes part in; each pair occurs once.

    Attributes
    ----------
    atoms, bits : ndarray of int64, shape (P,)
    times : ndarray of int64, shape (P,)
        The number of the bit's environments that contain the atom.
    shares : ndarray of float64, shape (P,)
        The atom's share in the bit: the bit is divided evenly among its environments, and an environment among its atoms.
        The shares of a bit sum to 1.
    """

    atoms: NDArray[np.int64]
    bits: NDArray[np.int64]
    times: NDArray[np.int64]
    shares: NDArray[np.float64]


def morgan_origins(molecules: list[Any], generator: Any) -> list[Origins]:
    """Return the origins of the bits that RDKit's Morgan generator sets, for each molecule.

    The atoms of an environment are those within its radius around its central atom.
    """
    from rdkit import Chem
    from rdkit.Chem import rdFingerprintGenerator as generators

    output = generators.AdditionalOutput()
    output.AllocateBitInfoMap()
    found = []
    for molecule in molecules:
        generator.GetCountFingerprint(molecule, additionalOutput=output)
        listed = [
            (bit, atom, radius, len(environments))
            for bit, environments in output.GetBitInfoMap().items()
            for atom, radius in environments
        ]
        bits, centres, radii, several = np.array(listed, np.int64).reshape(-1, 4).T
        inside = Chem.GetDistanceMatrix(molecule)[centres] <= radii[:, None]
        environment, atoms = np.nonzero(inside)
        weights = 1 / (several * inside.sum(axis=1))
        keys, place = np.unique(atoms << 32 | bits[environment], return_inverse=True)
        times = np.bincount(place, minlength=len(keys))
        shares: Any = np.bincount(place, weights[environment], minlength=len(keys))
        found.append(Origins(keys >> 32, keys & (2**32 - 1), times, shares))
    return found
