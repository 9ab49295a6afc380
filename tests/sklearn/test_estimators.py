"""Tests of the estimators in the tools of scikit-learn, and of what they take: weights, outputs, frames, texts."""

from __future__ import annotations

import csv
import os
import pickle
import time

import numpy as np
import pytest

pytest.importorskip("sklearn")

import joblib
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import catalase as ct
import catalase.sklearn as cs
import sklearn

SMILES = [stem + end for n in range(1, 16) for stem in ["C" * n] for end in ("O", "N", "Cl", "c1ccccc1")]
SIZES = np.array([float(len(text)) for text in SMILES])
KINDS = np.array(["alcohol", "amine", "chloride", "arene"] * 15)
FINGERPRINT = ct.feat.CircularFingerprint(size=256)
READERS = [
    cs.DenseRegressor(max_iter=20, featurizer=FINGERPRINT, random_state=0),
    cs.RidgeRegressor(featurizer=FINGERPRINT),
    cs.KNNRegressor(metric="tanimoto", featurizer=FINGERPRINT),
    cs.TanimotoGPRegressor(featurizer=FINGERPRINT, random_state=0),
    cs.DMPNNRegressor(16, ffn_hidden_size=16, max_iter=3, random_state=0),
    cs.SequenceRegressor(embedding_size=4, hidden_size=8, max_iter=3, random_state=0),
    cs.AutoRegressor(members=["Gaussian process"], splitter="random", random_state=0),
]
CLASSIFIERS = [
    cs.DenseClassifier(max_iter=20, featurizer=FINGERPRINT, random_state=0),
    cs.RidgeClassifier(featurizer=FINGERPRINT),
    cs.KNNClassifier(metric="tanimoto", featurizer=FINGERPRINT),
    cs.TanimotoGPClassifier(featurizer=FINGERPRINT, random_state=0),
    cs.DMPNNClassifier(16, ffn_hidden_size=16, max_iter=3, random_state=0),
    cs.SequenceClassifier(embedding_size=4, hidden_size=8, max_iter=3, random_state=0),
]


def named(estimator):
    return type(estimator).__name__


@pytest.fixture
def data(rng):
    X = rng.standard_normal((120, 4))
    return X, X[:, 0] - 2 * X[:, 1] + 0.1 * rng.standard_normal(120)


@pytest.mark.parametrize("estimator", READERS, ids=named)
def test_texts_in_any_form_give_one_answer(estimator):
    pd = pytest.importorskip("pandas")
    series = pd.Series(SMILES, index=range(100, 100 + len(SMILES)))
    fitted = clone(estimator).fit(SMILES, SIZES)
    found = fitted.predict(SMILES)
    assert found.shape == SIZES.shape and found.dtype == np.float64
    for X in (np.array(SMILES), np.array(SMILES, object)[:, None], series, series.to_frame("smiles")):
        assert np.array_equal(clone(estimator).fit(X, SIZES).predict(X), found)
    assert np.array_equal(pickle.loads(pickle.dumps(fitted)).predict(SMILES), found)  # noqa: S301
    assert not hasattr(fitted, "feature_names_in_")


@pytest.mark.parametrize("estimator", CLASSIFIERS, ids=named)
def test_classes_may_be_texts(estimator):
    fitted = clone(estimator).fit(SMILES, KINDS)
    assert fitted.classes_.tolist() == sorted(set(KINDS))
    assert set(fitted.predict(SMILES)) <= set(KINDS) and 0 <= fitted.score(SMILES, KINDS) <= 1
    if not isinstance(fitted, cs.RidgeClassifier):
        chances = fitted.predict_proba(SMILES)
        assert chances.shape == (60, 4) and np.allclose(chances.sum(axis=1), 1)
        assert np.array_equal(fitted.classes_[chances.argmax(axis=1)], fitted.predict(SMILES))
    else:
        assert fitted.decision_function(SMILES).shape == (60, 4) and not hasattr(fitted, "predict_proba")


def test_an_automatic_classifier_has_two_classes():
    X, y = SMILES[:60:2] + SMILES[1:60:2], KINDS[:60:2].tolist() + KINDS[1:60:2].tolist()
    two = np.where(np.isin(y, ["alcohol", "chloride"]), "hetero", "other")
    made = cs.AutoClassifier(members=["Gaussian process"], splitter="random", random_state=0).fit(X, two)
    assert made.predict_proba(X).shape == (60, 2) and made.score(X, two) > 0.8
    with pytest.raises(ValueError, match=r"AutoClassifier\.fit: y must have two classes, got 4"):
        clone(made).fit(X, y)


@pytest.mark.parametrize("estimator", [READERS[i] for i in (0, 1, 2, 3, 4, 5)], ids=named)
def test_several_outputs(estimator):
    y = np.stack([SIZES, -SIZES], axis=1)
    assert clone(estimator).fit(SMILES, y).predict(SMILES[:5]).shape == (5, 2)


@pytest.mark.parametrize("estimator", [CLASSIFIERS[i] for i in (0, 2, 3, 4, 5)], ids=named)
def test_several_outputs_have_classes_of_their_own(estimator):
    y = np.stack([KINDS, np.where(SIZES > 8, "long", "short")], axis=1)
    fitted = clone(estimator).fit(SMILES, y)
    assert [len(classes) for classes in fitted.classes_] == [4, 2]
    assert [chances.shape for chances in fitted.predict_proba(SMILES[:5])] == [(5, 4), (5, 2)]
    assert fitted.predict(SMILES[:5]).shape == (5, 2)
    assert all(np.allclose(chances.sum(axis=1), 1) for chances in fitted.predict_proba(SMILES[:5]))


def test_graphs_may_be_made_before_a_search():
    graphs = cs.MolGraphs().fit_transform(SMILES)
    estimator = cs.DMPNNRegressor(16, ffn_hidden_size=16, max_iter=3, random_state=0)
    before = cross_val_score(estimator, graphs, SIZES, cv=2)
    assert np.array_equal(before, cross_val_score(estimator, SMILES, SIZES, cv=2))
    assert np.array_equal(before, cross_val_score(make_pipeline(cs.MolGraphs(), estimator), SMILES, SIZES, cv=2))


def test_a_graph_net_with_descriptors_beside():
    estimator = cs.DMPNNRegressor(16, ffn_hidden_size=16, max_iter=2, extra=ct.feat.Descriptors(["MolWt"]))
    assert estimator.fit(SMILES, SIZES).model_.n_extra_features == 1


def test_a_pipeline_is_searched_by_two_processes_and_agrees_with_one():
    pipe = make_pipeline(cs.ECFP(size=256), cs.DenseRegressor(max_iter=5, random_state=0))
    grid = {"ecfp__radius": [1, 2], "denseregressor__hidden_layer_sizes": [(8,), (8, 8)]}
    one, two = (GridSearchCV(pipe, grid, cv=3, n_jobs=n).fit(SMILES, SIZES) for n in (1, 2))
    assert np.array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])
    assert one.best_params_ == two.best_params_ and np.array_equal(one.predict(SMILES), two.predict(SMILES))


@pytest.mark.skipif("CATALASE_DATA_DIR" not in os.environ, reason="needs the solubilities of Delaney's table")
def test_a_search_over_radius_and_layers_on_esol_takes_seconds():
    with open(os.path.join(os.environ["CATALASE_DATA_DIR"], "delaney-processed.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    smiles = [row["smiles"].strip() for row in rows]
    y = [float(row["measured log solubility in mols per litre"]) for row in rows]
    pipe = make_pipeline(cs.ECFP(size=1024), cs.DenseRegressor(random_state=0))
    grid = {"ecfp__radius": [1, 2], "denseregressor__hidden_layer_sizes": [(100,), (100, 100)]}
    start = time.process_time()
    found = GridSearchCV(pipe, grid, cv=3).fit(smiles, y)
    assert found.best_score_ > 0.5
    assert time.process_time() - start < 20  # of one process; n_jobs=2 is quicker


def test_cross_validation_votes_importances_and_calibration(data):
    X, y = data
    net = cs.DenseRegressor(learning_rate_init=0.01, random_state=0)
    assert cross_val_score(net, X, y, cv=3).min() > 0.9
    assert cross_val_predict(net, X, y, cv=3).shape == y.shape
    assert VotingRegressor([("net", net), ("ridge", cs.RidgeRegressor())]).fit(X, y).score(X, y) > 0.95
    found = permutation_importance(clone(net).fit(X, y), X, y, n_repeats=3, random_state=0).importances_mean
    assert found[1] > found[0] > max(found[2:])
    classes = np.where(y > 0, "up", "down")
    for base in (cs.RidgeClassifier(), cs.DenseClassifier(learning_rate_init=0.01, random_state=0)):
        calibrated = CalibratedClassifierCV(base, cv=3).fit(X, classes)
        assert calibrated.score(X, classes) > 0.9 and calibrated.predict_proba(X).shape == (120, 2)
    voters = [("net", cs.DenseClassifier(random_state=0)), ("near", cs.KNNClassifier())]
    assert VotingClassifier(voters, voting="soft").fit(X, classes).score(X, classes) > 0.9


def test_weights_are_routed_through_a_search(data):
    X, y = data
    weights = (np.arange(len(y)) % 3 > 0).astype(float)
    ridge = cs.RidgeRegressor(alpha=1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        asked = ridge.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        found = cross_validate(asked, X, y, cv=3, params={"sample_weight": weights}, return_estimator=True)
        plain = cross_validate(
            clone(ridge).set_fit_request(sample_weight=False).set_score_request(sample_weight=False),
            X, y, cv=3, params={}, return_estimator=True,
        )  # fmt: skip
    with_weights, without = (one["estimator"][0].predict(X) for one in (found, plain))
    assert not np.array_equal(with_weights, without)


@pytest.mark.parametrize("alpha", [0.3, 10.0])
def test_weighted_ridge_is_that_of_scikit_learn(data, alpha):
    X, y = data
    weights = np.linspace(0, 3, len(y))
    found = cs.RidgeRegressor(alpha=alpha).fit(X, y, sample_weight=weights).predict(X)
    assert np.allclose(found, Ridge(alpha=alpha).fit(X, y, sample_weight=weights).predict(X), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("estimator", [READERS[i] for i in (0, 1, 4, 5)], ids=named)
def test_rows_of_weight_zero_change_nothing(estimator):
    weights = np.arange(60) % 4 != 0
    kept = [text for text, there in zip(SMILES, weights, strict=True) if there]
    found = clone(estimator).fit(SMILES, SIZES, sample_weight=weights).predict(SMILES)
    assert np.array_equal(found, clone(estimator).fit(kept, SIZES[weights]).predict(SMILES))


def test_float64_is_trained_in_float64_and_float32_in_float32(data):
    X, y = data
    for dtype in (np.float64, np.float32):
        made = cs.DenseRegressor(max_iter=2, random_state=0).fit(X.astype(dtype), y)
        assert made.model_.dtype == np.dtype(dtype).name
        assert {array.dtype for array in made.model_.state_dict().values()} == {np.dtype(dtype)}
        assert made.predict(X.astype(dtype)).dtype == np.float64


def test_early_stopping_keeps_the_best_epoch_of_a_part_that_is_held_out(data):
    X, y = data
    made = cs.DenseRegressor(
        (64,), max_iter=500, early_stopping=True, n_iter_no_change=3, learning_rate_init=0.02, random_state=0
    ).fit(X, y)
    assert made.n_iter_ == len(made.validation_curve_) == len(made.loss_curve_) < 500
    assert made.n_iter_ - 1 - int(np.argmin(made.validation_curve_)) >= 3
    assert not hasattr(cs.DenseRegressor(max_iter=2).fit(X, y), "validation_curve_")
    one, same = (clone(made).fit(X, y).predict(X) for _ in range(2))
    assert np.array_equal(one, same)


def test_without_a_held_out_part_the_loss_decides(data):
    X, y = data
    assert cs.DenseRegressor(max_iter=1000, tol=0.05, learning_rate_init=0.01, random_state=0).fit(X, y).n_iter_ < 200


def test_names_of_a_frames_columns_are_kept_and_compared(data):
    pd = pytest.importorskip("pandas")
    X, y = data
    frame = pd.DataFrame(X, columns=list("abcd"))
    made = cs.RidgeRegressor().fit(frame, y)
    assert made.feature_names_in_.tolist() == list("abcd") and made.n_features_in_ == 4
    with pytest.raises(ValueError, match="feature names"):
        made.predict(frame[list("bacd")])


def test_molecules_and_numbers_of_one_frame():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"smiles": SMILES, "pH": np.tile([5.0, 7.0], 30)})
    columns = make_column_transformer((cs.ECFP(size=64), "smiles"), (StandardScaler(), ["pH"]))
    assert make_pipeline(columns, cs.RidgeRegressor()).fit(frame, SIZES).predict(frame).shape == (60,)


def test_sparse_matrices_give_the_bits_of_dense_ones():
    sparse = pytest.importorskip("scipy.sparse")
    X = cs.ECFP(size=512).fit_transform(SMILES)
    made, dense = (cs.DenseRegressor(max_iter=5, random_state=0).fit(a, SIZES) for a in (sparse.csr_array(X), X))
    assert np.array_equal(made.predict(sparse.csr_matrix(X)), dense.predict(X))
    with pytest.raises(TypeError, match="dense data is required"):
        cs.RidgeRegressor().fit(sparse.csr_array(X), SIZES)


def test_what_is_saved_is_the_model_which_reads_smiles_and_answers_in_units(tmp_path):
    made = cs.DenseRegressor(max_iter=5, featurizer=FINGERPRINT, random_state=0).fit(SMILES, SIZES)
    made.save(tmp_path / "m")
    loaded = ct.models.load(tmp_path / "m")
    assert np.array_equal(loaded.predict(SMILES)[:, 0].astype(np.float64), made.predict(SMILES))
    with pytest.raises(NotFittedError):
        cs.DenseRegressor().save(tmp_path / "n")
    of_numbers = clone(made).fit(np.zeros((60, 256)), SIZES)
    assert made.model_.featurizer == FINGERPRINT and of_numbers.model_.featurizer is None


def test_joblib_sends_a_fitted_estimator_to_other_processes(data):
    X, y = data
    made = cs.DenseRegressor(max_iter=3, random_state=0).fit(X, y)
    found = joblib.Parallel(n_jobs=2)(joblib.delayed(made.predict)(X) for _ in range(2))
    assert all(np.array_equal(one, made.predict(X)) for one in found)


def allotted(_):
    return ct.get_num_threads(), os.environ.get("OMP_NUM_THREADS")


def test_a_worker_of_joblib_uses_as_many_threads_as_are_allotted_to_it(monkeypatch):
    monkeypatch.delenv("CATALASE_NUM_THREADS", raising=False)
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        found = joblib.Parallel(n_jobs=2)(joblib.delayed(allotted)(i) for i in range(2))
    assert found == [(1, "1")] * 2


def test_deviations_come_with_the_means():
    made = clone(READERS[3]).fit(SMILES, SIZES)
    mean, std = made.predict(SMILES, return_std=True)
    assert np.allclose(mean, made.predict(SMILES), rtol=1e-4, atol=1e-4) and std.shape == (60,) and (std > 0).all()
