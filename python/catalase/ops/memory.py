"""Arrays from the caching allocator."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core


def empty(shape: tuple[int, ...] | int, dtype: Any = np.float32) -> NDArray[Any]:
    """Return an uninitialised array whose memory comes from the caching allocator.

    Parameters
    ----------
    shape : int or tuple of int
        Extents, 0 or more.
    dtype : dtype, default float32
        Any fixed-size dtype without objects.

    Returns
    -------
    ndarray
        C-contiguous and aligned to 64 bytes. Its memory is reused once the array is gone, which saves the page
        faults of a fresh allocation.

    Raises
    ------
    ValueError
        For a negative extent or an object dtype.
    MemoryError
        When the system has no memory left.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.ops.empty((2, 3)).shape
    (2, 3)
    """
    dtype = np.dtype(dtype)
    extents = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    for extent in extents:
        if type(extent) is not int or extent < 0:
            _check_extents(shape, extents)
    if dtype.hasobject:
        raise ValueError(f"empty: dtype must not hold Python objects, got {dtype}")
    return _core.empty(extents, dtype)


def _check_extents(shape: Any, extents: tuple[Any, ...]) -> None:
    if not all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in extents):
        raise TypeError(f"empty: shape must be a whole number or a tuple of them, got {shape!r}")
    if any(extent < 0 for extent in extents):
        raise ValueError(f"empty: extents must be 0 or more, got {extents}")
