"""Helpers for tests of array functions: the dtypes of a backend, and comparison with the CPU's bits."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase import _core

FLOATS = [np.float32, pytest.param(np.float64, marks=pytest.mark.on_the_cpu)]  # devices compute in float32


def same_as_cpu(y, cpu):
    """Whether the bits are equal (the sign of zero aside), or nearly, where the CPU has no fused multiply-add."""
    if _core.get_cpu_level() == "portable":
        return y.shape == cpu.shape and np.allclose(y, cpu, rtol=1e-4, atol=1e-5, equal_nan=True)
    return y.dtype == cpu.dtype and np.array_equal(y, cpu, equal_nan=True)


def same_with_threads(run, counts=(1, 2, 3)):
    """The arrays that a function gives, which are the same bits for each number of threads."""
    return _same_bits(run, counts, ct.get_num_threads, ct.set_num_threads)


def same_at_fma_levels(run):
    """As `same_with_threads`, at AVX2 and AVX-512; skips where the machine does not have both."""
    levels = [name for name in ("avx2", "avx512") if name in _core.build_info()["cpu_levels"]]
    if len(levels) < 2:
        pytest.skip("this machine has one FMA level only")
    return _same_bits(run, levels, _core.get_cpu_level, _core.set_cpu_level)


def _same_bits(run, choices, get, choose):
    before, results = get(), []
    try:
        for choice in choices:
            choose(choice)
            made = run()
            results.append(list(made) if isinstance(made, (list, tuple)) else [made])
    finally:
        choose(before)
    for choice, other in zip(choices[1:], results[1:], strict=True):
        for i, (a, b) in enumerate(zip(results[0], other, strict=True)):
            assert np.array_equal(a, b), f"result {i} differs between {choices[0]} and {choice}"
    return results[0]
