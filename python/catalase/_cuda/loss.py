"""Softmax and losses on a device: launches of ``cuda/loss.cu``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._arrays import Runtime, blocks, float32, runtime_of

_SQUARED = 2  # the kind of `elementwise_loss`


def softmax(function: str, log: bool, x: Any) -> Any:
    """Softmax or log softmax over the last axis."""
    runtime = runtime_of(function, x=x)
    classes, rows = _rows(function, float32(function, "x", x))
    y = runtime.empty(x.shape, x.dtype)
    _launch(runtime, "softmax_f32", rows, int(log), runtime.contiguous(x), y, classes)
    return y


def softmax_backward(function: str, log: bool, dy: Any, y: Any) -> Any:
    """The gradient at the input, from that at the output and the output."""
    runtime = runtime_of(function, dy=dy, y=y)
    float32(function, "dy", dy)
    classes, rows = _rows(function, float32(function, "y", y))
    if dy.shape != y.shape:
        raise ValueError(f"{function}: dy and y must have equal shapes, got {dy.shape} and {y.shape}")
    dx = runtime.empty(y.shape, y.dtype)
    _launch(runtime, "softmax_backward_f32", rows, int(log), runtime.contiguous(dy), runtime.contiguous(y), dx, classes)
    return dx


def softmax_loss(function: str, dloss: Any, logits: Any, labels: Any, weights: Any) -> Any:
    """Softmax cross-entropy, or with ``dloss`` its gradient. A class number out of range gives NaN."""
    runtime = runtime_of(function, logits=logits, labels=labels, weights=weights, dloss=dloss)
    classes, rows = _rows(function, float32(function, "logits", logits))
    shape = logits.shape[:-1]
    weights, dloss = (
        _like(runtime, function, "weights", weights, shape),
        _like(runtime, function, "dloss", dloss, shape),
    )
    numbers = targets = None
    if labels.dtype.kind in "iu":
        if labels.dtype != np.int64 or labels.shape != shape:
            raise ValueError(
                f"{function}: class numbers must be int64 of shape {shape} on CUDA, got {labels.dtype} {labels.shape}; "
                "use labels.astype('int64')"
            )
        numbers = runtime.contiguous(labels)
    else:
        targets = _like(runtime, function, "labels", labels, logits.shape)
    x = runtime.contiguous(logits)
    if dloss is None:
        out = runtime.empty(shape, logits.dtype)
        _launch(runtime, "softmax_loss_f32", rows, x, numbers, targets, weights, out, classes)
    else:
        out = runtime.empty(logits.shape, logits.dtype)
        _launch(runtime, "softmax_loss_backward_f32", rows, x, numbers, targets, weights, dloss, out, classes)
    return out


def elementwise_loss(function: str, kind: int, dloss: Any, x: Any, z: Any, weights: Any) -> Any:
    """Sigmoid cross-entropy (1) or squared error (2), or with ``dloss`` the gradient."""
    first, second = ("pred", "target") if kind == _SQUARED else ("logits", "labels")
    runtime = runtime_of(function, **{first: x, second: z}, weights=weights, dloss=dloss)
    float32(function, first, x)
    z, weights, dloss = (
        _like(runtime, function, name, v, x.shape) for name, v in ((second, z), ("weights", weights), ("dloss", dloss))
    )
    out = runtime.empty(x.shape, x.dtype)
    _launch(runtime, "elementwise_loss_f32", x.size, kind, runtime.contiguous(x), z, weights, dloss, out, threads=256)
    return out


def _launch(runtime: Runtime, kernel: str, items: int, *args: Any, threads: int = 128) -> None:
    if items:
        runtime.launch(f"loss.{kernel}", blocks(items, threads, runtime), (threads,), 0, (*args, items))


def _rows(function: str, x: Any) -> tuple[int, int]:
    if x.ndim == 0 or x.shape[-1] == 0:
        raise ValueError(f"{function}: the last axis must hold at least one class, got shape {x.shape}")
    return x.shape[-1], x.size // x.shape[-1]


def _like(runtime: Runtime, function: str, name: str, x: Any, shape: tuple[int, ...]) -> Any:
    if x is None:
        return None
    float32(function, name, x)
    if x.shape != shape:
        raise ValueError(f"{function}: {name} must have shape {shape}, got {x.shape}")
    return runtime.contiguous(x)
