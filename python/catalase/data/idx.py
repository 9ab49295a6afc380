"""Reading IDX files, the format of MNIST: a big-endian header, then the values; plain or gzipped."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import path_of
from .._internal.storage import read_up_to

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MOST = 2**40  # bytes; a header that claims more is damaged
_MOST_DIMENSIONS = 32  # the most dimensions in every version of NumPy


def read_idx(path: str | Path) -> NDArray[Any]:
    """Read an IDX file.

    Parameters
    ----------
    path : path
        Gzipped files are recognized by their first bytes, not by their name.

    Returns
    -------
    ndarray
        Shape and dtype are those of the header (uint8, int8, int16, int32, float32 or float64, native byte order).

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        For another format, a file cut short, damaged gzip data, or bytes after the last value.

    Examples
    --------
    >>> import struct, tempfile, pathlib, catalase as ct
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "labels")
    ...     _ = file.write_bytes(struct.pack(">BBBBI", 0, 0, 8, 1, 3) + bytes([5, 0, 4]))
    ...     ct.data.mnist.read_idx(file)
    array([5, 0, 4], dtype=uint8)
    """
    path = path_of("read_idx", "path", path)
    if not path.is_file():
        raise FileNotFoundError(f"read_idx: there is no file {path}")
    with open(path, "rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path, "rb") if zipped else open(path, "rb") as stream:
            return _read(path, stream)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"read_idx: {path} is damaged or cut short ({error}); download it again") from None


def _read(path: Path, stream: Any) -> NDArray[Any]:
    head = stream.read(4)
    if len(head) < 4 or head[0] or head[1] or head[2] not in _TYPES or head[3] == 0:
        raise ValueError(
            f"read_idx: {path} is not an IDX file: it begins with the bytes {head.hex(' ') or '(none)'}, where "
            "00 00, a type (08 for unsigned bytes) and the number of dimensions were needed"
        )
    sizes = stream.read(4 * head[3])
    if len(sizes) < 4 * head[3]:
        raise ValueError(f"read_idx: {path} is cut short within its header; download it again")
    shape = struct.unpack(f">{head[3]}I", sizes)
    dtype = np.dtype(_TYPES[head[2]])
    wanted = math.prod(shape) * dtype.itemsize
    if wanted > _MOST or len(shape) > _MOST_DIMENSIONS:
        raise ValueError(f"read_idx: {path} claims the shape {shape}, more than any such file holds; it is damaged")
    data = read_up_to(stream, wanted)
    if len(data) < wanted:
        raise ValueError(
            f"read_idx: {path} is cut short: its header says {shape}, which are {wanted} bytes, and {len(data)} are "
            "there; download it again"
        )
    if stream.read(1):
        raise ValueError(f"read_idx: {path} goes on after the {wanted} bytes that its header says; it is damaged")
    values = np.frombuffer(bytearray(data), dtype).reshape(shape)
    return values.astype(dtype.newbyteorder("="), copy=False)
