"""Tests of the transformers: their features are those of `catalase.feat`, with names, in any library's frames."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.pipeline import make_pipeline, make_union

import catalase as ct
import catalase.sklearn as cs

SMILES = ["CCO", "c1ccccc1", "CC(=O)O", "CN"]
DNA = ["ACGT", "TT", "NAC"]


def test_features_are_those_of_the_featurizers():
    options = {"radius": 3, "size": 256, "chiral": True, "bonds": False, "features": True}
    expected = ct.feat.CircularFingerprint(**options, is_counts_based=True).featurize(SMILES)
    assert np.array_equal(cs.ECFP(**options, counts=True).fit_transform(SMILES), expected)
    assert cs.ECFP().fit_transform(SMILES).dtype == np.float32
    names = ["MolWt", "TPSA"]
    assert np.array_equal(cs.Descriptors(names).fit_transform(SMILES), ct.ops.descriptors(SMILES, names=names))
    graphs = cs.MolGraphs("molgraph").fit_transform(SMILES)
    assert graphs.features == "molgraph" and np.array_equal(graphs.atom_counts, [3, 6, 4, 2])
    encoder = cs.OneHotDNA(reverse_complement=True).fit(DNA)
    whole = ct.feat.DNAOneHotFeaturizer(4, reverse_complement=True).featurize(DNA)
    assert encoder.length_ == 4 and np.array_equal(encoder.transform(DNA), whole.reshape(3, 16))


@pytest.mark.parametrize(("made", "X", "first", "count"), [(cs.ECFP(1, 64), SMILES, "ecfp2_0", 64), (cs.Descriptors(), SMILES, ct.feat.Descriptors().columns[0], 97), (cs.OneHotDNA(5), DNA, "0_A", 20)], ids=["ECFP", "Descriptors", "OneHotDNA"])  # fmt: skip
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_columns_have_names(made, X, first, count, library):
    pytest.importorskip(library)
    frame = made.set_output(transform=library).fit_transform(X)
    names = made.get_feature_names_out()
    assert list(frame.columns) == list(names) and names[0] == first and len(set(names)) == count
    assert np.array_equal(frame.to_numpy(), made.set_output(transform="default").transform(X))


def test_a_union_of_features_has_all_their_names():
    union = make_union(cs.ECFP(size=8), cs.Descriptors(["MolWt"]))
    assert union.fit_transform(SMILES).shape == (4, 9)
    assert union.get_feature_names_out()[-1] == "descriptors__MolWt"


def test_a_molecule_that_cannot_be_read_is_refused_or_said_and_left_empty():
    bad = [*SMILES, "C(C"]
    with pytest.raises(ValueError, match=r"'C\(C'"):
        cs.ECFP().fit_transform(bad)
    for made, empty in ((cs.ECFP(size=64, errors="mask"), 0), (cs.Descriptors(["MolWt"], errors="mask"), np.nan)):
        with pytest.warns(UserWarning, match=r"1 of 5 rows cannot be read and are left empty; row 4, 'C\(C'"):
            found = made.fit_transform(bad)
        assert len(found) == 5 and np.array_equal(found[4], np.full(found.shape[1], empty), equal_nan=True)
    with pytest.raises(ValueError, match="length is 2, but sequence 0 has 4 letters"):
        cs.OneHotDNA(2).fit_transform(DNA)


def test_descriptors_are_finite_or_missing():
    found = cs.Descriptors(["MaxPartialCharge", "MolWt"]).fit_transform(["[Na+]", "CCO", "[U]"])
    assert not np.isinf(found).any()


def test_a_transformer_in_a_pipeline_shows_what_it_made():
    pipe = make_pipeline(cs.ECFP(size=64), cs.RidgeRegressor()).fit(SMILES, [1.0, 2.0, 3.0, 4.0])
    assert pipe[:-1].get_feature_names_out()[3] == "ecfp4_3"
    assert "ECFP" in pipe._repr_html_()
