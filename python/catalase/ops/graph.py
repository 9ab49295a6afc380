"""Message passing on graphs: rows by number, and sums, means, maxima and softmax over lists of rows.

A list of rows is written in two arrays, as in a sparse matrix: list r has the entries ``offsets[r]`` to
``offsets[r + 1] - 1``, and entry e names the row ``index[e]``. Functions of segments have no index: entry e is row e.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from .._internal.numbers import flag, shown, whole_number
from ..backends import CPU, Backend, is_device_array
from .checks import activation_code, float_array, floats, whole_numbers
from .linear import DeferredMatmul, before_activation
from .matmul import matmul

_MOST_ROWS = 2**31 - 1


def gather_rows(values: NDArray[Any], index: ArrayLike) -> NDArray[Any]:
    """Return ``values[index]``: rows by number.

    Parameters
    ----------
    values : ndarray, shape (N, ...)
        float32 or float64; copied first if its rows are not contiguous.
    index : array_like of int, shape (M,)
        Row numbers, each from 0 to N - 1.

    Returns
    -------
    ndarray, shape (M, ...)

    Raises
    ------
    TypeError
        If ``values`` is not a float array, or ``index`` holds no whole numbers.
    ValueError
        For a number without a row (the error names its position), or an ``index`` of more than one axis.

    Notes
    -----
    Values are copied unchanged, NaN too. The kernel is that of `embedding`, whose ids may have any shape.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.gather_rows(np.array([[1.0, 2.0], [3.0, 4.0]]), [1, 1, 0])
    array([[3., 4.], [3., 4.], [1., 2.]])
    """
    function = "gather_rows"
    backend, x, shape = _rows(function, "values", values)
    numbers = _row_numbers(function, backend, index, x.shape[0], np.int64)
    out, _ = backend.embedding(numbers, x)
    return _as_given(backend, out, shape)


def gather_rows_backward(dy: NDArray[Any], index: ArrayLike, rows: int) -> NDArray[Any]:
    """Return the gradient at ``values`` of `gather_rows`: row i is the sum of ``dy`` over the places where index is i.

    Parameters
    ----------
    dy : ndarray, shape (M, ...)
        float32 or float64.
    index : array_like of int, shape (M,)
        The argument of `gather_rows`.
    rows : int
        Number of rows of ``values``.

    Returns
    -------
    ndarray, shape (rows, ...)

    Raises
    ------
    TypeError, ValueError
        As `gather_rows`, and for shapes that do not fit.

    Notes
    -----
    The sum goes in ascending order of the places, cut every 4,096 places, so its bits do not depend on threads.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.gather_rows_backward(np.ones((3, 2)), [1, 1, 0], 3)
    array([[1., 1.], [2., 2.], [0., 0.]])
    """
    function = "gather_rows_backward"
    rows = whole_number(function, "rows", rows, 0, _MOST_ROWS)
    backend, x, shape = _rows(function, "dy", dy)
    numbers = _row_numbers(function, backend, index, rows, np.int64)
    if numbers.shape[0] != x.shape[0]:
        raise ValueError(f"{function}: dy and index must be equally long, got {x.shape[0]} rows and {len(numbers)}")
    dx = backend.empty((rows, x.shape[1]), x.dtype)
    backend.embedding_backward(numbers, x, dx, -1)
    return _as_given(backend, dx, shape)


def gather_sum(
    values: NDArray[Any],
    index: ArrayLike,
    offsets: ArrayLike,
    *,
    z: NDArray[Any] | None = None,
    kind: ArrayLike | None = None,
    relu: bool = False,
) -> NDArray[Any]:
    """Return for each list the sum of the rows that it names, such as the messages that arrive at each atom.

    With ``z`` and ``relu`` that is an update of messages whose product is taken before the sum: ``values`` is ``h @ w``. It
    costs one row of the product for each row of ``h``; `message_update`, which sums first, one for each list.

    Parameters
    ----------
    values : ndarray, shape (N, ...)
        float32 or float64; copied first if its rows are not contiguous.
    index : array_like of int, shape (E,)
        Row numbers, each from 0 to N - 1, list after list. A list may name a row twice.
    offsets : array_like of int, shape (L + 1,)
        List r has the entries ``offsets[r]`` to ``offsets[r + 1] - 1`` of ``index``: ascending from 0 to E.
    z : ndarray, shape (kinds, ...), optional
        Rows that are added to the sums; without ``kind`` one for each list.
    kind : array_like of int, shape (L,), optional
        The row of ``z`` that each list adds.
    relu : bool
        Whether results below 0 become 0.

    Returns
    -------
    ndarray, shape (L, ...)

    Raises
    ------
    TypeError
        If ``values`` or ``z`` is not a float array, or ``index``, ``offsets`` or ``kind`` hold no whole numbers.
    ValueError
        For a number without a row, rows of ``z`` that do not fit, or offsets that do not ascend from 0 to E; the error
        names the position.

    Notes
    -----
    A sum goes through its list in the given order, cut every 4,096 entries, with the parts added in order. Its bits
    depend on the list alone: not on threads, other lists, or the level of instructions. An empty list gives zeros. The
    kernel is in ``cpp/graph``.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> x = np.array([[1.0], [10.0], [100.0]])
    >>> ct.ops.gather_sum(x, [0, 2, 1], [0, 2, 2, 3])
    array([[101.], [  0.], [ 10.]])
    """
    function = "gather_sum"
    backend, x, shape, numbers, starts = _listed(function, values, index, offsets)
    if z is not None:
        _, _, z = floats(function, values=values, z=z)
    own = _rows_of_z(function, backend, z, kind, starts.shape[0] - 1, shape)
    z = None if z is None else _matrix(backend, z)
    relu = flag(function, "relu", relu)
    return _as_given(backend, backend.list_sum(x, starts, numbers, False, z, own, relu), shape)


def gather_sum_backward(dy: NDArray[Any], index: ArrayLike, offsets: ArrayLike, rows: int) -> NDArray[Any]:
    """Return the gradient at ``values`` of `gather_sum`: row i is the sum of ``dy`` over the lists that name it.

    Parameters
    ----------
    dy : ndarray, shape (L, ...)
        float32 or float64.
    index, offsets : array_like of int
        The arguments of `gather_sum`.
    rows : int
        Number of rows of ``values``.

    Returns
    -------
    ndarray, shape (rows, ...)

    Raises
    ------
    TypeError, ValueError
        As `gather_sum`, and for shapes that do not fit.

    Notes
    -----
    It is the `gather_sum` of ``dy`` over the lists that `transpose_index` makes: the sum goes in ascending order of the
    lists.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.gather_sum_backward(np.array([[1.0], [2.0], [3.0]]), [0, 2, 1], [0, 2, 2, 3], 3)
    array([[1.], [3.], [1.]])
    """
    function = "gather_sum_backward"
    backend, x, shape, index, offsets, rows = _listed_backward(function, dy, index, offsets, rows)
    turned, starts = backend.transpose_lists(offsets, index, rows)
    return _as_given(backend, backend.list_sum(x, starts, turned), shape)


def gather_max(values: NDArray[Any], index: ArrayLike, offsets: ArrayLike) -> NDArray[Any]:
    """Return for each list the largest value, column by column, among the rows that it names; see `gather_sum`.

    With lists of an atom and its neighbours, that is the pooling layer of graph convolutions.

    Notes
    -----
    NaN counts as larger than all numbers. An empty list gives zeros.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.gather_max(np.array([[1.0], [10.0], [100.0]]), [0, 2, 1], [0, 2, 2, 3])
    array([[100.], [  0.], [ 10.]])
    """
    backend, x, shape, index, offsets = _listed("gather_max", values, index, offsets)
    return _as_given(backend, backend.list_max(x, offsets, index), shape)


def gather_max_backward(dy: NDArray[Any], values: NDArray[Any], index: ArrayLike, offsets: ArrayLike) -> NDArray[Any]:
    """Return the gradient at ``values`` of `gather_max`: each ``dy`` goes to the first row that had the largest value.

    Parameters
    ----------
    dy : ndarray, shape (L, ...)
        float32 or float64.
    values, index, offsets
        The arguments of `gather_max`.

    Returns
    -------
    ndarray, shape (N, ...)

    Raises
    ------
    TypeError, ValueError
        As `gather_max`, and for shapes that do not fit.

    Notes
    -----
    A row adds what it receives in ascending order of the lists.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> x = np.array([[1.0], [10.0], [100.0]])
    >>> ct.ops.gather_max_backward(np.ones((3, 1)), x, [0, 2, 1], [0, 2, 2, 3])
    array([[0.], [1.], [1.]])
    """
    function = "gather_max_backward"
    backend, x, shape, numbers, starts = _listed(function, values, index, offsets)
    given = _gradient(function, backend, dy, (starts.shape[0] - 1, *shape), "values", values)
    return _as_given(backend, backend.list_max_backward(given, x, starts, numbers), shape)


def segment_sum(values: NDArray[Any], offsets: ArrayLike) -> NDArray[Any]:
    """Return the sum of each segment of consecutive rows, such as the atoms of each molecule.

    Parameters
    ----------
    values : ndarray, shape (N, ...)
        float32 or float64; copied first if its rows are not contiguous.
    offsets : array_like of int, shape (S + 1,)
        Segment s has the rows ``offsets[s]`` to ``offsets[s + 1] - 1``: ascending from 0 to N.

    Returns
    -------
    ndarray, shape (S, ...)

    Raises
    ------
    TypeError
        If ``values`` is not a float array, or ``offsets`` holds no whole numbers.
    ValueError
        For offsets that do not ascend from 0 to N; the error names the position.

    Notes
    -----
    A sum goes through its rows in ascending order, cut every 4,096 rows, with the parts added in order. Its bits depend
    on its own rows alone: not on threads, other segments, or the level of instructions. An empty segment gives zeros.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.segment_sum(np.array([1.0, 2.0, 4.0]), [0, 2, 2, 3])
    array([3., 0., 4.])
    """
    backend, x, shape, offsets = _segments("segment_sum", values, offsets)
    return _as_given(backend, backend.list_sum(x, offsets), shape)


def segment_sum_backward(dy: NDArray[Any], offsets: ArrayLike, rows: int) -> NDArray[Any]:
    """Return the gradient at ``values`` of `segment_sum`: ``dy`` of its segment for each row.

    Parameters
    ----------
    dy : ndarray, shape (S, ...)
        float32 or float64.
    offsets : array_like of int
        The argument of `segment_sum`.
    rows : int
        Number of rows of ``values``, the last offset.

    Returns
    -------
    ndarray, shape (rows, ...)

    Raises
    ------
    TypeError, ValueError
        As `segment_sum`, and for shapes that do not fit.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.segment_sum_backward(np.array([1.0, 5.0, 9.0]), [0, 2, 2, 3], 3)
    array([1., 1., 9.])
    """
    return _spread("segment_sum_backward", dy, offsets, rows, False)


def segment_mean(values: NDArray[Any], offsets: ArrayLike) -> NDArray[Any]:
    """Return the mean of each segment of consecutive rows: its sum, divided by its length; see `segment_sum`.

    Notes
    -----
    An empty segment gives zeros.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.segment_mean(np.array([1.0, 2.0, 4.0]), [0, 2, 2, 3])
    array([1.5, 0. , 4. ])
    """
    backend, x, shape, offsets = _segments("segment_mean", values, offsets)
    return _as_given(backend, backend.list_sum(x, offsets, None, True), shape)


def segment_mean_backward(dy: NDArray[Any], offsets: ArrayLike, rows: int) -> NDArray[Any]:
    """Return the gradient at ``values`` of `segment_mean`: ``dy`` of its segment, divided by the length, for each row.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.segment_mean_backward(np.array([1.0, 5.0, 9.0]), [0, 2, 2, 3], 3)
    array([0.5, 0.5, 9. ])
    """
    return _spread("segment_mean_backward", dy, offsets, rows, True)


def segment_max(values: NDArray[Any], offsets: ArrayLike) -> NDArray[Any]:
    """Return the largest value of each segment of consecutive rows, column by column; see `segment_sum`.

    Notes
    -----
    NaN counts as larger than all numbers, as in the pooling functions. An empty segment gives zeros.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.segment_max(np.array([1.0, 2.0, 4.0]), [0, 2, 2, 3])
    array([2., 0., 4.])
    """
    backend, x, shape, offsets = _segments("segment_max", values, offsets)
    return _as_given(backend, backend.list_max(x, offsets), shape)


def segment_max_backward(dy: NDArray[Any], values: NDArray[Any], offsets: ArrayLike) -> NDArray[Any]:
    """Return the gradient at ``values`` of `segment_max`: each ``dy`` goes to the first row that had the largest value.

    Parameters
    ----------
    dy : ndarray, shape (S, ...)
    values, offsets
        The arguments of `segment_max`.

    Returns
    -------
    ndarray, shape (N, ...)

    Raises
    ------
    TypeError, ValueError
        As `segment_max`, and for shapes that do not fit.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.segment_max_backward(np.array([1.0, 5.0, 9.0]), np.array([1.0, 2.0, 4.0]), [0, 2, 2, 3])
    array([0., 1., 9.])
    """
    function = "segment_max_backward"
    backend, x, shape, starts = _segments(function, values, offsets)
    given = _gradient(function, backend, dy, (starts.shape[0] - 1, *shape), "values", values)
    return _as_given(backend, backend.list_max_backward(given, x, starts), shape)


def segment_softmax(values: NDArray[Any], offsets: ArrayLike) -> NDArray[Any]:
    """Return the softmax within each segment of consecutive rows, column by column: the weights of an attention.

    Parameters
    ----------
    values : ndarray, shape (N, ...)
        float32 or float64.
    offsets : array_like of int, shape (S + 1,)
        As for `segment_sum`.

    Returns
    -------
    ndarray, shape (N, ...)
        Each segment's values of a column add up to 1.

    Raises
    ------
    TypeError, ValueError
        As `segment_sum`.

    Notes
    -----
    The largest value of the segment is subtracted first, and the exponentials are added in ascending order.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.segment_softmax(np.array([0.0, np.log(3.0), 7.0]), [0, 2, 3]).round(3)
    array([0.25, 0.75, 1.  ])
    """
    backend, x, shape, offsets = _segments("segment_softmax", values, offsets)
    return _as_given(backend, backend.segment_softmax(x, offsets), shape)


def segment_softmax_backward(dy: NDArray[Any], y: NDArray[Any], offsets: ArrayLike) -> NDArray[Any]:
    """Return the gradient at ``values`` of `segment_softmax`: ``y (dy - the segment's sum of dy y)``.

    Parameters
    ----------
    dy : ndarray, shape (N, ...)
        Gradient at the output.
    y : ndarray, shape (N, ...)
        The output.
    offsets : array_like of int
        The argument of `segment_softmax`.

    Returns
    -------
    ndarray, shape (N, ...)

    Raises
    ------
    TypeError, ValueError
        As `segment_softmax`, and for shapes that do not fit.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.segment_softmax_backward(np.array([1.0, 0.0]), np.array([0.25, 0.75]), [0, 2])
    array([ 0.1875, -0.1875])
    """
    function = "segment_softmax_backward"
    backend, kept, shape, offsets = _segments(function, y, offsets, "y")
    given = _gradient(function, backend, dy, (kept.shape[0], *shape), "y", y)
    return _as_given(backend, backend.segment_softmax_backward(given, kept, offsets), shape)


def message_update(
    h: NDArray[Any],
    w: NDArray[Any],
    index: ArrayLike,
    offsets: ArrayLike,
    *,
    z: NDArray[Any] | None = None,
    kind: ArrayLike | None = None,
    b: NDArray[Any] | None = None,
    activation: str | None = "relu",
) -> NDArray[Any]:
    """Return ``activation(gather_sum(h, index, offsets) @ w + b + z[kind])``, the update of messages, in one pass.

    Parameters
    ----------
    h : ndarray, shape (N, K)
        Hidden vectors, float32 or float64; copied first if their rows are not contiguous.
    w : ndarray, shape (K, H)
        Weights, of the same dtype, any strides.
    index, offsets : array_like of int
        For each result the rows of ``h`` that are summed; see `gather_sum`.
    z : ndarray, shape (kinds, H), optional
        Rows that are added to the products, such as the input of the first layer.
    kind : array_like of int, shape (L,), optional
        For each result its row of ``z``; row r for result r by default.
    b : ndarray, shape (H,), optional
        Bias.
    activation : str or None
        As for `activation`; "relu" by default.

    Returns
    -------
    ndarray, shape (L, H)

    Raises
    ------
    TypeError
        If an array is not a float array, or dtypes differ.
    ValueError
        If shapes do not fit, for a number without a row, or an unknown activation.

    Notes
    -----
    The bits are those of `gather_sum` and `matmul`: a row's depend on its own list alone. The bias is added to the product
    first, then the row of ``z``. The sums of some 300 lists are multiplied while they are in cache.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> h, w = np.array([[1.0, 2.0], [3.0, 4.0]]), np.eye(2)
    >>> ct.ops.message_update(h, w, [0, 1, 1], [0, 2, 3], z=np.array([[-9.0, 1.0]]), kind=[0, 0])
    array([[0., 7.], [0., 5.]])
    """
    return _update("message_update", h, w, index, offsets, z, kind, b, activation, False)[0]


def message_update_forward(
    h: NDArray[Any],
    w: NDArray[Any],
    index: ArrayLike,
    offsets: ArrayLike,
    *,
    z: NDArray[Any] | None = None,
    kind: ArrayLike | None = None,
    b: NDArray[Any] | None = None,
    activation: str | None = "relu",
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return what `message_update` returns, and the sums of the lists (L, K), which the backward pass needs.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> y, m = ct.ops.message_update_forward(np.ones((2, 3)), np.eye(3), [0, 1], [0, 2])
    >>> m
    array([[2., 2., 2.]])
    """
    return _update("message_update_forward", h, w, index, offsets, z, kind, b, activation, True)


def message_update_backward(
    dy: NDArray[Any],
    y: NDArray[Any],
    sums: NDArray[Any],
    w: NDArray[Any],
    index: ArrayLike,
    offsets: ArrayLike,
    rows: int,
    *,
    kind: ArrayLike | None = None,
    kinds: int | None = None,
    activation: str | None = "relu",
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the gradients at ``h``, ``w``, ``z`` and ``b`` of `message_update`.

    Parameters
    ----------
    dy : ndarray, shape (L, H)
        Gradient at the output.
    y, sums : ndarray
        What `message_update_forward` returned.
    w, index, offsets, kind, activation
        As given to `message_update`. An activation whose derivative y does not determine, such as "gelu", is refused.
    rows : int
        Number of rows of ``h``.
    kinds : int, optional
        Number of rows of ``z``; needed with ``kind``.

    Returns
    -------
    dh : ndarray, shape (rows, K)
    dw : ndarray, shape (K, H)
    dz : ndarray, shape (kinds, H), or (L, H) without ``kind``
    db : ndarray, shape (H,)

    Raises
    ------
    TypeError, ValueError
        As `message_update`, and for shapes that do not fit.

    Notes
    -----
    A row of ``h``, and of ``z``, adds its gradients in ascending order of the lists.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> h, w, lists = np.ones((2, 3)), np.eye(3), ([0, 1, 1], [0, 2, 3])
    >>> y, m = ct.ops.message_update_forward(h, w, *lists)
    >>> dh, dw, dz, db = ct.ops.message_update_backward(np.ones_like(y), y, m, w, *lists, 2)
    >>> dh
    array([[1., 1., 1.], [2., 2., 2.]])
    """
    function = "message_update_backward"
    rows = whole_number(function, "rows", rows, 0, _MOST_ROWS)
    backend, dy, y, sums, w = floats(function, dy=dy, y=y, sums=sums, w=w)
    numbers, starts = check_lists(function, backend, index, offsets, rows)
    count = starts.shape[0] - 1
    _check_matrix(function, "w", w)
    for name, x, shape in (
        ("sums", sums, (count, w.shape[0])),
        ("y", y, (count, w.shape[1])),
        ("dy", dy, (count, w.shape[1])),
    ):
        if tuple(x.shape) != shape:
            raise ValueError(f"{function}: {name} must have shape {shape}, got {tuple(x.shape)}")
    own: Any = None
    if kind is not None:
        if kinds is None:
            raise ValueError(f"{function}: kinds, the number of rows of z, is needed beside kind")
        kinds = whole_number(function, "kinds", kinds, 0, _MOST_ROWS)
        own = _kind_numbers(function, backend, kind, kinds, count)
    elif kinds is not None:
        raise ValueError(f"{function}: kinds is the number of rows that kind names, but kind is None; leave kinds out")
    dz, db = before_activation(function, dy, y, activation, None)
    turned, ends = backend.transpose_lists(starts, numbers, rows)
    dh = backend.list_sum(matmul(dz, w, transpose_b=True), ends, turned)
    dw = DeferredMatmul(sums, dz, transpose_a=True).array()
    if own is None:
        return dh, dw, dz, db
    each = backend.array(np.arange(count + 1))
    turned, ends = backend.transpose_lists(each, own, kinds)
    return dh, dw, backend.list_sum(dz, ends, turned), db


def _update(
    function: str, h: Any, w: Any, index: Any, offsets: Any, z: Any, kind: Any, b: Any, activation: Any, keep: bool
) -> tuple[Any, Any]:
    code = activation_code(function, activation)
    backend, h, w, z, b = floats(function, optional=("z", "b"), h=h, w=w, z=z, b=b)
    for name, x in (("h", h), ("w", w)):
        _check_matrix(function, name, x)
    if h.shape[1] != w.shape[0]:
        raise ValueError(f"{function}: h has {h.shape[1]} columns but w has {w.shape[0]} rows")
    numbers, starts = check_lists(function, backend, index, offsets, h.shape[0])
    own = _rows_of_z(function, backend, z, kind, starts.shape[0] - 1, (w.shape[1],))
    if b is not None and tuple(b.shape) != (w.shape[1],):
        raise ValueError(f"{function}: b must have shape ({w.shape[1]},), got {tuple(b.shape)}")
    return backend.message_update(h, w, z, own, b, code, starts, numbers, keep)


def _check_matrix(function: str, name: str, x: Any) -> None:
    if x.ndim != 2:
        raise ValueError(f"{function}: {name} must be a matrix, got shape {tuple(x.shape)}")


def _rows_of_z(function: str, backend: Backend, z: Any, kind: Any, count: int, shape: tuple[int, ...]) -> Any:
    """Return the row of z that each of ``count`` lists adds, or None for its own; refuse a z whose rows do not fit."""
    if z is None:
        if kind is not None:
            raise ValueError(f"{function}: kind names rows of z, but z is None; give both, or neither")
        return None
    if tuple(z.shape[1:]) != shape or z.ndim == 0 or (kind is None and z.shape[0] != count):
        wanted = ("kinds" if kind is not None else count, *shape)
        raise ValueError(f"{function}: z must have shape {wanted}, got {tuple(z.shape)}")
    return None if kind is None else _kind_numbers(function, backend, kind, z.shape[0], count)


def _kind_numbers(function: str, backend: Backend, kind: Any, kinds: int, count: int) -> Any:
    numbers = _row_numbers(function, backend, kind, kinds, np.int32, "kind", "rows of z")
    if numbers.shape[0] != count:
        raise ValueError(f"{function}: kind must have a number for each of the {count} lists, got {numbers.shape[0]}")
    return numbers


def grouped_linear(
    x: NDArray[Any],
    w: NDArray[Any],
    offsets: ArrayLike,
    b: NDArray[Any] | None = None,
    *,
    activation: str | None = None,
) -> NDArray[Any]:
    """Return ``activation(x @ w[g] + b[g])`` for the rows of each group g, such as the atoms of one degree.

    Parameters
    ----------
    x : ndarray, shape (N, K)
        Rows, group after group; float32 or float64.
    w : ndarray, shape (G, K, H)
        The weights of each group.
    offsets : array_like of int, shape (G + 1,)
        Group g has the rows ``offsets[g]`` to ``offsets[g + 1] - 1``: ascending from 0 to N. They belong on the host.
    b : ndarray, shape (G, H), optional
        The biases of each group.
    activation : str or None
        As for `activation`.

    Returns
    -------
    ndarray, shape (N, H)

    Raises
    ------
    TypeError
        If an array is not a float array, or dtypes differ.
    ValueError
        If shapes do not fit, or the activation is unknown.

    Notes
    -----
    Each group is a `linear` of its own, whose bits it has.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> w = np.array([[[1.0]], [[10.0]]])
    >>> ct.ops.grouped_linear(np.array([[1.0], [2.0], [3.0]]), w, [0, 1, 3])
    array([[ 1.], [20.], [30.]])
    """
    function = "grouped_linear"
    code = activation_code(function, activation)
    backend, x, w, b = floats(function, optional=("b",), x=x, w=w, b=b)
    groups = _check_groups(function, backend, x, w, offsets)
    if b is not None and tuple(b.shape) != (w.shape[0], w.shape[2]):
        raise ValueError(f"{function}: b must have shape {(w.shape[0], w.shape[2])}, got {tuple(b.shape)}")
    parts = [backend.linear(x[i:j], w[g], None if b is None else b[g], code) for g, i, j in groups]
    if len(parts) == 1:
        return parts[0]
    return backend.concatenate(parts, 0) if parts else backend.empty((0, w.shape[2]), x.dtype)


def grouped_linear_backward(
    dy: NDArray[Any],
    x: NDArray[Any],
    w: NDArray[Any],
    y: NDArray[Any],
    offsets: ArrayLike,
    *,
    activation: str | None = None,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the gradients at ``x``, ``w`` and ``b`` of `grouped_linear`.

    Parameters
    ----------
    dy : ndarray, shape (N, H)
        Gradient at the output.
    x, w, offsets, activation
        As given to `grouped_linear`. An activation whose derivative y does not determine, such as "gelu", is refused.
    y : ndarray, shape (N, H)
        What `grouped_linear` returned.

    Returns
    -------
    dx : ndarray, shape (N, K)
    dw : ndarray, shape (G, K, H)
    db : ndarray, shape (G, H)

    Raises
    ------
    TypeError, ValueError
        As `grouped_linear`, and for shapes that do not fit.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> x, w = np.array([[1.0], [2.0], [3.0]]), np.array([[[1.0]], [[10.0]]])
    >>> y = ct.ops.grouped_linear(x, w, [0, 1, 3])
    >>> dx, dw, db = ct.ops.grouped_linear_backward(np.ones_like(y), x, w, y, [0, 1, 3])
    >>> dw.ravel(), db.ravel()
    (array([1., 5.]), array([1., 2.]))
    """
    function = "grouped_linear_backward"
    backend, dy, x, w, y = floats(function, dy=dy, x=x, w=w, y=y)
    groups = _check_groups(function, backend, x, w, offsets)
    shape = (x.shape[0], w.shape[2])
    if tuple(dy.shape) != shape or tuple(y.shape) != shape:
        raise ValueError(
            f"{function}: dy and y must have shape {shape}, got dy {tuple(dy.shape)} and y {tuple(y.shape)}"
        )
    dz, _ = before_activation(function, dy, y, activation, None)
    dx = backend.empty(tuple(x.shape), x.dtype)
    dw, db = (backend.full(size, 0.0, x.dtype) for size in (tuple(w.shape), (w.shape[0], w.shape[2])))
    for g, i, j in groups:
        backend.matmul(dz[i:j], w[g].T, out=dx[i:j])
        dw[g] = DeferredMatmul(x[i:j], dz[i:j], transpose_a=True).array()
        backend.column_sum(dz[i:j], db[g])
    return dx, dw, db


def _check_groups(function: str, backend: Backend, x: Any, w: Any, offsets: Any) -> list[tuple[int, int, int]]:
    """Return the number, the first row and the end of each group that has rows."""
    _check_matrix(function, "x", x)
    if w.ndim != 3 or w.shape[1] != x.shape[1]:
        raise ValueError(
            f"{function}: w must be (groups, {x.shape[1]}, outputs) to match x {tuple(x.shape)}, got {tuple(w.shape)}"
        )
    if is_device_array(offsets):
        raise TypeError(f"{function}: offsets must be on the host, which cuts x by them; give a NumPy array")
    starts = _check_offsets(function, CPU, offsets, x.shape[0], "rows of x").tolist()
    if len(starts) != w.shape[0] + 1:
        raise ValueError(
            f"{function}: offsets must have {w.shape[0] + 1} elements for {w.shape[0]} groups, got {len(starts)}"
        )
    return [(g, i, j) for g, (i, j) in enumerate(pairwise(starts)) if i < j]


def transpose_index(index: ArrayLike, offsets: ArrayLike, rows: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the lists of each row: those that name it, in ascending order, and as often as they name it.

    Parameters
    ----------
    index, offsets : array_like of int
        Lists of rows, as for `gather_sum`.
    rows : int
        Number of rows; every number in ``index`` is smaller.

    Returns
    -------
    index : ndarray of int32, shape (E,)
    offsets : ndarray of int64, shape (rows + 1,)

    Raises
    ------
    TypeError, ValueError
        As `gather_sum`.

    Examples
    --------
    >>> import catalase as ct
    >>> index, offsets = ct.ops.transpose_index([0, 2, 1, 2], [0, 2, 2, 4], 3)
    >>> index.tolist(), offsets.tolist()
    ([0, 2, 0, 2], [0, 1, 2, 4])
    """
    function = "transpose_index"
    rows = whole_number(function, "rows", rows, 0, _MOST_ROWS)
    numbers, starts = check_lists(function, CPU, index, offsets, rows)
    found: tuple[NDArray[np.int32], NDArray[np.int64]] = CPU.transpose_lists(starts, numbers, rows)
    return found


def check_lists(
    function: str,
    backend: Backend,
    index: Any,
    offsets: Any,
    rows: int,
    names: tuple[str, str] = ("index", "offsets"),
) -> tuple[Any, Any]:
    """Return an index (int32) and offsets (int64) as the kernels of a device take them; refuse others by name.

    Those on a device are looked at for their dtype alone, since the host would have to wait for their values.
    """
    numbers = _row_numbers(function, backend, index, rows, np.int32, names[0])
    return numbers, _check_offsets(function, backend, offsets, numbers.shape[0], f"entries of {names[0]}", names[1])


def check_transposed(
    function: str, backend: Backend, name: str, lists: Any, rows: int, count: int, entries: int
) -> tuple[Any, Any]:
    """Return transposed lists after checking that they are lists of ``rows`` rows over ``count`` lists of ``entries``."""
    if not isinstance(lists, tuple) or len(lists) != 2:
        raise TypeError(
            f"{function}: {name} must be (index, offsets), as ops.transpose_index returns them, got {shown(lists)}"
        )
    index, offsets = check_lists(function, backend, *lists, count, (f"{name}[0]", f"{name}[1]"))
    if index.shape[0] != entries or offsets.shape[0] != rows + 1:
        raise ValueError(
            f"{function}: {name} must have {entries} entries and {rows + 1} offsets, got {index.shape[0]} and "
            f"{offsets.shape[0]}"
        )
    return index, offsets


def _row_numbers(
    function: str, backend: Backend, index: Any, rows: int, dtype: Any, name: str = "index", what: str = "rows"
) -> Any:
    if type(index) is not np.ndarray and is_device_array(index):
        return _on_device(function, backend, name, index, dtype)
    plain = type(index) is np.ndarray and index.dtype == np.int32  # as the lists of a batch are
    given = index if plain else whole_numbers(function, name, index, f"; use {name}.astype(np.int64)")
    if given.ndim != 1:
        raise ValueError(f"{function}: {name} must have one axis, got shape {given.shape}")
    if given.size > _MOST_ROWS or rows > _MOST_ROWS:
        raise ValueError(f"{function}: {name} must name fewer than 2**31 rows, got {given.size} of {rows}")
    numbers = np.ascontiguousarray(given, np.int32)
    bad = _core.bad_row(numbers, rows)
    if bad < 0 and not plain and given.dtype.itemsize >= 4:  # may have been cut to 32 bits
        wrong = np.flatnonzero(numbers != given)
        bad = int(wrong[0]) if wrong.size else -1
    if bad >= 0:
        raise ValueError(
            f"{function}: {name} must be from 0 to {rows - 1}, one of the {rows} {what}, but {name}[{bad}] is {given[bad]}"
        )
    return backend.array(numbers if dtype is np.int32 else np.ascontiguousarray(given, np.int64))


def _check_offsets(
    function: str, backend: Backend, offsets: Any, entries: int, what: str, name: str = "offsets"
) -> Any:
    if type(offsets) is not np.ndarray and is_device_array(offsets):
        return _on_device(function, backend, name, offsets, np.int64)
    plain = type(offsets) is np.ndarray and offsets.dtype == np.int64
    given = offsets if plain else whole_numbers(function, name, offsets, f"; use {name}.astype(np.int64)")
    if given.ndim != 1 or given.size == 0:
        raise ValueError(
            f"{function}: {name} must have one axis and one element more than there are results, got shape {given.shape}"
        )
    if given.dtype == np.uint64:
        given = np.minimum(given, 2**63 - 1)
    starts = np.ascontiguousarray(given, np.int64)
    bad = _core.bad_offset(starts, entries)
    if bad >= 0:
        raise ValueError(
            f"{function}: {name} must ascend from 0 to {entries}, the number of {what}, but {name}[{bad}] is "
            f"{starts[bad]}" + (f" after {starts[bad - 1]}" if bad else "")
        )
    return backend.array(starts)


def _on_device(function: str, backend: Backend, name: str, x: Any, dtype: Any) -> Any:
    if backend.is_host:
        raise TypeError(f"{function}: {name} is on the GPU but the other arrays are not; move it with cupy.asnumpy")
    if x.dtype != dtype or x.ndim != 1:
        kind = np.dtype(dtype)
        raise TypeError(
            f"{function}: {name} must be {kind} with one axis on CUDA, got {x.dtype} of shape {tuple(x.shape)}; use "
            f"{name}.astype('{kind}')"
        )
    return backend.contiguous(x)


def _rows(function: str, name: str, x: Any) -> tuple[Backend, Any, tuple[int, ...]]:
    """Return the backend, the array as a matrix of one row for each row, and the shape of a row."""
    backend, x = float_array(function, name, x)
    if x.ndim == 0:
        raise ValueError(f"{function}: {name} must have rows, got shape ()")
    shape = tuple(x.shape[1:])
    return backend, _matrix(backend, x), shape


def _matrix(backend: Backend, x: Any) -> Any:
    if x.ndim == 2:
        return x
    return backend.reshape(x, (x.shape[0], math.prod(x.shape[1:])))


def _as_given(backend: Backend, y: Any, shape: tuple[int, ...]) -> Any:
    """Return a matrix of results with rows of the shape that the argument's rows had."""
    return y if len(shape) == 1 else backend.reshape(y, (y.shape[0], *shape))


def _listed(function: str, values: Any, index: Any, offsets: Any) -> tuple[Any, ...]:
    backend, x, shape = _rows(function, "values", values)
    return backend, x, shape, *check_lists(function, backend, index, offsets, x.shape[0])


def _listed_backward(function: str, dy: Any, index: Any, offsets: Any, rows: Any) -> tuple[Any, ...]:
    rows = whole_number(function, "rows", rows, 0, _MOST_ROWS)
    backend, x, shape = _rows(function, "dy", dy)
    index, offsets = check_lists(function, backend, index, offsets, rows)
    if x.shape[0] != offsets.shape[0] - 1:
        raise ValueError(
            f"{function}: dy must have a row for each of the {len(offsets) - 1} lists, got shape {dy.shape}"
        )
    return backend, x, shape, index, offsets, rows


def _segments(function: str, values: Any, offsets: Any, name: str = "values") -> tuple[Any, ...]:
    backend, x, shape = _rows(function, name, values)
    if x.shape[0] > _MOST_ROWS:
        raise ValueError(f"{function}: {name} must have fewer than 2**31 rows, got {x.shape[0]}")
    return backend, x, shape, _check_offsets(function, backend, offsets, x.shape[0], f"rows of {name}")


def _gradient(function: str, backend: Backend, dy: Any, shape: tuple[int, ...], name: str, like: Any) -> Any:
    """Return ``dy`` as a matrix after checking it beside another argument."""
    floats(function, dy=dy, **{name: like})
    if tuple(dy.shape) != shape:
        raise ValueError(f"{function}: dy must have shape {shape}, got {tuple(dy.shape)}")
    return _matrix(backend, dy)


def _spread(function: str, dy: Any, offsets: Any, rows: Any, mean: bool) -> Any:
    rows = whole_number(function, "rows", rows, 0, _MOST_ROWS)
    backend, x, shape = _rows(function, "dy", dy)
    starts = _check_offsets(function, backend, offsets, rows, "rows")
    if x.shape[0] != starts.shape[0] - 1:
        raise ValueError(
            f"{function}: dy must have a row for each of the {len(starts) - 1} segments, got shape {tuple(dy.shape)}"
        )
    return _as_given(backend, backend.segment_spread(x, starts, mean, rows), shape)
