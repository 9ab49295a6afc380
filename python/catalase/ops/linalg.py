"""Cholesky's factor of a symmetric matrix, and triangular systems of equations."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._internal.numbers import flag, shown
from ..backends import CPU
from ..backends.cpu import whole_strides
from .checks import floating, output, same_dtype, separate
from .matmul import check_rows


def cholesky(a: NDArray[Any], *, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return the lower triangular ``l`` with ``l @ l.T == a``, for a symmetric, positive definite matrix.

    Parameters
    ----------
    a : ndarray of float32 or float64, shape (N, N)
        Of any strides; only its lower triangle is read, as by `numpy.linalg.cholesky`.
    out : ndarray, shape (N, N), optional
        Written and returned; of ``a``'s dtype, with rows of unit stride, and sharing no memory with ``a``.

    Returns
    -------
    ndarray, shape (N, N)
        Same dtype as ``a``, zeros above the diagonal.

    Raises
    ------
    TypeError
        If ``a`` is not a float32 or float64 array.
    ValueError
        If ``a`` is not a square matrix, holds NaN or infinity where it is read, or is not positive definite: the sentence
        names the leading minor whose pivot is not above zero. If ``out`` does not fit.

    Notes
    -----
    The matrix is divided in halves down to 64 rows; the rest are products (`matmul`). The bits do not depend on the number
    of threads, and are equal at AVX2 and AVX-512. ``l @ l.T`` differs from ``a`` by at most some ``N * eps`` of the
    diagonal. Computed on the CPU.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.cholesky(np.array([[4.0, 2.0], [2.0, 5.0]]))
    array([[2., 0.],
           [1., 2.]])
    """
    a = _square("cholesky", "a", a)
    result = output("cholesky", CPU, out, a.shape, a.dtype)
    if out is not None:
        check_rows("cholesky", CPU, "out", out)
        separate("cholesky", {"out": out}, {"a": a})
    failed = _core.cholesky(a, result)
    if failed is not None:
        row, pivot = failed
        if not np.isfinite(pivot):
            bad = np.argwhere(~np.isfinite(np.tril(a)))
            if len(bad):
                i, k = bad[0].tolist()
                raise ValueError(f"cholesky: a holds {a[i, k]} at row {i}, column {k}; it must be finite")
        raise ValueError(
            f"cholesky: a {a.shape} is not positive definite: its leading minor of order {row + 1} has the pivot "
            f"{pivot:.3g}; check that a is symmetric, or add a small number to its diagonal"
        )
    return result


def solve_triangular(
    l: NDArray[Any],  # noqa: E741
    b: NDArray[Any],
    *,
    lower: bool = True,
    transposed: bool = False,
) -> NDArray[Any]:
    """Return ``x`` with ``l @ x == b``, or with ``l.T @ x == b``, for a triangular matrix.

    Parameters
    ----------
    l : ndarray of float32 or float64, shape (N, N)
        Of any strides; what lies beyond its triangle is not read.
    b : ndarray, shape (N, M) or (N,)
        Right-hand sides, one a column; same dtype as ``l``.
    lower : bool
        Whether the triangle of ``l`` is the lower one.
    transposed : bool
        Whether ``l.T`` stands in the equation instead of ``l``. With `cholesky`'s factor, ``a @ x == b`` is solved by
        ``solve_triangular(l, solve_triangular(l, b), transposed=True)``.

    Returns
    -------
    ndarray
        Shape and dtype of ``b``; a new array.

    Raises
    ------
    TypeError
        If an input is not a float32 or float64 array, or the dtypes differ.
    ValueError
        If the shapes do not fit, or the diagonal of ``l`` holds a zero.

    Notes
    -----
    Bits as in `cholesky`; those of a column do not depend on the other columns. NaN and infinity propagate. Computed on the
    CPU.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> l = np.array([[2.0, 0.0], [1.0, 2.0]])
    >>> ct.ops.solve_triangular(l, np.array([2.0, 5.0]))
    array([1., 2.])
    """
    lower, transposed = flag("solve_triangular", "lower", lower), flag("solve_triangular", "transposed", transposed)
    triangle = _square("solve_triangular", "l", l)
    b = floating("solve_triangular", "b", b)
    same_dtype("solve_triangular", l=triangle, b=b)
    if b.ndim not in (1, 2) or len(b) != len(triangle):
        raise ValueError(
            f"solve_triangular: b must have the shape ({len(triangle)}, M) or ({len(triangle)},), got {b.shape}"
        )
    zeros = np.flatnonzero(np.diagonal(triangle) == 0)
    if len(zeros):
        raise ValueError(
            f"solve_triangular: l is singular, its diagonal holds 0 at row {zeros[0]}; the system has no single solution"
        )
    x = CPU.empty((len(b), b.size // len(b) if len(b) else 0) if b.ndim == 1 else b.shape, b.dtype)
    x[...] = b.reshape(x.shape)
    _core.solve_triangular(triangle.T if transposed else triangle, lower != transposed, x)
    return x.reshape(b.shape)


def _square(function: str, name: str, x: Any) -> NDArray[Any]:
    x = floating(function, name, x)
    if x.ndim != 2 or x.shape[0] != x.shape[1]:
        raise ValueError(f"{function}: {name} must be a square matrix, got shape {x.shape}")
    if not x.dtype.isnative:
        raise TypeError(f"{function}: {name} must be in the machine's byte order, got {shown(x.dtype.str)}")
    return whole_strides(x)
