"""Initial values of parameters: functions of a shape and a seeded generator that return float32 arrays."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import number, shown, whole_number
from ..ops.checks import shape_of
from .allowance import claim

__all__ = [
    "Initializer",
    "constant",
    "generator",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "normal",
    "truncated_normal",
    "uniform",
    "zeros",
]

Initializer = Callable[[tuple[int, ...], np.random.Generator], NDArray[Any]]


def generator(seed: int | None) -> np.random.Generator:
    """Return NumPy's Philox generator for a seed; None takes fresh entropy.

    Examples
    --------
    >>> import catalase as ct
    >>> int(ct.nn.init.generator(1).integers(10)) == int(ct.nn.init.generator(1).integers(10))
    True
    """
    return random_generator("init.generator", seed, "seed")


def random_generator(function: str, rng: Any, name: str = "rng") -> np.random.Generator:
    """Return a generator unchanged, or a new one for a seed; None takes fresh entropy."""
    if isinstance(rng, np.random.Generator):
        return rng
    # The seed is checked, because NumPy ends the process for a list that holds itself.
    seed = None if rng is None else whole_number(function, name, rng, 0)
    return np.random.Generator(np.random.Philox(seed))


LARGEST_SIZE = 2**31 - 1  # longest axis of an array of parameters


def check_room(function: str, name: str, shape: tuple[int, ...]) -> None:
    """Refuse shapes that fit into no memory, and whose size may overflow in NumPy."""
    if math.prod(shape) > 2**44:
        raise MemoryError(
            f"{function}: {name} would hold {math.prod(shape):,} values, shape {shape}; take smaller sizes"
        )


def start_values(
    function: str, name: str, initializer: Any, shape: tuple[int, ...], rng: np.random.Generator
) -> NDArray[Any]:
    """Call an initializer; refuse one that is not callable, and a result that is not an array of numbers of this shape."""
    if not callable(initializer):
        raise TypeError(f"{function}: {name} must be an initializer of nn.init, got {shown(initializer)}")
    check_room(function, f"what {name} gives", shape)
    claim(shape)
    values = np.asarray(initializer(shape, rng))
    if values.shape != shape or values.dtype.kind not in "fiu":
        raise ValueError(f"{function}: {name} must give an array of shape {shape}, gave {values.dtype} {values.shape}")
    return values


def _initializer(name: str, draw: Initializer) -> Initializer:
    def initializer(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
        if not isinstance(shape, (tuple, list)):
            raise TypeError(f"init.{name}: shape must be a tuple of whole numbers, got {shown(shape)}")
        lengths = shape_of(f"init.{name}", shape)
        check_room(f"init.{name}", "an array of that shape", lengths)
        if not isinstance(rng, np.random.Generator):
            raise TypeError(f"init.{name}: rng must be a numpy.random.Generator, got {shown(rng)}; see init.generator")
        return draw(lengths, rng)

    return initializer


def normal(std: float = 0.02, mean: float = 0.0) -> Initializer:
    """Return an initializer with normal values of this standard deviation and mean."""
    std, mean = number("init.normal", "std", std, at_least=0), number("init.normal", "mean", mean)
    return _initializer(
        "normal",
        lambda shape, rng: (rng.standard_normal(shape, dtype=np.float32) * np.float32(std) + np.float32(mean)).astype(
            np.float32
        ),
    )


def truncated_normal(std: float = 0.02) -> Initializer:
    """Return an initializer with normal values within two standard deviations (TensorFlow's and the book's default)."""
    std = number("init.truncated_normal", "std", std, at_least=0)

    def draw(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
        values = rng.standard_normal(shape, dtype=np.float32)
        flat = values.reshape(-1)
        outside = np.flatnonzero(np.abs(flat) > 2)
        while outside.size:  # only redrawn values are checked again
            flat[outside] = rng.standard_normal(outside.size, dtype=np.float32)
            outside = outside[np.abs(flat[outside]) > 2]
        values *= np.float32(std)
        return values

    return _initializer("truncated_normal", draw)


def constant(value: float) -> Initializer:
    """Return an initializer with one value everywhere."""
    value = number("init.constant", "value", value)
    return _initializer("constant", lambda shape, rng: np.full(shape, value, np.float32))


def zeros() -> Initializer:
    """Return an initializer with zeros."""
    return _initializer("zeros", lambda shape, rng: np.zeros(shape, np.float32))


def uniform(limit: float = 0.05) -> Initializer:
    """Return an initializer that is uniform in +-limit."""
    limit = number("init.uniform", "limit", limit, at_least=0)
    return _initializer("uniform", lambda shape, rng: _uniform(rng, shape, limit))


def glorot_uniform() -> Initializer:
    """Return the initializer that is uniform in +-sqrt(6 / (fan_in + fan_out)); Glorot and Bengio, AISTATS 2010."""
    return _initializer(
        "glorot_uniform", lambda shape, rng: _uniform(rng, shape, math.sqrt(6 / max(1, sum(_fans(shape)))))
    )


def glorot_normal() -> Initializer:
    """Return the normal initializer of deviation sqrt(2 / (fan_in + fan_out)); Glorot and Bengio, AISTATS 2010."""
    return _initializer(
        "glorot_normal", lambda shape, rng: normal(math.sqrt(2 / max(1, sum(_fans(shape)))))(shape, rng)
    )


def he_uniform() -> Initializer:
    """Return the initializer that is uniform in +-sqrt(6 / fan_in), for ReLU; He et al., arXiv:1502.01852."""
    return _initializer("he_uniform", lambda shape, rng: _uniform(rng, shape, math.sqrt(6 / max(1, _fans(shape)[0]))))


def he_normal() -> Initializer:
    """Return the normal initializer of standard deviation sqrt(2 / fan_in), for ReLU; He et al., arXiv:1502.01852."""
    return _initializer("he_normal", lambda shape, rng: normal(math.sqrt(2 / max(1, _fans(shape)[0])))(shape, rng))


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return fan_in and fan_out; leading axes beyond the last two are a receptive field."""
    if len(shape) < 2:
        return (shape[0], shape[0]) if shape else (1, 1)
    field = int(np.prod(shape[:-2], dtype=np.int64))
    return shape[-2] * field, shape[-1] * field


def _uniform(rng: np.random.Generator, shape: tuple[int, ...], limit: float) -> NDArray[Any]:
    return (rng.random(shape, dtype=np.float32) * np.float32(2 * limit) - np.float32(limit)).astype(np.float32)
