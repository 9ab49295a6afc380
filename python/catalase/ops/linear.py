"""A dense layer on plain arrays, forward and backward: ``y = activation(x @ w + b)`` in one pass."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from .. import _core
from ._check import activation_code, empty, floating, output, same_dtype, whole_strides
from .activation import activation_backward
from .matmul import _check_out


def linear(
    x: NDArray[Any], w: NDArray[Any], b: NDArray[Any] | None = None, *, activation: str | None = None
) -> NDArray[Any]:
    """Return ``activation(x @ w + b)``.

    Parameters
    ----------
    x : ndarray, shape (N, I)
        float32 or float64, any strides.
    w : ndarray, shape (I, O)
        Weights, same dtype as ``x``, any strides. Row ``i`` is what input feature ``i`` contributes.
    b : ndarray, shape (O,), optional
        Bias, same dtype.
    activation : {None, "identity", "relu", "tanh", "sigmoid", "softplus"}
        Applied to the sum before it leaves the cache.

    Returns
    -------
    ndarray, shape (N, O)

    Raises
    ------
    TypeError
        If an input is not a float32 or float64 array, or dtypes differ.
    ValueError
        If shapes do not fit, or the activation is unknown.

    Notes
    -----
    Accumulation as in `matmul`; the bias is added last. A row gives the same bits alone and in any batch, with any
    number of threads. Where at most one entry of ``x`` in eight is not zero (fingerprints, one-hot DNA), only those are
    multiplied: the same bits, as long as ``w`` is finite (the sign of zero aside). N = 0 gives an empty array; I = 0
    gives the activated bias. NaN propagates, also through ReLU.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> x, w = np.array([[1.0, -2.0]]), np.array([[1.0, 2.0], [3.0, 0.5]])
    >>> ct.ops.linear(x, w, np.array([1.0, 1.0]), activation="relu")
    array([[0., 2.]])
    """
    x, w = floating("linear", "x", x), floating("linear", "w", w)
    if b is not None:
        floating("linear", "b", b)
    same_dtype("linear", x=x, w=w, b=b)
    code = activation_code("linear", activation)
    _check_shapes("linear", x, w)
    if b is not None and b.shape != (w.shape[1],):
        raise ValueError(f"linear: b must have shape ({w.shape[1]},) to match w {w.shape}, got {b.shape}")
    if b is not None and not b.flags.c_contiguous:
        b = b.copy()
    out = empty((x.shape[0], w.shape[1]), x.dtype)
    _core.linear(whole_strides(x), whole_strides(w), b, code, out)
    return out


def linear_backward(
    dy: NDArray[Any],
    x: NDArray[Any],
    w: NDArray[Any],
    y: NDArray[Any],
    *,
    activation: str | None = None,
    need_dx: bool = True,
    out_dw: NDArray[Any] | None = None,
    out_db: NDArray[Any] | None = None,
) -> tuple[NDArray[Any] | None, NDArray[Any], NDArray[Any]]:
    """Return the gradients of a loss with respect to ``x``, ``w`` and ``b`` of `linear`.

    Parameters
    ----------
    dy : ndarray, shape (N, O)
        Gradient at the output.
    x, w : ndarray
        As they were given to `linear`.
    y : ndarray, shape (N, O)
        What `linear` returned: the derivative of the activation is taken from it.
    activation : str or None
        As given to `linear`.
    need_dx : bool, default True
        Leave out the gradient of ``x`` (a first layer does not need it).
    out_dw, out_db : ndarray, optional
        Where to write the gradients of ``w`` (I, O) and ``b`` (O,): for example views of a flat gradient buffer.

    Returns
    -------
    dx : ndarray, shape (N, I), or None
    dw : ndarray, shape (I, O)
    db : ndarray, shape (O,)

    Raises
    ------
    TypeError, ValueError
        As `linear`, and for gradients whose shapes do not fit.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> x, w = np.ones((2, 3)), np.ones((3, 4))
    >>> y = ct.ops.linear(x, w, activation="tanh")
    >>> dx, dw, db = ct.ops.linear_backward(np.ones_like(y), x, w, y, activation="tanh")
    >>> dx.shape, dw.shape, db.shape
    ((2, 3), (3, 4), (4,))
    """
    for name, array in (("dy", dy), ("x", x), ("w", w), ("y", y)):
        floating("linear_backward", name, array)
    same_dtype("linear_backward", dy=dy, x=x, w=w, y=y)
    code = activation_code("linear_backward", activation)
    _check_shapes("linear_backward", x, w)
    shape = (x.shape[0], w.shape[1])
    if dy.shape != shape or y.shape != shape:
        raise ValueError(f"linear_backward: dy and y must have shape {shape}, got dy {dy.shape} and y {y.shape}")
    dz = dy if code == 0 else activation_backward(dy, y, activation)
    dz = whole_strides(dz)
    dw = output("linear_backward", out_dw, w.shape, w.dtype)
    if out_dw is not None:
        _check_out("linear_backward", dw, x=x, dy=dz)
    _core.linear(whole_strides(x).T, dz, None, 0, dw)
    db = output("linear_backward", out_db, (w.shape[1],), w.dtype)
    if not db.flags.c_contiguous:
        raise ValueError(f"linear_backward: out_db must be contiguous, got strides {db.strides}")
    _core.column_sum(dz if dz.strides[-1] == dz.itemsize else dz.copy(), db)
    if not need_dx:
        return None, dw, db
    dx = empty(x.shape, x.dtype)
    _core.matmul(dz, whole_strides(w).T, None, 0, dx)
    return dx, dw, db


def _check_shapes(function: str, x: NDArray[Any], w: NDArray[Any]) -> None:
    if x.ndim != 2 or w.ndim != 2:
        raise ValueError(f"{function}: x and w must be matrices, got x {x.shape} and w {w.shape}")
    if x.shape[1] != w.shape[0]:
        hint = "; did you mean w.T?" if x.shape[1] == w.shape[1] else ""
        raise ValueError(
            f"{function}: x has {x.shape[1]} columns but w has {w.shape[0]} rows (x {x.shape}, w {w.shape}){hint}"
        )
