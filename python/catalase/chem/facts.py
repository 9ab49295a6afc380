"""What RDKit knows of the atoms and bonds of a molecule, as numbers, for molecular graphs."""

from __future__ import annotations

import functools
import os
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class MoleculeFacts(NamedTuple):
    """The facts of one molecule; those of atoms are the columns of ``catalase._core.ATOM_FACTS``."""

    atoms: NDArray[np.uint8]
    """(A, facts); numbers beyond a byte are 255, and the charge has 128 added."""
    masses: NDArray[np.float64]
    """(A,)"""
    bonds: NDArray[np.uint8]
    """(B,): the type, 8 if it is conjugated, 16 if it is in a ring, 32 times the stereo label."""
    ends: NDArray[np.int32]
    """(B, 2): begin and end atom."""


def facts_of(molecule: Any) -> MoleculeFacts:
    """Return the facts of a sanitized RDKit molecule."""
    from rdkit import Chem

    atoms = np.array(
        [
            (
                atom.GetAtomicNum(),
                atom.GetDegree(),
                atom.GetTotalDegree(),
                atom.GetFormalCharge() + 128,
                int(atom.GetChiralTag()),
                atom.GetTotalNumHs(),
                int(atom.GetHybridization()),
                atom.GetIsAromatic(),
                atom.GetValence(Chem.ValenceType.IMPLICIT),
                atom.GetNumRadicalElectrons(),
            )
            for atom in molecule.GetAtoms()
        ],
        np.int64,
    ).reshape(-1, 10)
    masses = np.array([atom.GetMass() for atom in molecule.GetAtoms()], np.float64)
    types = {Chem.BondType.SINGLE: 0, Chem.BondType.DOUBLE: 1, Chem.BondType.TRIPLE: 2, Chem.BondType.AROMATIC: 3}
    bonds = [
        types.get(bond.GetBondType(), 4)
        + 8 * bond.GetIsConjugated()
        + 16 * bond.IsInRing()
        + 32 * min(int(bond.GetStereo()), 7)
        for bond in molecule.GetBonds()
    ]
    ends = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in molecule.GetBonds()]
    return MoleculeFacts(
        np.clip(atoms, 0, 255).astype(np.uint8),
        masses,
        np.array(bonds, np.uint8),
        np.array(ends, np.int32).reshape(-1, 2),
    )


@functools.cache
def element_masses() -> NDArray[np.float64]:
    """Return RDKit's atomic weights by atomic number, (256,); 0 where there is no element."""
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    return np.array([table.GetAtomicWeight(z) if 0 < z <= 118 else 0.0 for z in range(256)])


@functools.cache
def _features() -> Any:
    from rdkit import RDConfig
    from rdkit.Chem import ChemicalFeatures

    module: Any = ChemicalFeatures  # its types are incomplete
    return module.BuildFeatureFactory(os.path.join(RDConfig.RDDataDir, "BaseFeatures.fdef"))


@functools.cache
def hydrogen_bond_patterns() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the SMARTS of RDKit's donors and acceptors of hydrogen bonds; their first atom is the donor or acceptor."""
    patterns = _features().GetFeatureDefs()
    donors, acceptors = (
        tuple(smarts for name, smarts in patterns.items() if name.startswith(f"{family}."))
        for family in ("Donor", "Acceptor")
    )
    return donors, acceptors


def hydrogen_bonding(molecule: Any) -> tuple[list[int], list[int]]:
    """Return the atoms of an RDKit molecule that are donors, and those that are acceptors, of hydrogen bonds."""
    found: dict[str, list[int]] = {"Donor": [], "Acceptor": []}
    for feature in _features().GetFeaturesForMol(molecule):
        if feature.GetFamily() in found:
            found[feature.GetFamily()].append(feature.GetAtomIds()[0])
    return found["Donor"], found["Acceptor"]
