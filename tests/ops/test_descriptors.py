"""Tests that descriptors equal RDKit's, natively or through RDKit, and that errors and reports say what happened."""

from __future__ import annotations

import os

import numpy as np
import pytest
import rdkit
from rdkit import Chem, RDConfig, rdBase
from rdkit.Chem import Descriptors

import catalase as ct
from catalase.ops.descriptor_patterns import patterns
from catalase.ops.descriptors import DEFAULT_NAMES
from tests.ops.test_ecfp_native import AWKWARD, MOLECULES

NATIVE = tuple(patterns().numbers)
FUNCTIONS = dict(Descriptors._descList)
# One of each trap: cages, hybridization, conjugated charges, radicals, centres that depend on each other.
TRAPS = [
    "C1CC2CCC1CC2", "C1CCC2CCC1CC2", "C1CC2CC(C1)CC2", "C1C2CC3CC1CC(C2)C3", "C12C3C4C1C5C2C3C45", "C1CC2CCN1CC2C", "C1CC12CC2", "C1CC2(C1)OCCO2", "C1CC2CCCC(C1)N2C", "C1C2C3C1C23", "C1CC2C3CCC(C3)C2C1",
    "CC(=O)[O-]", "NC(=[NH2+])N", "[O-]C1=CC=CC=C1", "CC(=[NH2+])N", "O=C([O-])C=CC(=O)[O-]", "C[S+](C)[O-]", "CS(=O)(=O)[O-]", "[O-]P([O-])(=O)OC", "[CH2]C=C", "[CH]=[CH]", "[O][O]", "[N]=O", "C[C](C)C", "[SiH3]", "[P]", "[PH2]C", "C[PH]CC", "CP(C)CC", "CP(CC)CCC",
    "C[N+](=O)[O-]", "CN=[N+]=[N-]", "C[N+]#[C-]", "[C-]#[O+]", "N#[N+]C", "ON=O", "C1=CC=CN1", "C[As](CC)CCC", "CS(=O)CC", "CS(=N)(=O)CC", "C[S+](CC)CCC", "CC1CN1C", "CC1CN1C(C)=O", "CC1CN2CCC1C2", "NC1=NC(=O)N2CC12", "C1NN2CC1CC2",
    "CC(O)C(O)C", "C[C@H](O)[C@@H](O)C", "C[C@H](O)C(F)[C@@H](O)C", "C[C@H](O)C(F)[C@H](O)C", "C[C@H]1CC[C@@H](C)CC1", "C[C@H]1CC(O)C[C@@H](C)C1", "C[C@H]1CC(O)C[C@H](C)C1", "CN1[C@H]2CC[C@@H]1C[C@H](O)C2", "C/C=C/C(O)/C=C/C", "C/C=C/C(O)/C=C\\C", "OC1CCC(O)CC1",
    "[CH3:1]C(O)(N)F", "C[C@](N)(O)F", "C[C@@](N)(O)F", "[H][C@](N)(O)F", "FC(F)(F)COCC(C)(C)C", "ClC(Cl)(Cl)CCBr", "CC(C)(C)NC(=O)OC", "CC#CCC", "CC(=O)N(C)C", "CC(=O)NCC", "CCOC(=O)CC", "O=C1CCCN1CC", "CNC(=S)NC", "CC(=O)SC", "NS(=O)(=O)c1ccccc1", "c1ccccc1-c1ccccc1", "c1ccccc1CCc1ccncc1",
    "C[Si](C)(C)C", "C[Mg]Br", "[Li]C", "[Na+].[Na+].[O-]S(=O)(=O)[O-]", "[Zn+2].[Cl-].[Cl-]", "C[Hg]C", "O=[U]=O", "[Cm]", "Cl[Pt](Cl)(N)N", "[H+].[Cl-]", "[H-].[Na+]", "[He]", "[Xe]", "F[Xe]F", "BrBr", "II", "OO", "NN", "O=O", "N#N", "S", "[Y+4]", "C=C[CH3+3]C=O",
    "O", "[OH3+].[Cl-]", "O.O.CC(=O)O", "OO", "[OH-].[Na+]", "COO", "ON", "On1cccc1", "[nH]1cccc1", "OB(O)O", "O[Si](C)(C)C", "OS(=O)(=O)O", "OP(O)O", "C[SiH3]", "B", "[BH4-]", "CS", "SS", "[SH-]", "CC(=S)O", "C=CO", "c1ccccc1O", "C=C=C", "C=c1ccccc1=C", "CC=[N+]=[N-]", "FI(F)F", "[Cl+]",
    "CN(C)c1scc[s+]1", "CN(C)c1occ[s+]1", "C[C@]12CC[C@@]3(C)OCC(CO)(CO1)N23", "CN1C(=O)N(C)[C@@H]2OC(C3O[C@@H]4[C@@H](O3)N(C)C(=O)N4C)O[C@H]21", "O=C1c2ccccc2Cc2ccccc21", "CC1CC1C", "C1CC2CC12", "C1C2C1C2", "C" * 66,
    "n1nnnn1C", "c1ccn2ccnc2c1", "c1cc[nH]c1", "c1ccoc1", "c1ccsc1", "C[n+]1cccn1C", "O=c1cc[nH]cc1", "c1cnc2[nH]cnc2c1", "N1C=CC=C1", "C1=CC=CC=CC1", "C1#CCCCCCC1", "C1=CC#CC=C1",
]  # fmt: skip


def readable(smiles):
    with rdBase.BlockLogs():
        pairs = [(text, Chem.MolFromSmiles(text)) for text in dict.fromkeys(smiles)]
    return [(text, molecule) for text, molecule in pairs if molecule is not None and molecule.GetNumAtoms()]


def rdkit_value(name, molecule):
    try:
        return float(FUNCTIONS[name](molecule))
    except (ValueError, ZeroDivisionError):  # BCUT2D without parameters of Gasteiger's, SPS without heavy atoms
        return np.nan


def differences(smiles, names=NATIVE):
    """(name, SMILES, our value, RDKit's) of all that differ, and the share of molecules that RDKit read."""
    pairs = readable(smiles)
    ours, report = ct.ops.descriptors([text for text, _ in pairs], names=names, return_report=True)
    found = []
    for (text, molecule), row in zip(pairs, ours, strict=True):
        for name, value in zip(names, row.tolist(), strict=True):
            right = rdkit_value(name, molecule)
            equal = value == right or (np.isnan(value) and np.isnan(right)) or abs(value - right) <= 1e-9 * abs(right)
            if not equal:
                found.append((name, text, value, right))
    return found, report.counts["rdkit"] / max(len(pairs), 1)


def respelled(smiles, rng, spellings):
    """Other spellings of the same molecules, with the atoms in another order."""
    out = []
    for _, molecule in readable(smiles):
        for _ in range(spellings):
            order = rng.permutation(molecule.GetNumAtoms()).tolist()
            out.append(Chem.MolToSmiles(Chem.RenumberAtoms(molecule, order), canonical=False))
    return out


def nci(count):
    with open(os.path.join(RDConfig.RDDataDir, "NCI", "first_5K.smi")) as file:
        return [line.split()[0] for line in file][:count]


def test_the_names_are_those_of_rdkit_in_its_order():
    assert list(ct.feat.DESCRIPTOR_NAMES) == [name for name, _ in Descriptors._descList]
    assert len(DEFAULT_NAMES) == 97 and set(DEFAULT_NAMES) < set(NATIVE) == set(ct.feat.DESCRIPTOR_NAMES)
    assert {"fr_amide", "Chi0", "BCUT2D_MWHI", "LabuteASA"}.isdisjoint(DEFAULT_NAMES)


def test_awkward_molecules_are_equal_to_rdkit():
    found, _ = differences(AWKWARD + MOLECULES + TRAPS)
    assert not found


def test_each_element_with_charges_and_neighbours_is_equal_to_rdkit():
    table = Chem.GetPeriodicTable()
    smiles = []
    for z in range(1, 96):
        for charge in ("", "+", "-", "+2", "-2", "+3"):
            for hydrogens in ("", "H", "H2", "H3", "H4"):
                atom = f"[{table.GetElementSymbol(z)}{hydrogens}{charge}]"
                smiles += [atom, f"C{atom}", f"C=C{atom}C=O", f"C{atom}(F)(Cl)O", f"C{atom}(=O)N", f"C1C{atom}1CC"]
    found, _ = differences(smiles[::11])
    assert not found


def test_real_molecules_and_their_random_spellings_are_equal_to_rdkit():
    rng = np.random.default_rng(0)
    smiles = nci(200)
    smiles += respelled(smiles[:60] + MOLECULES + TRAPS[:60], rng, 2)
    found, by_rdkit = differences(smiles)
    assert not found and by_rdkit < 0.1
    _, report = ct.ops.descriptors(smiles, return_report=True)
    assert report.counts["rdkit"] < 0.05 * len(smiles)


# Stereo that depends on stereo: rings with several candidates, marks, double bonds, elements of the third period.
STEREO = [
    "CC1(C)C(O)C(C)(C)C1O", "CC1CCC(C)CC1", "C[C@H]1CC[C@@H](C)CC1", "C[C@H]1CC[C@H](C)CC1", "CC1CC(C)CC(C)C1", "CC1CCC(C)(C)CC1", "CC1CCC(C)CC1(C)C", "OC1CCC2(CC1)CCC(O)CC2", "CC=C1CCC(C)CC1", "CC=C1CCC(=CC)CC1", "C1CCC2CCCCC2C1",
    "C1CCC2C(C1)CCC1CCCCC12", "CC12CCC3C(CCC4CC(O)CCC34C)C1CCC2=NO", "CC1C2CCC1CC2", "CC1C2CC3CC(C2)CC1C3", "OC1C(O)C(O)C(O)C(O)C1O", "O[C@H]1[C@H](O)[C@@H](O)[C@H](O)[C@H](O)[C@@H]1O", "CC(O)C(C)C(C)O", "C[C@H](O)C(C)[C@@H](C)O",
    "C[C@H](O)C(C)[C@H](C)O", "C/C=C/C(O)/C=C\\C", "C/C=C/C(O)/C=C/C", "CC=CC(O)C=CC", "CC(C)=C(C)C", "CC=C=CC", "CC=NO", "CC(=N)C", "CC(=NC)C", "CC=N", "C=CC=C", "C1CCCCCCC=CCC1", "C1CCCC/C=C/CCC1", "C1=CCCCCC1", "CC1=CCCCC1", "CN=NC", "C[SiH2]CC",
    "C[SiH3]", "C[Si](C)(F)Cl", "CS(=O)CC", "CS(C)=O", "CP(=O)(O)OC", "C[P@](=O)(O)OC", "CPC", "CPCC", "C[PH2]", "C[As](C)CC", "C[N+](CC)(CCC)CCCC", "CN(CC)CCC", "C[C@H](N(C)CC)O", "C1CN2CCC1C2", "C1CN1C", "CC1CN1C", "FS(F)(F)(F)(F)F",
    "CP(C)(F)(Cl)Br", "[2H]C(C)O", "[CH3:1]C(O)(N)F", "C[C@@](C)(O)N", "[C@H](F)(Cl)Br", "N[C@@H](C)C(=O)N[C@H](C)C(=O)O", "C[C@H]1C[C@@H](C)C1", "CC1CC(C)C1", "CC1C(C)C(C)C1C", "C12C3C4C1C5C2C3C45", "F/C=C/F", "FC=CF", "FC(Cl)=C(F)Cl", "CC(F)=C(C)C",
    "CC1CC2(C1)CC(C)C2", "CC1CCC2(CC1)OCCO2", "C1CC12CC2", "CC1CC12CC2", "NC1CCC(CC1)C(=O)O", "O=C(O)[C@H]1CC[C@H](N)CC1", "CC1CCCCC1C", "CC1CC(C)C(C)C(C)C1", "c1ccccc1C(O)c1ccccc1", "OC(c1ccccc1)c1ccccc1F", "OC1CC1", "OC1CC1O", "[H][H]", "[H]/C(C)=C/C",
]  # fmt: skip


def test_without_gasteigers_parameters_the_ends_of_burdens_spectrum_are_nan_natively():
    names = [name for name in ct.feat.DESCRIPTOR_NAMES if name.startswith("BCUT2D")]
    smiles = ["C[Hg]Cl", "[Na+].[Cl-]", "CCO"]
    values, report = ct.ops.descriptors(smiles, names=names, return_report=True)
    assert report.counts["native"] == 3 and np.isnan(values[:2]).all() and np.isfinite(values[2]).all()
    assert all(np.isnan(FUNCTIONS[name](Chem.MolFromSmiles(text))) for name in names for text in smiles[:2])


def test_the_spacial_score_is_that_of_rdkit_in_any_spelling():
    rng = np.random.default_rng(1)
    smiles = [*STEREO, *respelled(STEREO, rng, 4), *nci(600), *respelled(nci(200), rng, 1)]
    found, by_rdkit = differences(smiles, ["SPS"])
    assert not found and by_rdkit < 0.05


def test_groups_of_cages_are_counted_natively_and_equal_to_rdkit():
    cages = [
        "OC1(CN2CCC1CC2)C#Cc1ccccc1",
        "Brc1ccc(s1)N2C[C@@]3(CN4CCC3CC4)OC2=O",
        "C1C2CC3CC1CC(C2)(C3)NC(=O)C",
        "C12C3C4C1C5C2C3C45",
    ]
    names = ["qed", *(name for name in NATIVE if name.startswith("fr_"))]
    found, by_rdkit = differences(cages, names)
    assert not found and by_rdkit == 0


def test_what_is_remembered_of_other_molecules_changes_nothing():
    smiles = [*MOLECULES, *TRAPS, *nci(100)]
    smiles = [text for text, _ in readable(smiles)]
    names = ["MolLogP", "MolMR", *(f"SlogP_VSA{k}" for k in range(1, 13)), "BCUT2D_LOGPHI"]
    patterns.cache_clear()
    first = ct.ops.descriptors(smiles, names=names, num_threads=1)
    assert np.array_equal(ct.ops.descriptors(smiles, names=names), first, equal_nan=True)
    patterns.cache_clear()
    backwards = ct.ops.descriptors(smiles[::-1], names=names, num_threads=2)[::-1]
    assert np.array_equal(backwards, first, equal_nan=True)


def test_many_matches_of_a_pattern_are_equal_to_rdkit():
    names = [*DEFAULT_NAMES, "Chi4v", "Kappa3", "fr_unbrch_alkane", "fr_NH1"]
    found, _ = differences(["C" * 90, "CC(C)(C)" * 50 + "C", "NC(=O)C" * 45, "C" * 300, "C1CC1" * 60], names)
    assert not found


def test_the_default_and_all_217_are_equal_to_rdkit():
    smiles = ["CC(=O)Oc1ccccc1C(=O)O", "CN1C=NC2=C1C(=O)N(C(=O)N2C)C", "[Na+].[O-]C(=O)c1ccccc1", "C[C@H](N)C(=O)O"]
    for names in (DEFAULT_NAMES, ct.feat.DESCRIPTOR_NAMES):
        found, _ = differences(smiles, names)
        assert not found
    assert np.array_equal(ct.ops.descriptors(smiles), ct.ops.descriptors(smiles, names=DEFAULT_NAMES))


def test_each_descriptor_alone_has_the_bits_that_it_has_among_all(threads):
    smiles = [*MOLECULES[:8], "[Fe]C", "[2H]C", "C[C@H]1CC(O)C[C@@H](C)C1"]
    together = ct.ops.descriptors(smiles, names=NATIVE)
    for j, name in enumerate(NATIVE):
        alone = ct.ops.descriptors(smiles, names=[name])
        assert alone.shape == (len(smiles), 1) and alone.dtype == np.float64
        assert np.array_equal(alone[:, 0], together[:, j], equal_nan=True), name
    backwards = ct.ops.descriptors(smiles, names=NATIVE[::-1])
    assert np.array_equal(backwards[:, ::-1], together, equal_nan=True)
    mixed = ct.ops.descriptors(smiles, names=["MolWt", "fr_amide", "SPS", "TPSA"])
    assert np.array_equal(mixed[:, [0, 3]], ct.ops.descriptors(smiles, names=["MolWt", "TPSA"]))


def test_threads_never_change_a_bit():
    part = MOLECULES + TRAPS[:40]
    smiles = part * 20
    one = ct.ops.descriptors(smiles, names=NATIVE, num_threads=1)
    assert np.array_equal(one, ct.ops.descriptors(smiles, names=NATIVE, num_threads=2), equal_nan=True)
    assert np.array_equal(one[: len(part)], one[-len(part) :], equal_nan=True)


def test_nan_is_kept_and_named():
    values, report = ct.ops.descriptors(["CCO", "C[Fe]C"], names=["MolWt", "MaxPartialCharge"], return_report=True)
    assert np.isnan(values).tolist() == [[False, False], [False, True]]
    assert report.notes == ["1 rows have values that are NaN: MaxPartialCharge (1)"]
    _, report = ct.ops.descriptors(["CCO"], names=ct.feat.DESCRIPTOR_NAMES, return_report=True)
    assert report.notes == [] and report.counts == {"native": 1, "rdkit": 0, "refused": 0}


def test_a_molecule_without_atoms_has_values_where_rdkit_has():
    values = ct.ops.descriptors([""], names=NATIVE)
    right = []
    for name in NATIVE:
        try:
            right.append(float(FUNCTIONS[name](Chem.MolFromSmiles(""))))
        except (TypeError, ValueError, ZeroDivisionError):
            right.append(np.nan)
    assert np.array_equal(values[0], right, equal_nan=True) and np.isfinite(right[NATIVE.index("MolWt")])
    assert np.isnan(right[NATIVE.index("MaxEStateIndex")])


def test_errors_name_position_and_reason():
    smiles = ["CCO", "C1CC", "[2H]C", 5]
    with pytest.raises(ValueError, match=r"descriptors: molecule 1 of 4 \('C1CC'\) cannot be read: not a valid SMILES"):
        ct.ops.descriptors(smiles)
    with pytest.raises(TypeError, match=r"molecule 1 of 2 .* needs text or an RDKit molecule, got int"):
        ct.ops.descriptors(["C", 5])
    masked, report = ct.ops.descriptors(smiles, names=["MolWt", "RingCount"], errors="mask", return_report=True)
    assert masked[:, 0].astype(bool).tolist() == [True, False, True, False] and not masked[[1, 3]].any()
    assert [f.position for f in report.failures] == [1, 3] and report.total == report.kept == 4
    assert report.counts == {"native": 1, "rdkit": 1, "refused": 2}
    for names in (["MolWt"], ["MolWt", "SPS"]):
        dropped, kept, report = ct.ops.descriptors(smiles, names=names, errors="drop", return_report=True)
        assert kept.tolist() == [0, 2] and len(dropped) == report.kept == 2 and dropped[1, 0] > 17


def test_molecules_of_rdkit_are_read_and_not_changed():
    molecules = [Chem.MolFromSmiles("CCO"), Chem.AddHs(Chem.MolFromSmiles("CCO"))]
    values = ct.ops.descriptors(molecules, names=NATIVE)
    for molecule, row in zip(molecules, values, strict=True):
        assert not molecule.GetPropsAsDict(True, True).keys() & {"_labuteASA", "_tpsa"}
        assert np.allclose(row, [FUNCTIONS[name](molecule) for name in NATIVE], rtol=1e-12)


def held_differently(molecule):
    """The molecule in forms that are what their SMILES say, and in forms that are not."""
    order = np.random.default_rng(3).permutation(molecule.GetNumAtoms()).tolist()
    same = [molecule, Chem.RenumberAtoms(molecule, order), Chem.MolFromMolBlock(Chem.MolToMolBlock(molecule))]
    noted = Chem.Mol(molecule)  # without notes of possible centres
    Chem.AssignStereochemistry(noted, cleanIt=True, force=True)
    same.append(noted)
    kekulized, edited, fast = Chem.Mol(molecule), Chem.RWMol(molecule), Chem.Mol(molecule)
    Chem.Kekulize(kekulized, clearAromaticFlags=True)
    edited.GetAtomWithIdx(0).SetFormalCharge(1)
    edited.GetAtomWithIdx(0).SetHybridization(Chem.HybridizationType.SP)
    fast.ClearComputedProps()
    Chem.FastFindRings(fast)
    fast.UpdatePropertyCache(strict=False)
    Chem.AssignStereochemistry(fast, force=True, flagPossibleStereoCenters=True)
    return same, [Chem.AddHs(molecule), kekulized, edited.GetMol(), fast]


def test_molecules_of_rdkit_have_its_values_in_any_form():
    smiles = [
        *MOLECULES,
        *TRAPS[::3],
        "C/C=C/C(O)F",
        "[2H]C",
        "*C",
        "C->[Fe]",
        "c1ccc2c(c1)Cc1ccccc1-2",
        "C1CC2CC1CC2C",
        "C1C2C3C1C23",
        "C[C@H]1C(=O)O[C@@H]2CCN3CC=C(COC(=O)[C@](C)(O)[C@]1(C)O)[C@H]23",
    ]
    forms = [form for _, molecule in readable(smiles) for part in held_differently(molecule) for form in part if form]
    names = [name for name in NATIVE if not name.startswith("fr_")]
    with rdBase.BlockLogs(), np.errstate(all="ignore"):
        right = np.array([[rdkit_value(name, Chem.Mol(form)) for name in names] for form in forms])
    assert np.allclose(ct.ops.descriptors(forms, names=names), right, rtol=1e-9, atol=1e-12, equal_nan=True)


def test_molecules_of_rdkit_are_read_natively_if_they_are_what_their_smiles_say():
    text = "C[C@H](N)c1ccc2c(c1)CC(=O)N2/C=C/Cl"
    same, others = held_differently(Chem.MolFromSmiles(text))
    names = [name for name in NATIVE if "StereoCenters" not in name]
    for form in same:
        values, report = ct.ops.descriptors([form, text], names=names, return_report=True)
        assert report.counts["native"] == 2 and np.allclose(values[0], values[1], rtol=1e-12)
    assert np.array_equal(*ct.ops.descriptors([same[0], text]))
    assert ct.ops.descriptors(others[:3], return_report=True)[1].counts["rdkit"] == 3


def test_wrong_settings_are_refused():
    with pytest.raises(TypeError, match="wrap it in"):
        ct.ops.descriptors("CCO")
    with pytest.raises(TypeError, match="names must be a list"):
        ct.ops.descriptors(["CCO"], names="MolWt")
    with pytest.raises(ValueError, match="names holds 'MolWeight', which is no"):
        ct.ops.descriptors(["CCO"], names=["MolWeight"])
    with pytest.raises(TypeError, match="names must hold names as text, got"):
        ct.ops.descriptors(["CCO"], names=[1])
    assert ct.ops.descriptors([]).shape == (0, 97)
    assert ct.ops.descriptors(["CCO", "C"], names=[]).shape == (2, 0)


def test_without_the_files_of_rdkit_it_computes_what_needs_them(monkeypatch, tmp_path):
    names = ["MolWt", "MolLogP", "SMR_VSA1", "fr_amide", "qed", "BCUT2D_MWHI"]
    right = ct.ops.descriptors(MOLECULES, names=names)
    monkeypatch.setattr(RDConfig, "RDDataDir", str(tmp_path))
    monkeypatch.setattr(rdkit, "__file__", str(tmp_path / "__init__.py"))
    patterns.cache_clear()
    try:
        found, report = ct.ops.descriptors(MOLECULES, names=names, return_report=True)
    finally:
        patterns.cache_clear()
    assert np.allclose(found, right, rtol=1e-9) and report.notes == ["5 of 6 descriptors computed by RDKit"]
