"""Batch and layer normalization on a device: launches of ``cuda/norm.cu``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .launch import blocks, walk

if TYPE_CHECKING:
    from .backend import CudaBackend

_BLOCK_ROWS = 64


def moments(device: CudaBackend, x: Any) -> tuple[Any, Any]:
    x = device.contiguous(x)
    rows, channels = _matrix(x)
    mean, var = (device.empty((channels,), np.float32) for _ in range(2))
    groups = -(-rows // _BLOCK_ROWS)
    sums = device.empty((groups, 3, channels), np.float32)
    walk(device, "norm.moments_f32", groups * channels, x, rows, channels, sums)
    walk(device, "norm.join_moments_f32", channels, sums, rows, mean, var)
    return mean, var


def batch_norm(device: CudaBackend, x: Any, gamma: Any, beta: Any, mean: Any, var: Any, eps: float, relu: bool) -> Any:
    x, beta, mean, var = (device.contiguous(a) for a in (x, beta, mean, var))
    y = device.empty(x.shape, np.float32)
    scale = _scale(device, gamma, var, eps)
    walk(device, "norm.normalize_f32", x.size, x, mean, scale, beta, int(relu), y, x.shape[-1])
    return y


def batch_norm_backward(
    device: CudaBackend, dy: Any, x: Any, gamma: Any, beta: Any, mean: Any, var: Any, eps: float, relu: bool,
    batch_statistics: bool, need_dx: bool,
) -> tuple[Any, Any, Any]:  # fmt: skip
    dy, x, beta, mean, var = (device.contiguous(a) for a in (dy, x, beta, mean, var))
    rows, channels = _matrix(x)
    scale = _scale(device, gamma, var, eps)
    groups = -(-rows // _BLOCK_ROWS)
    sums = device.empty((groups, 2, channels), np.float32)
    given = (x, dy, mean, scale, beta)
    walk(device, "norm.gradient_sums_f32", groups * channels, *given, int(relu), rows, channels, sums)
    dgamma, dbeta, dy_mean, slope = (device.empty((channels,), np.float32) for _ in range(4))
    ends = (np.float64(eps), int(batch_statistics), rows, dgamma, dbeta, dy_mean, slope)
    walk(device, "norm.join_gradients_f32", channels, sums, var, *ends)
    if not need_dx:
        return None, dgamma, dbeta
    dx = device.empty(x.shape, np.float32)
    walk(device, "norm.norm_input_gradient_f32", x.size, *given, dy_mean, slope, int(relu), dx, channels)
    return dx, dgamma, dbeta


def update_statistics(
    device: CudaBackend, running_mean: Any, running_var: Any, mean: Any, var: Any, momentum: float, rows: int
) -> None:
    rates = (1 - momentum, momentum, rows / (rows - 1))
    args = (running_mean, running_var, mean, var, *rates, mean.size)
    device.launch("norm.follow_f32", (1,), (256,), 0, args)  # one block, which first checks all channels


def layer_norm(device: CudaBackend, x: Any, gamma: Any, beta: Any, eps: float, centered: bool) -> Any:
    x, gamma, beta = (device.contiguous(a) for a in (x, gamma, beta))
    y = device.empty(x.shape, np.float32)
    _by_warps(device, "norm.layer_norm_f32", x, gamma, beta, np.float64(eps), centered, y)
    return y


def layer_norm_backward(
    device: CudaBackend, dy: Any, x: Any, gamma: Any, eps: float, centered: bool, need_dx: bool
) -> tuple[Any, Any, Any]:
    dy, x, gamma = (device.contiguous(a) for a in (dy, x, gamma))
    rows, channels = _matrix(x)
    dx = device.empty(x.shape, np.float32) if need_dx else None
    statistics = device.empty((rows, 2), np.float32)
    _by_warps(device, "norm.layer_norm_rows_f32", x, dy, gamma, np.float64(eps), centered, dx, statistics)
    groups = -(-rows // _BLOCK_ROWS)
    sums = device.empty((groups, 2, channels), np.float32)
    walk(device, "norm.layer_norm_columns_f32", groups * channels, x, dy, statistics, rows, channels, sums)
    dgamma, dbeta = (device.empty((channels,), np.float32) for _ in range(2))
    walk(device, "norm.join_columns_f32", channels, sums, groups, dgamma, dbeta)
    return dx, dgamma, dbeta


def _by_warps(device: CudaBackend, kernel: str, x: Any, *args: Any) -> None:
    """Launch a kernel with a warp for each row of ``x``."""
    rows, channels = _matrix(x)
    if rows:
        device.launch(kernel, blocks(32 * rows, 256, device), (256,), 0, (x, *args, channels, rows))


def _matrix(x: Any) -> tuple[int, int]:
    channels = x.shape[-1]
    return (x.size // channels if channels else 0), channels


def _scale(device: CudaBackend, gamma: Any, var: Any, eps: float) -> Any:
    scale = device.empty(gamma.shape, np.float32)
    walk(device, "norm.norm_scale_f32", gamma.size, device.contiguous(gamma), var, np.float64(eps), scale)
    return scale
