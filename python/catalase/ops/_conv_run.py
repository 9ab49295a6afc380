"""What convolution and its transpose share: each one's forward pass is the other's gradient of the input."""

from __future__ import annotations

from typing import Any

from numpy import ndarray
from numpy.typing import NDArray

from .. import _core
from ._check import activation_code, contiguous, is_device_array, output, separate
from ._conv_check import contiguous_output, five, five_weights, gradient_before_activation
from .geometry import Geometry


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
    w = g.select(w, bool(flip_kernel))
    if type(x) is not ndarray and is_device_array(x):
        from .._cuda import conv as device

        return device.forward(function, x, w, b, code, shape, g, groups, bool(flip_kernel), transposed)
    y = output(function, None, shape, x.dtype)
    if not y.size:  # of no rows, whatever the other axes are
        return y
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
    if not g.all_taps:
        return _gradients_of_some(
            function, dy, x, w, y, shape, groups, g, transposed=transposed, activation=activation,
            flip_kernel=flip_kernel, exact=exact, need_dx=need_dx, out_dw=out_dw, out_db=out_db,
        )  # fmt: skip
    if type(x) is not ndarray and is_device_array(x):
        from .._cuda import conv as device

        code, flip = activation_code(function, activation), bool(flip_kernel)
        return device.gradients(
            function, dy, x, w, y, code, shape, g, groups, flip, transposed, need_dx, out_dw, out_db
        )
    if out_dw is not None or out_db is not None:
        separate(function, {"out_dw": out_dw, "out_db": out_db}, {"dy": dy, "x": x, "w": w, "y": y})
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


def _gradients_of_some(
    function: str, dy: Any, x: Any, w: Any, y: Any, shape: tuple[int, ...], groups: int, g: Geometry, *,
    flip_kernel: bool, out_dw: Any, **options: Any,
) -> tuple[Any, Any, Any]:  # fmt: skip
    """As `gradients`, where taps never meet the input: their weights have gradient 0."""
    separate(function, {"out_dw": out_dw, "out_db": options["out_db"]}, {"dy": dy, "x": x, "w": w, "y": y})
    flip, whole = bool(flip_kernel), g._replace(all_taps=True)
    part = gradients(
        function, dy, x, g.select(w, flip), y, shape, groups, whole, flip_kernel=flip_kernel, **options
    )  # fmt: skip
    if type(x) is not ndarray and is_device_array(x):
        from .._cuda import conv as device

        return part[0], device.spread(function, part[1], w, g, flip, out_dw), part[2]
    dw = contiguous_output(function, out_dw, w.shape, w.dtype)
    dw[...] = 0
    g.select(dw, flip)[...] = part[1]
    return part[0], dw, part[2]
