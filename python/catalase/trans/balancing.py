"""`BalancingTransformer` gives weights with which every class of a task counts the same."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._internal import arrays
from .._internal.numbers import flag
from .._internal.registry import Float, List, register
from .transformer import Transformer, label_columns


@register("BalancingTransformer", classes=List(Float(), min_length=1), class_weights=List(List(Float(low=0))))
class BalancingTransformer(Transformer):
    """Give each label the weight (measured labels of its task) / (measured labels of its class), as DeepChem 2.8.

    So the weights of positives and of negatives have the same sum in each task, and likewise for more classes.

    Parameters
    ----------
    dataset : Dataset
        The transformer is fitted on y (N,) or (N, T), which holds class labels, where w is not 0.
    transform_w : bool
        Must be True; DeepChem's older call ``BalancingTransformer(transform_w=True, dataset=train)`` has it.

    Attributes
    ----------
    classes : ndarray (C,)
        The labels that occur, ascending.
    class_weights : ndarray (T, C), float64
        The weight of each class in each task. It is 1 for a class that the task does not have in `dataset`, so that such
        labels count if they occur later.

    Raises
    ------
    ValueError
        No rows, no labels, more than 1,000 different labels (measured values, not classes).

    Notes
    -----
    A missing label (weight 0) keeps weight 0. Other weights are replaced, not multiplied. A class that occurs in `transform`
    but in no task of `dataset` is a ValueError.

    Examples
    --------
    >>> from catalase.data import NumpyDataset
    >>> train = NumpyDataset(np.zeros((3, 2), np.float32), np.array([[0.0], [0.0], [1.0]]))
    >>> BalancingTransformer(train).transform(train).w[:, 0].tolist()
    [1.5, 1.5, 3.0]
    """

    transform_w = True

    def __init__(self, dataset: Any = None, *, transform_w: bool = True) -> None:
        if not flag("BalancingTransformer", "transform_w", transform_w):
            raise ValueError("BalancingTransformer: it changes weights only; leave transform_w at True")
        if dataset is not None:
            arrays.dataset_of("BalancingTransformer", "dataset", dataset, ("y", "w"))
        if dataset is None or len(dataset) == 0 or dataset.y is None:
            raise ValueError("BalancingTransformer: needs a dataset with labels, such as dataset=train")
        y, w = _columns(*label_columns(dataset))
        measured = w != 0
        labels = y[measured & ~np.isnan(y)].tolist()
        self.classes = np.array(sorted(set(labels)), np.float64)  # np.unique would import numpy.ma, which takes 10 ms
        if not 1 <= len(self.classes) <= 1000:
            raise ValueError(f"BalancingTransformer: found {len(self.classes)} different labels, needed classes "
                             "(1 to 1,000); for measured values use NormalizationTransformer")  # fmt: skip
        counts = np.stack([((y == label) & measured).sum(axis=0) for label in self.classes], axis=1)
        total = counts.sum(axis=1, keepdims=True)
        self.class_weights = np.where(counts > 0, total / np.maximum(counts, 1), 1.0)

    def transform_array(
        self, X: np.ndarray, y: np.ndarray | None, w: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Return new weights in y's shape and w's dtype; X and y are returned unchanged."""
        if y is None or w is None:
            raise ValueError(
                f"BalancingTransformer: {'y' if y is None else 'w'} is missing: the dataset has no labels or weights to balance"
            )
        labels, weights = _columns(y, w)
        if labels.shape[1] != len(self.class_weights):
            raise ValueError(f"BalancingTransformer: fitted on {len(self.class_weights)} tasks, the dataset has "
                             f"{labels.shape[1]} columns of y")  # fmt: skip
        balanced = np.zeros(labels.shape, dtype=np.float64)
        known = (weights == 0) | np.isnan(labels)
        for label, column in zip(self.classes, self.class_weights.T, strict=True):
            hit = labels == label
            known |= hit
            balanced += hit * column
        if not known.all():
            unknown = np.unique(labels[~known])[:5].tolist()
            raise ValueError(f"BalancingTransformer: labels {unknown} did not occur in the dataset it was fitted on, "
                             f"only {self.classes[:10].tolist()}")  # fmt: skip
        balanced[weights == 0] = 0
        dtype = w.dtype if w.dtype.kind == "f" else np.float64
        return X, y, balanced.reshape(np.shape(y)).astype(dtype)

    def __repr__(self) -> str:
        return f"BalancingTransformer({len(self.class_weights)} tasks, classes {self.classes.tolist()})"

    def to_config(self) -> dict[str, Any]:
        """Return JSON values from which the registry makes an equal transformer."""
        return {
            "class": "BalancingTransformer",
            "classes": self.classes.tolist(),
            "class_weights": self.class_weights.tolist(),
        }

    @classmethod
    def from_config(cls, fields: dict[str, Any]) -> BalancingTransformer:
        """Make the transformer from the checked fields of a config."""
        classes, weights = fields["classes"], fields["class_weights"]
        if any(len(row) != len(classes) for row in weights) or sorted(set(classes)) != classes:
            raise ValueError(
                "config: BalancingTransformer needs ascending classes and one weight for each in every task"
            )
        made = cls.__new__(cls)
        made.classes = np.array(classes, dtype=np.float64)
        made.class_weights = np.array(weights, dtype=np.float64).reshape(len(weights), len(classes))
        return made


def _columns(y: np.ndarray, w: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return labels (N, T) in float64 and weights (N, T)."""
    labels = arrays.labels("BalancingTransformer", "y", y).astype(np.float64)
    labels = labels[:, None] if labels.ndim == 1 else labels
    if labels.ndim != 2:
        raise ValueError(f"BalancingTransformer: y must be (N,) or (N, T), got {np.shape(y)}")
    weights = np.ones(labels.shape) if w is None else arrays.numbers("BalancingTransformer", "w", w)
    weights = weights[:, None] if weights.ndim == 1 else weights
    if weights.shape not in (labels.shape, (len(labels), 1)):
        raise ValueError(
            f"BalancingTransformer: y {labels.shape} and w {weights.shape} must have the same rows and tasks"
        )
    return labels, np.broadcast_to(weights, labels.shape)
