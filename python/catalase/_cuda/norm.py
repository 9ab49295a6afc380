"""Batch normalization on a device: launches of ``cuda/norm.cu``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._arrays import Runtime, floats
from .elementwise import walk

_BLOCK_ROWS = 64


def batch_norm(x: Any, gamma: Any, beta: Any, mean: Any, var: Any, eps: float, relu: bool) -> tuple[Any, Any, Any]:
    """`catalase.ops.batch_norm` for device arrays whose shapes have been checked."""
    runtime = floats("batch_norm", x=x, gamma=gamma, beta=beta, mean=mean, var=var)
    x = runtime.contiguous(x)
    rows, channels = _matrix(x)
    if mean is None:
        if rows == 0 and channels > 0:
            raise ValueError(f"batch_norm: x of shape {x.shape} has no rows to take mean and variance of")
        mean, var = (runtime.empty((channels,), np.float32) for _ in range(2))
        groups = -(-rows // _BLOCK_ROWS)
        sums = runtime.empty((groups, 3, channels), np.float32)
        walk(runtime, "norm.moments_f32", groups * channels, x, rows, channels, sums)
        walk(runtime, "norm.join_moments_f32", channels, sums, rows, mean, var)
    beta, mean, var = (runtime.contiguous(a) for a in (beta, mean, var))
    y = runtime.empty(x.shape, np.float32)
    scale = _scale(runtime, gamma, var, eps)
    walk(runtime, "norm.normalize_f32", x.size, x, mean, scale, beta, int(relu), y, channels)
    return y, mean, var


def batch_norm_backward(
    dy: Any, x: Any, gamma: Any, beta: Any, mean: Any, var: Any, eps: float, relu: bool, batch: bool, need_dx: bool
) -> tuple[Any, Any, Any]:
    """`catalase.ops.batch_norm_backward` for device arrays whose shapes have been checked."""
    runtime = floats("batch_norm_backward", dy=dy, x=x, gamma=gamma, beta=beta, mean=mean, var=var)
    dy, x, beta, mean, var = (runtime.contiguous(a) for a in (dy, x, beta, mean, var))
    rows, channels = _matrix(x)
    scale = _scale(runtime, gamma, var, eps)
    groups = -(-rows // _BLOCK_ROWS)
    sums = runtime.empty((groups, 2, channels), np.float32)
    given = (x, dy, mean, scale, beta)
    walk(runtime, "norm.gradient_sums_f32", groups * channels, *given, int(relu), rows, channels, sums)
    dgamma, dbeta, dy_mean, slope = (runtime.empty((channels,), np.float32) for _ in range(4))
    ends = (np.float64(eps), int(batch), rows, dgamma, dbeta, dy_mean, slope)
    walk(runtime, "norm.join_gradients_f32", channels, sums, var, *ends)
    if not need_dx:
        return None, dgamma, dbeta
    dx = runtime.empty(x.shape, np.float32)
    walk(runtime, "norm.norm_input_gradient_f32", x.size, *given, dy_mean, slope, int(relu), dx, channels)
    return dx, dgamma, dbeta


def follow(running_mean: Any, running_var: Any, mean: Any, var: Any, momentum: float, rows: int) -> None:
    """Let running statistics follow those of a batch of 2 rows or more, in place; not where these are not finite."""
    runtime = floats("BatchNorm", running_mean=running_mean, running_var=running_var, mean=mean, var=var)
    rates = (1 - momentum, momentum, rows / (rows - 1))
    args = (running_mean, running_var, mean, var, *rates, mean.size)
    runtime.launch("norm.follow_f32", (1,), (256,), 0, args)  # one block, which looks at all channels first


def _matrix(x: Any) -> tuple[int, int]:
    channels = x.shape[-1]
    return (x.size // channels if channels else 0), channels


def _scale(runtime: Runtime, gamma: Any, var: Any, eps: float) -> Any:
    scale = runtime.empty(gamma.shape, np.float32)
    walk(runtime, "norm.norm_scale_f32", gamma.size, runtime.contiguous(gamma), var, np.float64(eps), scale)
    return scale
