"""`Metric` applies a score function task by task, leaves missing labels out, and averages; `bootstrap_interval` says how
far a score may be off because its rows are few."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .._internal.numbers import flag, number, shown, whole_number
from .shapes import Tasks, classification_tasks, regression_tasks

# These scores rank by probability; the other classification metrics compare classes.
_RANKING = frozenset({
    "average_precision_score", "bedroc_score", "enrichment_factor", "prc_auc_score", "roc_auc_score",
})  # fmt: skip
_PROBABILITY = _RANKING | {"brier_score_loss", "expected_calibration_error", "log_loss"}
_CLASSES = frozenset({
    "accuracy_score", "balanced_accuracy_score", "cohen_kappa_score", "dice_score", "f1_score", "iou_score", "jaccard_score",
    "matthews_corrcoef", "pixel_accuracy_score", "precision_score", "quadratic_weighted_kappa", "recall_score",
    "sensitivity_score", "specificity_score", "zero_one_loss",
})  # fmt: skip
_REGRESSION = frozenset({
    "concordance_index", "crps_score", "explained_variance_score", "kendalltau", "mae_score", "max_error",
    "mean_absolute_error", "mean_squared_error", "median_absolute_error", "pearson_r2_score", "pearsonr", "r2_score",
    "rms_score", "root_mean_squared_error", "spearman_score",
})  # fmt: skip
_ERRORS = frozenset({
    "brier_score_loss", "crps_score", "expected_calibration_error", "log_loss", "mae_score", "max_error", "mean_absolute_error",
    "mean_squared_error", "median_absolute_error", "rms_score", "root_mean_squared_error", "zero_one_loss",
})  # fmt: skip


class Metric:
    """A score function, and the settings by which it is applied to a model's output.

    Parameters
    ----------
    metric : callable
        ``f(y_true, y_pred)``, which takes ``sample_weight=`` if weights are to be used: a function of `catalase.metrics`,
        of scikit-learn, or your own. ``functools.partial(f1_score, average="macro")`` sets an argument of one of these.
    task_averager : callable, optional
        Joins the tasks' scores, such as ``np.mean``. None also takes the mean, but keeps the plain name.
    name : str, optional
        The key in the results of ``evaluate``; by default ``"mean-roc_auc_score"`` where the averager is given as
        ``np.mean``, else ``"roc_auc_score"``.
    threshold : float, optional
        The probability from which a two-class prediction is positive, for metrics that compare classes. None takes the
        likelier class.
    mode : {"classification", "regression"}, optional
        It is known for the functions here and the usual ones of scikit-learn, and needed for others.
    classification_handling_mode : {"threshold", "threshold-one-hot"}, optional
        The form of predictions for a classification metric: classes, or one-hot classes. None gives probabilities, except
        for the functions known to compare classes. Two-class probabilities are those of class 1, shape (N,), with labels
        (N,); with more classes both are (N, C), labels one-hot.

    Raises
    ------
    TypeError, ValueError
        `metric` cannot be called; the mode is unknown and not given.

    Examples
    --------
    >>> from catalase.metrics import roc_auc_score
    >>> metric = Metric(roc_auc_score, np.mean)
    >>> metric.name
    'mean-roc_auc_score'
    >>> metric.compute_metric(np.array([0, 1, 1]), np.array([0.2, 0.1, 0.9]))
    0.5
    """

    def __init__(
        self,
        metric: Callable[..., Any],
        task_averager: Callable[..., Any] | None = None,
        name: str | None = None,
        threshold: float | None = None,
        mode: str | None = None,
        classification_handling_mode: str | None = None,
    ) -> None:
        if not callable(metric):
            raise TypeError(f"Metric: metric must be a function, got {type(metric).__name__}")
        if task_averager is not None and not callable(task_averager):
            raise TypeError(f"Metric: task_averager must be a function or None, got {type(task_averager).__name__}")
        named = metric.func if isinstance(metric, functools.partial) else metric
        function = getattr(named, "__name__", type(metric).__name__)
        self.metric = metric
        self.task_averager = np.mean if task_averager is None else task_averager
        self.threshold = None if threshold is None else number("Metric", "threshold", threshold)
        self.mode = _mode_of(function) if mode is None else mode
        if not isinstance(self.mode, str) or self.mode not in ("classification", "regression"):
            raise ValueError(f"Metric: mode must be 'classification' or 'regression', got {shown(mode)}")
        if (classification_handling_mode is not None and not isinstance(classification_handling_mode, str)) or (
            classification_handling_mode not in (None, "threshold", "threshold-one-hot")
        ):
            raise ValueError("Metric: classification_handling_mode must be None, 'threshold' or 'threshold-one-hot', "
                             f"got {shown(classification_handling_mode)}")  # fmt: skip
        if name is not None and not isinstance(name, str):
            raise TypeError(f"Metric: name must be a text or None, got {shown(name)}")
        if classification_handling_mode is None and function in _CLASSES:
            classification_handling_mode = "threshold"
        self.classification_handling_mode = classification_handling_mode
        self._function = function
        prefix = "" if task_averager is None else getattr(task_averager, "__name__", "averaged") + "-"
        self.name = prefix + function if name is None else name

    def __repr__(self) -> str:
        return f"Metric({self._function}, name={self.name!r}, mode={self.mode!r})"

    @property
    def larger_is_better(self) -> bool | None:
        """Whether a larger score is better: False for errors, None for a function that is not known here.

        Examples
        --------
        >>> from catalase import metrics
        >>> Metric(metrics.rms_score).larger_is_better, Metric(metrics.r2_score).larger_is_better
        (False, True)
        """
        known = self._function in _PROBABILITY | _CLASSES | _REGRESSION
        return self._function not in _ERRORS if known else None

    def compute_metric(
        self,
        y_true: Any,
        y_pred: Any,
        w: Any = None,
        mask_missing: bool = True,
        use_sample_weights: bool = False,
        per_task_metrics: bool = False,
    ) -> Any:
        """Score predictions.

        Parameters
        ----------
        y_true : array
            (N,) or (N, T); NaN is missing. For classification also one-hot: (N, C) with predictions (N, C) or
            (N, 1, C), or (N, T, C).
        y_pred : array
            Classification: probabilities (N, T, C); (N, C) for one task; (N,) or (N, T) of the positive class.
            Regression: (N,), (N, T) or (N, T, 1).
        w : array, optional
            (N,), (N, 1) or (N, T). Weight 0 means the label is missing.
        mask_missing : bool
            Leave missing labels out. False gives the unmasked score, with the values in y (NaN as 0).
        use_sample_weights : bool
            Also give `w` to the function. Then labels of weight 0 do not count in either case.
        per_task_metrics : bool
            Also return the list of the tasks' scores.

        Returns
        -------
        float, or (float, list of float)
            The score of a task with no measured label, or with one class only where the function needs two, is nan; it is
            left out of the average with a RuntimeWarning. If all tasks are nan, so is the average.

        Raises
        ------
        ValueError
            Shapes that do not fit, or labels that are not classes.
        """
        mask_missing = flag("compute_metric", "mask_missing", mask_missing)
        use_sample_weights = flag("compute_metric", "use_sample_weights", use_sample_weights)
        per_task_metrics = flag("compute_metric", "per_task_metrics", per_task_metrics)
        split = classification_tasks if self.mode == "classification" else regression_tasks
        tasks = split(self.name, y_true, y_pred, w)
        scores = []
        reasons: dict[str, list[int]] = {}
        for index in range(tasks.count):
            value, reason = self._score(tasks, index, mask_missing, use_sample_weights)
            scores.append(value)
            if np.isnan(value):
                reasons.setdefault(reason or "undefined", []).append(index)
        if reasons:
            self._warn(reasons, tasks.count)
        finite = [value for value in scores if not np.isnan(value)]
        average = float(self.task_averager(finite)) if finite else float("nan")
        return (average, scores) if per_task_metrics else average

    def _score(self, tasks: Tasks, index: int, mask_missing: bool, use_sample_weights: bool) -> tuple[float, str]:
        """Return the score of one task, and the reason if it is nan."""
        true, pred, weight = tasks.y[:, index], tasks.pred[:, index], tasks.w[:, index]
        missing = np.isnan(true) if true.dtype.kind == "f" else np.zeros(len(true), dtype=bool)
        if mask_missing:
            keep = ~missing & (weight != 0)
            if not keep.all():
                true, pred, weight = true[keep], pred[keep], weight[keep]
        elif missing.any():
            true = np.where(missing, 0, true)
        if len(true) == 0 or (use_sample_weights and not weight.any()):
            return float("nan"), "no measured labels"
        one_class = False
        if self.mode == "classification":
            one_class = bool((true == true[0]).all())
            if one_class and self._function in _RANKING:
                return float("nan"), "one class only"
            true, pred = self._prepare(true, pred)
        kwargs = {"sample_weight": weight} if use_sample_weights else {}
        with warnings.catch_warnings():
            if one_class or len(true) < 2:
                warnings.simplefilter("ignore")  # the warning of `compute_metric` names the task
            try:
                return float(self.metric(true, pred, **kwargs)), "undefined"
            except ValueError:
                if not one_class:
                    raise
                return float("nan"), "one class only"

    def _prepare(self, true: np.ndarray, pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return labels (N,) and probabilities (N, C) as the function takes them: scores, classes or one-hot classes."""
        classes = pred.shape[1]
        if np.isnan(pred).any():
            raise ValueError(f"{self.name}: y_pred has NaN; the model diverged or was fed NaN")
        labels = true.astype(np.int64)
        if not np.array_equal(labels, true) or labels.min() < 0 or labels.max() >= classes:
            raise ValueError(f"{self.name}: labels must be whole numbers from 0 to {classes - 1}, found "
                             f"{np.unique(true)[:5].tolist()}; for measured values use mode='regression'")  # fmt: skip
        if self.classification_handling_mode is None:
            return (labels, pred[:, 1]) if classes == 2 else (np.eye(classes, dtype=np.int64)[labels], pred)
        if classes == 2 and self.threshold is not None:
            chosen = (pred[:, 1] >= self.threshold).astype(np.int64)
        elif classes == 2:
            chosen = (pred[:, 1] >= pred[:, 0]).astype(np.int64)
        else:
            chosen = np.argmax(pred, axis=1)
        if self.classification_handling_mode == "threshold":
            return labels, chosen
        return np.eye(classes, dtype=np.int64)[labels], np.eye(classes, dtype=np.int64)[chosen]

    def _warn(self, reasons: dict[str, list[int]], count: int) -> None:
        detail = "; ".join(f"{reason}: task {', '.join(map(str, tasks))}" for reason, tasks in reasons.items())
        number = sum(map(len, reasons.values()))
        outcome = "so the score is nan" if number == count else "left out of the average"
        warnings.warn(f"{self.name}: undefined (nan) for {number} of {count} tasks, {outcome} ({detail})",
                      RuntimeWarning, stacklevel=3)  # fmt: skip


def bootstrap_interval(
    y_true: Any,
    y_pred: Any,
    metric: Callable[..., Any] | Metric,
    *,
    w: Any = None,
    coverage: float = 0.95,
    samples: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the interval of a score over rows that are drawn again and again, with replacement, from those given.

    Parameters
    ----------
    y_true, y_pred : array_like
        Labels and predictions of one task, as `Metric.compute_metric` takes them. NaN in ``y_true`` is a missing label.
    metric : callable or Metric
        A score function, or a `Metric` with its settings.
    w : array_like, shape (N,), optional
        Weight 0 is a missing label.
    coverage : float
        Share of the drawn scores between the two bounds, above 0 and below 1.
    samples : int
        How often rows are drawn, 1 to 1,000,000.
    seed : int
        Of the draws: the same seed gives the same interval.

    Returns
    -------
    low, high : float
        Percentiles of the drawn scores, in float64; nan where the score is undefined in every draw.

    Raises
    ------
    TypeError, ValueError
        For arguments that `Metric` refuses, labels of several tasks, and where there is no measured label.

    Notes
    -----
    For classes the draws are stratified: each has as many rows of a class as are given, so that no draw lacks a class.
    Draws in which a score is undefined are left out. The interval says how much the score depends on the rows of the test
    part; it knows nothing of another split, another seed or another chemistry.

    References
    ----------
    B. Efron and R. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (the percentile interval).

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> measured = np.arange(50.0)
    >>> low, high = ct.metrics.bootstrap_interval(measured, measured + np.sin(measured), ct.metrics.rms_score)
    >>> low < ct.metrics.rms_score(measured, measured + np.sin(measured)) < high
    True
    """
    name = "bootstrap_interval"
    coverage = number(name, "coverage", coverage, above=0, below=1)
    samples, seed = whole_number(name, "samples", samples, 1, 1_000_000), whole_number(name, "seed", seed, 0)
    if not isinstance(metric, Metric) and not callable(metric):
        raise TypeError(f"{name}: metric must be a score function or a Metric, got {shown(metric)}")
    chosen = metric if isinstance(metric, Metric) else Metric(metric)
    classes = chosen.mode == "classification"
    tasks = (classification_tasks if classes else regression_tasks)(name, y_true, y_pred, w)
    if tasks.count != 1:
        raise ValueError(f"{name}: y_true must be of one task, got {tasks.count}; call it for each column")
    true, pred = tasks.y[:, 0], tasks.pred[:, 0]
    known = (tasks.w[:, 0] != 0) & ~np.isnan(true.astype(np.float64))
    if not known.any():
        raise ValueError(f"{name}: y_true has no measured label in {len(true)} rows")
    true, pred = true[known], pred[known].astype(np.float64)
    if np.isnan(pred).any():
        raise ValueError(f"{name}: y_pred has NaN beside a measured label; leave that row out")
    labels = true
    if classes:
        true, pred = chosen._prepare(true, pred)
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels)] if classes else [np.arange(len(true))]
    rng = np.random.default_rng(seed)
    scores = np.empty(samples)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of draws in which the score is undefined
        for i in range(samples):
            drawn = np.concatenate([rows[rng.integers(0, len(rows), len(rows))] for rows in groups])
            scores[i] = chosen.metric(true[drawn], pred[drawn])
    scores = scores[~np.isnan(scores)]
    if not len(scores):
        return float("nan"), float("nan")
    low, high = np.quantile(scores, [(1 - coverage) / 2, (1 + coverage) / 2])
    return float(low), float(high)


def _mode_of(function: str) -> str:
    if function in _PROBABILITY or function in _CLASSES:
        return "classification"
    if function in _REGRESSION:
        return "regression"
    raise ValueError(f"Metric: cannot tell the mode of {function!r}; give mode='classification' or mode='regression'")
