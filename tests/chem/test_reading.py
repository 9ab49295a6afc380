"""Tests of `chem.read`: RDKit's molecules, and every molecule that is refused has its reason."""

from __future__ import annotations

import pytest
from rdkit import Chem

from catalase import chem


def test_molecules_are_those_of_rdkit():
    smiles = [" CCO\n", "c1ccccc1", "[Na+].[Cl-]", "C[C@H](N)O", "*CC", ""]
    read = chem.read(smiles)
    assert [Chem.MolToSmiles(m) for m in read] == [Chem.MolToSmiles(Chem.MolFromSmiles(s)) for s in smiles]
    assert chem.read(read)[1] is read[1]


def test_each_way_of_treating_failures_keeps_the_others():
    smiles = ["CCO", "C1CC", "CC name", "C(C)(C)(C)(C)C", "CN"]
    masked, report = chem.read(smiles, errors="mask", return_report=True)
    assert [m is None for m in masked] == [False, True, True, True, False]
    assert [f.position for f in report.failures] == [1, 2, 3] and (report.total, report.kept) == (5, 5)
    assert report.counts == {"rdkit": 2, "refused": 3}
    assert "follows the SMILES" in report.failures[1].reason and "valence" in report.failures[2].reason
    dropped, kept, report = chem.read(smiles, errors="drop", return_report=True)
    assert kept == [0, 4] and [m.GetNumAtoms() for m in dropped] == [3, 2] and report.kept == 2
    with pytest.raises(ValueError, match=r"^read: molecule 1 of 5 \('C1CC'\) cannot be read: not a valid SMILES"):
        chem.read(smiles)
    with pytest.raises(TypeError, match=r"read: molecule 0 of 1 .* needs text or an RDKit molecule, got int"):
        chem.read([5])
    assert chem.read([]) == []
