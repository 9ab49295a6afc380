"""What tests of array functions share: the dtypes they go through, and what "the CPU's bits" means."""

from __future__ import annotations

import numpy as np
import pytest

from catalase import _core

FLOATS = [np.float32, pytest.param(np.float64, marks=pytest.mark.on_the_cpu)]  # devices compute in float32


def same_as_cpu(y, cpu):
    """Whether the bits are equal (the sign of zero aside), or nearly, where the CPU has no fused multiply-add."""
    if _core.get_cpu_level() == "portable":
        return y.shape == cpu.shape and np.allclose(y, cpu, rtol=1e-4, atol=1e-5, equal_nan=True)
    return y.dtype == cpu.dtype and np.array_equal(y, cpu, equal_nan=True)
