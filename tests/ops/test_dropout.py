"""Tests of dropout: the generator's known answers, the mask's keys, and its statistics."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from tests.reference.philox import philox4x32, word


def test_the_reference_gives_the_published_answers():
    # Known answers of Random123 (Salmon et al. 2011), philox4x32-10.
    ones = 0xFFFFFFFF
    assert philox4x32([0] * 4, [0] * 2) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    assert philox4x32([ones] * 4, [ones] * 2) == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]
    pi = [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344]
    assert philox4x32(pi, [0xA4093822, 0x299F31D0]) == [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]


@pytest.mark.parametrize("size", [0, 1, 15, 16, 63, 64, 65, 130])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_mask_is_the_one_of_the_reference(backend, size, dtype):
    seed, layer, step, rate = 2**63 + 12345, 3, 7, 0.4
    y = ct.ops.dropout(np.ones(size, dtype), rate, seed=seed, layer=layer, step=step)
    kept = np.array([word(i, seed, layer, step) >= round(rate * 2**32) for i in range(size)], bool)
    assert np.array_equal(y, np.where(kept, dtype(1 / (1 - rate)), dtype(0)))


def test_same_bits_for_any_thread_count_and_level(backend, threads):
    x = np.ones((333, 301), np.float32)
    y = ct.ops.dropout(x, 0.5, seed=1)
    for i in (0, 64, 32_767, 32_768, 50_177, 65_535, 100_232):  # either side of where threads part
        assert (y.ravel()[i] != 0) == (word(i, 1, 0, 0) >= 2**31), i
    assert np.array_equal(y[:1], ct.ops.dropout(x[:1], 0.5, seed=1))


def test_backward_uses_the_same_mask(rng):
    x, dy = rng.standard_normal((20, 30)), rng.standard_normal((20, 30))
    key = {"seed": 5, "layer": 2, "step": 9}
    y, dx = ct.ops.dropout(x, 0.3, **key), ct.ops.dropout_backward(dy, 0.3, **key)
    assert np.array_equal(y == 0, dx == 0) and np.allclose(dx[dx != 0], dy[dx != 0] / 0.7)


@pytest.mark.parametrize("size", [0, 1, 7, 8, 17, 127, 128, 129, 300, 40_000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_kept_mask_gives_the_same_bits(backend, rng, size, dtype):
    x, dy, key = (
        rng.standard_normal(size).astype(dtype),
        rng.standard_normal(size).astype(dtype),
        {"seed": 5, "step": 9},
    )
    kept = np.full(size, 7, np.uint8)
    y = ct.ops.dropout(x, 0.3, **key, kept=kept)
    assert np.array_equal(y, ct.ops.dropout(x, 0.3, **key)) and np.array_equal(kept, y != 0)
    assert np.array_equal(ct.ops.dropout_backward(dy, 0.3, **key, kept=kept), ct.ops.dropout_backward(dy, 0.3, **key))


def test_a_mask_of_another_kind_is_refused():
    x = np.ones((2, 3))
    for kept in (np.ones((3, 2), np.uint8), np.ones((2, 3)), np.ones((2, 6), np.uint8)[:, ::2], [1, 1]):
        for function in (ct.ops.dropout, ct.ops.dropout_backward):
            with pytest.raises(ValueError, match="kept must be"):
                function(x, 0.5, seed=1, kept=kept)


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


def test_bad_input():
    x = np.ones(3)
    for rate in (-0.1, 1.0, np.nan):
        with pytest.raises(ValueError, match="rate must be from 0 to below 1"):
            ct.ops.dropout(x, rate, seed=0)
    with pytest.raises(ValueError, match="seed must be"):
        ct.ops.dropout(x, 0.5, seed=-1)
