"""Scores that compare classes, in NumPy and equal to scikit-learn's: the confusion matrix and what is computed from it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.arrays import numbers
from .._internal.numbers import choice
from .checks import check_pair, check_weights, warn_undefined

_FLOATS = NDArray[np.float64]
_AVERAGES = ("binary", "micro", "macro", "weighted", None)


def _table(name: str, y_true: Any, y_pred: Any, sample_weight: Any, labels: Any = None) -> tuple[_FLOATS, np.ndarray]:
    """Return weighted counts (true class, predicted class), and the classes: those given, or those in either array."""
    true, pred = check_pair(name, y_true, y_pred)
    if true.ndim != 1:
        raise ValueError(f"{name}: needed classes of shape (N,), got {true.shape}; take argmax(axis=1) of one-hot rows")
    weight = check_weights(name, sample_weight, len(true))
    both = np.concatenate([true, pred])
    classes, code = np.unique(both, return_inverse=True)
    if labels is not None:
        wanted = numbers(name, "labels", labels)
        if wanted.ndim != 1 or not len(wanted) or len(np.unique(wanted)) != len(wanted):
            raise ValueError(f"{name}: labels must be a list of different classes, got {wanted.tolist()}")
        if not np.isin(wanted, true).any():
            raise ValueError(f"{name}: labels must have a class that is in y_true, got {wanted.tolist()}")
        code, classes = np.argmax(both[:, None] == wanted, axis=1), wanted
        known = np.isin(true, wanted) & np.isin(pred, wanted)
        weight = known * (1.0 if weight is None else weight)
    count = len(classes)
    pairs = code[: len(true)] * count + code[len(true) :]
    table = np.bincount(pairs, weights=weight, minlength=count * count).reshape(count, count).astype(np.float64)
    return table, classes


def confusion_matrix(
    y_true: Any, y_pred: Any, sample_weight: Any = None, *, labels: Any = None, normalize: str | None = None
) -> NDArray[Any]:
    """Count the rows of each true class (down) that were predicted as each class (across).

    Parameters
    ----------
    y_true, y_pred : array_like of shape (N,)
        Class numbers.
    sample_weight : array_like of shape (N,), optional
    labels : array_like of shape (C,), optional
        The classes in their order; rows of others are left out. By default those in either array, sorted.
    normalize : {"true", "pred", "all"}, optional
        Divide by the sum of each row, of each column, or of everything; a sum of 0 gives zeros.

    Returns
    -------
    ndarray of shape (C, C)
        int64; float64 with weights or `normalize`.

    Raises
    ------
    TypeError, ValueError
        For what is no class number, arrays whose shapes do not agree, and labels of which y_true has none.

    Examples
    --------
    >>> confusion_matrix([0, 1, 1, 1], [0, 1, 1, 0]).tolist()
    [[1, 0], [1, 2]]
    """
    name = "confusion_matrix"
    choice(name, "normalize", normalize, ("true", "pred", "all", None))
    table, _ = _table(name, y_true, y_pred, sample_weight, labels)
    if normalize is None:
        return table if sample_weight is not None else table.astype(np.int64)
    total = table.sum(axis={"true": 1, "pred": 0, "all": None}[normalize], keepdims=True)
    return np.divide(table, total, out=np.zeros_like(table), where=total != 0)


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
    table = _table("balanced_accuracy_score", y_true, y_pred, sample_weight)[0]
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
    table = _table("matthews_corrcoef", y_true, y_pred, sample_weight)[0]
    true_sum, pred_sum, total = table.sum(axis=1), table.sum(axis=0), table.sum()
    covariance = np.trace(table) * total - true_sum @ pred_sum
    spread = (total**2 - true_sum @ true_sum) * (total**2 - pred_sum @ pred_sum)
    if np.count_nonzero(true_sum) < 2 or np.count_nonzero(pred_sum) < 2:
        return 0.0
    return float(covariance / np.sqrt(spread))


def cohen_kappa_score(
    y_true: Any, y_pred: Any, sample_weight: Any = None, *, weights: str | None = None, labels: Any = None
) -> float:
    """Cohen's kappa: agreement of two columns of classes beyond chance.

    Parameters
    ----------
    y_true, y_pred : array_like of shape (N,)
        Class numbers.
    sample_weight : array_like of shape (N,), optional
    weights : {"linear", "quadratic"}, optional
        How much a disagreement counts by the distance of its classes in their order; by default all count alike.
    labels : array_like, optional
        The classes in their order. Give all grades of a scale where one of them may be missing from the rows, since by
        default only classes that occur are counted in a distance, as in scikit-learn.

    Returns
    -------
    float
        At most 1, 0 by chance; nan with a RuntimeWarning where one class alone occurs.

    Raises
    ------
    TypeError, ValueError
        As `confusion_matrix`.

    Examples
    --------
    >>> cohen_kappa_score([0, 1, 2, 2], [0, 1, 2, 1])
    0.6363636363636364
    """
    return _kappa("cohen_kappa_score", y_true, y_pred, sample_weight, weights, labels)


def quadratic_weighted_kappa(y_true: Any, y_pred: Any, sample_weight: Any = None, *, labels: Any = None) -> float:
    """Cohen's kappa in which a disagreement counts by its squared distance, for grades such as 0 to 4 of a disease.

    Parameters, Returns and Raises as `cohen_kappa_score`.

    Examples
    --------
    >>> round(quadratic_weighted_kappa([0, 1, 2, 3], [0, 1, 2, 1]), 4)
    0.5
    """
    return _kappa("quadratic_weighted_kappa", y_true, y_pred, sample_weight, "quadratic", labels)


def _kappa(name: str, y_true: Any, y_pred: Any, sample_weight: Any, weights: str | None, labels: Any) -> float:
    choice(name, "weights", weights, ("linear", "quadratic", None))
    table, classes = _table(name, y_true, y_pred, sample_weight, labels)
    place = np.arange(len(classes))
    distance = abs(place[:, None] - place)
    cost = {None: (distance > 0) * 1.0, "linear": distance, "quadratic": distance**2}[weights]
    total = table.sum()
    by_chance = np.sum(cost * np.outer(table.sum(axis=1), table.sum(axis=0)))
    if total == 0 or by_chance == 0:
        return warn_undefined(f"{name}: one class alone occurs, so the score is undefined (nan)")
    return float(1 - np.sum(cost * table) * total / by_chance)


kappa_score = cohen_kappa_score  # DeepChem's name


def _counted(
    name: str,
    y_true: Any,
    y_pred: Any,
    sample_weight: Any,
    average: str | None,
    share: Callable[[_FLOATS, _FLOATS, _FLOATS], tuple[_FLOATS, _FLOATS]],
    positive: int = 1,
) -> Any:
    """Return an average over the classes of a share of counts: of hits, rows of the class, and rows predicted as it."""
    choice(name, "average", average, _AVERAGES)
    table, classes = _table(name, y_true, y_pred, sample_weight)
    hits, true, pred = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    if average == "binary":
        wrong = classes[(classes != 0) & (classes != 1)]
        if len(wrong):
            raise ValueError(
                f"{name}: y_true and y_pred must have classes 0 and 1, found {wrong[0]:g}; average='macro', where a score has "
                "averages, is for more classes"
            )
        chosen = classes == positive
        hits, true, pred = (counts[chosen] if chosen.any() else np.zeros(1) for counts in (hits, true, pred))
    elif average == "micro":
        hits, true, pred = hits.sum(keepdims=True), true.sum(keepdims=True), pred.sum(keepdims=True)
    above, below = share(hits, true, pred)
    if (below == 0).any():
        warnings.warn(f"{name}: a class has no rows to count, its score is 0", RuntimeWarning, stacklevel=3)
    found = np.divide(above, below, out=np.zeros(len(above)), where=below != 0)
    if average is None:
        return found
    return float(np.average(found, weights=true) if average == "weighted" else found.mean())


def precision_score(y_true: Any, y_pred: Any, sample_weight: Any = None, *, average: str | None = "binary") -> Any:
    """Return the share of rows predicted as a class that are of it.

    Parameters
    ----------
    y_true, y_pred : array_like of shape (N,)
        Class numbers.
    sample_weight : array_like of shape (N,), optional
        Weights of the rows, not negative; 1 if not given.
    average : {"binary", "micro", "macro", "weighted"} or None
        Of class 1 among classes 0 and 1; of all counts together; the mean over the classes that occur, plain or weighted by
        their rows; None gives an array, one number a class.

    Returns
    -------
    float, or ndarray for ``average=None``
        From 0 to 1; a class without rows to count is 0.0 with a RuntimeWarning, as in scikit-learn.

    Raises
    ------
    TypeError, ValueError
        For what is no class number, arrays whose shapes do not agree, and more than two classes with "binary".

    Examples
    --------
    >>> precision_score([0, 1, 1, 1], [1, 1, 1, 0])
    0.6666666666666666
    """
    return _counted("precision_score", y_true, y_pred, sample_weight, average, lambda hits, _, pred: (hits, pred))


def recall_score(y_true: Any, y_pred: Any, sample_weight: Any = None, *, average: str | None = "binary") -> Any:
    """Return the share of rows of a class that are predicted as it; arguments as `precision_score`.

    Examples
    --------
    >>> recall_score([0, 1, 1, 1], [1, 1, 1, 0])
    0.6666666666666666
    """
    return _counted("recall_score", y_true, y_pred, sample_weight, average, lambda hits, true, _: (hits, true))


def sensitivity_score(y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
    """Return the share of rows of class 1 that are found: `recall_score` of classes 0 and 1.

    Examples
    --------
    >>> sensitivity_score([0, 0, 1, 1], [0, 1, 1, 1])
    1.0
    """
    found = _counted("sensitivity_score", y_true, y_pred, sample_weight, "binary", lambda hits, true, _: (hits, true))
    return float(found)


def specificity_score(y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
    """Return the share of rows of class 0 that are predicted as 0; arguments as `sensitivity_score`.

    Examples
    --------
    >>> specificity_score([0, 0, 1, 1], [0, 1, 1, 1])
    0.5
    """
    name = "specificity_score"
    return float(
        _counted(name, y_true, y_pred, sample_weight, "binary", lambda hits, true, _: (hits, true), positive=0)
    )


def _f1(hits: _FLOATS, true: _FLOATS, pred: _FLOATS) -> tuple[_FLOATS, _FLOATS]:
    return 2 * hits, true + pred


def _jaccard(hits: _FLOATS, true: _FLOATS, pred: _FLOATS) -> tuple[_FLOATS, _FLOATS]:
    return hits, true + pred - hits


def f1_score(y_true: Any, y_pred: Any, sample_weight: Any = None, *, average: str | None = "binary") -> Any:
    """Return the harmonic mean of precision and recall; arguments as `precision_score`.

    Examples
    --------
    >>> f1_score([0, 1, 1, 1], [1, 1, 1, 0])
    0.6666666666666666
    """
    return _counted("f1_score", y_true, y_pred, sample_weight, average, _f1)


def jaccard_score(y_true: Any, y_pred: Any, sample_weight: Any = None, *, average: str | None = "binary") -> Any:
    """Return the rows of a class in both arrays divided by those in either; arguments as `precision_score`.

    Examples
    --------
    >>> jaccard_score([0, 1, 1, 1], [1, 1, 1, 0])
    0.5
    """
    return _counted("jaccard_score", y_true, y_pred, sample_weight, average, _jaccard)


def _pixels(name: str, y_true: Any, y_pred: Any, sample_weight: Any) -> tuple[np.ndarray, np.ndarray, Any]:
    """Return masks of any one shape, and their weights, as columns."""
    true, pred = numbers(name, "y_true", y_true), numbers(name, "y_pred", y_pred)
    if true.shape != pred.shape:
        raise ValueError(f"{name}: y_true {true.shape} and y_pred {pred.shape} must have the same shape")
    if sample_weight is None:
        return true.ravel(), pred.ravel(), None
    weight = numbers(name, "sample_weight", sample_weight)
    if weight.shape != true.shape:
        raise ValueError(f"{name}: sample_weight has shape {weight.shape}, needed {true.shape}, one for each pixel")
    return true.ravel(), pred.ravel(), weight.ravel()


def iou_score(y_true: Any, y_pred: Any, sample_weight: Any = None, *, average: str | None = "binary") -> Any:
    """Return the intersection of two masks divided by their union: `jaccard_score` of the pixels.

    Parameters
    ----------
    y_true, y_pred : array_like of any one shape
        The class of each pixel.
    sample_weight : array_like of the same shape, optional
        Such as 0 for pixels that nobody has marked.
    average : {"binary", "micro", "macro", "weighted"} or None
        As `precision_score`; "macro" is the mean over classes.

    Returns
    -------
    float, or ndarray for ``average=None``

    Raises
    ------
    TypeError, ValueError
        As `precision_score`.

    Examples
    --------
    >>> iou_score([[1, 1], [0, 0]], [[1, 0], [0, 0]])
    0.5
    """
    return _counted("iou_score", *_pixels("iou_score", y_true, y_pred, sample_weight), average, _jaccard)


def dice_score(y_true: Any, y_pred: Any, sample_weight: Any = None, *, average: str | None = "binary") -> Any:
    """Return twice the intersection of two masks divided by the sum of their areas: `f1_score` of the pixels.

    Arguments as `iou_score`.

    Examples
    --------
    >>> dice_score([[1, 1], [0, 0]], [[1, 0], [0, 0]])
    0.6666666666666666
    """
    return _counted("dice_score", *_pixels("dice_score", y_true, y_pred, sample_weight), average, _f1)


def pixel_accuracy_score(y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
    """Return the share of pixels whose class is right; arguments as `iou_score`, without averages.

    Examples
    --------
    >>> pixel_accuracy_score([[1, 1], [0, 0]], [[1, 0], [0, 0]])
    0.75
    """
    name = "pixel_accuracy_score"
    true, pred, weights = _pixels(name, y_true, y_pred, sample_weight)
    check_pair(name, true, pred)
    return float(np.average(true == pred, weights=check_weights(name, weights, len(true))))
