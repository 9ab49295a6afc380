"""Augmentation of images by random rotations, shifts, crops, brightness, contrast and noise, reproducible by a seed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._internal.numbers import choice, flag, is_whole, number, shown, whole_number
from ..backends import backend_of, is_device_array, same_backend
from .checks import numpy_array, whole_numbers

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
    """Augment a batch of images, each with different random numbers.

    The order is: flips, quarter turns, rotation about the centre, shift, crop; contrast, brightness, noise, limits.

    Parameters
    ----------
    x : ndarray, shape (N, H, W, C) or (N, H, W)
        float32, or uint8, which becomes float32 in [0, 1].
    seed, step : int
        0 to 2**64 - 1, and 0 to 2**32 - 1 (for example the epoch).
    numbers : array_like of int, shape (N,), optional
        The images' numbers, 0 to 2**32 - 1, such as their rows in the dataset; 0 to N - 1 by default. An image's random
        numbers depend only on seed, step and its number, not on the batch or the order.
    masks : ndarray, shape (N, H, W, ...), or a tuple of them, optional
        Labels of each pixel. They are flipped, rotated, shifted and cropped alike. Values are not mixed (the nearest is
        taken), and pixels from outside get 0 or the border's label.
    random : bool
        False, for evaluation, only converts, and crops from the middle.
    flip_horizontal, flip_vertical : float
        Probability of a mirror image, left to right and top to bottom.
    rotate90 : bool
        Rotate by 0 to 3 quarter turns with equal probability; by 0 or 2 where H and W differ.
    rotation : float
        Largest angle in degrees, in either direction; bilinear.
    shift : float or (float, float)
        Largest shift in pixels, in either direction, along y and x; shifts are whole pixels.
    crop : (int, int), optional
        Height and width of a cut at a random place.
    brightness : float
        The most that is added or subtracted.
    contrast : float
        Differences from each channel's mean are multiplied by a factor from 1 - contrast to 1 + contrast.
    noise : float
        Standard deviation of Gaussian noise, added last.
    limits : (float, float), optional
        Smallest and largest value of the result.
    border : {"constant", "edge", "reflect"}
        Pixels beyond the image: ``fill``, the nearest pixel, or the mirrored image (edge pixels twice).
    fill : float

    Returns
    -------
    ndarray of float32, or (images, masks)
        Shape of x, with the height and width of the crop; a tuple of masks is returned as a tuple.

    Raises
    ------
    TypeError
        For another dtype.
    ValueError
        For shapes that do not fit, a crop larger than the image, and settings out of range.

    Notes
    -----
    Random numbers come from Philox-4x32-10. The bits are the same for any number of threads, on AVX2 and AVX-512; on the
    portable level the noise may differ in the last bits. Without rotation pixels are copied, not interpolated. NaN stays NaN.

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
    seed = whole_number("augment_images", "seed", seed, 0, 2**64 - 1)
    step = whole_number("augment_images", "step", step, 0, 2**32 - 1)
    rows = _numbers(numbers, n)
    out_height, out_width = _crop(crop, height, width)
    options = _options(
        random=flag("augment_images", "random", random),
        flip_horizontal=flip_horizontal,
        flip_vertical=flip_vertical,
        quarter_turns=flag("augment_images", "rotate90", rotate90),
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
    given = () if masks is None else masks if isinstance(masks, tuple) else (masks,)
    labels = [_masks(mask, images) for mask in given]
    size = (out_height, out_width)
    pixels, moved = backend_of(images).augment(images, labels, options, seed, step, rows, size)
    result = pixels.reshape((n, *size, *x.shape[3:]))
    if masks is None:
        return result
    shaped = [new.reshape((n, *size, *mask.shape[3:])) for new, mask in zip(moved, given, strict=True)]
    return result, tuple(shaped) if isinstance(masks, tuple) else shaped[0]


def _images(x: Any) -> Any:
    here = isinstance(x, np.ndarray)
    if not (here or is_device_array(x)) or x.dtype not in (np.float32, np.uint8):
        came = x.dtype if here or is_device_array(x) else type(x).__name__
        raise TypeError(f"augment_images: x must be a float32 or uint8 array, got {came}")
    if here:
        numpy_array("augment_images", "x", x)
    if x.ndim not in (3, 4) or 0 in x.shape[1:3]:
        raise ValueError(
            f"augment_images: x must be (N, H, W, C) or (N, H, W) with pixels, got shape {x.shape}; a single image is "
            "x[None]"
        )
    return x if x.ndim == 4 else x[..., None]


def _masks(masks: Any, images: Any) -> Any:
    if is_device_array(images) or is_device_array(masks):
        same_backend("augment_images", x=images, masks=masks)
    elif not isinstance(masks, np.ndarray):
        raise TypeError(f"augment_images: masks must be an array of {', '.join(_MASKS)}; got {type(masks).__name__}")
    else:
        numpy_array("augment_images", "masks", masks)
    if masks.dtype.name not in _MASKS:
        came = masks.dtype
        raise TypeError(f"augment_images: masks must be an array of {', '.join(_MASKS)}; got {came}")
    if masks.ndim < 3 or masks.shape[:3] != images.shape[:3]:
        raise ValueError(
            f"augment_images: masks must have the (N, H, W) of the images {images.shape[:3]}, got shape {masks.shape}"
        )
    return backend_of(masks).contiguous(masks).reshape(*masks.shape[:3], math.prod(masks.shape[3:]))


def _numbers(numbers: Any, n: int) -> NDArray[np.uint32]:
    if numbers is None:
        return np.arange(n, dtype=np.uint32)
    array = whole_numbers("augment_images", "numbers", numbers)
    if array.shape != (n,):
        raise ValueError(f"augment_images: numbers must be {n} whole numbers, got shape {array.shape}")
    if n and (array.min() < 0 or array.max() >= 2**32):
        raise ValueError(f"augment_images: numbers must be from 0 to 2**32 - 1, got {array.min()} to {array.max()}")
    return np.ascontiguousarray(array).astype(np.uint32)


def _crop(crop: Any, height: int, width: int) -> tuple[int, int]:
    if crop is None:
        return height, width
    if not _is_pair(crop) or not all(map(is_whole, crop)):
        raise TypeError(f"augment_images: crop must be two whole numbers, height and width, got {shown(crop)}")
    tall, wide = int(crop[0]), int(crop[1])
    if not (1 <= tall <= height and 1 <= wide <= width):
        raise ValueError(
            f"augment_images: crop must be from 1 x 1 to the images' {height} x {width}, got {tall} x {wide}"
        )
    return tall, wide


def _is_pair(value: Any) -> bool:
    return (isinstance(value, (tuple, list)) and len(value) == 2) or (
        isinstance(value, np.ndarray) and value.shape == (2,)
    )


def _limits(limits: Any) -> tuple[float, float]:
    """Return the smallest and the largest value; infinity leaves a side open."""
    real = (int, float, np.integer, np.floating)
    if not _is_pair(limits):
        raise TypeError(f"augment_images: limits must be (smallest, largest), got {shown(limits)}")
    if not all(isinstance(v, real) and not isinstance(v, (bool, np.timedelta64)) for v in limits):
        raise TypeError(f"augment_images: limits must be two numbers, got {shown(limits)}")
    if not limits[0] <= limits[1] or any(isinstance(v, int) and abs(v) > 2**1000 for v in limits):
        raise ValueError(f"augment_images: limits must be (smallest, largest), got {shown(limits)}")
    return float(limits[0]), float(limits[1])


def _options(
    *,
    shift: float | tuple[float, float],
    rotation: float,
    limits: tuple[float, float] | None,
    border: str,
    **rest: Any,
) -> dict[str, Any]:
    function = "augment_images"
    for name in ("flip_horizontal", "flip_vertical", "contrast"):
        rest[name] = number(function, name, rest[name], at_least=0, at_most=1)
    for name in ("brightness", "noise"):
        rest[name] = number(function, name, rest[name], at_least=0)
    rest["fill"] = number(function, "fill", rest["fill"])
    shifts: Any = shift if _is_pair(shift) else (shift, shift)  # along y and x
    shift_y, shift_x = (number(function, "shift", s, at_least=0, below=2**31) for s in shifts)
    choice(function, "border", border, tuple(_BORDERS))
    low, high = (-math.inf, math.inf) if limits is None else _limits(limits)
    return dict(
        rotation=math.radians(number(function, "rotation", rotation, at_least=0, at_most=180)),
        shift_y=shift_y,
        shift_x=shift_x,
        low=low,
        high=high,
        border=_BORDERS[border],
        **rest,
    )
