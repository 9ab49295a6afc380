"""Tanimoto similarity of packed fingerprints."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .memory import empty


def tanimoto(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the similarity ``|a & b| / |a | b|`` of every fingerprint in ``a`` to every one in ``b``.

    Parameters
    ----------
    a : ndarray of uint8, shape (N, bytes)
        Packed bits, as `ecfp` gives them; the order of the bits does not matter. Copied if not contiguous.
    b : ndarray of uint8, shape (M, bytes)
        Likewise.

    Returns
    -------
    ndarray of float32, shape (N, M)
        From 0 to 1; the quotient of two whole numbers, rounded once. Two empty fingerprints have similarity 0, as in
        RDKit (scikit-fingerprints says 1).

    Raises
    ------
    TypeError
        If an input is not a uint8 array.
    ValueError
        If an input is not a matrix, or the numbers of bytes differ.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> a = np.array([[0b1110], [0]], dtype=np.uint8)
    >>> ct.ops.tanimoto(a, np.array([[0b0110]], dtype=np.uint8))
    array([[0.6666667],
           [0.       ]], dtype=float32)
    """
    a, b = _packed("a", a), _packed("b", b)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"tanimoto: a has {a.shape[1]} bytes a row but b has {b.shape[1]} (a {a.shape}, b {b.shape})")
    out = empty((a.shape[0], b.shape[0]), np.float32)
    _core.tanimoto(a, b, out)
    return out


def _packed(name: str, x: Any) -> NDArray[np.uint8]:
    if not isinstance(x, np.ndarray) or x.dtype != np.uint8:
        found = x.dtype if isinstance(x, np.ndarray) else type(x).__name__
        raise TypeError(f"tanimoto: {name} must be a uint8 array of packed bits, got {found}; see np.packbits or ecfp")
    if x.ndim != 2:
        raise ValueError(f"tanimoto: {name} must be a matrix (molecules, bytes), got shape {x.shape}")
    return np.ascontiguousarray(x)
