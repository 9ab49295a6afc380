"""Convolutions on a device: launch shapes of ``cuda/conv.cu``. Geometry comes checked from `catalase.ops`."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ._arrays import Runtime, floats, output
from .arithmetic import combine
from .linear import backward_bias
from .matmul import _GRID, _SCRATCH_BYTES, CHAIN, join

_TILE = 64  # outputs of a block, in both directions
_FAR = 2**30  # the kernels count places along an axis in 32 bits, and take this for one outside


class _Sizes:
    """The numbers of a convolution from ``inside`` (N, ..., C) to ``outside`` (N, ..., O), as the kernels take them."""

    def __init__(
        self, inside: tuple[int, ...], w: tuple[int, ...], outside: tuple[int, ...], geometry: Any, groups: int
    ):
        lengths, out, kernel = (_three(s) for s in (inside[1:-1], outside[1:-1], w[:-2]))
        stride, before, dilation = geometry.triples()
        self.inputs, self.outputs, self.groups = w[-2], w[-1] // groups, groups
        self.taps = prod(kernel)
        self.pixels_in, self.pixels_out = inside[0] * prod(lengths), outside[0] * prod(out)
        numbers = (*lengths, *out, *kernel, *stride, *before, *dilation)
        self.all = (*map(int, numbers), self.inputs, self.outputs, groups)
        reach = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
        if max(*self.all, self.taps, *reach, *(n * s for n, s in zip(out, stride, strict=True))) >= _FAR:
            raise ValueError(
                f"convolution: an axis, a kernel's reach and the channels must stay below 2**30 on CUDA, got input {inside}, "
                f"weights {w} and output {outside}"
            )


def forward(
    function: str, x: Any, w: Any, b: Any, code: int, shape: tuple[int, ...], geometry: Any, groups: int, flip: bool,
    transposed: bool,
) -> Any:  # fmt: skip
    """A convolution, or its transpose: the input's gradient of the convolution from y to x."""
    runtime = floats(function, x=x, w=w, b=b)
    y = runtime.empty(shape, np.float32)
    if transposed:
        _data(runtime, runtime.contiguous(x), w, b, code, y, _Sizes(shape, w.shape, x.shape, geometry, groups), flip)
    else:
        _forward(runtime, x, w, b, code, y, _Sizes(x.shape, w.shape, shape, geometry, groups), flip)
    return y


def gradients(
    function: str, dy: Any, x: Any, w: Any, y: Any, code: int, shape: tuple[int, ...], geometry: Any, groups: int,
    flip: bool, transposed: bool, need_dx: bool, out_dw: Any, out_db: Any,
) -> tuple[Any, Any, Any]:  # fmt: skip
    """The gradients of x (None unless it is needed), w and b."""
    runtime = floats(function, dy=dy, x=x, w=w, y=y, out_dw=out_dw, out_db=out_db)
    dz, db = _gradient(runtime, function, dy, y, shape, code, out_db)
    image, result = (dz, runtime.contiguous(x)) if transposed else (x, dz)
    sizes = _Sizes(image.shape, w.shape, result.shape, geometry, groups)
    dw = _weights(runtime, function, image, result, w.shape, sizes, flip, out_dw)
    if not need_dx:
        return None, dw, db
    dx = runtime.empty(x.shape, np.float32)
    (_forward if transposed else _data)(runtime, dz, w, None, 0, dx, sizes, flip)
    return dx, dw, db


def spread(function: str, part: Any, w: Any, g: Any, flip: bool, out_dw: Any) -> Any:
    """The gradient of all weights, from that of the taps that meet the input; 0 elsewhere."""
    runtime = floats(function, part=part, w=w, out_dw=out_dw)
    dw = combine("copy", 0.0, out=output(function, runtime, out_dw, tuple(w.shape), np.float32))
    g.select(dw, flip)[...] = part
    return dw


def _forward(runtime: Runtime, x: Any, w: Any, b: Any, code: int, y: Any, s: _Sizes, flip: bool) -> None:
    args = (runtime.contiguous(x), _taps(runtime, w, flip), _bias(runtime, b), code, y, s.pixels_out)
    _launch(runtime, "conv.conv_f32", s.pixels_out, s.outputs, s.groups, (*args, *s.all))


def _data(runtime: Runtime, dz: Any, w: Any, b: Any, code: int, dx: Any, s: _Sizes, flip: bool) -> None:
    args = (dz, _taps(runtime, w, flip), _bias(runtime, b), code, dx, s.pixels_in)
    _launch(runtime, "conv.conv_data_f32", s.pixels_in, s.inputs, s.groups, (*args, *s.all))


def _weights(
    runtime: Runtime, function: str, x: Any, dz: Any, shape: tuple[int, ...], s: _Sizes, flip: bool, out_dw: Any
) -> Any:
    dw = output(function, runtime, out_dw, tuple(shape), np.float32)
    if not dw.flags.c_contiguous:
        raise ValueError(f"{function}: out_dw must be contiguous, got strides {dw.strides}")
    lines, parts = s.taps * s.inputs, max(1, -(-s.pixels_out // CHAIN))
    whole = runtime.empty(tuple(shape), np.float32) if flip else dw
    room = min(parts, _GRID // s.groups, max(2, _SCRATCH_BYTES // max(4 * whole.size, 1)))
    sums = whole if parts == 1 else runtime.empty((max(room, 2), *shape), np.float32)
    x, done = runtime.contiguous(x), 0
    while done < parts:
        kept = 1 if done else 0  # slot 0 then holds the sum so far
        now = min(parts - done, max(room - kept, 1))
        args = (x, dz, sums[kept:] if parts > 1 else sums, done * CHAIN, s.pixels_out)
        _launch(runtime, "conv.conv_weights_f32", lines, s.outputs, now * s.groups, (*args, *s.all))
        done += now
        if parts > 1 and whole.size:
            join(runtime, sums, now + kept, whole if done == parts else sums, shape[-1], lines, shape[-1])
    if flip:
        dw[...] = _turned(whole)
    return dw


def _launch(runtime: Runtime, kernel: str, rows: int, columns: int, layers: int, args: tuple[Any, ...]) -> None:
    grid = (-(-rows // _TILE), -(-columns // _TILE), layers)
    if grid[1] > _GRID or layers > _GRID:
        raise ValueError(f"{kernel}: {layers} groups and parts of {columns} channels are more than a grid takes")
    if rows and columns:
        runtime.launch(kernel, grid, (256,), 0, args)


def _gradient(
    runtime: Runtime, function: str, dy: Any, y: Any, shape: tuple[int, ...], code: int, out_db: Any
) -> tuple[Any, Any]:
    """The gradient before the activation, contiguous, and the bias's."""
    for name, array in (("dy", dy), ("y", y)):
        if tuple(array.shape) != shape:
            raise ValueError(f"{function}: {name} must have shape {shape}, as the output has, got {array.shape}")
    flat = (prod(shape[:-1]), shape[-1])
    dz, db = backward_bias(runtime.contiguous(dy).reshape(flat), runtime.contiguous(y).reshape(flat), code, out_db)
    return dz.reshape(shape), db


def _bias(runtime: Runtime, b: Any) -> Any:
    return None if b is None else runtime.contiguous(b)


def _taps(runtime: Runtime, w: Any, flip: bool) -> Any:
    """Weights as the kernels read them; true convolution turns the taps round."""
    return runtime.contiguous(_turned(w) if flip else w)


def _turned(w: Any) -> Any:
    return w[(slice(None, None, -1),) * (w.ndim - 2)]


def _three(lengths: tuple[int, ...]) -> tuple[int, ...]:
    return (1,) * (3 - len(lengths)) + tuple(lengths)
