"""Ridge regression: linear least squares with a penalty, in closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import ops
from .._internal.registry import Float, Int
from ..nn.onnx import Graph, Value
from .closed_form import ClosedForm, task_groups
from .labels import check_numbers
from .settings import N_TASKS, Option, Settings, declared

_FLOATS = NDArray[np.float64]
_PENALTIES = 10.0 ** np.arange(-6, 4)  # times the mean square of a centred row


@declared
class RidgeRegression(ClosedForm):
    """A linear model of the features: least squares with a penalty on the squares of the coefficients.

    It minimizes ``sum((y - X @ c - b)**2) + alpha * sum(c**2)`` for each task; the offset b carries no penalty.

    Parameters
    ----------
    n_tasks, n_features : int
    alpha : float, optional
        The penalty, 0 or more. By default that of ten, for each task, whose leave-one-out error is the smallest.
    use_weights : bool
        Whether the squared error of a label is multiplied by its weight.

    Attributes
    ----------
    alphas : list of float
        The penalty of each task, after `fit`.

    Notes
    -----
    Features and labels are centred, in float64. With as many rows as features or more, the normal equations are solved by
    Cholesky's factor, else the system of the rows' products (its size is the smaller of both numbers). The leave-one-out
    error is exact and takes one fit: a residual divided by ``1 - h``, where h is the row's leverage. The ten penalties are
    1e-6 to 1e3 times the mean square of a centred row. Features are not scaled.

    Labels are numbers; weight 0 is a missing label, and without ``use_weights`` all other weights count alike. Packed bits
    are taken as features. Deterministic, and equal for any number of threads; a prediction does not depend on the others of
    its batch.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> X = np.arange(6.0)[:, None]
    >>> model = ct.models.RidgeRegression(1, 1, alpha=0.0)
    >>> _ = model.fit(ct.data.NumpyDataset(X, 2 * X + 1))
    >>> model.predict(np.array([[10.0]])).round(5).tolist()
    [[21.0]]
    """

    settings = Settings(
        n_tasks=N_TASKS, n_features=Int(1, 10_000_000), alpha=Float(low=0, none=True), use_weights=Option()
    )
    alpha: float | None

    def __init__(self, n_tasks: int, n_features: int, alpha: float | None = None, use_weights: bool = False) -> None:
        self._set(locals())
        super().__init__()

    @property
    def alphas(self) -> list[float]:
        """The penalty of each task; none before `fit`."""
        return [float(alpha) for alpha in self._arrays.get("alphas", ())]

    def _check_labels(self, where: str, y: NDArray[Any], w: NDArray[Any]) -> None:
        check_numbers(where, y, w, self.n_tasks)

    def _learned(self, where: str, X: NDArray[Any], y: _FLOATS, known: NDArray[Any]) -> dict[str, NDArray[Any]]:
        features = self._numbers(np.asarray(X))
        coefficients, alphas = np.zeros((self.n_features, self.n_tasks)), np.zeros(self.n_tasks)
        offsets = np.zeros(self.n_tasks)
        for tasks, rows in task_groups(known):
            x, targets = features[rows], y[rows][:, tasks]
            weights = known[rows, tasks[0]].astype(np.float64)  # ones without use_weights
            share = weights / weights.sum()
            center, mean = (share @ x, share @ targets) if self.use_weights else (x.mean(axis=0), targets.mean(axis=0))
            x -= center
            targets = np.ascontiguousarray(targets - mean)
            if self.use_weights:
                x *= np.sqrt(weights)[:, None]
                targets *= np.sqrt(weights)[:, None]
            found, alphas[tasks] = self._solved(where, x, targets, share)
            coefficients[:, tasks], offsets[tasks] = found, mean - center @ found
        return {"coefficients": coefficients, "offsets": offsets, "alphas": alphas}

    def _solved(self, where: str, x: _FLOATS, y: _FLOATS, share: _FLOATS) -> tuple[_FLOATS, _FLOATS]:
        """Coefficients and penalties of some tasks, of centred features and labels and each row's share in the means."""
        n, p = x.shape
        wide = p > n
        square = ops.matmul(x, x, transpose_b=True) if wide else ops.matmul(x, x, transpose_a=True)
        mean_square = float(np.trace(square)) / n
        if self.alpha is not None:
            found = _coefficients(where, x, square, self.alpha, y)[0]
            return found, np.full(y.shape[1], self.alpha)
        penalties = _PENALTIES * (mean_square if mean_square > 0 else 1.0)
        best = np.full(y.shape[1], np.inf)
        coefficients, chosen = np.zeros((p, y.shape[1])), np.full(y.shape[1], penalties[-1])
        for alpha in penalties[::-1]:  # of equal errors the largest penalty stands
            found, factor = _coefficients(where, x, square, float(alpha), y)
            root = ops.solve_triangular(factor, np.eye(n) if wide else x.T)
            leverage = 1 - alpha * (root**2).sum(axis=0) if wide else (root**2).sum(axis=0)
            left = np.maximum(1 - share - leverage, 1e-10)
            errors = (((y - ops.matmul(x, found)) / left[:, None]) ** 2).mean(axis=0)
            better = errors < best
            best[better], chosen[better], coefficients[:, better] = errors[better], alpha, found[:, better]
        return coefficients, chosen

    def _raw_batch(self, where: str, X: NDArray[Any]) -> NDArray[Any]:
        X = self._check_features(where, np.asarray(X))
        self._check_learned(where)
        found = ops.matmul(self._numbers(X), self._arrays["coefficients"]) + self._arrays["offsets"]
        return found.astype(np.float32)

    def _onnx_raw(self, graph: Graph, *inputs: Any) -> Value:
        found = graph.op("MatMul", graph.op("Cast", inputs[0], to=11), self._arrays["coefficients"])
        return graph.op("Cast", graph.op("Add", found, self._arrays["offsets"]), to=1)

    def _shapes(self, state: dict[str, NDArray[Any]]) -> dict[str, tuple[Any, tuple[int, ...]]]:
        tasks = (self.n_tasks,)
        return {
            "coefficients": (np.float64, (self.n_features, *tasks)), "offsets": (np.float64, tasks),
            "alphas": (np.float64, tasks),
        }  # fmt: skip


def _coefficients(where: str, x: _FLOATS, square: _FLOATS, alpha: float, y: _FLOATS) -> tuple[_FLOATS, _FLOATS]:
    """Coefficients with one penalty, and Cholesky's factor of X X^T or X^T X with it."""
    wide = x.shape[1] > len(x)
    penalized = square.copy()
    penalized.flat[:: len(square) + 1] += alpha
    try:
        factor = ops.cholesky(penalized)
    except ValueError:
        raise ValueError(
            f"{where}: with alpha {alpha:g} the coefficients are not determined, since features depend on each other; give a "
            "larger alpha, or None to choose it"
        ) from None
    given = y if wide else ops.matmul(x, y, transpose_a=True)
    solved = ops.solve_triangular(factor, ops.solve_triangular(factor, given), transposed=True)
    return (ops.matmul(x, solved, transpose_a=True) if wide else solved), factor
