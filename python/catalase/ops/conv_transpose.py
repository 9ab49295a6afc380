"""Transposed convolution on plain arrays: the gradient of a convolution with respect to its input, as a layer."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from .._internal.numbers import flag
from ._conv_check import check_arrays, check_kernel_and_bias, check_options
from ._conv_run import forward, gradients
from .geometry import Geometry, Padding, transposed


def conv_transpose1d(
    x: NDArray[Any],
    w: NDArray[Any],
    b: NDArray[Any] | None = None,
    *,
    stride: int | tuple[int, ...] = 1,
    padding: Padding = "same",
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
    activation: str | None = None,
    flip_kernel: bool = False,
    exact: bool = False,
    output_size: int | tuple[int, ...] | None = None,
) -> NDArray[Any]:
    """Transposed convolution of sequences: x (N, L, I), w (K, O / groups, I), y (N, L', O); see `conv_transpose2d`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> x = np.array([1.0, 2.0]).reshape(1, 2, 1)
    >>> ct.ops.conv_transpose1d(x, np.ones((2, 1, 1)), stride=2).ravel()
    array([1., 1., 2., 2.])
    """
    return _conv_transpose(
        "conv_transpose1d", 1, x, w, b, activation, flip_kernel, exact,
        stride=stride, padding=padding, dilation=dilation, groups=groups, output_size=output_size,
    )  # fmt: skip


def conv_transpose2d(
    x: NDArray[Any],
    w: NDArray[Any],
    b: NDArray[Any] | None = None,
    *,
    stride: int | tuple[int, ...] = 1,
    padding: Padding = "same",
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
    activation: str | None = None,
    flip_kernel: bool = False,
    exact: bool = False,
    output_size: int | tuple[int, ...] | None = None,
) -> NDArray[Any]:
    """Transposed convolution of images: what `conv2d` from y to x, with the same options, does to gradients.

    Parameters
    ----------
    x : ndarray, shape (N, H, W, I)
        float32 or float64; copied first where it is not contiguous.
    w : ndarray, shape (KH, KW, O / groups, I)
        Same dtype; output channels before input channels, as in TensorFlow.
    b : ndarray, shape (O,), optional
    stride, padding, dilation, groups, activation, flip_kernel, exact
        Those of the convolution that goes back, as in `conv2d`. "same" gives stride times the size, "valid"
        ``(size - 1) * stride + (K - 1) * dilation + 1``.
    output_size : int or one int a dimension, optional
        Where several sizes fit: one that the convolution takes back to the size of x.

    Returns
    -------
    ndarray, shape (N, H', W', O)

    Raises
    ------
    TypeError, ValueError
        As `conv2d`; ValueError also for an ``output_size`` that does not fit.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.conv_transpose2d(np.ones((1, 7, 7, 8)), np.ones((3, 3, 4, 8)), stride=2).shape
    (1, 14, 14, 4)
    """
    return _conv_transpose(
        "conv_transpose2d", 2, x, w, b, activation, flip_kernel, exact,
        stride=stride, padding=padding, dilation=dilation, groups=groups, output_size=output_size,
    )  # fmt: skip


def conv_transpose3d(
    x: NDArray[Any],
    w: NDArray[Any],
    b: NDArray[Any] | None = None,
    *,
    stride: int | tuple[int, ...] = 1,
    padding: Padding = "same",
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
    activation: str | None = None,
    flip_kernel: bool = False,
    exact: bool = False,
    output_size: int | tuple[int, ...] | None = None,
) -> NDArray[Any]:
    """Transposed convolution of volumes: x (N, D, H, W, I), w (KD, KH, KW, O / groups, I); see `conv_transpose2d`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.conv_transpose3d(np.ones((1, 2, 2, 2, 3)), np.ones((2, 2, 2, 1, 3)), stride=2).shape
    (1, 4, 4, 4, 1)
    """
    return _conv_transpose(
        "conv_transpose3d", 3, x, w, b, activation, flip_kernel, exact,
        stride=stride, padding=padding, dilation=dilation, groups=groups, output_size=output_size,
    )  # fmt: skip


def conv_transpose1d_backward(
    dy: NDArray[Any], x: NDArray[Any], w: NDArray[Any], y: NDArray[Any], **options: Any
) -> tuple[NDArray[Any] | None, NDArray[Any], NDArray[Any]]:
    """Return the gradients with respect to ``x``, ``w`` and ``b`` of `conv_transpose1d`."""
    return _conv_transpose_backward("conv_transpose1d_backward", 1, dy, x, w, y, **options)


def conv_transpose2d_backward(
    dy: NDArray[Any], x: NDArray[Any], w: NDArray[Any], y: NDArray[Any], **options: Any
) -> tuple[NDArray[Any] | None, NDArray[Any], NDArray[Any]]:
    """Return the gradients of a loss with respect to ``x``, ``w`` and ``b`` of `conv_transpose2d`.

    Parameters and errors as `conv2d_backward`; the options are those of `conv_transpose2d`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> x, w = np.ones((1, 4, 4, 3)), np.ones((2, 2, 5, 3))
    >>> y = ct.ops.conv_transpose2d(x, w, stride=2)
    >>> dx, dw, db = ct.ops.conv_transpose2d_backward(np.ones_like(y), x, w, y, stride=2)
    >>> dx.shape, dw.shape, db.shape
    ((1, 4, 4, 3), (2, 2, 5, 3), (5,))
    """
    return _conv_transpose_backward("conv_transpose2d_backward", 2, dy, x, w, y, **options)


def conv_transpose3d_backward(
    dy: NDArray[Any], x: NDArray[Any], w: NDArray[Any], y: NDArray[Any], **options: Any
) -> tuple[NDArray[Any] | None, NDArray[Any], NDArray[Any]]:
    """Return the gradients with respect to ``x``, ``w`` and ``b`` of `conv_transpose3d`."""
    return _conv_transpose_backward("conv_transpose3d_backward", 3, dy, x, w, y, **options)


def _conv_transpose(
    function: str, dims: int, x: NDArray[Any], w: NDArray[Any], b: NDArray[Any] | None, activation: str | None,
    flip_kernel: bool, exact: bool, **geometry: Any,
) -> NDArray[Any]:  # fmt: skip
    groups, size, g = _check(function, dims, x, w, b, **geometry)
    return forward(
        function, x, w, b, (x.shape[0], *size, w.shape[-2] * groups), groups, g,
        transposed=True, activation=activation,
        flip_kernel=flag(function, "flip_kernel", flip_kernel), exact=flag(function, "exact", exact),
    )  # fmt: skip


def _conv_transpose_backward(
    function: str, dims: int, dy: NDArray[Any], x: NDArray[Any], w: NDArray[Any], y: NDArray[Any], *,
    stride: Any = 1, padding: Padding = "same", dilation: Any = 1, groups: int = 1, output_size: Any = None,
    **options: Any,
) -> tuple[NDArray[Any] | None, NDArray[Any], NDArray[Any]]:  # fmt: skip
    groups, size, g = _check(
        function, dims, x, w, None, stride=stride, padding=padding, dilation=dilation, groups=groups,
        output_size=output_size,
    )  # fmt: skip
    shape = (x.shape[0], *size, w.shape[-2] * groups)
    return gradients(function, dy, x, w, y, shape, groups, g, transposed=True, **check_options(function, options))


def _check(
    function: str,
    dims: int,
    x: NDArray[Any],
    w: NDArray[Any],
    b: NDArray[Any] | None,
    *,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
    output_size: Any,
) -> tuple[int, tuple[int, ...], Geometry]:
    check_arrays(function, dims, x, w, b, groups, channels=("I", "O / groups, I"))
    if x.shape[-1] % groups:
        raise ValueError(f"{function}: groups must divide the {x.shape[-1]} channels of x, got {groups}")
    if x.shape[-1] != w.shape[-1]:
        hint = "; w takes output channels first" if x.shape[-1] == w.shape[-2] else ""
        raise ValueError(
            f"{function}: x has {x.shape[-1]} channels but w takes {w.shape[-1]} (x {x.shape}, w {w.shape}){hint}"
        )
    check_kernel_and_bias(function, w.shape[:-2], w.shape[-2] * int(groups), b)
    size, geometry = transposed(
        function, x.shape[1:-1], w.shape[:-2],
        stride=stride, padding=padding, dilation=dilation, output_size=output_size,
    )  # fmt: skip
    return int(groups), size, geometry
