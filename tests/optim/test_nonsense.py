"""Nonsense in every argument of optimizers and schedules."""

from __future__ import annotations

import inspect

import pytest

from catalase import nn, optim
from tests.nonsense import Target, call, report

SHARED = {"l1": 0.1, "l2": 0.1, "weight_decay": 0.1, "clip_norm": 1.0, "lp": 0.1, "p": 3.0, "max_norm": 1.0}
KINDS = {"module": "layer", "lr": "rate or schedule", "clip_norm": "limit?", "max_norm": "number?", "then": "rate or schedule", "values": "anything", "boundaries": "sizes", "step": "whole", "state": "anything"}  # fmt: skip
OPTIMIZERS = {
    "Optimizer": {}, "SGD": {}, "Momentum": {"momentum": 0.9, "nesterov": False}, "AdaGrad": {"eps": 1e-8, "initial_accumulator": 0.1}, "AdamW": {"beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "amsgrad": False},
    "RMSProp": {"alpha": 0.9, "eps": 1e-8, "momentum": 0.5}, "Adam": {"beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "amsgrad": False}, "Lion": {"beta1": 0.9, "beta2": 0.99}, "Lamb": {"beta1": 0.9, "beta2": 0.99, "eps": 1e-8},
}  # fmt: skip
SCHEDULES = {
    "ExponentialDecay": lambda: call(0.1, 0.5, 10, staircase=True),
    "PolynomialDecay": lambda: call(0.1, 0.01, 10, power=1.0),
    "CosineDecay": lambda: call(0.1, 0.01, 10, warmup=2),
    "WarmupExponentialDecay": lambda: call(0.1, 0.2, 0.01, 10, warmup=2),
    "LinearCosineDecay": lambda: call(0.1, 10, alpha=0.1, beta=0.01, periods=0.5),
    "StepDecay": lambda: call(0.1, 0.5, [10, 20]),
    "OneCycle": lambda: call(0.1, 0.2, 0.01, 10, 2.5),
    "Warmup": lambda: call(0.1, 10, start=0.1),
    "PiecewiseConstant": lambda: call([10, 20], [0.1, 0.01, 0.001]),
}


def net():
    return nn.Linear(3, 2, rng=0)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name):
    wrong = Target(getattr(optim, name), lambda: call(net(), 0.1, **OPTIMIZERS[name], **SHARED), KINDS).failures()
    unbound = getattr(optim, name)(lr=0.1)
    penalties = {"l1": 0.1, "l2": 0.1, "clip_norm": 1.0}
    wrong += Target(unbound.over, lambda: call(net(), **penalties), KINDS, names=(name,)).failures()
    optimizer = optim.Adam(net())
    wrong += Target(optimizer.load_state_dict, lambda: call(optimizer.state_dict()), KINDS, also={"state": ["names", "steps"]}).failures()  # fmt: skip
    assert not wrong, report(wrong)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name):
    kind = getattr(optim, name)
    wrong = Target(kind, SCHEDULES[name], KINDS).failures()
    wrong += Target(kind(*SCHEDULES[name]()[0]).__call__, lambda: call(3), KINDS, names=(name,)).failures()
    assert not wrong, report(wrong)


def test_everything_public_is_in_a_table():
    classes = {name for name in optim.__all__ if inspect.isclass(getattr(optim, name))}
    assert classes == set(OPTIMIZERS) | set(SCHEDULES)
