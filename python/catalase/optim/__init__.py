"""Optimizers over flat parameter buffers, and learning-rate schedules."""

from __future__ import annotations

from .optimizers import SGD, AdaGrad, Adam, AdamW, Momentum, Optimizer, RMSProp
from .schedules import CosineDecay, ExponentialDecay, LinearCosineDecay, PiecewiseConstant, PolynomialDecay, Schedule

__all__ = [
    "SGD",
    "AdaGrad",
    "Adam",
    "AdamW",
    "CosineDecay",
    "ExponentialDecay",
    "LinearCosineDecay",
    "Momentum",
    "Optimizer",
    "PiecewiseConstant",
    "PolynomialDecay",
    "RMSProp",
    "Schedule",
]
