"""Transposed convolution on plain arrays: the gradient of a convolution with respect to its input, as a layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ._check import activation_code, contiguous, floating_anywhere, is_device_array, output, same_dtype
from ._conv_check import (
    LETTERS,
    check_kernel_and_bias,
    contiguous_output,
    five,
    five_weights,
    gradient_before_activation,
)
from ._conv_geometry import Geometry, Padding, transposed


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
    function: str,
    dims: int,
    x: NDArray[Any],
    w: NDArray[Any],
    b: NDArray[Any] | None,
    activation: str | None,
    flip_kernel: bool,
    exact: bool,
    **geometry: Any,
) -> NDArray[Any]:
    code = activation_code(function, activation)
    groups, size, g = _check(function, dims, x, w, b, **geometry)
    if type(x) is not np.ndarray and is_device_array(x):
        from .._cuda import conv as device

        return device.conv_transpose(function, x, w, b, code, size, g, groups, bool(flip_kernel))
    y = output(function, None, (x.shape[0], *size, w.shape[-2] * groups), x.dtype)
    bias = None if b is None else contiguous(b)
    numbers = (*g.triples(), groups, bool(flip_kernel), bool(exact))
    _core.conv_backward_data(five(x), five_weights(w), bias, code, *numbers, five(y))
    return y


def _conv_transpose_backward(
    function: str,
    dims: int,
    dy: NDArray[Any],
    x: NDArray[Any],
    w: NDArray[Any],
    y: NDArray[Any],
    *,
    stride: Any = 1,
    padding: Padding = "same",
    dilation: Any = 1,
    groups: int = 1,
    activation: str | None = None,
    flip_kernel: bool = False,
    exact: bool = False,
    output_size: Any = None,
    need_dx: bool = True,
    out_dw: NDArray[Any] | None = None,
    out_db: NDArray[Any] | None = None,
) -> tuple[NDArray[Any] | None, NDArray[Any], NDArray[Any]]:
    groups, size, g = _check(
        function, dims, x, w, None, stride=stride, padding=padding, dilation=dilation, groups=groups,
        output_size=output_size,
    )  # fmt: skip
    if type(x) is not np.ndarray and is_device_array(x):
        from .._cuda import conv as device

        code, flip = activation_code(function, activation), bool(flip_kernel)
        return device.conv_transpose_backward(
            function, dy, x, w, y, code, size, g, groups, flip, need_dx, out_dw, out_db
        )
    shape = (x.shape[0], *size, w.shape[-2] * groups)
    dz, db = gradient_before_activation(function, dy, y, shape, x.dtype, activation, out_db)
    numbers = (*g.triples(), groups, bool(flip_kernel), bool(exact))
    dw = contiguous_output(function, out_dw, w.shape, w.dtype)
    _core.conv_backward_weights(five(dz), five(x), *numbers, five_weights(dw))
    if not need_dx:
        return None, dw, db
    dx = output(function, None, x.shape, x.dtype)
    _core.conv_forward(five(dz), five_weights(w), None, 0, *numbers, five(dx))
    return dx, dw, db


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
    floating_anywhere(function, "x", x)
    floating_anywhere(function, "w", w)
    if b is not None:
        floating_anywhere(function, "b", b)
    same_dtype(function, x=x, w=w, b=b)
    letters = ", ".join(LETTERS[dims])
    if x.ndim != dims + 2 or w.ndim != dims + 2:
        kernel = ", ".join("K" + letter for letter in LETTERS[dims])
        raise ValueError(
            f"{function}: x must be (N, {letters}, I) and w ({kernel}, O / groups, I), {dims + 2} dimensions each, "
            f"got x {x.shape} and w {w.shape}"
        )
    if isinstance(groups, bool) or not isinstance(groups, (int, np.integer)):
        raise TypeError(f"{function}: groups must be an int, got {groups!r}")
    if groups < 1 or x.shape[-1] % groups:
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
