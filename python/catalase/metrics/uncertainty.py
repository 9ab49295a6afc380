"""Scores of stated uncertainty: the calibration error of probabilities, and the continuous ranked probability score."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.arrays import numbers
from .._internal.numbers import whole_number
from .checks import check_pair, check_weights

_FLOATS = NDArray[np.float64]


def calibration_bins(
    hit: NDArray[Any], chance: _FLOATS, bins: int, weight: _FLOATS | None = None
) -> tuple[_FLOATS, _FLOATS, _FLOATS]:
    """Return the weight, the mean probability and the share of hits of each range of equal width that has rows.

    Range k holds probabilities from ``k / bins`` up to, and without, ``(k + 1) / bins``; the last holds 1 too.
    """
    weight = np.ones(len(chance)) if weight is None else weight
    place = np.minimum((chance * bins).astype(np.int64), bins - 1)
    count, mean, share = (
        np.bincount(place, weights=v, minlength=bins).astype(np.float64)
        for v in (weight, weight * chance, weight * hit)
    )
    used = count > 0
    return count[used], mean[used] / count[used], share[used] / count[used]


def expected_calibration_error(y_true: Any, y_prob: Any, sample_weight: Any = None, *, bins: int = 10) -> float:
    """Mean distance of stated probabilities from how often they came true, over ranges of equal width.

    Parameters
    ----------
    y_true : array_like of shape (N,), or one-hot (N, C)
        0 and 1.
    y_prob : array_like, same shape
        The probability of class 1; or of each of C classes, of which the likeliest one is then looked at.
    sample_weight : array_like of shape (N,), optional
    bins : int
        1 to 10,000.

    Returns
    -------
    float
        From 0 to 1: the sum over ranges of their share of the rows times ``|share of hits - mean probability|``.

    Raises
    ------
    TypeError, ValueError
        For arrays whose shapes do not agree, NaN, labels other than 0 and 1, and numbers that are no probabilities.

    References
    ----------
    C. Guo et al., On Calibration of Modern Neural Networks, 2017, arXiv:1706.04599.

    Examples
    --------
    >>> round(expected_calibration_error([0, 0, 1, 1], [0.25, 0.25, 0.75, 0.75], bins=2), 4)
    0.25
    """
    name = "expected_calibration_error"
    true, chance = check_pair(name, y_true, y_prob, "y_prob")
    weight = check_weights(name, sample_weight, len(true))
    bins = whole_number(name, "bins", bins, 1, 10_000)
    wrong = true[(true != 0) & (true != 1)]
    if len(wrong):
        raise ValueError(f"{name}: labels in y_true must be 0 or 1, found {wrong[0]:g}")
    if chance.min() < 0 or chance.max() > 1:
        raise ValueError(f"{name}: y_prob must be from 0 to 1, got {chance.min():g} to {chance.max():g}")
    chance = chance.astype(np.float64)
    hit = true
    if true.ndim == 2:
        rows, likeliest = np.arange(len(true)), chance.argmax(axis=1)
        hit, chance = true[rows, likeliest], chance[rows, likeliest]
    count, mean, share = calibration_bins(hit, chance, bins, weight)
    return float(np.sum(count * abs(share - mean)) / count.sum())


def crps_score(y_true: Any, y_pred: Any, sample_weight: Any = None, *, std: Any = None) -> float:
    """Continuous ranked probability score: how far a predicted distribution is from what was measured, in units of y.

    Parameters
    ----------
    y_true : array_like of shape (N,)
    y_pred : array_like of shape (N,) or (N, M)
        Means of normal distributions, with `std`; M equally likely values a row, such as the members of an ensemble; or
        plain predictions, for which the score is the mean absolute error.
    sample_weight : array_like of shape (N,), optional
    std : array_like of shape (N,), optional
        Standard deviations, 0 or more.

    Returns
    -------
    float
        0 or more; 0 for a certain and right prediction.

    Raises
    ------
    TypeError, ValueError
        For arrays whose shapes do not agree, NaN, and negative deviations.

    References
    ----------
    T. Gneiting and A. E. Raftery, J. Am. Stat. Assoc. 102 (2007) 359, doi:10.1198/016214506000001437, equations 20 and 21.

    Examples
    --------
    >>> round(crps_score([0.0], [0.0], std=[1.0]), 4)
    0.2337
    >>> crps_score([0.0], [[-1.0, 1.0]])
    0.5
    """
    name = "crps_score"
    values = numbers(name, "y_pred", y_pred, np.float64)
    several = values.ndim == 2 and values.shape[1] > 1
    first = values[:, 0] if several else values
    true, mean = (array.astype(np.float64) for array in check_pair(name, y_true, first))
    if true.ndim != 1:
        raise ValueError(f"{name}: y_true must have shape (N,), got {true.shape}")
    if np.isnan(values).any():
        raise ValueError(f"{name}: y_pred has NaN; leave that row out")
    weight = check_weights(name, sample_weight, len(true))
    if std is None:
        if not several:
            return float(np.average(abs(true - mean), weights=weight))
        size = values.shape[1]
        # The sum of |a - b| over all pairs of sorted values is a sum of each value times its place.
        spread = np.sort(values, axis=1) @ (2 * np.arange(size) - size + 1.0) / size**2
        return float(np.average(abs(values - true[:, None]).mean(axis=1) - spread, weights=weight))
    if several:
        raise ValueError(f"{name}: std is for y_pred of shape (N,), got {values.shape}; give the means")
    _, deviation = check_pair(name, true, std, "std")
    if not (deviation >= 0).all() or np.isinf(deviation).any():
        raise ValueError(f"{name}: std must be finite and not negative, got {deviation.min():g} to {deviation.max():g}")
    z = np.divide(true - mean, deviation, out=np.zeros(len(true)), where=deviation > 0)
    central = np.array([math.erf(value) for value in z / math.sqrt(2)])  # 2 * cdf(z) - 1
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    score = deviation * (z * central + 2 * density - 1 / math.sqrt(math.pi))
    return float(np.average(np.where(deviation > 0, score, abs(true - mean)), weights=weight))
