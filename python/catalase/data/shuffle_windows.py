"""Iterating over shards in bounded memory: blocks in random order fill windows, whose rows are shuffled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..ops.memory import empty
from .shards import COLUMNS, Shards

_BLOCKS = 16  # the least number of blocks that fill a window


class Window(NamedTuple):
    """Pieces (shard, start, stop) that are read together, and the new place of each of their rows (None keeps the order)."""

    pieces: list[tuple[int, int, int]]
    order: NDArray[np.int64] | None


def windows(shards: Shards, rows: int, rng: np.random.Generator | None) -> Iterator[Window]:
    """Cut shards into blocks, shuffle these if there is an rng, and fill windows of `rows` rows; the last may be shorter."""
    most = max(1, rows // _BLOCKS)
    blocks = []
    for shard, length in enumerate(shards.rows):
        step = max(1, length) if shards.whole_reads else most
        blocks += [(shard, start, min(start + step, length)) for start in range(0, length, step)]
    order = np.arange(len(blocks)) if rng is None else rng.permutation(len(blocks))
    pieces: list[tuple[int, int, int]] = []
    room = rows
    for number in order:
        shard, start, stop = blocks[number]
        while start < stop:
            end = min(stop, start + room)
            pieces.append((shard, start, end))
            room -= end - start
            start = end
            if room == 0:
                yield Window(pieces, None if rng is None else rng.permutation(rows))
                pieces, room = [], rows
    if pieces:
        yield Window(pieces, None if rng is None else rng.permutation(rows - room))


def read_window(shards: Shards, window: Window) -> tuple[NDArray[np.int64], list[NDArray[Any]]]:
    """Return row numbers and columns; the rows of each piece are written directly to their places in the order."""
    count = sum(stop - start for _, start, stop in window.pieces)
    numbers = np.empty(count, np.int64)
    forms = [shards.forms[column] for column in COLUMNS]
    columns = [_room((count, *form.shape), form.dtype) for form in forms]
    at = 0
    for shard, start, stop in window.pieces:
        span = slice(at, at + stop - start)
        places: Any = span if window.order is None else window.order[span]
        numbers[places] = np.arange(start, stop) + shards.starts[shard]
        for column, out in zip(COLUMNS, columns, strict=True):
            out[places] = shards.read(shard, column)[start:stop]
        at += stop - start
    return numbers, columns


def _room(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.empty(shape, dtype) if dtype.kind in "US" else empty(shape, dtype)
