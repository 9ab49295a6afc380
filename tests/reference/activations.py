"""Activations in float64, obviously right, and what is promised of the kernels: every test of an activation reads its facts here."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Oracle:
    """``value`` and ``slope``, its derivative, as functions of x; called, it gives the value.

    ``ulp`` is the largest error of a value in float32, in units in the last place, that is promised
    for every input whose result is a normal number. ``slope_error`` is the largest absolute error of the derivative, in
    units of float32's epsilon. ``steepest`` is the largest absolute slope, which carries the error of an input on.
    ``of_input`` says that the output does not determine the derivative.
    """

    value: Callable[[np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray], np.ndarray]
    ulp: float
    slope_error: float = 2.0
    steepest: float = 1.0
    of_input: bool = False

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self.value(x)


def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


SELU, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def cubic(x):
    """Twice the argument of the tanh that approximates GELU, within a range beyond which it does not matter."""
    x = np.clip(x, -1e6, 1e6)
    return 2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)


def cubic_rest(x):
    """The part of it with the cube."""
    return 2 * math.sqrt(2 / math.pi) * 0.044715 * np.clip(x, -1e6, 1e6) ** 3


def below(x):
    """The share of the normal distribution below x."""
    return 0.5 * np.vectorize(math.erfc, otypes=[float])(-x / math.sqrt(2))


def density(x):
    return np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def times(x, factor):
    """Their product, and 0 where x is infinite and the factor is 0."""
    return np.where(factor == 0, 0.0 * np.sign(x), x * np.where(factor == 0, 1.0, factor))


ACTIVATIONS = {
    "identity": Oracle(lambda x: x, np.ones_like, ulp=0),
    "relu": Oracle(lambda x: np.where(x < 0, 0.0, x), lambda x: np.where(x <= 0, 0.0, 1.0), ulp=0),
    "tanh": Oracle(np.tanh, lambda x: 1 / np.cosh(np.minimum(np.abs(x), 300)) ** 2, ulp=1.5),
    "sigmoid": Oracle(sigmoid, lambda x: sigmoid(x) * sigmoid(-x), ulp=2.5),
    "softplus": Oracle(softplus, sigmoid, ulp=2.0),
    "elu": Oracle(
        lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0)), x), lambda x: np.exp(np.minimum(x, 0)), ulp=1.0
    ),
    "gelu": Oracle(
        lambda x: times(x, below(x)), lambda x: below(x) + times(x, density(x)), ulp=6.5, steepest=1.13, of_input=True
    ),
    "silu": Oracle(
        lambda x: times(x, sigmoid(x)),
        lambda x: sigmoid(x) + times(x, sigmoid(x) * sigmoid(-x)),
        ulp=3.0,
        steepest=1.1,
        of_input=True,
    ),
    "leaky_relu": Oracle(lambda x: np.where(x < 0, 0.01 * x, x), lambda x: np.where(x <= 0, 0.01, 1.0), ulp=1.0),
    "selu": Oracle(
        lambda x: SELU * np.where(x < 0, SELU_ALPHA * np.expm1(np.minimum(x, 0)), x),
        lambda x: SELU * np.where(x <= 0, SELU_ALPHA * np.exp(np.minimum(x, 0)), 1.0),
        ulp=2.0,
        steepest=1.76,
    ),
    "gelu_tanh": Oracle(
        lambda x: times(x, sigmoid(cubic(x))),
        lambda x: sigmoid(cubic(x)) + times(cubic(x) + 2 * cubic_rest(x), sigmoid(cubic(x)) * sigmoid(-cubic(x))),
        ulp=180.0,
        steepest=1.13,
        of_input=True,
    ),
    "mish": Oracle(
        lambda x: times(x, np.tanh(softplus(x))),
        lambda x: (
            np.tanh(softplus(x)) + np.clip(x, -700, 300) * sigmoid(x) / np.cosh(np.minimum(softplus(x), 300)) ** 2
        ),
        ulp=4.0,
        steepest=1.1,
        of_input=True,
    ),
    "hard_sigmoid": Oracle(
        lambda x: np.clip((x + 3) / 6, 0, 1), lambda x: np.where((x > -3) & (x < 3), 1 / 6, 0.0), ulp=2.0
    ),
    "hard_tanh": Oracle(lambda x: np.clip(x, -1, 1), lambda x: np.where((x > -1) & (x < 1), 1.0, 0.0), ulp=0),
    "hard_swish": Oracle(
        lambda x: times(x, np.clip((x + 3) / 6, 0, 1)),
        lambda x: np.where(x <= -3, 0.0, np.where(x > 3, 1.0, (2 * np.clip(x, -3, 3) + 3) / 6)),
        ulp=2.0,
        steepest=1.5,
        of_input=True,
    ),
}
NAMES = tuple(name for name in ACTIVATIONS if name != "identity")
OF_OUTPUT = tuple(name for name in ACTIVATIONS if not ACTIVATIONS[name].of_input)
OF_INPUT = tuple(name for name in ACTIVATIONS if ACTIVATIONS[name].of_input)
