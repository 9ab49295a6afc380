"""How many parameters may be made: a model that is loaded has no more than its weight file holds.

A few bytes of settings can describe a net of any size. While a net is built from settings that came with a file, each of
its arrays is taken from the file's allowance before it is drawn, so a net that is larger ends before it costs anything.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_LARGEST_ROW = 2**40  # values: no machine holds a batch of such rows


class _Left(threading.local):
    arrays: int | None = None  # None: as many as are asked for
    values = 0


_left = _Left()


@contextmanager
def allowance(arrays: Mapping[str, Any]) -> Iterator[None]:
    """Inside, on this thread, no more and no larger arrays of parameters are made than these."""
    before = _left.arrays, _left.values
    _left.arrays, _left.values = len(arrays), sum(math.prod(a.shape) for a in arrays.values())
    try:
        yield
    finally:
        _left.arrays, _left.values = before


def claim(shape: tuple[int, ...]) -> None:
    """Take an array from the allowance, where there is one; ValueError where it does not hold that much."""
    if _left.arrays is None:
        return
    size = math.prod(shape)
    if not _left.arrays or size > _left.values:
        raise ValueError(
            "load: the settings describe a larger net than the file of its weights holds; copy the whole folder again"
        )
    _left.arrays, _left.values = _left.arrays - 1, _left.values - size


def is_limited() -> bool:
    """Whether a net is being built from settings that came with a file, on this thread."""
    return _left.arrays is not None


def check_row(shape: tuple[int, ...]) -> None:
    """Refuse rows of values that no machine holds, where the settings came with a file."""
    if is_limited() and math.prod(shape) > _LARGEST_ROW:
        raise ValueError(f"load: the settings ask for rows of shape {shape}, more than {_LARGEST_ROW:,} values")
