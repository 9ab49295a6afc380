"""Augmentation: images turned, moved, cropped, brightened and made noisy at random, the same way in every run."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arrays import refuse_masked
from .._cuda import is_device_array
from .._cuda._arrays import runtime_of
from ._check import contiguous, empty

_BORDERS = _core.BORDERS
_MASKS = ("uint8", "int8", "bool", "uint16", "int16", "int32", "uint32", "int64", "uint64", "float32", "float64")


def augment_images(
    x: NDArray[Any],
    *,
    seed: int,
    step: int = 0,
    numbers: Any = None,
    masks: NDArray[Any] | tuple[NDArray[Any], ...] | None = None,
    random: bool = True,
    flip_horizontal: float = 0.0,
    flip_vertical: float = 0.0,
    rotate90: bool = False,
    rotation: float = 0.0,
    shift: float | tuple[float, float] = 0.0,
    crop: tuple[int, int] | None = None,
    brightness: float = 0.0,
    contrast: float = 0.0,
    noise: float = 0.0,
    limits: tuple[float, float] | None = None,
    border: str = "constant",
    fill: float = 0.0,
) -> Any:
    """Augment a batch of images, each by random numbers of its own.

    In this order: flips, quarter turns, rotation about the centre, shift, crop; contrast, brightness, noise, limits.

    Parameters
    ----------
    x : ndarray, shape (N, H, W, C) or (N, H, W)
        float32, or uint8, which becomes float32 in [0, 1].
    seed, step : int
        0 to 2**64 - 1, and 0 to 2**32 - 1 (the epoch, say).
    numbers : array_like of int, shape (N,), optional
        Of the images, 0 to 2**32 - 1: their rows in the dataset. 0 to N - 1 where left out. An image's random numbers
        depend on (seed, step, its number) alone, not on the batch or the order.
    masks : ndarray, shape (N, H, W, ...), or a tuple of them, optional
        Labels of each pixel. They take the same flips, turns, shift and crop; no value is mixed or changed (the nearest
        is taken) and what comes in from outside is 0, or the border's label.
    random : bool
        False: only the conversion and the crop, from the middle. What evaluation wants.
    flip_horizontal, flip_vertical : float
        Probability of a mirror image, left to right and top to bottom.
    rotate90 : bool
        0 to 3 quarter turns, each as likely; 0 or 2 where H and W differ.
    rotation : float
        Degrees at most, either way; bilinear.
    shift : float or (float, float)
        Pixels at most, either way, along y and x; whole pixels are shifted.
    crop : (int, int), optional
        Height and width to be cut out, at a random place.
    brightness : float
        At most added or subtracted.
    contrast : float
        Differences from each channel's mean are multiplied by 1 - contrast to 1 + contrast.
    noise : float
        Standard deviation of Gaussian noise, added last.
    limits : (float, float), optional
        Smallest and largest value of the result.
    border : {"constant", "edge", "reflect"}
        What lies beyond the image: ``fill``, the nearest pixel, or the image mirrored (edge pixels twice).
    fill : float

    Returns
    -------
    ndarray of float32, or (images, masks)
        Shape of x, with the height and width of the crop; a tuple of masks comes back as a tuple.

    Raises
    ------
    TypeError
        For another dtype.
    ValueError
        For shapes that do not fit, a crop larger than the image, and settings out of range.

    Notes
    -----
    Philox-4x32-10. The same bits for any number of threads, on AVX2 and AVX-512; on the portable level the noise may
    differ in the last bits. Without rotation pixels are copied, not interpolated. NaN pixels stay NaN.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> x = np.arange(4, dtype=np.float32).reshape(1, 2, 2)
    >>> ct.ops.augment_images(x, seed=0, flip_horizontal=1.0)
    array([[[1., 0.],
            [3., 2.]]], dtype=float32)
    """
    images = _images(x)
    n, height, width, _ = images.shape
    if not (0 <= seed < 2**64 and 0 <= step < 2**32):
        raise ValueError(f"augment_images: seed and step must be from 0 to 2**64 - 1 and 2**32 - 1, got {seed}, {step}")
    rows = _numbers(numbers, n)
    out_height, out_width = _crop(crop, height, width)
    options = _options(
        random=bool(random),
        flip_horizontal=flip_horizontal,
        flip_vertical=flip_vertical,
        quarter_turns=bool(rotate90),
        rotation=rotation,
        shift=shift,
        brightness=brightness,
        contrast=contrast,
        noise=noise,
        scale=1 / 255 if images.dtype == np.uint8 else 1.0,
        limits=limits,
        border=border,
        fill=fill,
    )
    batch: Any
    if type(images) is not np.ndarray and is_device_array(images):
        from .._cuda import augment as cuda

        batch = cuda.Batch(images, options, int(seed), int(step), rows, (out_height, out_width))
    else:
        batch = _Batch(options, int(seed), int(step), rows, (out_height, out_width))
    result = batch.images(images).reshape((n, out_height, out_width, *x.shape[3:]))
    if masks is None:
        return result
    moved = []
    for mask in masks if isinstance(masks, tuple) else (masks,):
        turned = batch.masks(_masks(mask, images))
        moved.append(turned.reshape((n, out_height, out_width, *mask.shape[3:])))
    return result, tuple(moved) if isinstance(masks, tuple) else moved[0]


class _Batch:
    """What a batch goes through, on the CPU."""

    def __init__(
        self, options: dict[str, Any], seed: int, step: int, rows: NDArray[np.uint32], size: tuple[int, int]
    ) -> None:
        self.key = (_core.AugmentOptions(**options), seed, step, rows)
        self.size = (len(rows), *size)

    def images(self, x: NDArray[Any]) -> NDArray[np.float32]:
        out = empty((*self.size, x.shape[3]), np.dtype(np.float32))
        if out.size:
            _core.augment(*self.key, x, out)
        return out

    def masks(self, labels: NDArray[Any]) -> NDArray[Any]:
        out = empty((*self.size, labels.shape[3]), labels.dtype)
        if out.size:
            _core.augment_masks(*self.key, labels, out)
        return out


def _images(x: Any) -> Any:
    here = isinstance(x, np.ndarray)
    if not (here or is_device_array(x)) or x.dtype not in (np.float32, np.uint8):
        came = x.dtype if here or is_device_array(x) else type(x).__name__
        raise TypeError(f"augment_images: x must be a float32 or uint8 array, got {came}")
    if x.ndim not in (3, 4) or 0 in x.shape[1:3]:
        raise ValueError(
            f"augment_images: x must be (N, H, W, C) or (N, H, W) with pixels, got shape {x.shape}; a single image is "
            "x[None]"
        )
    return _contiguous(x if x.ndim == 4 else x[..., None])


def _contiguous(x: Any) -> Any:
    return contiguous(x) if isinstance(x, np.ndarray) else runtime_of("augment_images", x=x).contiguous(x)


def _masks(masks: Any, images: Any) -> Any:
    if is_device_array(images) or is_device_array(masks):
        runtime_of("augment_images", x=images, masks=masks)
    elif not isinstance(masks, np.ndarray):
        raise TypeError(f"augment_images: masks must be an array of {', '.join(_MASKS)}; got {type(masks).__name__}")
    if masks.dtype.name not in _MASKS:
        came = masks.dtype
        raise TypeError(f"augment_images: masks must be an array of {', '.join(_MASKS)}; got {came}")
    if masks.ndim < 3 or masks.shape[:3] != images.shape[:3]:
        raise ValueError(
            f"augment_images: masks must have the (N, H, W) of the images {images.shape[:3]}, got shape {masks.shape}"
        )
    return _contiguous(masks).reshape(*masks.shape[:3], math.prod(masks.shape[3:]))


def _numbers(numbers: Any, n: int) -> NDArray[np.uint32]:
    if numbers is None:
        return np.arange(n, dtype=np.uint32)
    refuse_masked("augment_images", "numbers", numbers)
    array = np.asarray(numbers)
    if array.shape != (n,) or (n and array.dtype.kind not in "iu"):
        raise ValueError(f"augment_images: numbers must be {n} whole numbers, got {array.dtype} of shape {array.shape}")
    if n and (array.min() < 0 or array.max() >= 2**32):
        raise ValueError("augment_images: numbers must be from 0 to 2**32 - 1")
    return np.ascontiguousarray(array).astype(np.uint32)


def _crop(crop: Any, height: int, width: int) -> tuple[int, int]:
    if crop is None:
        return height, width
    tall, wide = operator.index(crop[0]), operator.index(crop[1])
    if not (1 <= tall <= height and 1 <= wide <= width):
        raise ValueError(
            f"augment_images: crop must be from 1 x 1 to the images' {height} x {width}, got {tall} x {wide}"
        )
    return tall, wide


def _options(
    *,
    shift: float | tuple[float, float],
    rotation: float,
    limits: tuple[float, float] | None,
    border: str,
    **rest: Any,
) -> dict[str, Any]:
    shift_y, shift_x = (shift, shift) if isinstance(shift, (int, float)) else shift
    for name, most in (
        ("flip_horizontal", 1),
        ("flip_vertical", 1),
        ("brightness", None),
        ("contrast", 1),
        ("noise", None),
    ):
        if not 0 <= rest[name] <= (math.inf if most is None else most) or math.isinf(rest[name]):
            span = "0 or more" if most is None else "from 0 to 1"
            raise ValueError(f"augment_images: {name} must be {span}, got {rest[name]}")
    if not 0 <= rotation <= 180:
        raise ValueError(f"augment_images: rotation must be from 0 to 180 degrees, got {rotation}")
    if not (0 <= shift_y < 2**31 and 0 <= shift_x < 2**31):
        raise ValueError(f"augment_images: shift must be 0 or more pixels, got {shift}")
    if border not in _BORDERS:
        raise ValueError(f"augment_images: border must be one of {', '.join(map(repr, _BORDERS))}; got {border!r}")
    low, high = (-math.inf, math.inf) if limits is None else limits
    if not low <= high:
        raise ValueError(f"augment_images: limits must be (smallest, largest), got {limits}")
    return dict(
        rotation=math.radians(rotation),
        shift_y=float(shift_y),
        shift_x=float(shift_x),
        low=low,
        high=high,
        border=_BORDERS[border],
        **rest,
    )
