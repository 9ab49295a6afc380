"""Tests that metals, high charges and refused valences give RDKit's bits and messages, without RDKit where that is proven."""

from __future__ import annotations

import random
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem, rdBase
from rdkit.Chem import rdFingerprintGenerator as generators

import catalase as ct
from catalase import _core
from catalase.chem.reading import partial_molecule, refusal_reason
from tests.ops.test_ecfp_native import assert_equal_to_rdkit, rdkit_rows

pytestmark = pytest.mark.on_the_cpu

# Read natively: one of each kind.
COMPLEXES = [
    "[Cu]I", "C[Hg]Cl", "O=[Cr](=O)([O-])O[Cr](=O)(=O)[O-]", "CCCC[Sn](CCCC)(OC(C)=O)OC(C)=O", "[O-][Cl+3]([O-])([O-])[O-]", "Cl[Pd]Cl", "[TlH2+]", "[SbH6+3]", "[PbH2+2]", "[Na]I", "[As]#[In]", "O=[Cd]",
    "Cl[V](Cl)(C1C=CC=C1)C1C=CC=C1", "C1=CCC([Ti+2]C2=CC=CC2)=C1", "Cc1ccc([N+](=O)[O-])c2c1O[Hg]2", "[O-][n+]1ccccc1S[Zn]Sc1cccc[n+]1[O-]", "CCP(CC)(CC)=[Au]SC", "N#C[Fe-2](C#N)(C#N)(C#N)(C#N)N=O",
    "O=C1O[Pt]2(N[C@@H]3CCCC[C@H]3N2)OC1=O", "N[Pt](N)(Cl)Cl", "F[P-](F)(F)(F)(F)F", "[B-2]C", "C[N+2](C)C", "[Fe+6]", "C[Po](=O)O", "C1=CC=[Sn]C=C1", "c1ccc2c(c1)O[Ge]O2", "[Si-2](F)(F)(F)(F)(F)F", "[Fe][H]", "[H][AlH3-]",
    "O=N(=O)[Hg]C", "c1cccn1[Zn]", "CN1C=CC(=N1)[Li]", "C[Sn@](F)(Cl)Br", "C/C=C/[Sn](C)(C)C", "[Fe]1234C5C1C2C3C45", "[Cr+5](=O)(Cl)Cl", "Cl[Al](Cl)Cl.[Cl-]", "C[Al-](C)(C)C", "F[Xe]F", "[2H][Sn](C)C",
]  # fmt: skip

# Left to RDKit: bonds that it makes dative, charges that it shifts, rings and elements that are not proven.
LEFT = [
    "CN(C)(C)[Fe]", "CO(C)[Fe]", "C#[O][Fe]", "[NH3][Pt](Cl)Cl", "C[O-][Fe]", "[S-](C)[Zn]", "[Cl-][Fe]", "Cl([Fe])[Fe]", "c1ccccn1[Pt]", "C[N+](C)(C)(C)[Fe]", "[Na@H]C", "[Fe@H]",
    "[Be-]1=CC(=O)C1=O", "C1=CC=C[Mg-]=C1", "C1=CC1=[Fe]", "[60Co]C", "[Al]1C=CC=C1", "[C-2](C)(C)=O", "C[S-2]C", "[Fe]->N", "OI(=O)=O",
]  # fmt: skip

REFUSED = [
    "CC(=O)O[AlH3](O)O", "O[AlH3](O)[AlH3](O)O.O[AlH3](O)O", "NC(=O)NC1N=C(O[AlH3](O)O)NC1=O", "CCOC(=O)/C=C(/C)O[AlH3](OC(C)CC)OC(C)CC", "C[Sn](C)(C)(C)C", "C[Ga](C)(C)c1ccccc1", "C1=CC=C[SnH4]=C1",
    "Cl[Pb](Cl)(Cl)(Cl)Cl", "[InH4]", "[Al+3]C", "C[C@H](N)C(=O)O[AlH3]C", "C[Cs]C", "CN(=O)=O.[GeH5]",
]  # fmt: skip


@pytest.mark.parametrize("radius", [0, 1, 2, 4, 7])
def test_complexes(backend, radius):
    settings = {"radius": radius}
    assert assert_equal_to_rdkit(COMPLEXES, settings, settings) == 1
    assert assert_equal_to_rdkit(LEFT, settings, settings) == 0


def test_options():
    invariants = {"atomInvariantsGenerator": generators.GetMorganFeatureAtomInvGen()}
    for ours, theirs in [({"features": True}, invariants), ({"use_bond_types": False}, {"useBondTypes": False})]:
        assert assert_equal_to_rdkit(COMPLEXES, ours, theirs, counts=True) == 1
    assert_equal_to_rdkit(COMPLEXES, {"chirality": True}, {"includeChirality": True})


def test_the_limit_of_every_element_and_charge_is_that_of_rdkit():
    table = Chem.GetPeriodicTable()
    smiles = []
    for element in range(2, 119):
        for charge in range(-4, 7):
            for bonds in (1, 2, 3, 4, 5, 6, 7, 9):
                smiles.append(f"[{table.GetElementSymbol(element)}H{bonds - 1}{charge:+}]F".replace("H0", ""))
    for part in range(0, len(smiles), 2000):
        _, report = ct.ops.ecfp(smiles[part : part + 2000], errors="mask", return_report=True, size=8)
        refused = {failure.text for failure in report.failures}
        with rdBase.BlockLogs():
            theirs = {text for text in smiles[part : part + 2000] if Chem.MolFromSmiles(text) is None}
        assert refused == theirs
        assert report.counts["native"] + report.counts["refused"] > 0.9 * len(smiles[part : part + 2000])


def partial_counts(smiles, **options):
    generator = generators.GetMorganGenerator(fpSize=2048, **options)
    return np.array([generator.GetCountFingerprintAsNumPy(partial_molecule(text)) for text in smiles], np.uint32)


@pytest.mark.parametrize("radius", [0, 2, 3])
def test_refused_valences_are_featurized_from_a_partial_sanitization(backend, radius):
    rows, status = np.empty((len(REFUSED), 2048), np.uint32), np.empty(len(REFUSED), np.uint8)
    settings = radius, 2048, True, False, False, rows, status, 1
    _core.ecfp(REFUSED, *settings, partial=True)
    assert (status == 9).all()
    assert np.array_equal(rows, partial_counts(REFUSED, radius=radius))
    _core.ecfp(REFUSED, *settings)
    assert (status == 9).all() and not rows.any()


def test_refused_valences_have_the_words_of_rdkit():
    for outputs in ("packed", "dense", "counts"):
        rows, report = ct.ops.ecfp(["C", *REFUSED, "C1CC"], output=outputs, errors="mask", return_report=True)
        assert rows[0].any() and not rows[1:].any()
        assert [failure.position for failure in report.failures] == list(range(1, len(REFUSED) + 2))
        assert [failure.reason for failure in report.failures[:-1]] == [refusal_reason(text) for text in REFUSED]
    with pytest.raises(
        ValueError, match=re.escape("'CC(=O)O[AlH3](O)O') cannot be read: Explicit valence for atom # 4 Al, 6")
    ):
        ct.ops.ecfp(["C", "CC(=O)O[AlH3](O)O", "C1CC"])
    assert _core.valence_problems("CCO") is None and _core.valence_problems("C1CC") is None


def test_refused_valences_with_written_hydrogens_are_left_to_rdkit():
    smiles = ["[H]O[AlH3](O)O", "[H][Sn](C)(C)(C)C", "O[AlH3](O)[H]"]
    status = np.empty(len(smiles), np.uint8)
    _core.ecfp(smiles, 2, 64, True, False, False, np.empty((len(smiles), 8), np.uint8), status, 1, partial=True)
    assert not np.isin(status, [0, 9]).any()
    assert_equal_to_rdkit(smiles)


def test_a_table_with_metals_is_loaded_without_rdkit():
    code = f"""
import sys, catalase as ct
featurizer = ct.feat.CircularFingerprint(size=1024, partial=True)
X = featurizer.featurize({["CCO", *COMPLEXES, *REFUSED]!r}, errors="mask")
assert X.any(1).all() and len(featurizer.report.failures) == {len(REFUSED)} and "rdkit" not in sys.modules
ct.ops.ecfp({REFUSED!r}, errors="drop")
sys.exit("rdkit" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_tox21_is_read_without_rdkit(data_dir):
    import csv
    import gzip

    with gzip.open(data_dir / "tox21.csv.gz", "rt") as file:
        smiles = [row["smiles"] for row in csv.DictReader(file)]
    _, report = ct.ops.ecfp(smiles, errors="mask", return_report=True)
    assert report.counts == {"native": 7823, "rdkit": 0, "refused": 8}
    status = np.empty(len(smiles), np.uint8)
    _core.ecfp(smiles, 2, 64, True, False, False, np.empty((len(smiles), 8), np.uint8), status, 1)
    assert set(status.tolist()) == {0, 9}


def test_ring_systems_of_more_than_ten_rings():
    smiles = [
        "C=CC[N+]12CCC34c5ccccc5N5C=C6C7CC8C9(CC[N+]8(CC=C)CC7=CCO)c7ccccc7N(C=C(C(CC31)C(=CCO)C2)C54)C69",  # alcuronium
        "C1CC2CCC3CCC4CCC5CCC6CCC7CCC8CCC9CCC%10CCC%11CCC%12CCCCC%12C%11C%10C9C8C7C6C5C4C3C2C1",
        "CNC(=O)C1Oc2c3cc4cc2Oc2ccc(cc2Cl)C(OC)C2NC(=O)C(NC(=O)C4NC(=O)C4NC(=O)C(Cc5ccc(c(Cl)c5)O3)NC(=O)C(N)c3ccc(O)c(c3)Oc3cc(O)cc4c3)c3ccc(O)c(c3)-c3c(OC)cc(O)cc3C(C(=O)O)NC21",  # after teicoplanin
    ]
    for radius in (1, 2, 4):
        assert assert_equal_to_rdkit(smiles, {"radius": radius}, {"radius": radius}) == 1


SYMBOLS = [Chem.GetPeriodicTable().GetElementSymbol(z) for z in range(1, 119)]
COMMON = [
    "Fe",
    "Pt",
    "Sn",
    "Hg",
    "Al",
    "Cu",
    "Zn",
    "Ti",
    "Co",
    "Pd",
    "Au",
    "Na",
    "Mg",
    "Ge",
    "Sb",
    "Bi",
    "Pb",
    "Tl",
    "In",
    "Ga",
    "Li",
    "Ni",
    "Be",
    "Si",
    "As",
    "Se",
    "Te",
    "P",
    "S",
    "Cl",
    "I",
]
LIGANDS = [
    "C", "CC", "N", "NC", "N(C)C", "N(C)(C)C", "O", "OC(C)=O", "[O-]", "[OH2]", "[NH3]", "S", "SC", "S(C)C", "[S-]", "P(C)C", "P(C)(C)C", "[P+](C)(C)C", "[N+](C)(C)C", "F", "Cl", "Br", "I", "[Cl-]", "[H]", "[2H]",
    "c1ccccc1", "c1ccccn1", "n1cccc1", "n1ccccc1", "[n+]1ccccc1", "C1C=CC=C1", "C1=CC=CC1", "C#O", "[C-]#[O+]", "C#N", "N#CC", "N=O", "N(=O)=O", "[N+](=O)[O-]", "OCl(=O)(=O)=O", "OP(=O)(O)O", "Oc1cccc[n+]1[O-]",
    "[Te]C", "[As](C)C", "[Si](C)(C)C", "[BH3-]", "[CH2-]", "=O", "=S", "=N", "=C", "=C1C=CC=C1", "=P(C)(C)C", "=[O+]", "#N", "#C", "#[O+]", "[Hg]C", "[Fe]", "=[Pt]", "-[AlH3]",
]  # fmt: skip
RINGS = [
    "c1ccc2c(c1)O{}O2", "C1=CC=C{}C=C1", "C1=C{}C=C1", "C1=CC={}C=C1", "N1=CC=CC=C1{}", "c1cccc2c1c1{}cccc1n2", "c1ccc2n({})ccc2c1", "C1=CC(={})C=C1", "{}1=CSC=C1", "C1=CC2=C(C=C1)C={}C=C2", "C1=C{}1", "{}1N=CC=C1", "C12=CC=C(N1{}N3C(=CC=C3)C=2)",
]  # fmt: skip


def any_complex(rng):
    charge = rng.choice(["", "", "", "+", "+2", "-", "+3", "-2", "+4", "-4", "+6"])
    hydrogens = rng.choice(["", "", "", "", "H", "H2", "H3", "H6"])
    mark = rng.choice(["@", "@@"]) if rng.random() < 0.05 else ""
    metal = f"[{rng.choice(SYMBOLS if rng.random() < 0.5 else COMMON)}{mark}{hydrogens}{charge}]"
    ligands = [rng.choice(LIGANDS) for _ in range(rng.choice([0, 1, 2, 3, 4, 6]))]
    text = metal + "".join(f"({ligand})" for ligand in ligands)
    if rng.random() < 0.4:
        return rng.choice(RINGS).format(text if rng.random() < 0.5 else metal)
    return rng.choice(["", "C", "O=", "c1ccccc1-", "CN(C)", "CO", "N#", "CP(C)(C)="]) + text


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 4), st.booleans())
def test_any_complex(seed, radius, features):
    rng = random.Random(seed)
    smiles = [any_complex(rng) for _ in range(16)]
    invariants = generators.GetMorganFeatureAtomInvGen() if features else None
    theirs = {"radius": radius, "atomInvariantsGenerator": invariants}
    assert_equal_to_rdkit(smiles, {"radius": radius, "features": features}, theirs, counts=True)
    rows, status = np.empty((len(smiles), 2048), np.uint32), np.empty(len(smiles), np.uint8)
    _core.ecfp(smiles, radius, 2048, True, False, features, rows, status, 1, partial=True)
    refused = [text for text, kind in zip(smiles, status, strict=True) if kind == 9]
    if refused:
        assert np.array_equal(rows[status == 9], partial_counts(refused, **theirs))
        _, report = ct.ops.ecfp(refused, errors="mask", return_report=True)
        assert [failure.reason for failure in report.failures] == [refusal_reason(text) for text in refused]
        assert not rdkit_rows(refused)[1].any()
