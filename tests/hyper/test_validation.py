"""Cross-validation and curves of scores."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.linear_model import Ridge

import catalase as ct
from catalase import hyper
from catalase.metrics import Metric, rms_score
from tests.hyper.test_choosing import Recorder
from tests.nonsense import Target, call, report

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 5))
DATA = ct.data.NumpyDataset(X, X @ RNG.normal(size=(5, 1)) + RNG.normal(size=(60, 1)))
RMS = Metric(rms_score)


def ridge(train, alpha=1.0):
    model = ct.models.RidgeRegression(1, 5, alpha=alpha)
    model.fit(train)
    return model


def ids(dataset):
    return set(dataset.ids.tolist())


def test_each_row_is_held_out_once_and_scores_are_those_of_the_folds():
    found = hyper.cross_validate(ridge, DATA, RMS, folds=4, seed=3)
    folds = ct.splits.RandomSplitter().k_fold_split(DATA, 4, seed=3)
    for score, model, (train, valid) in zip(found.scores, found.models, folds, strict=True):
        theirs = Ridge(alpha=1.0).fit(train.X, train.y[:, 0])
        assert score == pytest.approx(rms_score(valid.y[:, 0], theirs.predict(valid.X)), rel=1e-4)
        assert model.evaluate(valid, [RMS])["rms_score"] == score
    assert found.mean == np.mean(found.scores)
    assert found.standard_error == pytest.approx(np.std(found.scores, ddof=1) / 2)
    assert "4 folds" in str(found)
    with ThreadPoolExecutor(3) as threads:
        assert hyper.cross_validate(ridge, DATA, RMS, folds=4, seed=3, executor=threads).scores == found.scores


def test_parts_of_a_learning_curve_grow_and_never_hold_rows_of_the_fold():
    recorder = Recorder(1.0)
    curve = hyper.learning_curve(recorder, DATA, RMS, sizes=[5, 0.5, 1.0], folds=3)
    assert curve.values == [5, 20, 40] and curve.train.shape == curve.valid.shape == (3, 3)
    assert [len(rows) for rows in recorder.trained] == [5] * 3 + [20] * 3 + [40] * 3
    for fold in range(3):
        small, middle, all_rows = recorder.trained[fold::3]
        assert small < middle < all_rows and not all_rows & recorder.scored[2 * fold]
    for held_out, train, trained in zip(recorder.scored[::2], recorder.scored[1::2], recorder.trained, strict=True):
        assert train == trained and not held_out & trained


def test_more_rows_help_and_training_scores_get_worse():
    curve = hyper.learning_curve(ridge, DATA, RMS)
    assert curve.valid[0].mean() > curve.valid[-1].mean() and curve.train[0].mean() < curve.train[-1].mean()
    assert curve.name == "training rows"


def test_a_validation_curve_is_a_cross_validation_for_each_value():
    values = [1e-3, 1.0, 1e3]
    curve = hyper.validation_curve(ridge, "alpha", np.array(values), DATA, RMS, folds=3, seed=1)
    assert curve.name == "alpha" and curve.values == values
    for value, scores in zip(values, curve.valid, strict=True):
        found = hyper.cross_validate(lambda train, value=value: ridge(train, value), DATA, RMS, folds=3, seed=1)
        assert scores.tolist() == found.scores
    with ThreadPoolExecutor(2) as threads:
        again = hyper.validation_curve(ridge, "alpha", values, DATA, RMS, folds=3, seed=1, executor=threads)
    assert np.array_equal(again.valid, curve.valid) and np.array_equal(again.train, curve.train)


def test_nested_validation_takes_an_executor_with_the_same_result():
    candidates = {"weak": ridge, "strong": lambda train: ridge(train, 1e4)}
    options = {"folds": 3, "outer_folds": 3, "maximize": False}
    expected = hyper.nested_validation(candidates, DATA, RMS, **options)
    with ThreadPoolExecutor(2) as threads:
        found = hyper.nested_validation(candidates, DATA, RMS, **options, executor=threads)
    assert found[:3] == expected[:3]


def test_a_fold_that_fails_is_named():
    def fails(train, width=1):
        raise OSError("full")

    for call_, words in (
        (lambda: hyper.cross_validate(fails, DATA, RMS), "cross_validate: fold 1 of 5 failed: OSError: full"),
        (
            lambda: hyper.learning_curve(fails, DATA, RMS, sizes=[7]),
            "learning_curve: fold 1 with 7 rows failed: OSError",
        ),
        (
            lambda: hyper.validation_curve(fails, "width", [3], DATA, RMS),
            "validation_curve: fold 1 with width=3 failed",
        ),
        (
            lambda: hyper.nested_validation({"a": fails}, DATA, RMS, maximize=False),
            "nested_validation: 'a' in fold 1 of 5 failed: OSError",
        ),
    ):
        with pytest.raises(RuntimeError, match=f"^{words}"):
            call_()


@pytest.mark.parametrize("sizes", [[0.0], [1.5], [-3], [41], [], [True]])
def test_sizes_that_a_fold_does_not_have_are_refused(sizes):
    with pytest.raises(ValueError, match="learning_curve: sizes must be"):
        hyper.learning_curve(ridge, DATA, RMS, sizes=sizes, folds=3)


def test_nonsense():
    kinds = {
        "make": "function", "dataset": "ours", "metric": "ours", "splitter": "ours?", "folds": "whole", "seed": "whole", "executor": "ours?",
        "sizes": "anything", "name": "word", "values": "names",
    }  # fmt: skip
    also = {"metric": ["metrics"]}
    options = {"splitter": ct.splits.IndexSplitter(), "folds": 2, "seed": 0, "executor": None}

    def make(train, **settings):
        return Recorder(1.0)(train)

    wrong = Target(hyper.cross_validate, lambda: call(make, DATA, RMS, **options), kinds, also=also).failures()
    wrong += Target(
        hyper.learning_curve, lambda: call(make, DATA, RMS, sizes=[0.5], **options), kinds, also=also
    ).failures()
    wrong += Target(
        hyper.validation_curve, lambda: call(make, "width", [1], DATA, RMS, **options), kinds, also=also
    ).failures()
    assert not wrong, report(wrong)
