"""Convolutions on a device: launches of ``cuda/conv.cu``, with a geometry that `catalase.ops` has checked."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import Geometry
from .launch import GRID, SCRATCH_BYTES
from .matmul import CHAIN, join

if TYPE_CHECKING:
    from .backend import CudaBackend

_TILE = 64  # outputs of a block along both axes of its tile
_FAR = 2**30  # the kernels hold positions along an axis in 32 bits, and take this value for one outside the image


class _Sizes:
    """The sizes of a convolution from ``inside`` (N, ..., C) to ``outside`` (N, ..., O), as the kernels expect them."""

    def __init__(
        self, inside: tuple[int, ...], w: tuple[int, ...], outside: tuple[int, ...], geometry: Geometry, groups: int
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


def conv(
    device: CudaBackend, x: Any, w: Any, b: Any, activation: int, shape: tuple[int, ...], geometry: Geometry,
    groups: int, flip: bool, exact: bool, transposed: bool,
) -> Any:  # fmt: skip
    y, x = device.empty(shape, np.float32), device.contiguous(x)
    inside, outside = (shape, x.shape) if transposed else (x.shape, shape)
    s = _Sizes(inside, w.shape, outside, geometry, groups)
    pixels, channels = (s.pixels_in, s.inputs) if transposed else (s.pixels_out, s.outputs)
    args = (x, _taps(device, w, flip), None if b is None else device.contiguous(b), activation, y, pixels)
    _launch(device, "conv.conv_data_f32" if transposed else "conv.conv_f32", pixels, channels, groups, (*args, *s.all))
    return y


def conv_weights(
    device: CudaBackend, image: Any, result: Any, dw: Any, geometry: Geometry, groups: int, flip: bool, exact: bool
) -> None:
    shape = tuple(dw.shape)
    s = _Sizes(image.shape, shape, result.shape, geometry, groups)
    lines, parts = s.taps * s.inputs, max(1, -(-s.pixels_out // CHAIN))
    whole = device.empty(shape, np.float32) if flip else dw
    room = min(parts, GRID // s.groups, max(2, SCRATCH_BYTES // max(4 * whole.size, 1)))
    sums = whole if parts == 1 else device.empty((max(room, 2), *shape), np.float32)
    image, result, done = device.contiguous(image), device.contiguous(result), 0
    while done < parts:
        kept = 1 if done else 0  # after the first round slot 0 holds the sum so far
        now = min(parts - done, max(room - kept, 1))
        args = (image, result, sums[kept:] if parts > 1 else sums, done * CHAIN, s.pixels_out)
        _launch(device, "conv.conv_weights_f32", lines, s.outputs, now * s.groups, (*args, *s.all))
        done += now
        if parts > 1 and whole.size:
            join(device, sums, now + kept, whole if done == parts else sums, shape[-1], lines, shape[-1])
    if flip:
        dw[...] = _flipped(whole)


def _launch(device: CudaBackend, kernel: str, rows: int, columns: int, layers: int, args: tuple[Any, ...]) -> None:
    grid = (-(-rows // _TILE), -(-columns // _TILE), layers)
    if grid[1] > GRID or layers > GRID:
        raise ValueError(f"{kernel}: {layers} groups and parts of {columns} channels are more than a grid takes")
    if rows and columns:
        device.launch(kernel, grid, (256,), 0, args)


def _taps(device: CudaBackend, w: Any, flip: bool) -> Any:
    """Return the weights as the kernels read them; true convolution reverses the taps."""
    return device.contiguous(_flipped(w) if flip else w)


def _flipped(w: Any) -> Any:
    return w[(slice(None, None, -1),) * (w.ndim - 2)]


def _three(lengths: tuple[int, ...]) -> tuple[int, ...]:
    return (1,) * (3 - len(lengths)) + tuple(lengths)
