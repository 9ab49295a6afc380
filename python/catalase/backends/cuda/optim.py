"""Optimizer steps on a device: launches of ``cuda/optim.cu``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _core
from .capture import captured, rates_of
from .launch import walk

if TYPE_CHECKING:
    from .backend import CudaBackend

_MOMENTUM, _NESTEROV = _core.RULES["momentum"], len(_core.RULES)  # the kernel's last rule is Nesterov momentum


def optim_step(
    device: CudaBackend,
    rule: int,
    param: Any,
    grad: Any,
    first: Any,
    second: Any,
    third: Any,
    numbers: tuple[Any, ...],
) -> None:
    lr, l1, l2, decay, beta1, beta2, eps, count, nesterov = numbers
    lr, keep, step_size, root_scale = rates_of(lr, decay, beta1, beta2, count)
    changing, guard, graph = None, None, captured()
    if graph is not None:
        changing, guard = graph.optimizer_step(numbers)
        keep = 0.0 if decay else 1.0  # the kernel only needs to know whether weights decay
    numbers = (lr, l1, l2, keep, beta1, beta2, eps, step_size, root_scale)
    code = _NESTEROV if rule == _MOMENTUM and nesterov else rule
    arrays = (param, grad, first, second, third, changing, guard)
    walk(device, "optim.optim_step_f32", param.size, code, *arrays, *map(float, numbers))
