"""Checks of arguments that searches and validations share."""

from __future__ import annotations

import warnings
from typing import Any

from .._internal.numbers import flag, shown
from ..metrics import Metric
from ..models.model import chosen_metrics
from ..splits import RandomSplitter
from ..splits.splitter import Splitter


def one_metric(where: str, metric: Any) -> Metric:
    """Return the one metric that was given."""
    found = chosen_metrics(where, metric)
    if len(found) != 1:
        raise TypeError(f"{where}: metric must be one Metric, got {shown(metric)}")
    return found[0]


def check_data(where: str, dataset: Any, name: str = "dataset") -> Any:
    """Return what has the labels and the rows of a dataset."""
    if isinstance(dataset, type) or not all(hasattr(dataset, part) for part in ("y", "w", "select")):
        raise TypeError(f"{where}: {name} must be one such as catalase.data.NumpyDataset(X, y), got {shown(dataset)}")
    return dataset


def splitter_of(where: str, splitter: Any) -> Splitter:
    """Return the splitter; one that splits by chance for None."""
    splitter = RandomSplitter() if splitter is None else splitter
    if not isinstance(splitter, Splitter):
        raise TypeError(
            f"{where}: splitter must be one of catalase.splits, such as ScaffoldSplitter(), got {shown(splitter)}"
        )
    return splitter


def larger_wins(where: str, name: str, value: Any, metric: Metric) -> bool:
    """Return whether the larger score wins, with a warning where the argument and the metric do not agree."""
    larger = flag(where, name, value)
    if metric.larger_is_better is not None and metric.larger_is_better != larger:
        kind = "an error, of which less is better" if larger else "a score, of which more is better"
        warnings.warn(
            f"{where}: {name} is {larger}, so the worst wins: {metric.name} is {kind}; give {name}={not larger}",
            RuntimeWarning,
            stacklevel=3,
        )
    return larger
