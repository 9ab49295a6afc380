"""Whether a model's score could be luck: the same training on labels that are shuffled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .._internal.arrays import labels
from .._internal.numbers import flag, shown, whole_number


class ScrambledResult(NamedTuple):
    """What `y_scrambling` found.

    Attributes
    ----------
    score : float
        With the labels as they are.
    scrambled : list of float
        With the labels shuffled.
    p_value : float
        The share of the shuffled scores that are as good or better, the unshuffled one counted among them.
    """

    score: float
    scrambled: list[float]
    p_value: float


def y_scrambling(
    score: Callable[[Any], float], y: Any, *, repeats: int = 20, maximize: bool = True, seed: int = 0
) -> ScrambledResult:
    """Compare a score with those of the same procedure on shuffled labels, from which nothing can be learned.

    Parameters
    ----------
    score : callable
        From labels (N, T) to the score on rows that were held out: it trains and measures anew.
    y : array_like of shape (N,) or (N, T)
        Rows are shuffled whole, so that missing labels and relations between tasks stay.
    repeats : int
        How often the labels are shuffled.
    maximize : bool
        Whether a larger score is better.
    seed : int

    Returns
    -------
    ScrambledResult

    Raises
    ------
    TypeError, ValueError
        For labels that are no numbers, and a score that is no function.

    References
    ----------
    Rücker, Rücker and Meringer, J. Chem. Inf. Model. 47, 2345 (2007), doi:10.1021/ci700157b.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> X = np.arange(20.0)[:, None]
    >>> def score(y):
    ...     model = ct.models.RidgeRegression(1, 1)
    ...     model.fit(ct.data.NumpyDataset(X[::2], y[::2]))
    ...     return ct.metrics.r2_score(y[1::2], model.predict(X[1::2]))
    >>> ct.hyper.y_scrambling(score, X, repeats=19).p_value
    0.05
    """
    where = "y_scrambling"
    if not callable(score):
        raise TypeError(f"{where}: score must be a function of labels, got {shown(score)}")
    values = labels(where, "y", y)
    if values.ndim not in (1, 2) or len(values) < 2:
        raise ValueError(f"{where}: y must have shape (N,) or (N, tasks) with two rows or more, got {values.shape}")
    repeats = whole_number(where, "repeats", repeats, 1, 100_000)
    sign = 1 if flag(where, "maximize", maximize) else -1
    rng = np.random.default_rng(whole_number(where, "seed", seed, 0))
    true = float(score(values))
    found = [float(score(values[rng.permutation(len(values))])) for _ in range(repeats)]
    better = sum(sign * value >= sign * true for value in found)
    return ScrambledResult(true, found, (better + 1) / (repeats + 1))
