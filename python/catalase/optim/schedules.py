"""Learning-rate schedules, which are functions of the optimizer's step, counted from 0."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._internal.numbers import number, shown, whole_number
from .._internal.registry import Bool, Field, Float, Int, List, Number, Object, Whole, is_registered
from .._internal.settings import Declared, Settings, declared

__all__ = [
    "CosineDecay",
    "ExponentialDecay",
    "LinearCosineDecay",
    "OneCycle",
    "PiecewiseConstant",
    "PolynomialDecay",
    "Schedule",
    "StepDecay",
    "Warmup",
    "WarmupExponentialDecay",
]
Schedule = Callable[[int], float]  # from the step, counted from 0, to the learning rate

_MOST_STEPS = 2**53  # a float represents no larger whole numbers exactly
_RATE = Number(at_least=0)
_POSITIVE = Number(above=0)
_STEPS = Whole(1, _MOST_STEPS)


def _check_list(name: str, key: str, listed: Any) -> None:
    if not isinstance(listed, (list, tuple, range)) and not (isinstance(listed, np.ndarray) and listed.ndim == 1):
        raise TypeError(f"{name}: {key} must be a list of numbers, got {shown(listed)}")


class SavedSchedule(Declared):
    """What the schedules share: their settings are saved with the model or the optimizer that has one."""

    def _step(self, step: Any) -> int:
        return whole_number(type(self).__name__, "step", step, 0, _MOST_STEPS)


class Rate(Field):
    """A learning rate: a number that the given field takes, or a schedule.

    Of the schedules those below are saved. In the place of another function the rate that it starts with is saved.
    """

    def __init__(self, rate: Field) -> None:
        super().__init__()
        self.rate, self.schedule = rate, Object(SavedSchedule)
        self.expected = f"{rate.expected}, or a schedule such as catalase.optim.ExponentialDecay(0.1, 0.5, 100)"

    def check(self, value: Any, where: str) -> Any:
        return (self.schedule if type(value) is dict else self.rate).check(value, where)

    def take(self, value: Any, owner: str, key: str, of: Any = None) -> Any:
        return value if callable(value) else self.rate.take(value, owner, key, of)

    def give(self, value: Any) -> Any:
        if isinstance(value, SavedSchedule) and is_registered(type(value)):
            return value.to_config()
        return float(value(0) if callable(value) else value)


@declared
class ExponentialDecay(SavedSchedule):
    """The rate ``initial * rate ** (step / steps)``; with ``staircase`` the exponent is rounded down.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.optim.ExponentialDecay(0.1, 0.5, 100)(200)
    0.025
    """

    settings = Settings(initial=_RATE, rate=_RATE, steps=_STEPS, staircase=Bool())
    initial: float
    rate: float
    steps: int
    staircase: bool

    def __init__(self, initial: float, rate: float, steps: int, staircase: bool = True) -> None:
        self._set(locals())

    def __call__(self, step: int) -> float:
        step = self._step(step)
        exponent = step // self.steps if self.staircase else step / self.steps
        try:
            return self.initial * self.rate**exponent
        except OverflowError:
            return math.inf  # the optimizer refuses it


@declared
class PolynomialDecay(SavedSchedule):
    """A decay from ``initial`` to ``final`` over ``steps`` steps, by a power of the share of steps that is left.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.optim.PolynomialDecay(1.0, 0.0, 10)(5)
    0.5
    """

    settings = Settings(initial=_RATE, final=_RATE, steps=_STEPS, power=_RATE)
    initial: float
    final: float
    steps: int
    power: float

    def __init__(self, initial: float, final: float, steps: int, power: float = 1.0) -> None:
        self._set(locals())

    def __call__(self, step: int) -> float:
        step = self._step(step)
        left = 1.0 - min(step, self.steps) / self.steps
        return self.final + (self.initial - self.final) * left**self.power


@declared
class CosineDecay(SavedSchedule):
    """A decay from ``initial`` to ``final`` along half a cosine, after a linear warm-up of ``warmup`` steps.

    Examples
    --------
    >>> import catalase as ct
    >>> schedule = ct.optim.CosineDecay(1.0, 0.0, 100, warmup=10)
    >>> schedule(0), schedule(10), round(schedule(55), 3), schedule(100)
    (0.1, 1.0, 0.5, 0.0)
    """

    settings = Settings(initial=_RATE, final=_RATE, steps=_STEPS, warmup=Whole(0))
    initial: float
    final: float
    steps: int
    warmup: int

    def __init__(self, initial: float, final: float, steps: int, warmup: int = 0) -> None:
        self._set(locals())
        if self.warmup >= self.steps:
            raise ValueError(f"CosineDecay: warmup must be from 0 to below steps ({steps}), got {shown(warmup)}")

    def __call__(self, step: int) -> float:
        step = self._step(step)
        if step < self.warmup:
            return self.initial * (step + 1) / self.warmup
        done = min(1.0, (step - self.warmup) / (self.steps - self.warmup))
        return self.final + (self.initial - self.final) * 0.5 * (1.0 + math.cos(math.pi * done))


@declared
class WarmupExponentialDecay(SavedSchedule):
    """A line from ``initial`` to ``peak`` over ``warmup`` steps, then an exponential decay to ``final`` at step ``steps``.

    The schedule of chemprop, where it is called Noam-like.

    Examples
    --------
    >>> import catalase as ct
    >>> schedule = ct.optim.WarmupExponentialDecay(1.0, 5.0, 0.05, steps=110, warmup=10)
    >>> schedule(0), schedule(5), schedule(10), round(schedule(60), 6), round(schedule(110), 6), round(schedule(999), 6)
    (1.0, 3.0, 5.0, 0.5, 0.05, 0.05)
    """

    settings = Settings(initial=_POSITIVE, peak=_POSITIVE, final=_POSITIVE, steps=_STEPS, warmup=Whole(0))
    initial: float
    peak: float
    final: float
    steps: int
    warmup: int

    def __init__(self, initial: float, peak: float, final: float, steps: int, warmup: int = 0) -> None:
        self._set(locals())
        if self.warmup > self.steps:
            raise ValueError(
                f"WarmupExponentialDecay: warmup must be from 0 to steps ({self.steps}), got {shown(warmup)}"
            )

    def __call__(self, step: int) -> float:
        step = self._step(step)
        if step < self.warmup:
            return self.initial + (self.peak - self.initial) * (step / self.warmup)
        if step >= self.steps:
            return self.final
        share: float = (step - self.warmup) / (self.steps - self.warmup)
        return float(self.peak * (self.final / self.peak) ** share)


@declared
class LinearCosineDecay(SavedSchedule):
    """The rate ``initial * ((alpha + linear) * cosine + beta)``: a line to 0 times ``periods`` of a cosine in ``steps`` steps.

    See Bello et al., arXiv:1709.07417; the defaults are TensorFlow's and DeepChem's.

    Examples
    --------
    >>> import catalase as ct
    >>> schedule = ct.optim.LinearCosineDecay(1.0, 100)
    >>> round(schedule(0), 6), round(schedule(50), 6), round(schedule(100), 6)
    (1.001, 0.251, 0.001)
    """

    settings = Settings(
        initial=_RATE, steps=_STEPS, alpha=_RATE, beta=_RATE, periods=Number(at_least=0, at_most=1e6)
    )  # fmt: skip
    initial: float
    steps: int
    alpha: float
    beta: float
    periods: float

    def __init__(
        self, initial: float, steps: int, alpha: float = 0.0, beta: float = 0.001, periods: float = 0.5
    ) -> None:
        self._set(locals())

    def __call__(self, step: int) -> float:
        step = self._step(step)
        done = min(step, self.steps) / self.steps
        cosine = 0.5 * (1.0 + math.cos(2.0 * math.pi * self.periods * done))
        return self.initial * ((self.alpha + 1.0 - done) * cosine + self.beta)


@declared
class PiecewiseConstant(SavedSchedule):
    """The rate ``values[i]`` until step ``boundaries[i]``, and the last value after that.

    Examples
    --------
    >>> import catalase as ct
    >>> schedule = ct.optim.PiecewiseConstant([10], [0.1, 0.01])
    >>> schedule(9), schedule(10)
    (0.1, 0.01)
    """

    settings = Settings(boundaries=List(Int(0)), values=List(Float(low=0)))

    def __init__(self, boundaries: Sequence[int], values: Sequence[float]) -> None:
        name = "PiecewiseConstant"
        _check_list(name, "boundaries", boundaries)
        _check_list(name, "values", values)
        self.boundaries = [whole_number(name, "each of boundaries", b, 0) for b in boundaries]
        self.values = [number(name, "each of values", v, at_least=0) for v in values]
        if len(values) != len(boundaries) + 1 or self.boundaries != sorted(self.boundaries):
            raise ValueError(
                f"{name}: needs rising boundaries and one value more, got boundaries {shown(self.boundaries)} and values "
                f"{shown(self.values)}"
            )

    def __call__(self, step: int) -> float:
        step = self._step(step)
        return self.values[sum(step >= b for b in self.boundaries)]


@declared
class StepDecay(SavedSchedule):
    """The rate ``initial``, multiplied by ``rate`` at each step of ``boundaries``.

    At every ``n`` steps: `ExponentialDecay` with ``staircase``. Other values between the boundaries: `PiecewiseConstant`.

    Examples
    --------
    >>> import catalase as ct
    >>> schedule = ct.optim.StepDecay(1.0, 0.5, [10, 30])
    >>> schedule(9), schedule(10), schedule(30)
    (1.0, 0.5, 0.25)
    """

    settings = Settings(initial=_RATE, rate=_RATE, boundaries=List(Int(0)))
    initial: float
    rate: float

    def __init__(self, initial: float, rate: float, boundaries: Sequence[int]) -> None:
        self._set({"initial": initial, "rate": rate})
        _check_list("StepDecay", "boundaries", boundaries)
        self.boundaries = sorted(whole_number("StepDecay", "each of boundaries", b, 0) for b in boundaries)

    def __call__(self, step: int) -> float:
        step = self._step(step)
        try:
            return self.initial * self.rate ** sum(step >= b for b in self.boundaries)
        except OverflowError:
            return math.inf  # the optimizer refuses it


@declared
class OneCycle(SavedSchedule):
    """A rise from ``initial`` to ``peak`` over ``warmup`` steps, then a fall to ``final`` at ``steps``, along half cosines.

    See Smith and Topin, arXiv:1708.07120. PyTorch's ``OneCycleLR(max_lr, total_steps)`` is
    ``OneCycle(max_lr / 25, max_lr, max_lr / 25e4, total_steps - 1, 0.3 * total_steps - 1)``.

    Examples
    --------
    >>> import catalase as ct
    >>> schedule = ct.optim.OneCycle(0.1, 1.0, 0.0, steps=100, warmup=30)
    >>> round(schedule(0), 6), round(schedule(15), 6), schedule(30), round(schedule(65), 6), schedule(100)
    (0.1, 0.55, 1.0, 0.5, 0.0)
    """

    settings = Settings(initial=_RATE, peak=_RATE, final=_RATE, steps=_STEPS, warmup=_RATE)
    initial: float
    peak: float
    final: float
    steps: int
    warmup: float

    def __init__(self, initial: float, peak: float, final: float, steps: int, warmup: float) -> None:
        self._set(locals())
        if self.warmup > self.steps:
            raise ValueError(f"OneCycle: warmup must be from 0 to steps ({self.steps}), got {shown(warmup)}")

    def __call__(self, step: int) -> float:
        step = self._step(step)
        if step < self.warmup:
            start, end, done = self.initial, self.peak, step / self.warmup
        elif step < self.steps:
            start, end, done = self.peak, self.final, (step - self.warmup) / (self.steps - self.warmup)
        else:
            return self.final
        return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * done))


@declared
class Warmup(SavedSchedule):
    """A linear rise over ``steps`` steps to a rate, or to the start of another schedule, which then begins at its step 0.

    Parameters
    ----------
    then : float or schedule
        The rate after the rise.
    steps : int
    start : float
        The rate of step 0, as a share of the first one after the rise.

    Examples
    --------
    >>> import catalase as ct
    >>> schedule = ct.optim.Warmup(ct.optim.ExponentialDecay(0.8, 0.5, 100), steps=4, start=0.5)
    >>> schedule(0), round(schedule(2), 6), schedule(4), schedule(104)
    (0.4, 0.6, 0.8, 0.4)
    """

    settings = Settings(then=Rate(_RATE), steps=_STEPS, start=Number(at_least=0, at_most=1))
    then: float | Schedule
    steps: int
    start: float

    def __init__(self, then: float | Schedule, steps: int, start: float = 0.0) -> None:
        self._set(locals())

    def __call__(self, step: int) -> float:
        step = self._step(step)
        after = max(0, step - self.steps)
        rate = number("Warmup", "the rate of then", self.then(after), at_least=0) if callable(self.then) else self.then
        return rate * (1.0 if after or step == self.steps else self.start + (1.0 - self.start) * step / self.steps)
