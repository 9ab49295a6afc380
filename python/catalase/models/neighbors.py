"""Nearest neighbours by Tanimoto similarity: the baseline that any model on fingerprints has to answer to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import train
from .._internal.numbers import shown
from .._internal.registry import Int, Str
from ..fingerprint_index import FingerprintIndex
from ..metrics import Metric
from ..nn.onnx import Graph, Value
from .features import FeatureRows
from .labels import check_classes, check_numbers
from .settings import N_CLASSES, N_TASKS, Settings, declared

if TYPE_CHECKING:
    from ..data import Dataset


class TanimotoKNN(FeatureRows):
    """What the two models share: what was measured, fingerprints (N, bytes), targets (N, tasks, values), weights (N, tasks).

    Tasks for which the same molecules were measured share an index.
    """

    settings = Settings(
        n_tasks=N_TASKS, n_features=Int(1, 8 * 2**20), k=Int(1, 10_000_000),
        weights=Str(choices=["similarity", "uniform"]), n_classes=N_CLASSES,
    )  # fmt: skip
    n_tasks: int
    k: int
    weights: str
    n_classes = 1  # values of a target

    def __init__(self) -> None:
        super().__init__()
        width, values = (self.n_features + 7) // 8, (self.n_tasks, self.n_classes)
        self._keep(
            np.zeros((0, width), np.uint8), np.zeros((0, *values), np.float32), np.zeros((0, self.n_tasks), np.float32)
        )

    def _keep(self, fingerprints: NDArray[Any], targets: NDArray[Any], weights: NDArray[Any]) -> None:
        self._arrays = {"fingerprints": fingerprints, "targets": targets, "weights": weights}
        groups: dict[bytes, list[int]] = {}
        for task, known in enumerate((weights != 0).T if len(weights) else ()):
            groups.setdefault(known.tobytes(), []).append(task)
        self._indexes: list[tuple[list[int], NDArray[np.int64], FingerprintIndex]] = []
        for tasks in groups.values():
            rows = np.flatnonzero(weights[:, tasks[0]])
            self._indexes.append((tasks, rows, FingerprintIndex(fingerprints[rows])))

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Return what was measured: "fingerprints", "targets" and "weights"."""
        return dict(self._arrays)

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Set what was measured; ValueError unless names, shapes, dtypes and values fit."""
        if not isinstance(state, Mapping):
            raise TypeError(f"load_state_dict: state must be a dictionary of arrays by name, got {shown(state)}")
        if set(state) != set(self._arrays):
            needed, came = ", ".join(self._arrays), ", ".join(map(str, state)) or "nothing"
            raise ValueError(f"load_state_dict: needed {needed}, got {came}")
        arrays = {name: np.asarray(state[name]) for name in self._arrays}
        for name, own in self._arrays.items():
            shape, given = (*arrays["weights"].shape[:1], *own.shape[1:]), arrays[name]
            if given.shape != shape or given.dtype != own.dtype:
                raise ValueError(
                    f"load_state_dict: {name} must be {own.dtype} {shape}, got {given.dtype} {given.shape}"
                )
        if not (np.isfinite(arrays["targets"]).all() and (arrays["weights"] >= 0).all()):
            raise ValueError("load_state_dict: targets must be finite and weights 0 or more")
        self._keep(**arrays)

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
        """Keep a dataset as what predictions are looked up in; another call replaces it.

        Parameters
        ----------
        dataset : Dataset
            X (N, n_features) of 0 and 1, or packed bits; y and w as the other models take them. Each task needs a label.
        nb_epoch, valid, callbacks, progress, resume, graph, metrics
            Nothing is trained: these are taken so that the call is that of any model, and change nothing.

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
        y, w = np.asarray(dataset.y), np.asarray(dataset.w)
        targets = self._targets(y)
        weights = w.reshape(len(w), -1)
        if self.n_tasks == 1:  # one-hot labels have one weight a class
            weights = weights.max(axis=1, keepdims=True)
        weights = np.array(np.broadcast_to(weights, (len(y), self.n_tasks)), np.float32)
        if not (np.isfinite(weights).all() and (weights >= 0).all()):
            raise ValueError(f"{where}: w must be finite and 0 or more")
        without = np.flatnonzero(~weights.any(axis=0))
        if len(without):
            raise ValueError(f"{where}: task {without[0]} has no labels (all its weights are 0); leave it out")
        targets[weights == 0] = 0
        self._learn_from(where, dataset)
        self._keep(self._bits(where, dataset.X), targets, weights)
        self.history = train.History(0)
        return self.history

    def _raw_batch(self, where: str, X: NDArray[Any]) -> NDArray[Any]:
        queries = self._bits(where, self._check_features(where, np.asarray(X)))
        if not len(self._arrays["weights"]):
            raise ValueError(f"{where}: there is nothing to look up yet; call fit first")
        means = self._means(queries)
        return means if self.n_classes > 1 else means[:, :, 0]

    def _means(self, queries: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Weighted means of the k nearest neighbours' targets, (queries, tasks, values)."""
        out = np.zeros((len(queries), *self._arrays["targets"].shape[1:]), np.float32)
        for tasks, rows, index in self._indexes:
            found, similarities = index.topk(queries, min(self.k, len(rows)))
            vote = similarities.astype(np.float64) if self.weights == "similarity" else np.ones(found.shape)
            vote[~vote.any(axis=1)] = 1  # like none of them: their plain mean
            for task in tasks:
                weight = vote * self._arrays["weights"][rows[found], task]
                target = self._arrays["targets"][rows[found], task]
                out[:, task] = (weight[:, :, None] * target).sum(axis=1) / weight.sum(axis=1)[:, None]
        return out

    def _onnx_raw(self, graph: Graph, *inputs: Any) -> Value:
        if not len(self._arrays["weights"]):
            raise ValueError(f"{graph.where}: there is nothing to look up yet; call fit first")
        ones, columns = graph.op("Cast", inputs[0], to=11), [Value("", 0)] * self.n_tasks
        own = graph.op("ReduceSum", ones, np.array([1]), keepdims=1)
        for tasks, rows, _ in self._indexes:
            bits = np.unpackbits(self._arrays["fingerprints"][rows], axis=1, count=self.n_features, bitorder="little")
            both = graph.op("MatMul", ones, bits.T.astype(np.float64))
            either = graph.op("Sub", graph.op("Add", own, bits.sum(axis=1, dtype=np.float64)), both)
            similar = graph.op("Div", both, graph.op("Max", either, np.float64(1)))
            votes, found = graph.several("TopK", 2, similar, np.array([min(self.k, len(rows))]), axis=1)
            if self.weights == "similarity":
                most = graph.op("ReduceMax", votes, np.array([1]), keepdims=1)
                none = graph.op("Cast", graph.op("Equal", most, np.float64(0)), to=11)
                votes = graph.op("Add", votes, none)  # like none of them: their plain mean
            else:
                votes = graph.op("Add", graph.op("Mul", votes, np.float64(0)), np.float64(1))
            for task in tasks:
                of = self._arrays["weights"][rows, task].astype(np.float64)
                weight = graph.op("Mul", votes, graph.op("Gather", of, found, axis=0, rank=2))
                weight = graph.op("Unsqueeze", weight, np.array([2]), rank=3)
                target = self._arrays["targets"][rows, task].astype(np.float64)
                sums = graph.op("Mul", weight, graph.op("Gather", target, found, axis=0, rank=3))
                sums, total = (graph.op("ReduceSum", v, np.array([1]), keepdims=1) for v in (sums, weight))
                columns[task] = graph.op("Div", sums, total)
        means = graph.op("Cast", graph.op("Concat", *columns, axis=1), to=1)
        return means if self.n_classes > 1 else graph.op("Squeeze", means, np.array([2]), rank=2)

    def _targets(self, y: NDArray[Any]) -> NDArray[Any]:
        return y.reshape(len(y), self.n_tasks, 1).astype(np.float32)

    def _bits(self, where: str, X: NDArray[Any]) -> NDArray[np.uint8]:
        if self._goes_in_as_it_is(X):
            return np.ascontiguousarray(X)
        ones = X == 1
        if not np.array_equal(ones, X != 0):
            row, column = (int(i) for i in np.argwhere(ones != (X != 0))[0])
            raise ValueError(
                f"{where}: X must hold 0 and 1, got {X[row, column]} at row {row}, column {column}; "
                "Tanimoto similarity is of bits, not of counts"
            )
        return np.packbits(ones, axis=1, bitorder="little")


@declared
class TanimotoKNNClassifier(TanimotoKNN):
    """Class probabilities from the classes of the most similar molecules.

    Parameters
    ----------
    n_tasks, n_features : int
    k : int
        Neighbours that vote, of those whose label is known for the task; all of them where there are fewer.
    weights : {"similarity", "uniform"}
        A neighbour's vote: its Tanimoto similarity, or 1 (which also holds where all similarities are 0). Multiplied by
        the weight of its label.
    n_classes : int
        Of each task.

    Notes
    -----
    Features are bits: 0 and 1, or packed (`catalase.ops.ecfp`). Labels y (N, n_tasks) are class numbers, or for one task
    rows of class probabilities; weight 0 is a missing label. Of equally similar molecules the one that came first in the
    dataset counts. Deterministic; a prediction does not depend on the others of its batch.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> X = ct.ops.ecfp(["CCO", "CCCO", "CCN", "CCCN"], size=512)
    >>> model = ct.models.TanimotoKNNClassifier(1, 512, k=2)
    >>> _ = model.fit(ct.data.NumpyDataset(X, [[0], [0], [1], [1]]))
    >>> model.predict(ct.ops.ecfp(["CCCCN"], size=512)).argmax(axis=2)
    array([[1]])
    """

    def __init__(
        self, n_tasks: int, n_features: int, k: int = 5, weights: str = "similarity", n_classes: int = 2
    ) -> None:
        self._set(locals())
        super().__init__()

    def _targets(self, y: NDArray[Any]) -> NDArray[Any]:
        if self.n_tasks == 1 and y.shape[1:] == (self.n_classes,):
            return y[:, None, :].astype(np.float32)
        return (y.reshape(len(y), self.n_tasks, 1) == np.arange(self.n_classes)).astype(np.float32)

    def _check_labels(self, where: str, y: NDArray[Any], w: NDArray[Any]) -> None:
        check_classes(where, y, w, self.n_tasks, self.n_classes)


@declared
class TanimotoKNNRegressor(TanimotoKNN):
    """The mean of the measurements of the most similar molecules.

    Parameters
    ----------
    n_tasks, n_features, k, weights
        As `TanimotoKNNClassifier`.

    Notes
    -----
    As `TanimotoKNNClassifier`; labels y (N, n_tasks) are numbers.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> X = ct.ops.ecfp(["CCO", "CCCO", "CCN", "CCCN"], size=512)
    >>> model = ct.models.TanimotoKNNRegressor(1, 512, k=1)
    >>> _ = model.fit(ct.data.NumpyDataset(X, [[1.0], [2.0], [3.0], [4.0]]))
    >>> model.predict(ct.ops.ecfp(["CCCCN"], size=512))
    array([[4.]], dtype=float32)
    """

    def __init__(self, n_tasks: int, n_features: int, k: int = 5, weights: str = "similarity") -> None:
        self._set(locals())
        super().__init__()

    def _check_labels(self, where: str, y: NDArray[Any], w: NDArray[Any]) -> None:
        check_numbers(where, y, w, self.n_tasks)
