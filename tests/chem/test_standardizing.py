"""Tests of `chem.standardize`: RDKit's standard forms, nothing lost, and duplicates whose labels differ."""

from __future__ import annotations

import csv
import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem, rdBase
from rdkit.Chem.MolStandardize import rdMolStandardize

from catalase import chem

CASES = [
    ("CC(=O)[O-].[Na+]", "CC(=O)O", "removed [Na+]; neutralized 1 charge"),
    ("[Na]OC(=O)C", "CC(=O)O", "broke bonds to metal ions; removed [Na+]; neutralized 1 charge"),
    ("CC(=O)O[Ca]OC(C)=O", "CC(=O)O", "broke bonds to metal ions; removed CC(=O)[O-] and [Ca+2]; neutralized 1 charge"),
    ("OC(=O)CC[NH3+].[Cl-]", "NCCC(=O)O", "removed [Cl-]; neutralized 1 charge"),
    ("[NH3+]CC(=O)[O-]", "NCC(=O)O", "neutralized 2 charges"),
    ("C[N+](C)(C)CC(=O)[O-]", "C[N+](C)(C)CC(=O)[O-]", ""),
    ("C[N+](C)(C)C.[Cl-]", "C[N+](C)(C)C", "removed [Cl-]; a charge of +1 remains"),
    ("CN(=O)=O", "C[N+](=O)[O-]", ""),  # RDKit's reader writes it so
    ("CS(C)=O", "C[S+](C)[O-]", "wrote groups in their normal form"),
    ("OCC", "CCO", ""),
    ("[NH3][Pt]([NH3])(Cl)Cl", "[NH3]->[Pt](<-[NH3])([Cl])[Cl]", ""),  # a complex stays whole
    ("C[C@H](N)C(=O)[O-].[K+]", "C[C@H](N)C(=O)O", "removed [K+]; neutralized 1 charge"),
    ("*CC[NH3+]", "*CCN", "neutralized 1 charge"),
    ("F[P-](F)(F)(F)(F)F.C[S+](C)C", "C[S+](C)C", "removed F[P-](F)(F)(F)(F)F; a charge of +1 remains"),
]  # fmt: skip


@pytest.mark.parametrize("given, form, changes", CASES)
def test_standard_forms_and_what_was_done(given, form, changes):
    form = Chem.CanonSmiles(form)  # versions of RDKit spell some molecules in another way
    result = chem.standardize([given])
    assert (result.smiles, result.changes) == ([form], [changes])
    assert result.inchikeys == [Chem.MolToInchiKey(Chem.MolFromSmiles(form))]
    again = chem.standardize(result.smiles)
    assert again.smiles == [form] and again.changes[0] in ("", changes.rpartition("; ")[2])


@pytest.mark.parametrize(
    "option, given, form",
    [
        ("normalize", "[Na]OC(=O)C", "CC(=O)[O][Na]"),
        ("largest_fragment", "CC(=O)[O-].[Na+]", "CC(=O)[O-].[Na+]"),
        ("largest_fragment", "CC[NH3+].CC(=O)[O-]", "CC(=O)O.CCN"),
        ("neutralize", "CC(=O)[O-].[Na+]", "CC(=O)[O-]"),
    ],
)
def test_a_step_can_be_switched_off(option, given, form):
    assert chem.standardize([given], **{option: False}).smiles == [Chem.CanonSmiles(form)]
    assert chem.standardize([given]).smiles != [form]


def test_without_inchikeys_duplicates_are_found_by_smiles():
    tautomers = ["Cc1c[nH]cn1", "Cc1cnc[nH]1", "c1c(C)[nH]cn1"]
    assert chem.standardize(tautomers).duplicates == [[0, 1, 2]]
    result = chem.standardize(tautomers, inchikey=False)
    assert result.inchikeys == ["", "", ""] and result.duplicates == [[1, 2]] and result.first.tolist() == [0, 1, 1]
    assert chem.standardize(["*CCN", "*CC[NH3+]"]).first.tolist() == [0, 0]  # InChI knows no wildcards


def test_no_row_is_dropped_silently():
    smiles = ["CCO", "C1CC", "", "CC name", "C(C)(C)(C)(C)C", "C" * 1_001, "OCC", None]
    result = chem.standardize(smiles, errors="mask")
    assert result.smiles == ["CCO", "", "", "", "", "", "CCO", ""] and result.kept.tolist() == list(range(8))
    assert [f.position for f in result.report.failures] == [1, 2, 3, 4, 5, 7]
    reasons = [f.reason for f in result.report.failures]
    words = ["not a valid SMILES", "is empty", "follows the SMILES", "valence", "1,001 atoms", "NoneType"]
    assert all(word in reason for word, reason in zip(words, reasons, strict=True)), reasons
    assert result.first.tolist() == [0, 1, 2, 3, 4, 5, 0, 7] and result.duplicates == [[0, 6]]
    left = chem.standardize(smiles, errors="drop", labels=np.arange(8.0))
    assert left.smiles == ["CCO", "CCO"] and left.kept.tolist() == [0, 6] and left.first.tolist() == [0, 0]
    assert left.labels.ravel().tolist() == [0, 6] and (left.report.total, left.report.kept) == (8, 2)
    assert left.conflicts == [([0, 6], "label", [0.0, 6.0])]
    with pytest.raises(ValueError, match=r"^standardize: molecule 1 of 8 \('C1CC'\) cannot be read: not a valid"):
        chem.standardize(smiles)
    with pytest.raises(TypeError, match=r"molecule 0 of 1 .*needs text or an RDKit molecule"):
        chem.standardize([7])
    assert len(chem.standardize([])) == 0


def test_molecules_of_rdkit_are_taken_and_stay_as_they_are():
    salt = Chem.MolFromSmiles("CC(=O)[O-].[Na+]")
    before = salt.ToBinary()
    assert chem.standardize([salt]).smiles == ["CC(=O)O"] and salt.ToBinary() == before
    empty = chem.standardize([Chem.MolFromSmiles("")], errors="mask")
    assert empty.report.failures[0].reason == "the molecule has no atoms"


def test_duplicates_whose_labels_differ_are_reported_and_merged():
    nan = np.nan
    smiles = ["CCN", "CCO", "CC[NH3+].[Cl-]", "CCN", "OCC", "CCC", "C1CC"]
    labels = [[1.0, 1], [5.0, 0], [2.0, nan], [6.0, 0], [5.0, 0], [nan, nan], [9.0, 1]]
    result = chem.standardize(smiles, labels=labels, tasks=["pIC50", "toxic"], errors="mask")
    assert result.duplicates == [[0, 2, 3], [1, 4]]
    assert result.conflicts == [([0, 2, 3], "pIC50", [1.0, 2.0, 6.0]), ([0, 3], "toxic", [1.0, 0.0])]
    assert str(result.conflicts[1]) == "toxic: row 0: 1, row 3: 0"
    assert result.report.counts["conflicts"] == 1 and "1 of them has labels that differ" in str(result.report)
    for how, value in (("mean", 3.0), ("median", 2.0), ("missing", nan)):
        merged, values, rows = result.merge(how)
        assert merged == ["CCN", "CCO", "CCC"] and rows == [[0, 2, 3], [1, 4], [5]]
        # Classes 1 and 0 of one molecule have no mean: the label is missing.
        np.testing.assert_array_equal(values, [[value, nan], [5.0, 0.0], [nan, nan]])
    assert chem.standardize(["CCN", "NCC"]).merge() == (["CCN"], None, [[0, 1]])


def test_the_report_counts_salts_and_points_at_mixtures():
    smiles = ["CCN.Cl", "CCO.Cl.Cl", "CCCN.O", "CCCCO.CCCN", "[Na+].[Cl-]"]
    result = chem.standardize(smiles)
    assert result.smiles == ["CCN", "CCO", "CCCN", "CCCCO", "Cl"]
    assert result.salts == {"Cl": 2, "O": 1, "CCCN": 1, "[Na+]": 1}
    assert result.changes[1] == "removed Cl and Cl"
    assert result.report.counts == {
        "changed": 5, "salts": 5, "mixtures": 1, "neutralized": 1, "duplicates": 0, "conflicts": 0, "refused": 0,
    }  # fmt: skip
    assert "removed: Cl (2)" in str(result.report) and "1 of these lost an organic fragment" in str(result.report)


def test_extensions_of_cxsmiles_are_read_and_what_is_lost_is_said():
    smiles = ["C[C@H](N)CO |&1:1|", "C[C@H](N)CO |a:1|", "CCO |$a;b;c$|", "C[CH2] |^1:1|"]
    result = chem.standardize(smiles)
    assert result.smiles == ["CC(N)CO", "C[C@H](N)CO", "CCO", "[CH2]C"]
    assert result.changes[0] == "dropped the extension |&1:1|; made 1 stereocentre of a mixture unspecified"
    assert result.changes[2] == "dropped the extension |$a;b;c$|"
    bad = chem.standardize(["CC |m:0:1.2|", "CCO |nonsense|", "C1CC |&1:1|", "CCO |é|"], errors="mask")
    assert bad.smiles == [""] * 4
    words = ["describes several molecules", "cannot read the extension", "not a valid SMILES", "cannot read the ext"]
    assert all(w in f.reason for w, f in zip(words, bad.report.failures, strict=True)), bad.report


def test_a_neutral_form_that_rdkit_cannot_read_is_not_taken():
    result = chem.standardize(["[Fe+2].c1cc[cH-]c1.c1cc[cH-]c1"])
    assert result.smiles == ["c1cc[cH-]c1"] and "kept its charges" in result.changes[0]


def _rdkits(smiles):
    """The same steps, each by RDKit."""
    tools = rdMolStandardize
    molecule = tools.Normalize(Chem.MolFromSmiles(smiles))
    molecule = tools.LargestFragmentChooser(True).choose(molecule)
    molecule = tools.Uncharger().uncharge(tools.Reionize(molecule))
    return Chem.MolToSmiles(molecule)


def test_forms_of_data_sets_are_those_of_rdkit_and_are_not_changed_again():
    folder = os.environ.get("CATALASE_DATA_DIR", "")
    if not Path(folder, "tox21.csv.gz").is_file():
        pytest.skip("needs CATALASE_DATA_DIR")
    with gzip.open(Path(folder, "tox21.csv.gz"), "rt") as file:
        smiles = [row["smiles"] for row in csv.DictReader(file)][::16]
    result = chem.standardize(smiles, errors="drop")
    with rdBase.BlockLogs():
        expected = [_rdkits(smiles[row]) for row in result.kept]
    differ = [(smiles[row], ours) for row, ours, rdkits in zip(result.kept, result.smiles, expected, strict=True) if ours != rdkits]  # fmt: skip
    # Those whose metal is bound, or whose charges move again when RDKit is asked twice.
    assert len(differ) <= 2, differ
    assert chem.standardize(result.smiles).smiles == result.smiles
    assert len(result) + len(result.report.failures) == len(smiles) and len(result.salts) > 10
