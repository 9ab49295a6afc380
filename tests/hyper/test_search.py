"""Searches for settings: what they try, what wins, the same result for any executor and after a kill, and refusals."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

import catalase as ct
from catalase.metrics import Metric, pearsonr, r2_score, rms_score
from tests.nonsense import Target, call, report

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 6)).astype(np.float32)
Y = X @ RNG.normal(size=(6, 1)) + np.sin(3 * X[:, :1])
TRAIN, VALID = ct.data.NumpyDataset(X[:60], Y[:60]), ct.data.NumpyDataset(X[60:], Y[60:])
RMS, R2 = Metric(rms_score), Metric(r2_score)


def net(**settings):
    return ct.models.MultitaskRegressor(1, 6, seed=0, batch_size=20, **{"layer_sizes": [8], **settings})


class Scored:
    """A model whose score is known from its settings."""

    made: list = []

    def __init__(self, **settings):
        self.settings = settings
        Scored.made.append(settings)

    def fit(self, dataset):
        self.rows = len(dataset)

    def evaluate(self, dataset, metrics, transformers=None):
        return {metrics[0].name: self.settings["score"]}


@pytest.fixture(autouse=True)
def nothing_is_made():
    Scored.made = []


def grid(build=net, **options):
    params = {"layer_sizes": [[4], [16]], "dropouts": [0.0, 0.3], "learning_rate": [0.001, 0.01]}
    return ct.hyper.GridHyperparamOpt(build).hyperparam_search(
        params, TRAIN, VALID, RMS, nb_epoch=3, use_max=False, **options
    )


def same(a, b):
    equal = all(np.array_equal(v, b[0].state_dict()[k]) for k, v in a[0].state_dict().items())
    return equal and a[1:] == b[1:]


def test_a_grid_tries_every_combination_and_returns_the_best_as_deepchem_does():
    model, settings, scores = grid()
    assert len(scores) == 8
    assert "_dropouts_0.300000_layer_sizes[16]_learning_rate_0.010000" in scores  # DeepChem's own key
    assert set(settings) == {"layer_sizes", "dropouts", "learning_rate"}
    again = net(**settings)
    again.fit(TRAIN, nb_epoch=3)
    assert (
        again.evaluate(VALID, [RMS])["rms_score"] == min(scores.values()) == model.evaluate(VALID, [RMS])["rms_score"]
    )


@pytest.mark.parametrize("use_max", [True, False])
def test_of_equal_scores_the_first_wins_and_nan_never_does(use_max):
    scores = [float("nan"), 1.0, 2.0, 2.0, 1.0]
    own = Metric(lambda y, p: 0.0, mode="regression")  # of which nobody knows the better direction
    params = {"score": scores, "other": ["a", "b"]}
    search = ct.hyper.GridHyperparamOpt(Scored)
    found = search.hyperparam_search(params, TRAIN, VALID, own, use_max=use_max)
    assert found.best_hyperparams == {"score": 2.0 if use_max else 1.0, "other": "a"}
    assert found.best_model.settings == found.best_hyperparams and found.best_model.rows == 60
    with pytest.raises(ValueError, match="GridHyperparamOpt: metric is nan for all 1 trials"):
        search.hyperparam_search({"score": [float("nan")]}, TRAIN, VALID, own)


class Backwards(Executor):
    """Runs what it was given in the order from last to first, once it has all eight jobs."""

    def __init__(self):
        self.waiting = []

    def submit(self, function, /, *args):
        future = Future()
        self.waiting.append((future, function, args))
        if len(self.waiting) == 8:
            for one, job, given in reversed(self.waiting):
                if one.set_running_or_notify_cancel():
                    try:
                        one.set_result(job(*given))
                    except Exception as error:
                        one.set_exception(error)
        return future


def test_the_result_is_the_same_for_any_executor(tmp_path):
    expected = grid()
    assert same(grid(executor=Backwards()), expected)
    with ThreadPoolExecutor(2) as threads:
        assert same(grid(executor=threads, logdir=tmp_path), expected)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as processes:
        assert same(grid(executor=processes), expected)
    assert len((tmp_path / "trials.jsonl").read_text().splitlines()) == 9


def fails(dropouts, **settings):
    if dropouts == 0.3:
        raise KeyError("no such thing")
    return net(dropouts=dropouts, **settings)


@pytest.mark.parametrize("executor", [None, Backwards], ids=["in turn", "backwards"])
def test_a_trial_that_fails_is_named_with_its_settings(executor):
    words = r"^GridHyperparamOpt: the trial {'layer_sizes': \[4\], 'dropouts': 0.3, 'learning_rate': 0.001} failed: KeyError"
    with pytest.raises(RuntimeError, match=words) as caught:
        grid(fails, executor=executor and executor())
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_log_has_a_line_for_each_trial_and_is_not_run_again(tmp_path):
    params = {"score": [3.0, 1.0, float("nan"), 2.0]}
    search = ct.hyper.GridHyperparamOpt(Scored)
    first = search.hyperparam_search(params, TRAIN, VALID, R2, logdir=tmp_path / "new" / "folder")
    lines = [json.loads(line) for line in (tmp_path / "new" / "folder" / "trials.jsonl").read_text().splitlines()]
    assert lines[0]["search"] == "GridHyperparamOpt" and [line["score"] for line in lines[1:]] == [3.0, 1.0, None, 2.0]
    Scored.made = []
    again = search.hyperparam_search(params, TRAIN, VALID, R2, logdir=tmp_path / "new" / "folder")
    assert Scored.made == [{"score": 3.0}]  # the best model is made again
    assert again[1] == first[1] and repr(again[2]) == repr(first[2])


@pytest.mark.parametrize("cut", [1, 40, 400, 700, 1000])
def test_a_search_goes_on_from_a_log_that_was_cut_off_anywhere(tmp_path, cut):
    whole = grid(logdir=tmp_path)
    log = tmp_path / "trials.jsonl"
    content = log.read_bytes()
    log.write_bytes(content[:cut])
    assert same(grid(logdir=tmp_path), whole)
    assert sorted(log.read_bytes().splitlines()[1:]) == sorted(content.splitlines()[1:])


def slow(**settings):
    time.sleep(0.05)
    return net(**settings)


def test_a_search_that_is_killed_goes_on(tmp_path):
    code = "from tests.hyper.test_search import *; import sys; grid(slow, logdir=sys.argv[1])"
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    log, end = tmp_path / "trials.jsonl", time.monotonic() + 60
    while (not log.exists() or log.read_bytes().count(b"\n") < 3) and time.monotonic() < end:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = log.read_bytes().count(b"\n")
    assert 3 <= done < 9
    assert same(grid(slow, logdir=tmp_path), grid())


def test_the_log_of_another_search_is_refused(tmp_path):
    search = ct.hyper.GridHyperparamOpt(Scored)
    search.hyperparam_search({"score": [1.0, 2.0]}, TRAIN, VALID, R2, logdir=tmp_path)
    other = ct.data.NumpyDataset(X[60:], -Y[60:])
    for words, arguments, options in (
        ("settings", ({"score": [1.0, 3.0]}, TRAIN, VALID, R2), {}),
        ("nb_epoch", ({"score": [1.0, 2.0]}, TRAIN, VALID, R2), {"nb_epoch": 3}),
        ("data", ({"score": [1.0, 2.0]}, TRAIN, other, R2), {}),
        ("metric", ({"score": [1.0, 2.0]}, TRAIN, VALID, Metric(pearsonr)), {}),
    ):
        with pytest.raises(
            ValueError, match=f"^GridHyperparamOpt: logdir has the log of another search, whose {words}"
        ):
            search.hyperparam_search(*arguments, logdir=tmp_path, **options)
    (tmp_path / "trials.jsonl").write_text("no log\n")
    with pytest.raises(ValueError, match=r"line 1 of .* is not of a log of trials"):
        search.hyperparam_search({"score": [1.0]}, TRAIN, VALID, R2, logdir=tmp_path)


def test_two_searches_do_not_write_one_log(tmp_path):
    def build(score):
        with pytest.raises(RuntimeError, match="GridHyperparamOpt: another writer is at work on"):
            ct.hyper.GridHyperparamOpt(Scored).hyperparam_search({"score": [2.0]}, TRAIN, VALID, R2, logdir=tmp_path)
        return Scored(score=score)

    ct.hyper.GridHyperparamOpt(build).hyperparam_search({"score": [1.0]}, TRAIN, VALID, R2, logdir=tmp_path)


def test_the_wrong_direction_of_a_known_metric_is_told():
    search = ct.hyper.GridHyperparamOpt(Scored)
    with pytest.warns(RuntimeWarning, match="use_max is True, so the worst wins: rms_score is an error"):
        search.hyperparam_search({"score": [1.0]}, TRAIN, VALID, RMS)
    with pytest.warns(RuntimeWarning, match="use_max is False, so the worst wins: r2_score is a score"):
        search.hyperparam_search({"score": [1.0]}, TRAIN, VALID, R2, use_max=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        own = Metric(lambda a, b: 0.0, name="own", mode="regression")
        search.hyperparam_search({"score": [1.0]}, TRAIN, VALID, own)


def test_a_model_without_a_seed_that_differs_from_its_logged_score_is_told(tmp_path):
    def build(score):
        return Scored(score=score + len(Scored.made))

    search = ct.hyper.GridHyperparamOpt(build)
    search.hyperparam_search({"score": [1.0]}, TRAIN, VALID, R2, logdir=tmp_path)
    with pytest.warns(RuntimeWarning, match="trained again, scores 2 instead of 1 as in the log"):
        search.hyperparam_search({"score": [1.0]}, TRAIN, VALID, R2, logdir=tmp_path)


def test_a_random_search_draws_distinct_combinations_and_all_of_a_small_grid():
    params = {"score": [1.0, 2.0, 3.0], "other": [1, 2]}
    search = ct.hyper.RandomHyperparamOpt(Scored, max_iter=4)
    found = search.hyperparam_search(params, TRAIN, VALID, R2)
    assert len(found.all_scores) == 4 == len(Scored.made)
    assert found == search.hyperparam_search(params, TRAIN, VALID, R2)[:0] + found
    everything = ct.hyper.RandomHyperparamOpt(Scored, max_iter=100).hyperparam_search(params, TRAIN, VALID, R2)
    assert len(everything.all_scores) == 6 and everything.best_hyperparams["score"] == 3.0
    other = ct.hyper.RandomHyperparamOpt(Scored, max_iter=4, seed=1).hyperparam_search(params, TRAIN, VALID, R2)
    assert list(other.all_scores) != list(found.all_scores)


def test_samplers_draw_a_value_for_each_trial_and_a_log_keeps_them(tmp_path):
    import scipy.stats

    drawn = iter(np.random.default_rng(5).random(100))
    params = {
        "score": scipy.stats.uniform(10, 5).rvs,
        "rate": lambda rng: float(10 ** rng.uniform(-4, -1)),
        "global": lambda: next(drawn),
        "width": [8, 16],
    }
    search = ct.hyper.RandomHyperparamOpt(Scored, max_iter=6)
    found = search.hyperparam_search(params, TRAIN, VALID, R2, logdir=tmp_path)
    made = list(Scored.made)
    assert len({m["score"] for m in made}) == 6 and all(
        10 <= m["score"] <= 15 and 1e-4 <= m["rate"] <= 0.1 for m in made
    )
    log = tmp_path / "trials.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:3]))
    Scored.made = []
    again = search.hyperparam_search(params, TRAIN, VALID, R2, logdir=tmp_path)
    assert again.all_scores == found.all_scores and again.best_hyperparams == found.best_hyperparams
    assert Scored.made[:4] == made[2:]
    with pytest.raises(TypeError, match="draws what a log cannot hold"):
        search.hyperparam_search({"score": lambda: object()}, TRAIN, VALID, R2, logdir=tmp_path / "b")


SMILES = ["C" * n + end for n in range(1, 9) for end in ("O", "N", "C(=O)O", "Cl", "c1ccccc1")]
LOGS = np.array([[len(s) + ("O" in s)] for s in SMILES], float)


class Counted(ct.feat.CircularFingerprint):
    calls = 0

    def featurize(self, *args, **options):
        type(self).calls += 1
        return super().featurize(*args, **options)


def test_fingerprints_optimizers_and_penalties_are_searched_and_features_are_made_once_each():
    data = ct.data.NumpyDataset(np.zeros((40, 1)), LOGS, ids=SMILES)
    train, valid = data.select(range(0, 40, 2)), data.select(range(1, 40, 2))
    seen = []

    def build(n_features, **settings):
        seen.append(n_features)
        return ct.models.MultitaskRegressor(1, n_features, layer_sizes=[8], seed=0, **settings)

    params = {
        "featurizer": [Counted(size=64), Counted(size=128), ct.feat.Descriptors(), Counted(size=64)],
        "optimizer": [ct.optim.Momentum(lr=0.01, momentum=m) for m in (0.5, 0.9)],
        "weight_decay_penalty": [0.0, 0.01],
    }
    Counted.calls = 0
    model, settings, scores = ct.hyper.GridHyperparamOpt(build).hyperparam_search(
        params, train, valid, RMS, nb_epoch=2, use_max=False
    )
    assert (
        Counted.calls == 4
        and len(seen) == 16
        and set(seen) == {64, 128, ct.feat.Descriptors().featurize(["C"]).shape[1]}
    )
    assert len(scores) == 12  # the fingerprint that is named twice has one score
    assert model.predict(["CCO"]).shape == (1, 1) and settings["featurizer"] == model.featurizer


def test_graphs_are_searched_too():
    data = ct.data.NumpyDataset(np.zeros((40, 1)), LOGS, ids=SMILES)
    found = ct.hyper.GridHyperparamOpt(
        lambda **s: ct.models.DMPNNModel(1, message_hidden_dim=8, seed=0, **s)
    ).hyperparam_search(
        {"featurizer": [ct.feat.MolGraphFeaturizer()], "depth": [2, 3]}, data, data, RMS, nb_epoch=1, use_max=False
    )
    assert len(found.all_scores) == 2 and found.best_model.predict(["CCO"]).shape == (1, 1)


def test_labels_of_transformed_datasets_are_scored_in_their_units():
    scale = ct.trans.NormalizationTransformer(transform_y=True, dataset=TRAIN)
    train, valid = scale.transform(TRAIN), scale.transform(VALID)
    search = ct.hyper.GridHyperparamOpt(net)
    _, _, plain = search.hyperparam_search({"dropouts": [0.0]}, train, valid, RMS, use_max=False)
    _, _, undone = search.hyperparam_search({"dropouts": [0.0]}, train, valid, RMS, [scale], use_max=False)
    ratio = next(iter(undone.values())) / next(iter(plain.values()))
    assert ratio == pytest.approx(float(np.std(TRAIN.y)), rel=1e-5)


def test_optuna_finds_a_better_setting_and_gives_the_same_for_any_executor_and_after_a_cut(tmp_path):
    optuna = pytest.importorskip("optuna")
    params = {
        "score": optuna.distributions.FloatDistribution(0.0, 1.0),
        "width": [[4], [8]],
    }

    def run(**options):
        search = ct.hyper.OptunaOpt(Scored, max_iter=30, at_once=3, seed=1)
        return search.hyperparam_search(params, TRAIN, VALID, R2, use_max=True, **options)

    found = run(logdir=tmp_path)
    assert found.best_hyperparams["score"] > 0.9 and found.best_hyperparams["width"] in ([4], [8])
    assert len(Scored.made) == 30
    with ThreadPoolExecutor(3) as threads:
        assert run(executor=threads)[1:] == found[1:]
    log = tmp_path / "trials.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:11]))
    Scored.made = []
    assert run(logdir=tmp_path)[1:] == found[1:] and 20 <= len(Scored.made) <= 21


def test_without_optuna_a_sentence_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"^OptunaOpt: optuna is needed; pip install 'catalase\[hyper\]'"):
        ct.hyper.OptunaOpt(Scored).hyperparam_search({"score": [1.0]}, TRAIN, VALID, R2)


@pytest.mark.parametrize("kind", [ct.hyper.GridHyperparamOpt, lambda f: ct.hyper.RandomHyperparamOpt(f, 2)])
def test_nonsense_in_a_search(kind):
    search = kind(lambda score: Scored(score=1.0))
    kinds = {
        "params_dict": "ours", "train_dataset": "ours", "valid_dataset": "ours", "metric": "ours", "output_transformers": "no objects", "logfile": "path", "logdir": "path?",
        "executor": "ours?",
    }  # fmt: skip
    also = {
        "params_dict": ["trial"],
        "metric": ["metrics"],
        "output_transformers": ["transformers"],
        "train_dataset": ["dataset"],
    }
    valid = call(
        {"score": [1.0]}, TRAIN, VALID, R2, [], nb_epoch=1, use_max=True, logfile="x", logdir=None, executor=None
    )
    names = (type(search).__name__,)
    wrong = Target(search.hyperparam_search, lambda: valid, kinds, names=names, also=also, skip=["logdir"]).failures()
    assert not wrong, report(wrong)


def test_nonsense_in_the_making_of_a_search():
    wrong = Target(ct.hyper.GridHyperparamOpt, lambda: call(net), {"model_builder": "function"}).failures()
    wrong += Target(
        ct.hyper.RandomHyperparamOpt, lambda: call(net, 3, seed=0), {"model_builder": "function"}
    ).failures()
    wrong += Target(
        ct.hyper.OptunaOpt, lambda: call(net, 3, seed=0, at_once=1), {"model_builder": "function"}
    ).failures()
    assert not wrong, report(wrong)


@pytest.mark.parametrize("values, words", [([], "has no value for a"), ("ab", "must be a list"), (3, "must be a list")])
def test_values_must_be_lists(values, words):
    with pytest.raises((TypeError, ValueError), match=f"^GridHyperparamOpt: params_dict .*{words}"):
        ct.hyper.GridHyperparamOpt(Scored).hyperparam_search({"a": values}, TRAIN, VALID, R2)
