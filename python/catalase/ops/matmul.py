"""Matrix multiplication of arrays, forward and backward."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import flag
from ..backends import Backend
from ..backends.cpu import plain_matmul
from .checks import floats, output, separate


def matmul(
    a: NDArray[Any],
    b: NDArray[Any],
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    out: NDArray[Any] | None = None,
    add: NDArray[Any] | None = None,
    keep: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Multiply two matrices, or two equally long stacks of them: ``out[..., i, j] = sum_k a[..., i, k] b[..., k, j]``.

    Parameters
    ----------
    a : ndarray, shape (..., M, K), or (..., K, M) with ``transpose_a``
        float32 or float64, with any strides (transposed, sliced and reversed views are read in place).
    b : ndarray, shape (..., K, N), or (..., N, K) with ``transpose_b``
        Same dtype and same leading dimensions as ``a``.
    transpose_a, transpose_b : bool
        Swap the last two axes first, at no cost.
    out : ndarray, shape (..., M, N), optional
        Written and returned. Its rows must have unit stride, and it must share no memory with ``a`` or ``b``.
    add : ndarray, shape (M, N), optional
        Added to the product (of two matrices) in registers; it may be ``out`` itself.
    keep : ndarray, shape (M, N), optional
        The result is set to zero where this is not above zero: the derivative of a ReLU, given its output.

    Returns
    -------
    ndarray, shape (..., M, N)
        Same dtype as the inputs.

    Raises
    ------
    TypeError
        If an input is not a float32 or float64 array, or the two dtypes differ.
    ValueError
        If the shapes do not fit, or ``out`` has the wrong shape, dtype or strides or overlaps an input.

    Notes
    -----
    Every output is one chain of fused multiply-adds in ascending ``k``, cut every 4,096 terms; the error is at most
    ``min(K, 4096 + K / 4096) * eps * sum_k |a_ik| |b_kj|``. The bits do not depend on the number of threads, on the other
    rows, or on AVX2 or AVX-512. K = 0 gives zeros; NaN and infinity propagate. An input that is misaligned, or whose
    strides are not whole elements, is copied first.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> a = np.arange(6, dtype=np.float32).reshape(2, 3)
    >>> ct.ops.matmul(a, a, transpose_b=True)
    array([[ 5., 14.],
           [14., 50.]], dtype=float32)
    """
    if transpose_a is not False or transpose_b is not False:
        transpose_a, transpose_b = (
            flag("matmul", "transpose_a", transpose_a),
            flag("matmul", "transpose_b", transpose_b),
        )
    if add is None and keep is None and type(a) is np.ndarray and type(b) is np.ndarray:
        quick = plain_matmul(a, b, transpose_a, transpose_b, out)  # None where the full checks are needed
        if quick is not None:
            return quick
    backend, a, b, add, keep = floats("matmul", optional=("add", "keep"), a=a, b=b, add=add, keep=keep)
    left, right = check_product("matmul", a, b, transpose_a, transpose_b)
    shape = (*left.shape[:-1], right.shape[-1])
    if out is not None:
        output("matmul", backend, out, shape, a.dtype)
        check_rows("matmul", backend, "out", out)
        separate("matmul", {"out": out}, {"a": a, "b": b, "add": add, "keep": keep}, in_place=("add", "keep"))
    for name, x in (("add", add), ("keep", keep)):
        if x is not None and left.ndim != 2:
            raise ValueError(f"matmul: add and keep go with two matrices, got a {a.shape} and b {b.shape}")
        if x is not None and x.shape != shape:
            raise ValueError(f"matmul: {name} must have the shape of the product {shape}, got {x.shape}")
    return backend.matmul(left, right, out, add, keep)


def check_product(function: str, a: Any, b: Any, transpose_a: bool, transpose_b: bool) -> tuple[Any, Any]:
    """Return the factors as (..., M, K) and (..., K, N); refuse shapes that do not fit."""
    if a.ndim < 2 or b.ndim < 2:
        raise ValueError(f"{function}: a and b must have two dimensions or more, got a {a.shape} and b {b.shape}")
    left = a.swapaxes(-1, -2) if transpose_a else a
    right = b.swapaxes(-1, -2) if transpose_b else b
    if left.shape[:-2] != right.shape[:-2]:
        raise ValueError(f"{function}: leading dimensions must be equal, got a {a.shape} and b {b.shape}")
    if left.shape[-1] != right.shape[-2]:
        hint = "; did you mean b.T?" if not transpose_b and left.shape[-1] == right.shape[-1] else ""
        what_a = "columns" if not transpose_a else "rows (transpose_a)"
        what_b = "rows" if not transpose_b else "columns (transpose_b)"
        raise ValueError(
            f"{function}: a has {left.shape[-1]} {what_a} but b has {right.shape[-2]} {what_b} "
            f"(a {a.shape}, b {b.shape}){hint}"
        )
    return left, right


def _transposed(transpose_a: bool, transpose_b: bool) -> str:
    given = [name for name, on in (("transpose_a", transpose_a), ("transpose_b", transpose_b)) if on]
    return f" with {' and '.join(given)}" if given else ""


def matmul_backward(
    dy: NDArray[Any], a: NDArray[Any], b: NDArray[Any], *, transpose_a: bool = False, transpose_b: bool = False
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the gradients of a loss with respect to ``a`` and ``b``, given its gradient ``dy`` at ``matmul(a, b)``.

    Parameters
    ----------
    dy : ndarray, shape (..., M, N)
        Gradient at the output, same dtype as ``a`` and ``b``.
    a, b, transpose_a, transpose_b
        The arguments of `matmul`.

    Returns
    -------
    da, db : ndarray
        Shapes of ``a`` and ``b``.

    Raises
    ------
    TypeError, ValueError
        As `matmul`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> a, b = np.ones((2, 3)), np.ones((3, 4))
    >>> da, db = ct.ops.matmul_backward(np.ones((2, 4)), a, b)
    >>> da.shape, db.shape
    ((2, 3), (3, 4))
    """
    if transpose_a is not False or transpose_b is not False:
        transpose_a = flag("matmul_backward", "transpose_a", transpose_a)
        transpose_b = flag("matmul_backward", "transpose_b", transpose_b)
    _, dy, a, b = floats("matmul_backward", dy=dy, a=a, b=b)
    left, right = check_product("matmul_backward", a, b, transpose_a, transpose_b)
    if dy.shape != (*left.shape[:-1], right.shape[-1]):
        raise ValueError(
            f"matmul_backward: dy must have shape {(*left.shape[:-1], right.shape[-1])} for a {a.shape} and b {b.shape}"
            f"{_transposed(transpose_a, transpose_b)}, got {dy.shape}"
        )
    if transpose_a:
        da = matmul(b, dy, transpose_a=transpose_b, transpose_b=True)
    else:
        da = matmul(dy, b, transpose_b=not transpose_b)
    if transpose_b:
        db = matmul(dy, a, transpose_a=True, transpose_b=transpose_a)
    else:
        db = matmul(a, dy, transpose_a=not transpose_a)
    return da, db


def check_rows(function: str, backend: Backend, name: str, out: Any) -> None:
    """Refuse an output that the kernels cannot write: rows must have unit stride, not overlap, and be aligned."""
    if (out.shape[-1] > 1 and out.strides[-1] != out.itemsize) or (out.ndim > 1 and out.strides[-2] % out.itemsize):
        raise ValueError(f"{function}: the rows of {name} must have unit stride, got strides {out.strides}")
    if out.ndim > 1 and out.shape[-2] > 1 and out.strides[-2] < out.shape[-1] * out.itemsize:
        raise ValueError(f"{function}: the rows of {name} must not overlap or run backwards, got strides {out.strides}")
    if backend.is_host and not out.flags.aligned:
        raise ValueError(f"{function}: {name} is not aligned to its item size; pass an aligned array")
