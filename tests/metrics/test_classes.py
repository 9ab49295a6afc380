"""Tests of the metrics that compare classes, of curves, rankings, masks, one-hot rows and uncertainty, against peers."""

from __future__ import annotations

import functools
import math
import warnings

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics as sk
from rdkit.ML.Scoring import Scoring
from sklearn.calibration import calibration_curve

import catalase as ct
from catalase import metrics


def agree(found, expected, case=()):
    assert np.allclose(found, expected, rtol=1e-12, atol=1e-12, equal_nan=True), (found, expected, case)


@pytest.fixture(autouse=True)
def undefined_scores_are_quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def cases(rng, classes, count=40):
    """Classes that are true and predicted, without weights, with weights, and with weights that are 0 for some rows."""
    for trial in range(count):
        size = int(rng.integers(1, 30))
        true, pred = rng.integers(0, classes, (2, size))
        yield true, pred, None
        weight = rng.choice([0.0, 0.5, 1.0, 3.25], size) if trial % 2 else rng.random(size)
        yield true, pred, np.maximum(weight, 0.25 * (np.arange(size) == 0))


@pytest.mark.parametrize("name", ["precision_score", "recall_score", "f1_score", "jaccard_score"])
def test_shares_of_classes_are_those_of_scikit_learn(name, rng):
    for classes, averages in (
        (2, ("binary", "micro", "macro", "weighted", None)),
        (4, ("micro", "macro", "weighted", None)),
    ):
        for true, pred, weight in cases(rng, classes):
            for average in averages:
                agree(
                    getattr(metrics, name)(true, pred, weight, average=average),
                    getattr(sk, name)(true, pred, sample_weight=weight, average=average, zero_division=0),
                    (true, pred, weight, average),
                )


def test_sensitivity_and_specificity_are_the_recalls_of_both_classes(rng):
    for true, pred, weight in cases(rng, 2):
        for name, label in (("sensitivity_score", 1), ("specificity_score", 0)):
            expected = sk.recall_score(true, pred, sample_weight=weight, pos_label=label, zero_division=0, labels=[label], average="macro")  # fmt: skip
            agree(getattr(metrics, name)(true, pred, weight), expected, (true, pred, weight))


def test_the_confusion_matrix_is_that_of_scikit_learn(rng):
    for true, pred, weight in cases(rng, 4):
        for normalize in (None, "true", "pred", "all"):
            found = metrics.confusion_matrix(true, pred, weight, normalize=normalize)
            agree(found, sk.confusion_matrix(true, pred, sample_weight=weight, normalize=normalize))
        labels = [int(true[0]), 7, 1] if true[0] != 1 else [1, 0]
        found = metrics.confusion_matrix(true, pred, weight, labels=labels)
        agree(found, sk.confusion_matrix(true, pred, sample_weight=weight, labels=labels))
    assert metrics.confusion_matrix([0, 1], [1, 1]).dtype == np.int64


@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
def test_kappa_is_that_of_scikit_learn(weights, rng):
    for true, pred, weight in cases(rng, 5):
        for labels in (None, list(range(6))):
            expected = sk.cohen_kappa_score(true, pred, weights=weights, sample_weight=weight, labels=labels)
            agree(metrics.cohen_kappa_score(true, pred, weight, weights=weights, labels=labels), expected)
            if weights == "quadratic":
                agree(metrics.quadratic_weighted_kappa(true, pred, weight, labels=labels), expected)
    assert metrics.kappa_score is metrics.cohen_kappa_score
    assert np.isnan(metrics.cohen_kappa_score([1, 1], [1, 1], weights=weights))


def test_grades_that_do_not_occur_keep_their_distance_where_all_grades_are_named():
    true, pred = [0, 1, 4, 4], [0, 4, 4, 1]
    assert metrics.quadratic_weighted_kappa(true, pred) != metrics.quadratic_weighted_kappa(true, pred, labels=range(5))


def test_masks_are_scored_pixel_by_pixel(rng):
    true, pred = rng.integers(0, 3, (2, 4, 5, 6))
    weight = rng.random((4, 5, 6))
    for average in ("macro", "micro", None):
        expected = sk.jaccard_score(true.ravel(), pred.ravel(), average=average, sample_weight=weight.ravel())
        agree(metrics.iou_score(true, pred, weight, average=average), expected)
        expected = sk.f1_score(true.ravel(), pred.ravel(), average=average, sample_weight=weight.ravel())
        agree(metrics.dice_score(true, pred, weight, average=average), expected)
    agree(metrics.iou_score(true > 0, pred > 0), sk.jaccard_score((true > 0).ravel(), (pred > 0).ravel()))
    agree(metrics.pixel_accuracy_score(true, pred), (true == pred).mean())
    expected = sk.accuracy_score(true.ravel(), pred.ravel(), sample_weight=weight.ravel())
    agree(metrics.pixel_accuracy_score(true, pred, weight), expected)


def test_curves_are_those_of_scikit_learn_with_ties_weights_and_one_class(rng):
    for true, _, weight in cases(rng, 2):
        for score in (rng.random(len(true)), rng.integers(0, 4, len(true)) / 4, np.zeros(len(true))):
            for drop in (True, False):
                expected = sk.roc_curve(true, score, sample_weight=weight, drop_intermediate=drop)
                found = metrics.roc_curve(true, score, weight, drop_intermediate=drop)
                for ours, theirs in zip(found, expected, strict=True):
                    agree(ours, theirs, (true, score, weight))
            expected = sk.precision_recall_curve(true, score, sample_weight=weight)
            for ours, theirs in zip(metrics.precision_recall_curve(true, score, weight), expected, strict=True):
                agree(ours, theirs, (true, score, weight))


def ranked(true, score):
    return [[label] for label in true[np.argsort(-score, kind="stable")]]


def test_bedroc_and_enrichment_are_those_of_rdkit(rng):
    for trial in range(60):
        size = int(rng.integers(1, 200))
        true = (rng.random(size) < 0.2) | (np.arange(size) == size // 2)
        score = rng.random(size) if trial % 2 else rng.integers(0, 5, size) / 5
        for alpha in (0.5, 20.0, 100.0):
            found = metrics.bedroc_score(true, score, alpha=alpha)
            agree(found, Scoring.CalcBEDROC(ranked(true, score), 0, alpha), (true, score, alpha))
        for fraction in (0.01, 0.07, 0.1, 0.5):
            expected = Scoring.CalcEnrichment(ranked(true, score), 0, [fraction])
            if expected:  # RDKit has none for all rows
                agree(metrics.enrichment_factor(true, score, fraction=fraction), expected[0], (true, score, fraction))
    assert metrics.enrichment_factor([0, 1, 1], [0.1, 0.2, 0.3], fraction=1.0) == 1.0
    assert metrics.bedroc_score([1, 1], [0.1, 0.2]) == Scoring.CalcBEDROC([[1], [1]], 0, 20.0) == 1.0
    assert np.isnan(metrics.bedroc_score([0, 0], [0.1, 0.2])) and np.isnan(metrics.enrichment_factor([0], [0.1]))


def pairs_in_order(true, pred):
    found = total = 0.0
    for i in range(len(true)):
        for j in range(i):
            if true[i] != true[j]:
                total += 1
                product = (true[i] - true[j]) * (pred[i] - pred[j])
                found += 1.0 if product > 0 else 0.5 if product == 0 else 0.0
    return found / total if total else float("nan")


def test_concordance_is_that_of_a_loop_over_all_pairs_and_of_kendall(rng):
    for trial in range(60):
        size = int(rng.integers(2, 60))
        true = rng.integers(0, 5, size) if trial % 2 else rng.random(size)
        pred = rng.integers(0, 6, size) if trial % 3 else rng.random(size)
        agree(metrics.concordance_index(true, pred), pairs_in_order(true, pred), (true, pred))
    true, pred = rng.random((2, 3001))
    agree(metrics.concordance_index(true, pred), (scipy.stats.kendalltau(true, pred)[0] + 1) / 2)
    assert np.isnan(metrics.concordance_index([1.0, 1.0], [1.0, 2.0]))


def test_pearson_is_that_of_scipy_and_weighs_rows(rng):
    for size in (2, 3, 57):
        true, pred = rng.normal(size=(2, size)) * 1e3
        agree(metrics.pearsonr(true, pred), scipy.stats.pearsonr(true, pred)[0])
        weight = rng.integers(1, 4, size)
        repeated = scipy.stats.pearsonr(np.repeat(true, weight), np.repeat(pred, weight))[0]
        agree(metrics.pearsonr(true, pred, weight), repeated)


def test_the_calibration_error_is_that_of_scikit_learns_calibration_curve(rng):
    for bins in (1, 5, 10):
        true, chance = (rng.random(200) < 0.4) * 1, rng.random(200)
        share, mean = calibration_curve(true, chance, n_bins=bins)
        count = np.histogram(chance, np.linspace(0, 1, bins + 1))[0]
        expected = np.sum(count[count > 0] * abs(share - mean)) / 200
        agree(metrics.expected_calibration_error(true, chance, bins=bins), expected)
    weight = rng.integers(0, 3, 200)
    repeated = metrics.expected_calibration_error(np.repeat(true, weight), np.repeat(chance, weight))
    agree(metrics.expected_calibration_error(true, chance, weight), repeated)
    assert metrics.expected_calibration_error([1, 0, 1], [1.0, 0.0, 1.0]) == 0


def test_of_several_classes_the_likeliest_is_looked_at(rng):
    chance = rng.dirichlet(np.ones(3), 80)
    labels = rng.integers(0, 3, 80)
    hit = chance.argmax(axis=1) == labels
    expected = metrics.expected_calibration_error(hit, chance.max(axis=1))
    agree(metrics.expected_calibration_error(np.eye(3)[labels], chance), expected)


def test_crps_is_the_integral_of_the_squared_distance_of_distributions(rng):
    for _ in range(5):
        y, mean, std = rng.normal(), rng.normal(), rng.random() + 0.1
        grid = np.linspace(min(y, mean - 12 * std), max(y, mean + 12 * std), 2_000_001)
        squared = (scipy.stats.norm.cdf(grid, mean, std) - (grid >= y)) ** 2
        integral = np.sum(squared) * (grid[1] - grid[0])
        assert metrics.crps_score([y], [mean], std=[std]) == pytest.approx(integral, abs=1e-5)
    members = rng.normal(size=(7, 5))
    y = rng.normal(size=7)
    expected = [abs(row - t).mean() - abs(row[:, None] - row).mean() / 2 for row, t in zip(members, y, strict=True)]
    agree(metrics.crps_score(y, members), np.mean(expected))
    agree(metrics.crps_score(y, members, np.arange(7)), np.average(expected, weights=np.arange(7)))
    agree(metrics.crps_score(y, members[:, 0]), metrics.mae_score(y, members[:, 0]))
    agree(metrics.crps_score(y, members[:, 0], std=np.zeros(7)), metrics.mae_score(y, members[:, 0]))
    ours = metrics.crps_score(y, members[:, 0], std=np.full(7, 2.0))
    z = (y - members[:, 0]) / 2
    norm = scipy.stats.norm
    agree(ours, np.mean(2 * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / math.sqrt(math.pi))))


def test_one_hot_rows_come_back_as_classes_and_dna():
    classes = np.array([0, 2, 1, 2])
    assert np.array_equal(metrics.to_one_hot(classes, 3), np.eye(3)[classes])
    assert np.array_equal(metrics.from_one_hot(metrics.to_one_hot(classes[:, None], 3)), classes)
    assert np.array_equal(metrics.from_one_hot(np.eye(3)[classes].T, axis=0), classes)
    for sequences in ("ACGTN", ["ACG", "NTT"], np.array(["AC", "GT"])):
        rows = metrics.to_one_hot(sequences)
        given = list(sequences) if isinstance(sequences, np.ndarray) else sequences
        assert np.array_equal(rows, ct.ops.one_hot_dna(given))
        assert metrics.from_one_hot(rows, letters="ACGT") == given


SCORES = [
    *(
        "precision_score",
        "recall_score",
        "f1_score",
        "jaccard_score",
        "iou_score",
        "dice_score",
        "pixel_accuracy_score",
    ),
    *("sensitivity_score", "specificity_score", "cohen_kappa_score", "quadratic_weighted_kappa", "bedroc_score"),
    *("enrichment_factor", "expected_calibration_error", "concordance_index", "pearsonr", "crps_score"),
]


@pytest.mark.parametrize("name", SCORES)
def test_every_score_is_taken_by_metric_which_masks_missing_labels(name, rng):
    function = getattr(metrics, name)
    metric = metrics.Metric(function)
    y = np.r_[0.0, 1.0, (rng.random(30) < 0.5) * 1.0]
    chance = rng.random(32)
    values = chance
    if metric.classification_handling_mode == "threshold":
        values = (chance >= 0.5).astype(int)
    agree(metric.compute_metric(y, chance), function(y, values))
    missing, w = y.copy(), np.ones(32)
    missing[20:26], w[26:] = np.nan, 0
    agree(metric.compute_metric(missing, chance, w), function(y[:20], values[:20]))
    if "sample_weight" in function.__code__.co_varnames:
        weight = rng.random(32)
        agree(metric.compute_metric(y, chance, weight, use_sample_weights=True), function(y, values, weight))


def test_metric_takes_a_score_with_an_argument_set(rng):
    metric = metrics.Metric(functools.partial(metrics.f1_score, average="macro"))
    assert metric.name == "f1_score" and metric.mode == "classification"
    labels, chance = rng.integers(0, 3, 40), rng.dirichlet(np.ones(3), 40)
    agree(metric.compute_metric(labels, chance), sk.f1_score(labels, chance.argmax(axis=1), average="macro"))


def test_what_cannot_be_scored_is_refused_in_one_sentence():
    for call, words in (
        (lambda: metrics.f1_score([0, 2], [1, 1]), "f1_score: y_true and y_pred must have classes 0 and 1, found 2"),
        (lambda: metrics.roc_curve(np.eye(2), np.eye(2)), "roc_curve: y_true must have shape"),
        (lambda: metrics.confusion_matrix([0, 1], [0, 1], labels=[1, 1]), "confusion_matrix: labels must be a list of different"),
        (lambda: metrics.confusion_matrix([0, 1], [0, 1], labels=[5]), "confusion_matrix: labels must have a class that is in"),
        (lambda: metrics.iou_score([[0, 1]], [0, 1]), r"iou_score: y_true \(1, 2\) and y_pred \(2,\) must have the same shape"),
        (lambda: metrics.expected_calibration_error([0, 1], [0.5, 1.5]), "expected_calibration_error: y_prob must be from 0 to 1"),
        (lambda: metrics.expected_calibration_error([0, 2], [0.5, 0.5]), "expected_calibration_error: labels in y_true must be 0"),
        (lambda: metrics.crps_score([0.0], [0.0], std=[-1.0]), "crps_score: std must be finite and not negative, got -1"),
        (lambda: metrics.crps_score([0.0], [[0.0, 1.0]], std=[1.0]), "crps_score: std is for y_pred of shape"),
        (lambda: metrics.to_one_hot([0, 2]), "to_one_hot: y must have whole numbers from 0 to 1, found 2"),
        (lambda: metrics.to_one_hot([0, np.nan]), "to_one_hot: y must have whole numbers from 0 to 1, found nan"),
        (lambda: metrics.to_one_hot("AXZ"), "to_one_hot: y is no DNA"),
        (lambda: metrics.from_one_hot(np.eye(3), letters="ACGT"), "from_one_hot: y must have shape"),
        (lambda: metrics.bedroc_score([0, 2], [1, 2]), "bedroc_score: labels must be 0 or 1"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=f"^{words}"):
            call()


@pytest.mark.parametrize("name", SCORES)
def test_empty_data_and_nan_are_refused_by_name(name):
    with pytest.raises(ValueError, match=f"^{name}: there are no rows"):
        getattr(metrics, name)([], [])
    with pytest.raises(ValueError, match=f"^{name}: y_true has NaN"):
        getattr(metrics, name)([0, np.nan], [0, 1])
