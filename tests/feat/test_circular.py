"""Tests of the circular featurizer: shapes, settings, and partial sanitization."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator

import catalase as ct
from catalase.chem.reading import partial_molecule


def test_shapes_and_settings():
    featurizer = ct.feat.CircularFingerprint(size=1024)
    X = featurizer.featurize(["CCO", "c1ccccc1"])
    assert X.shape == (2, 1024) and X.dtype == np.float32 and featurizer.report.kept == 2
    again = ct.feat.CircularFingerprint(**featurizer.to_config())
    assert np.array_equal(again(["CCO", "c1ccccc1"]), X)
    counts = ct.feat.CircularFingerprint(size=1024, is_counts_based=True).featurize(["CCCCCC"])
    assert counts.dtype == np.float32 and counts.max() > 1


def test_molecules_refused_for_valence_are_featurized_from_a_partial_sanitization():
    smiles = ["CCO", "CC(=O)O[AlH3](O)O", "C1CC"]
    featurizer = ct.feat.CircularFingerprint(size=1024, partial=True)
    X = featurizer.featurize(smiles, errors="mask")
    assert X[1].any() and not X[2].any()
    assert [f.position for f in featurizer.report.failures] == [1, 2] and "partial" in featurizer.report.notes[0]
    _, kept = featurizer.featurize(smiles, errors="drop")
    assert kept.tolist() == [0, 1]


@pytest.mark.parametrize("chiral", [False, True])
def test_a_partial_sanitization_gives_the_bits_of_a_whole_one_where_both_can_be_had(chiral):
    smiles = [
        "C[C@H](N)C(=O)O",
        "C[C@@H](N)C(=O)O",
        "F/C=C/F",
        "C[C@H]1CC[C@@H](O)CC1",
        "[H]OC",
        "[H]C([H])([H])C",
        "c1ccc2[nH]ccc2c1",
    ]
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024, includeChirality=chiral)
    for text in smiles:
        whole, part = (
            generator.GetFingerprint(Chem.MolFromSmiles(text)),
            generator.GetFingerprint(partial_molecule(text)),
        )
        assert whole == part, text
