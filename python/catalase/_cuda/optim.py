"""Optimizer steps on a device: launches of ``cuda/optim.cu``."""

from __future__ import annotations

from typing import Any

from .. import _core
from ._arrays import float32, runtime_of
from ._graph import captured, rates_of
from .elementwise import walk

_MOMENTUM, _NESTEROV = _core.RULES["momentum"], len(_core.RULES)  # the kernel has momentum after Nesterov last


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
    lr, keep, step_size, root_scale = rates_of(lr, decay, beta1, beta2, count)
    changing, guard, graph = None, None, captured()
    if graph is not None:
        changing, guard = graph.optimizer_step(function, numbers)
        keep = 0.0 if decay else 1.0  # only whether it decays
    numbers = (lr, l1, l2, keep, beta1, beta2, eps, step_size, root_scale)
    code = _NESTEROV if rule == _MOMENTUM and nesterov else rule
    arrays = (param, grad, first, second, changing, guard)
    walk(runtime, "optim.optim_step_f32", param.size, code, *arrays, *map(float, numbers))
