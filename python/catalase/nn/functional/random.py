"""Random values by counters: they depend on the seed and the place of a draw alone, never on threads or on draws before."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def random_values(seed: int, epoch: int, step: int, place: int) -> np.random.Generator:
    """Return a generator of its own for each seed, epoch, step and place (a layer, or a kind of draw)."""
    return np.random.Generator(
        np.random.Philox(key=np.array([seed % 2**64, place], np.uint64), counter=[0, 0, step, epoch])
    )


def normal_values(
    shape: tuple[int, ...], dtype: Any, stddev: float, seed: int, epoch: int, step: int, place: int
) -> NDArray[Any]:
    """Return normal values of mean 0, as NumPy's array."""
    wide = np.dtype(dtype) == np.float64
    drawn = random_values(seed, epoch, step, place).standard_normal(shape, np.float64 if wide else np.float32)
    return drawn * drawn.dtype.type(stddev)
