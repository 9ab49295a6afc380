"""`AutoModel`: members, folds, the blend, intervals, the domain, saving, time and Ctrl-C, nonsense."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

import catalase as ct
from catalase.demo.data import find_files, load_measured
from catalase.metrics import rms_score, roc_auc_score
from catalase.metrics.shares import share_interval
from catalase.models.auto import calibration, folds, members, model, plan
from catalase.models.auto.blocks import MoleculeBlocks
from catalase.models.load import load

OWN = ["net", "Gaussian process", "Gaussian process on bits"]
QUICK = ["Gaussian process", "ridge"]


@pytest.fixture(scope="module")
def compounds():
    """Molecules and their activities, in an order by chance."""
    files = find_files()
    table = load_measured(files["activity"], files["smiles"])
    order = np.random.default_rng(0).permutation(len(table))[:400]
    return [table.smiles[i] for i in order], np.array(table.activity)[order]


@pytest.fixture(scope="module")
def fitted(compounds):
    smiles, y = compounds
    made = ct.models.AutoModel(splitter="random", members=OWN, seed=1)
    made.fit(smiles[:300], y[:300])
    return made


def test_the_members_together_are_better_than_the_mean_and_the_baselines(compounds, fitted):
    smiles, y = compounds
    found = fitted.predict(smiles[300:])[:, 0]
    error = rms_score(y[300:], found)
    assert error < 0.75 * y[300:].std()
    report = fitted.report
    assert report["validation"]["rmse"] < min(scores["rmse"] for scores in report["baselines"].values())
    assert set(report["members"]) == set(OWN) and report["complete"] and fitted.mode == "regression"


def test_an_interval_covers_as_often_as_it_says_on_new_rows(compounds, fitted):
    smiles, y = compounds
    for coverage, least, most in ((0.5, 0.35, 0.65), (0.9, 0.82, 0.97)):
        low, high = fitted.predict_interval(smiles[300:], coverage)
        assert least < np.mean((low[:, 0] <= y[300:]) & (y[300:] <= high[:, 0])) < most
    mean, std = fitted.predict_uncertainty(smiles[300:])
    assert 0.5 < np.mean(abs(mean[:, 0] - y[300:]) <= std[:, 0]) < 0.85


def test_predictions_out_of_fold_are_those_of_models_that_never_saw_the_row(compounds):
    """A label that is changed changes the models of the other folds, but not what its own fold's model says of it."""
    smiles, y = compounds[0][:80], compounds[1][:80]
    made = ct.models.AutoModel(splitter="random", members=["ridge"])
    made.fit(smiles, y)
    other = y.copy()
    other[7] += 0.5 * y.std()  # within the range of the labels, to which predictions are clipped
    again = ct.models.AutoModel(splitter="random", members=["ridge"])
    again.fit(smiles, other)
    fold = made.trained.training.folds
    same = made.trained.out_of_fold.mean[:, 0] == again.trained.out_of_fold.mean[:, 0]
    assert same[fold == fold[7]].all() and not same[fold != fold[7]].all()


def test_equal_molecules_and_scaffolds_are_never_in_two_folds(compounds):
    smiles = [
        *compounds[0][:60],
        "C[C@H](N)C(=O)O",
        "C[C@@H](N)C(=O)O",
        "CC(N)C(=O)O.Cl",
        "CC([NH3+])C(=O)[O-]",
        "OC(=O)C(C)N",
    ]
    blocks = MoleculeBlocks().featurize(smiles)
    same = folds.same_molecules(smiles, blocks)
    assert len(set(same[60:].tolist())) == 1 and len(set(same.tolist())) <= 61
    groups = folds.grouped(smiles, same, "scaffold")
    fold = folds.folds_of(groups, 5, seed=0)
    scaffolds = {}
    for text, number in zip(ct.chem.scaffold(smiles), fold.tolist(), strict=True):
        scaffolds.setdefault(text, set()).add(number)
    assert all(len(numbers) == 1 for numbers in scaffolds.values())


def test_a_salt_goes_with_its_base_though_its_scaffold_is_another():
    smiles = ["NCC1CCCCC1", "NCC1CCCCC1.OC(=O)c1ccccc1", "[NH3+]CC1CCCCC1.[O-]C(=O)c1ccccc1", "OCC1CCCCC1", "Cc1ccccc1"]
    blocks = MoleculeBlocks().featurize(smiles)
    groups = folds.grouped(smiles, folds.same_molecules(smiles, blocks), "scaffold").tolist()
    assert ct.chem.scaffold(smiles[:2])[0] != ct.chem.scaffold(smiles[:2])[1]
    assert groups[0] == groups[1] == groups[2] == groups[3] != groups[4]


def test_folds_are_of_like_size_and_follow_from_the_seed():
    groups = np.repeat(np.arange(80), np.repeat(np.arange(1, 41), 2))
    first, again, other = (folds.folds_of(groups, 5, seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert np.ptp(np.bincount(first)) <= 2


def test_a_saved_model_answers_with_the_same_bits(fitted, compounds, tmp_path):
    fitted.save(tmp_path / "model")
    again = load(tmp_path / "model")
    for one, two in zip(fitted.predict_table(compounds[0][300:]), again.predict_table(compounds[0][300:]), strict=True):
        np.testing.assert_array_equal(one, two)
    assert again.report == fitted.report and again.mode == "regression"


def test_the_same_seed_gives_the_same_bits_for_any_number_of_threads(compounds):
    before = ct.get_num_threads()
    found = []
    for threads in (1, 3):
        ct.set_num_threads(threads)
        made = ct.models.AutoModel(members=["net", "Gaussian process"], splitter="random", folds=2)
        made.fit(compounds[0][:60], compounds[1][:60])
        found.append(made.predict_table(compounds[0][300:310]))
    ct.set_num_threads(before)
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_molecule_alone_gets_what_it_gets_among_others(fitted, compounds):
    together = fitted.predict_table(compounds[0][300:305])
    for row in range(5):
        alone = fitted.predict_table([compounds[0][300 + row]])
        for one, two in zip(together, alone, strict=True):
            np.testing.assert_array_equal(one[row : row + 1], two)


def test_classes_are_found_by_themselves_and_answered_by_probabilities(compounds):
    smiles, y = compounds[0], (compounds[1] > np.median(compounds[1])).astype(float)
    made = ct.models.AutoModel(members=["Gaussian process", "net", "nearest neighbours"], splitter="random")
    made.fit(smiles[:250], y[:250])
    assert made.mode == "classification"
    found = made.predict(smiles[250:])
    assert found.shape == (150, 1, 2) and np.allclose(found.sum(axis=2), 1)
    table = made.predict_table(smiles[250:])
    np.testing.assert_array_equal(table.mean, found[:, :, 1])
    assert roc_auc_score(y[250:], table.mean[:, 0]) > 0.75
    assert (table.low <= table.mean).all() and (table.mean <= table.high).all()
    assert (table.low >= 0).all() and (table.high <= 1).all()
    rare = table.mean[:, 0] < 0.2
    assert y[250:][rare].mean() < 0.35, "probabilities say how often class 1 is met"


def test_several_tasks_with_missing_labels(compounds):
    smiles, y = compounds
    both = np.stack([y, -2 * y], axis=1)[:200]
    both[::3, 0] = np.nan
    both[5] = np.nan
    made = ct.models.AutoModel(members=QUICK, splitter="random")
    made.fit(smiles[:200], both)
    assert made.report["without_labels"] == 1 and made.predict(smiles[:4]).shape == (4, 2)
    low, high = made.predict_interval(smiles[200:], 0.9)
    for t, label in enumerate((y[200:], -2 * y[200:])):
        assert 0.8 < np.mean((low[:, t] <= label) & (label <= high[:, t])) < 1


def test_a_dataset_with_smiles_as_ids_is_taken(compounds):
    smiles, y = compounds
    data = ct.data.NumpyDataset(np.zeros((100, 1), np.float32), y[:100], ids=smiles[:100], tasks=["activity"])
    made = ct.models.AutoModel(members=["ridge"], splitter="random")
    made.fit(data)
    assert made.tasks == ["activity"]
    np.testing.assert_array_equal(made.predict(data), made.predict(smiles[:100]))
    scores = made.evaluate(data, [ct.metrics.Metric(rms_score)])
    assert scores["rms_score"] == pytest.approx(rms_score(y[:100], made.predict(data)[:, 0]), rel=1e-6)


def test_a_molecule_unlike_all_of_the_training_is_out_of_the_domain(fitted, compounds):
    assert fitted.in_domain(compounds[0][:300]).all(), "training molecules are like themselves"
    assert not fitted.in_domain(["[Na+].[Cl-]", "CCCCCCCCCCCCCCCCCC"]).any()
    assert fitted.nearest_similarity(compounds[0][:3]).tolist() == [1, 1, 1]


def test_a_member_that_is_far_worse_than_the_best_does_not_answer():
    y = np.linspace(0, 1, 40)[:, None]
    noise = np.random.default_rng(0).normal(size=y.shape)
    assert model._error(y, y + 0.1 * noise, "regression") < 0.5 < model._error(y, noise, "regression")
    smiles = ["C" * n + end for n in range(1, 21) for end in ("O", "N")]
    made = ct.models.AutoModel(members=["ridge", "nearest neighbours"], splitter="random")
    made.fit(smiles, [float(len(text)) for text in smiles])
    assert made.report["members"]["ridge"]["answers"] and not made.report["members"]["nearest neighbours"]["answers"]
    assert [member.kind for member in made.learned] == ["ridge"]


def test_the_plan_follows_from_rows_and_budget_and_never_from_the_clock():
    small, large = plan.planned(1000, 1, 60, None), plan.planned(100_000, 1, 60, None)
    assert small == plan.planned(1000, 1, 60, None)
    assert small.members[:2] == ("net", "Gaussian process") and "graph net" in small.left_out
    assert large.members == ("net",), "one member is always trained"
    assert "graph net" in plan.planned(5000, 1, 10_000, None).members
    assert plan.planned(1000, 1, 1, ["graph net"]).members == ("graph net",)


def test_a_member_that_could_not_be_saved_is_not_trained(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "skops" else real(name, *more))
    found = plan.planned(1000, 1, 10_000, None)
    assert not any("forest" in kind for kind in found.members)
    assert found.left_out["forest"] == "it needs scikit-learn and skops: pip install 'catalase[sklearn]'"


def test_members_are_left_out_where_the_clock_ends_the_training(compounds, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(model.time, "monotonic", lambda: now[0])

    def slow(training, X, said):
        now[0] += 100
        said("late")
        return members.KINDS["ridge"].fit(training, X, said)

    monkeypatch.setitem(members.KINDS, "net", members.Kind(members.KINDS["ridge"].view, slow))
    monkeypatch.setattr(model, "planned", lambda *given: plan.Plan(("net", "Gaussian process"), 1.0, {}))
    made = ct.models.AutoModel(splitter="random", time_budget=60)
    made.fit(compounds[0][:60], compounds[1][:60])
    assert [member.kind for member in made.learned] == ["net"] and not made.report["complete"]
    assert made.report["left_out"]["Gaussian process"] == "the time budget ended the training before"
    asked = ct.models.AutoModel(splitter="random", time_budget=60, members=["net", "Gaussian process"])
    asked.fit(compounds[0][:60], compounds[1][:60])
    assert asked.report["complete"], "members that were asked for are trained whatever they take"


def test_ctrl_c_leaves_what_was_done(compounds, monkeypatch):
    def stopped(training, X, said):
        raise KeyboardInterrupt

    monkeypatch.setitem(members.KINDS, "Gaussian process", members.Kind(members.KINDS["ridge"].view, stopped))
    made = ct.models.AutoModel(members=["net", "Gaussian process"], splitter="random", folds=2)
    with pytest.raises(KeyboardInterrupt, match="the model answers with what was done: net"):
        made.fit(compounds[0][:40], compounds[1][:40])
    assert made.predict(["CCO"]).shape == (1, 1) and not made.report["complete"]


def test_progress_says_what_is_being_trained(compounds, capsys):
    made = ct.models.AutoModel(members=["Gaussian process"], splitter="random")
    made.fit(compounds[0][:40], compounds[1][:40], progress=True)
    assert "Gaussian process (1 of 1)" in capsys.readouterr().err


@pytest.mark.skipif(not all(map(importlib.util.find_spec, ("sklearn", "skops"))), reason="needs scikit-learn and skops")
def test_forests_and_graph_nets_learn_and_are_saved(compounds, tmp_path):
    made = ct.models.AutoModel(members=["forest", "forest on bits", "graph net"], splitter="random", folds=2)
    made.fit(compounds[0][:60], compounds[1][:60])
    assert set(made.report["members"]) == {"forest", "forest on bits", "graph net"}
    made.save(tmp_path / "model")
    np.testing.assert_array_equal(
        load(tmp_path / "model").predict(compounds[0][60:70]), made.predict(compounds[0][60:70])
    )


@pytest.mark.parametrize(
    ("smiles", "y", "options", "sentence"),
    [
        (["CCO"] * 19 + ["C1CC"], range(20), {}, r"row 19, 'C1CC': .*; leave it out \(1 of 20 cannot be read\)"),
        (["CCO"] * 5, range(5), {}, "task 0 has 5 labels; 10 or more are needed"),
        (
            ["CCO"] * 20,
            [1] * 20,
            {"task": "classification"},
            "all labels of task 0 are 1, so there is nothing to learn",
        ),
        (["CCO"] * 20, [1.5] * 20, {}, "all labels of task 0 are 1.5, so there is nothing to learn"),
        (["CCO"] * 20, range(20), {"task": "classification"}, 'must be 0 and 1, got 2; give task="regression"'),
        (["CCO"] * 20, range(20), {}, "all molecules are of one scaffold"),
        (["CCO"] * 20, range(20), {"splitter": "random"}, "all molecules are of one kind"),
        (["CCO"] * 20, range(19), {}, r"y must have shape \(20,\) or \(20, tasks\), got \(19,\)"),
        (["CCO"] * 20, ["a"] * 20, {}, "y must be an array of numbers"),
        (["CCO"] * 20, [np.inf] * 20, {}, "the label of row 0 is infinite"),
        (["CCO"] * 20, None, {}, "needs the labels of the molecules as y"),
        (np.zeros((20, 3)), range(20), {}, "needs a list of SMILES or molecules, or a dataset"),
    ],
)
def test_what_cannot_be_learned_is_refused_in_a_sentence(smiles, y, options, sentence):
    with pytest.raises((TypeError, ValueError), match=sentence):
        ct.models.AutoModel(members=["ridge"], **options).fit(smiles, y)


def test_an_untrained_model_says_so_and_arrays_are_refused(fitted):
    with pytest.raises(ValueError, match="has learned nothing yet; call fit first"):
        ct.models.AutoModel().predict(["CCO"])
    with pytest.raises(TypeError, match="needs a list of SMILES or molecules"):
        fitted.predict(np.zeros((2, 2145), np.float32))
    with pytest.raises(ValueError, match="coverage must be above 0 and below 1, got 1"):
        fitted.predict_interval(["CCO"], coverage=1)
    with pytest.raises(ValueError, match="row 1, 'C1CC'"):
        fitted.predict(["CCO", "C1CC"])
    assert np.isnan(fitted.predict(["CCO", "C1CC"], errors="mask")[1]).all()


def test_altered_arrays_are_refused(fitted):
    state = fitted.state_dict()
    for name in ("known.means", "blend.errors", "members.0.0.layers.0.w"):
        broken = {**state, name: state[name][:-1]}
        with pytest.raises(ValueError, match="load_state_dict"):
            fitted.load_state_dict(broken)
    with pytest.raises(ValueError, match=r"needed domain\.bits"):
        fitted.load_state_dict({name: array for name, array in state.items() if name != "domain.bits"})
    with pytest.raises(ValueError, match=r"no member has an array 'members\.9\.0\.w'"):
        fitted.load_state_dict({**state, "members.9.0.w": np.zeros(1)})
    fitted.load_state_dict(state)


def test_the_conformal_quantile_is_the_one_of_the_definition():
    scores = np.arange(1.0, 20.0)  # 19 of them: the 18th of 20 for 90%
    assert calibration.conformal_quantile(scores, 0.9) == 18
    assert calibration.conformal_quantile(scores[:5], 0.9) == np.inf


def test_wilsons_interval_is_the_one_of_the_formula():
    low, high = share_interval(np.array([0.0, 5.0]), 10, 0.95)
    assert low[0] == pytest.approx(0, abs=1e-12) and high[0] == pytest.approx(0.27753, abs=1e-4)
    assert low[1] == pytest.approx(0.23659, abs=1e-4) and high[1] == pytest.approx(0.76341, abs=1e-4)


def test_the_page_about_answers(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[2] / "docs" / "answers.md").read_text()
    names: dict = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.S):
        exec(compile(block, "answers.md", "exec"), names)  # noqa: S102
    assert names["low"] < names["model"].predict(["CCCCCO"]) < names["high"] and "rmse" in capsys.readouterr().out
    assert all(f"| {kind} |" in page or kind in ("ridge", "nearest neighbours") for kind in members.KINDS)


def test_an_empty_dataset_is_refused():
    empty = ct.data.NumpyDataset(np.zeros((0, 1), np.float32), np.zeros((0, 1)), ids=np.array([], dtype=object))
    with pytest.raises(ValueError, match="the dataset is empty; it needs molecules with labels"):
        ct.models.AutoModel().fit(empty)
