"""The featurizer: shapes, settings, partial sanitization."""

from __future__ import annotations

import numpy as np

import catalase as ct


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
