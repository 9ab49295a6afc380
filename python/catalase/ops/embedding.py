"""Embedding: rows of a matrix by token number, and the gradient of the matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._internal.numbers import whole_number
from ..backends import Backend, is_device_array
from .checks import float_array, floats, output, separate, whole_numbers
from .matmul import check_rows


def embedding(ids: ArrayLike, w: NDArray[Any]) -> NDArray[Any]:
    """Return ``w[ids]``, the row of each token.

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
        If ``ids`` are not whole numbers, or ``w`` is not a float array.
    ValueError
        For an id without a row, such as a negative one (the error names it and its position); if ``w`` is not a matrix.

    Notes
    -----
    Values are copied unchanged, NaN too.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.embedding([[2, 0]], np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    array([[[5., 6.],
            [1., 2.]]])
    """
    backend, w = float_array("embedding", "w", w)
    if w.ndim != 2:
        raise ValueError(f"embedding: w must be (V, D), one row a token, got shape {w.shape}")
    numbers, given = _ids("embedding", backend, ids, w.shape[0])
    out, bad = backend.embedding(numbers, w)
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
    """Return the gradient at ``w`` of `embedding`: each row is the sum of ``dy`` over the tokens of that row.

    Parameters
    ----------
    dy : ndarray, shape (*ids.shape, D)
        float32 or float64; copied first if its rows are not contiguous.
    ids : array_like of int
        The ids given to `embedding`.
    num_embeddings : int
        Number of rows V.
    padding_index : int, optional
        A token whose row gets no gradient.
    out : ndarray, shape (V, D), optional
        Array for the result; its rows must be contiguous.

    Returns
    -------
    ndarray, shape (V, D)

    Raises
    ------
    TypeError, ValueError
        As `embedding`, and for shapes that do not fit.

    Notes
    -----
    A row's sum is one chain in the order of the tokens, cut every 4,096 tokens. The bits are the same for any number of
    threads, and equal those of the product of the transposed one-hot matrix with ``dy``. Rows without an id are set to zero;
    apart from that, the work grows with the tokens, not with V.

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
    backend, dy = float_array(function, "dy", dy)
    numbers, given = _ids(function, backend, ids, num_embeddings)
    if dy.ndim != given.ndim + 1 or dy.shape[:-1] != given.shape:
        raise ValueError(f"{function}: dy must have shape (*ids.shape, D) for ids {given.shape}, got {dy.shape}")
    if max(given.size, num_embeddings) >= 2**31:
        raise ValueError(
            f"{function}: ids and num_embeddings must be fewer than 2**31, got {given.size} ids and {num_embeddings} rows"
        )
    if out is not None:
        backend, dy, out = floats(function, dy=dy, out=out)
    dw = output(function, backend, out, (num_embeddings, dy.shape[-1]), dy.dtype)
    if out is not None:
        check_rows(function, backend, "out", out)
        separate(function, {"out": out}, {"dy": dy, "ids": ids})
    bad = backend.embedding_backward(numbers, dy, dw, -1 if padding is None else padding)
    if bad >= 0:
        raise unknown_id(function, given, bad, num_embeddings)
    return dw


def _ids(function: str, backend: Backend, ids: Any, rows: int) -> tuple[Any, Any]:
    """Return ids as a device's kernels expect them, and unchanged. Ids of the host are checked before they go to a device."""
    if backend.is_host:
        return token_ids(function, ids)
    if is_device_array(ids):
        if ids.dtype != np.int64:
            raise TypeError(f"{function}: ids must be int64 on CUDA, got {ids.dtype}; use ids.astype('int64')")
        return ids, ids
    numbers, given = token_ids(function, ids)
    wrong = np.flatnonzero((numbers.reshape(-1) < 0) | (numbers.reshape(-1) >= rows))
    if wrong.size:
        raise unknown_id(function, given, int(wrong[0]), rows)
    return backend.array(numbers), given


def token_ids(function: str, ids: Any) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return ids as the kernels expect them, and unchanged; refuse values that are not whole numbers."""
    if type(ids) is not np.ndarray and is_device_array(ids):
        raise TypeError(f"{function}: ids are on the GPU but the other arrays are not; move them with cupy.asnumpy")
    given = whole_numbers(function, "ids", ids, "; use ids.astype(np.int64)")
    return np.ascontiguousarray(given, dtype=np.int64).reshape(given.shape), given


def check_padding(function: str, padding_index: Any, num_embeddings: int) -> int | None:
    """Return a padding index from 0 to below V, or None."""
    if padding_index is None:
        return None
    return whole_number(function, "padding_index", padding_index, 0, num_embeddings - 1)


def unknown_id(function: str, given: NDArray[Any], position: int, rows: int) -> ValueError:
    """Return the error for an id without a row."""
    place = ", ".join(str(int(i)) for i in np.unravel_index(position, given.shape))
    value = given.reshape(-1)[position]
    return ValueError(
        f"{function}: ids must be from 0 to {rows - 1}, one of the {rows} rows, but ids[{place}] is {value}; give tokens "
        "that are not in the vocabulary a number of their own"
    )
