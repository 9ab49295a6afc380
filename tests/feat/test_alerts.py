"""Tests that the catalogs of structural alerts are RDKit's, entry by entry."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import FilterCatalog as rdkit_catalogs

import catalase as ct
from catalase.feat.alerts import CATALOGS, _extracted
from tests.ops.test_substructure import BLOCK

# Molecules that match many entries, beside those of the tests of fingerprints.
ALERTING = [
    "O=[N+]([O-])c1ccc(cc1)[N+](=O)[O-]", "CC(=O)C=C", "ClCC(=O)c1ccccc1", "O=C1C=CC(=O)C=C1", "N#CC(=Cc1ccccc1)C#N", "S=C1NC(=O)C(=Cc2ccccc2)S1", "CN(C)c1ccc(cc1)C=C1C(=O)NC(=O)N1", "c1ccc(cc1)N=Nc1ccccc1", "OO", "CC(=O)OC(C)=O",
    "CS(=O)(=O)Cl", "CCCCCCCCCCCCCCCC", "C[Si](C)(C)C", "CI", "C=C=C", "N=C=O", "CN=C=S", "Oc1ccccc1O", "Nc1ccccc1N", "CC(=O)SC", "C1OC1C", "C1NC1", "O=C1CCC(=O)N1", "[Na+].[O-]C(=O)C", "C[Hg]C", "OC(=O)CC(C(=O)O)C(O)(CC(=O)O)C(=O)O",
    "CCOC(=O)C(C(=O)OCC)=Cc1ccc(o1)-c1ccccc1", "FC(F)(F)C(F)(F)C(F)(F)C(F)(F)F", "N1C=CC=C1C=NNC(=O)c1ccccc1O", "Brc1ccc2c(c1)C(=O)C(=O)N2", "CCN(CC)c1ccc2c(c1)oc(=O)cc2", "c1ccc2c(c1)ccc1ccccc12", "P(=O)(OC)(OC)OC", "CC1(C)CC(=O)C=C(C1)N",
    "O=C(NN=Cc1ccc(O)cc1O)c1ccncc1", "c1ccc(cc1)C1=NN(C(C1)c1ccccc1)c1ccccc1", "N#Cc1c(N)nc(SCC(=O)N)c(C#N)c1-c1ccccc1", "O=C1NC(=S)NC(=O)C1=Cc1ccco1", "CN1C(=O)C(=Cc2ccc(cc2)N(C)C)SC1=S", "Clc1c(Cl)c(Cl)c(Cl)c(Cl)c1Cl", "c1ccc2c(c1)Nc1ccccc1S2",
]  # fmt: skip
SMILES = [*BLOCK, *ALERTING]


def rdkit_catalog(name):
    parameters = rdkit_catalogs.FilterCatalogParams()
    parameters.AddCatalog(getattr(parameters.FilterCatalogs, name.upper()))
    return rdkit_catalogs.FilterCatalog(parameters)


@pytest.mark.parametrize("name", CATALOGS)
def test_matches_are_rdkits(name):
    ours, theirs = ct.feat.filter_catalog(name), rdkit_catalog(name)
    assert ours.names == [theirs.GetEntry(i).GetDescription() for i in range(theirs.GetNumEntries())]
    molecules = [Chem.MolFromSmiles(text) for text in SMILES]
    expected = [[entry.GetDescription() for entry in theirs.GetMatches(molecule)] for molecule in molecules]
    assert ours.matches(SMILES) == expected
    has = ours.has_match(SMILES)
    assert has.dtype == bool and has.tolist() == [theirs.HasMatch(molecule) for molecule in molecules]
    assert 0 < has.sum() < len(SMILES)
    names, report = ours.matches(molecules, return_report=True)
    assert names == expected and report.counts["native"] > 0.9 * len(molecules)


@pytest.mark.parametrize("name", CATALOGS)
def test_every_entry_is_extracted_and_nearly_all_molecules_are_matched_natively(name):
    catalog = ct.feat.filter_catalog(name)
    theirs = rdkit_catalog(name)
    left = [i for i in range(theirs.GetNumEntries()) if _extracted(theirs.GetEntry(i))[0] is None]
    assert left == []
    _, report = catalog.has_match(ALERTING, return_report=True)
    assert report.counts["native"] >= 0.9 * len(ALERTING), report.counts


def test_numbers_of_matches_of_an_entry_are_honoured():
    smarts = rdkit_catalogs.SmartsMatcher("some alcohols", "[OX2H]", 2, 3)
    entry = rdkit_catalogs.FilterCatalogEntry("some alcohols", smarts)
    assert _extracted(entry) == ("[O&X2&H1]", 2, 3)
    zinc = ct.feat.filter_catalog("zinc")
    assert zinc.matches(["C" * 40, "C" * 41]) == [zinc.matches(["C" * 40])[0], zinc.matches(["C" * 41])[0]]
    assert "Non-Hydrogen_atoms" not in zinc.matches(["C" * 40])[0]
    assert "Non-Hydrogen_atoms" in zinc.matches(["C" * 41])[0]


def test_an_entry_of_several_matchers_is_left_to_rdkit():
    one, other = (rdkit_catalogs.SmartsMatcher(name, smarts, 1) for name, smarts in (("O", "O"), ("N", "N")))
    operators = rdkit_catalogs.FilterMatchOps
    for matcher in (operators.And(one, other), operators.Or(one, other), operators.Not(one)):
        assert _extracted(rdkit_catalogs.FilterCatalogEntry("both", matcher))[0] is None


def test_several_catalogs_are_one():
    both = ct.feat.filter_catalog(["brenk", "zinc"])
    one, other = (ct.feat.filter_catalog(name) for name in ("brenk", "zinc"))
    assert both.names == one.names + other.names
    assert both.matches(SMILES) == [a + b for a, b in zip(one.matches(SMILES), other.matches(SMILES), strict=True)]
    assert np.array_equal(both.has_match(SMILES), one.has_match(SMILES) | other.has_match(SMILES))
    assert repr(both) == "FilterCatalog(brenk + zinc, 155 entries)"


def test_failures_and_reports():
    catalog = ct.feat.filter_catalog("brenk")
    smiles = ["CCO", "C(", "OO"]
    with pytest.raises(ValueError, match=r"^FilterCatalog.has_match: molecule 1 of 3 \('C\('\) cannot be read"):
        catalog.has_match(smiles)
    has, report = catalog.has_match(smiles, errors="mask", return_report=True)
    assert has.tolist() == [False, False, True]
    assert report.counts == {"native": 2, "rdkit": 0, "refused": 1} and report.kept == 3
    names, kept = catalog.matches(smiles, errors="drop")
    assert kept.tolist() == [0, 2] and [bool(n) for n in names] == [False, True]
    assert catalog.has_match([]).shape == (0,) and catalog.matches([]) == []


def test_positions_count_over_chunks(monkeypatch):
    monkeypatch.setattr("catalase.feat.alerts._CHUNK", 3)
    catalog = ct.feat.filter_catalog("brenk")
    smiles = ["CCO", "OO", "C", "CC", "C(", "OO", "N=C=O"]
    has, kept, report = catalog.has_match(smiles, errors="drop", return_report=True)
    assert has.tolist() == [False, True, False, False, True, True] and kept.tolist() == [0, 1, 2, 3, 5, 6]
    assert [failure.position for failure in report.failures] == [4]
    with pytest.raises(ValueError, match="molecule 4 of 7"):
        catalog.has_match(smiles)


def test_threads_do_not_change_the_result():
    catalog = ct.feat.filter_catalog("chembl")
    smiles = SMILES * 3
    assert catalog.matches(smiles, num_threads=1) == catalog.matches(smiles, num_threads=2)
    assert np.array_equal(catalog.has_match(smiles, num_threads=1), catalog.has_match(smiles, num_threads=2))


def test_unknown_catalogs_are_refused():
    with pytest.raises(ValueError, match="filter_catalog: name must be"):
        ct.feat.filter_catalog("alerts")
