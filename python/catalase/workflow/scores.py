"""Scores of a model's parts, members and baselines, task by task, with intervals by bootstrap."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import metrics as known_metrics
from .._internal.arrays import numbers
from .._internal.numbers import choice, shown, whole_number
from ..metrics import Metric, bootstrap_interval
from .outcome import Outcome, parts_of, texts_of
from .words import figure

_SAMPLES = 200, 1000  # draws of the bootstrap, at least and at most
_DRAWN_ROWS = 2_000_000  # in all draws together: large parts, whose intervals are narrow, need fewer draws


def _brier(labels: NDArray[Any], probability: NDArray[Any]) -> float:
    return float(np.mean((probability - labels) ** 2))


class Score(NamedTuple):
    """A figure by which models are compared: its name for readers, its metric, and what is better."""

    label: str
    metric: Metric
    lower_is_better: bool = False
    interval: bool = False  # whether its bootstrap interval is computed
    in_units: bool = False  # whether it has the units of the labels

    def text(self, value: Any) -> str:
        """Return a value of this score for readers; one without units has three decimals."""
        if self.in_units or value is None or not np.isfinite(value):
            return figure(value)
        return f"{round(value, 3) + 0.0:.3f}"  # adding 0 makes -0 a 0


# The first of each mode is the headline, by which models are compared.
SCORES: dict[str, dict[str, Score]] = {
    "regression": {
        "rmse": Score("RMSE", Metric(known_metrics.rms_score), True, True, True),
        "mae": Score("MAE", Metric(known_metrics.mae_score), True, in_units=True),
        "r2": Score("R2", Metric(known_metrics.r2_score), False, True),
        "spearman": Score("Spearman", Metric(known_metrics.spearman_score)),
    },
    "classification": {
        "roc_auc": Score("ROC-AUC", Metric(known_metrics.roc_auc_score), False, True),
        "average_precision": Score("average precision", Metric(known_metrics.average_precision_score)),
        "balanced_accuracy": Score("balanced accuracy", Metric(known_metrics.balanced_accuracy_score)),
        "brier": Score("Brier", Metric(_brier, mode="classification"), True),
    },
}


def headline(mode: str) -> str:
    """Return the name of the score by which models of a mode are compared."""
    return next(iter(SCORES[mode]))


def metrics_of(
    mode: str,
    tasks: Sequence[str],
    parts: Any,
    measured: Any,
    predicted: Any,
    *,
    members: Mapping[str, Any] | None = None,
    baselines: Mapping[str, Any] | None = None,
    kept: Collection[str] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Return the scores of a model, of its members and of baselines on the test part and out of fold.

    Parameters
    ----------
    mode : {"regression", "classification"}
    tasks : sequence of str
        T names.
    parts : array_like of shape (N,)
        "train" or "test". Predictions of training rows are out of fold, and their scores those of validation.
    measured, predicted : array_like of shape (N, T)
        NaN in ``measured`` is a missing label, NaN in ``predicted`` a row without a prediction: neither is scored.
    members, baselines : mapping of str to array_like of shape (N, T), optional
        Predictions of each member of the model, and of each simple model that it is compared with.
    kept : collection of str, optional
        The members whose mean the model is; by default all.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        "test" and "validation" hold the scores by name, means over the tasks in which they are defined (nan where there
        is none), and "labels", the number of labels scored. "members" and "baselines" hold the same two by name, and
        members "kept". "per_task" holds the same two by task, with "intervals": the 95% interval of some scores, as [low,
        high]. Scores are rmse, mae, r2 and spearman, or roc_auc, average_precision, balanced_accuracy and brier.

    Raises
    ------
    TypeError, ValueError
        For arrays that are no numbers or whose shapes do not agree.

    Examples
    --------
    >>> import numpy as np, catalase.workflow
    >>> y = np.arange(40.0)[:, None]
    >>> parts = ["train"] * 30 + ["test"] * 10
    >>> found = catalase.workflow.metrics_of("regression", ["y"], parts, y, y + 0.5, baselines={"mean": 0 * y + 14.5})
    >>> found["test"]["rmse"], found["per_task"]["y"]["test"]["intervals"]["rmse"]
    (0.5, [0.5, 0.5])
    """
    name = "metrics_of"
    choice(name, "mode", mode, tuple(SCORES))
    tasks = texts_of(name, "tasks", tasks)
    seed = whole_number(name, "seed", seed, 0)
    labels = _table(name, "measured", measured, None, len(tasks))
    whole = _table(name, "predicted", predicted, len(labels), len(tasks))
    of_part = parts_of(name, parts, len(labels))
    chosen = None if kept is None else texts_of(name, "kept", kept)
    rows = {"test": of_part == "test", "validation": of_part == "train"}

    def both(values: NDArray[np.float64]) -> dict[str, Any]:
        return {what: _mean_scores(mode, labels[which], values[which]) for what, which in rows.items()}

    found: dict[str, Any] = both(whole)
    for group, given in (("members", members), ("baselines", baselines)):
        if given is not None and not isinstance(given, Mapping):
            raise TypeError(f"{name}: {group} must be a dict of predictions, got {shown(given)}")
        found[group] = {
            str(key): both(_table(name, f"{group}[{key!r}]", values, len(labels), len(tasks)))
            for key, values in (given or {}).items()
        }
    unknown = [key for key in chosen or () if key not in found["members"]]
    if unknown:
        raise ValueError(
            f"{name}: kept names {shown(unknown[0])}, which is not among the members {list(found['members'])}"
        )
    for key in found["members"]:
        found["members"][key]["kept"] = chosen is None or key in chosen
    found["per_task"] = {
        str(task): {
            what: _with_intervals(mode, labels[which, t], whole[which, t], seed) for what, which in rows.items()
        }
        for t, task in enumerate(tasks)
    }
    return found


def _table(function: str, name: str, values: Any, rows: int | None, tasks: int) -> NDArray[np.float64]:
    array = numbers(function, name, values, np.float64)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or array.shape[1] != tasks or (rows is not None and len(array) != rows):
        needed = f"({'N' if rows is None else rows}, {tasks})"
        raise ValueError(f"{function}: {name} must have shape {needed}, got {array.shape}")
    return array


def _task_scores(mode: str, measured: NDArray[np.float64], predicted: NDArray[np.float64]) -> dict[str, Any]:
    """Return the scores of one task, nan where they are undefined, and the number of labels."""
    known = ~np.isnan(measured) & ~np.isnan(predicted)
    found: dict[str, Any] = {}
    for key, score in SCORES[mode].items():
        value = float("nan")
        if known.any():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # of scores that are undefined here
                value = score.metric.compute_metric(measured[known], predicted[known])
        found[key] = float(value)
    return found | {"labels": int(known.sum())}


def _mean_scores(mode: str, measured: NDArray[np.float64], predicted: NDArray[np.float64]) -> dict[str, Any]:
    """Return the means of the tasks' scores over those in which they are defined."""
    each = [_task_scores(mode, measured[:, t], predicted[:, t]) for t in range(measured.shape[1])]
    found: dict[str, Any] = {}
    for key in SCORES[mode]:
        defined = [scores[key] for scores in each if not np.isnan(scores[key])]
        found[key] = float(np.mean(defined)) if defined else float("nan")
    return found | {"labels": sum(scores["labels"] for scores in each)}


def _with_intervals(
    mode: str, measured: NDArray[np.float64], predicted: NDArray[np.float64], seed: int
) -> dict[str, Any]:
    found = _task_scores(mode, measured, predicted)
    known = ~np.isnan(measured) & ~np.isnan(predicted)
    intervals = {}
    for key, score in SCORES[mode].items():
        if score.interval and not np.isnan(found[key]):
            samples = int(np.clip(_DRAWN_ROWS // known.sum(), *_SAMPLES))
            low, high = bootstrap_interval(measured[known], predicted[known], score.metric, samples=samples, seed=seed)
            intervals[key] = [low, high]
    return found | {"intervals": intervals}


class Held(NamedTuple):
    """How the intervals of a task fared on the test part: labels, how many lay inside, and the median width."""

    labels: int
    inside: int
    width: float

    @property
    def share(self) -> float:
        return self.inside / self.labels if self.labels else float("nan")


def has_intervals(outcome: Outcome) -> bool:
    """Return whether predictions have intervals."""
    return not bool(np.isnan(outcome.low).all())


def intervals_held(outcome: Outcome, task: int) -> Held:
    """Return how often the intervals of a task hold on the test part; classes have no label inside an interval."""
    rows = outcome.known(task, "test") & ~np.isnan(outcome.low[:, task]) & ~np.isnan(outcome.high[:, task])
    if outcome.mode == "classification" or not rows.any():
        return Held(0, 0, float("nan"))
    y, low, high = (table[rows, task] for table in (outcome.measured, outcome.low, outcome.high))
    return Held(len(y), int(((y >= low) & (y <= high)).sum()), float(np.median(high - low)))


def best_baseline(outcome: Outcome) -> tuple[str, float] | None:
    """Return the baseline with the best headline score on the test part, and that score; None where there is none."""
    key = headline(outcome.mode)
    scored = {
        name: entry.get("test", {}).get(key, float("nan"))
        for name, entry in outcome.metrics.get("baselines", {}).items()
    }
    scored = {name: value for name, value in scored.items() if value is not None and not np.isnan(value)}
    if not scored:
        return None
    choose: Callable[..., Any] = min if SCORES[outcome.mode][key].lower_is_better else max
    name = choose(scored, key=lambda n: scored[n])
    return name, scored[name]
