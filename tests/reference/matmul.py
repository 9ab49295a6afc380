"""Matrix multiplication and the dense layer in plain float64 NumPy, with the error bound of one float chain."""

from __future__ import annotations

import numpy as np

from tests.reference.activations import ACTIVATIONS


def matmul(a, b):
    """Return the product in float64 and the largest error that a chain of float operations may have."""
    exact = a.astype(np.float64) @ b.astype(np.float64)
    magnitude = np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64)
    k = a.shape[-1]
    steps = min(k, 4096) + k // 4096 + 2
    eps = np.finfo(a.dtype).eps
    return exact, steps * eps * magnitude + np.finfo(a.dtype).tiny


def linear(x, w, b, activation):
    """Return the layer's output in float64 and its error bound, which grows by the activation's steepest slope."""
    z, bound = matmul(x, w)
    if b is not None:
        z, bound = z + b, bound + np.finfo(x.dtype).eps * (np.abs(z) + np.abs(b))
    function = ACTIVATIONS[activation or "identity"]
    y = function(z)
    return y, function.steepest * bound + 8 * np.finfo(x.dtype).eps * (np.abs(y) + 1e-7)
