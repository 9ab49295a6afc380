"""Inputs that a model prefers: a hill climb over mutations, or steps along the gradient."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import choice, flag, number, whole_number
from .gradients import rows_of_x
from .substitutions import check_one_hot
from .target import Target


class Optimized(NamedTuple):
    """What `optimize_input` found.

    Attributes
    ----------
    X : ndarray
        The best input, of the shape of the one that was given.
    score : float
        Its prediction.
    history : ndarray of float64, shape (steps + 1,)
        The best score before each step, and at the end.
    """

    X: NDArray[Any]
    score: float
    history: NDArray[np.float64]


def optimize_input(
    model: Any,
    X: Any,
    steps: int = 100,
    method: str = "mutations",
    task: int = 0,
    *,
    label: int | None = None,
    maximize: bool = True,
    step_size: float = 0.1,
    tried: int = 16,
    seed: int = 0,
) -> Optimized:
    """Change one input so that a model's prediction grows; the best one is kept.

    Parameters
    ----------
    model : Model
    X : array_like, shape (1, ...)
        Where to start, with one row as `Model.predict` takes it.
    steps : int
    method : {"mutations", "gradient"}
        "mutations": of a one-hot sequence (1, L, C), ``tried`` substitutions are drawn in each step, and the best of them is
        kept where it is better. "gradient": a step along the gradient, of the length ``step_size``.
    task, label
        As for `saliency`.
    maximize : bool
        False for the least prediction.
    step_size : float
    tried : int
    seed : int

    Returns
    -------
    Optimized

    Raises
    ------
    TypeError, ValueError
        As `saliency`.

    Examples
    --------
    >>> import catalase as ct
    >>> model = ct.models.CNN(1, 4, 1, layer_filters=[4], kernel_size=3, mode="regression", seed=0)
    >>> found = ct.explain.optimize_input(model, ct.ops.one_hot_dna(["AAAAAAAA"]), steps=10)
    >>> bool(found.history[-1] >= found.history[0]), found.X.shape
    (True, (1, 8, 4))
    """
    where = "optimize_input"
    target = Target(where, model, task, label)
    X = rows_of_x(where, X).copy()
    if len(X) != 1:
        raise ValueError(f"{where}: X must be one row, got {len(X)}")
    steps = whole_number(where, "steps", steps, 0, 10_000_000)
    choice(where, "method", method, ("mutations", "gradient"))
    sign = 1.0 if flag(where, "maximize", maximize) else -1.0
    step_size = number(where, "step_size", step_size, above=0)
    tried = whole_number(where, "tried", tried, 1, 1_000_000)
    rng = np.random.default_rng(whole_number(where, "seed", seed, 0, 2**63 - 1))
    best, score = X, float(target.scores(X)[0])
    history = [score]
    if method == "mutations":
        if X.ndim != 3:
            raise ValueError(f"{where}: X must be a one-hot sequence (1, L, C) for mutations, got shape {X.shape}")
        check_one_hot(where, X)
    else:
        X = X.astype(np.float32)
    for _ in range(steps):
        if method == "mutations":
            trials = np.repeat(best, tried, axis=0)
            at, places = np.arange(tried), rng.integers(0, X.shape[1], tried)
            trials[at, places] = 0
            trials[at, places, rng.integers(0, X.shape[2], tried)] = 1
        else:
            slope = target.gradients(X).astype(np.float64)
            length = float(np.sqrt((slope**2).sum()))
            X = (X + sign * step_size / (length or 1.0) * slope).astype(np.float32)
            trials = X
        found = sign * target.scores(trials)
        top = int(found.argmax())
        if found[top] > sign * score:
            best, score = trials[top : top + 1].copy(), float(sign * found[top])
        history.append(score)
    return Optimized(best, score, np.array(history))
