"""What models share that learn in one call, without epochs: the labels of each task, and the arrays they keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import train
from .._internal.numbers import shown
from ..metrics import Metric
from ..nn.onnx import Graph
from .features import FeatureRows

if TYPE_CHECKING:
    from ..data import Dataset


class ClosedForm(FeatureRows):
    """A subclass writes `_learned`, which returns the arrays, and `_shapes`, which checks those of a saved model."""

    n_tasks: int
    n_classes = 1  # 1: labels are numbers
    use_weights = False  # whether `_learned` gets weights instead of which labels are known

    def __init__(self) -> None:
        super().__init__()
        self._arrays: dict[str, NDArray[Any]] = {}

    def fit(
        self,
        dataset: Dataset,
        nb_epoch: int = 1,
        valid: Dataset | None = None,
        callbacks: train.Callback | Sequence[train.Callback] = (),
        progress: bool | None = None,
        resume: str | Path | None = None,
        graph: bool = False,
        metrics: Metric | str | Sequence[Metric | str] | None = None,
    ) -> train.History:
        """Learn from a dataset; another call begins anew.

        Parameters
        ----------
        dataset : Dataset
            X (N, n_features), y and w as the other models take them. Each task needs a label. A weight of 0 is a missing
            label; all other weights count alike.
        nb_epoch, valid, callbacks, progress, resume, graph, metrics
            There are no epochs: these are taken so that the call is that of any model, and change nothing.

        Returns
        -------
        train.History
            Of no epochs.

        Raises
        ------
        TypeError, ValueError
            For data that do not fit, saying what was needed and what came.
        """
        where = f"{type(self).__name__}.fit"
        self._check_dataset(where, dataset)
        y, known = self._labels(where, dataset)
        without = np.flatnonzero(~known.any(axis=0))
        if len(without):
            raise ValueError(f"{where}: task {without[0]} has no labels (all its weights are 0); leave it out")
        self._learn_from(where, dataset)
        self._arrays = self._learned(where, dataset.X, y, known)
        self.history = train.History(0)
        return self.history

    def _learned(self, where: str, X: NDArray[Any], y: NDArray[Any], known: NDArray[Any]) -> dict[str, NDArray[Any]]:
        raise NotImplementedError

    def _shapes(self, state: dict[str, NDArray[Any]]) -> dict[str, tuple[Any, tuple[int, ...]]]:
        """The dtype and the shape that each array must have, given the others."""
        raise NotImplementedError

    def _labels(self, where: str, dataset: Any) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Labels (N, n_tasks), 0 where they are missing, and whether they are known. Classes are numbers."""
        y, w = np.asarray(dataset.y), np.asarray(dataset.w)
        w = w.reshape(len(w), -1)
        if self.n_classes > 1 and self.n_tasks == 1 and y.shape[1:] == (self.n_classes,):
            y = y.argmax(axis=1)
        if self.n_tasks == 1:  # one-hot labels have one weight a class
            w = w.max(axis=1, keepdims=True)
        if not (np.isfinite(w).all() and (w >= 0).all()):
            raise ValueError(f"{where}: w must be finite and 0 or more")
        known = np.broadcast_to(w.astype(np.float64) if self.use_weights else w != 0, (len(y), self.n_tasks)).copy()
        return np.where(known != 0, y.reshape(len(y), self.n_tasks), 0).astype(np.float64), known

    def _numbers(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Features as numbers, packed bits unpacked."""
        if self._goes_in_as_it_is(X):
            X = np.unpackbits(X, axis=1, bitorder="little")
        return X.astype(np.float64)

    def _check_learned(self, where: str) -> None:
        if not self._arrays:
            raise ValueError(f"{where}: nothing has been learned yet; call fit first")

    def _onnx_inputs(self, graph: Graph) -> list[Any]:
        self._check_learned(graph.where)
        return super()._onnx_inputs(graph)

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Return what was learned, arrays by name; nothing before `fit`."""
        return dict(self._arrays)

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Set what was learned; ValueError unless names, shapes, dtypes and values fit."""
        if not isinstance(state, Mapping):
            raise TypeError(f"load_state_dict: state must be a dictionary of arrays by name, got {shown(state)}")
        arrays = {str(name): np.asarray(array) for name, array in state.items()}
        if arrays:
            try:
                needed = self._shapes(arrays)
            except (KeyError, IndexError, TypeError):
                came = ", ".join(arrays)
                raise ValueError(f"load_state_dict: needed the arrays of a {type(self).__name__}, got {came}") from None
            if set(needed) != set(arrays):
                raise ValueError(f"load_state_dict: needed {', '.join(needed)}, got {', '.join(arrays)}")
            for name, (dtype, shape) in needed.items():
                given = arrays[name]
                if given.shape != shape or given.dtype != dtype:
                    raise ValueError(
                        f"load_state_dict: {name} must be {np.dtype(dtype)} {shape}, got {given.dtype} {given.shape}"
                    )
                if given.dtype.kind == "f" and not np.isfinite(given).all():
                    raise ValueError(f"load_state_dict: {name} must be finite")
        self._arrays = arrays


def task_groups(known: NDArray[np.bool_]) -> list[tuple[list[int], NDArray[np.intp]]]:
    """The tasks for which the same rows are known, and these rows."""
    groups: dict[bytes, list[int]] = {}
    for task in range(known.shape[1]):
        groups.setdefault(known[:, task].tobytes(), []).append(task)
    return [(tasks, np.flatnonzero(known[:, tasks[0]])) for tasks in groups.values()]
