"""Rows of a fixed number of features, as vectors or as packed bits: what dense nets and nearest neighbours take."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.ragged import RaggedArray
from ..feat import Featurizer
from ..nn.onnx import Graph
from .model import Model, slices

_LARGEST = np.finfo(np.float32).max


class FeatureRows(Model):
    """Checks X (N, n_features), and packed bits: uint8, 8 features a byte, as `ops.ecfp` packs them."""

    n_features: int
    _takes_bits = True

    _rows_at_a_time = 1000

    def _onnx_inputs(self, graph: Graph) -> list[Any]:
        return [graph.input("X", np.float32, ("N", self.n_features))]

    def _row_shape(self) -> tuple[int, ...]:
        return (self.n_features,)

    def _check_width(self, where: str, featurizer: Featurizer) -> None:
        size = getattr(featurizer, "size", None)
        if size is not None and size != self.n_features:
            raise ValueError(
                f"{where}: the model takes {self.n_features} features, but its featurizer names fingerprints of size "
                f"{size}; set model.featurizer to the one it was trained with"
            )

    def _goes_in_as_it_is(self, X: NDArray[Any]) -> bool:
        return X.dtype == np.uint8 and X.ndim == 2 and 8 * X.shape[1] == self.n_features

    def _check_shape(self, where: str, X: NDArray[Any]) -> NDArray[Any]:
        if self._goes_in_as_it_is(X):
            return X
        if X.ndim != 2 or X.shape[1] != self.n_features:
            raise ValueError(f"{where}: X must have shape (rows, {self.n_features}), got {X.shape}")
        return super()._check_shape(where, X)

    def _check_features(self, where: str, X: NDArray[Any]) -> NDArray[Any]:
        X = self._check_shape(where, np.asarray(X) if isinstance(X, RaggedArray) else X)
        if X.dtype.kind == "f":
            for start, stop in slices(len(X), self._rows_at_a_time):
                bad = ~(abs(X[start:stop]) <= _LARGEST)  # NaN, infinity, or a float64 beyond float32's range
                if bad.any():
                    row, column = (int(i) for i in np.argwhere(bad)[0])
                    raise ValueError(
                        f"{where}: X holds {X[start + row, column]} at row {start + row}, column {column}; "
                        "impute or drop it"
                    )
        return X
