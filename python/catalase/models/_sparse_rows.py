"""What a dense net trains on: the rows of a dataset in memory, compressed once if they are mostly zeros."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import ops
from ..data import NumpyDataset
from ..data.dataset import row_batches


class SparseRows:
    """The batches of a dataset, X as a `SparseBatch`: entries are copied instead of rows, and looked for once."""

    def __init__(self, dataset: NumpyDataset, X: ops.SparseBatch) -> None:
        self.X, self.y, self.w = X, dataset.y, dataset.w

    def __len__(self) -> int:
        return len(self.X)

    def iterbatches(self, batch_size: int, deterministic: bool = False, seed: int | None = None) -> Iterator[Any]:
        """Yield (X, y, w, row numbers), the rows as `Dataset.iterbatches` would choose them."""
        for rows in row_batches(len(self), batch_size, 1, deterministic, seed):
            yield self.X.take(rows), self.y[rows], self.w[rows], rows


def compressed(dataset: Any) -> Any:
    """The dataset, or its `SparseRows` where it is in memory, float32 and mostly zeros (bits stay packed: 8 to a byte)."""
    if type(dataset) is not NumpyDataset or dataset.X.ndim != 2 or dataset.X.dtype != np.float32:
        return dataset
    X = ops.as_sparse(dataset.X)
    return dataset if X is None else SparseRows(dataset, X)
