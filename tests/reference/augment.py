"""Augmentation of one image in float64, step by step: flip, quarter turns, rotation, shift, crop, then the values."""

from __future__ import annotations

import numpy as np

from .philox import philox4x32

STREAM = 0x6175676D656E7400


def words(seed, image, step, group):
    """The 64 words of a group."""
    seed ^= STREAM
    key = [seed & 0xFFFFFFFF, seed >> 32]
    found = [philox4x32([16 * group + lane, 0, image, step], key) for lane in range(16)]
    return [found[lane][word] for word in range(4) for lane in range(16)]


def numbers(seed, image, step):
    """Ten uniform numbers in [0, 1)."""
    return [word / 2**32 for word in words(seed, image, step, 0)[:10]]


def border_index(i, n, border):
    if 0 <= i < n:
        return i
    if border == "constant":
        return None
    if border == "edge":
        return min(max(i, 0), n - 1)
    i %= 2 * n
    return i if i < n else 2 * n - 1 - i


def pixel(x, i, j, border, fill):
    i, j = border_index(i, x.shape[0], border), border_index(j, x.shape[1], border)
    return np.full(x.shape[2], fill, float) if i is None or j is None else x[i, j].astype(float)


def geometry(
    x,
    u,
    *,
    flip_horizontal=0,
    flip_vertical=0,
    rotate90=False,
    rotation=0,
    shift=(0, 0),
    crop=None,
    border="constant",
    fill=0.0,
    nearest=False,
):
    """Return the moved image; NaN marks pixels of a nearest map that lie within 1e-6 of a tie."""
    if u[0] < flip_horizontal:
        x = x[:, ::-1]
    if u[1] < flip_vertical:
        x = x[::-1]
    if rotate90:
        turns = int(4 * u[2])
        x = np.rot90(x, turns if x.shape[0] == x.shape[1] else turns // 2 * 2)
    h, w, _ = x.shape
    angle = np.deg2rad(rotation) * (2 * u[3] - 1)
    move = [np.floor((2 * u[4 + i] - 1) * shift[i] + 0.5) for i in (0, 1)]
    tall, wide = crop or (h, w)
    at = int(u[6] * (h - tall + 1)), int(u[7] * (w - wide + 1))
    out = np.zeros((tall, wide, x.shape[2]))
    for i in range(tall):
        for j in range(wide):
            y, z = i + at[0] - move[0] - (h - 1) / 2, j + at[1] - move[1] - (w - 1) / 2
            sy = np.cos(angle) * y + np.sin(angle) * z + (h - 1) / 2
            sx = -np.sin(angle) * y + np.cos(angle) * z + (w - 1) / 2
            if nearest:
                tie = angle and min(abs(v + 0.5 - round(v + 0.5)) for v in (sy, sx)) < 1e-6
                value = pixel(x, int(np.floor(sy + 0.5)), int(np.floor(sx + 0.5)), border, 0)
                out[i, j] = np.nan if tie else value
                continue
            if not angle:
                sy, sx = round(sy), round(sx)
            top, left = int(np.floor(sy)), int(np.floor(sx))
            for di, a in ((0, 1 - (sy - top)), (1, sy - top)):
                for dj, b in ((0, 1 - (sx - left)), (1, sx - left)):
                    if a * b:
                        out[i, j] += a * b * pixel(x, top + di, left + dj, border, fill)
    return out


def normals(seed, image, step, n):
    """Box and Muller over the words of groups 1, 2, ..."""
    found = []
    for group in range(1, 2 + n // 64):
        word = words(seed, image, step, group)
        radius = [np.sqrt(-2 * np.log(((a >> 8) + 0.5) / 2**24)) for a in word[:32]]
        angle = [2 * np.pi * (b >> 8) / 2**24 for b in word[32:]]
        found += [r * np.cos(t) for r, t in zip(radius, angle, strict=True)]
        found += [r * np.sin(t) for r, t in zip(radius, angle, strict=True)]
    return np.array(found[:n])


def values(y, u, seed, image, step, *, brightness=0, contrast=0, noise=0, limits=None):
    gain, added = 1 + contrast * (2 * u[9] - 1), brightness * (2 * u[8] - 1)
    mean = y.mean((0, 1), keepdims=True)
    y = (y - mean) * gain + mean + added
    if noise:
        y = y + noise * normals(seed, image, step, y.size).reshape(y.shape)
    return y if limits is None else np.clip(y, *limits)
