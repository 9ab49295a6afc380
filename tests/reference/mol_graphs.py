"""The features of atoms and bonds, written as chemprop 2.3 and DeepChem 2.8 document them, from RDKit's molecules."""

from __future__ import annotations

import functools
import os

import numpy as np
from rdkit import Chem, RDConfig
from rdkit.Chem import ChemicalFeatures
from rdkit.Chem.rdchem import BondType, HybridizationType

H = HybridizationType
_DMPNN = {
    "dmpnn": ([*range(1, 37), 53], [H.S, H.SP, H.SP2, H.SP2D, H.SP3, H.SP3D, H.SP3D2]),
    "dmpnn_v1": ([*range(1, 101)], [H.SP, H.SP2, H.SP3, H.SP3D, H.SP3D2]),
    "dmpnn_organic": ([1, 5, 6, 7, 8, 9, 14, 15, 16, 17, 35, 53], [H.S, H.SP, H.SP2, H.SP3]),
}
_CONVMOL = "C N O S F Si P Cl Br Mg Na Ca Fe As Al I B V K Tl Yb Sb Sn Ag Pd Co Se Ti Zn H Li Ge Cu Au Ni Cd In Mn Zr Cr Pt Hg Pb Unknown"
_TYPES = [BondType.SINGLE, BondType.DOUBLE, BondType.TRIPLE, BondType.AROMATIC]


def _own(value, choices):
    """A column for each choice, and one more for all other values."""
    return [value == choice for choice in choices] + [value not in choices]


def _last(value, choices):
    """A column for each choice; other values set the last."""
    return [choice == (value if value in choices else choices[-1]) for choice in choices]


def _dmpnn_atom(atom, elements, hybrids):
    return [
        *_own(atom.GetAtomicNum(), elements), *_own(atom.GetTotalDegree(), list(range(6))), *_own(atom.GetFormalCharge(), [-1, -2, 1, 2, 0]),
        *_own(int(atom.GetChiralTag()), list(range(4))), *_own(atom.GetTotalNumHs(), list(range(5))), *_own(atom.GetHybridization(), hybrids),
        atom.GetIsAromatic(), 0.01 * atom.GetMass(),
    ]  # fmt: skip


def _dmpnn_bond(bond):
    types = [bond.GetBondType() == kind for kind in _TYPES]
    return [False, *types, bond.GetIsConjugated(), bond.IsInRing(), *_own(int(bond.GetStereo()), list(range(6)))]


def _convmol_atom(atom):
    return [
        *_last(atom.GetSymbol(), _CONVMOL.split()), *(atom.GetDegree() == n for n in range(11)), *_last(atom.GetValence(Chem.ValenceType.IMPLICIT), list(range(7))),
        atom.GetFormalCharge(), atom.GetNumRadicalElectrons(), *_last(atom.GetHybridization(), [H.SP, H.SP2, H.SP3, H.SP3D, H.SP3D2]),
        atom.GetIsAromatic(), *_last(atom.GetTotalNumHs(), list(range(5))),
    ]  # fmt: skip


@functools.cache
def _families():
    return ChemicalFeatures.BuildFeatureFactory(os.path.join(RDConfig.RDDataDir, "BaseFeatures.fdef"))


def _molgraph_atom(atom, donors, acceptors):
    return [
        *_own(atom.GetSymbol(), ["C", "N", "O", "F", "P", "S", "Cl", "Br", "I"]), atom.GetFormalCharge(), *(atom.GetHybridization() == h for h in (H.SP, H.SP2, H.SP3)),
        atom.GetIdx() in donors, atom.GetIdx() in acceptors, atom.GetIsAromatic(), *_own(atom.GetTotalDegree(), list(range(6))), *_own(atom.GetTotalNumHs(), list(range(5))),
    ]  # fmt: skip


def _molgraph_bond(bond):
    types = [bond.GetBondType() == kind for kind in _TYPES]
    stereo = _own(str(bond.GetStereo()), ["STEREONONE", "STEREOANY", "STEREOZ", "STEREOE"])
    return [*types, bond.IsInRing(), bond.GetIsConjugated(), *stereo]


def graph(molecule, features):
    """Atoms (A, D) and directed bonds (E, D) as float32, and (2, E) sources and targets."""
    width = {"convmol": (75, 0), "molgraph": (30, 11)}.get(features)
    if features == "convmol":
        atoms = [_convmol_atom(atom) for atom in molecule.GetAtoms()]
        bonds = [[] for _ in molecule.GetBonds()]
    elif features == "molgraph":
        found = [(f.GetAtomIds()[0], f.GetFamily()) for f in _families().GetFeaturesForMol(molecule)]
        donors, acceptors = ({atom for atom, family in found if family == kind} for kind in ("Donor", "Acceptor"))
        atoms = [_molgraph_atom(atom, donors, acceptors) for atom in molecule.GetAtoms()]
        bonds = [_molgraph_bond(bond) for bond in molecule.GetBonds()]
    else:
        elements, hybrids = _DMPNN[features]
        atoms = [_dmpnn_atom(atom, elements, hybrids) for atom in molecule.GetAtoms()]
        bonds = [_dmpnn_bond(bond) for bond in molecule.GetBonds()]
        width = (len(elements) + len(hybrids) + 28, 14)
    ends = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in molecule.GetBonds()]
    edges = np.array([pair for u, v in ends for pair in ((u, v), (v, u))], np.int64).reshape(-1, 2).T
    rows = np.array(bonds, np.float64).reshape(len(ends), width[1])
    return np.array(atoms, np.float64).reshape(-1, width[0]).astype(np.float32), np.repeat(rows, 2, axis=0).astype(np.float32), edges  # fmt: skip
