"""Tests that molecular graphs equal chemprop's and DeepChem's features of RDKit's molecules, natively or through RDKit."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem, rdBase

import catalase as ct
from catalase.ops import MolGraphs
from tests.ops.test_descriptors import TRAPS, nci, readable
from tests.ops.test_ecfp_native import AWKWARD, MOLECULES
from tests.reference import mol_graphs as peer

FEATURES = ("dmpnn", "dmpnn_v1", "dmpnn_organic", "convmol", "molgraph")
# Centres and double bonds whose marks RDKit keeps, removes or relabels.
STEREO = [
    "C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O", "[C@H](C)(N)C(=O)O", "[C@](F)(Cl)(Br)I", "F[C@](Cl)(Br)I", "C[C@H](C)O", "C[C@](C)(N)O", "C[C@H]1CC[C@@H](C)CC1", "C[C@H]1CC[C@H](C)CC1", "C[C@H]1CC(O)C[C@@H](C)C1", "C[C@H]1CCCCC1",
    "F[C@]1CCO1", "F[C@@]1(Cl)CCO1", "[C@]12(C)CC[C@H](C1)C2", "[C@]21(C)CC[C@H](C1)C2", "C1C[C@H]2CC[C@@H]1C2", "O[C@H]1C[C@@H]2CC[C@H]1C2", "C[C@@]12CCCC[C@H]1CCCC2", "C[C@H](O)[C@@H](O)C", "C[C@H](O)C(F)[C@@H](O)C", "C[C@H](O)C(F)[C@H](O)C",
    "[H][C@](N)(O)F", "[H][C@@](N)(O)F", "N[C@]([H])(O)F", "N[C@](O)([H])F", "N[C@](O)(F)[H]", "[C@]([H])(N)(O)F", "[H][C@]12CCCC[C@@]1([H])CCCC2", "C[C@]1([H])CCCO1", "[H][C@@]1(C)CCCO1", "C[S@](=O)CC", "C[S@@](=O)c1ccccc1", "C[S@+]([O-])CC", "C[S@]2(=O).Cl2",
    "C[P@](=O)(O)CC", "C[P@H](=O)CC", "C[P@@](CC)CCC", "C[N@+](CC)(CCC)CCCC", "C[N@]1CC1C", "C[N@@]1C[C@H]1C", "C[N@]1CCCC1", "CN1C[C@@H]2C[N@]1CC2", "[N@H](C)CC", "C[C@H]", "[C@H2](C)C", "C[C@H-]C", "C[Si@](F)(Cl)Br", "C[B@-](F)(Cl)Br", "[n@]1ccccc1", "c1cc[c@@H]cc1",
    "[CH3:1][C@H](N)O", "C[C@H]([2H])O", "C[C@@H](O)c1ccccc1", "CC1=C[C@H](C)CC1", "C1[C@H]2C[C@H]1C2", "C1[C@@H]2C[C@H]1CC2", "C[C@@H]1C[C@H]1C", "C1C[C@@]2(C1)CC[C@H](C)CC2", "C[C@H]1CC[C@]2(CC1)CC[C@@H](C)CC2", "C[C@H]1CCC[C@@H]1C(=O)C", "OC[C@H]1O[C@@H](O)[C@H](O)[C@@H](O)[C@@H]1O",
    "F/C=C/F", "F/C=C\\F", "F\\C=C\\F", "C(/F)=C/F", "F/C(Cl)=C/F", "F/C(Cl)=C(/F)Cl", "C/C(=C/C)/C", "C/C=C/C=C/C", "C/C=C\\C=C/C", "C/C=C/C(C)C", "CC/C=C(/C)CC", "C/C=N/O", "C/C=N\\O", "C/C(=N/O)c1ccccc1", "O=C/C=C/c1ccccc1", "C1=CCCCCCC1", "C1CCC/C=C/CCC1", "C1CCC/C=C\\CCC1",
    "C1CC/C=C/CCCCC1", "C/1CCCCCC/C=C1", "F/C=C1/CCCC(C)C1", "F/C=C1\\CCCCC1", "C/C=C/1CCCC1C", "F/C=C/C=C\\[C@H](O)C", "F/C(/Cl)=C/F", "F/C(\\Cl)=C/F", "C/C=C/C(O)/C=C/C", "C/C=C/C(O)/C=C\\C", "C/C=C/[C@H](O)/C=C\\C", "N/N=C/C", "c1ccccc1/N=N/c1ccccc1", "C(=C\\C)/C", "C\\C=C(\\C=C)/C=C", "F/C=C/C#N",
    "C%10CC/C=C/CCCCC%10", "C12CCCCCC1/C=C/CCCC2", "C/C(=C(/C)C(C)C)C(C)C", "[O-]/[N+](C)=C/C", "C/C=[N+](/C)[O-]", "C/C=C=C/C", "C/C=S(/C)C", "C/P(=N/C)(C)C", "N/C(=N/C)N", "C/N=C(\\N)N", "CC(/C=C/C)=C\\C", "S/C=C/S",
    "C21C3C1C23", "C3CC2CC1C3CC2C1", "C1=CC=CN1", "C1=CNC=C1C", "[nH]1cccc1", "B1C=CC=CN1", "N1C=CC=C1[C@H](C)O", "[H]N1C=CC=C1", "C=c1[nH]cccc1", "C=c1n([H])cccc1", "C=c1[pH]cccc1", "O=c1[nH]c(=C)c1", "[H]OC", "[H]C([H])([H])C", "C[NH]", "[CH3]", "O=S(=O)(O)O", "FS(F)(F)(F)(F)F", "FP(F)(F)(F)F", "[Na+]", "[He]", "[Fe+2]",
]  # fmt: skip
PEPTIDE = (
    "NCC(=O)"
    + "N[C@@H](C)C(=O)N[C@@H](CC1=CC=C(O)C=C1)C(=O)N2CCC[C@H]2C(=O)N[C@@H]([C@H](O)C)C(=O)NC(CCC/C=C/C)C(=O)" * 8
    + "O"
)


def respelled(smiles, rng, count):
    """Random spellings, some with all hydrogens, in Kekule form, or with the order of each bond."""
    out = []
    for _, molecule in readable(smiles):
        for _ in range(count):
            Chem.rdBase.SeedRandomNumberGenerator(int(rng.integers(1 << 30)))
            given = Chem.Mol(molecule)
            way = int(rng.integers(5))
            if way == 1:
                Chem.Kekulize(given)
            if way == 2:
                given = Chem.AddHs(given)
            options = {"kekuleSmiles": way == 1, "allHsExplicit": way == 3, "allBondsExplicit": way == 4}
            out.append(Chem.MolToSmiles(given, doRandom=True, canonical=False, **options))
    return out


def differences(smiles, features):
    """The SMILES whose graph differs from the reference, and the share of molecules that RDKit read."""
    pairs = readable(smiles)
    graphs, report = ct.ops.mol_graphs([text for text, _ in pairs], features, return_report=True)
    found = []
    for i, (text, molecule) in enumerate(pairs):
        atoms, bonds, edges = peer.graph(molecule, features)
        same = np.array_equal(graphs.atom_features(i), atoms) and np.array_equal(graphs.bond_features(i), bonds)
        if not same or not np.array_equal(graphs.edge_index(i), edges):
            found.append(text)
    return found, report.counts["rdkit"] / max(len(pairs), 1)


@pytest.mark.parametrize("features", FEATURES)
def test_awkward_molecules_equal_the_features_of_rdkits_molecules(features):
    found, _ = differences(AWKWARD + MOLECULES + TRAPS + STEREO, features)
    assert not found


@pytest.mark.parametrize("features", ["dmpnn", "convmol", "molgraph"])
def test_each_element_with_charges_and_neighbours_equals_the_features_of_rdkits_molecules(features):
    table = Chem.GetPeriodicTable()
    smiles = []
    for z in range(1, 119):
        symbol = table.GetElementSymbol(z)
        smiles.append(f"[{symbol}]")
        for charge in ("", "+", "-", "+2", "-2", "+3", "+4", "-4"):
            for hydrogens in ("", "H", "H2", "H3", "H4"):
                atom = f"[{symbol}{hydrogens}{charge}]"
                smiles += [atom, f"C{atom}", f"C=C{atom}C=O", f"C{atom}(F)(Cl)O", f"C{atom}(=O)N", f"C1C{atom}1CC"]
    found, _ = differences(smiles[:: 29 if features == "dmpnn" else 97], features)
    assert not found


@pytest.mark.parametrize("features", ["dmpnn", "convmol", "molgraph"])
def test_real_molecules_and_their_random_spellings_equal_the_features_of_rdkits_molecules(features):
    rng = np.random.default_rng(3)
    smiles = nci(150)
    smiles += respelled(smiles[:50] + MOLECULES + STEREO, rng, 2)
    found, by_rdkit = differences(smiles, features)
    assert not found and by_rdkit < 0.05


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_spellings_with_random_marks_equal_the_features_of_rdkits_molecules(data):
    draw, atoms = data.draw, ["C", "[C@H]", "[C@@H]", "[C@]", "[C@@]", "N", "O", "[N@+]", "[S@](=O)", "[P@](=O)"]
    text = ""
    for _ in range(draw(st.integers(1, 5))):
        ring = draw(st.sampled_from(["", "1", "2", "12", "21"]))
        tail = draw(st.sampled_from(["", "(F)", "(C)(F)", "(/C)", "(=C/C)", "([H])", "(O)C", "(C)", "=C\\C", "/C=C/"]))
        text += draw(st.sampled_from(atoms)) + ring + tail
    for digit in "12":
        text += f"C{digit}" * (text.count(digit) % 2)
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(text)
    if molecule is not None:
        found, _ = differences([text], "dmpnn")
        assert not found


def test_large_molecules_are_read_natively():
    graphs, report = ct.ops.mol_graphs([PEPTIDE, "C" * 700, "c1ccccc1" * 90, "C1CC1" * 80], return_report=True)
    assert report.counts == {"native": 4, "rdkit": 0, "refused": 0} and len(graphs.atom_codes) > 255
    for features in ("dmpnn", "convmol"):
        found, by_rdkit = differences([PEPTIDE, *respelled([PEPTIDE], np.random.default_rng(0), 3), "c1ccccc1" * 60, "C1CC1" * 70], features)  # fmt: skip
        assert not found and by_rdkit < 0.5


def test_molecules_of_rdkit_give_the_graphs_of_their_smiles_and_do_not_change():
    smiles = [text for text, _ in readable(STEREO)]
    molecules = [Chem.MolFromSmiles(text) for text in smiles]
    before = [molecule.ToBinary() for molecule in molecules]
    for features in FEATURES:
        graphs, report = ct.ops.mol_graphs(molecules, features, return_report=True)
        assert graphs == ct.ops.mol_graphs(smiles, features)
        assert report.counts["refused"] == 0 and report.counts["rdkit"] < 0.05 * len(smiles)
        mixed = [m if i % 3 else text for i, (m, text) in enumerate(zip(molecules, smiles, strict=True))]
        assert ct.ops.mol_graphs(mixed, features) == graphs
    assert [molecule.ToBinary() for molecule in molecules] == before


def test_molecules_of_rdkit_that_no_smiles_gives_are_read_as_they_are():
    dative, kekule, edited = Chem.MolFromSmiles("CN->[Fe]"), Chem.MolFromSmiles("c1ccccc1O"), Chem.MolFromSmiles("CCO")
    Chem.Kekulize(kekule, clearAromaticFlags=True)
    edited.GetAtomWithIdx(1).SetChiralTag(Chem.ChiralType.CHI_TETRAHEDRAL_CCW)
    edited.GetBondWithIdx(0).SetStereo(Chem.BondStereo.STEREOANY)
    square = Chem.MolFromSmiles("C[Pt@SP1](F)(Cl)[H]")
    for features in FEATURES:
        given = [m for m in (dative, kekule, edited, square, Chem.AddHs(kekule)) if m is not None]
        graphs = ct.ops.mol_graphs(given, features)
        for i, molecule in enumerate(given):
            atoms, bonds, edges = peer.graph(molecule, features)
            assert np.array_equal(graphs.atom_features(i), atoms) and np.array_equal(graphs.edge_index(i), edges)
            assert np.array_equal(graphs.bond_features(i), bonds)
    raw = Chem.MolFromSmiles("CCO", sanitize=False)
    with pytest.raises(TypeError, match=r"the molecule is not sanitized"):
        ct.ops.mol_graphs([raw])


def test_isotopes_have_their_own_mass():
    graphs = ct.ops.mol_graphs(["[13CH4]", "C", "[2H]O"])
    assert graphs.atom_floats[:, 0].tolist() == [
        np.float32(0.01 * mass) for mass in (13.00335483507, 12.011, 2.01410177812, 15.999)
    ]


def test_bad_molecules_are_refused_masked_or_dropped():
    smiles = ["CCO", "C1CC", "N", None]
    with pytest.raises(
        ValueError, match=r"mol_graphs: molecule 1 of 4 \('C1CC'\) cannot be read: .*a graph without atoms"
    ):
        ct.ops.mol_graphs(smiles)
    graphs, report = ct.ops.mol_graphs(smiles, errors="mask", return_report=True)
    assert graphs.atom_offsets.tolist() == [0, 3, 3, 4, 4] and graphs.atom_features(1).shape == (0, 72)
    assert graphs.edge_index(3).shape == (2, 0) and graphs.bond_features(3).shape == (0, 14)
    assert report.counts == {"native": 2, "rdkit": 0, "refused": 2} and [f.position for f in report.failures] == [1, 3]
    graphs, kept, report = ct.ops.mol_graphs(smiles, errors="drop", return_report=True)
    assert kept.tolist() == [0, 2] and report.kept == 2 and graphs == ct.ops.mol_graphs(["CCO", "N"])
    assert graphs == ct.ops.mol_graphs(smiles, errors="mask")[[0, 2]]
    for wrong in ("CCO", {"CCO"}, 3):
        with pytest.raises(TypeError, match="mol_graphs: smiles must be"):
            ct.ops.mol_graphs(wrong)
    with pytest.raises(ValueError, match="mol_graphs: features must be"):
        ct.ops.mol_graphs(["C"], "weave")


def test_graphs_without_atoms_and_without_molecules():
    assert len(ct.ops.mol_graphs([])) == 0 and len(ct.ops.mol_graphs([])[[]]) == 0
    empty = ct.ops.mol_graphs(["", " ", "C"])
    assert empty.atom_offsets.tolist() == [0, 0, 0, 1] and empty[:2] == ct.ops.mol_graphs(["", ""])


def test_indexing_gives_the_graphs_of_those_molecules(rng):
    smiles = [text for text, _ in readable(MOLECULES + STEREO)]
    for features in FEATURES:
        graphs = ct.ops.mol_graphs(smiles, features)
        rows = rng.integers(0, len(smiles), 30)
        assert graphs[rows] == ct.ops.mol_graphs([smiles[i] for i in rows], features)
        assert graphs[5:17] == ct.ops.mol_graphs(smiles[5:17], features)
        assert graphs[17:5] == graphs[:0] and graphs[::-3] == graphs[np.arange(len(smiles))[::-3]]
        assert graphs[-1] == ct.ops.mol_graphs(smiles[-1:], features) == list(graphs)[-1]
        assert graphs[rows] != graphs[rows[1:]] and pickle.loads(pickle.dumps(graphs)) == graphs  # noqa: S301
        mask = np.arange(len(smiles)) % 3 == 0
        assert graphs[mask] == graphs[np.flatnonzero(mask)]
    for wrong in (len(smiles), [len(smiles)]):
        with pytest.raises(IndexError):
            graphs[wrong]
    with pytest.raises(TypeError, match="no array of numbers"):
        np.asarray(graphs)
    for read in (graphs.atom_features, graphs.bond_features, graphs.edge_index):
        with pytest.raises(TypeError, match="must be the number of a molecule"):
            read([0])


def test_arrays_that_are_no_graphs_are_refused():
    graphs = ct.ops.mol_graphs(["CCO", "C=C"])
    names = ("atom_offsets", "bond_offsets", "atom_codes", "atom_floats", "bond_codes", "source", "target")
    arrays = {name: getattr(graphs, name) for name in names}
    assert MolGraphs("dmpnn", **arrays) == graphs

    def changed(name, place, value):
        array = arrays[name].copy()
        array[place] = value
        return arrays | {name: array}

    for wrong, kind, what in (
        (arrays | {"atom_offsets": [0, 3, 5]}, TypeError, "atom_offsets must be an int64 array"),
        (arrays | {"source": arrays["source"].astype(np.int64)}, TypeError, "source must be an array of int32"),
        (arrays | {"atom_codes": arrays["atom_codes"][1:]}, ValueError, "atom_codes must have the shape"),
        (arrays | {"bond_offsets": np.array([0, 6])}, ValueError, "equally long"),
        (changed("atom_offsets", 1, 6), ValueError, "atom_offsets must begin with 0 and not decrease"),
        (changed("bond_offsets", 1, 3), ValueError, "source must hold|two directions"),
        (changed("source", 0, 4), ValueError, "source must hold atoms"),
        (changed("target", 0, -1), ValueError, "target must hold atoms"),
        (changed("atom_codes", (0, 0), 38), ValueError, "atom_codes must be below 38 or 255 in column 0"),
        (changed("bond_codes", (0, 1), 7), ValueError, "bond_codes must be below 1 or 255"),
        (changed("bond_codes", (0, 0), 1), ValueError, "two directions of one bond"),
        (changed("atom_floats", (0, 0), np.nan), ValueError, "must not be NaN"),
    ):
        with pytest.raises(kind, match=what):
            MolGraphs("dmpnn", **wrong)
    with pytest.raises(ValueError, match="features must be"):
        MolGraphs("other", **arrays)


def test_threads_and_levels_never_change_a_bit(rng):
    smiles = [text for text, _ in readable(MOLECULES + STEREO + TRAPS)]
    smiles = [smiles[i] for i in rng.integers(0, len(smiles), 3000)] + [PEPTIDE]
    for features in ("dmpnn", "convmol", "molgraph"):
        one = ct.ops.mol_graphs(smiles, features, num_threads=1)
        for threads in (2, 3, 7):
            assert ct.ops.mol_graphs(smiles, features, num_threads=threads) == one


def test_all_levels_give_the_same_bits():
    before, found = ct._core.get_cpu_level(), []
    try:
        for level in ct._core.build_info()["cpu_levels"]:
            ct._core.set_cpu_level(level)
            found.append(ct.ops.mol_graphs([*MOLECULES, PEPTIDE]))
    finally:
        ct._core.set_cpu_level(before)
    assert all(graphs == found[0] for graphs in found)


def test_columns_describe_the_features():
    for features in FEATURES:
        graphs = ct.ops.mol_graphs(["CC(=O)N", "[Na+].[Cl-]"], features)
        covered = [start + k for start, size in graphs.atom_columns for k in range(size)]
        assert sorted([*covered, *graphs.atom_float_columns]) == list(range(graphs.atom_width))
        assert graphs.atom_features(0).shape == (4, graphs.atom_width)
        assert all(start + size <= graphs.bond_width for start, size in graphs.bond_columns)


def test_extra_features_follow_the_rows():
    graphs = ct.ops.mol_graphs(["CCO", "C", "CN"])
    assert graphs.extra.shape == (3, 0) and graphs.extra.dtype == np.float32
    extra = np.array([[1.0, np.nan], [1e300, -np.inf], [5, 6]])
    more = graphs.with_extra(extra)
    assert np.array_equal(
        more.extra, np.array([[1, np.nan], [np.finfo("f4").max, -np.inf], [5, 6]], "f4"), equal_nan=True
    )
    assert graphs.extra.shape == (3, 0) and more != graphs and more == graphs.with_extra(extra) and more[:] == more
    for rows in ([2, 0, 0], slice(1, None), slice(None, None, -1), -1, []):
        expected = more.extra[rows] if not isinstance(rows, int) else more.extra[[rows]]
        assert np.array_equal(more[rows].extra, expected.reshape(-1, 2), equal_nan=True)
    assert more.environments(2) is graphs.environments(2)
    assert graphs.with_extra([[1], [2], [3]]).extra.tolist() == [[1], [2], [3]]


@pytest.mark.parametrize(
    ("extra", "error", "words"),
    [
        (np.zeros((2, 3)), ValueError, r"MolGraphs.with_extra: extra must be of shape \(3, columns\).* got \(2, 3\)"),
        (np.zeros(3), ValueError, r"got \(3,\)"),
        ([["a"], ["b"], ["c"]], TypeError, "extra must"),
    ],
)
def test_extra_features_of_another_form_are_refused(extra, error, words):
    with pytest.raises(error, match=words):
        ct.ops.mol_graphs(["CCO", "C", "CN"]).with_extra(extra)
    graphs = ct.ops.mol_graphs(["C"])
    with pytest.raises(TypeError, match="extra must be an array of float32"):
        ct.ops.MolGraphs("dmpnn", graphs.atom_offsets, graphs.bond_offsets, *graphs._arrays(), np.zeros((1, 2)))
