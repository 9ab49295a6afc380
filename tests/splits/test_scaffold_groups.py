"""Tests that the native groups of scaffolds are RDKit's: on data sets, random spellings and symmetric molecules."""

from __future__ import annotations

import csv
import gzip
import time

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem.Scaffolds.MurckoScaffold import MurckoScaffoldSmiles

import catalase as ct
from catalase import _core
from catalase.chem.murcko import scaffold_groups, scaffold_of
from tests.ops.test_substructure import BLOCK

SYMMETRIC = [
    "c1ccccc1-c1c(-c2ccccc2)c(-c2ccccc2)c(-c2ccccc2)c(-c2ccccc2)c1-c1ccccc1", "c1ccc(cc1)[Si](c1ccccc1)(c1ccccc1)c1ccccc1",
    "C12C3C4C1C5C2C3C45", "C1C2CC3CC1CC(C2)C3", "C12C3C4C5C1C6C7C2C8C3C9C4C1C5C6C2C7C8C9C12", "C1" + "C" * 38 + "C1",
    "C1CC1C(C1CC1)(C1CC1)C(C1CC1)(C1CC1)C(C1CC1)(C1CC1)C(C1CC1)(C1CC1)C1CC1", "C1COCCOCCOCCOCCOCCO1", "C1CC11CC1",
    "C1=CC2=CC3=CC=C(N3)C=C4C=CC(=N4)C=C5C=CC(=N5)C=C1N2", "c1ccccc1.c1ccccc1", "c1ccccc1CCc1ccccc1", "C1CCC2(CC1)CCCCC2",
]  # fmt: skip
# What a scaffold keeps, and the hydrogens that it gets: each line looks like another one, but is not the same.
ALIKE = [
    "Cn1cccc1", "c1cc[nH]c1", "C[n+]1ccccc1", "c1cc[nH+]cc1", "c1ccncc1", "C[N+]1(C)CCCC1", "C1CC[NH2+]C1", "C1CCNC1",
    "O=C1CCCCC1", "CC(=C1CCCCC1)C", "C=C1CCCCC1", "C[N+](C)=C1CCCCC1", "[NH2+]=C1CCCCC1", "C1CCCCC1", "C1=CCCCC1", "OC1CCCCC1",
    "O=S1(=O)CCCC1", "CS1(=O)=NCCC1", "C1CCSC1", "O=S1CCCC1", "C[S+]1CCCC1", "CP1CCCC1", "CP1(=O)CCCC1", "C1CC[PH](=O)C1",
    "[O-][N+](=O)C1CC1", "N#CC1CC1", "C[B-]1(C)CCCC1", "C[Si]1(C)CCCC1", "C1CC[SiH2]C1", "C1C[13CH2]1", "[2H]C1CC1", "C[C@H]1CCO1",
    "c1ccccc1C(=O)c1ccccc1", "c1ccccc1C(C)c1ccccc1", "c1ccccc1C(=C)c1ccccc1", "c1ccccc1S(=O)(=O)c1ccccc1", "c1ccccc1Sc1ccccc1",
    "c1ccccc1S(C)(=O)=Nc1ccccc1", "c1ccccc1[N+](C)(C)c1ccccc1", "c1ccccc1[NH2+]c1ccccc1", "c1ccccc1Nc1ccccc1", "c1ccccc1C#Cc1ccccc1",
    "*c1ccccc1", "Cc1ccccc1", "[CH2]C1CC1", "C1C[CH]1", "CC1[CH]C1", "[CH3:4]C1CC1", "C[Fe]1CC1", "C[Al]1CC1", "CC", "C", "[Na+].[Cl-]",
    "O=c1cc[nH]cc1", "Oc1ccncc1", "C[s+]1cccc1", "C[c-]1cccc1", "[cH-]1cccc1", "CN1C=CC=C1", "C1CC1CC(C)(C)CC1CC1", "C1CC1CCCC1CC1",
]  # fmt: skip


def rdkit_groups(smiles):
    groups = {}
    for row, text in enumerate(smiles):
        shared = scaffold_of("test", text, False)
        groups.setdefault((shared, row if shared is None else -1), []).append(row)
    return sorted(groups.values())


def keys_of(smiles, threads=1):
    status = np.ones(len(smiles), np.uint8)
    return _core.scaffold_keys(smiles, status, threads), status


def spellings(smiles, count):
    Chem.rdBase.SeedRandomNumberGenerator(7)
    for text in smiles:
        molecule = Chem.MolFromSmiles(text)
        yield [text, *(Chem.MolToSmiles(molecule, doRandom=True) for _ in range(count))]


def test_what_looks_alike_is_told_apart_as_by_rdkit():
    smiles = [*ALIKE, *SYMMETRIC, *BLOCK, "", " c1ccccc1C ", "C1CC", "CC\u041e", *ALIKE[::3]]
    assert sorted(scaffold_groups("test", smiles)) == rdkit_groups(smiles)
    keys, status = keys_of(ALIKE)
    assert 0.7 * len(ALIKE) < sum(key is not None for key in keys) and all(
        (status == 0) == [k is not None for k in keys]
    )


def test_aromatic_atoms_outside_rings_are_left_to_rdkit_wherever_they_are():
    keys, _ = keys_of(["C" * 70 + "c", "cC", "C" * 70])
    assert keys == [None, None, b""]


def test_a_molecule_that_is_left_to_rdkit_joins_its_native_group():
    smiles = ["*c1ccccc1", "Cc1ccccc1", "*C", "CC", "*C1CCCCC1", "*n1cccc1", "Cc1ccc[nH]1", "*C1CO1"]
    assert [key is None for key in keys_of(smiles)[0]] == [True, False, True, False, True, True, False, True]
    assert sorted(scaffold_groups("test", smiles)) == [[0, 1], [2, 3], [4], [5, 6], [7]] == rdkit_groups(smiles)


@pytest.mark.parametrize("what", ["symmetric", "block"])
def test_the_spelling_does_not_matter(what):
    texts = SYMMETRIC if what == "symmetric" else BLOCK
    for spelled in spellings(texts, 20):
        found = {key for key in keys_of(spelled)[0] if key is not None}
        assert len(found) <= 1, spelled
        assert found or what == "block", spelled


def test_different_graphs_of_equal_neighbourhoods_are_told_apart():
    # Refinement alone cannot tell two triangles from a hexagon, nor decalin from bicyclopentyl.
    pairs = [("C1CC1.C1CC1", "C1CCCCC1"), ("C1CCC2CCCCC2C1", "C1CCC(C1)C1CCCC1"), ("C1CCC12CCC2", "C1CC1C1CC1")]
    for one, other in pairs:
        first, second = keys_of([one, other])[0]
        assert first is not None and second is not None and first != second


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_threads_do_not_change_a_key(threads):
    smiles = [*ALIKE, *SYMMETRIC, *BLOCK] * 5
    keys, status = keys_of(smiles, threads)
    first, statuses = keys_of(smiles, 1)
    assert keys == first and np.array_equal(status, statuses)


def test_no_molecule_takes_long():
    chain = "".join(f"C(c{k}ccccc{k})" for k in (1, 2, 3) * 12) + "C1CC1"
    ring = "C1" + "C" * 198 + "C1"
    grid = "C1CC2CC3CC4CC5CC6CC7CC8CCC8C7C6C5C4C3C2C1"
    for text in (
        chain,
        ring,
        grid,
        "C1CC1" * 60,
        ".".join(["C1CC1"] * 20),
        "C" * 250,
        "c1ccccc1" * 30,
        "C1CC1" * 100_000,
    ):
        begin = time.perf_counter()
        keys_of([text])
        assert time.perf_counter() - begin < 0.5, text[:40]


@pytest.mark.parametrize(
    "name, column, step", [("tox21.csv.gz", "smiles", 3), ("bace.csv.gz", "mol", 3), ("sider.csv.gz", "smiles", 7)]
)
def test_the_groups_of_a_data_set_are_rdkits(data_dir, name, column, step):
    path = data_dir / name
    if not path.is_file():
        pytest.skip("needs CATALASE_DATA_DIR")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        smiles = [row[column] for row in csv.DictReader(file)][::step]
    assert sorted(scaffold_groups("test", smiles)) == rdkit_groups(smiles)
    assert np.mean([key is None for key in keys_of(smiles)[0]]) < 0.02


def test_the_scaffold_of_each_molecule_of_a_group_is_the_one_of_rdkit():
    smiles = ["Cc1ccccc1", "OCCc1ccccc1", "C1CCCCC1", "NC1CCCCC1"]
    for group in scaffold_groups("test", smiles):
        assert len({MurckoScaffoldSmiles(smiles[row]) for row in group}) == 1
    sets = ct.splits.ScaffoldSplitter().scaffold_sets(ct.data.NumpyDataset(np.ones((4, 1)), ids=smiles))
    assert sets == [[2, 3], [0, 1]]
