"""Nearest neighbours by Euclidean distance: the baseline of models on descriptors and other numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import ops
from .._internal.registry import Bool, Int, Str
from ..nn.onnx import Graph, Value
from .closed_form import ClosedForm, task_groups
from .labels import check_classes, check_numbers
from .settings import N_CLASSES, N_TASKS, Settings, declared

_FLOATS = NDArray[np.float64]
_EQUAL = 1e-7  # a distance that stands for equal rows: products of float64 leave that much


class EuclideanKNN(ClosedForm):
    """What the two models share. A subclass says what the values of a label are (`_values`)."""

    settings = Settings(
        n_tasks=N_TASKS, n_features=Int(1, 10_000_000), k=Int(1, 10_000_000),
        weights=Str(choices=["distance", "uniform"]), scale=Bool(), n_classes=N_CLASSES,
    )  # fmt: skip
    k: int
    weights: str
    scale: bool
    _rows_at_a_time = 256

    def _values(self, y: _FLOATS) -> _FLOATS:
        """Labels (N, tasks) as what is averaged, (N, tasks, values)."""
        raise NotImplementedError

    def _learned(self, where: str, X: NDArray[Any], y: _FLOATS, known: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
        rows = self._numbers(np.asarray(X))
        center, deviation = np.zeros(self.n_features), np.ones(self.n_features)
        if self.scale:
            center, deviation = rows.mean(axis=0), rows.std(axis=0)
            deviation[deviation == 0] = 1.0
        rows = (rows - center) / deviation
        return {"rows": rows, "y": y, "known": known.astype(np.uint8), "center": center, "deviation": deviation}

    def _raw_batch(self, where: str, X: NDArray[Any]) -> NDArray[Any]:
        X = self._check_features(where, np.asarray(X))
        self._check_learned(where)
        kept = self._arrays
        queries = (self._numbers(X) - kept["center"]) / kept["deviation"]
        values = self._values(kept["y"])
        found = np.zeros((len(queries), *values.shape[1:]))
        for tasks, there in task_groups(kept["known"] != 0):
            rows, targets = kept["rows"][there], values[there]
            squares = ops.matmul(queries, rows, transpose_b=True)
            squares *= -2
            squares += (queries**2).sum(axis=1)[:, None]
            squares += (rows**2).sum(axis=1)
            nearest = np.argsort(squares, axis=1, kind="stable")[:, : self.k]
            distances = np.sqrt(np.maximum(np.take_along_axis(squares, nearest, axis=1), 0))
            vote = self._votes(distances)
            vote /= vote.sum(axis=1, keepdims=True)
            for task in tasks:
                found[:, task] = (vote[:, :, None] * targets[nearest, task]).sum(axis=1)
        return found.astype(np.float32) if self.n_classes > 1 else found[:, :, 0].astype(np.float32)

    def _onnx_raw(self, graph: Graph, *inputs: Any) -> Value:
        kept = self._arrays
        x = graph.op("Sub", graph.op("Cast", inputs[0], to=11), kept["center"])
        x = graph.op("Div", x, kept["deviation"])
        own = graph.op("ReduceSum", graph.op("Mul", x, x), np.array([1]), keepdims=1)
        values, columns = self._values(kept["y"]), [Value("", 0)] * self.n_tasks
        for tasks, there in task_groups(kept["known"] != 0):
            rows, targets = kept["rows"][there], values[there]
            squares = graph.op("Add", graph.op("MatMul", x, -2 * rows.T), own)
            squares = graph.op("Add", squares, (rows**2).sum(axis=1))
            count = np.array([min(self.k, len(rows))])
            squares, nearest = graph.several("TopK", 2, squares, count, axis=1, largest=0)
            distances = graph.op("Sqrt", graph.op("Max", squares, np.float64(0)))
            if self.weights == "uniform":
                vote = graph.op("Add", graph.op("Mul", distances, np.float64(0)), np.float64(1))
            else:
                near = graph.op("LessOrEqual", distances, np.float64(_EQUAL))
                near = graph.op("Cast", near, to=11)
                some = graph.op("Cast", graph.op("ReduceMax", near, np.array([1]), keepdims=1), to=9)
                vote = graph.op("Where", some, near, graph.op("Reciprocal", distances), rank=2)
            vote = graph.op("Div", vote, graph.op("ReduceSum", vote, np.array([1]), keepdims=1))
            vote = graph.op("Unsqueeze", vote, np.array([2]), rank=3)
            for task in tasks:
                of = graph.op("Gather", np.ascontiguousarray(targets[:, task]), nearest, axis=0, rank=3)
                columns[task] = graph.op("ReduceSum", graph.op("Mul", vote, of), np.array([1]), keepdims=1)
        found = graph.op("Cast", graph.op("Concat", *columns, axis=1), to=1)
        return found if self.n_classes > 1 else graph.op("Squeeze", found, np.array([2]), rank=2)

    def _votes(self, distances: _FLOATS) -> _FLOATS:
        if self.weights == "uniform":
            return np.ones_like(distances)
        near = distances <= _EQUAL
        with np.errstate(divide="ignore"):
            return np.where(near.any(axis=1, keepdims=True), near.astype(np.float64), 1 / distances)

    def _shapes(self, state: dict[str, NDArray[Any]]) -> dict[str, tuple[Any, tuple[int, ...]]]:
        rows, columns = len(state["rows"]), (self.n_features,)
        if not (state["deviation"] > 0).all():
            raise ValueError("load_state_dict: deviation must be above 0")
        return {
            "rows": (np.float64, (rows, *columns)), "y": (np.float64, (rows, self.n_tasks)),
            "known": (np.uint8, (rows, self.n_tasks)), "center": (np.float64, columns), "deviation": (np.float64, columns),
        }  # fmt: skip


@declared
class EuclideanKNNClassifier(EuclideanKNN):
    """Class probabilities from the classes of the nearest rows.

    Parameters
    ----------
    n_tasks, n_features : int
    k : int
        Neighbours that vote, of those whose label is known for the task; all of them where there are fewer.
    weights : {"distance", "uniform"}
        A neighbour's vote: 1 over its distance (equal rows alone vote where there are some), or 1.
    scale : bool
        Whether features are brought to mean 0 and deviation 1 over the training rows first.
    n_classes : int
        Of each task.

    Notes
    -----
    Features are numbers, or packed bits. Labels y (N, n_tasks) are class numbers; weight 0 is a missing label, all other
    weights count alike. Of equally distant rows the one that came first in the dataset counts. All is float64, N * n_features
    numbers are kept, and a prediction costs as many multiply-adds; it does not depend on the others of its batch.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> X = np.array([[0.0], [1.0], [10.0], [11.0]])
    >>> model = ct.models.EuclideanKNNClassifier(1, 1, k=2)
    >>> _ = model.fit(ct.data.NumpyDataset(X, [[0], [0], [1], [1]]))
    >>> model.predict(np.array([[9.0]])).argmax(axis=2)
    array([[1]])
    """

    def __init__(
        self,
        n_tasks: int,
        n_features: int,
        k: int = 5,
        weights: str = "distance",
        scale: bool = True,
        n_classes: int = 2,
    ) -> None:
        self._set(locals())
        super().__init__()

    def _values(self, y: _FLOATS) -> _FLOATS:
        return (y[:, :, None] == np.arange(self.n_classes)).astype(np.float64)

    def _check_labels(self, where: str, y: NDArray[Any], w: NDArray[Any]) -> None:
        check_classes(where, y, w, self.n_tasks, self.n_classes)


@declared
class EuclideanKNNRegressor(EuclideanKNN):
    """The mean of the measurements of the nearest rows.

    Parameters
    ----------
    n_tasks, n_features, k, weights, scale
        As `EuclideanKNNClassifier`.

    Notes
    -----
    As `EuclideanKNNClassifier`; labels y (N, n_tasks) are numbers.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> X = np.arange(4.0)[:, None]
    >>> model = ct.models.EuclideanKNNRegressor(1, 1, k=2, weights="uniform")
    >>> _ = model.fit(ct.data.NumpyDataset(X, 10 * X))
    >>> model.predict(np.array([[0.4]]))
    array([[5.]], dtype=float32)
    """

    def __init__(
        self, n_tasks: int, n_features: int, k: int = 5, weights: str = "distance", scale: bool = True
    ) -> None:
        self._set(locals())
        super().__init__()

    def _values(self, y: _FLOATS) -> _FLOATS:
        return y[:, :, None]

    def _check_labels(self, where: str, y: NDArray[Any], w: NDArray[Any]) -> None:
        check_numbers(where, y, w, self.n_tasks)
