"""Augmentation on a device: the host computes each image's map, ``cuda/augment.cu`` its pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .launch import walk

if TYPE_CHECKING:
    from .backend import CudaBackend

_STREAM = 0x6175676D656E7400  # a stream of random numbers other than dropout's
_LOW = np.uint64(0xFFFFFFFF)


def augment(
    device: CudaBackend, x: Any, masks: Sequence[Any], options: dict[str, Any], seed: int, step: int,
    numbers: NDArray[np.uint32], size: tuple[int, int],
) -> tuple[Any, list[Any]]:  # fmt: skip
    maps = _maps(options, seed, step, numbers, x.shape[1:3], size)
    sent = device.array(maps)
    images = _images(device, device.contiguous(x), sent, maps, options, seed, step, numbers, size)
    moved = []
    for labels in masks:
        out = device.empty((len(numbers), *size, labels.shape[3]), labels.dtype)
        shape = (*x.shape[1:3], labels.shape[3], *size, options["border"])
        walk(device, f"augment.augment_mask_{out.itemsize}", out.size, device.contiguous(labels), sent, out, *shape)
        moved.append(out)
    return images, moved


def _images(
    device: CudaBackend, x: Any, sent: Any, maps: NDArray[Any], o: dict[str, Any], seed: int, step: int,
    numbers: NDArray[np.uint32], size: tuple[int, int],
) -> Any:  # fmt: skip
    """Return the augmented images as float32."""
    n, channels = len(numbers), x.shape[3]
    y = device.empty((n, *size, channels), np.float32)
    kernel = "augment.augment_f32" if x.dtype == np.float32 else "augment.augment_u8"
    settings = (*x.shape[1:3], channels, *size, float(o["scale"]), float(o["fill"]), o["border"])
    walk(device, kernel, y.size, x, sent, y, *settings)
    gains, pixels = maps[:, 7], math.prod(size)
    noise = float(o["noise"]) if o["random"] else 0.0
    adjusted = bool((gains != 1).any() or maps[:, 8].any())
    if not y.size or not (adjusted or noise > 0 or o["low"] > -math.inf or o["high"] < math.inf):
        return y
    chains = None
    if (gains != 1).any():
        chains = device.empty((n * channels * 8,), np.float64)
        walk(device, "augment.brightness_chains", chains.size, y, chains, pixels, channels)
    rows = device.array(numbers.astype(np.int64))
    key = (np.array(seed, np.uint64).astype(np.int64)[()], step)  # the kernel takes the seed's 64 bits
    rest = (pixels, channels, *key, noise, float(o["low"]), float(o["high"]))
    counters = n * -(-pixels * channels // 64) * 16
    walk(device, "augment.finish_pixels", counters, sent, rows, chains, y, *rest)
    return y


def _words(seed: int, step: int, numbers: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Return the first ten random words of each image: word 0 of Philox's counters 0 to 9."""
    key = seed ^ _STREAM
    c0 = np.broadcast_to(np.arange(10, dtype=np.uint64), (len(numbers), 10))
    c1, c2, c3 = (np.zeros_like(c0) + np.asarray(x, np.uint64) for x in (0, numbers[:, None], step))
    k0, k1 = key & 0xFFFFFFFF, key >> 32
    for _ in range(10):
        first, second = c0 * np.uint64(0xD2511F53), c2 * np.uint64(0xCD9E8D57)
        c0, c2 = (second >> np.uint64(32)) ^ c1 ^ np.uint64(k0), (first >> np.uint64(32)) ^ c3 ^ np.uint64(k1)
        c1, c3 = second & _LOW, first & _LOW
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0


def _maps(
    o: dict[str, Any],
    seed: int,
    step: int,
    numbers: NDArray[np.uint32],
    lengths: tuple[int, int],
    size: tuple[int, int],
) -> NDArray[np.float64]:
    """Return each image's y_y y_x y_0 x_y x_x x_0, whole, gain, added and 0 (N, 10), computed as ``cpp/image/geometry.h``."""
    (height, width), maps = lengths, np.zeros((len(numbers), 10))
    spare = (height - size[0], width - size[1])
    centre_y, centre_x = (height - 1) / 2, (width - 1) / 2
    units = _words(seed, step, numbers) * 2.0**-32 if o["random"] else None
    brightness, contrast = (float(np.float32(o[name])) for name in ("brightness", "contrast"))
    for n in range(len(numbers)):
        flip_y = flip_x = cosine = gain = 1.0
        sine = angle = move_y = move_x = added = 0.0
        crop_y, crop_x = float(spare[0] // 2), float(spare[1] // 2)
        if units is not None:
            u = units[n].tolist()
            flip_x = -1.0 if u[0] < float(o["flip_horizontal"]) else 1.0
            flip_y = -1.0 if u[1] < float(o["flip_vertical"]) else 1.0
            turns = int(u[2] * 4) & (3 if height == width else 2) if o["quarter_turns"] else 0
            cosine, sine = (1.0, 0.0, -1.0, 0.0)[turns], (0.0, 1.0, 0.0, -1.0)[turns]
            angle = (2 * u[3] - 1) * o["rotation"]
            move_y, move_x = (float(math.floor((2 * u[4 + i] - 1) * o[f"shift_{'yx'[i]}"] + 0.5)) for i in (0, 1))
            crop_y, crop_x = (float(math.floor(u[6 + i] * (spare[i] + 1.0))) for i in (0, 1))
            added, gain = (2 * u[8] - 1) * brightness, 1 + (2 * u[9] - 1) * contrast
        m = (cosine, sine, -sine, cosine)
        if angle != 0:
            c, s = math.cos(angle), math.sin(angle)  # by the C library, as on the CPU
            m = (m[0] * c - m[1] * s, m[0] * s + m[1] * c, m[2] * c - m[3] * s, m[2] * s + m[3] * c)
        y, x = crop_y - move_y - centre_y, crop_x - move_x - centre_x
        y_y, y_x, x_y, x_x = flip_y * m[0], flip_y * m[1], flip_x * m[2], flip_x * m[3]
        y_0, x_0 = y_y * y + y_x * x + centre_y, x_y * y + x_x * x + centre_x
        maps[n, :9] = y_y, y_x, y_0, x_y, x_x, x_0, angle == 0, gain, added
    return maps
