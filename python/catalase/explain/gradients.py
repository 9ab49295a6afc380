"""Gradients of a prediction with respect to its input: saliency and integrated gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.arrays import numbers
from .._internal.numbers import number, whole_number
from .target import Target

_MOST_STEPS = 4096


def rows_of_x(where: str, X: Any) -> NDArray[Any]:
    """Return X as an array of numbers with rows; refuse one without rows, and what is not finite."""
    X = numbers(where, "X", X)
    if X.ndim < 2 or not X.size:
        raise ValueError(f"{where}: X must have one row or more, of one number or more, got shape {X.shape}")
    if X.dtype.kind not in "fiub" or not np.isfinite(X).all():
        raise ValueError(f"{where}: X must hold finite numbers; impute or drop the others")
    return X.astype(np.float32) if X.dtype.kind == "b" else X


def saliency(model: Any, X: Any, task: int = 0, *, label: int | None = None) -> NDArray[np.float32]:
    """Return the gradient of each row's prediction with respect to its input.

    Parameters
    ----------
    model : Model
        With a net that reads numbers.
    X : array_like, shape (N, ...)
        Features, one-hot sequences or images, as `Model.predict` takes them.
    task : int
    label : int, optional
        Of classifiers the class whose log-odds are explained; the last where left out.

    Returns
    -------
    ndarray of float32, of the shape of X
        By how much the prediction changes for a unit of each input; the absolute values are the usual saliency map.

    Raises
    ------
    TypeError
        For models without gradients.
    ValueError
        For rows that the model does not take, no rows, and a task or a class that it does not have.

    References
    ----------
    Simonyan et al., "Deep inside convolutional networks", arXiv:1312.6034.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> model = ct.models.MultitaskRegressor(1, 3, layer_sizes=[8], seed=0)
    >>> ct.explain.saliency(model, np.ones((2, 3), np.float32)).shape
    (2, 3)
    """
    target = Target("saliency", model, task, label)
    return target.gradients(rows_of_x("saliency", X))


def integrated_gradients(
    model: Any,
    X: Any,
    baseline: Any = 0.0,
    task: int = 0,
    *,
    label: int | None = None,
    steps: int = 64,
    tolerance: float = 1e-3,
) -> NDArray[np.float64]:
    """Return what each input contributes to the difference of the prediction from that of a baseline.

    The gradient is averaged along the straight line from the baseline to the row, and multiplied by their difference.

    Parameters
    ----------
    model, X, task, label
        As for `saliency`.
    baseline : float or array_like
        What has no cause in it, such as zeros; it broadcasts to X.
    steps : int
        Points on the line, at the middles of even parts, up to 4,096. They are doubled where that is not enough.
    tolerance : float
        The contributions of a row sum to the difference within ``tolerance * (1 + |difference|)``.

    Returns
    -------
    ndarray of float64, of the shape of X

    Raises
    ------
    TypeError, ValueError
        As `saliency`; RuntimeError where 4,096 points are not enough.

    References
    ----------
    Sundararajan et al., "Axiomatic attribution for deep networks", arXiv:1703.01365.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> model = ct.models.MultitaskRegressor(1, 3, layer_sizes=[8], seed=0)
    >>> X = np.ones((2, 3), np.float32)
    >>> found = ct.explain.integrated_gradients(model, X).sum(axis=1)
    >>> bool(np.allclose(found, (model.predict(X) - model.predict(0 * X))[:, 0], atol=2e-3))
    True
    """
    where = "integrated_gradients"
    target = Target(where, model, task, label)
    X = rows_of_x(where, X).astype(np.float64)
    start = numbers(where, "baseline", baseline)
    try:
        start = np.broadcast_to(start, X.shape).astype(np.float64)
    except ValueError:
        raise ValueError(f"{where}: baseline must broadcast to X of shape {X.shape}, got {start.shape}") from None
    if not np.isfinite(start).all():
        raise ValueError(f"{where}: baseline must hold finite numbers")
    steps = whole_number(where, "steps", steps, 1, _MOST_STEPS)
    tolerance = number(where, "tolerance", tolerance, above=0)
    goal = target.scores(X.astype(np.float32)) - target.scores(start.astype(np.float32))
    found, left = np.zeros(X.shape), np.arange(len(X))
    while len(left):
        for row in left.tolist():
            line = X[row] - start[row]
            total = np.zeros(line.shape)
            for first in range(0, steps, 512):
                points = (np.arange(first, min(first + 512, steps)) + 0.5) / steps
                on_line = start[row] + points.reshape(-1, *(1,) * line.ndim) * line
                total += target.gradients(on_line.astype(np.float32)).sum(axis=0, dtype=np.float64)
            found[row] = total / steps * line
        sums = found[left].reshape(len(left), -1).sum(axis=1)
        left = left[np.abs(sums - goal[left]) > tolerance * (1 + np.abs(goal[left]))]
        steps *= 2
        if len(left) and steps > _MOST_STEPS:
            raise RuntimeError(
                f"{where}: row {left[0]} of X is not within tolerance {tolerance:g} with {steps // 2} points; give a larger "
                "tolerance"
            )
    return found
