"""Embedding: rows of a matrix by number, and the gradient of that matrix."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from .._cuda import is_device_array
from ._check import empty, floating, numpy_array, output, same_dtype, separate, unit_rows, whole_number, whole_numbers
from .matmul import check_rows


def embedding(ids: ArrayLike, w: NDArray[Any]) -> NDArray[Any]:
    """Return ``w[ids]``: the row of each token.

    Parameters
    ----------
    ids : array_like of int, any shape
        Token numbers, each from 0 to V - 1.
    w : ndarray, shape (V, D)
        float32 or float64.

    Returns
    -------
    ndarray, shape (*ids.shape, D)

    Raises
    ------
    TypeError
        If ``ids`` are not whole numbers, or ``w`` is no float array.
    ValueError
        For an id that has no row, negative ones too, naming it and its position; if ``w`` is not a matrix.

    Notes
    -----
    Values are copied as they are, NaN too.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.embedding([[2, 0]], np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    array([[[5., 6.],
            [1., 2.]]])
    """
    if type(w) is not np.ndarray and is_device_array(w):
        from .._cuda import embedding as device

        return device.forward(ids, w)
    numbers, given = token_ids("embedding", ids)
    if floating("embedding", "w", w).ndim != 2:
        raise ValueError(f"embedding: w must be (V, D), one row a token, got shape {w.shape}")
    out = empty((*given.shape, w.shape[1]), w.dtype)
    bad = _core.embedding(numbers, unit_rows(w), out)
    if bad >= 0:
        raise unknown_id("embedding", given, bad, w.shape[0])
    return out


def embedding_backward(
    dy: NDArray[Any],
    ids: ArrayLike,
    num_embeddings: int,
    *,
    padding_index: int | None = None,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Return the gradient at ``w`` of `embedding`: each row is the sum of ``dy`` where that row was taken.

    Parameters
    ----------
    dy : ndarray, shape (*ids.shape, D)
        float32 or float64; copied first if its rows are not contiguous.
    ids : array_like of int
        As they were given to `embedding`.
    num_embeddings : int
        V.
    padding_index : int, optional
        A token whose row gets no gradient.
    out : ndarray, shape (V, D), optional
        Where to write; its rows must be contiguous.

    Returns
    -------
    ndarray, shape (V, D)

    Raises
    ------
    TypeError, ValueError
        As `embedding`, and for shapes that do not fit.

    Notes
    -----
    A row's sum is one chain in the order of the tokens, cut every 4,096 tokens: same bits for any number of threads, and
    those of the product of the one-hot matrix, transposed, with ``dy``. Rows that no id names are set to zero; beyond that,
    work grows with the tokens, not with V.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.embedding_backward(np.ones((3, 2)), [2, 0, 2], 3)
    array([[1., 1.],
           [0., 0.],
           [2., 2.]])
    """
    function = "embedding_backward"
    num_embeddings = whole_number(function, "num_embeddings", num_embeddings, 0)
    padding = check_padding(function, padding_index, num_embeddings)
    if type(dy) is not np.ndarray and is_device_array(dy):
        from .._cuda import embedding as device

        return device.backward(dy, ids, num_embeddings, padding, out)
    numbers, given = token_ids(function, ids)
    floating(function, "dy", dy)
    if dy.ndim != given.ndim + 1 or dy.shape[:-1] != given.shape:
        raise ValueError(f"{function}: dy must have shape (*ids.shape, D) for ids {given.shape}, got {dy.shape}")
    if max(given.size, num_embeddings) >= 2**31:
        raise ValueError(
            f"{function}: ids and num_embeddings must be fewer than 2**31, got {given.size} ids and {num_embeddings} rows"
        )
    if out is not None:
        same_dtype(function, dy=dy, out=numpy_array(function, "out", out))
    dw = output(function, out, (num_embeddings, dy.shape[-1]), dy.dtype)
    if unit_rows(dw) is not dw:
        raise ValueError(f"{function}: the rows of out must be contiguous and aligned, got strides {dw.strides}")
    if out is not None:
        check_rows(function, "out", out)
        separate(function, {"out": out}, {"dy": dy, "ids": ids})
    rows = dy.reshape(math.prod(given.shape), dy.shape[-1])
    bad = _core.embedding_gradient(numbers, -1 if padding is None else padding, unit_rows(rows), dw)
    if bad >= 0:
        raise unknown_id(function, given, bad, num_embeddings)
    return dw


def token_ids(function: str, ids: Any) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return ids as the kernels take them, and as they came; refuse what are not whole numbers."""
    if type(ids) is not np.ndarray and is_device_array(ids):
        raise TypeError(f"{function}: ids are on the GPU but the other arrays are not; move them with cupy.asnumpy")
    given = whole_numbers(function, "ids", ids, "; use ids.astype(np.int64)")
    return np.ascontiguousarray(given, dtype=np.int64), given


def check_padding(function: str, padding_index: Any, num_embeddings: int) -> int | None:
    """Return a padding index from 0 to below V, or None."""
    if padding_index is None:
        return None
    return whole_number(function, "padding_index", padding_index, 0, num_embeddings - 1)


def unknown_id(function: str, given: NDArray[Any], position: int, rows: int) -> ValueError:
    """The error for an id that has no row."""
    place = ", ".join(str(int(i)) for i in np.unravel_index(position, given.shape))
    value = given.reshape(-1)[position]
    return ValueError(
        f"{function}: ids must be from 0 to {rows - 1}, one of the {rows} rows, but ids[{place}] is {value}; give tokens "
        "that are not in the vocabulary a number of their own"
    )
