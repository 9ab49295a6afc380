"""Tests that MACCS keys, atom pairs, torsions and path fingerprints are RDKit's, or are left to RDKit, and are counted."""

from __future__ import annotations

import csv
import gzip
import itertools
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem, DataStructs, rdBase
from rdkit.Chem import MACCSkeys, rdMolDescriptors
from rdkit.Chem import rdFingerprintGenerator as generators

import catalase as ct
from catalase import ops
from catalase.chem.queries import alternatives, maccs_patterns
from tests.ops.test_ecfp_native import AWKWARD, MOLECULES, REFUSED
from tests.ops.test_substructure import RINGS, respelled

PATHS = {
    "atom_pairs": generators.GetAtomPairGenerator,
    "topological_torsions": generators.GetTopologicalTorsionGenerator,
    "rdkit_fingerprint": generators.GetRDKitFPGenerator,
}
ALL = ["maccs", *PATHS]
CAGES = ["C1CC1", "CC1CO1", "N1C(C)C1O", "C12C3C1C23", "C1CC12CC2", "O1C2CC12", "C12C3C4C1C5C2C3C45", "c1ccc2c(c1)c1ccccc1c1ccccc21", "C1#CC=CC=C1", "c1ccc2cc3ccccc3cc2c1", "c1cc2ccc3ccc4ccc5ccc6ccc1c7c2c3c4c5c67", "C1CCCCCCCCCCCCCC1", "C1CCCCCCCCCCCCC1"]  # fmt: skip
# Multiple bonds at atoms of every kind, which decide pi electrons; metals; hydrogens that are atoms.
ODD = ["CS(=O)(=O)N", "CS(=O)c1ccccc1", "CS(C)(=O)=N", "O=S=O", "O=S(=O)=O", "CP(=O)(O)O", "C[P+](C)(C)C", "CP=C", "C[As](=O)(O)O", "C=[Si](C)C", "[O-][Cl+3]([O-])([O-])O", "O=[Se]=O", "C[Se](=O)C", "[C-]#[O+]", "[N-]=[N+]=NC", "C[N+](=O)[O-]",
       "CC=[O+]C", "[CH2-]C=O", "[2H]C([2H])([2H])CO", "[2H]c1ccccc1", "[Na+].[Cl-].CCO", "Cl[Pt](Cl)(N)N", "[Fe+2]", "FS(F)(F)(F)(F)F", "C=[N]", "[CH2]C=C", "B(O)(O)c1ccccc1", "C#[N+]C", "CN=C=S", "OS(=O)(=O)O", "II", "CI(=O)=O"]  # fmt: skip


def molecules_of(smiles):
    """The texts that RDKit reads, and its molecules."""
    with rdBase.BlockLogs():
        read = [(text, Chem.MolFromSmiles(text)) for text in smiles]
    kept = [(text, molecule) for text, molecule in read if molecule is not None]
    return [text for text, _ in kept], [molecule for _, molecule in kept]


def packed(vector):
    return np.packbits(np.array(list(vector), np.uint8), bitorder="little")


def rdkit_rows(function, molecules, size=2048, counts=False):
    if function == "maccs":
        return np.stack([packed(MACCSkeys.GenMACCSKeys(molecule)) for molecule in molecules])
    generator = PATHS[function](fpSize=size)
    if counts:
        return np.stack([generator.GetCountFingerprintAsNumPy(molecule) for molecule in molecules])
    texts = [DataStructs.BitVectToBinaryText(generator.GetFingerprint(molecule)) for molecule in molecules]
    return np.stack([np.frombuffer(text, np.uint8) for text in texts])


def assert_equal_to_rdkit(function, smiles, size=2048):
    """Bits and counts are RDKit's. Returns the report."""
    texts, molecules = molecules_of(smiles)
    settings = {} if function == "maccs" else {"size": size}
    rows, report = getattr(ops, function)(texts, return_report=True, **settings)
    expected = rdkit_rows(function, molecules, size)
    wrong = [texts[i] for i in np.flatnonzero((rows != expected).any(1))]
    assert not wrong, (len(wrong), wrong[:5])
    if function != "maccs":
        rows = getattr(ops, function)(texts, output="counts", **settings)
        wrong = [texts[i] for i in np.flatnonzero((rows != rdkit_rows(function, molecules, size, True)).any(1))]
        assert not wrong, (len(wrong), wrong[:5])
    return report


@pytest.mark.parametrize("function", ALL)
def test_awkward_molecules(function):
    report = assert_equal_to_rdkit(function, [*AWKWARD, *MOLECULES, *RINGS, *CAGES, *ODD])
    assert report.counts["native"] > 2 * report.counts["rdkit"] > 0 == report.counts["refused"]


@pytest.mark.parametrize("function", ALL)
def test_random_spellings(function):
    rng = random.Random(7)
    molecules, _ = molecules_of([*MOLECULES, *RINGS, *CAGES, *ODD[:3]])
    report = assert_equal_to_rdkit(function, [respelled(text, rng) for text in rng.choices(molecules, k=200)])
    assert report.counts["native"] > 150


@pytest.mark.parametrize("function", PATHS)
@pytest.mark.parametrize("size", [8, 1000, 4096])
def test_other_sizes(function, size):
    assert_equal_to_rdkit(function, MOLECULES, size)


@pytest.mark.parametrize("function", ALL)
@pytest.mark.parametrize("length", [64, 80, 255, 256, 400])
def test_molecules_of_any_size(function, length):
    smiles = ["C" * length, "CC(N)" * (length // 3) + "O", "c1ccccc1C" * (length // 10) + "O", "C1CC1" * (length // 5)]
    assert_equal_to_rdkit(function, smiles)


@pytest.mark.parametrize("function", ALL)
def test_outputs_agree(function):
    call = getattr(ops, function)
    rows, dense, (indptr, indices, shape) = (call(MOLECULES, output=output) for output in ("packed", "dense", "csr"))
    width = 167 if function == "maccs" else 2048
    assert dense.shape == shape == (len(MOLECULES), width)
    assert rows.dtype == np.uint8 and dense.dtype == np.float32 and rows.shape[1] == -(-width // 8)
    assert np.array_equal(np.unpackbits(rows, axis=1, bitorder="little", count=width), dense)
    assert [indices[a:b].tolist() for a, b in itertools.pairwise(indptr)] == [np.flatnonzero(row).tolist() for row in dense]  # fmt: skip
    if function != "maccs":
        assert call(MOLECULES, output="counts").dtype == np.uint32


@pytest.mark.parametrize("function", ALL)
def test_failures_are_raised_masked_or_dropped(function):
    call, smiles = getattr(ops, function), ["CCO", "C(", "OCCN", 5]
    with pytest.raises(ValueError, match=rf"^{function}: molecule 1 of 4 \('C\('\) cannot be read: not a valid SMILES"):
        call(smiles)
    with pytest.raises(TypeError, match=rf"^{function}: molecule 0 of 1 .*needs text"):
        call([5])
    good = call(["CCO", "OCCN"])
    rows, report = call(smiles, errors="mask", return_report=True)
    assert np.array_equal(rows[[0, 2]], good) and not rows[[1, 3]].any()
    assert [failure.position for failure in report.failures] == [1, 3]
    assert report.counts == {"native": 2, "rdkit": 0, "refused": 2} and report.kept == 4
    rows, kept, report = call(smiles, errors="drop", return_report=True)
    assert np.array_equal(rows, good) and kept.tolist() == [0, 2] and report.kept == 2
    assert call([]).shape == (0, good.shape[1]) and not call([""]).any()


@pytest.mark.parametrize("function", ALL)
def test_what_rdkit_refuses_is_refused(function):
    _, report = getattr(ops, function)(REFUSED, errors="mask", return_report=True)
    assert len(report.failures) == len(REFUSED) - len(molecules_of(REFUSED)[0]) > 30


@pytest.mark.parametrize("function", ALL)
def test_a_refused_metal_has_rdkits_reason(function):
    with pytest.raises(ValueError, match="Explicit valence for atom # 1 Al"):
        getattr(ops, function)(["O[AlH3](O)O"])


@pytest.mark.parametrize("function", ALL)
def test_molecules_that_rdkit_has_read_are_taken_as_they_are(function):
    texts, molecules = molecules_of([*MOLECULES, *CAGES])
    edited = Chem.RWMol(Chem.MolFromSmiles("C1CCCCC1CCO"))
    edited.RemoveBond(0, 1)
    edited.AddBond(0, 7, Chem.BondType.SINGLE)
    Chem.SanitizeMol(edited)
    kekule = Chem.MolFromSmiles("c1ccc2ccccc2c1")
    Chem.Kekulize(kekule, clearAromaticFlags=True)
    molecules += [edited, kekule, Chem.AddHs(molecules[0])]
    rows = getattr(ops, function)(molecules)
    assert np.array_equal(rows, rdkit_rows(function, molecules))
    assert np.array_equal(rows[: len(texts)], getattr(ops, function)(texts))


@pytest.mark.parametrize("function", ALL)
def test_threads_do_not_change_a_bit(function):
    smiles = [*MOLECULES, *CAGES] * 9
    rows = [getattr(ops, function)(smiles, num_threads=threads) for threads in (1, 2, 3, 7)]
    assert all(np.array_equal(rows[0], other) for other in rows[1:])


def test_rings_of_any_atoms_are_counted_as_rdkit_counts_them():
    patterns = [f"*1{'~*' * (n - 1)}~1" for n in range(3, 15)] + ["[R]1@[R]@[R]@[R]1", "*@1@*@*@1", "[R]1~*~[R]~*~1"]
    texts, molecules = molecules_of([*AWKWARD, *MOLECULES, *RINGS, *CAGES])
    counts = ops.substructure(texts, patterns, what="count")
    queries = [Chem.MolFromSmarts(pattern) for pattern in patterns]
    for row, text, molecule in zip(counts, texts, molecules, strict=True):
        assert row.tolist() == [len(molecule.GetSubstructMatches(query)) for query in queries], text
    assert np.array_equal(ops.substructure(texts, patterns), counts > 0)


def test_every_maccs_key_is_set_and_unset_by_some_molecule():
    """Of the keys that can be set: 1 never is, and 2 and 4 stand for elements that no molecule here has."""
    smiles = [*AWKWARD, *MOLECULES, *RINGS, *CAGES, *ODD, "[Y].[La].[Tc].[Ag].[Ga].[GeH4]", "NC(=N)N", "OC(=O)O", "ON(C)C", "SSC", "NC(O)O", "CSN", "OCCCCO", "NCCCN", "CC(=O)CCCCC=O", "C1CCC1", "C1CCCCCC1", "O1CC1", "O1CCC1", "[K]", "CBr", "CI",
              "CN(O)O", "CC(N)=NC", "S=C=S", "OSO", "C=C(O)N", "FC1CC1", "C=C(C)C", "NS", "CC(=C)C", "C1CCC2=C(C1)CCC2", "ClC1CC(C)C1", "CP(C)C", "C1CCCCCCC1", "NN", "OO", "CC(C)(C)CO", "NCNC", "SCN", "CON=O", "CCNCCO", "CN(C)N", "C=CN", "OC(N)N", "CC#C", "C#N", "[SiH4]", "C1=CC=CC=C1Sc1ccccc1"]  # fmt: skip
    texts, _ = molecules_of(smiles)
    dense = ops.maccs(texts, output="dense")
    assert set(np.flatnonzero(~dense.any(0)).tolist()) <= {0, 1, 2, 4, 16, 22, 30, 59, 81, 64}
    assert not dense.all(0).any()
    assert_equal_to_rdkit("maccs", smiles)


def test_the_patterns_of_the_keys_are_those_of_rdkits_module():
    assert maccs_patterns() == MACCSkeys.smartsPatts


def test_alternatives_of_recursive_queries():
    assert alternatives("[$(CC),$(C(N)=O)]") == ["CC", "C(N)=O"]
    assert alternatives("[$([C,N]~[$(CO),$(CN)])]") == ["[C,N]~[$(CO),$(CN)]"]
    for other in ("CC", "[$(CC)$(CN)]", "[$(CC),N]", "[!$(CC)]", "[$(CC),$(CN)]C", "[C,N]", ""):
        assert alternatives(other) == [other]


def test_a_molecule_of_too_many_paths_is_refused_in_a_sentence():
    cage = Chem.RWMol()
    for _ in range(16):
        cage.AddAtom(Chem.Atom("W"))
    for a in range(16):
        for step in (1, 2, 3, 4):
            cage.AddBond(a, (a + step) % 16, Chem.BondType.SINGLE)
    rows, report = ops.rdkit_fingerprint([Chem.MolToSmiles(cage), "CC"], errors="mask", return_report=True)
    assert report.failures[0].reason == "it has more than 4,000,000 paths of up to 7 bonds, with branches"
    assert not rows[0].any() and rows[1].any()


@pytest.mark.parametrize("function", ALL)
def test_rdkit_is_not_imported_for_what_is_read_natively(function):
    program = f"""
import sys, catalase as ct
ct.ops.{function}(["CCO", "c1ccccc1O"])
print("rdkit.Chem" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def test_an_index_of_keys_finds_what_the_matrix_finds():
    keys = ops.maccs(MOLECULES)
    index = ct.FingerprintIndex(keys)
    places, similarities = index.topk(keys[:4], 3)
    expected = ops.tanimoto_topk(keys[:4], keys, 3)
    assert np.array_equal(places, expected[0]) and np.array_equal(similarities, expected[1])


def test_atom_codes_are_rdkits():
    """The oracle of atom pairs: RDKit's code of each atom, and its distances, hashed here in Python's numbers."""

    def mix(seed, value):
        return seed ^ (value + 0x9E3779B9 + (seed << 6) + (seed >> 2) & 0xFFFFFFFF)

    texts, molecules = molecules_of(MOLECULES)
    rows = ops.atom_pairs(texts, output="counts")
    for row, molecule in zip(rows, molecules, strict=True):
        codes = [rdMolDescriptors.GetAtomPairAtomCode(atom) for atom in molecule.GetAtoms()]
        distances = Chem.GetDistanceMatrix(molecule)
        expected = np.zeros(2048, np.uint32)
        for a in range(len(codes)):
            for b in range(a):
                if distances[a, b] <= 30:
                    low, high = sorted((codes[a], codes[b]))
                    expected[mix(mix(mix(0, low) & 0xFFFFFFFF, int(distances[a, b])) & 0xFFFFFFFF, high) % 2048] += 1
        assert np.array_equal(row, expected)


DATA = ["BBBP.csv", "Lipophilicity.csv", "SAMPL.csv", "bace.csv.gz", "clintox.csv.gz", "delaney-processed.csv", "sider.csv.gz", "tox21.csv.gz", "zinc250k.smi.gz"]  # fmt: skip


@pytest.mark.skipif("CATALASE_DATA_DIR" not in os.environ, reason="needs the data sets")
@pytest.mark.parametrize("function", ALL)
@pytest.mark.parametrize("name", DATA)
def test_data_sets(function, name):
    """Some molecules of each; the README of cpp/fingerprint says what was compared in all."""
    path = Path(os.environ["CATALASE_DATA_DIR"]) / name
    with (gzip.open if name.endswith(".gz") else open)(path, "rt") as file:
        if name.endswith(".smi.gz"):
            smiles = [line.split()[0] for line in file]
        else:
            rows = list(csv.DictReader(file))
            column = next(key for key in rows[0] if key.lower() in ("smiles", "mol"))
            smiles = [row[column] for row in rows]
    smiles = random.Random(3).sample(smiles, min(len(smiles), 150))
    report = assert_equal_to_rdkit(function, smiles)
    assert report.counts["rdkit"] <= 0.06 * len(smiles)
