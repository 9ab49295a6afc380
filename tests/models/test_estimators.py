"""Tests of scikit-learn's estimators as models: what the estimator itself gives, missing labels, folders, refusals."""

from __future__ import annotations

import copy
import sys

import numpy as np
import pytest

import catalase as ct
from catalase import models
from catalase._internal import storage

sklearn = pytest.importorskip("sklearn")
pytest.importorskip("skops")

from sklearn.base import BaseEstimator, ClassifierMixin, clone  # noqa: E402
from sklearn.cluster import KMeans  # noqa: E402
from sklearn.dummy import DummyRegressor  # noqa: E402
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor  # noqa: E402
from sklearn.gaussian_process import GaussianProcessRegressor, kernels  # noqa: E402
from sklearn.linear_model import LogisticRegression, Ridge  # noqa: E402
from sklearn.neighbors import KNeighborsRegressor  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import FunctionTransformer, StandardScaler  # noqa: E402
from sklearn.svm import LinearSVC  # noqa: E402
from sklearn.utils import all_estimators  # noqa: E402


def forest(**options):
    return RandomForestRegressor(n_estimators=5, random_state=0, **options)


@pytest.fixture
def data(rng):
    X = rng.standard_normal((60, 5)).astype(np.float32)
    y = np.stack([X[:, 0], X[:, 1] - X[:, 2]], axis=1).astype(np.float64)
    y[rng.random(y.shape) < 0.3] = np.nan
    w = rng.uniform(0.5, 2, y.shape) * ~np.isnan(y)
    return ct.data.NumpyDataset(X, y, w, tasks=["a", "b"])


def test_each_task_is_fitted_by_its_own_copy_on_the_rows_whose_label_is_known(data):
    given = forest()
    model = models.SklearnModel(given)
    model.fit(data, nb_epoch=3, valid=data)
    found = model.predict(data)
    assert found.shape == (60, 2) and found.dtype == np.float64 and not hasattr(given, "estimators_")
    for task in range(2):
        known = data.w[:, task] != 0
        twin = clone(given).fit(data.X[known], data.y[known, task], data.w[known, task])
        assert np.array_equal(found[:, task], twin.predict(data.X))
    assert model.tasks == ["a", "b"] and len(model.estimators) == 2 and model.n_features == 5
    unweighted = models.SklearnModel(given, use_weights=False)
    unweighted.fit(data)
    known = data.w[:, 0] != 0
    twin = clone(given).fit(data.X[known], data.y[known, 0])
    assert np.array_equal(unweighted.predict(data)[:, 0], twin.predict(data.X))


def test_weights_are_left_out_where_the_estimator_takes_none(data):
    model = models.SklearnModel(KNeighborsRegressor(3))
    model.fit(data)
    known = data.w[:, 0] != 0
    twin = KNeighborsRegressor(3).fit(data.X[known], data.y[known, 0])
    assert np.array_equal(model.predict(data)[:, 0], twin.predict(data.X))


def test_classifiers_give_probabilities_of_every_class_of_every_task(rng):
    X = rng.standard_normal((80, 4))
    y = np.stack([X[:, 0] > 0, 2 * (X[:, 1] > 0)], axis=1).astype(float)  # the second task has no class 1
    y[:7, 0] = np.nan
    data = ct.data.NumpyDataset(X, y)
    model = models.SklearnModel(RandomForestClassifier(5, random_state=0))
    model.fit(data)
    found = model.predict(data)
    assert found.shape == (80, 2, 3) and np.allclose(found.sum(axis=2), 1)
    twin = RandomForestClassifier(5, random_state=0).fit(X.astype(data.X.dtype)[7:], y[7:, 0].astype(int))
    assert np.array_equal(found[:, 0, :2], twin.predict_proba(data.X)) and not found[:, 0, 2].any()
    assert not found[:, 1, 1].any()
    scores = model.evaluate(data, ct.metrics.Metric(ct.metrics.accuracy_score))
    assert scores["accuracy_score"] > 0.9
    hard = models.SklearnModel(LinearSVC())
    hard.fit(ct.data.NumpyDataset(X, y[:, 1]))
    classes = hard.estimators[0].predict(data.X)
    assert np.array_equal(hard.predict(data.X)[:, 0], np.eye(3)[classes])


def test_predictions_come_in_the_units_of_the_measurement_and_are_scored(data):
    one = ct.data.NumpyDataset(data.X, 100 + 50 * data.X[:, :1].astype(float))
    normal = ct.trans.NormalizationTransformer(transform_y=True, dataset=one)
    model = models.SklearnModel(Ridge(alpha=1e-6))
    model.transformers = [normal]
    model.fit(normal.transform(one))
    assert np.allclose(model.predict(one), one.y, atol=1e-2) and abs(model.predict(one, raw=True)).max() < 5
    assert model.evaluate(one, ct.metrics.Metric(ct.metrics.r2_score))["r2_score"] > 0.999


SMILES = ["CCO", "CCN", "CCCC", "c1ccccc1", "c1ccccc1O", "CC(=O)O", "CCCl", "CCBr"]


def test_smiles_go_in_where_the_dataset_has_a_featurizer_and_the_folder_keeps_it(tmp_path):
    featurizer = ct.feat.CircularFingerprint(size=64)
    y = np.arange(8.0)[:, None]
    bits = ct.ops.ecfp(SMILES, size=64)
    dense = np.unpackbits(bits, axis=1, bitorder="little").astype(np.float32)
    found = []
    for X in (bits, dense):
        data = ct.data.NumpyDataset(X, y, ids=SMILES, tasks=["size"])
        data.featurizer = featurizer
        model = models.SklearnModel(forest())
        model.fit(data)
        assert model.n_features == 64
        found += [model.predict(SMILES), model.predict(bits), model.predict(dense)]
        model.save(tmp_path / "m")
        again = models.load(tmp_path / "m")
        assert again.featurizer.agrees_with(featurizer) and again.tasks == ["size"]
        found.append(again.predict(SMILES))
    assert all(np.array_equal(a, found[0]) for a in found)
    assert np.isnan(model.predict([*SMILES, "no molecule"], errors="mask")[8]).all()
    own = models.SklearnModel(forest())
    own.featurizer = featurizer
    own.fit(ct.data.NumpyDataset(bits, y))
    assert np.array_equal(own.predict(SMILES), found[0])
    with pytest.raises(ValueError, match="X is uint8, which may be packed bits or numbers; give the dataset"):
        models.SklearnModel(forest()).fit(ct.data.NumpyDataset(bits, y))
    model.featurizer = ct.feat.CircularFingerprint(size=128)
    with pytest.raises(
        ValueError, match="the model takes 64 features, but its featurizer names fingerprints of size 128"
    ):
        model.predict(SMILES)


ESTIMATORS = [name for kind in ("classifier", "regressor") for name, _ in all_estimators(kind)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_of_scikit_learn_is_saved_and_loaded(name, rng, tmp_path):
    kind = dict(all_estimators())[name]
    X = rng.random((40, 5))
    y = (X[:, 0] > 0.5).astype(float)
    try:
        model = models.SklearnModel(kind())
        model.fit(ct.data.NumpyDataset(X, y))
    except (TypeError, ValueError):
        pytest.skip("needs other arguments or other labels")
    model.save(tmp_path / "m")
    assert np.array_equal(models.load(tmp_path / "m").predict(X), model.predict(X))


def test_pipelines_and_kernels_are_saved_and_may_be_fitted_again(data, tmp_path):
    kernel = kernels.ConstantKernel() * kernels.RBF() + kernels.WhiteKernel() + kernels.Matern()
    for estimator in (make_pipeline(StandardScaler(), Ridge()), GaussianProcessRegressor(kernel, optimizer=None)):
        model = models.SklearnModel(estimator, use_weights=False)
        model.save(tmp_path / "before")
        with pytest.raises(ValueError, match="learned nothing yet"):
            models.load(tmp_path / "before").predict(data.X)
        model.fit(data)
        model.save(tmp_path / "m")
        again = models.load(tmp_path / "m")
        assert again.use_weights is False and np.array_equal(again.predict(data.X), model.predict(data.X))
        again.fit(data)
        assert np.array_equal(again.predict(data.X), model.predict(data.X))
        assert np.array_equal(copy.deepcopy(model).predict(data.X), model.predict(data.X))


def test_a_folder_given_at_the_start_is_where_it_is_saved(data, tmp_path):
    model = models.SklearnModel(model=Ridge(), model_dir=tmp_path / "m")  # DeepChem's names
    model.fit(data)
    model.save()
    assert np.array_equal(models.load(tmp_path / "m").predict(data), model.predict(data))
    with pytest.raises(ValueError, match="save: needs a path, or a model_dir"):
        models.SklearnModel(Ridge()).save()


def test_an_ensemble_of_estimators_is_a_model(data, tmp_path):
    members = [models.SklearnModel(RandomForestRegressor(3, random_state=s)) for s in range(2)]
    model = models.Ensemble(members)
    model.fit(data)
    model.save(tmp_path / "m")
    mean = np.mean([m.predict(data) for m in members], axis=0)
    assert np.allclose(model.predict(data), mean, atol=1e-6)
    assert np.array_equal(models.load(tmp_path / "m").predict(data), model.predict(data))


class Stranger(ClassifierMixin, BaseEstimator):
    """A class of the user's own."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.zeros(len(X), int)


def test_types_that_are_not_known_as_safe_are_neither_saved_nor_loaded(data, tmp_path):
    for estimator, word in (
        (Stranger(), "Stranger"),
        (make_pipeline(FunctionTransformer(sys.getsizeof), Ridge()), "getsizeof"),
    ):
        model = models.SklearnModel(estimator)
        with pytest.raises(
            TypeError, match=rf"SklearnModel.save: the estimator holds \S*{word}, which is not known as safe"
        ):
            model.save(tmp_path / "m")
    assert not (tmp_path / "m").exists()
    import skops.io

    safe = models.SklearnModel(Ridge())
    safe.fit(data)
    safe.save(tmp_path / "m")
    config, arrays = storage.load_folder(tmp_path / "m")
    arrays["task.0"] = np.frombuffer(skops.io.dumps(Stranger()), np.uint8)
    storage.save_folder(tmp_path / "m", config, arrays)
    with pytest.raises(TypeError, match="Stranger, which is not known as safe"):
        models.load(tmp_path / "m")


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda a: a.pop("task.1"), "needed the names"),
        (lambda a: a.pop("sizes"), "must hold the names"),
        (lambda a: a.update(sizes=np.array([2, 5])), "must hold the names"),
        (lambda a: a.update(sizes=np.array([2**40, 5, 1])), "needed the names"),
        (lambda a: a.update(sizes=np.array([2, 5, 3])), "needed the names"),
        (lambda a: a.update(estimator=np.zeros(3, np.uint8)), "skops cannot read the estimator"),
        (lambda a: a.update(estimator=np.zeros(3)), r"estimator must be bytes \(uint8\)"),
    ],
)
def test_a_folder_that_was_altered_is_refused(data, tmp_path, change, words):
    model = models.SklearnModel(Ridge())
    model.fit(data)
    model.save(tmp_path / "m")
    config, arrays = storage.load_folder(tmp_path / "m")
    change(arrays)
    storage.save_folder(tmp_path / "m", config, arrays)
    with pytest.raises(ValueError, match=words):
        models.load(tmp_path / "m")
    before = model.predict(data)
    with pytest.raises(ValueError, match=words):
        model.load_state_dict(arrays)
    assert np.array_equal(model.predict(data), before)


def test_bad_data_and_estimators_are_refused_and_change_nothing(data):
    for wrong in (KMeans(), StandardScaler(), Ridge, "Ridge", None):
        with pytest.raises(TypeError, match="SklearnModel: model must be a classifier or a regressor of scikit-learn"):
            models.SklearnModel(wrong)
    model = models.SklearnModel(LogisticRegression())
    X = data.X
    with pytest.raises(ValueError, match=r"class numbers from 0 to 1, got 0\.5 at row 0, task 0"):
        model.fit(ct.data.NumpyDataset(X, np.full(60, 0.5)))
    with pytest.raises(ValueError, match="class numbers from 0 to 999999, got 1e\\+30"):
        model.fit(ct.data.NumpyDataset(X, np.full(60, 1e30)))
    with pytest.raises(ValueError, match="LogisticRegression refuses y of task 1: "):
        model.fit(ct.data.NumpyDataset(X, np.stack([X[:, 0] > 0, X[:, 0] > 99], axis=1)))
    with pytest.raises(ValueError, match=r"task 1 has no labels"):
        model.fit(ct.data.NumpyDataset(X, np.stack([X[:, 0] > 0] * 2, 1), np.array([[1, 0]] * 60)))
    with pytest.raises(ValueError, match="X must have shape"):
        model.fit(ct.data.NumpyDataset(X[:, :, None], X[:, 0] > 0))
    assert (model.n_tasks, model.n_features, model.estimators) == (0, 0, [])
    model.fit(ct.data.NumpyDataset(X, X[:, 0] > 0))
    before = model.predict(X)
    with pytest.raises(ValueError, match="X holds nan at row 0"):
        model.fit(ct.data.NumpyDataset(np.full((9, 2), np.nan), np.arange(9) % 2))
    assert np.array_equal(model.predict(X), before) and model.n_features == 5
    with pytest.raises(ValueError, match=r"X must have shape \(rows, 5\), got \(3, 2\)"):
        model.predict(np.ones((3, 2)))
    assert model.predict(np.ones((0, 5))).shape == (0, 1, 2)


def test_the_sentence_where_the_packages_are_missing(data, tmp_path, monkeypatch):
    model = models.SklearnModel(DummyRegressor())
    model.fit(data)
    model.save(tmp_path / "m")
    monkeypatch.setitem(sys.modules, "skops.io", None)
    with pytest.raises(
        ImportError, match=r"skops is needed to save and load estimators; pip install 'catalase\[sklearn\]'"
    ):
        models.load(tmp_path / "m")
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match=r"SklearnModel: scikit-learn is needed; pip install 'catalase\[sklearn\]'"):
        models.SklearnModel(DummyRegressor())
