"""Nested validation and scrambled labels: test rows choose nothing, and luck is seen."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase.metrics import Metric, r2_score, rms_score
from tests.nonsense import Target, call, report

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 4))
DATA = ct.data.NumpyDataset(X, X @ [[1.0], [2.0], [-1.0], [0.5]] + 0.1 * RNG.normal(size=(80, 1)))


class Recorder:
    """A candidate that remembers which rows it was trained and scored on."""

    def __init__(self, error):
        self.error, self.trained, self.scored = error, [], []

    def __call__(self, train):
        self.trained.append(set(train.ids.tolist()))
        return self

    def evaluate(self, rows, metrics):
        self.scored.append(set(rows.ids.tolist()))
        return {"score": self.error}


def test_the_test_rows_are_seen_once_by_the_chosen_one_and_never_before():
    good, bad = Recorder(1.0), Recorder(2.0)
    result = ct.hyper.nested_validation({"bad": bad, "good": good}, DATA, Metric(rms_score), folds=4, maximize=False)
    assert result.chosen == ["good"] and len(good.trained) == 5 and len(bad.trained) == 4
    test = good.scored[-1]
    assert len(test) == 8
    for trained, scored in zip(good.trained, good.scored, strict=True):
        assert not trained & scored and not trained & test
    assert all(not scored & test for scored in [*bad.scored, *good.scored[:-1]])
    assert set.union(*good.scored[:-1]) | test == set(DATA.ids.tolist())
    assert result.validation == {"bad": [2.0], "good": [1.0]}


def test_outer_folds_cover_all_rows_once():
    one = Recorder(1.0)
    result = ct.hyper.nested_validation({"one": one}, DATA, Metric(r2_score), folds=2, outer_folds=4)
    tests = one.scored[2::3]
    assert len(result.test) == 4 and sum(map(len, tests)) == 80 and set.union(*tests) == set(DATA.ids.tolist())
    assert result.mean == 1 and result.standard_error == 0 and "one: 1 on test" in str(result)


def test_the_larger_score_is_chosen_where_that_is_better():
    candidates = {"low": Recorder(0.1), "high": Recorder(0.9)}
    assert ct.hyper.nested_validation(candidates, DATA, Metric(r2_score)).chosen == ["high"]


def score(y):
    model = ct.models.RidgeRegression(1, 4)
    model.fit(ct.data.NumpyDataset(X[::2], y[::2]))
    return r2_score(y[1::2], model.predict(X[1::2]))


def test_a_model_that_has_learned_is_better_than_all_with_shuffled_labels():
    found = ct.hyper.y_scrambling(score, DATA.y, repeats=19)
    assert found.score > 0.9 > max(found.scrambled) and found.p_value == 0.05


def test_a_score_by_luck_is_seen():
    noise = np.random.default_rng(2).normal(size=(80, 1))
    assert ct.hyper.y_scrambling(score, noise, repeats=19).p_value > 0.1
    again = ct.hyper.y_scrambling(score, noise, repeats=3, seed=4)
    assert again == ct.hyper.y_scrambling(score, noise, repeats=3, seed=4)


def test_nonsense():
    kinds = {
        "candidates": "ours", "dataset": "ours", "metric": "ours", "splitter": "ours?", "folds": "whole", "outer_folds": "whole?", "maximize": "flag", "seed": "whole",
        "score": "function", "y": "anything", "repeats": "whole",
    }  # fmt: skip
    also = {"metric": ["metrics"]}
    own = Metric(lambda y, p: 0.0, mode="regression")  # of which nobody knows the better direction
    valid = call({"one": Recorder(1.0)}, DATA, own, splitter=ct.splits.IndexSplitter(), folds=2, outer_folds=2, maximize=False, seed=0)  # fmt: skip
    wrong = Target(ct.hyper.nested_validation, lambda: valid, kinds, also=also).failures()
    wrong += Target(
        ct.hyper.y_scrambling, lambda: call(lambda y: 1.0, [1.0, 2.0], repeats=1, maximize=True, seed=0), kinds
    ).failures()
    assert not wrong, report(wrong)


@pytest.mark.parametrize("candidates", [{}, {"a": 3}, {1: len}])
def test_candidates_must_be_functions_by_name(candidates):
    with pytest.raises(TypeError, match="candidates must be a dict of functions by name"):
        ct.hyper.nested_validation(candidates, DATA, Metric(rms_score))
