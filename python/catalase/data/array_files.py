"""Reading arrays from files of other programs: joblib's, and ``.npy`` files of Python objects."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .pickled_arrays import finished, read_pickled_array

_BROKEN = (ValueError, IndexError, KeyError, TypeError, EOFError, OverflowError, MemoryError, zlib.error, OSError,
           lzma.LZMAError)  # fmt: skip


def load_joblib(path: str | Path) -> NDArray[Any]:
    """Read an array that ``joblib.dump`` wrote, plain or compressed (zlib, gzip, bz2, xz, lzma).

    Raises
    ------
    ValueError
        For anything but one array of numbers or strings; see the module.
    """
    with open(path, "rb") as file:
        data = file.read()
    try:
        value = read_pickled_array(io.BytesIO(_unpacked(data)))
    except _BROKEN as error:
        raise _refusal(path, error) from None
    return plain_array(path, value)


def load_npy(path: str | Path, mmap: bool = True) -> NDArray[Any]:
    """Read an ``.npy`` file. Python objects in it, which are stored as a pickle, are read without unpickling."""
    try:
        with open(path, "rb") as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
            if dtype.hasobject:
                value = read_pickled_array(io.BytesIO(file.read()))
                if isinstance(value, np.ndarray) and value.shape != shape:
                    raise ValueError(f"an array of shape {value.shape} where its header says {shape}")
                return plain_array(path, value)
        return np.load(path, mmap_mode="r" if mmap and 0 not in shape else None, allow_pickle=False)
    except _BROKEN as error:
        raise _refusal(path, error) from None


def plain_array(path: str | Path, value: Any) -> NDArray[Any]:
    """Return an array of numbers or strings. Objects are converted if all are strings, numbers or arrays of one shape."""
    if not isinstance(value, np.ndarray):
        raise _refusal(path, ValueError(f"a {type(value).__name__} where an array was needed"))
    if value.dtype != object:
        return value
    items: list[Any] = [finished(item) for item in value.ravel().tolist()]
    if all(isinstance(item, str) for item in items):
        made = np.array(items, dtype=str)
    elif all(item is None or isinstance(item, (bool, int, float, np.number, np.bool_)) for item in items):
        made = np.array([np.nan if item is None else item for item in items])
    elif all(isinstance(item, np.ndarray) and item.dtype != object for item in items):
        if len({item.shape for item in items}) != 1:
            raise _refusal(path, ValueError("arrays of unequal shapes in one column"))
        made = np.stack(items)
    else:
        kinds = sorted({type(item).__name__ for item in items})
        raise _refusal(path, ValueError(f"objects of the types {', '.join(kinds)} in one array"))
    if made.dtype == object:
        raise _refusal(path, ValueError("whole numbers beyond 64 bits"))
    return made.reshape(value.shape + made.shape[1:])


def _refusal(path: str | Path, error: Exception) -> ValueError:
    reason = str(error) or type(error).__name__
    return ValueError(
        f"DiskDataset: {path} cannot be read: {reason}; only arrays of numbers and strings are, whatever else a pickle "
        "holds is refused"
    )


def _unpacked(data: bytes) -> bytes:
    openers: tuple[tuple[bytes, Callable[[bytes], bytes]], ...] = (
        (b"\x1f\x8b", gzip.decompress),
        (b"BZh", bz2.decompress),
        (b"\xfd7zXZ", lzma.decompress),
        (b"\x5d\x00", lzma.decompress),
    )
    for magic, unpack in openers:
        if data.startswith(magic):
            return unpack(data)
    return zlib.decompress(data) if data[:1] == b"\x78" else data
