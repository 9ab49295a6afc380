"""Tests of the report on generated molecules against RDKit and SciPy."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase.feat.generation import frechet_distance, ks_distance
from tests.feat.test_alerts import SMILES as MOLECULES

KNOWN = ["CCO", "c1ccccc1C", "CC(=O)Oc1ccccc1C(=O)O", "C1CCCCC1N", "CCCC", "N[C@@H](C)C(=O)O", "not a SMILES"]
MADE = [
    "OCC", "C(C)O", "Cc1ccccc1", "CCN", "C1CC", "", "  ", "NCC", "C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O", "CC(N)C(=O)O",
    "c1ccc2ccccc2c1", "C1=CC=CC=C1C", "O=[N+]([O-])c1ccccc1", "CCCCCCCCC", "CCCCCCCCCC", "[Na+].[Cl-]",
]  # fmt: skip


def canonical(texts):
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        molecules = [Chem.MolFromSmiles(text) for text in texts]
    return [Chem.MolToSmiles(m) for m in molecules if m is not None and m.GetNumAtoms()]


@pytest.mark.parametrize(("made", "known"), [(MADE, KNOWN), (MOLECULES + MOLECULES[::2], MOLECULES[::3])])
def test_counts_are_those_of_canonical_smiles(made, known):
    report = ct.chem.generation_report(made, known)
    valid, learned = canonical(made), set(canonical(known))
    assert report.total == len(made) and report.valid == len(valid)
    assert report.unique == len(set(valid)) and report.new == len(set(valid) - learned)
    assert {*canonical(report.molecules)} == set(valid) and len(report.molecules) == report.unique
    assert len(report.failures) == len(made) - len(valid)
    assert all(made[failure.position] == failure.text and failure.reason for failure in report.failures)


def test_scaffolds_are_those_of_the_molecules_with_rings():
    report = ct.chem.generation_report(MADE, KNOWN)
    scaffolds = {s for s in ct.chem.scaffold(report.molecules) if s}
    known = {s for s in ct.chem.scaffold(KNOWN) if s}
    assert report.scaffolds == len(scaffolds) == 2 and report.new_scaffolds == len(scaffolds - known) == 1
    assert report.scaffold_novelty == 0.5


def test_diversity_and_alerts_are_those_of_the_different_molecules():
    report = ct.chem.generation_report(MADE, alerts="brenk")
    prints = ct.ops.ecfp(report.molecules, output="packed")
    alike = ct.ops.tanimoto(prints, prints).astype(np.float64)
    pairs = alike[~np.eye(len(alike), dtype=bool)]
    assert np.isclose(report.diversity, 1 - pairs.mean(), rtol=1e-12)
    assert report.alerts == {"brenk": np.mean(ct.feat.filter_catalog("brenk").has_match(report.molecules))}


def test_properties_are_compared_with_those_of_training():
    made, known = MOLECULES[:40], MOLECULES[20:]
    report = ct.chem.generation_report(made, known)
    stats = pytest.importorskip("scipy.stats")
    for name, (of_made, of_known) in report.properties.items():
        assert np.isclose(report.distances[name], stats.ks_2samp(of_made, of_known).statistic, atol=1e-12)
    assert report.distances.keys() == report.properties.keys() and report.frechet > 0
    same = ct.chem.generation_report(report.molecules, report.molecules)
    assert not any(same.distances.values()) and same.frechet < 1e-6 and same.novelty == 0


def test_a_property_that_is_constant_in_training_keeps_its_units():
    b = np.array([[0.37278, 1.0], [0.37278, 2.0], [0.37278, 4.0]])
    assert b.std(axis=0, ddof=1)[0] > 0, "the mean of equal numbers is rounded"
    assert np.isclose(frechet_distance(b + np.array([1.0, 0.0]), b), 1.0)


def test_the_frechet_distance_is_that_of_the_matrix_square_root(rng):
    linalg = pytest.importorskip("scipy.linalg")
    a, b = rng.standard_normal((60, 4)) @ rng.standard_normal((4, 4)) + 1, rng.standard_normal((50, 4))
    spread = b.std(axis=0, ddof=1)
    first, second = np.cov(a / spread, rowvar=False), np.cov(b / spread, rowvar=False)
    root = linalg.sqrtm(first @ second).real
    gap = (a / spread).mean(0) - (b / spread).mean(0)
    assert np.isclose(frechet_distance(a, b), gap @ gap + np.trace(first + second - 2 * root), rtol=1e-8)
    assert ks_distance(a[:, 0], b[:, 0]) == ks_distance(b[:, 0], a[:, 0])


def test_without_training_nothing_is_new_or_known():
    report = ct.chem.generation_report(MADE, alerts=[])
    assert report.novelty is None and report.new_scaffolds is None and report.frechet is None
    assert report.alerts == {} and report.distances == {} and "new" not in str(report)


def test_nothing_valid_is_a_report_too():
    for texts in ([], ["C1CC"], ["", "C("]):
        report = ct.chem.generation_report(texts, KNOWN)
        assert report.valid == report.unique == report.new == report.scaffolds == 0
        assert np.isnan(report.diversity) and report.distances == {} and isinstance(str(report), str)


def test_the_report_is_read_as_text_in_a_notebook_and_as_a_picture():
    report = ct.chem.generation_report(MADE, KNOWN)
    assert f"valid: {report.validity:.1%} (14 of 17 texts)" in str(report)
    assert "KS distance" in report._repr_html_() and "qed" in report._repr_html_()
    pytest.importorskip("matplotlib")
    ax = ct.plot.generation(report)
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels[:5] == ["valid", "unique", "new", "new scaffolds", "internal diversity"] and "KS of qed" in labels
    assert np.isclose(ax.patches[0].get_width(), report.validity)


def test_the_bits_do_not_depend_on_threads():
    one, two = (ct.chem.generation_report(MOLECULES, KNOWN, num_threads=n) for n in (1, 2))
    assert str(one) == str(two) and one.diversity == two.diversity
