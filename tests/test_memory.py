"""Tests of the caching allocator: alignment, reuse, and arrays that outlive their maker."""

from __future__ import annotations

import gc

import numpy as np
import pytest

import catalase as ct
from catalase import _core


@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 1000, 4097, 300_000, 3_000_000])
def test_blocks_are_aligned_and_writable(n):
    x = ct.ops.empty(n)
    assert x.shape == (n,) and x.ctypes.data % 64 == 0
    x[...] = 1
    assert x.sum() == n


def test_memory_comes_back():
    _core.release_cached_memory()
    x = ct.ops.empty((100, 1000))
    address = x.ctypes.data
    view = x[10:]
    del x
    gc.collect()
    assert ct.ops.empty((100, 1000)).ctypes.data != address, "a view keeps its memory"
    del view
    gc.collect()
    held = [ct.ops.empty((100, 1000)) for _ in range(2)]
    assert address in [h.ctypes.data for h in held]


def test_live_bytes_return_to_where_they_were():
    before = _core.cache_stats()["live_bytes"]
    arrays = [ct.ops.empty(size) for size in range(0, 5000, 7)]
    assert _core.cache_stats()["live_bytes"] > before
    del arrays
    assert _core.cache_stats()["live_bytes"] == before


def test_bad_shapes():
    with pytest.raises(ValueError, match="0 or more"):
        ct.ops.empty((2, -1))
    with pytest.raises(ValueError, match="Python objects"):
        ct.ops.empty(2, object)
    with pytest.raises(MemoryError):
        ct.ops.empty((2**40, 2**20))
    assert ct.ops.empty((2, 0, 3), np.float64).size == 0
