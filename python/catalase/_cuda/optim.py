"""Optimizer steps on a device: launches of ``cuda/optim.cu``."""

from __future__ import annotations

import math
from typing import Any

from ._arrays import float32, runtime_of
from .elementwise import walk

_MOMENTUM, _NESTEROV = 1, 5


def step(function: str, rule: int, param: Any, grad: Any, state: dict[str, Any], numbers: tuple[Any, ...]) -> None:
    """One step in place. ``numbers`` as the CPU's binding takes them: lr, l1, l2, decay, beta1, beta2, eps, step, nesterov."""
    runtime = runtime_of(function, param=param, grad=grad, **state)
    for name, x in {"param": param, "grad": grad, **state}.items():
        float32(function, name, x)
        if x.shape != param.shape:
            raise ValueError(f"{function}: {name} must be like param {param.shape}, got {x.shape}")
        if not x.flags.c_contiguous:
            raise ValueError(f"{function}: {name} must be contiguous")
    lr, l1, l2, decay, beta1, beta2, eps, count, nesterov = numbers
    first, second = [*state.values(), None, None][:2]
    rates = (
        lr, l1, l2, 1 - lr * decay, beta1, beta2, eps, lr / (1 - beta1**count), 1 / math.sqrt(1 - beta2**count),
    )  # fmt: skip
    code = _NESTEROV if rule == _MOMENTUM and nesterov else rule
    walk(runtime, "optim.optim_step_f32", param.size, code, param, grad, first, second, *map(float, rates))
