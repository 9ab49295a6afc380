"""Start values of parameters: functions of a shape and a seeded generator, giving float32 arrays."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Initializer = Callable[[tuple[int, ...], np.random.Generator], NDArray[Any]]


def generator(seed: int | None) -> np.random.Generator:
    """Return NumPy's Philox generator for a seed; None takes fresh entropy.

    Examples
    --------
    >>> import catalase as ct
    >>> int(ct.nn.init.generator(1).integers(10)) == int(ct.nn.init.generator(1).integers(10))
    True
    """
    return np.random.Generator(np.random.Philox(seed))


def normal(std: float = 0.02, mean: float = 0.0) -> Initializer:
    """Normal values of the given standard deviation."""
    if not std >= 0:
        raise ValueError(f"init.normal: std must be 0 or more, got {std}")
    return lambda shape, rng: (
        rng.standard_normal(shape, dtype=np.float32) * np.float32(std) + np.float32(mean)
    ).astype(np.float32)


def truncated_normal(std: float = 0.02) -> Initializer:
    """Normal values drawn again until they lie within two standard deviations (TensorFlow's and the book's default)."""
    if not std >= 0:
        raise ValueError(f"init.truncated_normal: std must be 0 or more, got {std}")

    def draw(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
        values = rng.standard_normal(shape, dtype=np.float32)
        flat = values.reshape(-1)
        outside = np.flatnonzero(np.abs(flat) > 2)
        while outside.size:  # looked at again are only those that were drawn again
            flat[outside] = rng.standard_normal(outside.size, dtype=np.float32)
            outside = outside[np.abs(flat[outside]) > 2]
        values *= np.float32(std)
        return values

    return draw


def constant(value: float) -> Initializer:
    """One value everywhere."""
    return lambda shape, rng: np.full(shape, value, np.float32)


def zeros() -> Initializer:
    """Zero everywhere."""
    return constant(0.0)


def glorot_uniform() -> Initializer:
    """Uniform in +-sqrt(6 / (fan_in + fan_out)); Glorot and Bengio, AISTATS 2010."""
    return lambda shape, rng: _uniform(rng, shape, math.sqrt(6 / max(1, sum(_fans(shape)))))


def glorot_normal() -> Initializer:
    """Normal of standard deviation sqrt(2 / (fan_in + fan_out)); Glorot and Bengio, AISTATS 2010."""
    return lambda shape, rng: normal(math.sqrt(2 / max(1, sum(_fans(shape)))))(shape, rng)


def he_uniform() -> Initializer:
    """Uniform in +-sqrt(6 / fan_in), for ReLU; He et al., arXiv:1502.01852."""
    return lambda shape, rng: _uniform(rng, shape, math.sqrt(6 / max(1, _fans(shape)[0])))


def he_normal() -> Initializer:
    """Normal of standard deviation sqrt(2 / fan_in), for ReLU; He et al., arXiv:1502.01852."""
    return lambda shape, rng: normal(math.sqrt(2 / max(1, _fans(shape)[0])))(shape, rng)


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Inputs and outputs of one unit; leading axes beyond the last two are a receptive field."""
    if len(shape) < 2:
        return (shape[0], shape[0]) if shape else (1, 1)
    field = int(np.prod(shape[:-2], dtype=np.int64))
    return shape[-2] * field, shape[-1] * field


def _uniform(rng: np.random.Generator, shape: tuple[int, ...], limit: float) -> NDArray[Any]:
    return (rng.random(shape, dtype=np.float32) * np.float32(2 * limit) - np.float32(limit)).astype(np.float32)
