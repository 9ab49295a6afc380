"""What convolution and its transpose share: each one's forward pass is the other's gradient of the input."""

from __future__ import annotations

from typing import Any

from numpy import ndarray
from numpy.typing import NDArray

from .. import _core
from ._check import activation_code, contiguous, is_device_array, output
from ._conv_check import contiguous_output, five, five_weights, gradient_before_activation
from ._conv_geometry import Geometry


def forward(
    function: str,
    x: NDArray[Any],
    w: NDArray[Any],
    b: NDArray[Any] | None,
    shape: tuple[int, ...],
    groups: int,
    g: Geometry,
    *,
    transposed: bool,
    activation: str | None,
    flip_kernel: bool,
    exact: bool,
) -> NDArray[Any]:
    """Run a convolution whose arrays were checked; `shape` is that of the output."""
    code = activation_code(function, activation)
    if type(x) is not ndarray and is_device_array(x):
        from .._cuda import conv as device

        return device.forward(function, x, w, b, code, shape, g, groups, bool(flip_kernel), transposed)
    y = output(function, None, shape, x.dtype)
    bias = None if b is None else contiguous(b)
    numbers = (*g.triples(), groups, bool(flip_kernel), bool(exact))
    kernel = _core.conv_backward_data if transposed else _core.conv_forward
    kernel(five(x), five_weights(w), bias, code, *numbers, five(y))
    return y


def gradients(
    function: str,
    dy: NDArray[Any],
    x: NDArray[Any],
    w: NDArray[Any],
    y: NDArray[Any],
    shape: tuple[int, ...],
    groups: int,
    g: Geometry,
    *,
    transposed: bool,
    activation: str | None = None,
    flip_kernel: bool = False,
    exact: bool = False,
    need_dx: bool = True,
    out_dw: NDArray[Any] | None = None,
    out_db: NDArray[Any] | None = None,
) -> tuple[NDArray[Any] | None, NDArray[Any], NDArray[Any]]:
    """Return the gradients with respect to x (None unless it is needed), w and b."""
    if type(x) is not ndarray and is_device_array(x):
        from .._cuda import conv as device

        code, flip = activation_code(function, activation), bool(flip_kernel)
        return device.gradients(
            function, dy, x, w, y, code, shape, g, groups, flip, transposed, need_dx, out_dw, out_db
        )
    dz, db = gradient_before_activation(function, dy, y, shape, x.dtype, activation, out_db)
    numbers = (*g.triples(), groups, bool(flip_kernel), bool(exact))
    dw = contiguous_output(function, out_dw, w.shape, w.dtype)
    image, result = (dz, x) if transposed else (x, dz)
    _core.conv_backward_weights(five(image), five(result), *numbers, five_weights(dw))
    if not need_dx:
        return None, dw, db
    dx = output(function, None, x.shape, x.dtype)
    kernel = _core.conv_forward if transposed else _core.conv_backward_data
    kernel(five(dz), five_weights(w), None, 0, *numbers, five(dx))
    return dx, dw, db
