"""The featurizers of molecular graphs: DeepChem's arguments, saved forms, reports, and the MoleculeNet loaders."""

from __future__ import annotations

import json

import numpy as np
import pytest

import catalase as ct
from catalase.feat import (
    CircularFingerprint,
    Combined,
    ConvMolFeaturizer,
    Descriptors,
    DNAOneHotFeaturizer,
    Featurizer,
    MolGraphConvFeaturizer,
    MolGraphFeaturizer,
)

SMILES = ["CCO", "c1ccccc1", "C/C=C/C[C@H](N)C(=O)O"]


@pytest.mark.parametrize(
    ("featurizer", "features"),
    [
        (MolGraphFeaturizer(), "dmpnn"),
        (MolGraphFeaturizer("dmpnn_v1"), "dmpnn_v1"),
        (ConvMolFeaturizer(False, False, [], False), "convmol"),
        (MolGraphConvFeaturizer(use_edges=True), "molgraph"),
        (MolGraphConvFeaturizer(), "molgraph"),
    ],
)
def test_featurizers_make_the_graphs_of_their_set_and_are_rebuilt_from_their_saved_form(featurizer, features):
    assert featurizer.featurize(SMILES) == featurizer(SMILES) == ct.ops.mol_graphs(SMILES, features)
    again = Featurizer.build(featurizer.saved_form())
    assert again == featurizer and again(SMILES) == featurizer(SMILES)
    graphs, kept = featurizer.featurize([*SMILES, "C1CC"], errors="drop")
    assert kept.tolist() == [0, 1, 2] and graphs == featurizer(SMILES)
    graphs, kept = featurizer.compact(["C1CC", *SMILES])
    assert kept.tolist() == [1, 2, 3] and [f.position for f in featurizer.report.failures] == [0]


def test_options_that_are_not_made_are_refused():
    for options in ({"master_atom": True}, {"use_chirality": True}, {"per_atom_fragmentation": True}, {"atom_properties": ["x"]}):  # fmt: skip
        with pytest.raises(ValueError, match=f"ConvMolFeaturizer: {next(iter(options))} must be"):
            ConvMolFeaturizer(**options)
    for option in ("use_chirality", "use_partial_charge"):
        with pytest.raises(ValueError, match=f"MolGraphConvFeaturizer: {option} must be False"):
            MolGraphConvFeaturizer(**{option: True})


@pytest.mark.parametrize(
    ("name", "featurizer"),
    [
        ("GraphConv", ConvMolFeaturizer()),
        ("MolGraphConv", MolGraphConvFeaturizer(use_edges=True)),
        ("DMPNN", MolGraphFeaturizer()),
        (MolGraphFeaturizer("dmpnn_organic"), MolGraphFeaturizer("dmpnn_organic")),
    ],
)
def test_loaders_give_datasets_of_graphs(name, featurizer, tmp_path, data_dir):
    tasks, parts, (scaler,) = ct.molnet.load_delaney(featurizer=name, splitter="random", seed=0, save_dir=tmp_path)
    _, plain, _ = ct.molnet.load_delaney(splitter="random", seed=0, reload=False)
    assert tasks == ["measured log solubility in mols per litre"] and not any(tmp_path.iterdir())
    for part, other in zip(parts, plain, strict=True):
        assert isinstance(part, ct.data.GraphDataset) and part.featurizer == featurizer
        assert part.ids.tolist() == other.ids.tolist() and np.array_equal(part.y, other.y)
        assert featurizer(list(part.ids)) == part.X
    assert parts[0].report.kept == 1128 and scaler.transform_y


def test_molecules_that_cannot_be_read_have_no_weight(data_dir):
    _, parts, _ = ct.molnet.load_clintox(featurizer="GraphConv", splitter="index")
    for part in parts:
        empty = np.diff(part.X.atom_offsets) == 0
        assert not part.w[empty].any() and part.w[~empty].any(axis=1).all()
    assert sum(int((np.diff(part.X.atom_offsets) == 0).sum()) for part in parts) == 4


def test_extra_features_are_those_of_their_featurizer_beside_the_graphs():
    extra = Descriptors(["MolWt", "MaxPartialCharge"])
    featurizer = MolGraphFeaturizer("convmol", extra=extra)
    smiles = ["CCO", "C1CC", "C[Fe]C", "CC |m:0:1.2|", "CCN"]
    graphs, kept = featurizer.featurize(smiles, errors="drop")
    assert kept.tolist() == [0, 2, 4] and [f.position for f in featurizer.report.failures] == [1, 3]
    assert featurizer.report.counts["graphs: refused"] == 2
    readable = [smiles[i] for i in kept]
    assert graphs == ct.ops.mol_graphs(readable, "convmol").with_extra(extra(readable))
    assert graphs.extra.dtype == np.float32 and np.isnan(graphs.extra[1, 1])
    masked = featurizer.featurize(smiles, errors="mask")
    assert masked[kept] == graphs and np.diff(masked.atom_offsets)[[1, 3]].tolist() == [0, 0]
    assert not masked.extra[[1, 3]].any() and len(masked) == featurizer.report.kept == 5
    with pytest.raises(ValueError, match="C1CC"):
        featurizer.featurize(smiles)
    assert featurizer([]).extra.shape == (0, 2)


def test_the_extra_featurizer_is_saved_and_compared_with_the_graphs():
    one = MolGraphFeaturizer("dmpnn", extra=Combined(Descriptors(["MolWt"]), CircularFingerprint(size=16)))
    again = Featurizer.build(json.loads(json.dumps(one.saved_form())))
    assert again == one and again.agrees_with(one) and again(SMILES) == one(SMILES) and "extra=Combined(" in repr(again)
    plain, other = MolGraphFeaturizer("dmpnn"), MolGraphFeaturizer("dmpnn", extra=Descriptors(["MolWt"]))
    assert plain.to_config() == {"features": "dmpnn"}
    for a, b in ((one, plain), (plain, one), (one, other)):
        assert a != b and not a.agrees_with(b)
    assert MolGraphFeaturizer("convmol").agrees_with(ConvMolFeaturizer())


@pytest.mark.parametrize(
    ("extra", "error", "words"),
    [
        (Descriptors, TypeError, "extra must be a featurizer of molecules such as"),
        ("descriptors", TypeError, "got 'descriptors'"),
        (MolGraphFeaturizer(), ValueError, "must make rows of numbers of molecules, got MolGraphFeaturizer"),
        (DNAOneHotFeaturizer(), ValueError, "must make rows of numbers of molecules, got DNAOneHotFeaturizer"),
    ],
)
def test_what_makes_no_rows_of_molecules_is_no_extra_featurizer(extra, error, words):
    with pytest.raises(error, match=words):
        MolGraphFeaturizer(extra=extra)
