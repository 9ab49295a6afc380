"""Tests that `Mol` objects, however edited, give RDKit's bits, from RDKit's binary form or by RDKit."""

from __future__ import annotations

import contextlib
import random

import numpy as np
import pytest
from rdkit import Chem, rdBase
from rdkit.Chem import AllChem
from rdkit.Chem import rdFingerprintGenerator as generators

import catalase as ct
from catalase import _core
from tests.ops.test_ecfp_native import AWKWARD, MOLECULES

pytestmark = pytest.mark.on_the_cpu

NO_CONFORMERS = int(Chem.PropertyPickleOptions.NoConformers)
KNOWN = Chem.MolFromSmiles("C").ToBinary(NO_CONFORMERS)[8:20] in {
    np.array(version, "<i4").tobytes() for version in ((16, 2, 0), (16, 3, 0), (16, 4, 0))
}
needs_known = pytest.mark.skipif(not KNOWN, reason="this RDKit's binary form is not read natively")


def read(smiles):
    with rdBase.BlockLogs():
        return [molecule for molecule in map(Chem.MolFromSmiles, smiles) if molecule is not None]


def rdkit_counts(molecules, radius=2, size=2048, features=False, **options):
    if features:
        options["atomInvariantsGenerator"] = generators.GetMorganFeatureAtomInvGen()
    generator = generators.GetMorganGenerator(radius=radius, fpSize=size, **options)
    rows = [generator.GetCountFingerprintAsNumPy(molecule) for molecule in molecules]
    return np.array(rows, np.uint32).reshape(len(molecules), size)


def is_ready(molecule):
    """Whether RDKit's generator may be asked at all."""
    try:
        return molecule.GetRingInfo().NumRings() >= 0 and not molecule.NeedsUpdatePropertyCache()
    except RuntimeError:
        return False


def assert_equal_to_rdkit(molecules, radius=2, size=2048, features=False, bond_types=True):
    """Counts and bits equal, refusals of what is not ready; the share that was read natively is returned."""
    ours = {"radius": radius, "size": size, "features": features, "use_bond_types": bond_types, "num_threads": 1}
    with rdBase.BlockLogs():
        counts, report = ct.ops.ecfp(molecules, output="counts", errors="mask", return_report=True, **ours)
        packed = ct.ops.ecfp(molecules, errors="mask", **ours)
        ready = [i for i, molecule in enumerate(molecules) if is_ready(molecule)]
    assert {failure.position for failure in report.failures} == set(range(len(molecules))) - set(ready)
    expected = rdkit_counts([molecules[i] for i in ready], radius, size, features, useBondTypes=bond_types)
    different = [i for i, row in zip(ready, expected, strict=True) if not np.array_equal(counts[i], row)]
    assert not different, [(ours, Chem.MolToSmiles(molecules[i])) for i in different[:3]]
    assert np.array_equal(np.unpackbits(packed, axis=1, bitorder="little")[ready], expected > 0)
    return report.counts["native"] / max(1, len(ready))


@pytest.mark.parametrize("features", [False, True])
@pytest.mark.parametrize("radius", [0, 1, 2, 3, 4, 6, 7])
def test_molecules_as_read(backend, radius, features):
    molecules = read(AWKWARD + MOLECULES)
    share = assert_equal_to_rdkit(molecules, radius, features=features)
    assert share > 0.9 or not KNOWN or radius > 6
    assert_equal_to_rdkit(molecules, radius, size=1000, features=features, bond_types=False)


def kekulized(molecule, clear):
    molecule = Chem.Mol(molecule)
    Chem.Kekulize(molecule, clearAromaticFlags=clear)
    return molecule


def with_coordinates(molecule):
    molecule = Chem.Mol(molecule)
    AllChem.Compute2DCoords(molecule)
    molecule.SetProp("name", "any")
    return molecule


def renumbered(molecule):
    return Chem.RenumberAtoms(molecule, list(range(molecule.GetNumAtoms()))[::-1])


def query(molecule):
    pattern = Chem.MolFromSmarts(Chem.MolToSmarts(molecule))
    pattern.UpdatePropertyCache(False)
    Chem.FastFindRings(pattern)
    return pattern


CHANGES = {
    "explicit hydrogens": (Chem.AddHs, 0.9),
    "Kekule form, flags cleared": (lambda molecule: kekulized(molecule, True), 0.9),
    "Kekule form, flags kept": (lambda molecule: kekulized(molecule, False), 0.3),
    "coordinates and properties": (with_coordinates, 0.9),
    "renumbered": (renumbered, 0.9),
    "from its binary form": (lambda molecule: Chem.Mol(molecule.ToBinary()), 0.9),
    "editable": (Chem.RWMol, 0.9),
    "query": (query, 0.0),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("features", [False, True])
def test_changed_molecules(change, features):
    function, least = CHANGES[change]
    molecules = [function(molecule) for molecule in read(MOLECULES + AWKWARD) if molecule.GetNumAtoms()]
    share = assert_equal_to_rdkit(molecules, features=features)
    assert share >= least or not KNOWN
    if change == "query":
        assert share < 0.1


RINGS = [lambda molecule: None, Chem.FastFindRings, Chem.GetSSSR, Chem.GetSymmSSSR]


def partly_sanitized(smiles, rng):
    molecule = Chem.MolFromSmiles(smiles, sanitize=False)
    if molecule is None:
        return None
    if rng.random() < 0.7:
        steps = rng.getrandbits(28) & int(Chem.SanitizeFlags.SANITIZE_ALL)
        Chem.SanitizeMol(molecule, steps, catchErrors=True)
    if rng.random() < 0.8:
        molecule.UpdatePropertyCache(False)
    rng.choice(RINGS)(molecule)
    return molecule


KINDS = [
    getattr(Chem.BondType, name) for name in ["SINGLE", "DOUBLE", "TRIPLE", "AROMATIC", "DATIVE", "ZERO", "QUADRUPLE"]
]


def edited(molecule, rng):
    """A molecule as somebody may leave it: any element, charge, bond, flag; atoms and bonds added and removed."""
    molecule = Chem.RWMol(molecule)
    for _ in range(rng.randrange(1, 6)):
        if molecule.GetNumAtoms() == 0:
            break
        atom = molecule.GetAtomWithIdx(rng.randrange(molecule.GetNumAtoms()))
        other = rng.randrange(molecule.GetNumAtoms())
        bonds = list(molecule.GetBonds())
        bond = rng.choice(bonds) if bonds else None
        kind = rng.choice(KINDS)
        changes = [
            lambda atom=atom: atom.SetAtomicNum(rng.choice([0, 1, 5, 6, 7, 8, 9, 16, 26, 118])),
            lambda atom=atom: atom.SetFormalCharge(rng.choice([-128, -1, 1, 2, 127])),
            lambda atom=atom: atom.SetIsotope(rng.choice([0, 2, 13, 15, 35, 999])),
            lambda atom=atom: atom.SetNumExplicitHs(rng.choice([0, 1, 3, 60, 130])),
            lambda atom=atom: atom.SetNoImplicit(rng.random() < 0.5),
            lambda atom=atom: atom.SetIsAromatic(rng.random() < 0.5),
            lambda atom=atom: atom.SetNumRadicalElectrons(rng.randrange(3)),
            lambda atom=atom: atom.SetAtomMapNum(rng.choice([1, 127, 128, 70000])),
            lambda bond=bond, kind=kind: bond and bond.SetBondType(kind),
            lambda bond=bond: bond and bond.SetIsAromatic(rng.random() < 0.5),
            lambda bond=bond: bond and bond.SetBondDir(Chem.BondDir.BEGINWEDGE),
            lambda molecule=molecule: molecule.AddAtom(Chem.Atom(rng.choice([1, 6, 8]))),
            lambda molecule=molecule, atom=atom, other=other, kind=kind: molecule.AddBond(atom.GetIdx(), other, kind),
            lambda molecule=molecule, atom=atom: molecule.RemoveAtom(atom.GetIdx()),
            lambda molecule=molecule, bond=bond: (
                bond and molecule.RemoveBond(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())
            ),
        ]
        with contextlib.suppress(RuntimeError):  # bonds that exist or lead to themselves
            rng.choice(changes)()
    if rng.random() < 0.8:
        with contextlib.suppress(RuntimeError):  # older versions do not count hydrogens beside some atoms
            molecule.UpdatePropertyCache(False)
    if rng.random() < 0.7:
        rng.choice(RINGS)(molecule)
    return molecule


@pytest.mark.parametrize("seed", range(4))
def test_partly_sanitized_and_edited_molecules(seed):
    rng = random.Random(seed)
    with rdBase.BlockLogs():
        molecules = [partly_sanitized(smiles, rng) for smiles in AWKWARD + MOLECULES]
        molecules += [edited(molecule, rng) for molecule in read(MOLECULES * 8)]
    molecules = [molecule for molecule in molecules if molecule is not None]
    for features in (False, True):
        share = assert_equal_to_rdkit(molecules, rng.randrange(1, 5), rng.choice([64, 1000, 2048]), features)
        assert share > 0.4 or not KNOWN


def test_aromatic_fluorine_is_no_halogen():
    """The feature's pattern asks for an aliphatic one; only an edit makes the other."""
    molecule = Chem.MolFromSmiles("c1ccccc1")
    molecule.GetAtomWithIdx(0).SetAtomicNum(9)
    molecule.UpdatePropertyCache(False)
    assert assert_equal_to_rdkit([molecule], features=True) == KNOWN


@needs_known
def test_report_and_order_of_mixed_lists():
    smiles = ["CCO", "c1ccccc1", "CC(=O)O", "*CC", "CCN", "CCCl"]
    mixed = [Chem.MolFromSmiles(s) if i % 2 else s for i, s in enumerate(smiles)] + [7]
    rows, report = ct.ops.ecfp(mixed, errors="mask", return_report=True, num_threads=1)
    assert report.counts == {"native": 5, "rdkit": 1, "refused": 1}  # RDKit takes the wildcard
    assert np.array_equal(rows[:6], ct.ops.ecfp(smiles)) and not rows[6].any()
    dense = ct.ops.ecfp(mixed[:6], output="dense", num_threads=1)
    assert np.array_equal(dense, np.unpackbits(rows[:6], axis=1, bitorder="little"))


@needs_known
@pytest.mark.parametrize("options", [{"chirality": True}, {"radius": 7}, {"num_threads": 16}])
def test_settings_that_are_left_to_rdkit(options):
    molecules = read(MOLECULES)
    rows, report = ct.ops.ecfp(molecules, return_report=True, **options)
    assert report.counts["native"] == 0
    assert np.array_equal(rows, ct.ops.ecfp(MOLECULES, **options))


@needs_known
def test_sizes():
    def chain(atoms):
        return Chem.MolFromSmiles("C" * atoms)

    for atoms, native in [(0, 1), (1, 1), (64, 1), (65, 1), (255, 1), (256, 0)]:
        _, report = ct.ops.ecfp([chain(atoms)], return_report=True, num_threads=1)
        assert report.counts["native"] == native
    assert_equal_to_rdkit([chain(atoms) for atoms in (0, 1, 2, 63, 64, 65, 127, 128, 254, 255, 256, 300)], 3)


def test_methods_of_a_subclass_are_not_asked():
    class Named(Chem.Mol):
        def ToBinary(self, *flags):
            return Chem.MolFromSmiles("C").ToBinary(*flags)

        def NeedsUpdatePropertyCache(self):
            return False

    assert np.array_equal(ct.ops.ecfp([Named(Chem.MolFromSmiles("CCO"))], num_threads=1), ct.ops.ecfp(["CCO"]))


def native(binary, features=False):
    """Counts and status of one binary molecule."""
    rows, status = np.ones((1, 64), np.uint32), np.ones(1, np.uint8)
    _core.ecfp([binary], 2, 64, True, False, features, rows, status, 1, True)
    return rows[0], int(status[0])


@needs_known
def test_any_other_bytes_are_left():
    molecule = Chem.MolFromSmiles("F/C=C/[C@H](N)C1CC1")
    binary = molecule.ToBinary(NO_CONFORMERS)
    rows, status = native(binary)
    assert status == 0 and np.array_equal(rows, rdkit_counts([molecule], size=64)[0])
    others = [binary[:n] for n in range(len(binary))] + [binary + b"\0", "text", None, b"", 7]
    for field in range(5):  # magic, tag and version
        changed = bytearray(binary)
        changed[4 * field] ^= 0x40
        others.append(bytes(changed))
    for other in others:
        rows, status = native(other)
        assert status != 0 and not rows.any()


@needs_known
@pytest.mark.parametrize("seed", range(2))
def test_mutated_bytes_do_no_harm(seed):
    rng = random.Random(seed)
    binaries = [molecule.ToBinary(NO_CONFORMERS) for molecule in read(MOLECULES)]
    for _ in range(4000):
        changed = bytearray(rng.choice(binaries))
        for _ in range(rng.randrange(1, 4)):
            changed[rng.randrange(20, len(changed))] = rng.randrange(256)
        rows, status = native(bytes(changed), rng.random() < 0.5)
        assert status == 0 or not rows.any()


def test_threads_change_nothing():
    molecules = read(MOLECULES * 10)
    for output in ("packed", "counts"):
        assert np.array_equal(
            ct.ops.ecfp(molecules, output=output, num_threads=1), ct.ops.ecfp(molecules, output=output, num_threads=2)
        )
