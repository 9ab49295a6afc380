"""Learning-rate schedules: functions of the optimizer's step, counted from 0."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

Schedule = Callable[[int], float]  # from the step, counted from 0, to the learning rate


def _check(name: str, steps: int, **rates: float) -> None:
    if steps < 1:
        raise ValueError(f"{name}: steps must be 1 or more, got {steps}")
    for key, value in rates.items():
        if not (value >= 0 and math.isfinite(value)):
            raise ValueError(f"{name}: {key} must be 0 or more, got {value}")


class ExponentialDecay:
    """``initial * rate ** (step / steps)``; with ``staircase`` the exponent is rounded down.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.optim.ExponentialDecay(0.1, 0.5, 100)(200)
    0.025
    """

    def __init__(self, initial: float, rate: float, steps: int, staircase: bool = True) -> None:
        _check("ExponentialDecay", steps, initial=initial, rate=rate)
        self.initial, self.rate, self.steps, self.staircase = initial, rate, steps, staircase

    def __call__(self, step: int) -> float:
        exponent = step // self.steps if self.staircase else step / self.steps
        return self.initial * self.rate**exponent


class PolynomialDecay:
    """From ``initial`` to ``final`` over ``steps`` steps, along a power of what is left.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.optim.PolynomialDecay(1.0, 0.0, 10)(5)
    0.5
    """

    def __init__(self, initial: float, final: float, steps: int, power: float = 1.0) -> None:
        _check("PolynomialDecay", steps, initial=initial, final=final)
        self.initial, self.final, self.steps, self.power = initial, final, steps, power

    def __call__(self, step: int) -> float:
        left = 1.0 - min(step, self.steps) / self.steps
        return self.final + (self.initial - self.final) * left**self.power


class CosineDecay:
    """From ``initial`` to ``final`` along half a cosine, after a linear warm-up of ``warmup`` steps.

    Examples
    --------
    >>> import catalase as ct
    >>> schedule = ct.optim.CosineDecay(1.0, 0.0, 100, warmup=10)
    >>> schedule(0), schedule(10), round(schedule(55), 3), schedule(100)
    (0.1, 1.0, 0.5, 0.0)
    """

    def __init__(self, initial: float, final: float, steps: int, warmup: int = 0) -> None:
        _check("CosineDecay", steps, initial=initial, final=final)
        if not 0 <= warmup < steps:
            raise ValueError(f"CosineDecay: warmup must be from 0 to below steps ({steps}), got {warmup}")
        self.initial, self.final, self.steps, self.warmup = initial, final, steps, warmup

    def __call__(self, step: int) -> float:
        if step < self.warmup:
            return self.initial * (step + 1) / self.warmup
        done = min(1.0, (step - self.warmup) / (self.steps - self.warmup))
        return self.final + (self.initial - self.final) * 0.5 * (1.0 + math.cos(math.pi * done))


class LinearCosineDecay:
    """``initial * ((alpha + linear) * cosine + beta)``: a line to 0 times a wave of ``periods`` over ``steps`` steps.

    Bello et al., arXiv:1709.07417; the defaults are TensorFlow's and DeepChem's.

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
        _check("LinearCosineDecay", steps, initial=initial, alpha=alpha, beta=beta, periods=periods)
        self.initial, self.steps, self.alpha, self.beta, self.periods = initial, steps, alpha, beta, periods

    def __call__(self, step: int) -> float:
        done = min(step, self.steps) / self.steps
        cosine = 0.5 * (1.0 + math.cos(2.0 * math.pi * self.periods * done))
        return self.initial * ((self.alpha + 1.0 - done) * cosine + self.beta)


class PiecewiseConstant:
    """``values[i]`` until step ``boundaries[i]``, the last value after.

    Examples
    --------
    >>> import catalase as ct
    >>> schedule = ct.optim.PiecewiseConstant([10], [0.1, 0.01])
    >>> schedule(9), schedule(10)
    (0.1, 0.01)
    """

    def __init__(self, boundaries: Sequence[int], values: Sequence[float]) -> None:
        if len(values) != len(boundaries) + 1 or list(boundaries) != sorted(boundaries):
            raise ValueError(
                f"PiecewiseConstant: needs rising boundaries and one value more, got {list(boundaries)}, {list(values)}"
            )
        self.boundaries, self.values = list(boundaries), list(values)

    def __call__(self, step: int) -> float:
        return self.values[sum(step >= b for b in self.boundaries)]
