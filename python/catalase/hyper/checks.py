"""Checks of arguments that searches and validations share."""

from __future__ import annotations

from typing import Any

from .._internal.numbers import shown
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
