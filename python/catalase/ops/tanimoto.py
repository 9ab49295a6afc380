"""Tanimoto similarity: of packed fingerprints, all pairs or the top-k targets of each query, and of rows of counts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._internal.numbers import fraction, whole_number
from ..backends import CPU, same_backend
from ..backends.cpu import unit_rows
from .checks import dtype_of, numpy_array, output, packed_bits, separate, similarity_threshold

_COUNTS = tuple(map(np.dtype, (np.uint16, np.uint32, np.float32, np.float64)))


def tanimoto(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the similarity ``|a & b| / |a | b|`` of every fingerprint in ``a`` to every one in ``b``.

    Parameters
    ----------
    a : ndarray of uint8, shape (N, bytes)
        Packed bits, as `ecfp` returns them; the order of the bits does not matter. Copied if not contiguous.
    b : ndarray of uint8, shape (M, bytes)
        As ``a``.

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
        If an input is not a matrix, the numbers of bytes differ, or there are more than 1,048,576 of them.

    Notes
    -----
    The result holds all N x M similarities. `tanimoto_topk` keeps only the best ones.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> a = np.array([[0b1110], [0]], dtype=np.uint8)
    >>> ct.ops.tanimoto(a, np.array([[0b0110]], dtype=np.uint8))
    array([[0.6666667],
           [0.       ]], dtype=float32)
    """
    backend = same_backend("tanimoto", a=a, b=b)
    a = packed_bits("tanimoto", "a", a, backend=backend)
    b = packed_bits("tanimoto", "b", b, width=a.shape[1], reference="a", backend=backend)
    return backend.tanimoto(a, b)


def tanimoto_counts(
    a: NDArray[Any], b: NDArray[Any], *, dtype: Any = np.float32, out: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Return the similarity ``sum(min(a, b)) / sum(max(a, b))`` of every row of counts in ``a`` to every one in ``b``.

    Parameters
    ----------
    a : ndarray of uint16, uint32, float32 or float64, shape (N, C)
        Numbers from 0 to float32's largest, such as `ecfp` returns with ``output="counts"``; at most 4,194,304 columns.
        Rows of unit stride are read in place, others are copied.
    b : ndarray, shape (M, C)
        As ``a``; it may have another of these dtypes.
    dtype : dtype
        Of the result: float32 or float64.
    out : ndarray, shape (N, M), optional
        Written and returned: contiguous, and of dtype ``dtype``.

    Returns
    -------
    ndarray, shape (N, M)
        From 0 to 1. Two rows of zeros have similarity 0, as in `tanimoto`.

    Raises
    ------
    TypeError
        If an input is no array of these dtypes; packed bits (uint8) go to `tanimoto`.
    ValueError
        If an input is not a matrix, the numbers of columns differ, or a number is negative, NaN or infinite; if ``out``
        does not fit.

    Notes
    -----
    Only the entries that are not zero cost time, so that a pair of ECFP4 rows takes some 5 to 10 ns on one thread.
    Whole numbers are added exactly and the quotient is rounded once; other numbers are added in float64, in ascending
    columns. The bits depend neither on the other rows nor on threads or the CPU's level. Computed on the CPU. Memory beyond
    the result: 13 bytes for each entry, and a table of ``b`` that is no larger than ``b``.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> counts = ct.ops.ecfp(["CCCO", "CCCCO", "c1ccccc1"], output="counts")
    >>> ct.ops.tanimoto_counts(counts[:1], counts).round(3)
    array([[1.   , 0.571, 0.   ]], dtype=float32)
    """
    a, b = _counts("a", a), _counts("b", b)
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"tanimoto_counts: a has {a.shape[1]} columns but b has {b.shape[1]}; make both with the same fingerprint size"
        )
    kind = dtype_of("tanimoto_counts", "dtype", dtype)
    if kind not in CPU.float_dtypes:
        raise TypeError(f"tanimoto_counts: dtype must be float32 or float64, got {kind}")
    result = output("tanimoto_counts", CPU, out, (len(a), len(b)), kind, dense=True)
    separate("tanimoto_counts", {"out": result}, {"a": a, "b": b})
    refused = _core.tanimoto_counts(a, b, result)
    if refused is not None:
        side, row, column = refused
        raise ValueError(
            f"tanimoto_counts: {'ab'[side]} holds {(a, b)[side][row, column]} at row {row}, column {column}; counts are "
            "finite numbers, 0 or more"
        )
    return result


def _counts(name: str, x: Any) -> NDArray[Any]:
    x = numpy_array("tanimoto_counts", name, x)
    if x.dtype not in _COUNTS:
        hint = "packed bits go to ops.tanimoto; " if x.dtype == np.uint8 else ""
        raise TypeError(
            f"tanimoto_counts: {name} must be uint16, uint32, float32 or float64, got {x.dtype}; {hint}for counts use "
            f"{name}.astype(np.uint32)"
        )
    if x.ndim != 2:
        raise ValueError(
            f"tanimoto_counts: {name} must be a matrix (molecules, counts), got shape {x.shape}; one row is {name}[None]"
        )
    if x.shape[1] > _core.MAX_COUNT_COLUMNS:
        raise ValueError(
            f"tanimoto_counts: {name} has {x.shape[1]} columns, more than the {_core.MAX_COUNT_COLUMNS} that are exact; fold it"
        )
    return unit_rows(x)


def tanimoto_topk(
    queries: NDArray[np.uint8], targets: NDArray[np.uint8], k: int, *, threshold: float = 0.0
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the ``k`` targets that are most similar to each query.

    Parameters
    ----------
    queries : ndarray of uint8, shape (N, bytes)
        Packed bits, as `ecfp` returns them. Copied if not contiguous.
    targets : ndarray of uint8, shape (M, bytes)
        As ``queries``.
    k : int
        1 or more; it may exceed M.
    threshold : float
        From 0 to 1; targets of lower similarity are left out. Both similarities and the threshold are rounded to float32
        before they are compared, so a pair of 7 bits out of 10 reaches 0.7.

    Returns
    -------
    indices : ndarray of int64, shape (N, k)
        Rows of ``targets``, by descending similarity, and by ascending index where similarities are equal.
    similarities : ndarray of float32, shape (N, k)
        As `tanimoto` returns them. Where fewer than k targets reach the threshold, the rest of the row has index -1 and
        similarity NaN.

    Raises
    ------
    TypeError
        If an input is not a uint8 array, or ``k`` or ``threshold`` is not a number.
    ValueError
        If an input is not a matrix, the numbers of bytes differ, ``k`` is below 1 or ``threshold`` outside 0 to 1.

    Notes
    -----
    The result is exact, and the same for any number of threads. Every call reads all targets; if they are searched more
    than once, a `catalase.FingerprintIndex` is faster and returns the same. Memory beyond the result is negligible (with
    fewer blocks of 16 queries than threads, one more result for each further thread).

    References
    ----------
    Swamidass and Baldi, "Bounds and algorithms for fast exact searches of chemical fingerprints in linear and sublinear
    time", J. Chem. Inf. Model. 47 (2007) 302-317, doi:10.1021/ci600358f.

    Examples
    --------
    >>> import catalase as ct
    >>> library = ct.ops.ecfp(["CCO", "CCCO", "c1ccccc1", "CCN"])
    >>> indices, similarities = ct.ops.tanimoto_topk(ct.ops.ecfp(["CCCCO"]), library, 3, threshold=0.3)
    >>> indices
    array([[ 1,  0, -1]])
    >>> similarities.round(2)
    array([[0.58, 0.42,  nan]], dtype=float32)
    """
    backend = same_backend("tanimoto_topk", queries=queries, targets=targets)
    queries = packed_bits("tanimoto_topk", "queries", queries, backend=backend)
    targets = packed_bits(
        "tanimoto_topk", "targets", targets, width=queries.shape[1], reference="queries", backend=backend
    )
    lowest = similarity_threshold(fraction("tanimoto_topk", "threshold", threshold))
    return backend.tanimoto_topk(queries, targets, whole_number("tanimoto_topk", "k", k, 1, 2**31 - 1), lowest)
