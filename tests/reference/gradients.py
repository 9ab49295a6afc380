"""A gradient check by central differences along one random direction, in float64."""

from __future__ import annotations

import numpy as np


def directional(function, arrays, gradients, rng, h=1e-6):
    """Return the slope of `function(*arrays)` by central differences, and the one that the gradients claim."""
    directions = [rng.standard_normal(a.shape) for a in arrays]
    up = function(*[a + h * d for a, d in zip(arrays, directions, strict=True)])
    down = function(*[a - h * d for a, d in zip(arrays, directions, strict=True)])
    claimed = sum(float(np.sum(g * d)) for g, d in zip(gradients, directions, strict=True))
    return (up - down) / (2 * h), claimed
