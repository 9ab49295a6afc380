"""Learning-rate schedules, which are functions of the optimizer's step, counted from 0."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._internal.numbers import flag, number, shown, whole_number

__all__ = [
    "CosineDecay",
    "ExponentialDecay",
    "LinearCosineDecay",
    "PiecewiseConstant",
    "PolynomialDecay",
    "Schedule",
]
Schedule = Callable[[int], float]  # from the step, counted from 0, to the learning rate


_MOST_STEPS = 2**53  # a float represents no larger whole numbers exactly


def _steps(name: str, steps: Any) -> int:
    return whole_number(name, "steps", steps, 1, _MOST_STEPS)


def _rates(name: str, **rates: Any) -> tuple[float, ...]:
    return tuple(number(name, key, value, at_least=0) for key, value in rates.items())


def _step(schedule: Any, step: Any) -> int:
    return whole_number(type(schedule).__name__, "step", step, 0, _MOST_STEPS)


class ExponentialDecay:
    """The rate ``initial * rate ** (step / steps)``; with ``staircase`` the exponent is rounded down.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.optim.ExponentialDecay(0.1, 0.5, 100)(200)
    0.025
    """

    def __init__(self, initial: float, rate: float, steps: int, staircase: bool = True) -> None:
        name = "ExponentialDecay"
        self.initial, self.rate = _rates(name, initial=initial, rate=rate)
        self.steps, self.staircase = _steps(name, steps), flag(name, "staircase", staircase)

    def __call__(self, step: int) -> float:
        step = _step(self, step)
        exponent = step // self.steps if self.staircase else step / self.steps
        try:
            return self.initial * self.rate**exponent
        except OverflowError:
            return math.inf  # the optimizer refuses it


class PolynomialDecay:
    """A decay from ``initial`` to ``final`` over ``steps`` steps, by a power of the share of steps that is left.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.optim.PolynomialDecay(1.0, 0.0, 10)(5)
    0.5
    """

    def __init__(self, initial: float, final: float, steps: int, power: float = 1.0) -> None:
        name = "PolynomialDecay"
        self.initial, self.final, self.power = _rates(name, initial=initial, final=final, power=power)
        self.steps = _steps(name, steps)

    def __call__(self, step: int) -> float:
        step = _step(self, step)
        left = 1.0 - min(step, self.steps) / self.steps
        return self.final + (self.initial - self.final) * left**self.power


class CosineDecay:
    """A decay from ``initial`` to ``final`` along half a cosine, after a linear warm-up of ``warmup`` steps.

    Examples
    --------
    >>> import catalase as ct
    >>> schedule = ct.optim.CosineDecay(1.0, 0.0, 100, warmup=10)
    >>> schedule(0), schedule(10), round(schedule(55), 3), schedule(100)
    (0.1, 1.0, 0.5, 0.0)
    """

    def __init__(self, initial: float, final: float, steps: int, warmup: int = 0) -> None:
        name = "CosineDecay"
        self.initial, self.final = _rates(name, initial=initial, final=final)
        self.steps, self.warmup = _steps(name, steps), whole_number(name, "warmup", warmup, 0)
        if self.warmup >= self.steps:
            raise ValueError(f"CosineDecay: warmup must be from 0 to below steps ({steps}), got {shown(warmup)}")

    def __call__(self, step: int) -> float:
        step = _step(self, step)
        if step < self.warmup:
            return self.initial * (step + 1) / self.warmup
        done = min(1.0, (step - self.warmup) / (self.steps - self.warmup))
        return self.final + (self.initial - self.final) * 0.5 * (1.0 + math.cos(math.pi * done))


class LinearCosineDecay:
    """The rate ``initial * ((alpha + linear) * cosine + beta)``: a line to 0 times ``periods`` of a cosine in ``steps`` steps.

    See Bello et al., arXiv:1709.07417; the defaults are TensorFlow's and DeepChem's.

    Examples
    --------
    >>> import catalase as ct
    >>> schedule = ct.optim.LinearCosineDecay(1.0, 100)
    >>> round(schedule(0), 6), round(schedule(50), 6), round(schedule(100), 6)
    (1.001, 0.251, 0.001)
    """

    def __init__(
        self, initial: float, steps: int, alpha: float = 0.0, beta: float = 0.001, periods: float = 0.5
    ) -> None:
        name = "LinearCosineDecay"
        self.initial, self.alpha, self.beta = _rates(name, initial=initial, alpha=alpha, beta=beta)
        self.periods = number(name, "periods", periods, at_least=0, at_most=1e6)
        self.steps = _steps(name, steps)

    def __call__(self, step: int) -> float:
        step = _step(self, step)
        done = min(step, self.steps) / self.steps
        cosine = 0.5 * (1.0 + math.cos(2.0 * math.pi * self.periods * done))
        return self.initial * ((self.alpha + 1.0 - done) * cosine + self.beta)


class PiecewiseConstant:
    """The rate ``values[i]`` until step ``boundaries[i]``, and the last value after that.

    Examples
    --------
    >>> import catalase as ct
    >>> schedule = ct.optim.PiecewiseConstant([10], [0.1, 0.01])
    >>> schedule(9), schedule(10)
    (0.1, 0.01)
    """

    def __init__(self, boundaries: Sequence[int], values: Sequence[float]) -> None:
        name = "PiecewiseConstant"
        for key, listed in (("boundaries", boundaries), ("values", values)):
            several = isinstance(listed, (list, tuple, range)) or (isinstance(listed, np.ndarray) and listed.ndim == 1)
            if not several:
                raise TypeError(f"{name}: {key} must be a list of numbers, got {shown(listed)}")
        self.boundaries = [whole_number(name, "each of boundaries", b, 0) for b in boundaries]
        self.values = [number(name, "each of values", v, at_least=0) for v in values]
        if len(values) != len(boundaries) + 1 or self.boundaries != sorted(self.boundaries):
            raise ValueError(
                f"{name}: needs rising boundaries and one value more, got boundaries {shown(self.boundaries)} and values "
                f"{shown(self.values)}"
            )

    def __call__(self, step: int) -> float:
        step = _step(self, step)
        return self.values[sum(step >= b for b in self.boundaries)]
