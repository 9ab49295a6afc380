"""Elementwise functions of device arrays: launches of ``cuda/elementwise.cu``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import _core
from .launch import walk

if TYPE_CHECKING:
    from .backend import CudaBackend


def map(device: CudaBackend, function: int, x: Any, out: Any = None) -> Any:
    target = device.empty(x.shape, x.dtype) if out is None else out
    shifted = out is not None and out is not x and device.may_share(out, x)  # a device writes in any order
    if shifted or not target.flags.c_contiguous:
        target = device.empty(x.shape, x.dtype)
    walk(device, "elementwise.map_f32", x.size, function, device.contiguous(x), target)
    if out is None or target is out:
        return target
    out[...] = target
    return out


def activation_backward(device: CudaBackend, activation: int, dy: Any, saved: Any) -> Any:
    dx = device.empty(saved.shape, saved.dtype)
    dy, saved = device.contiguous(dy), device.contiguous(saved)
    walk(device, "elementwise.activation_backward_f32", saved.size, activation, dy, saved, dx)
    return dx


def relu_dropout_backward(device: CudaBackend, dy: Any, y: Any, scale: float) -> Any:
    return activation_backward(device, _core.ACTIVATIONS["relu"], dy if scale == 1.0 else device.multiply(dy, scale), y)
