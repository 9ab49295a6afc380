"""Convolution on plain arrays in one, two and three dimensions, forward and backward. Channels last, as in TensorFlow."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from .._internal.numbers import flag
from ._conv_check import check_conv, check_options
from ._conv_run import forward, gradients
from .geometry import Padding


def conv1d(
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
) -> NDArray[Any]:
    """Slide a kernel over sequences: x (N, L, C), w (K, C / groups, O), y (N, L', O); all else as `conv2d`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> x = np.array([0.0, 0, 1, 1, 1]).reshape(1, 5, 1)
    >>> ct.ops.conv1d(x, np.array([-1.0, 1.0]).reshape(2, 1, 1), padding="valid").ravel()  # steps
    array([0., 1., 0., 0.])
    """
    return _conv(
        "conv1d", 1, x, w, b, activation, flip_kernel, exact,
        stride=stride, padding=padding, dilation=dilation, groups=groups,
    )  # fmt: skip


def conv2d(
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
) -> NDArray[Any]:
    """Slide a kernel over images: ``activation(sum_(kh, kw, c) x[n, h s + kh d - p, w s + kw d - p, c] w[kh, kw, c, o] + b)``.

    Parameters
    ----------
    x : ndarray, shape (N, H, W, C)
        float32 or float64; copied first where it is not contiguous.
    w : ndarray, shape (KH, KW, C / groups, O)
        Same dtype.
    b : ndarray, shape (O,), optional
    stride, dilation : int or one int a dimension
        1 or more.
    padding : {"same", "valid", "full"}, int, or one pair (before, after) a dimension
        Zeros around x. "same" is TensorFlow's rule: ceil(H / stride) outputs, the odd zero behind. "valid" pads nothing;
        "full" keeps every window that touches x.
    groups : int
        Channels are cut into as many groups that do not see each other; ``groups == C`` is a depthwise convolution.
    activation : {None, "relu", "tanh", "sigmoid", "softplus"}
    flip_kernel : bool
        True convolution, the kernel reversed in every dimension. The default is cross-correlation, as in all frameworks.
    exact : bool
        Only the direct algorithm, whose bits are those of a product; never a faster one that rounds more.

    Returns
    -------
    ndarray, shape (N, H', W', O)

    Raises
    ------
    TypeError
        If an input is not a float32 or float64 array, dtypes differ, or stride, padding or dilation is of a wrong kind.
    ValueError
        If ranks or channels do not fit, groups do not divide the channels, or the kernel is larger than the padded input.

    Notes
    -----
    Directly each output is one chain of fused multiply-adds in ascending (kh, kw, c), with the cuts of `matmul`: the bits of
    `matmul` on an explicit im2col, for any batch and number of threads. No im2col is made. In float32, 3x3 and 5x5 kernels of
    stride 1 with 16 channels and more go by Winograd's way where it pays, twice to three times as fast: again the same bits for
    any batch and number of threads, but others, with a root mean square error of 1 to 4e-6 of the output's deviation. NaN and
    infinity propagate; the zeros around x count as terms. N = 0 gives an empty array.

    References
    ----------
    Lavin and Gray, "Fast algorithms for convolutional neural networks", arXiv:1509.09308.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> x = np.ones((1, 3, 3, 1), np.float32)
    >>> ct.ops.conv2d(x, np.ones((3, 3, 1, 1), np.float32))[0, :, :, 0]
    array([[4., 6., 4.],
           [6., 9., 6.],
           [4., 6., 4.]], dtype=float32)
    """
    return _conv(
        "conv2d", 2, x, w, b, activation, flip_kernel, exact,
        stride=stride, padding=padding, dilation=dilation, groups=groups,
    )  # fmt: skip


def conv3d(
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
) -> NDArray[Any]:
    """Slide a kernel over volumes: x (N, D, H, W, C), w (KD, KH, KW, C / groups, O); all else as `conv2d`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.conv3d(np.ones((1, 4, 4, 4, 2)), np.ones((2, 2, 2, 2, 3)), padding="valid").shape
    (1, 3, 3, 3, 3)
    """
    return _conv(
        "conv3d", 3, x, w, b, activation, flip_kernel, exact,
        stride=stride, padding=padding, dilation=dilation, groups=groups,
    )  # fmt: skip


def conv1d_backward(
    dy: NDArray[Any], x: NDArray[Any], w: NDArray[Any], y: NDArray[Any], **options: Any
) -> tuple[NDArray[Any] | None, NDArray[Any], NDArray[Any]]:
    """Return the gradients of a loss with respect to ``x``, ``w`` and ``b`` of `conv1d`; see `conv2d_backward`."""
    return _conv_backward("conv1d_backward", 1, dy, x, w, y, **options)


def conv2d_backward(
    dy: NDArray[Any], x: NDArray[Any], w: NDArray[Any], y: NDArray[Any], **options: Any
) -> tuple[NDArray[Any] | None, NDArray[Any], NDArray[Any]]:
    """Return the gradients of a loss with respect to ``x``, ``w`` and ``b`` of `conv2d`.

    Parameters
    ----------
    dy : ndarray, shape (N, H', W', O)
        Gradient at the output.
    x, w
        As they were given to `conv2d`.
    y : ndarray, shape (N, H', W', O)
        What `conv2d` returned: the derivative of the activation is taken from it.
    **options
        ``stride``, ``padding``, ``dilation``, ``groups``, ``activation``, ``flip_kernel`` and ``exact`` as they were given;
        ``need_dx`` (default True): whether to compute the gradient of ``x``, which a first layer does not need;
        ``out_dw``, ``out_db``: contiguous arrays to write the gradients of ``w`` and ``b`` to.

    Returns
    -------
    dx : ndarray, shape of x, or None
    dw : ndarray, shape of w
        Each one chain over the pixels in ascending order, cut every 4,096.
    db : ndarray, shape (O,)

    Raises
    ------
    TypeError, ValueError
        As `conv2d`, and for gradients whose shapes do not fit.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> x, w = np.ones((2, 5, 5, 3)), np.ones((3, 3, 3, 4))
    >>> y = ct.ops.conv2d(x, w, activation="relu")
    >>> dx, dw, db = ct.ops.conv2d_backward(np.ones_like(y), x, w, y, activation="relu")
    >>> dx.shape, dw.shape, db.tolist()
    ((2, 5, 5, 3), (3, 3, 3, 4), [50.0, 50.0, 50.0, 50.0])
    """
    return _conv_backward("conv2d_backward", 2, dy, x, w, y, **options)


def conv3d_backward(
    dy: NDArray[Any], x: NDArray[Any], w: NDArray[Any], y: NDArray[Any], **options: Any
) -> tuple[NDArray[Any] | None, NDArray[Any], NDArray[Any]]:
    """Return the gradients of a loss with respect to ``x``, ``w`` and ``b`` of `conv3d`; see `conv2d_backward`."""
    return _conv_backward("conv3d_backward", 3, dy, x, w, y, **options)


def _conv(
    function: str, dims: int, x: NDArray[Any], w: NDArray[Any], b: NDArray[Any] | None, activation: str | None,
    flip_kernel: bool, exact: bool, **geometry: Any,
) -> NDArray[Any]:  # fmt: skip
    groups, g = check_conv(function, dims, x, w, b, **geometry)
    return forward(
        function, x, w, b, (x.shape[0], *g.out, w.shape[-1]), groups, g,
        transposed=False, activation=activation,
        flip_kernel=flag(function, "flip_kernel", flip_kernel), exact=flag(function, "exact", exact),
    )  # fmt: skip


def _conv_backward(
    function: str, dims: int, dy: NDArray[Any], x: NDArray[Any], w: NDArray[Any], y: NDArray[Any], *,
    stride: Any = 1, padding: Padding = "same", dilation: Any = 1, groups: int = 1, **options: Any,
) -> tuple[NDArray[Any] | None, NDArray[Any], NDArray[Any]]:  # fmt: skip
    groups, g = check_conv(function, dims, x, w, None, stride=stride, padding=padding, dilation=dilation, groups=groups)
    return gradients(
        function,
        dy,
        x,
        w,
        y,
        (x.shape[0], *g.out, w.shape[-1]),
        groups,
        g,
        transposed=False,
        **check_options(function, options),
    )
