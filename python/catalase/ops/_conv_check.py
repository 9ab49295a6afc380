"""Checks and layouts that the convolution functions share."""

from __future__ import annotations

from math import prod
from typing import Any

from numpy.typing import NDArray

from .._internal.numbers import flag, whole_number
from .checks import floats
from .geometry import Geometry, convolution
from .linear import before_activation

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
    """Check the arrays of a convolution, and work out its geometry."""
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
    """Refuse other dtypes and numbers of dimensions; `channels` names the last axes of x and of w."""
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
    """Return the options of a gradient beside its geometry; refuse unknown ones, and flags that are none."""
    for name in options:
        if name not in _BACKWARD_OPTIONS:
            raise TypeError(f"{function}: there is no option {name}; there are {', '.join(_BACKWARD_OPTIONS)}")
    flags = {
        name: flag(function, name, options[name]) for name in ("flip_kernel", "exact", "need_dx") if name in options
    }
    return options | flags


def check_kernel_and_bias(function: str, kernel: tuple[int, ...], channels: int, b: NDArray[Any] | None) -> None:
    """Refuse kernels without taps, and biases of another length than the output has channels."""
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
    """Return the gradient before the activation, contiguous, and the bias's."""
    for name, array in (("dy", dy), ("y", y)):
        found = floats(function, **{name: array})[1].dtype  # type: ignore[arg-type]
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
