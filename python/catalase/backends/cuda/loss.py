"""Softmax and losses on a device: launches of ``cuda/loss.cu``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .launch import blocks

if TYPE_CHECKING:
    from .backend import CudaBackend


def softmax(device: CudaBackend, log: bool, x: Any) -> Any:
    y = device.empty(x.shape, x.dtype)
    _launch(device, "softmax_f32", _rows(x), int(log), device.contiguous(x), y, x.shape[-1])
    return y


def softmax_backward(device: CudaBackend, log: bool, dy: Any, y: Any) -> Any:
    dx = device.empty(y.shape, y.dtype)
    dy, y = device.contiguous(dy), device.contiguous(y)
    _launch(device, "softmax_backward_f32", _rows(y), int(log), dy, y, dx, y.shape[-1])
    return dx


def softmax_loss(device: CudaBackend, logits: Any, numbers: Any, targets: Any, weights: Any, dloss: Any) -> Any:
    """Return as the protocol says; a class number out of range gives NaN."""
    given = [_dense(device, x) for x in (logits, numbers, targets, weights)]
    if dloss is None:
        out = device.empty(logits.shape[:-1], logits.dtype)
        _launch(device, "softmax_loss_f32", _rows(logits), *given, out, logits.shape[-1])
    else:
        out = device.empty(logits.shape, logits.dtype)
        given.append(_dense(device, dloss))
        _launch(device, "softmax_loss_backward_f32", _rows(logits), *given, out, logits.shape[-1])
    return out


def elementwise_loss(device: CudaBackend, kind: int, x: Any, target: Any, weights: Any, dloss: Any) -> Any:
    out = device.empty(x.shape, x.dtype)
    given = (_dense(device, a) for a in (x, target, weights, dloss))
    _launch(device, "elementwise_loss_f32", x.size, kind, *given, out, threads=256)
    return out


def _launch(device: CudaBackend, kernel: str, items: int, *args: Any, threads: int = 128) -> None:
    if items:
        device.launch(f"loss.{kernel}", blocks(items, threads, device), (threads,), 0, (*args, items))


def _rows(x: Any) -> int:
    return int(x.size // x.shape[-1])


def _dense(device: CudaBackend, x: Any) -> Any:
    return None if x is None else device.contiguous(x)
