"""Regression metrics in NumPy, computed in float64: root mean square, mean absolute error, R2, Pearson, Spearman."""

from __future__ import annotations

from typing import Any

import numpy as np

from .checks import check_pair, check_weights, warn_undefined


def _prepare(
    name: str, y_true: Any, y_pred: Any, sample_weight: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    true, pred = check_pair(name, y_true, y_pred)
    if true.ndim != 1:
        raise ValueError(
            f"{name}: needed arrays of shape (N,), got {true.shape}; score one column at a time or use Metric"
        )
    weight = check_weights(name, sample_weight, len(true))
    return true.astype(np.float64), pred.astype(np.float64), weight


def rms_score(y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
    """Root of the mean squared error, in the units of y.

    Parameters
    ----------
    y_true, y_pred : array (N,)
    sample_weight : array (N,), optional

    Raises
    ------
    ValueError
        Shapes differ, no rows, NaN, bad weights.

    Examples
    --------
    >>> rms_score([1.0, 2.0], [1.0, 4.0]) ** 2
    2.0000000000000004
    """
    true, pred, weight = _prepare("rms_score", y_true, y_pred, sample_weight)
    return float(np.sqrt(np.average((true - pred) ** 2, weights=weight)))


def mae_score(y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
    """Mean absolute error, in the units of y; parameters and errors as `rms_score`.

    Examples
    --------
    >>> mae_score([1.0, 2.0], [1.0, 4.0])
    1.0
    """
    true, pred, weight = _prepare("mae_score", y_true, y_pred, sample_weight)
    return float(np.average(np.abs(true - pred), weights=weight))


def r2_score(y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
    """Coefficient of determination, 1 - residual / total sum of squares; at most 1, negative below the mean as prediction.

    Where y_true is constant, the result is 1.0 for perfect predictions and else 0.0, as in scikit-learn; for fewer than two
    rows it is nan with a RuntimeWarning. Parameters and errors as `rms_score`.

    Examples
    --------
    >>> r2_score([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    0.5
    """
    true, pred, weight = _prepare("r2_score", y_true, y_pred, sample_weight)
    if len(true) < 2:
        return warn_undefined("r2_score: fewer than two rows, so the score is undefined (nan)")
    residual = np.average((true - pred) ** 2, weights=weight)
    total = np.average((true - np.average(true, weights=weight)) ** 2, weights=weight)
    counted = true if weight is None else true[weight != 0]
    if total == 0 or (counted == counted[:1]).all():  # the mean of equal numbers may be one digit off
        return 1.0 if residual == 0 else 0.0
    return float(1 - residual / total)


def _correlation(name: str, a: np.ndarray, b: np.ndarray, weight: np.ndarray | None) -> float:
    if weight is not None:
        keep = weight != 0
        a, b, weight = a[keep], b[keep], weight[keep]
    if len(a) < 2 or (a == a[0]).all() or (b == b[0]).all():
        return warn_undefined(f"{name}: fewer than two rows or a constant column, so the score is undefined (nan)")
    a = a - np.average(a, weights=weight)
    b = b - np.average(b, weights=weight)
    a, b = a / np.abs(a).max(), b / np.abs(b).max()  # keeps the squares of tiny and huge values in range
    scale = np.sqrt(np.average(a * a, weights=weight)) * np.sqrt(np.average(b * b, weights=weight))
    return float(np.clip(np.average(a * b, weights=weight) / scale, -1.0, 1.0))


def pearson_r2_score(y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
    """Square of Pearson's correlation, in [0, 1]; nan with a RuntimeWarning where either array is constant.

    Parameters and errors as `rms_score`.

    Examples
    --------
    >>> pearson_r2_score([1.0, 2.0, 3.0], [6.0, 4.0, 2.0])
    1.0
    """
    true, pred, weight = _prepare("pearson_r2_score", y_true, y_pred, sample_weight)
    return _correlation("pearson_r2_score", true, pred, weight) ** 2


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return ranks from 1; equal values share the mean of their ranks."""
    _, code, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[code]


def spearman_score(y_true: Any, y_pred: Any) -> float:
    """Spearman's rank correlation, in [-1, 1], in which ties share their mean rank; it takes no weights.

    The result is nan with a RuntimeWarning where either array is constant. Errors as `rms_score`.

    Examples
    --------
    >>> spearman_score([1.0, 2.0, 3.0], [0.1, 0.2, 9.0])
    1.0
    """
    true, pred, _ = _prepare("spearman_score", y_true, y_pred, None)
    return _correlation("spearman_score", _ranks(true), _ranks(pred), None)


def pearsonr(y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
    """Pearson's correlation, in [-1, 1]; nan with a RuntimeWarning where either array is constant.

    Parameters and errors as `rms_score`.

    Examples
    --------
    >>> pearsonr([1.0, 2.0, 3.0], [6.0, 4.0, 2.0])
    -1.0
    """
    true, pred, weight = _prepare("pearsonr", y_true, y_pred, sample_weight)
    return _correlation("pearsonr", true, pred, weight)


def concordance_index(y_true: Any, y_pred: Any) -> float:
    """Share of the pairs of rows with different y that the predictions put in the right order; equal predictions are half.

    It is in [0, 1], 0.5 by chance, takes no weights, and is nan with a RuntimeWarning where all y are equal. Its time is
    N log(N)**2. Errors as `rms_score`.

    Examples
    --------
    >>> concordance_index([1.0, 2.0, 3.0], [0.1, 0.9, 0.5])
    0.6666666666666666
    """
    true, pred, _ = _prepare("concordance_index", y_true, y_pred, None)
    order = np.lexsort((pred, true))  # so that no pair of equal y is out of order
    true, pred = true[order], np.unique(pred[order], return_inverse=True)[1]
    tied = _equal_pairs(true)
    pairs = len(true) * (len(true) - 1) // 2 - tied
    if pairs == 0:
        return warn_undefined("concordance_index: all y are equal, so the score is undefined (nan)")
    half = _equal_pairs(pred) - _equal_pairs(true, pred)
    return float((pairs - half - _inversions(pred) + half / 2) / pairs)


def _equal_pairs(*columns: np.ndarray) -> int:
    count = np.unique(np.stack(columns), axis=1, return_counts=True)[1]
    return int(np.sum(count * (count - 1)) // 2)


def _inversions(values: np.ndarray) -> int:
    """Return the number of pairs in which the earlier value is larger, by merging blocks that double in length."""
    place, count, width = np.arange(len(values)), 0, 1
    span = int(values.max()) + 1
    while width < len(values):
        block = place // (2 * width)
        order = np.argsort(block * span + values, kind="stable")
        right = order % (2 * width) >= width
        # Behind each value from the right half come those of the left half that are larger.
        count += int(np.sum(width * (block + 1)[right] - np.cumsum(~right)[right]))
        values = values[order]
        width *= 2
    return count
