"""Tests that the native SMILES reader gives RDKit's bits, or leaves a molecule to RDKit, and refuses the same ones."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem, DataStructs, rdBase
from rdkit.Chem import rdFingerprintGenerator as generators

import catalase as ct

# One of each trap: annelated and bridged rings, aromatic forms that RDKit does not share, charges, isotopes, hydrogens.
AWKWARD = [
    "", "C", "CC", "[2H]C", "[2H]C([2H])([2H])CO", "[H]O[H]", "[H]C([H])([H])[H]", "[H]c1ccccc1", "[H]n1cccc1", "[H]-C", "C.C", "[NH4+].[Cl-]",
    "[Na+].[O-]c1ccccc1", "[Ca+2].[O-]C(=O)C.[O-]C(=O)C", "[Fe+3]", "[H+].[Br-]", "[CH3]", "[CH2]C", "[13CH3]C", "[14C]C", "[125I]c1ccccc1", "[18F]CC",
    "[CH3:7]C", "CN(=O)=O", "CN=N#N", "C=N#N", "O=N#N", "O=N#C", "CN(=O)=N", "P#N=O", "O=n1ccccc1", "[O-][n+]1ccccc1", "C[N+](=O)[O-]", "CS(C)C", "CS(=O)C", "CS(=O)(=O)C", "CP(C)(C)C", "OP(=O)(O)O",
    "CP(=O)=O", "FS(F)(F)(F)(F)F", "FP(F)(F)(F)F", "CI(C)C", "O=I(=O)c1ccccc1", "C[S+](C)(C)=O", "c1ccccc1c1ccccc1", "c1ccccc1-c1ccccc1", "c1ccccc-1",
    "c:1ccccc:1", "C:C", "C=1CCC-1", "C=1CCC=1", "C/1CCC\\1", "C%12CC%12", "C%01CC%01", "C12C3C4C1C5C2C3C45", "C1CC2CCC1CC2", "C1=CC2C=CC1C=C2",
    "c1ccc2c(c1)C1c3ccccc3C2c2ccccc21", "c1cc2cccc2c1", "c1cc2cccccc2c1", "C1=CC2=CC=CC=CC2=C1", "C1=CC=C2C=CC=C2C=C1", "C1=CC=CC=CC=C1", "C1=CC=CC=CC=CC=C1",
    "C1=CC=COC=CC=C1", "C1=CC=CNC=CC=C1", "C1=CC=CSC=CC=C1", "C1#CC=CC=C1", "C1=C=NC=N1", "[cH-]1cccc1", "[cH+]1cccccc1", "[CH+]1C=C1", "[c+]1ccccc1", "c1cc[o+]cc1",
    "c1ccs[s+]1", "[n-]1cccc1", "C1=CC=C[N-]1", "c1cc[se]c1", "c1cc[te]c1", "C[se]1cccc1", "b1ccccc1", "B1C=CC=CN1", "[bH]1cccc1", "c1ccpcc1", "p1(C)cccc1", "c1cc[pH]c1",
    "C[Si]1(C)C=CC=C1", "C1=CC=[As]C=C1", "O=S1C=CC=C1", "O=S1(=O)C=CC=C1", "O=c1cccc[nH]1", "S=c1[nH]cccc1", "N=c1[nH]cccc1", "C=c1[nH]cccc1", "O=C1C=CC(=O)C=C1", "O=C1C=C1",
    "O=C1C=CC=CC=C1", "C1=CC=CC1=C1C=CC=C1", "C1=CC1=C1C=CC=C1", "c1ccc-2c(c1)Cc1ccccc1-2", "C1=CC2=C3C(=C1)C=CC3=CC=C2", "C1C2=CC=CC=C1C=CC=C2", "C1=CC=C2C=CC(C=C1)C2",
    "C1=CC2=CC3=CC=CC=C3C=C2C=C1", "c1cc2ccc3cccc4ccc(c1)c2c34", "C1=CC2=CC=CC3=CC=CC(=C1)C23", "c1cc2c3c(c1)cccc3C=C2", "c1ccc2cc3cc4ccccc4cc3cc2c1", "c1cn2ccn(c1)c2", "c1ccn2ccnc2c1",
    "C1=Cc2cc3ccc(cc4nc(cc5ccc(cc1n2)[nH]5)C=C4)[nH]3", "c1cc2cc3ccc(cc4ccc(cc5ccc(cc1n2)[nH]5)n4)[nH]3", "s1c2ccccc2nc1=S", "C1=CSC2=C1SC=C2", "C1=CSC=CS1", "O1C=COC=C1", "n1nnnn1C",
    "c1ccc(cc1)n2c(=O)c(c(=O)n2c3ccccc3)CC", "O=c1c(=O)c(=O)c1=O", "C[n+]1cccn1C", "c1ccc[n+]2ccccc12", "O=C1c2ccccc2C(=O)c2ccccc12", "C[N@+]12CCC(CC1)CC2", "C[C@@H](N)C(=O)O", "F/C=C/F", "F/C=C\\\\F",
    "C1CC1CC1CC1", "CC(C)(C)C", "FC(F)(F)C(F)(F)F", "CCCCC(CC)COC(=O)CC#N", "[Na]Cl", "N[Pt](N)(Cl)Cl", "*C", "C*C", "[H]/N=C/C", "[H][H]", "[H][2H]", "[H]", "[H-]", "C->[Fe]", "C$C", "C(C)1CC1", "C1.C1", "C1CC.C1",
    "[C@TH1](F)(Cl)(Br)I", "[13C]1CC1", "[60C]", "[C-]#[O+]", "[C-]#N", "N#[N+][O-]", "[N-]=[N+]=NC", "O=[N+]=O", "[O-]Cl(=O)(=O)=O", "OCl(=O)(=O)=O", "[Cl+3]([O-])([O-])([O-])O", "C[B-](C)(C)C", "C[Se]C", "[SeH]C", "C[Te]C",
]  # fmt: skip

REFUSED = [
    "C1CC", "C(", "C)", "C((C))C", "()C", "C()C", "C..C", "C.", ".C", "C=", "=C", "C==C", "C(=)C", "[C", "C]", "[]", "[Xx]", "C11", "C12CC12", "C=1CC#1", "c1cccc1", "c1ccccc1=O", "C(C)(C)(C)(C)C",
    "F=C=F=C", "cc", "cC", "n1(C)ccccc1", "[nH2]1cccc1", "c1cc[cH2]c1", "C%1CC%1", "C(.C)C", "C-.C", "[CH5]", "[OH3]", "N(C)(C)(C)C", "O(C)(C)C", "F[H]F", "Cl(C)C", "C[:1]", "[C+", "[999999C]", "1CC1",
]  # fmt: skip

# For rewriting in other forms.
MOLECULES = [
    "CC(=O)Oc1ccccc1C(=O)O", "Cn1cnc2c1c(=O)n(C)c(=O)n2C", "CC(C)Cc1ccc(cc1)C(C)C(=O)O", "CN1CCC[C@H]1c1cccnc1", "CN1[C@H]2CC[C@@H]1[C@H]([C@H](C2)OC(=O)c1ccccc1)C(=O)OC", "NS(=O)(=O)c1cc2c(cc1Cl)NCNS2(=O)=O",
    "CN1CC[C@]23c4c5ccc(O)c4O[C@H]2[C@@H](O)C=C[C@H]3[C@H]1C5", "C[C@]12CC[C@H]3[C@@H](CCC4=CC(=O)CC[C@@]34C)[C@@H]1CC[C@@H]2O", "CC1(C)S[C@@H]2[C@H](NC(=O)Cc3ccccc3)C(=O)N2[C@H]1C(=O)O", "O=C(O)c1cn(C2CC2)c2cc(N3CCNCC3)c(F)cc2c1=O",
    "Clc1ccc2c(c1)C(c1ccccc1)=NCC(=O)N2", "O=[N+]([O-])c1ccc(cc1)[N+](=O)[O-]", "Nc1nc(=O)c2ncn(COCCO)c2[nH]1", "CCN(CC)CC.Cl", "OC[C@H]1O[C@@H](n2cnc3c(N)ncnc32)[C@H](O)[C@@H]1O", "c1ccc2c(c1)ccc1c2ccc2ccccc21", "C[N+](C)(C)CC(=O)[O-]",
    "FC(F)(F)c1nnc2n1CCN(C2)C(=O)CC(N)Cc1cc(F)c(F)cc1F", "O=C1NC(=O)C(=Cc2ccc(o2)-c2ccccc2)S1", "CSC1=NC2=C(C=C1)N(C)C=C2", "C1CC2(C1)OCCO2", "[O-][n+]1onc(c1C#N)-c1cccnc1", "c1csc(n1)-c1nc2ccccc2[nH]1", "CC#CC(=O)N1CCCC1",
]  # fmt: skip


def rdkit_rows(smiles, radius=2, size=2048, counts=False, **options):
    """RDKit's packed bits or counts, and which molecules it reads."""
    generator = generators.GetMorganGenerator(radius=radius, fpSize=size, **options)
    rows = np.zeros((len(smiles), size if counts else size // 8), np.uint32 if counts else np.uint8)
    readable = np.zeros(len(smiles), bool)
    with rdBase.BlockLogs():
        for i, text in enumerate(smiles):
            molecule = Chem.MolFromSmiles(text)
            if molecule is None:
                continue
            readable[i] = True
            if counts:
                rows[i] = generator.GetCountFingerprintAsNumPy(molecule)
            else:
                bits = DataStructs.BitVectToBinaryText(generator.GetFingerprint(molecule))
                rows[i] = np.frombuffer(bits, np.uint8)
    return rows, readable


def assert_equal_to_rdkit(smiles, ours=None, theirs=None, counts=False, backend=None):
    """Rows equal, refusals equal; the share of molecules that were read natively is returned."""
    options = {"errors": "mask", "return_report": True, "output": "counts" if counts else "packed", **(ours or {})}
    rows, report = ct.ops.ecfp(smiles, device=backend.device if backend else "cpu", **options)
    if backend:
        rows = backend.get(rows)
        assert report.to_dict() == ct.ops.ecfp(smiles, **options)[1].to_dict()
    expected, readable = rdkit_rows(smiles, counts=counts, **(theirs or {}))
    different = [s for s, a, b in zip(smiles, rows, expected, strict=True) if not np.array_equal(a, b)]
    assert not different, f"{ours}: {different[:5]}"
    refused = {failure.position for failure in report.failures}
    assert refused == set(np.flatnonzero(~readable).tolist()), [
        smiles[i] for i in refused ^ set(np.flatnonzero(~readable))
    ]
    assert sum(report.counts.values()) == len(smiles) and report.counts["refused"] == len(refused)
    return report.counts["native"] / max(1, len(smiles))


@pytest.mark.parametrize(
    "size", [2048, *(pytest.param(size, marks=pytest.mark.slow_on_the_host) for size in (512, 1000, 4096))]
)
@pytest.mark.parametrize("radius", [0, 1, 2, 3, 4, 5, 6, 7])
def test_awkward_molecules(backend, radius, size):
    options = {"radius": radius, "size": size}
    assert assert_equal_to_rdkit(AWKWARD, options, options, backend=backend) > 0.75
    assert_equal_to_rdkit(MOLECULES + REFUSED, options, options, counts=True, backend=backend)


@pytest.mark.at_one_level
@pytest.mark.parametrize("radius", [0, 1, 2, 3])
@pytest.mark.parametrize(
    ("ours", "theirs", "least"),
    [
        ({"use_bond_types": False}, {"useBondTypes": False}, 0.75),
        ({"chirality": True}, {"includeChirality": True}, 0.7),
        ({"features": True}, {"atomInvariantsGenerator": generators.GetMorganFeatureAtomInvGen()}, 0.75),
    ],
)
def test_options(backend, ours, theirs, least, radius):
    ours, theirs = {"radius": radius, **ours}, {"radius": radius, **theirs}
    assert assert_equal_to_rdkit(AWKWARD, ours, theirs, counts=radius % 2 == 0, backend=backend) >= least
    assert_equal_to_rdkit(MOLECULES, ours, theirs, counts=True, backend=backend)


@pytest.mark.parametrize("radius", [0, 2, 3])
def test_counts(backend, radius):
    assert assert_equal_to_rdkit(AWKWARD, {"radius": radius}, {"radius": radius}, counts=True, backend=backend) > 0.75


def test_refusals_are_those_of_rdkit():
    assert_equal_to_rdkit(REFUSED)
    _, report = ct.ops.ecfp(REFUSED, errors="mask", return_report=True)
    assert len(report.failures) > 30 and all(failure.reason for failure in report.failures)


def rewritten(text, rng):
    """The same molecule, written in other ways."""
    molecule = Chem.MolFromSmiles(text)
    kekule = Chem.Mol(molecule)
    Chem.Kekulize(kekule, clearAromaticFlags=True)
    order = list(range(molecule.GetNumAtoms()))
    rng.shuffle(order)
    renumbered = Chem.RenumberAtoms(molecule, order)
    free = {"canonical": False, "doRandom": True}
    return [
        Chem.MolToSmiles(molecule),
        Chem.MolToSmiles(molecule, **free),
        Chem.MolToSmiles(molecule, allBondsExplicit=True, **free),
        Chem.MolToSmiles(molecule, allHsExplicit=True, **free),
        Chem.MolToSmiles(molecule, isomericSmiles=False, **free),
        Chem.MolToSmiles(kekule, kekuleSmiles=True),
        Chem.MolToSmiles(kekule, kekuleSmiles=True, **free),
        Chem.MolToSmiles(renumbered, canonical=False),
        Chem.MolToSmiles(Chem.AddHs(molecule), **free),
    ]


@pytest.mark.parametrize("text", MOLECULES)
def test_however_it_is_written(text):
    rng = random.Random(text)
    smiles = [s for _ in range(4) for s in rewritten(text, rng)]
    assert assert_equal_to_rdkit(smiles) > 0.75
    rows = ct.ops.ecfp(smiles)
    assert (rows == rows[0]).all(), "all of them are the same molecule"


TOKEN = re.compile(r"\[[^\]]*\]|Cl|Br|%\d\d|.")
PIECES = [
    "C", "c", "N", "n", "O", "o", "S", "s", "P", "p", "B", "b", "F", "Cl", "(", ")", "=", "#", "-", ":", "/", "1", "2", "3", ".", "[nH]", "[O-]", "[n+]", "[C@H]", "[N+]", "[se]", "[H]",
    "[2H]", "[c-]", "[o+]", "[N-]", "[Si]", "[B-]", "[CH2]", "[C]", "[nH+]", "[C+]", "[CH-]", "[As]", "[Fe]", "*", "(=O)", "N(=O)=O", "=N#N", "c1ccccc1",
]  # fmt: skip


@st.composite
def mutated(draw):
    tokens = TOKEN.findall(draw(st.sampled_from(AWKWARD + MOLECULES)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(tokens)))
        end = at + draw(st.integers(0, 1))
        tokens[at:end] = draw(st.sampled_from([[], *([piece] for piece in PIECES)]))
    return "".join(tokens)


@settings(max_examples=150, deadline=None)
@given(st.lists(mutated(), min_size=8, max_size=8), st.integers(0, 4))
def test_mutated_smiles(smiles, radius):
    assert_equal_to_rdkit(smiles, {"radius": radius}, {"radius": radius})
    invariants = generators.GetMorganFeatureAtomInvGen()
    theirs = {"radius": radius, "atomInvariantsGenerator": invariants}
    assert_equal_to_rdkit(smiles, {"radius": radius, "features": True}, theirs, counts=True)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(alphabet="CcNnOoSs()[]=#-:12345%.+@H*/\\", max_size=12), min_size=8, max_size=8))
def test_any_text(smiles):
    assert_equal_to_rdkit(smiles)


def test_what_is_native_and_what_is_not():
    native = [
        "c1ccccc1",
        "C1=CC=CC=C1",
        "[Na+].[Cl-]",
        "CN(=O)=O",
        "[H]c1ccccc1",
        "C[C@H](F)Cl",
        "F/C=C/F",
        "[2H]C",
        "[Na]Cl",
        "C12C3C4C1C5C2C3C45",
    ]
    left = [
        "*C",
        "[H][H]",
        "C->[Fe]",
        "C$C",
        "[60C]",
        "C(C)1CC1",
        "C1.C1",
        "C1=CC=COC=CC=C1",
    ]
    _, report = ct.ops.ecfp(native, return_report=True)
    assert report.counts == {"native": len(native), "rdkit": 0, "refused": 0}
    _, report = ct.ops.ecfp(left, errors="mask", return_report=True)
    assert report.counts["native"] == 0
    assert "native" in str(report.to_dict()) and type(report).from_dict(report.to_dict()).counts == report.counts


def test_stereo_marks_go_to_rdkit_only_where_they_are_asked_for():
    smiles = ["C[C@H](F)Cl", "F/C=C/F", "CCO"]
    assert ct.ops.ecfp(smiles, return_report=True)[1].counts["native"] == 3
    assert ct.ops.ecfp(smiles, chirality=True, return_report=True)[1].counts["native"] == 1


@pytest.mark.on_the_cpu
def test_threads_levels_and_company_never_change_a_bit(backend, threads):
    smiles = (AWKWARD + MOLECULES) * 9
    alone = [ct.ops.ecfp([text], num_threads=1, errors="mask") for text in AWKWARD + MOLECULES]
    assert np.array_equal(ct.ops.ecfp(smiles, errors="mask"), np.concatenate(alone * 9))
    assert np.array_equal(ct.ops.ecfp(smiles, errors="mask", num_threads=7), np.concatenate(alone * 9))


@pytest.mark.parametrize("text", ["C" * 60, "C" * 64, "C" * 65, "C" * 200, "C" * 254, "C" * 255, "C" * 256, "CC(C)" * 50, "C1CC1" * 12, "C1CC1" * 13, "c1ccccc1-" * 9 + "C", "c1ccccc1-" * 30 + "C", "C(" * 90 + "C" + ")" * 90, "C1CC1" * 70, "C1CC1" * 61 + "C1C2CC12" * 4])  # fmt: skip
def test_sizes_on_either_side_of_a_word(text):
    for radius in (2, 4):
        assert_equal_to_rdkit([text], {"radius": radius}, {"radius": radius})


RESIDUES = [
    "NCC(=O)", "N[C@@H](C)C(=O)", "N[C@@H](Cc1ccccc1)C(=O)", "N[C@@H](Cc1c[nH]c2ccccc12)C(=O)", "N1CCC[C@H]1C(=O)", "NC(CCCC[NH3+])C(=O)", "NC(CC([O-])=O)C(=O)", "N[C@@H](CC2=CC=CC=C2)C(=O)", "NC(CN=[N+]=[N-])C(=O)",
    "NC(Cc1ccc(N(=O)=O)cc1)C(=O)", "NC(C[13CH3])C(=O)",
]  # fmt: skip
UNITS = [
    "C", "OCC", "c1ccc(cc1)", "c1ccc(s1)", "c1cc(-c2ccccc2)ccc1", "C1CCC(CC1)", "C=C", "/C=C/", "OP(=O)([O-])", "C2CC3(CC2)OCCO3", "C1=CC=C(O1)", "c1nc2c(nc1)ccc1c2cccc1", "C1C2CC3CC1CC(C2)C3", "[Si](C)(C)O",
    "c1ccc2c(c1)Cc1ccccc1-2",
]  # fmt: skip


def dendrimer(unit, end, generations):
    return end if generations == 0 else unit.replace("X", dendrimer(unit, end, generations - 1))


@st.composite
def large(draw):
    """SMILES of some hundred atoms and more."""
    kind = draw(st.sampled_from(["peptide", "loops", "polymer", "branches", "dendrimer", "ladder"]))
    rng = random.Random(draw(st.integers(0, 2**32)))
    n = rng.randrange(30, 250)
    if kind == "peptide":
        return "".join(rng.choice(RESIDUES) for _ in range(n)) + "O"
    if kind == "loops":  # disulphide bridges
        parts = [rng.choice(RESIDUES) for _ in range(n)]
        for number in range(20, 20 + rng.randrange(1, 8)):
            for at in rng.sample(range(n), 2):
                parts[at] += f"N[C@@H](CS%{number})C(=O)"
        return "".join(parts) + "O"
    if kind == "polymer":
        units = [rng.choice(UNITS) for _ in range(2)]
        return "C" + "".join(rng.choice(units) for _ in range(n)) + "C"
    if kind == "branches":
        return "C" + "".join(rng.choice([*UNITS, "C(C", "C)C"]) for _ in range(n)) + rng.choice(["C", ".[Na+]", ".OCC"])
    if kind == "dendrimer":
        unit = rng.choice(["c1cc(X)cc(X)c1", "N(CCX)CCX", "C1CC(X)CC(X)C1", "P(=O)(X)OX"])
        return "C" + dendrimer(unit, rng.choice(["C", "c1ccccc1", "C(=O)O"]), rng.randrange(5, 8))
    closures, text = [], ""
    for i in range(2 * n):  # rings across rings
        text += rng.choice(["C", "C", "C", "CC", "C(=O)C", "C(O)"]) + "C"
        if i % 3 == 0:
            numbers = [k for k in range(10, 40) if k not in closures]
            number = rng.choice(closures if closures and (not numbers or rng.random() < 0.5) else numbers)
            text += f"%{number}"
            closures.remove(number) if number in closures else closures.append(number)
    return text + "CC" + "".join(f"C%{k}" for k in closures)


@settings(max_examples=40, deadline=None)
@given(large(), st.integers(0, 4), st.booleans(), st.booleans(), st.integers(0, 2**32))
def test_large_molecules(text, radius, use_bond_types, features, seed):
    smiles, rng = [text], random.Random(seed)
    molecule = Chem.MolFromSmiles(text)
    if molecule is not None and rng.random() < 0.3:
        smiles += [rng.choice(rewritten(text, rng))]
    ours = {"radius": radius, "use_bond_types": use_bond_types, "features": features}
    invariants = generators.GetMorganFeatureAtomInvGen() if features else None
    theirs = {"radius": radius, "useBondTypes": use_bond_types, "atomInvariantsGenerator": invariants}
    _, report = ct.ops.ecfp(smiles, errors="mask", return_report=True, **ours)
    unread = {f.text for f in report.failures if f.reason.startswith("only RDKit could")}  # too long for RDKit
    assert_equal_to_rdkit([text for text in smiles if text not in unread], ours, theirs)


@pytest.mark.on_the_cpu
def test_what_is_native_of_large_molecules(backend):
    protein = "NCC(=O)N[C@@H](CS%20)C(=O)" + "".join(RESIDUES) * 9 + "N[C@@H](CS%20)C(=O)" + "".join(RESIDUES) * 9 + "O"
    smiles = [protein, "C" + "OCC" * 300, "c1ccc(cc1)" * 40 + "C", "C1CC1" * 100, "C(" * 900 + "C" + ")" * 900, "C.[Na+]." * 200 + "C", "C" + dendrimer("N(CCX)CCX", "C(=O)O", 7)]  # fmt: skip
    for radius in (2, 9):
        assert assert_equal_to_rdkit(smiles, {"radius": radius}, {"radius": radius}) == 1
    macrocycle = "C1=CC=C(O1)" * 2 + "C%20" + "c1ccc(cc1)" * 60 + "C%20"  # benzene in a ring of 240: RDKit's
    assert assert_equal_to_rdkit([macrocycle]) == 0


def test_a_long_chain_takes_any_radius():
    chain, report = ct.ops.ecfp(["C" * 10_000], return_report=True)
    assert report.counts["native"] == 1
    assert np.array_equal(chain, ct.ops.ecfp(["C" * 200]))
    chain, report = ct.ops.ecfp(["C" * 300], radius=2**31 - 1, output="counts", return_report=True)
    assert report.counts["native"] == 1
    assert np.array_equal(chain, rdkit_rows(["C" * 300], radius=310, counts=True)[0])


def test_unusual_bytes_keep_their_reasons():
    for text, reason in [("C\ud800", "does not belong"), ("C\xe9", "U+00E9"), ("CC\tname", "something follows")]:
        with pytest.raises(ValueError, match=re.escape(reason)):
            ct.ops.ecfp(["C", text])


def test_csr_and_dense_after_dropping():
    smiles = ["CCO", "C1CC", "c1ccccc1", "*C", "CCN"]
    packed, kept = ct.ops.ecfp(smiles, errors="drop", size=512)
    (indptr, indices, shape), kept_csr = ct.ops.ecfp(smiles, errors="drop", size=512, output="csr")
    dense, kept_dense = ct.ops.ecfp(smiles, errors="drop", size=512, output="dense")
    assert kept.tolist() == kept_csr.tolist() == kept_dense.tolist() == [0, 2, 3, 4]
    bits = np.unpackbits(packed, axis=1, bitorder="little")
    assert np.array_equal(dense, bits) and shape == (4, 512) and indptr.dtype == np.int64 and indices.dtype == np.int32
    assert indices.tolist() == np.nonzero(bits)[1].tolist() and indptr[-1] == bits.sum()


def test_no_rdkit_is_imported_for_what_is_native():
    import subprocess
    import sys

    code = "import sys, catalase as ct; ct.ops.ecfp(['CCO', 'c1ccccc1C(=O)O']); sys.exit('rdkit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_data_set(data_dir):
    import csv
    import gzip

    with gzip.open(data_dir / "tox21.csv.gz", "rt") as file:
        smiles = [row["smiles"] for row in csv.DictReader(file)][:2000]
    assert assert_equal_to_rdkit(smiles) > 0.97
