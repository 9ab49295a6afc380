"""Tests of LightGBM's trees as models: early stopping, tasks with missing labels, folders, refusals."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import catalase as ct
from catalase import models
from catalase._internal import storage

lightgbm = pytest.importorskip("lightgbm")
pytest.importorskip("sklearn")


def regressor(**options):
    return lightgbm.LGBMRegressor(**{"n_estimators": 60, "learning_rate": 0.3, "num_threads": 1, **options})


def classifier(**options):
    return lightgbm.LGBMClassifier(**{"n_estimators": 60, "learning_rate": 0.3, "num_threads": 1, **options})


@pytest.fixture
def parts(rng):
    X = rng.standard_normal((300, 4)).astype(np.float32)
    y = (X[:, :2] + 0.5 * rng.standard_normal((300, 2))).astype(np.float64)
    y[rng.random(y.shape) < 0.2] = np.nan
    data = ct.data.NumpyDataset(X, y, tasks=["a", "b"])
    return data.select(range(220)), data.select(range(220, 300))


def test_boosting_stops_by_the_validation_set_with_lightgbms_own_predictions(parts):
    train, valid = parts
    model = models.GBDTModel(regressor(n_estimators=500), early_stopping_rounds=5)
    model.fit(train, valid=valid)
    found = model.predict(valid)
    assert found.shape == (80, 2)
    for task in range(2):
        own, held = train.w[:, task] != 0, valid.w[:, task] != 0
        twin = regressor(n_estimators=500, verbose=-1).fit(
            train.X[own], train.y[own, task], eval_X=valid.X[held], eval_y=valid.y[held, task], eval_metric="mae",
            callbacks=[lightgbm.early_stopping(5, verbose=False)],
        )  # fmt: skip
        assert 0 < twin.best_iteration_ < 400
        assert np.array_equal(found[:, task], twin.booster_.predict(valid.X, num_iteration=twin.best_iteration_))
    again = models.GBDTModel(regressor(n_estimators=500), early_stopping_rounds=5)
    again.fit_with_eval(train, valid)
    assert np.array_equal(again.predict(valid), found)


def test_without_a_validation_set_the_rounds_are_found_on_a_fifth_and_grown_on_all(parts):
    train, valid = parts
    model = models.GBDTModel(regressor(n_estimators=500), early_stopping_rounds=5)
    model.fit(train)
    assert 1 <= model.estimators[0].num_trees() < 500
    assert np.array_equal(model.predict(valid), model.predict(valid))
    score = model.evaluate(valid, ct.metrics.Metric(ct.metrics.r2_score))["r2_score"]
    assert score > 0.5


@pytest.mark.parametrize("classes", [2, 3])
def test_classes_have_probabilities_and_survive_a_folder(parts, tmp_path, classes):
    train, valid = parts
    to_classes = lambda d: ct.data.NumpyDataset(d.X, np.digitize(d.X[:, 0], [0, 0.5][: classes - 1]), tasks=["c"])  # noqa: E731
    train, valid = to_classes(train), to_classes(valid)
    model = models.GBDTModel(classifier(), early_stopping_rounds=5)
    model.fit(train, valid=valid)
    found = model.predict(valid)
    assert found.shape == (80, 1, classes) and np.allclose(found.sum(axis=2), 1)
    assert (found.argmax(axis=2) == valid.y.reshape(-1, 1)).mean() > 0.9
    model.save(tmp_path / "m")
    again = models.load(tmp_path / "m")
    assert np.array_equal(again.predict(valid), found)
    assert again.model.get_params() == model.model.get_params() and again.early_stopping_rounds == 5
    again.fit(train, valid=valid)
    assert np.array_equal(again.predict(valid), found)


def test_the_trees_are_saved_in_lightgbms_text_format_without_skops(parts, tmp_path, monkeypatch):
    train, valid = parts
    monkeypatch.setitem(sys.modules, "skops", None)
    model = models.GBDTModel(regressor(random_state=3), eval_metric="l2")
    model.fit(train, valid=valid)
    model.save(tmp_path / "m")
    _, arrays = storage.load_folder(tmp_path / "m")
    text = arrays["task.1"].tobytes().decode()
    assert text.startswith("tree\nversion=")
    assert np.array_equal(lightgbm.Booster(model_str=text).predict(valid.X), model.predict(valid)[:, 1])
    again = models.load(tmp_path / "m")
    assert again.eval_metric == "l2" and np.array_equal(again.predict(valid), model.predict(valid))


def test_weights_count_unless_told_otherwise(parts):
    train, valid = parts
    weighted = ct.data.NumpyDataset(train.X, train.y, np.where(train.X[:, :1] > 0, 5.0, 1.0) * train.w)
    found = []
    for use in (True, False):
        model = models.GBDTModel(regressor(), use_weights=use)
        model.fit(weighted, valid=valid)
        found.append(model.predict(valid))
    plain = models.GBDTModel(regressor())
    plain.fit(train, valid=valid)
    assert np.array_equal(found[1], plain.predict(valid)) and not np.array_equal(found[0], found[1])


def test_what_does_not_fit_is_refused(parts, tmp_path):
    train, valid = parts
    sklearn_linear = pytest.importorskip("sklearn.linear_model")
    for wrong in (sklearn_linear.Ridge(), lightgbm.LGBMRanker(), "x", None):
        with pytest.raises(TypeError, match="GBDTModel: model must be LGBMClassifier"):
            models.GBDTModel(wrong)
    with pytest.raises(ValueError, match="early_stopping_rounds must be a whole number, 1 or more"):
        models.GBDTModel(regressor(), early_stopping_rounds=0)
    with pytest.raises(ValueError, match="LightGBM refuses y of task 0"):
        models.GBDTModel(regressor(objective="no such")).fit(train, valid=valid)
    with pytest.raises(ValueError, match=r"fit \(valid\): X must have shape"):
        models.GBDTModel(regressor()).fit(train, valid=ct.data.NumpyDataset(valid.X[:, :2], valid.y))
    own = models.GBDTModel(regressor(), eval_metric=lambda y, p: ("x", 0.0, False))
    own.fit(train, valid=valid)
    with pytest.raises(TypeError, match="eval_metric is a function"):
        own.save(tmp_path / "m")
    with pytest.raises(TypeError, match="settings of the model must be numbers, texts"):
        models.GBDTModel(regressor(objective=lambda y, p: (p - y, np.ones_like(y)))).save(tmp_path / "m")
    model = models.GBDTModel(regressor())
    model.fit(train, valid=valid)
    model.save(tmp_path / "m")
    config, arrays = storage.load_folder(tmp_path / "m")
    for name, bad in (("task.0", b"no trees"), ("estimator", b'{"class": "Popen", "settings": {}}')):
        storage.save_folder(tmp_path / "m", config, arrays | {name: np.frombuffer(bad, np.uint8)})
        with pytest.raises(ValueError, match="LightGBM"):
            models.load(tmp_path / "m")


def test_the_sentence_where_lightgbm_is_missing(monkeypatch):
    model = regressor()
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(ImportError, match=r"LightGBM is needed; pip install 'catalase\[boosting\]'"):
        models.GBDTModel(model)
