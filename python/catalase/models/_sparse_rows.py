"""What a dense net trains on: the rows of a dataset in memory, compressed once if they are mostly zeros."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import ops
from ..data import NumpyDataset
from ..data.dataset import row_batches


class SparseRows:
    """The batches of a dataset, X as a `SparseBatch`: entries are copied instead of rows, and looked for once."""

    def __init__(self, X: ops.SparseBatch, y: NDArray[Any], w: NDArray[Any]) -> None:
        self.X, self.y, self.w = X, y, w

    def __len__(self) -> int:
        return len(self.X)

    def iterbatches(self, batch_size: int, deterministic: bool = False, seed: int | None = None) -> Iterator[Any]:
        """Yield (X, y, w, row numbers), the rows as `Dataset.iterbatches` would choose them."""
        for rows in row_batches(len(self), batch_size, 1, deterministic, seed):
            yield self.X.take(rows), self.y.take(rows, axis=0), self.w.take(rows, axis=0), rows


def compressed(dataset: Any, labels: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]] | None = None) -> Any:
    """The dataset, or its `SparseRows` where it is in memory, float32 and mostly zeros (bits stay packed: 8 to a byte).

    ``labels`` gives y in the form that the loss takes, once, from y and w.
    """
    if type(dataset) is not NumpyDataset or dataset.X.ndim != 2 or dataset.X.dtype != np.float32:
        return dataset
    X = ops.as_sparse(dataset.X)
    if X is None:
        return dataset
    return SparseRows(X, dataset.y if labels is None else labels(dataset.y, dataset.w), dataset.w)
