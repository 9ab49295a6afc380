"""`NormalizationTransformer` brings labels or features to mean 0 and standard deviation 1, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._internal.arrays import dataset_of, labels, numbers
from .._internal.numbers import flag
from .._internal.registry import Bool, Float, List, register
from .transformer import Transformer, label_columns


@register(
    "NormalizationTransformer",
    transform_X=Bool(),
    means=List(Float(), min_length=1),
    stds=List(Float(low=0), min_length=1),
)
class NormalizationTransformer(Transformer):
    """Compute ``(z - mean) / std`` for each task (or each feature).

    Parameters
    ----------
    transform_X : bool
        Normalize features instead of labels.
    transform_y : bool, optional
        Normalize labels; by default the opposite of `transform_X`. For both, make two transformers.
    dataset : Dataset
        The transformer is fitted on its y (N,) or (N, T), or on its X (N, F).

    Attributes
    ----------
    means, stds : ndarray (T,) or (F,), float64
        Population statistics (ddof 0) over the measured entries: a label that is NaN or has weight 0 never counts;
        other weights do not matter. A constant column has std 1, so it is only shifted; a column without measured entries
        has mean 0 and std 1.

    Raises
    ------
    TypeError, ValueError
        No dataset, no rows, no labels; features that are packed bits, not finite, or not (N, F).

    Notes
    -----
    All is computed in float64; the result has the input's dtype where that is a float, else float64. Missing labels do not
    change: NaN stays NaN, its weight stays 0. (DeepChem lets labels of weight 0 count in mean and deviation.)

    Examples
    --------
    >>> from catalase.data import NumpyDataset
    >>> train = NumpyDataset(np.zeros((3, 2), np.float32), np.array([1.0, 2.0, 3.0]))
    >>> scaler = NormalizationTransformer(dataset=train)
    >>> scaler.transform(train).y.round(3).tolist()
    [-1.225, 0.0, 1.225]
    >>> scaler.untransform([0.0, 1.0]).round(3).tolist()
    [2.0, 2.816]
    """

    def __init__(self, transform_X: bool = False, transform_y: bool | None = None, dataset: Any = None) -> None:
        transform_X = flag("NormalizationTransformer", "transform_X", transform_X)
        transform_y = (
            not transform_X if transform_y is None else flag("NormalizationTransformer", "transform_y", transform_y)
        )
        if transform_X == transform_y:
            raise ValueError("NormalizationTransformer: give one of transform_X and transform_y; make two for both")
        parts = ("X",) if transform_X else ("y", "w")
        if dataset is None or len(dataset_of("NormalizationTransformer", "dataset", dataset, parts)) == 0:
            raise ValueError("NormalizationTransformer: needs a dataset with rows, such as dataset=train")
        self.transform_X, self.transform_y = transform_X, transform_y
        if transform_X:
            values = _features(dataset.X)
            measured = np.ones(values.shape, dtype=bool)
        else:
            if dataset.y is None:
                raise ValueError("NormalizationTransformer: the dataset has no labels")
            y, w = label_columns(dataset)
            values = _labels(y)
            measured = ~np.isnan(values)
            if w is not None:
                w = numbers("NormalizationTransformer", "w", w)
                measured &= (w[:, None] if w.ndim == 1 else w) != 0
        if not np.isfinite(values[measured]).all():
            raise ValueError("NormalizationTransformer: infinite or NaN values cannot be normalized; repair the data")
        self.means, self.stds = _statistics(values, measured)

    def transform_array(
        self, X: np.ndarray, y: np.ndarray | None, w: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Return normalized X or y; the other two arrays are returned unchanged."""
        if self.transform_X:
            return self._scale(X, self._shaped("X", _features(X).shape)), y, w
        if y is None:
            raise ValueError("NormalizationTransformer: y is missing: the dataset has no labels")
        array = labels("NormalizationTransformer", "y", y)
        return X, self._scale(array, self._shaped("y", array.shape)), w

    def _scale(self, z: np.ndarray, statistics: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        mean, std = statistics
        z = (numbers if self.transform_X else labels)("NormalizationTransformer", "X" if self.transform_X else "y", z)
        result: np.ndarray = (z.astype(np.float64) - mean) / std
        return result.astype(z.dtype if z.dtype.kind == "f" else np.float64)

    def untransform(self, z: Any) -> np.ndarray:
        """Return ``z * std + mean`` for z of shape (N,) with one task, (N, T) or (N, T, 1); float inputs keep their dtype."""
        array = numbers("NormalizationTransformer", "z", z)
        mean, std = self._shaped("z", array.shape)
        result: np.ndarray = array.astype(np.float64) * std + mean
        return result.astype(array.dtype if array.dtype.kind == "f" else np.float64)

    def untransform_spread(self, z: Any) -> np.ndarray:
        """Return ``z * std``, for standard deviations and errors, which have no origin. Shapes are as in `untransform`."""
        array = numbers("NormalizationTransformer", "z", z)
        result: np.ndarray = array.astype(np.float64) * self._shaped("z", array.shape)[1]
        return result.astype(array.dtype if array.dtype.kind == "f" else np.float64)

    def _shaped(self, name: str, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return means and standard deviations in a shape that fits an array of `shape`."""
        size = len(self.means)
        if len(shape) == 3 and shape[1:] == (size, 1):
            return self.means[:, None], self.stds[:, None]
        if shape[1:] != (size,) and not (len(shape) == 1 and size == 1):
            raise ValueError(
                f"NormalizationTransformer: fitted on {size} columns, got an array of shape {shape} as {name}"
            )
        return self.means, self.stds

    def __repr__(self) -> str:
        return f"NormalizationTransformer(transform_{'X' if self.transform_X else 'y'}, {len(self.means)} columns)"

    def to_config(self) -> dict[str, Any]:
        """Return JSON values from which the registry makes an equal transformer, to the bit."""
        return {
            "class": "NormalizationTransformer",
            "transform_X": self.transform_X,
            "means": self.means.tolist(),
            "stds": self.stds.tolist(),
        }

    @classmethod
    def from_config(cls, fields: dict[str, Any]) -> NormalizationTransformer:
        """Make the transformer from the checked fields of a config."""
        if len(fields["means"]) != len(fields["stds"]) or 0 in fields["stds"]:
            raise ValueError("config: NormalizationTransformer needs as many stds as means, none of them 0")
        made = cls.__new__(cls)
        made.transform_X, made.transform_y = fields["transform_X"], not fields["transform_X"]
        made.means = np.array(fields["means"], dtype=np.float64)
        made.stds = np.array(fields["stds"], dtype=np.float64)
        return made


def _features(X: Any) -> np.ndarray:
    array = numbers("NormalizationTransformer", "X", X)
    if array.dtype.kind != "f":
        raise TypeError(f"NormalizationTransformer: X must be float to be normalized, got {array.dtype} (packed bits?)")
    if array.ndim != 2:
        raise ValueError(f"NormalizationTransformer: X must be (N, F), got {array.shape}")
    return array


def _labels(y: Any) -> np.ndarray:
    array = labels("NormalizationTransformer", "y", y).astype(np.float64)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2:
        raise ValueError(f"NormalizationTransformer: y must be (N,) or (N, T), got {np.shape(y)}")
    return array


def _statistics(values: np.ndarray, measured: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and population standard deviation of each column over its measured entries; see the class."""
    count = np.maximum(measured.sum(axis=0), 1)
    clean = np.where(measured, values, 0).astype(np.float64)
    means = clean.sum(axis=0) / count
    stds = np.sqrt((np.where(measured, clean - means, 0) ** 2).sum(axis=0) / count)
    low = np.where(measured, values, np.inf).min(axis=0)
    high = np.where(measured, values, -np.inf).max(axis=0)
    # Rounding leaves a constant column a tiny std, so a constant column is found by its extremes.
    stds[(low >= high) | (stds == 0)] = 1.0
    return means, stds
