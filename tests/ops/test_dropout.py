"""Tests of dropout: the generator's known answers, the mask's keys, and its statistics."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from tests.agreement import FLOATS
from tests.reference.philox import philox4x32, word

KEY = {"seed": 2**63 + 12345, "layer": 3, "step": 2**32 - 1}


def test_the_reference_gives_the_published_answers():
    # Known answers of Random123 (Salmon et al. 2011), philox4x32-10.
    ones = 0xFFFFFFFF
    assert philox4x32([0] * 4, [0] * 2) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    assert philox4x32([ones] * 4, [ones] * 2) == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]
    pi = [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344]
    assert philox4x32(pi, [0xA4093822, 0x299F31D0]) == [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]


@pytest.mark.parametrize("size", [1, 7, 8, 15, 16, 17, 63, 64, 65, 127, 128, 129, 300, 5000])
@pytest.mark.parametrize("rate", [0.0, 0.4, 0.999])
@pytest.mark.parametrize("dtype", FLOATS)
def test_the_mask_is_the_one_of_the_reference_both_ways(backend, rng, size, rate, dtype):
    x, dy = rng.standard_normal((2, size)).astype(dtype)
    mask = backend.poisoned(size, np.uint8)
    y, kept = backend.run(ct.ops.dropout, x, rate, **KEY, kept=mask), backend.get(mask)
    some = range(0, size, max(1, size // 130))
    assert [bool(kept[i]) for i in some] == [word(i, *KEY.values()) >= round(rate * 2**32) for i in some]
    scale = dtype(1 / (1 - rate))
    assert np.array_equal(y, np.where(kept, scale * x, 0)) and y.dtype == dtype
    assert np.array_equal(y, ct.ops.dropout(x, rate, **KEY))  # without a mask, and on a device the CPU's bits
    for given in (None, mask):
        dx = backend.run(ct.ops.dropout_backward, dy, rate, **KEY, kept=given)
        assert np.array_equal(dx, np.where(kept, scale * dy, 0))


def test_shapes(backend):
    x = np.ones((6, 4), np.float32)
    assert np.array_equal(
        backend.get(ct.ops.dropout(backend.array(x)[::2], 0.5, seed=1)), ct.ops.dropout(x[:3], 0.5, seed=1)
    )
    assert np.array_equal(backend.run(ct.ops.dropout, x, 0.5, seed=1).ravel(), ct.ops.dropout(x.ravel(), 0.5, seed=1))
    assert backend.run(ct.ops.dropout, x[:0], 0.5, seed=1).shape == (0, 4)


@pytest.mark.on_the_cpu
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_kept_mask_of_a_long_array_gives_the_same_bits(backend, rng, dtype):
    x, kept = rng.standard_normal(40_000).astype(dtype), np.full(40_000, 7, np.uint8)
    y = ct.ops.dropout(x, 0.3, **KEY, kept=kept)
    assert np.array_equal(y, ct.ops.dropout(x, 0.3, **KEY)) and np.array_equal(kept, y != 0)
    assert np.array_equal(ct.ops.dropout_backward(x, 0.3, **KEY, kept=kept), y)


@pytest.mark.on_the_cpu
def test_same_bits_for_any_thread_count_and_level(backend, threads):
    x = np.ones((333, 301), np.float32)
    y = ct.ops.dropout(x, 0.5, seed=1)
    for i in (0, 64, 32_767, 32_768, 50_177, 65_535, 100_232):  # either side of where threads part
        assert (y.ravel()[i] != 0) == (word(i, 1, 0, 0) >= 2**31), i
    assert np.array_equal(y[:1], ct.ops.dropout(x[:1], 0.5, seed=1))


def test_other_keys_give_other_masks():
    x = np.ones(1000)
    masks = [
        ct.ops.dropout(x, 0.5, seed=s, layer=layer, step=t) != 0
        for s, layer, t in [(1, 0, 0), (2, 0, 0), (1, 1, 0), (1, 0, 1)]
    ]
    for i in range(4):
        for j in range(i):
            assert 400 < (masks[i] == masks[j]).sum() < 600


@pytest.mark.parametrize("rate", [0.0, 1e-3, 0.25, 0.9, 0.999999])
def test_share_that_is_dropped(rate):
    n = 200_000
    y = ct.ops.dropout(np.ones(n), rate, seed=11)
    sigma = np.sqrt(n * rate * (1 - rate)) + 1e-9
    assert abs((y == 0).sum() - n * rate) < 5 * sigma + 1


@pytest.mark.at_one_level
def test_bad_input(backend):
    x, mask = backend.array(np.ones((2, 3), np.float32)), np.ones((2, 6), np.uint8)
    wrong = (mask[:, :2].copy(), np.ones((2, 3), np.float32))
    for function in (ct.ops.dropout, ct.ops.dropout_backward):
        for kept in (*map(backend.array, wrong), backend.array(mask)[:, ::2], [1, 1]):
            with pytest.raises(ValueError, match="kept must be"):
                function(x, 0.5, seed=1, kept=kept)
    for rate in (-0.1, 1.0, np.nan):
        with pytest.raises(ValueError, match="rate must be from 0 to below 1"):
            ct.ops.dropout(x, rate, seed=0)
    with pytest.raises(ValueError, match="seed must be"):
        ct.ops.dropout(x, 0.5, seed=-1)
    assert np.all(backend.get(ct.ops.dropout(x, 0.0, seed=0)) == 1)


@pytest.mark.on_a_device
def test_doubles_are_refused(backend):
    ct.ops.dropout(backend.array(np.ones(3, np.float32)), 0.5, seed=1)
    with pytest.raises(TypeError, match="must be float32 on CUDA"):
        ct.ops.dropout(backend.array(np.ones(3)), 0.5, seed=1)
    with pytest.raises(TypeError, match="dropout_backward: dy must be float32"):
        ct.ops.dropout_backward(backend.array(np.ones(3)), 0.5, seed=1, kept=backend.poisoned((3,), np.uint8))
