"""Scaled dot-product attention of several heads, forward and backward."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import flag, number
from ..backends import is_device_array, to_host
from .checks import floats, separate, whole_numbers

_LONGEST = 4096  # a score is one chain of sums


def attention(
    q: NDArray[Any],
    k: NDArray[Any],
    v: NDArray[Any],
    *,
    lengths: Any = None,
    query_lengths: Any = None,
    causal: bool = False,
    scale: float | None = None,
) -> NDArray[Any]:
    """Return ``softmax(scale * q @ k.T) @ v`` for each head of each sequence.

    Parameters
    ----------
    q : ndarray, shape (N, H, Tq, D)
        The queries of N sequences and H heads. float32 or float64; rows of unit stride are read in place, so views of a
        projection (N, T, H * D) cost no copy.
    k : ndarray, shape (N, H, Tk, D)
    v : ndarray, shape (N, H, Tk, Dv)
    lengths : array_like of int, shape (N,), optional
        Number of keys of each sequence, from 0 to Tk; Tk by default. Keys and values beyond it are not read.
    query_lengths : array_like of int, shape (N,), optional
        Number of queries of each sequence, from 0 to Tq; Tq by default. Results beyond it are zeros and take no time.
    causal : bool
        Query i sees the keys 0 to i only.
    scale : float, optional
        Above 0; ``1 / sqrt(D)`` by default.

    Returns
    -------
    ndarray, shape (N, H, Tq, Dv)
        A view of an array (N, Tq, H, Dv). Zeros for a query that sees no key.

    Raises
    ------
    TypeError
        For other kinds of input, dtypes that differ, or lengths that are not whole numbers.
    ValueError
        For shapes that do not fit, lengths out of range, or a scale that is not above 0.

    Notes
    -----
    The matrix of scores is never in memory: keys are walked in blocks, and what was summed is rescaled when a block raises
    the maximum. A score is one chain of fused multiply-adds in ascending order, and so is a sum over the keys of a block of
    512; blocks are added in order. So the bits of a query do not depend on the batch, the padding, the other queries, the
    number of threads or, with fused multiply-add, the CPU level. On CUDA the order is fixed too, but another one.

    A score of NaN makes its query's result NaN. With ``causal``, a NaN or an infinity in ``v`` may also reach the queries
    that are computed together with one that sees it, up to 17 before it.

    References
    ----------
    Vaswani et al., "Attention is all you need", arXiv:1706.03762. Dao et al., "FlashAttention", arXiv:2205.14135.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> q = k = np.zeros((1, 1, 3, 2))
    >>> v = np.arange(3.0).reshape(1, 1, 3, 1)
    >>> ct.ops.attention(q, k, v).ravel(), ct.ops.attention(q, k, v, causal=True).ravel()
    (array([1., 1., 1.]), array([0. , 0.5, 1. ]))
    """
    name = "attention"
    backend, q, k, v = floats(name, q=q, k=k, v=v)
    options = _options(name, q, k, v, lengths, query_lengths, causal, scale)
    return backend.attention(q, k, v, *options)[0]


def attention_forward(
    q: NDArray[Any],
    k: NDArray[Any],
    v: NDArray[Any],
    *,
    lengths: Any = None,
    query_lengths: Any = None,
    causal: bool = False,
    scale: float | None = None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the result of `attention`, and the statistics (2, N, H, Tq) that `attention_backward` needs.

    They are, of each query, the largest score before it is scaled, and the inverse sum of the exponentials.
    """
    name = "attention_forward"
    backend, q, k, v = floats(name, q=q, k=k, v=v)
    return backend.attention(q, k, v, *_options(name, q, k, v, lengths, query_lengths, causal, scale))


def attention_backward(
    dy: NDArray[Any],
    q: NDArray[Any],
    k: NDArray[Any],
    v: NDArray[Any],
    y: NDArray[Any],
    statistics: NDArray[Any],
    *,
    lengths: Any = None,
    query_lengths: Any = None,
    causal: bool = False,
    scale: float | None = None,
    out: tuple[NDArray[Any], NDArray[Any], NDArray[Any]] | None = None,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the gradients at ``q``, ``k`` and ``v`` of `attention`, given ``dy`` at its output.

    Parameters
    ----------
    dy : ndarray, shape (N, H, Tq, Dv)
    q, k, v
        The arguments of `attention_forward`.
    y, statistics
        What it returned.
    lengths, query_lengths, causal, scale
        Its options.
    out : tuple of three ndarray, optional
        Arrays of the shapes of ``q``, ``k`` and ``v``, with rows of unit stride, to write the gradients into: views of one
        array, where one projection made all three.

    Returns
    -------
    dq, dk, dv : ndarray
        Views of arrays (N, T, H, D); zeros beyond a sequence's length.

    Raises
    ------
    TypeError, ValueError
        As `attention`, and where ``dy``, ``y``, ``statistics`` or ``out`` do not fit.

    Notes
    -----
    The probabilities are computed again, block by block. A sum over the queries is one chain in ascending order, cut every
    4,096 terms; over the keys it is one within 256 keys.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> q = k = np.zeros((1, 1, 3, 2))
    >>> v = np.arange(3.0).reshape(1, 1, 3, 1)
    >>> y, statistics = ct.ops.attention_forward(q, k, v, causal=True)
    >>> ct.ops.attention_backward(np.ones_like(v), q, k, v, y, statistics, causal=True)[2].ravel().round(3)
    array([1.833, 0.833, 0.333])
    """
    name = "attention_backward"
    backend, dy, q, k, v, y, statistics = floats(name, dy=dy, q=q, k=k, v=v, y=y, statistics=statistics)
    options = _options(name, q, k, v, lengths, query_lengths, causal, scale)
    shape = (*q.shape[:3], v.shape[3])
    for what, array, expected in (("dy", dy, shape), ("y", y, shape), ("statistics", statistics, (2, *q.shape[:3]))):
        if array.shape != expected:
            raise ValueError(f"{name}: {what} must have shape {expected}, got {array.shape}")
    if out is not None:
        if not isinstance(out, tuple) or len(out) != 3:
            raise TypeError(f"{name}: out must be a tuple of three arrays, for the gradients at q, k and v")
        given: dict[str, Any] = dict(zip(("out[0]", "out[1]", "out[2]"), out, strict=True))
        floats(name, q=q, **given)
        for what, array, of in zip(given, out, (q, k, v), strict=True):
            if array.shape != of.shape:
                raise ValueError(f"{name}: {what} must have shape {of.shape}, got {array.shape}")
            if (array.shape[3] > 1 and array.strides[3] != array.itemsize) or array.strides[0] % array.itemsize:
                raise ValueError(f"{name}: the rows of {what} must have unit stride, got strides {array.strides}")
            read = {"dy": dy, "q": q, "k": k, "v": v, "y": y, "statistics": statistics}
            separate(name, {what: array}, read)  # the three may lie in one array
    return backend.attention_backward(dy, q, k, v, y, statistics, *options, out)


def _options(
    function: str, q: Any, k: Any, v: Any, lengths: Any, query_lengths: Any, causal: bool, scale: float | None
) -> tuple[Any, Any, bool, float]:
    """Check shapes and options; return the lengths of queries and keys, whether it is causal, and the scale."""
    for name, array in (("q", q), ("k", k), ("v", v)):
        if array.ndim != 4:
            raise ValueError(f"{function}: {name} must be (N, heads, T, D), got shape {array.shape}")
    if k.shape[:2] != q.shape[:2] or k.shape[3] != q.shape[3]:
        raise ValueError(
            f"{function}: k must be (N, heads, T, D) with the N, the heads and the D of q {q.shape}, got {k.shape}"
        )
    if v.shape[:3] != k.shape[:3]:
        raise ValueError(f"{function}: v must have a row for each row of k {k.shape}, got {v.shape}")
    for name, array in (("q", q), ("v", v)):
        if not 0 < array.shape[3] <= _LONGEST:
            raise ValueError(f"{function}: the last axis of {name} must have 1 to {_LONGEST} values, got {array.shape}")
    chosen = 1 / math.sqrt(q.shape[3]) if scale is None else number(function, "scale", scale, above=0)
    of_keys = check_lengths(function, "lengths", lengths, k.shape[0], k.shape[2])
    return (
        check_lengths(function, "query_lengths", query_lengths, q.shape[0], q.shape[2]),
        of_keys,
        flag(function, "causal", causal),
        float(chosen),
    )


def check_lengths(function: str, name: str, lengths: Any, sequences: int, most: int) -> NDArray[np.intp] | None:
    """Return lengths as the kernels expect them, or None; refuse lengths out of range."""
    if lengths is None:
        return None
    if is_device_array(lengths):
        lengths = to_host(lengths)
    given = whole_numbers(function, name, lengths)
    if given.shape != (sequences,):
        raise ValueError(f"{function}: {name} must have shape ({sequences},), one a sequence, got {given.shape}")
    wrong = np.flatnonzero((given < 0) | (given > most))
    if wrong.size:
        raise ValueError(f"{function}: {name} must be from 0 to {most}, but sequence {wrong[0]} has {given[wrong[0]]}")
    return np.ascontiguousarray(given, np.intp)
