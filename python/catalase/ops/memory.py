"""Arrays from the caching allocator."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._internal.numbers import is_whole, shown, whole_number
from .checks import dtype_of


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
        C-contiguous and aligned to 64 bytes. Its memory is reused after the array is deleted, which saves the page
        faults of a new allocation.

    Raises
    ------
    TypeError
        For extents that are not whole numbers, or a ``dtype`` that NumPy does not know.
    ValueError
        For a negative extent or an object dtype.
    MemoryError
        If the system has no memory left.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.ops.empty((2, 3)).shape
    (2, 3)
    """
    if not isinstance(dtype, np.dtype):
        dtype = dtype_of("empty", "dtype", dtype)
    extents = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    for extent in extents:
        if type(extent) is not int or not 0 <= extent < 2**63:
            _check_extents(shape, extents)
    if dtype.hasobject:
        raise ValueError(f"empty: dtype must not hold Python objects, got {dtype}")
    return _core.empty(extents, dtype)


def _check_extents(shape: Any, extents: tuple[Any, ...]) -> None:
    if not all(is_whole(n) for n in extents):
        raise TypeError(f"empty: shape must be a whole number or a tuple of them, got {shown(shape)}")
    for extent in extents:
        whole_number("empty", "each length of shape", extent, 0, 2**63 - 1)
