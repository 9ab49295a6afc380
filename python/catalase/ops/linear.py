"""A dense layer on plain arrays, forward and backward: ``y = activation(x @ w + b)`` in one pass.

Batches that are mostly zeros (fingerprints, one-hot DNA) are multiplied by gathering rows of ``w``; see `as_sparse`.
"""

from __future__ import annotations

import copyreg
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._core import SparseBatch
from .._internal.numbers import flag, number
from ..backends import CPU, backend_of, is_device_array, same_backend
from ..backends.base import SparseRows
from ..backends.cpu import plain_input_gradient, plain_linear, unit_rows, whole_strides
from .checks import (
    DERIVED_FROM_INPUT,
    activation_code,
    dtype_of,
    floats,
    not_numpy,
    numpy_array,
    output,
    refuse_without_input,
    same_dtype,
    separate,
)
from .matmul import check_rows, matmul


def linear(
    x: NDArray[Any] | SparseBatch,
    w: NDArray[Any],
    b: NDArray[Any] | None = None,
    *,
    activation: str | None = None,
) -> NDArray[Any]:
    """Return ``activation(x @ w + b)``.

    Parameters
    ----------
    x : ndarray, shape (N, I), or SparseBatch
        float32 or float64, any strides; or packed bits, uint8 (N, I / 8), where bit i of byte j is feature 8j + i
        (as `ecfp` packs them); or what `as_sparse` returned.
    w : ndarray, shape (I, O)
        Weights, same dtype as ``x``, any strides. Row ``i`` is what input feature ``i`` contributes.
    b : ndarray, shape (O,), optional
        Bias, same dtype.
    activation : str or None
        As for `activation`. Applied to the sum before it leaves the cache.

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
    code = activation_code("linear", activation)
    if (type(x) is np.ndarray or type(x) is SparseBatch) and type(w) is np.ndarray:
        quick = plain_linear(x, w, b, code)  # None where there is something to look at
        if quick is not None:
            return quick
    backend, x, w, b = _operands("linear", x, w, b=b)
    if b is not None and b.shape != (w.shape[1],):
        raise ValueError(f"linear: b must have shape ({w.shape[1]},) to match w {w.shape}, got {b.shape}")
    return backend.linear(x, w, b, code)


def as_sparse(x: NDArray[Any] | SparseBatch, dtype: Any = None) -> SparseBatch | None:
    """Return the entries of a batch that are not zero, or None where it is not worth it.

    A net looks at each batch once, and uses the result in the forward pass, in the gradient and in the optimizer's step.

    Parameters
    ----------
    x : ndarray, shape (N, I)
        float32 or float64; or packed bits, uint8 (N, I / 8).
    dtype : dtype, optional
        Of the products to come, for packed bits: float32 (default) or float64.

    Returns
    -------
    SparseBatch or None
        None where more than one entry in eight is not zero, or there are fewer than 4,096 entries; for packed bits
        always a SparseBatch. It has ``shape``, ``dtype``, ``entries`` and ``to_dense()``, and copies what it needs.

    Raises
    ------
    TypeError
        For other kinds and dtypes.
    ValueError
        If ``x`` is not a matrix.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> bits = np.array([[0b00000101, 0], [0, 0b10000000]], np.uint8)
    >>> batch = ct.ops.as_sparse(bits)
    >>> batch.shape, batch.entries
    ((2, 16), 3)
    >>> w = np.arange(32, dtype=np.float32).reshape(16, 2)
    >>> ct.ops.linear(batch, w)
    array([[ 4.,  6.],
           [30., 31.]], dtype=float32)
    """
    if type(x) is SparseBatch:
        return x
    given: Any = x
    if type(given) is not np.ndarray and is_sparse(given):
        return given
    if dtype is not None and not isinstance(dtype, np.dtype):
        dtype = dtype_of("as_sparse", "dtype", dtype)
    wide = dtype is not None and dtype == np.float64
    if type(given) is not np.ndarray and not is_device_array(given):
        given = numpy_array("as_sparse", "x", given)
    if given.ndim != 2:
        raise ValueError(f"as_sparse: x must be a matrix, got shape {given.shape}")
    if given.dtype != np.uint8:
        floats("as_sparse", x=given)
    return (CPU if type(given) is np.ndarray else backend_of(given)).sparse(given, wide)


def is_sparse(x: Any) -> bool:
    """Return whether x is what `as_sparse` makes of a batch, on any device."""
    return isinstance(x, (SparseBatch, SparseRows))


def sparse_from_entries(
    starts: NDArray[np.int64], columns: NDArray[np.int32], values: NDArray[Any], width: int
) -> SparseBatch:
    """Return a batch: row i has the values ``starts[i]`` to ``starts[i + 1] - 1``, at ascending columns below ``width``."""
    return _core.sparse_from_entries(starts, width, columns, values)


def _reduce_sparse(x: SparseBatch) -> tuple[Any, ...]:
    """How a SparseBatch is pickled and copied: by its entries."""
    dense = x.to_dense()
    rows, columns = np.nonzero(dense)
    starts = np.searchsorted(rows, np.arange(len(dense) + 1))
    return sparse_from_entries, (starts, columns.astype(np.int32), dense[rows, columns], x.shape[1])


copyreg.pickle(SparseBatch, _reduce_sparse)


class DeferredMatmul:
    """A product of two matrices that is not multiplied out yet: ``a @ b.T``, or ``a.T @ b``.

    A dense layer's backward pass makes both. The gradient of its weights, ``x.T @ dz``, is multiplied out by the optimizer,
    strip by strip, and never written; the gradient at its input, ``dz @ w.T``, by the layer before, which undoes its ReLU
    in the registers of the product. The bits are those of the array.

    Parameters
    ----------
    a, b : ndarray or SparseBatch
        The factors; only ``a`` of ``a.T @ b`` may be sparse.
    transpose_a : bool
        ``a.T @ b``; else ``a @ b.T``.
    borrowed : bool
        Whether the array ``a`` may be changed by others after the backward pass.
    """

    __slots__ = ("a", "b", "borrowed", "transpose_a")

    def __init__(self, a: Any, b: NDArray[Any], transpose_a: bool = False, borrowed: bool = False) -> None:
        self.a, self.b, self.transpose_a, self.borrowed = a, b, transpose_a, borrowed

    @property
    def shape(self) -> tuple[int, int]:
        return (self.a.shape[1], self.b.shape[1]) if self.transpose_a else (self.a.shape[0], self.b.shape[0])

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.b.dtype

    def __deepcopy__(self, memo: dict[int, Any]) -> DeferredMatmul:
        return self  # nothing changes it

    def kept(self) -> DeferredMatmul:
        """Return the product with factors that stay as they are, laid out as the kernels take them."""
        a, b = self.a, self.b
        if self.borrowed:
            a = backend_of(a).copy(a)
        if type(b) is np.ndarray:
            a = whole_strides(a) if type(a) is np.ndarray else a
            b = b if b.flags.c_contiguous and b.flags.aligned else unit_rows(b)
        return self if a is self.a and b is self.b else DeferredMatmul(a, b, self.transpose_a)

    def array(self, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return the product as an array, in ``out`` where given."""
        if not self.transpose_a:
            return matmul(self.a, self.b, transpose_b=True, out=out)
        function, backend = f"{type(self).__name__}.array", backend_of(self.b)
        given, out = out, output(function, backend, out, self.shape, self.dtype)
        if given is not None:
            check_rows(function, backend, "out", out)
            separate(function, {"out": out}, {"dz": self.b, "x": self.a})
        a, b = self.a, self.b
        if backend.is_host:
            a, b = a if is_sparse(a) else whole_strides(a), unit_rows(b)
        return backend.weight_gradient(a, b, out)


class LinearGradient(DeferredMatmul):
    """The gradient of a dense layer's weights, ``x.T @ dz``, not computed yet.

    An optimizer's step takes it in place of an array, and computes it strip by strip on the way: the bits are the same,
    and a gradient of the size of the weights is never written.

    Parameters
    ----------
    x : ndarray, shape (N, I), or SparseBatch
        The layer's input.
    dz : ndarray, shape (N, O)
        The gradient before the activation.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> gradient = ct.ops.LinearGradient(np.ones((2, 3)), np.ones((2, 4)))
    >>> gradient.shape, float(gradient.array()[0, 0])
    ((3, 4), 2.0)
    """

    __slots__ = ()

    def __init__(self, x: NDArray[Any] | SparseBatch, dz: NDArray[Any]) -> None:
        backend, x, dz = _operands("LinearGradient", x, dz, name="dz", shapes=False)
        if len(x.shape) != 2 or dz.ndim != 2 or x.shape[0] != dz.shape[0]:
            raise ValueError(f"LinearGradient: x and dz must have equally many rows, got x {x.shape} and dz {dz.shape}")
        if backend is CPU:
            x, dz = x if isinstance(x, SparseBatch) else whole_strides(x), unit_rows(dz)
        super().__init__(x, dz, transpose_a=True)

    @property
    def x(self) -> Any:
        """The layer's input."""
        return self.a

    @property
    def dz(self) -> Any:
        """The gradient before the activation."""
        return self.b


def linear_backward(
    dy: NDArray[Any],
    x: NDArray[Any] | SparseBatch,
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
    x, w
        As they were given to `linear`.
    y : ndarray, shape (N, O)
        What `linear` returned: the derivative of the activation is taken from it.
    activation : str or None
        As given to `linear`. One whose derivative y does not determine, such as "gelu", is refused: apply it after the
        layer, and undo it with `activation_backward`.
    need_dx : bool, default True
        Leave out the gradient of ``x`` (a first layer does not need it); bits and a SparseBatch have none.
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
    need_dx = flag("linear_backward", "need_dx", need_dx)
    function = "linear_backward"
    backend, x, w, dy, y = _operands(function, x, w, dy=dy, y=y, required=True)
    shape = (x.shape[0], w.shape[1])
    if dy.shape != shape or y.shape != shape:
        raise ValueError(f"{function}: dy and y must have shape {shape}, got dy {dy.shape} and y {y.shape}")
    if out_dw is not None:
        output(function, backend, out_dw, w.shape, w.dtype, "out_dw")
        check_rows(function, backend, "out_dw", out_dw)
    if out_dw is not None or out_db is not None:
        separate(function, {"out_dw": out_dw, "out_db": out_db}, {"dy": dy, "x": x, "w": w, "y": y})
    dz, db = before_activation(function, dy, y, activation, out_db)
    dw = DeferredMatmul(x, dz, transpose_a=True).array(out_dw)
    if not need_dx or is_sparse(x):
        return None, dw, db
    return linear_backward_input(dz, w), dw, db


def linear_backward_bias(
    dy: NDArray[Any] | DeferredMatmul,
    y: NDArray[Any],
    *,
    activation: str | None = None,
    out_db: NDArray[Any] | None = None,
    scale: float = 1.0,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the gradient before the activation (N, O), and its column sums: the gradient of the bias (O,).

    Parameters
    ----------
    dy : ndarray, shape (N, O), or DeferredMatmul
        Gradient at the output; with "relu" it may be a product that the next layer has not multiplied out.
    y : ndarray, shape (N, O)
        The output; with "relu", the output of the dropout after it.
    activation : str or None
        As given to `linear`.
    out_db : ndarray, shape (O,), optional
        Where to write the gradient of the bias.
    scale : float
        What the dropout after the ReLU multiplied by; 1 where there was none.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> dz, db = ct.ops.linear_backward_bias(np.ones((2, 2)), np.array([[1.0, 0.0], [3.0, 2.0]]), activation="relu")
    >>> db
    array([2., 1.])
    """
    if type(scale) is not float or scale != 1.0:
        scale = number("linear_backward_bias", "scale", scale)
    return before_activation("linear_backward_bias", dy, y, activation, out_db, scale)


def before_activation(
    function: str,
    dy: Any,
    y: Any,
    activation: str | None,
    out_db: NDArray[Any] | None,
    scale: float = 1.0,
    own_out: bool = False,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """`linear_backward_bias`, for ``function``, which errors name; ``own_out``: ``out_db`` fits, and overlaps nothing."""
    code = activation_code(function, activation)
    if activation in DERIVED_FROM_INPUT:
        refuse_without_input(function, activation)
    if isinstance(dy, DeferredMatmul) and type(dy.b) is not np.ndarray:
        dy = dy.array()
    if isinstance(dy, DeferredMatmul):
        backend, dz = CPU, relu_dropout_backward(dy, y, scale)
    else:
        backend, dy, y = floats(function, dy=dy, y=y)
        if dy.ndim != 2 or dy.shape != y.shape:
            raise ValueError(
                f"{function}: dy and y must be (rows, outputs), of one shape, got dy {dy.shape} and y {y.shape}"
            )
        if scale != 1.0:
            dz = backend.relu_dropout_backward(dy, y, scale)
        else:
            dz = backend.activation_backward(code, dy, y) if code else dy
    db: Any = out_db
    if not own_out:
        db = output(function, backend, out_db, (dz.shape[1],), dz.dtype, "out_db", dense=True)
        if out_db is not None:
            separate(function, {"out_db": out_db}, {"dy": dy, "y": y})
    backend.column_sum(dz, db)
    return dz, db


def _operands(
    function: str, x: Any, w: Any, name: str = "w", shapes: bool = True, required: bool = False, **others: Any
) -> tuple[Any, ...]:
    """Return the backend, x (packed bits as a sparse batch), w and the others, whose shapes are not looked at here."""
    optional = () if required else tuple(others)
    if isinstance(x, np.ndarray) or is_device_array(x):
        if x.dtype == np.uint8 and shapes:
            backend, w, *more = floats(function, optional=optional, **{name: w}, **others)
            if x.ndim != 2 or w.ndim != 2 or w.shape[0] != 8 * x.shape[1]:
                raise TypeError(
                    f"{function}: x is uint8, which is taken as packed bits and needs w with 8 rows a byte, got x "
                    f"{x.shape} and w {w.shape}; for numbers use x.astype(np.float32)"
                )
            same_backend(function, x=x, **{name: w})
            return backend, backend.sparse(x, w.dtype == np.float64), w, *more
        backend, x, w, *more = floats(function, optional=optional, x=x, **{name: w}, **others)
    elif is_sparse(x):
        backend, w, *more = floats(function, optional=optional, **{name: w}, **others)
        if x.dtype != w.dtype:
            same_dtype(function, x=x, **{name: w})
        if isinstance(x, SparseBatch) != backend.is_host:
            same_backend(function, x=x if isinstance(x, SparseBatch) else x.data, **{name: w})
    else:
        not_numpy(function, "x", x)
    if shapes and (len(x.shape) != 2 or w.ndim != 2):
        raise ValueError(f"{function}: x and w must be matrices, got x {x.shape} and w {w.shape}")
    if shapes and x.shape[1] != w.shape[0]:
        hint = "; did you mean w.T?" if x.shape[1] == w.shape[1] else ""
        raise ValueError(
            f"{function}: x has {x.shape[1]} columns but w has {w.shape[0]} rows (x {x.shape}, w {w.shape}){hint}"
        )
    return backend, x, w, *more


def linear_backward_input(dz: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:
    """Return the gradient at the input of a dense layer, ``dz @ w.T``, given the gradient before its activation.

    Parameters
    ----------
    dz : ndarray, shape (N, O)
        Gradient before the activation.
    w : ndarray, shape (I, O)
        Weights, of the same dtype.

    Returns
    -------
    ndarray, shape (N, I)

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.linear_backward_input(np.ones((1, 2)), np.eye(2)).tolist()
    [[1.0, 1.0]]
    """
    _, dz, w = floats("linear_backward_input", dz=dz, w=w)
    if dz.ndim != 2 or w.ndim != 2 or dz.shape[1] != w.shape[1]:
        raise ValueError(
            f"linear_backward_input: dz must be (rows, outputs) and w (inputs, outputs), got dz {dz.shape} and w {w.shape}"
        )
    return matmul(dz, w, transpose_b=True)


def relu_dropout_backward(dy: NDArray[Any] | DeferredMatmul, y: NDArray[Any], scale: float) -> NDArray[Any]:
    """Return the gradient before a ReLU and the dropout after it, whose output is ``y``: ``dy * scale`` where y is above 0.

    Where y is NaN the gradient goes through, as in `activation_backward`.
    """
    if isinstance(dy, DeferredMatmul):
        quick = plain_input_gradient(dy.a, dy.b, y, scale)  # None where there is something to look at
        if quick is not None:
            return quick
        dy = dy.array()
    return backend_of(y).relu_dropout_backward(dy, y, scale)
