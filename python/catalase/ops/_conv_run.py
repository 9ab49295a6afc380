"""What convolution and its transpose share: each one's forward pass is the other's gradient of the input."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ..backends import backend_of
from ._conv_check import gradient_before_activation
from .checks import activation_code, output, separate
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
    w = g.select(w, flip_kernel)
    return backend_of(x).conv(x, w, b, code, shape, g, groups, flip_kernel, exact, transposed)


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
    backend = backend_of(x)
    if out_dw is not None:
        output(function, backend, out_dw, w.shape, w.dtype, "out_dw", dense=True)
    if out_dw is not None or out_db is not None:
        separate(function, {"out_dw": out_dw, "out_db": out_db}, {"dy": dy, "x": x, "w": w, "y": y})
    dz, db = gradient_before_activation(function, dy, x, y, shape, activation, out_db)
    dw = backend.empty(w.shape, w.dtype) if out_dw is None else out_dw
    taps = g.select(w, flip_kernel)
    part = dw if g.all_taps else backend.empty(taps.shape, w.dtype)
    image, result = (dz, x) if transposed else (x, dz)
    backend.conv_weights(image, result, part, g, groups, flip_kernel, exact)
    if part is not dw:  # taps that never meet the input have gradient 0
        backend.copyto(dw, 0.0)
        g.select(dw, flip_kernel)[...] = part
    if not need_dx:
        return None, dw, db
    return backend.conv(dz, taps, None, 0, x.shape, g, groups, flip_kernel, exact, not transposed), dw, db
