"""Tests of `chem.scaffold` against RDKit."""

from __future__ import annotations

import csv
import os

import pytest
from rdkit import Chem
from rdkit.Chem.Scaffolds.MurckoScaffold import MurckoScaffoldSmiles

from catalase import chem, splits


@pytest.mark.parametrize("chiral", [False, True])
def test_scaffolds_are_those_of_rdkit_and_of_the_splitter(chiral):
    smiles = ["C1CC1CC2CC2N", "CCO", "C1C[C@H](N)C[C@@H]1c1ccccc1", "[Na+].c1ccccc1[O-]", "O=C1CCCCC1"]
    expected = [MurckoScaffoldSmiles(mol=Chem.MolFromSmiles(s), includeChirality=chiral) for s in smiles]
    assert chem.scaffold(smiles, chiral=chiral) == expected
    assert [splits.murcko_scaffold(s, chiral=chiral) for s in smiles] == expected
    assert chem.scaffold(smiles[0], chiral=chiral) == expected[0]


def test_what_has_no_scaffold():
    assert chem.scaffold(["", "CCCC", "C1CC", "CC\u041e", "C1CC1" + "C" * 1_100]) == [None, "", None, None, None]


def test_scaffolds_of_a_data_set_are_those_of_rdkit():
    path = os.path.join(os.environ.get("CATALASE_DATA_DIR", ""), "delaney-processed.csv")
    if not os.path.isfile(path):
        pytest.skip("needs CATALASE_DATA_DIR")
    with open(path, encoding="utf-8") as file:
        smiles = [row["smiles"] for row in csv.DictReader(file)][::5]
    expected = [MurckoScaffoldSmiles(mol=Chem.MolFromSmiles(s.strip()), includeChirality=False) for s in smiles]
    assert chem.scaffold(smiles) == expected and len(set(expected)) > 20
