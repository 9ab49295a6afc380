"""Linear upsampling on a device: launches of ``cuda/upsample.cu``."""

from __future__ import annotations

from math import prod
from typing import Any

from ._arrays import float32, runtime_of
from .arithmetic import combine
from .elementwise import walk


def stretch(x: Any, factors: tuple[int, ...], backward: bool) -> Any:
    """`catalase.ops.upsample` of mode "linear", or its gradient, for device arrays: one axis after the other."""
    function, name = ("upsample_backward", "dy") if backward else ("upsample", "x")
    runtime = runtime_of(function, **{name: float32(function, name, x)})
    result = runtime.contiguous(x)
    for axis, times in enumerate(factors, 1):
        if times == 1:
            continue
        shape = list(result.shape)
        length = shape[axis] // times if backward else shape[axis]
        shape[axis] = length if backward else length * times
        target = runtime.empty(tuple(shape), result.dtype)
        kernel = "upsample.stretch_backward_f32" if backward else "upsample.stretch_f32"
        walk(runtime, kernel, target.size, result, target, length, prod(shape[axis + 1 :]), times)
        result = target
    return combine("copy", x) if result is x else result
