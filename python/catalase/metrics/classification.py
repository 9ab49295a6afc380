"""Classification metrics in NumPy, equal to scikit-learn's: areas under curves, accuracies, Matthews' coefficient."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .checks import check_pair, check_weights, warn_undefined


def threshold_counts(
    name: str, y_true: np.ndarray, y_score: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return weighted counts of true and false positives at each distinct threshold, the highest first.

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
        return true_count, last + 1 - true_count
    weight = weight[order]
    return np.cumsum(weight * hits)[last], np.cumsum(weight * ~hits)[last]


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
        true_count, false_count = threshold_counts("roc_auc_score", true, pred, weight)
        total = float(true_count[-1]) * float(false_count[-1])
        if total == 0:
            return warn_undefined("roc_auc_score: there is one class only, so the score is undefined (nan)")
        return _area(np.append(0, true_count), np.append(0, false_count)) / total

    return _by_column("roc_auc_score", score, y_true, y_score, sample_weight)


def _precision_recall(
    name: str, true: np.ndarray, pred: np.ndarray, weight: Any
) -> tuple[np.ndarray, np.ndarray] | None:
    true_count, false_count = threshold_counts(name, true, pred, weight)
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


def accuracy_score(y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
    """Return the share of rows whose class is right.

    Parameters
    ----------
    y_true, y_pred : array_like, shape (N,) or (N, C)
        Class numbers. In arrays (N, C) a row is right where all its columns are right.
    sample_weight : array_like, shape (N,), optional
        Weights of the rows, not negative; 1 if not given.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    TypeError, ValueError
        For what is no class number, and for arrays whose shapes do not agree.

    Examples
    --------
    >>> accuracy_score([0, 1, 2, 2], [0, 1, 2, 1])
    0.75
    """
    true, pred = check_pair("accuracy_score", y_true, y_pred)
    weight = check_weights("accuracy_score", sample_weight, len(true))
    right = true == pred if true.ndim == 1 else (true == pred).all(axis=1)
    return float(np.average(right, weights=weight))


def _confusion(name: str, y_true: Any, y_pred: Any, sample_weight: Any) -> np.ndarray:
    """Return weighted counts (true class, predicted class) over the classes that occur in either array."""
    true, pred = check_pair(name, y_true, y_pred)
    if true.ndim != 1:
        raise ValueError(f"{name}: needed classes of shape (N,), got {true.shape}; take argmax(axis=1) of one-hot rows")
    weight = check_weights(name, sample_weight, len(true))
    classes, code = np.unique(np.concatenate([true, pred]), return_inverse=True)
    count = len(classes)
    pairs = code[: len(true)] * count + code[len(true) :]
    return np.bincount(pairs, weights=weight, minlength=count * count).reshape(count, count).astype(np.float64)


def balanced_accuracy_score(y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
    """Return the mean over the true classes of the share of their rows that is right.

    Parameters
    ----------
    y_true, y_pred : array_like, shape (N,)
        Class numbers. Classes without rows do not count.
    sample_weight : array_like, shape (N,), optional
        Weights of the rows, not negative; 1 if not given.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    TypeError, ValueError
        For what is no class number, and for arrays whose shapes do not agree.

    Examples
    --------
    >>> balanced_accuracy_score([0, 0, 0, 1], [0, 0, 1, 1])
    0.8333333333333333
    """
    table = _confusion("balanced_accuracy_score", y_true, y_pred, sample_weight)
    rows = table.sum(axis=1)
    return float(np.mean(np.diag(table)[rows > 0] / rows[rows > 0]))


def matthews_corrcoef(y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
    """Return Matthews' correlation between true and predicted classes, of which there may be more than two.

    Parameters
    ----------
    y_true, y_pred : array_like, shape (N,)
        Class numbers.
    sample_weight : array_like, shape (N,), optional
        Weights of the rows, not negative; 1 if not given.

    Returns
    -------
    float
        From -1 to 1; 0.0 if either side has one class only, as in scikit-learn.

    Raises
    ------
    TypeError, ValueError
        For what is no class number, and for arrays whose shapes do not agree.

    Examples
    --------
    >>> round(matthews_corrcoef([1, 1, 1, 0], [1, 0, 1, 1]), 4)
    -0.3333
    """
    table = _confusion("matthews_corrcoef", y_true, y_pred, sample_weight)
    true_sum, pred_sum, total = table.sum(axis=1), table.sum(axis=0), table.sum()
    covariance = np.trace(table) * total - true_sum @ pred_sum
    spread = (total**2 - true_sum @ true_sum) * (total**2 - pred_sum @ pred_sum)
    if np.count_nonzero(true_sum) < 2 or np.count_nonzero(pred_sum) < 2:
        return 0.0
    return float(covariance / np.sqrt(spread))
