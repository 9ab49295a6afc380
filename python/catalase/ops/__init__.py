"""Array functions: NumPy arrays in, NumPy arrays out, no gradients flowing.

Each function checks its inputs once and calls one kernel. Every differentiable function has its ``*_backward``.
"""

from __future__ import annotations

from .linear import linear, linear_backward
from .matmul import matmul, matmul_backward
from .memory import empty
from .tanimoto import tanimoto

__all__ = ["empty", "linear", "linear_backward", "matmul", "matmul_backward", "tanimoto"]
