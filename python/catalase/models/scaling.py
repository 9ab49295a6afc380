"""The scaling of descriptors, which models learn from their training rows and keep."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST = 1e5  # of a descriptor
DEVIATIONS = 6.0  # of a descriptor from its mean

_FLOATS = NDArray[np.float64]


def bounded(X: NDArray[Any], largest: float = LARGEST) -> _FLOATS:
    """Return a copy in float64, with 0 for what is not finite, clipped to ``largest`` in size."""
    found = np.array(X, np.float64)
    found[~np.isfinite(found)] = 0
    return np.clip(found, -largest, largest, out=found)


def scaling(descriptors: _FLOATS) -> dict[str, NDArray[Any]]:
    """Return the columns that are not constant, with their means and deviations."""
    columns = np.flatnonzero(descriptors.max(axis=0) > descriptors.min(axis=0))
    kept = descriptors[:, columns]
    deviations = kept.std(axis=0)
    return {"columns": columns, "centers": kept.mean(axis=0), "scales": np.where(deviations > 0, deviations, 1.0)}


def on_scale(
    descriptors: _FLOATS, centers: NDArray[Any], scales: NDArray[Any], most: float = DEVIATIONS
) -> NDArray[np.float32]:
    """Return the deviations from the means in units of ``scales``, clipped to ``most``."""
    return np.clip((descriptors - centers) / scales, -most, most).astype(np.float32, order="C")
