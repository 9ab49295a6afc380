"""Tests of `feat.Combined`: the features side by side, one report and one list of failures, and its way through a model."""

from __future__ import annotations

import json

import numpy as np
import pytest

import catalase as ct
from catalase.feat import CircularFingerprint, Combined, Descriptors, DNAOneHotFeaturizer, Featurizer

SMILES = ["CCO", "CCN", "c1ccccc1O", "CC(=O)O", "CCCCCC", "C=CC#N", "OCCO", "NCC(=O)O", "CC(C)CO", "c1ccncc1"]
COUNTS, FEW = CircularFingerprint(size=64, is_counts_based=True), Descriptors(["MolWt", "MaxPartialCharge"])


def both(**options):
    return Combined(CircularFingerprint(size=64, is_counts_based=True, **options), FEW)


def test_the_columns_are_those_of_the_featurizers_in_their_order():
    X = both()(SMILES)
    assert X.dtype == np.float64 and np.array_equal(X, np.hstack([COUNTS(SMILES), FEW(SMILES)]))
    assert Combined(COUNTS, CircularFingerprint(size=8))(SMILES).dtype == np.float32
    assert both()([]).shape == (0, 66) and both()(np.array(SMILES)).shape == (10, 66)
    names = both().feature_names
    assert names == (*(f"ecfp4_{bit}" for bit in range(64)), "MolWt", "MaxPartialCharge")
    assert Combined(COUNTS, CircularFingerprint(3, 8, features=True)).feature_names[64:66] == ("fcfp6_0", "fcfp6_1")
    twice = Combined(CircularFingerprint(size=8), CircularFingerprint(size=8, chiral=True)).feature_names
    assert len(set(twice)) == 16 and twice[8] == "2: ecfp4_0"


def test_every_featurizer_of_molecules_names_its_features_and_can_be_a_part():
    kinds = [kind for kind in (getattr(ct.feat, name) for name in ct.feat.__all__) if isinstance(kind, type)]
    kinds = [kind for kind in kinds if issubclass(kind, Featurizer) and kind.reads == "SMILES" and kind is not Combined]
    graphs = [kind for kind in kinds if kind.makes_graphs]
    assert len(graphs) == 3
    for kind in graphs:
        with pytest.raises(ValueError, match="makes graphs"):
            Combined(kind())
    with pytest.raises(ValueError, match="makes sequences"):
        Combined(ct.feat.SmilesTokens(ct.data.SmilesTokenizer.fit(SMILES)))
    kinds = [kind for kind in kinds if kind not in graphs and not kind.makes_sequences]
    assert len(kinds) >= 7
    parts = [kind() for kind in kinds]
    X = Combined(*parts)(SMILES[:3])
    assert X.shape[1] == sum(len(part.feature_names) for part in parts)
    assert len(set(Combined(*parts).feature_names)) == X.shape[1]


def test_there_is_one_failure_a_molecule_and_one_report():
    smiles = ["CCO", "C1CC", "C[Fe]C", 5, "CC |m:0:1.2|", "CCN"]
    combined = both()
    X, kept = combined.featurize(smiles, errors="drop")
    assert kept.tolist() == [0, 2, 5]
    assert np.array_equal(X, np.hstack([part(["CCO", "C[Fe]C", "CCN"]) for part in (COUNTS, FEW)]), equal_nan=True)
    report = combined.report
    assert (report.total, report.kept) == (6, 3) and [f.position for f in report.failures] == [1, 3, 4]
    assert report.notes == ["Descriptors: 1 rows have values that are NaN: MaxPartialCharge (1)"]
    assert report.counts["CircularFingerprint: refused"] == 3 and report.counts["Descriptors: native"] == 3
    masked = combined.featurize(smiles, errors="mask")
    assert np.array_equal(masked[kept], X, equal_nan=True) and not masked[[1, 3, 4]].any()
    assert combined.report.kept == 6
    with pytest.raises(ValueError, match=r"molecule 1 of 6 \('C1CC'\) cannot be read"):
        combined(smiles)


def test_what_a_later_featurizer_refuses_is_taken_from_the_earlier_ones_too():
    smiles = ["CCO", "C[N+](C)(C)(C)C", "CCN"]  # the fingerprint has a partial sanitization of the second
    combined = both(partial=True)
    assert CircularFingerprint(partial=True).featurize(smiles, errors="drop")[1].tolist() == [0, 1, 2]
    X, kept = combined.featurize(smiles, errors="drop")
    assert kept.tolist() == [0, 2] and np.array_equal(X[:, :64], COUNTS(["CCO", "CCN"]))
    assert [f.position for f in combined.report.failures] == [1]


def test_a_featurizer_without_reasons_still_has_its_failures_listed():
    class Short(Featurizer):
        reads = "SMILES"

        def featurize(self, datapoints, errors="raise"):
            kept = np.array([i for i, text in enumerate(datapoints) if len(text) < 5], np.int64)
            return np.ones((len(kept), 1), np.float32), kept

    combined = Combined(FEW, Short())
    assert combined.featurize(SMILES, errors="drop")[1].tolist() == [0, 1, 6]
    reasons = {failure.position: failure.reason for failure in combined.report.failures}
    assert reasons.keys() == {2, 3, 4, 5, 7, 8, 9} and reasons[2] == "Short cannot read it"
    assert combined.feature_names is None
    with pytest.raises(TypeError, match="Short: this featurizer cannot be saved"):
        combined.saved_form()


def test_mistakes_are_one_sentence():
    for make, words in (
        (Combined, "needs 1 to 100 featurizers, got 0"),
        (lambda: Combined([COUNTS]), r"must be of catalase.feat, such as CircularFingerprint\(\), got"),
        (lambda: Combined(COUNTS, DNAOneHotFeaturizer()), "must read the same, but they read SMILES and sequence"),
        (lambda: Combined(DNAOneHotFeaturizer())(["ACGT"]), r"shape \(N, F\), got \(1, 4, 4\) of DNAOneHotFeaturizer"),
    ):
        with pytest.raises((TypeError, ValueError), match=words):
            make()


def test_the_saved_form_is_complete_and_the_meaning_ignores_what_can_be_read():
    inner = Combined(both(), CircularFingerprint(size=8))
    again = Featurizer.build(json.loads(json.dumps(inner.saved_form())))
    assert again == inner and hash(again) == hash(inner) and repr(again) == repr(inner)
    assert both() != both(partial=True) and both().agrees_with(both(partial=True))
    assert not both().agrees_with(Combined(FEW, COUNTS)) and both() != COUNTS
    deep = FEW.saved_form()
    for _ in range(600):
        deep = {"class": "Combined", "featurizers": [deep]}
    with pytest.raises(ValueError, match="config: its classes are nested too deeply"):
        Featurizer.build(deep)
    for config in ({"featurizers": []}, {"featurizers": [{"class": "Popen"}]}, {}):
        with pytest.raises(ValueError, match="config"):
            Featurizer.build({"class": "Combined", **config})


def test_a_model_carries_it_and_predicts_and_screens_from_smiles(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("smiles,y\n" + "".join(f"{s},{len(s)}\n" for s in SMILES))
    data = ct.data.CSVLoader(["y"], both()).create_dataset(table)
    assert data.featurizer == both() and data.X.shape == (10, 66)
    scaler = ct.trans.NormalizationTransformer(transform_X=True, dataset=data)
    model = ct.models.MultitaskRegressor(1, 66, layer_sizes=[8], seed=0)
    model.fit(scaler.transform(data), nb_epoch=2)
    right = model.predict(SMILES)
    assert np.array_equal(right, model.predict(scaler.transform(data)))
    model.save(tmp_path / "m")
    loaded = ct.models.load(tmp_path / "m")
    assert loaded.featurizer == model.featurizer and np.array_equal(loaded.predict(SMILES), right)
    hits = ct.screen(tmp_path / "m", [*SMILES, "C1CC"], 3, similar_to=SMILES[:2], out=tmp_path / "h.csv")
    assert np.array_equal(hits.scores, np.sort(right[:, 0])[::-1][:3]) and len(hits.report.failures) == 1
    assert set(hits.columns) == {"similarity", "nearest_active"}
    only = ct.models.MultitaskRegressor(1, 2, layer_sizes=[4], seed=0)
    only.fit(ct.data.NumpyDataset(FEW(SMILES), [[1.0]] * 10, featurizer=FEW), nb_epoch=1)
    assert len(ct.screen(only, SMILES, 4, similar_to=SMILES[:2])) == 4
    with pytest.raises(ValueError, match="trained on other features than fingerprints; leave radius out"):
        ct.screen(only, SMILES, radius=2)
