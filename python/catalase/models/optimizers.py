"""DeepChem's optimizers and schedules by its names and arguments; each gives one of `catalase.optim`, over no model.

They are for a model's argument ``optimizer``: ``ct.models.MultitaskRegressor(1, 64, optimizer=optimizers.Adam(learning_rate=
0.01))``. Settings that DeepChem lacks, such as penalties, are in `catalase.optim`.
"""

from __future__ import annotations

from typing import Any

from .. import optim
from .._internal.numbers import number, shown, whole_number

__all__ = [
    "AdaGrad",
    "Adam",
    "AdamW",
    "ExponentialDecay",
    "GradientDescent",
    "Lamb",
    "LinearCosineDecay",
    "PiecewiseConstantSchedule",
    "PolynomialDecay",
    "RMSProp",
]


_RATE = {"learning_rate": "lr", "epsilon": "eps"}  # our names of DeepChem's arguments
_DECAY = {"initial_rate": "initial", "final_rate": "final", "decay_steps": "steps"}


def _made(function: str, kind: Any, names: dict[str, str], **given: Any) -> Any:
    """One of ours from DeepChem's arguments; errors name those."""
    try:
        return kind(**{names.get(key, key): value for key, value in given.items()})
    except (TypeError, ValueError) as error:
        text = str(error).removeprefix(f"{kind.__name__}: ")
        theirs = next((key for key in given if text.startswith(f"{names.get(key, key)} ")), "")
        raise type(error)(f"{function}: {theirs}{text.removeprefix(names.get(theirs, theirs))}") from None


def Adam(learning_rate: Any = 0.001, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> Any:
    """Return `optim.Adam`.

    Parameters
    ----------
    learning_rate : float or schedule
    beta1, beta2, epsilon : float
        ``epsilon`` is ``eps`` there.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.models.optimizers.Adam(learning_rate=0.01).lr
    0.01
    """
    return _made("Adam", optim.Adam, _RATE, learning_rate=learning_rate, beta1=beta1, beta2=beta2, epsilon=epsilon)


def AdaGrad(learning_rate: Any = 0.001, initial_accumulator_value: float = 0.1, epsilon: float = 1e-7) -> Any:
    """Return `optim.AdaGrad`, whose sums start at ``initial_accumulator_value``."""
    return _made(
        "AdaGrad",
        optim.AdaGrad,
        _RATE | {"initial_accumulator_value": "initial_accumulator"},
        learning_rate=learning_rate,
        initial_accumulator_value=initial_accumulator_value,
        epsilon=epsilon,
    )


def AdamW(
    learning_rate: Any = 0.001,
    weight_decay: float = 0.0,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    amsgrad: bool = False,
) -> Any:
    """Return `optim.AdamW`; the decay is that of weights, where DeepChem's is of biases too."""
    return _made(
        "AdamW",
        optim.AdamW,
        _RATE,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        beta1=beta1,
        beta2=beta2,
        epsilon=epsilon,
        amsgrad=amsgrad,
    )


def RMSProp(learning_rate: Any = 0.001, momentum: float = 0.0, decay: float = 0.9, epsilon: float = 1e-10) -> Any:
    """Return `optim.RMSProp`; ``decay``, that of the mean square, is ``alpha`` there."""
    return _made(
        "RMSProp",
        optim.RMSProp,
        _RATE | {"decay": "alpha"},
        learning_rate=learning_rate,
        momentum=momentum,
        decay=decay,
        epsilon=epsilon,
    )


def GradientDescent(learning_rate: Any = 0.001) -> Any:
    """Return `optim.SGD`."""
    return _made("GradientDescent", optim.SGD, _RATE, learning_rate=learning_rate)


def Lamb(
    learning_rate: Any = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> Any:
    """Return `optim.Lamb`."""
    return _made(
        "Lamb",
        optim.Lamb,
        _RATE,
        learning_rate=learning_rate,
        beta1=beta1,
        beta2=beta2,
        epsilon=epsilon,
        weight_decay=weight_decay,
    )


def ExponentialDecay(initial_rate: float, decay_rate: float, decay_steps: int, staircase: bool = True) -> Any:
    """Return `optim.ExponentialDecay`."""
    return _made(
        "ExponentialDecay",
        optim.ExponentialDecay,
        _DECAY | {"decay_rate": "rate"},
        initial_rate=initial_rate,
        decay_rate=decay_rate,
        decay_steps=decay_steps,
        staircase=staircase,
    )


def PolynomialDecay(initial_rate: float, final_rate: float, decay_steps: int, power: float = 1.0) -> Any:
    """Return `optim.PolynomialDecay`."""
    return _made(
        "PolynomialDecay",
        optim.PolynomialDecay,
        _DECAY,
        initial_rate=initial_rate,
        final_rate=final_rate,
        decay_steps=decay_steps,
        power=power,
    )


def LinearCosineDecay(
    initial_rate: float, decay_steps: int, alpha: float = 0.0, beta: float = 0.001, num_periods: float = 0.5
) -> Any:
    """Return `optim.LinearCosineDecay`."""
    return _made(
        "LinearCosineDecay",
        optim.LinearCosineDecay,
        _DECAY | {"num_periods": "periods"},
        initial_rate=initial_rate,
        decay_steps=decay_steps,
        alpha=alpha,
        beta=beta,
        num_periods=num_periods,
    )


def PiecewiseConstantSchedule(initial_rate: float, boundaries_and_scales: dict[int, float] | None = None) -> Any:
    """Return `optim.PiecewiseConstant`: the rate, multiplied by a scale from each boundary on."""
    name = "PiecewiseConstantSchedule"
    initial = number(name, "initial_rate", initial_rate, at_least=0)
    if boundaries_and_scales is not None and not isinstance(boundaries_and_scales, dict):
        raise TypeError(
            f"{name}: boundaries_and_scales must be a dictionary such as {{100: 0.1}}, got {shown(boundaries_and_scales)}"
        )
    scales = {
        whole_number(name, "each boundary of boundaries_and_scales", step, 0): number(
            name, "each scale of boundaries_and_scales", scale, at_least=0
        )
        for step, scale in (boundaries_and_scales or {}).items()
    }
    values = [initial]
    for step in sorted(scales):
        values.append(number(name, "a rate by boundaries_and_scales", values[-1] * scales[step], at_least=0))
    return optim.PiecewiseConstant(sorted(scales), values)
