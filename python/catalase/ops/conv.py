"""Convolution and transposed convolution in one to three dimensions, forward and backward, with channels last."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import flag, whole_number
from ..backends import Backend, backend_of
from .checks import activation_code, float_array, floats, output, separate
from .geometry import Geometry, Padding, convolution, transposed
from .linear import before_activation


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
    """Slide a kernel over sequences: x (N, L, C), w (K, C / groups, O), y (N, L', O). Everything else is as in `conv2d`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> x = np.array([0.0, 0, 1, 1, 1]).reshape(1, 5, 1)
    >>> ct.ops.conv1d(x, np.array([-1.0, 1.0]).reshape(2, 1, 1), padding="valid").ravel()  # steps
    array([0., 1., 0., 0.])
    """
    return _forward(
        "conv1d", 1, False, x, w, b, activation, flip_kernel, exact,
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
        float32 or float64; copied first if it is not contiguous.
    w : ndarray, shape (KH, KW, C / groups, O)
        Same dtype.
    b : ndarray, shape (O,), optional
    stride, dilation : int or one int a dimension
        1 or more.
    padding : {"same", "valid", "full"}, int, or one pair (before, after) a dimension
        Zeros around x. "same" is TensorFlow's rule: ceil(H / stride) outputs, an odd zero at the end. "valid" adds none;
        "full" keeps every window that touches x.
    groups : int
        Number of groups of channels that are convolved separately; ``groups == C`` is a depthwise convolution.
    activation : str or None
        As for `activation`.
    flip_kernel : bool
        True convolution, with the kernel reversed in every dimension. The default is cross-correlation, as in all frameworks.
    exact : bool
        Use only the direct algorithm, whose bits are those of a product, and never a faster one that rounds more.

    Returns
    -------
    ndarray, shape (N, H', W', O)

    Raises
    ------
    TypeError
        If an input is not a float32 or float64 array, dtypes differ, or stride, padding or dilation has a wrong type.
    ValueError
        If ranks or channels do not fit, groups do not divide the channels, or the kernel is larger than the padded input.

    Notes
    -----
    In the direct algorithm each output is one chain of fused multiply-adds in ascending (kh, kw, c), cut as in `matmul`. The
    bits are those of `matmul` on an explicit im2col (which is not made), for any batch and number of threads. In float32, 3x3
    and 5x5 kernels of stride 1 with 16 channels or more use Winograd's algorithm where it is faster (2 to 3 times). Its bits
    do not depend on batch or threads either, but differ, with a root mean square error of 1 to 4e-6 of the output's deviation.
    NaN and infinity propagate; the zeros around x count as terms. N = 0 gives an empty array.

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
    return _forward(
        "conv2d", 2, False, x, w, b, activation, flip_kernel, exact,
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
    """Slide a kernel over volumes: x (N, D, H, W, C), w (KD, KH, KW, C / groups, O). Everything else is as in `conv2d`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.conv3d(np.ones((1, 4, 4, 4, 2)), np.ones((2, 2, 2, 2, 3)), padding="valid").shape
    (1, 3, 3, 3, 3)
    """
    return _forward(
        "conv3d", 3, False, x, w, b, activation, flip_kernel, exact,
        stride=stride, padding=padding, dilation=dilation, groups=groups,
    )  # fmt: skip


def conv1d_backward(
    dy: NDArray[Any], x: NDArray[Any], w: NDArray[Any], y: NDArray[Any], **options: Any
) -> tuple[NDArray[Any] | None, NDArray[Any], NDArray[Any]]:
    """Return the gradients of a loss with respect to ``x``, ``w`` and ``b`` of `conv1d`; see `conv2d_backward`."""
    return _backward("conv1d_backward", 1, False, dy, x, w, y, **options)


def conv2d_backward(
    dy: NDArray[Any], x: NDArray[Any], w: NDArray[Any], y: NDArray[Any], **options: Any
) -> tuple[NDArray[Any] | None, NDArray[Any], NDArray[Any]]:
    """Return the gradients of a loss with respect to ``x``, ``w`` and ``b`` of `conv2d`.

    Parameters
    ----------
    dy : ndarray, shape (N, H', W', O)
        Gradient at the output.
    x, w
        The arguments of `conv2d`.
    y : ndarray, shape (N, H', W', O)
        The result of `conv2d`, from which the derivative of the activation is computed, as in `linear_backward`.
    **options
        ``stride``, ``padding``, ``dilation``, ``groups``, ``activation``, ``flip_kernel`` and ``exact`` of `conv2d`;
        ``need_dx`` (default True): whether to compute the gradient of ``x``, which a first layer does not need;
        ``out_dw``, ``out_db``: contiguous arrays to write the gradients of ``w`` and ``b`` to.

    Returns
    -------
    dx : ndarray, shape of x, or None
    dw : ndarray, shape of w
        Each element is one chain over the pixels in ascending order, cut every 4,096.
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
    return _backward("conv2d_backward", 2, False, dy, x, w, y, **options)


def conv3d_backward(
    dy: NDArray[Any], x: NDArray[Any], w: NDArray[Any], y: NDArray[Any], **options: Any
) -> tuple[NDArray[Any] | None, NDArray[Any], NDArray[Any]]:
    """Return the gradients of a loss with respect to ``x``, ``w`` and ``b`` of `conv3d`; see `conv2d_backward`."""
    return _backward("conv3d_backward", 3, False, dy, x, w, y, **options)


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
    """Return the transposed convolution of sequences: x (N, L, I), w (K, O / groups, I), y (N, L', O); see `conv_transpose2d`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> x = np.array([1.0, 2.0]).reshape(1, 2, 1)
    >>> ct.ops.conv_transpose1d(x, np.ones((2, 1, 1)), stride=2).ravel()
    array([1., 1., 2., 2.])
    """
    return _forward(
        "conv_transpose1d", 1, True, x, w, b, activation, flip_kernel, exact,
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
    """Return the transposed convolution of images: the map of gradients of a `conv2d` from y to x with the same options.

    Parameters
    ----------
    x : ndarray, shape (N, H, W, I)
        float32 or float64; copied first if it is not contiguous.
    w : ndarray, shape (KH, KW, O / groups, I)
        Same dtype; output channels come before input channels, as in TensorFlow.
    b : ndarray, shape (O,), optional
    stride, padding, dilation, groups, activation, flip_kernel, exact
        Options of the convolution from y to x, as in `conv2d`. "same" gives stride times the size, "valid"
        ``(size - 1) * stride + (K - 1) * dilation + 1``.
    output_size : int or one int a dimension, optional
        The size of y, where the convolution maps several sizes to that of x.

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
    return _forward(
        "conv_transpose2d", 2, True, x, w, b, activation, flip_kernel, exact,
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
    """Return the transposed convolution of volumes: x (N, D, H, W, I), w (KD, KH, KW, O / groups, I); see `conv_transpose2d`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.ops.conv_transpose3d(np.ones((1, 2, 2, 2, 3)), np.ones((2, 2, 2, 1, 3)), stride=2).shape
    (1, 4, 4, 4, 1)
    """
    return _forward(
        "conv_transpose3d", 3, True, x, w, b, activation, flip_kernel, exact,
        stride=stride, padding=padding, dilation=dilation, groups=groups, output_size=output_size,
    )  # fmt: skip


def conv_transpose1d_backward(
    dy: NDArray[Any], x: NDArray[Any], w: NDArray[Any], y: NDArray[Any], **options: Any
) -> tuple[NDArray[Any] | None, NDArray[Any], NDArray[Any]]:
    """Return the gradients with respect to ``x``, ``w`` and ``b`` of `conv_transpose1d`."""
    return _backward("conv_transpose1d_backward", 1, True, dy, x, w, y, **options)


def conv_transpose2d_backward(
    dy: NDArray[Any], x: NDArray[Any], w: NDArray[Any], y: NDArray[Any], **options: Any
) -> tuple[NDArray[Any] | None, NDArray[Any], NDArray[Any]]:
    """Return the gradients of a loss with respect to ``x``, ``w`` and ``b`` of `conv_transpose2d`.

    Parameters and errors are those of `conv2d_backward`; the options are those of `conv_transpose2d`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> x, w = np.ones((1, 4, 4, 3)), np.ones((2, 2, 5, 3))
    >>> y = ct.ops.conv_transpose2d(x, w, stride=2)
    >>> dx, dw, db = ct.ops.conv_transpose2d_backward(np.ones_like(y), x, w, y, stride=2)
    >>> dx.shape, dw.shape, db.shape
    ((1, 4, 4, 3), (2, 2, 5, 3), (5,))
    """
    return _backward("conv_transpose2d_backward", 2, True, dy, x, w, y, **options)


def conv_transpose3d_backward(
    dy: NDArray[Any], x: NDArray[Any], w: NDArray[Any], y: NDArray[Any], **options: Any
) -> tuple[NDArray[Any] | None, NDArray[Any], NDArray[Any]]:
    """Return the gradients with respect to ``x``, ``w`` and ``b`` of `conv_transpose3d`."""
    return _backward("conv_transpose3d_backward", 3, True, dy, x, w, y, **options)


class _Plan(NamedTuple):
    """A convolution whose arrays and options were checked; ``shape`` is that of the output."""

    backend: Backend
    shape: tuple[int, ...]
    groups: int
    geometry: Geometry
    activation: int
    flip_kernel: bool
    exact: bool


_PLAIN = (int, bool, str, type(None))
_MOST_PLANS = 1000
_plans: dict[Any, _Plan] = {}  # by `_signature`
_array_types: set[type] = {np.ndarray}  # of arrays whose checks depend on nothing but dtype and shape


def _plan(
    function: str, dims: int, transpose: bool, x: NDArray[Any], w: NDArray[Any], b: NDArray[Any] | None,
    activation: str | None = None, flip_kernel: bool = False, exact: bool = False, **geometry: Any,
) -> _Plan:  # fmt: skip
    """Check a convolution and work out its geometry; calls with one signature are checked once."""
    signature = _signature(x, w, b, dims, transpose, activation, flip_kernel, exact, *geometry.values())
    plan = None if signature is None else _plans.get(signature)
    if plan is None:
        if transpose:
            groups, size, g = _check_transpose(function, dims, x, w, b, **geometry)
            shape = (x.shape[0], *size, w.shape[-2] * groups)
        else:
            groups, g = check_conv(function, dims, x, w, b, **geometry)
            shape = (x.shape[0], *g.out, w.shape[-1])
        flip_kernel, exact = flag(function, "flip_kernel", flip_kernel), flag(function, "exact", exact)
        plan = _Plan(backend_of(x), shape, groups, g, activation_code(function, activation), flip_kernel, exact)
        if not plan.backend.is_host:
            _array_types.add(type(x))
        if signature is not None:
            if len(_plans) >= _MOST_PLANS:
                _plans.clear()
            _plans[signature] = plan
    return plan


def _signature(x: Any, w: Any, b: Any, *options: Any) -> tuple[Any, ...] | None:
    """Return all that the checks of a call depend on; None where arrays or options are not of the usual types.

    The types of the options are part of it, since 1 and True are equal.
    """
    kind = type(x)
    if kind not in _array_types or type(w) is not kind or not (b is None or type(b) is kind):
        return None
    for option in options:
        if type(option) not in _PLAIN and not (type(option) is tuple and all(type(n) is int for n in option)):
            return None
    bias = None if b is None else (b.dtype, b.shape)
    return kind, x.dtype, x.shape, w.dtype, w.shape, bias, options, tuple(map(type, options))


def _forward(
    function: str, dims: int, transpose: bool, x: NDArray[Any], w: NDArray[Any], b: NDArray[Any] | None, *options: Any,
    **geometry: Any,
) -> NDArray[Any]:  # fmt: skip
    backend, shape, groups, g, activation, flip_kernel, exact = _plan(
        function, dims, transpose, x, w, b, *options, **geometry
    )
    w = w if g.all_taps else g.select(w, flip_kernel)
    return backend.conv(x, w, b, activation, shape, g, groups, flip_kernel, exact, transpose)


def _backward(
    function: str,
    dims: int,
    transpose: bool,
    dy: NDArray[Any],
    x: NDArray[Any],
    w: NDArray[Any],
    y: NDArray[Any],
    *,
    stride: Any = 1,
    padding: Padding = "same",
    dilation: Any = 1,
    groups: int = 1,
    **options: Any,
) -> tuple[NDArray[Any] | None, NDArray[Any], NDArray[Any]]:
    """Return the gradients with respect to x (None if not needed), w and b."""
    geometry = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    if transpose:
        geometry["output_size"] = options.pop("output_size", None)
    plan = _plan(function, dims, transpose, x, w, None, **geometry)
    return _gradients(function, plan, transpose, dy, x, w, y, **check_options(function, options))


def _gradients(
    function: str,
    plan: _Plan,
    transpose: bool,
    dy: NDArray[Any],
    x: NDArray[Any],
    w: NDArray[Any],
    y: NDArray[Any],
    *,
    activation: str | None = None,
    flip_kernel: bool = False,
    exact: bool = False,
    need_dx: bool = True,
    out_dw: NDArray[Any] | None = None,
    out_db: NDArray[Any] | None = None,
) -> tuple[NDArray[Any] | None, NDArray[Any], NDArray[Any]]:
    backend, shape, groups, g, *_ = plan
    if out_dw is not None:
        output(function, backend, out_dw, w.shape, w.dtype, "out_dw", dense=True)
    if out_dw is not None or out_db is not None:
        separate(function, {"out_dw": out_dw, "out_db": out_db}, {"dy": dy, "x": x, "w": w, "y": y})
    dz, db = gradient_before_activation(function, dy, x, y, shape, activation, out_db)
    dw = backend.empty(w.shape, w.dtype) if out_dw is None else out_dw
    taps = g.select(w, flip_kernel)
    part = dw if g.all_taps else backend.empty(taps.shape, w.dtype)
    image, result = (dz, x) if transpose else (x, dz)
    backend.conv_weights(image, result, part, g, groups, flip_kernel, exact)
    if part is not dw:  # taps that never meet the input have gradient 0
        backend.copyto(dw, 0.0)
        g.select(dw, flip_kernel)[...] = part
    if not need_dx:
        return None, dw, db
    return backend.conv(dz, taps, None, 0, x.shape, g, groups, flip_kernel, exact, not transpose), dw, db


def _check_transpose(
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


LETTERS = {1: "L", 2: "HW", 3: "DHW"}


def check_conv(
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
) -> tuple[int, Geometry]:
    """Check the arrays of a convolution, and return the number of groups and the geometry."""
    check_arrays(function, dims, x, w, b, groups, channels=("C", "C / groups, O"))
    if w.shape[-1] % groups or x.shape[-1] % groups:
        raise ValueError(
            f"{function}: groups must divide the {x.shape[-1]} channels of x and the {w.shape[-1]} of w, got {groups}"
        )
    if x.shape[-1] != w.shape[-2] * groups:
        raise ValueError(
            f"{function}: x has {x.shape[-1]} channels but w takes {w.shape[-2]} a group in {groups} groups "
            f"(x {x.shape}, w {w.shape})"
        )
    check_kernel_and_bias(function, w.shape[:-2], w.shape[-1], b)
    return int(groups), convolution(
        function, x.shape[1:-1], w.shape[:-2], stride=stride, padding=padding, dilation=dilation
    )


def check_arrays(
    function: str,
    dims: int,
    x: NDArray[Any],
    w: NDArray[Any],
    b: NDArray[Any] | None,
    groups: Any,
    channels: tuple[str, str],
) -> None:
    """Refuse wrong dtypes and numbers of dimensions; `channels` names the last axes of x and of w."""
    floats(function, optional=("b",), x=x, w=w, b=b)
    if dims < 0:
        raise ValueError(f"{function}: x must be (N, ..., C), with two axes or more, got {x.shape}")
    letters = LETTERS.get(dims, [f"S{i}" for i in range(dims)])
    if x.ndim != dims + 2 or w.ndim != dims + 2:
        kernel = ", ".join("K" + letter for letter in letters)
        raise ValueError(
            f"{function}: x must be (N, {', '.join(letters)}, {channels[0]}) and w ({kernel}, {channels[1]}), "
            f"{dims + 2} dimensions each, got x {x.shape} and w {w.shape}"
        )
    whole_number(function, "groups", groups)


_BACKWARD_OPTIONS = ("activation", "flip_kernel", "exact", "need_dx", "out_dw", "out_db")


def check_options(function: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a gradient other than its geometry; refuse unknown ones, and flags that are not booleans."""
    for name in options:
        if name not in _BACKWARD_OPTIONS:
            raise TypeError(f"{function}: there is no option {name}; there are {', '.join(_BACKWARD_OPTIONS)}")
    flags = {
        name: flag(function, name, options[name]) for name in ("flip_kernel", "exact", "need_dx") if name in options
    }
    return options | flags


def check_kernel_and_bias(function: str, kernel: tuple[int, ...], channels: int, b: NDArray[Any] | None) -> None:
    """Refuse kernels without taps, and biases whose length is not the number of output channels."""
    if min(kernel, default=1) < 1:
        raise ValueError(f"{function}: the kernel must have 1 tap or more in every dimension, got {kernel}")
    if b is not None and b.shape != (channels,):
        raise ValueError(f"{function}: b must have shape ({channels},), one value an output channel, got {b.shape}")


def gradient_before_activation(
    function: str,
    dy: NDArray[Any],
    x: NDArray[Any],
    y: NDArray[Any],
    shape: tuple[int, ...],
    activation: str | None,
    out_db: NDArray[Any] | None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the gradient before the activation, contiguous, and the gradient of the bias."""
    for name, array in (("dy", dy), ("y", y)):
        found = float_array(function, name, array)[1].dtype
        if found != x.dtype:
            raise TypeError(f"{function}: {name} must be {x.dtype} as x and w are, got {found}")
    backend, dy, _, y = floats(function, dy=dy, x=x, y=y)
    for name, array in (("dy", dy), ("y", y)):
        if array.shape != shape:
            raise ValueError(
                f"{function}: {name} must have shape {shape}, as the output has with this stride, padding and dilation, "
                f"got {array.shape}"
            )
    flat = (prod(shape[:-1]), shape[-1])
    dy, y = backend.contiguous(dy).reshape(flat), backend.contiguous(y).reshape(flat)
    dz, db = before_activation(function, dy, y, activation, out_db)
    return backend.contiguous(dz).reshape(shape), db
