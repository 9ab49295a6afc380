"""Maps over device arrays: launch shapes of ``cuda/elementwise.cu``."""

from __future__ import annotations

from typing import Any

from ._arrays import Runtime, blocks, float32, output, runtime_of


def apply(name: str, function: int, x: Any, out: Any = None) -> Any:
    """Apply a map by its number to each value."""
    runtime = runtime_of(name, x=x, out=out)
    float32(name, "x", x)
    out = output(name, runtime, out, x.shape)
    shifted = out is not x and runtime.may_share(out, x)  # in which order values are written is the device's
    target = out if out.flags.c_contiguous and not shifted else runtime.empty(x.shape, x.dtype)
    walk(runtime, "elementwise.map_f32", x.size, function, runtime.contiguous(x), target)
    if target is not out:
        out[...] = target
    return out


def activation_backward(dy: Any, y: Any, code: int) -> Any:
    """`catalase.ops.activation_backward` for device arrays."""
    runtime = runtime_of("activation_backward", dy=dy, y=y)
    float32("activation_backward", "dy", dy), float32("activation_backward", "y", y)
    if dy.shape != y.shape:
        raise ValueError(f"activation_backward: dy and y must have equal shapes, got {dy.shape} and {y.shape}")
    dx = runtime.empty(y.shape, y.dtype)
    kernel = "elementwise.activation_backward_f32"
    walk(runtime, kernel, y.size, code, runtime.contiguous(dy), runtime.contiguous(y), dx)
    return dx


def walk(runtime: Runtime, kernel: str, items: int, *args: Any) -> None:
    """Launch a kernel whose threads walk ``items`` together; their number is its last argument."""
    if items:
        runtime.launch(kernel, blocks(items, 256, runtime), (256,), 0, (*args, items))
