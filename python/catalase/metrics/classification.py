"""Scores of rankings in NumPy, equal to scikit-learn's: curves, the areas under them, and early recognition (RDKit's)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import flag, number
from .checks import check_pair, check_weights, warn_undefined


def threshold_counts(
    name: str, y_true: np.ndarray, y_score: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return weighted counts of true and false positives at each distinct threshold, and the thresholds, highest first.

    Each task is sorted once. Without weights the counts are integers, so the areas are exact up to the division.
    """
    positive = y_true != 0
    if not np.array_equal(positive, y_true):
        found = np.unique(y_true)
        raise ValueError(
            f"{name}: labels must be 0 or 1, found {found[:5].tolist()}; give one-hot columns for more classes"
        )
    if weight is not None:
        keep = weight != 0
        positive, y_score, weight = positive[keep], y_score[keep], weight[keep]
    order = np.argsort(-y_score if y_score.dtype.kind == "f" else -y_score.astype(np.float64))
    score = y_score[order]
    last = np.append(np.flatnonzero(score[1:] != score[:-1]), len(score) - 1)  # the last row of each group of ties
    hits = positive[order]
    if weight is None:
        true_count = np.cumsum(hits)[last]
        return true_count, last + 1 - true_count, score[last]
    weight = weight[order]
    return np.cumsum(weight * hits)[last], np.cumsum(weight * ~hits)[last], score[last]


def _area(y: np.ndarray, x: np.ndarray) -> float:
    return float(np.sum((x[1:] - x[:-1]) * (y[1:] + y[:-1])) / 2)


def _by_column(
    name: str, score: Callable[[np.ndarray, np.ndarray, Any], float], y_true: Any, y_score: Any, sample_weight: Any
) -> float:
    """Score arrays (N,), or average over the columns of arrays (N, C), which are one-hot labels or several labels a row."""
    true, pred = check_pair(name, y_true, y_score, "y_score")
    weight = check_weights(name, sample_weight, len(true))
    if true.ndim == 1:
        return score(true, pred, weight)
    return float(np.mean([score(true[:, k], pred[:, k], weight) for k in range(true.shape[1])]))


def roc_auc_score(y_true: Any, y_score: Any, sample_weight: Any = None) -> float:
    """Area under the receiver operating characteristic: the chance that a positive outscores a negative, ties half.

    Parameters
    ----------
    y_true : array (N,) of 0 and 1, or (N, C)
        With C columns (one-hot classes, or C labels in each row) the result is the mean over the columns.
    y_score : array, same shape
        Higher scores mean more likely positives, on any finite scale.
    sample_weight : array (N,), optional

    Returns
    -------
    float
        In [0, 1]; nan with a RuntimeWarning where there is one class only.

    Raises
    ------
    ValueError
        Shapes differ, no rows, NaN, labels other than 0 and 1, bad weights.

    Examples
    --------
    >>> roc_auc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """

    def score(true: np.ndarray, pred: np.ndarray, weight: np.ndarray | None) -> float:
        true_count, false_count, _ = threshold_counts("roc_auc_score", true, pred, weight)
        total = float(true_count[-1]) * float(false_count[-1])
        if total == 0:
            return warn_undefined("roc_auc_score: there is one class only, so the score is undefined (nan)")
        return _area(np.append(0, true_count), np.append(0, false_count)) / total

    return _by_column("roc_auc_score", score, y_true, y_score, sample_weight)


def _precision_recall(
    name: str, true: np.ndarray, pred: np.ndarray, weight: Any
) -> tuple[np.ndarray, np.ndarray] | None:
    true_count, false_count, _ = threshold_counts(name, true, pred, weight)
    if true_count[-1] == 0:
        return None
    return true_count / (true_count + false_count), true_count / true_count[-1]


def prc_auc_score(y_true: Any, y_score: Any, sample_weight: Any = None) -> float:
    """Area under the precision-recall curve by the trapezoid rule, as DeepChem computes it.

    Straight lines between the points of this curve are optimistic; `average_precision_score` avoids them.
    Parameters, Raises and columns as `roc_auc_score`; nan with a RuntimeWarning where there is no positive.

    Examples
    --------
    >>> round(prc_auc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4)
    0.7917
    """

    def score(true: np.ndarray, pred: np.ndarray, weight: np.ndarray | None) -> float:
        curve = _precision_recall("prc_auc_score", true, pred, weight)
        if curve is None:
            return warn_undefined("prc_auc_score: there is no positive, so the score is undefined (nan)")
        return _area(np.append(1.0, curve[0]), np.append(0.0, curve[1]))

    return _by_column("prc_auc_score", score, y_true, y_score, sample_weight)


def average_precision_score(y_true: Any, y_score: Any, sample_weight: Any = None) -> float:
    """Average precision: the precision at each threshold, weighted by the rise in recall.

    Parameters, Raises and columns as `roc_auc_score`; 0.0 with a RuntimeWarning where there is no positive, as
    scikit-learn.

    Examples
    --------
    >>> round(average_precision_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4)
    0.8333
    """

    def score(true: np.ndarray, pred: np.ndarray, weight: np.ndarray | None) -> float:
        curve = _precision_recall("average_precision_score", true, pred, weight)
        if curve is None:
            warnings.warn("average_precision_score: there is no positive, the score is 0", RuntimeWarning, stacklevel=4)
            return 0.0
        return float(np.sum(np.diff(curve[1], prepend=0.0) * curve[0]))

    return _by_column("average_precision_score", score, y_true, y_score, sample_weight)


def _one_column(name: str, y_true: Any, y_score: Any, sample_weight: Any) -> tuple[np.ndarray, np.ndarray, Any]:
    true, score = check_pair(name, y_true, y_score, "y_score")
    if true.ndim != 1:
        raise ValueError(f"{name}: y_true must have shape (N,), got {true.shape}; take one column at a time")
    return true, score, check_weights(name, sample_weight, len(true))


def roc_curve(
    y_true: Any, y_score: Any, sample_weight: Any = None, *, drop_intermediate: bool = True
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the points of the receiver operating characteristic, as scikit-learn does.

    Parameters
    ----------
    y_true : array_like of shape (N,)
        0 and 1.
    y_score : array_like of shape (N,)
        Higher for likelier positives, on any finite scale.
    sample_weight : array_like of shape (N,), optional
    drop_intermediate : bool
        Leave out points on a straight line between their neighbours.

    Returns
    -------
    false_positive_rate, true_positive_rate, thresholds : ndarray of float64
        A row is taken where its score is at least the threshold; the first threshold is infinite, and takes none. A rate is
        nan, with a RuntimeWarning, where there is one class only.

    Raises
    ------
    TypeError, ValueError
        As `roc_auc_score`, and for arrays of several columns.

    Examples
    --------
    >>> false, true, thresholds = roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> false.tolist(), true.tolist()
    ([0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0])
    """
    name = "roc_curve"
    true, score, weight = _one_column(name, y_true, y_score, sample_weight)
    drop = flag(name, "drop_intermediate", drop_intermediate)
    hits, misses, thresholds = threshold_counts(name, true, score, weight)
    if drop and len(hits) > 2:
        corner = np.r_[True, (np.diff(hits, 2) != 0) | (np.diff(misses, 2) != 0), True]
        hits, misses, thresholds = hits[corner], misses[corner], thresholds[corner]
    rates = []
    for counts, kind in ((misses, "negative"), (hits, "positive")):
        counts = np.append(0, counts)
        if counts[-1] == 0:
            warn_undefined(f"{name}: there is no {kind}, so its rate is undefined (nan)")
        rates.append(counts / counts[-1] if counts[-1] else np.full(len(counts), np.nan))
    return rates[0], rates[1], np.append(np.inf, thresholds)


def precision_recall_curve(
    y_true: Any, y_score: Any, sample_weight: Any = None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the points of the precision-recall curve, as scikit-learn does.

    Parameters
    ----------
    y_true, y_score, sample_weight
        As `roc_curve`.

    Returns
    -------
    precision, recall : ndarray of shape (M + 1,)
        By rising threshold; the last point is precision 1 and recall 0, of no row. Recall is 1, with a RuntimeWarning, where
        there is no positive.
    thresholds : ndarray of shape (M,)

    Raises
    ------
    TypeError, ValueError
        As `roc_curve`.

    Examples
    --------
    >>> precision, recall, thresholds = precision_recall_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> recall.tolist(), thresholds.tolist()
    ([1.0, 1.0, 0.5, 0.5, 0.0], [0.1, 0.35, 0.4, 0.8])
    """
    name = "precision_recall_curve"
    true, score, weight = _one_column(name, y_true, y_score, sample_weight)
    hits, misses, thresholds = threshold_counts(name, true, score, weight)
    if hits[-1] == 0:
        warn_undefined(f"{name}: there is no positive, so recall is set to 1")
    recall = hits / hits[-1] if hits[-1] else np.ones(len(hits))
    return np.append((hits / (hits + misses))[::-1], 1.0), np.append(recall[::-1], 0.0), thresholds[::-1]


def _active_ranks(name: str, true: np.ndarray, score: np.ndarray) -> np.ndarray | None:
    """Return the ranks of the positives from 1, the highest score first; None, with a warning, where there is none."""
    threshold_counts(name, true, score, None)  # which refuses labels other than 0 and 1
    order = np.argsort(-score.astype(np.float64), kind="stable")
    ranks = np.flatnonzero(true[order] != 0) + 1
    if not len(ranks):
        warn_undefined(f"{name}: there is no positive, so the score is undefined (nan)")
        return None
    return ranks


def bedroc_score(y_true: Any, y_score: Any, *, alpha: float = 20.0) -> float:
    """Boltzmann-enhanced discrimination of the ROC: how early the positives come in a ranking, from 0 to 1.

    Parameters
    ----------
    y_true : array_like of shape (N,) or (N, C)
        0 and 1; the mean over columns, as in `roc_auc_score`.
    y_score : array_like, same shape
    alpha : float
        How much the beginning counts, above 0 and up to 500: with 20 the first 8% of the ranking are 80% of the score.

    Returns
    -------
    float
        Equal to RDKit's ``CalcBEDROC``; nan with a RuntimeWarning where there is no positive.

    Raises
    ------
    TypeError, ValueError
        As `roc_auc_score`; it takes no weights.

    Notes
    -----
    Rows of one score are ranked in the order of the arrays, as in DeepChem; shuffle the rows where many are equal.

    References
    ----------
    J.-F. Truchon and C. I. Bayly, J. Chem. Inf. Model. 47 (2007) 488, doi:10.1021/ci600426e.

    Examples
    --------
    >>> round(bedroc_score([1, 0, 1, 0, 0], [0.9, 0.8, 0.7, 0.2, 0.1]), 4)
    0.9823
    """
    name = "bedroc_score"
    alpha = number(name, "alpha", alpha, above=0, at_most=500)

    def score(true: np.ndarray, pred: np.ndarray, _: Any) -> float:
        ranks = _active_ranks(name, true, pred)
        if ranks is None:
            return float("nan")
        rows, share = len(true), len(ranks) / len(true)
        if share == 1:
            return 1.0
        by_chance = (1 - math.exp(-alpha)) / math.expm1(alpha / rows) / rows
        found = float(np.sum(np.exp(-(alpha * ranks) / rows))) / (len(ranks) * by_chance)
        best = (1 - math.exp(-alpha * share)) / (share * (1 - math.exp(-alpha)))
        worst = (1 - math.exp(alpha * share)) / (share * (1 - math.exp(alpha)))
        return (found - worst) / (best - worst)

    return _by_column(name, score, y_true, y_score, None)


def enrichment_factor(y_true: Any, y_score: Any, *, fraction: float = 0.01) -> float:
    """How many times more positives are among the highest scores than chance would put there.

    Parameters
    ----------
    y_true, y_score
        As `bedroc_score`, and with the same order of equal scores.
    fraction : float
        The share of the rows that is looked at, above 0 and up to 1; ``ceil(fraction * N)`` rows.

    Returns
    -------
    float
        From 0 to ``1 / fraction``, 1 by chance; equal to RDKit's ``CalcEnrichment``. nan with a RuntimeWarning where there
        is no positive.

    Raises
    ------
    TypeError, ValueError
        As `roc_auc_score`; it takes no weights.

    Examples
    --------
    >>> enrichment_factor([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.2], fraction=0.25)
    2.0
    """
    name = "enrichment_factor"
    fraction = number(name, "fraction", fraction, above=0, at_most=1)

    def score(true: np.ndarray, pred: np.ndarray, _: Any) -> float:
        ranks = _active_ranks(name, true, pred)
        if ranks is None:
            return float("nan")
        taken = math.ceil(len(true) * fraction)
        return float(np.count_nonzero(ranks <= taken) * len(true) / taken / len(ranks))

    return _by_column(name, score, y_true, y_score, None)
