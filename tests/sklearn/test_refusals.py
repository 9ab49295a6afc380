"""Wrong input: one sentence that names the call and the argument, and says what is needed."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

import catalase as ct
import catalase.sklearn as cs

X = np.arange(20.0).reshape(10, 2)
Y = np.arange(10.0)
SMILES = ["C" * n for n in range(1, 11)]

ARGUMENTS = [
    (cs.DenseRegressor(hidden_layer_sizes=0), ValueError, "hidden_layer_sizes must be 1 or more, got 0"),
    (cs.DenseRegressor(hidden_layer_sizes="8"), TypeError, "hidden_layer_sizes must be a whole number, got '8'"),
    (cs.DenseRegressor(activation="sigmoidal"), ValueError, "activation must be"),
    (cs.DenseRegressor(dropout=1.5), ValueError, "dropout must be from 0 to below 1, got 1.5"),
    (cs.DenseRegressor(dropout=1), ValueError, "dropout must be from 0 to below 1, got 1"),
    (cs.DenseRegressor(alpha=-1), ValueError, "alpha must be 0 or more, got -1"),
    (cs.DenseRegressor(batch_size="all"), ValueError, "batch_size must be 'auto' or a whole number, got 'all'"),
    (cs.DenseRegressor(batch_size=0), ValueError, "batch_size must be 1 or more, got 0"),
    (cs.DenseRegressor(learning_rate_init=0), ValueError, "learning_rate_init must be above 0, got 0"),
    (cs.DenseRegressor(max_iter=0), ValueError, "max_iter must be 1 or more, got 0"),
    (cs.DenseRegressor(tol=-1), ValueError, "tol must be 0 or more, got -1"),
    (cs.DenseRegressor(early_stopping="yes"), TypeError, "early_stopping must be True or False, got 'yes'"),
    (cs.DenseRegressor(early_stopping=True, validation_fraction=1), ValueError, "validation_fraction must be above 0 and below 1, got 1"),
    (cs.DenseRegressor(n_iter_no_change=0), ValueError, "n_iter_no_change must be 1 or more, got 0"),
    (cs.DenseRegressor(layer_norm=2), TypeError, "layer_norm must be True or False, got 2"),
    (cs.DenseRegressor(verbose=2), TypeError, "verbose must be True or False, got 2"),
    (cs.RidgeRegressor(alpha=-1), ValueError, "alpha must be"),
    (cs.KNNRegressor(0), ValueError, "n_neighbors must be 1 or more, got 0"),
    (cs.KNNRegressor(weights="similarity"), ValueError, "weights must be 'distance' or 'uniform', got 'similarity'"),
    (cs.KNNRegressor(metric="cosine"), ValueError, "metric must be 'euclidean' or 'tanimoto', got 'cosine'"),
    (cs.TanimotoGPRegressor(n_counts=3), ValueError, "n_counts must be at most n_features, 2, got 3"),
]  # fmt: skip


@pytest.mark.parametrize(("estimator", "kind", "words"), ARGUMENTS, ids=lambda value: value if isinstance(value, str) else None)  # fmt: skip
def test_arguments_are_refused_when_they_are_needed(estimator, kind, words):
    with pytest.raises(kind) as error:
        estimator.fit(X, Y)
    assert words in str(error.value) and "\n" not in str(error.value)


OF_TEXTS = [
    (cs.DMPNNRegressor(0), ValueError, r"DMPNNRegressor\.fit: hidden_size must be 1 or more, got 0"),
    (cs.DMPNNRegressor(aggregation="max"), ValueError, "aggregation must be"),
    (cs.DMPNNRegressor(features="mine"), ValueError, "features must be"),
    (cs.SequenceRegressor("tcn"), ValueError, "cell must be"),
    (cs.SequenceRegressor(tokenizer="chars"), TypeError, "tokenizer must be"),
    (cs.SequenceRegressor(learning_rate_init=0), ValueError, "learning_rate_init must be above 0, got 0"),
    (cs.AutoRegressor(verbose=3), TypeError, "verbose must be True or False, got 3"),
    (cs.RidgeRegressor(featurizer="ecfp"), TypeError, "featurizer must be None or a"),
    (cs.AutoRegressor(splitter="time"), ValueError, "splitter must be"),
    (cs.ECFP(size=3), ValueError, "size must be"),
    (cs.ECFP(errors="drop"), ValueError, r"ECFP\.fit: errors must be 'raise' or 'mask', got 'drop'"),
    (cs.Descriptors(["Weight"]), ValueError, "names"),
    (cs.MolGraphs(extra=3), TypeError, "extra must be"),
    (cs.OneHotDNA(-1), ValueError, "length must be"),
]


@pytest.mark.parametrize(("estimator", "kind", "words"), OF_TEXTS, ids=lambda value: value if isinstance(value, str) else None)  # fmt: skip
def test_arguments_of_what_reads_texts(estimator, kind, words):
    with pytest.raises(kind, match=words):
        estimator.fit(SMILES, Y)


def test_texts_need_a_featurizer():
    with pytest.raises(ValueError, match=r"DenseRegressor\.fit: X holds texts; put a transformer such as catalase"):
        cs.DenseRegressor().fit(SMILES, Y)
    with pytest.raises(ValueError, match="X holds texts"):
        cs.RidgeRegressor(featurizer=ct.feat.MolGraphFeaturizer()).fit(SMILES, Y)


@pytest.mark.parametrize("made", [cs.DMPNNRegressor(max_iter=1), cs.SequenceRegressor(max_iter=1), cs.ECFP()])
def test_what_is_no_list_of_texts(made):
    where = rf"{type(made).__name__}\.fit: X must"
    with pytest.raises(TypeError, match=f"{where} be a list of texts, got one str; wrap it"):
        made.fit("CCO", Y)
    with pytest.raises(ValueError, match=f"{where} be a list, a Series or a column of .*got an array of float64"):
        made.fit(X, Y)
    with pytest.raises(ValueError, match=f"{where} be a list, a Series or a column of .*got nothing"):
        made.fit([], Y)
    with pytest.raises(ValueError, match=f"{where} hold .*, got None at row 1; leave that row out"):
        made.fit(["C", None, *SMILES[2:]], Y)


def test_labels_and_weights_of_other_lengths_or_kinds():
    made = cs.DMPNNRegressor(max_iter=1)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        made.fit(SMILES, Y[1:])
    with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
        made.fit(SMILES, None)
    with pytest.raises(ValueError, match=r"DMPNNRegressor\.fit: y must be numbers"):
        made.fit(SMILES, ["a"] * 10)
    with pytest.raises(ValueError, match="NaN"):
        made.fit(SMILES, [np.nan] * 10)
    with pytest.raises(ValueError, match="Negative values in data passed to `sample_weight`"):
        made.fit(SMILES, Y, sample_weight=-Y)
    with pytest.raises(TypeError, match="sample_weight"):
        cs.KNNRegressor().fit(X, Y, sample_weight=Y)
    with pytest.raises(ValueError, match=r"RidgeClassifier\.fit: y must have one column, got 2"):
        cs.RidgeClassifier().fit(X, np.ones((10, 2), int))


def test_counts_are_not_negative():
    for made in (cs.KNNRegressor(metric="tanimoto"), cs.TanimotoGPRegressor()):
        with pytest.raises(ValueError, match="Negative values in data"):
            made.fit(-X, Y)
    assert cs.TanimotoGPRegressor(n_counts=0).fit(-X, Y).predict(-X).shape == (10,)
