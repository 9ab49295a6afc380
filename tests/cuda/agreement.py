"""Comparison with the CPU's bits: equality, except at the portable level, which rounds products and sums separately."""

from __future__ import annotations

import numpy as np

from catalase import _core


def same_as_cpu(y, cpu):
    """Whether the bits are equal (the sign of zero aside), or nearly, where the CPU has no fused multiply-add."""
    if _core.get_cpu_level() == "portable":
        return y.shape == cpu.shape and np.allclose(y, cpu, rtol=1e-4, atol=1e-5, equal_nan=True)
    return y.dtype == cpu.dtype and np.array_equal(y, cpu, equal_nan=True)
