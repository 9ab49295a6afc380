"""Platt's logistic function, which makes probabilities of scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def logistic(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and offset of the probability ``1 / (1 + exp(-(slope * score + offset)))``, by Newton's method.

    Labels count as Platt has them, a little off 0 and 1, so that the slope is finite for classes that scores separate.

    References
    ----------
    Platt, "Probabilistic outputs for support vector machines" (1999).
    """
    many, few = positive.sum(), (~positive).sum()
    goal = np.where(positive, (many + 1) / (many + 2), 1 / (few + 2))
    design = np.stack([scores, np.ones_like(scores)], axis=1)
    found = np.array([0.0, np.log((many + 1) / (few + 1))])
    if not many or not few:
        return 0.0, float(found[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-np.clip(design @ found, -30, 30)))
        weight = np.maximum(chance * (1 - chance), 1e-9)
        gradient = design.T @ (goal - chance) - 1e-3 * np.array([found[0], 0])
        curvature = (design.T * weight) @ design + np.diag([1e-3, 1e-9])
        step = np.linalg.solve(curvature, gradient)
        found = found + np.clip(step, -2, 2)
        if abs(step).max() < 1e-9:
            break
    return float(found[0]), float(found[1])
