"""Tests of the featurizers of MACCS keys and path fingerprints: settings, and their way through loaders and models."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase import feat, ops
from catalase.commands import main
from catalase.feat import Featurizer

SMILES = ["CCO", "CCN", "c1ccccc1O", "CC(=O)O", "CCCCCC", "C=CC#N", "OCCO", "NCC(=O)O", "CC(C)CO", "c1ccncc1"]
PATHS = {
    feat.AtomPairFingerprint: ops.atom_pairs,
    feat.TopologicalTorsionFingerprint: ops.topological_torsions,
    feat.RDKitFingerprint: ops.rdkit_fingerprint,
}


@pytest.mark.parametrize("kind", PATHS)
def test_features_are_those_of_the_function(kind):
    featurizer = kind(size=256)
    assert np.array_equal(featurizer(SMILES), PATHS[kind](SMILES, size=256, output="dense"))
    assert np.array_equal(featurizer.featurize(SMILES, output="packed"), PATHS[kind](SMILES, size=256))
    packed, kept = featurizer.compact([*SMILES, "C("])
    assert np.array_equal(packed, PATHS[kind](SMILES, size=256)) and len(kept) == len(SMILES)
    assert featurizer.report.counts["refused"] == 1
    counts = kind(256, is_counts_based=True).featurize(SMILES)
    assert counts.dtype == np.float32 and np.array_equal(counts, PATHS[kind](SMILES, size=256, output="counts"))
    rows, kept = kind(256, is_counts_based=True).featurize(["C(", "CCO"], errors="drop")
    assert kept.tolist() == [1] and rows.dtype == np.float32
    again = Featurizer.build(featurizer.saved_form())
    assert again == featurizer != kind(size=512)
    with pytest.raises(ValueError, match=rf"^{kind.__name__}: size must be a multiple of 8, got 12"):
        kind(12)


def test_maccs_keys_have_deepchems_name_and_shape():
    featurizer = feat.MACCSKeysFingerprint()
    assert featurizer(SMILES).shape == (len(SMILES), 167) and featurizer(SMILES).dtype == np.float32
    rows, kept = featurizer.compact(["CCO", "C("])
    assert rows.shape == (1, 167) and kept.tolist() == [0]
    assert Featurizer.build(featurizer.saved_form()) == featurizer


@pytest.mark.parametrize("kind", [feat.MACCSKeysFingerprint, *PATHS])
def test_a_model_trained_on_them_predicts_from_smiles(kind, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("smiles,y\n" + "".join(f"{s},{len(s)}\n" for s in SMILES))
    data = ct.data.CSVLoader(["y"], kind()).create_dataset(table)
    model = ct.models.MultitaskRegressor(1, data.X.shape[1], layer_sizes=[8], seed=0)
    model.fit(data, nb_epoch=2)
    right = model.predict(SMILES)
    assert np.allclose(right, model.predict(data.X), rtol=1e-5)
    model.save(tmp_path / "m")
    assert np.array_equal(ct.models.load(tmp_path / "m").predict(SMILES), right)
    assert main(["predict", str(tmp_path / "m"), str(table), "--out", str(tmp_path / "out.csv")]) == 0
