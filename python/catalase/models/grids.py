"""What models of sequences, images and volumes share: their X, batch by batch, and their settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import nn
from .._internal import arrays as _arrays
from .._internal.numbers import is_number
from .._internal.registry import Int
from ..autograd import no_grad
from ..backends import to_host
from ..data import NumpyDataset
from ..data.batch import Batch, Batches
from ..nn.onnx import Graph, Value
from .datapoints import batches
from .labels import check_classes, check_numbers
from .net import NetModel
from .pixels import LEVEL, Pixels, Seen
from .settings import N_CLASSES, N_TASKS, TRAINING, Layers, Settings, kernel

_AXES = ("length",), ("height", "width"), ("depth", "height", "width")

CONV: tuple[Any, ...] = (nn.Conv1D, nn.Conv2D, nn.Conv3D)


class GridModel(NetModel):
    """A model whose rows are grids: (N, L, C), (N, H, W, C) or (N, D, H, W, C).

    Attributes
    ----------
    pixel_scale : float or None
        What pixels of images and volumes are multiplied with: the first fit decides, 1/255 for uint8 and 1 for other
        number types, and the same pixels give the same predictions in every type from then on. Before that (None) uint8 is
        divided by 255 and nothing else. Saved with the model; may be set before the first fit. Refused as being of another
        scale: by a model of pixels to 255, fractions none of which is beyond 1, and values beyond 510; by a model that was
        trained on fractions from 0 to 1, whole numbers beyond 1 other than uint8, which it divides by 255.
    """

    settings = TRAINING | Settings(
        n_tasks=N_TASKS, n_features=Int(1, 1_000_000), dims=Int(1, 3), layer_filters=Layers(Int(1, 1_000_000), 1, 1000),
        n_classes=N_CLASSES,
    )  # fmt: skip
    n_tasks: int
    n_features: int
    dims: int
    layer_filters: list[int]
    mode = "classification"
    n_classes = 2
    _grid: tuple[int, ...] | None = None  # of the data that was seen last

    def _start(self, module: nn.Module, loss: Any) -> None:
        super()._start(module, loss)
        self.pixel_scale: float | None = None
        self._fractions = False

    def _raw(self, where: str, rows: Any) -> NDArray[Any]:
        given = rows if hasattr(rows, "iterbatches") else _arrays.numbers(where, "X", to_host(rows))
        pixels = self._pixels(where, getattr(rows, "scaled_by", 1.0))
        parts = []
        for X in batches(given, self.batch_size):
            X = self._check_features(where, np.asarray(X))
            parts.append(self._run(X if pixels is None else pixels.add(X)))
        if pixels is not None:
            pixels.end()
        return np.concatenate(parts)

    def _run(self, X: Any) -> NDArray[Any]:
        with nn.inference(), no_grad():
            return self._output(self._forward(self.module, self._net_input(X)))

    def _onnx_inputs(self, graph: Graph) -> list[Any]:
        return [graph.input("X", np.float32, ("N", *"DHW"[-self.dims :], self.n_features))]

    def _onnx_raw(self, graph: Graph, *inputs: Any) -> Value:
        scale = 1.0 if self.dims == 1 or self._fractions or self.pixel_scale is None else self.pixel_scale
        x = inputs[0] if scale == 1 else graph.op("Div", inputs[0], np.float32(1 / scale))
        return super()._onnx_raw(graph, x)

    def _on_scale(self, X: Any) -> Any:
        pixels = self._pixels(type(self).__name__)
        return X if pixels is None else pixels.add(X)

    def _pixels(self, where: str, applied: float = 1.0) -> Pixels | None:
        """What brings X onto the net's scale; None for sequences, which are no pixels."""
        return Pixels(where, self.pixel_scale, self._fractions, applied) if self.dims > 1 else None

    def summary(self, size: int | tuple[int, ...] | None = None) -> str:
        """Return a table of the net's layers and parameters.

        Parameters
        ----------
        size : int or tuple of int, optional
            Of the grid whose output shapes are shown; that of the data seen last where left out, and none before.
        """
        grid: Any = self._grid
        if size is not None:
            one = kernel(f"{type(self).__name__}.summary", "size", size, self.dims)
            grid = one if isinstance(one, list) else [one] * self.dims
        return self.module.summary(None if grid is None else (*grid, self.n_features))

    def _check_shape(self, where: str, X: NDArray[Any]) -> NDArray[Any]:
        if X.dtype.hasobject:  # the batches of a dataset of another kind
            raise TypeError(
                f"{where}: X must be arrays of one shape, got a {type(X.flat[0]).__name__ if X.size else 'list'}; cut or pad "
                "sequences to one length, or take a model of sequences such as SequenceRegressor"
            )
        without = self.n_features == 1 and X.ndim == self.dims + 1
        if not without and (X.ndim != self.dims + 2 or X.shape[-1] != self.n_features):
            extra = " (the last axis may be left out)" if self.n_features == 1 else ""
            raise ValueError(
                f"{where}: X must have shape (rows, {', '.join(_AXES[self.dims - 1])}, {self.n_features}){extra}, got "
                f"{X.shape}"
            )
        if 0 in X.shape[1:]:
            raise ValueError(f"{where}: X must have grids of a length of 1 or more, got shape {X.shape}")
        return super()._check_shape(where, X)

    def _batch(self, X: Any) -> Batch:
        X = _arrays.numbers(type(self).__name__, "X", X)
        if X.ndim == self.dims + 1:
            X = X[..., None]
        self._grid = X.shape[1:-1]
        return Batch(np.asarray(X, dtype=np.float32))

    # Data that are not in memory are checked as they come.
    def _check_dataset(self, where: str, dataset: Any) -> None:
        if isinstance(dataset, NumpyDataset):
            super()._check_dataset(where, dataset)
        elif not hasattr(dataset, "iterbatches") or not hasattr(dataset, "__len__"):
            raise TypeError(
                f"{where}: needs a dataset such as catalase.data.NumpyDataset(X, y), got {type(dataset).__name__}"
            )
        elif len(dataset) == 0:
            raise ValueError(f"{where}: the dataset is empty; it needs at least one row")

    def _training_rows(self, dataset: Any) -> Any:
        return self._batches(f"{type(self).__name__}.fit", dataset, None)

    def _validation_rows(self, dataset: Any) -> Any:
        return self._batches(f"{type(self).__name__}.fit (valid)", dataset, self.batch_size)

    def _batches(self, where: str, dataset: Any, most: int | None) -> Batches:
        """The batches of a dataset on the net's scale, of ``most`` rows at most.

        Data that are not in memory are checked as they come, and the first batch decides the ``pixel_scale`` of a model
        that has none.
        """
        in_memory, applied = isinstance(dataset, NumpyDataset), getattr(dataset, "scaled_by", 1.0)
        learns, seen = most is None and self.dims > 1 and self.pixel_scale is None, Seen()

        def iterbatches(batch_size: int, deterministic: bool = False, seed: int | None = None) -> Iterator[Any]:
            size, pixels = batch_size if most is None else min(batch_size, most), None
            for X, y, w, ids in dataset.iterbatches(size, deterministic=deterministic, seed=seed):
                X = np.asarray(X)
                if not in_memory:
                    self._check_features(where, X)
                    self._check_labels(where, np.asarray(y), np.asarray(w))
                if learns:
                    self._learn_scale(X, applied, seen)
                pixels = pixels or self._pixels(where, applied)
                yield self._batch(X if pixels is None else pixels.add(X)), y, w, ids
            if pixels is not None and not learns:
                pixels.end()

        return Batches(dataset, iterbatches)

    def _learn_from(self, where: str, dataset: Any, valid: Any = None) -> None:
        super()._learn_from(where, dataset, valid)
        parts = [part for part in (dataset, valid) if isinstance(part, NumpyDataset)]
        if self.dims > 1 and self.pixel_scale is None and isinstance(dataset, NumpyDataset):
            seen = Seen()
            for start in range(0, len(dataset), self.batch_size):
                self._learn_scale(dataset.X[start : start + self.batch_size], dataset.scaled_by, seen)
        for part in parts:
            pixels = self._pixels(where, part.scaled_by)
            if pixels is not None:
                pixels.check(part.X, self.batch_size)

    def _learn_scale(self, X: NDArray[Any], applied: float, seen: Seen) -> None:
        """Take the scale of pixels from the first batch, and look at the others for what they are fractions of."""
        if self.pixel_scale is None:
            self.pixel_scale = LEVEL if X.dtype == np.uint8 else applied
        if self.pixel_scale == 1:
            seen.add(X)
            self._fractions = seen.fractions

    def _to_carry(self) -> dict[str, Any]:
        return {**super()._to_carry(), "pixel_scale": self.pixel_scale, "pixel_fractions": self._fractions}

    def _carry(self, path: Any, config: dict[str, Any]) -> None:
        super()._carry(path, config)
        scale, fractions = config.get("pixel_scale"), config.get("pixel_fractions", False)
        if not (scale is None or (is_number(scale) and 0 < scale < np.inf)) or not isinstance(fractions, bool):
            raise ValueError(f"load: the config in {path} names {scale!r} as the scale of pixels")
        self.pixel_scale, self._fractions = scale, fractions

    def _check_labels(self, where: str, y: NDArray[Any], w: NDArray[Any]) -> None:
        if self.mode == "classification":
            check_classes(where, y, w, self.n_tasks, self.n_classes)
        else:
            check_numbers(where, y, w, self.n_tasks)


def each(value: int | list[int]) -> int | tuple[int, ...]:
    """As the layers of `nn` take it."""
    return tuple(value) if isinstance(value, list) else value
