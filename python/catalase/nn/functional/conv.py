"""Convolution on the tape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from ... import ops
from ...autograd import Function, Tensor, is_recording
from ...autograd.tensor import activated, as_tensor
from ...ops.checks import DERIVED_FROM_INPUT
from ...ops.geometry import Padding

_FORWARD: dict[str, Callable[..., NDArray[Any]]] = {
    "conv1d": ops.conv1d,
    "conv2d": ops.conv2d,
    "conv3d": ops.conv3d,
    "conv_transpose1d": ops.conv_transpose1d,
    "conv_transpose2d": ops.conv_transpose2d,
    "conv_transpose3d": ops.conv_transpose3d,
}
_BACKWARD: dict[str, Callable[..., tuple[NDArray[Any] | None, NDArray[Any], NDArray[Any]]]] = {
    "conv1d": ops.conv1d_backward,
    "conv2d": ops.conv2d_backward,
    "conv3d": ops.conv3d_backward,
    "conv_transpose1d": ops.conv_transpose1d_backward,
    "conv_transpose2d": ops.conv_transpose2d_backward,
    "conv_transpose3d": ops.conv_transpose3d_backward,
}

Sizes = int | tuple[int, ...]


def conv1d(
    x: Tensor | NDArray[Any],
    w: Tensor | NDArray[Any],
    b: Tensor | NDArray[Any] | None = None,
    *,
    stride: Sizes = 1,
    padding: Padding = "same",
    dilation: Sizes = 1,
    groups: int = 1,
    activation: str | None = None,
    flip_kernel: bool = False,
    exact: bool = False,
) -> Tensor:
    """Slide a kernel over sequences, one node on the tape; see `catalase.ops.conv1d`."""
    return _conv("conv1d", x, w, b, stride=stride, padding=padding, dilation=dilation, groups=groups,
                 activation=activation, flip_kernel=flip_kernel, exact=exact)  # fmt: skip


def conv2d(
    x: Tensor | NDArray[Any],
    w: Tensor | NDArray[Any],
    b: Tensor | NDArray[Any] | None = None,
    *,
    stride: Sizes = 1,
    padding: Padding = "same",
    dilation: Sizes = 1,
    groups: int = 1,
    activation: str | None = None,
    flip_kernel: bool = False,
    exact: bool = False,
) -> Tensor:
    """Slide a kernel over images, one node on the tape; see `catalase.ops.conv2d`."""
    return _conv("conv2d", x, w, b, stride=stride, padding=padding, dilation=dilation, groups=groups,
                 activation=activation, flip_kernel=flip_kernel, exact=exact)  # fmt: skip


def conv3d(
    x: Tensor | NDArray[Any],
    w: Tensor | NDArray[Any],
    b: Tensor | NDArray[Any] | None = None,
    *,
    stride: Sizes = 1,
    padding: Padding = "same",
    dilation: Sizes = 1,
    groups: int = 1,
    activation: str | None = None,
    flip_kernel: bool = False,
    exact: bool = False,
) -> Tensor:
    """Slide a kernel over volumes, one node on the tape; see `catalase.ops.conv3d`."""
    return _conv("conv3d", x, w, b, stride=stride, padding=padding, dilation=dilation, groups=groups,
                 activation=activation, flip_kernel=flip_kernel, exact=exact)  # fmt: skip


def conv_transpose1d(
    x: Tensor | NDArray[Any],
    w: Tensor | NDArray[Any],
    b: Tensor | NDArray[Any] | None = None,
    *,
    stride: Sizes = 1,
    padding: Padding = "same",
    dilation: Sizes = 1,
    groups: int = 1,
    activation: str | None = None,
    flip_kernel: bool = False,
    exact: bool = False,
    output_size: Sizes | None = None,
) -> Tensor:
    """Transposed convolution of sequences, one node on the tape; see `catalase.ops.conv_transpose1d`."""
    return _conv("conv_transpose1d", x, w, b, stride=stride, padding=padding, dilation=dilation, groups=groups,
                 activation=activation, flip_kernel=flip_kernel, exact=exact, output_size=output_size)  # fmt: skip


def conv_transpose2d(
    x: Tensor | NDArray[Any],
    w: Tensor | NDArray[Any],
    b: Tensor | NDArray[Any] | None = None,
    *,
    stride: Sizes = 1,
    padding: Padding = "same",
    dilation: Sizes = 1,
    groups: int = 1,
    activation: str | None = None,
    flip_kernel: bool = False,
    exact: bool = False,
    output_size: Sizes | None = None,
) -> Tensor:
    """Transposed convolution of images, one node on the tape; see `catalase.ops.conv_transpose2d`."""
    return _conv("conv_transpose2d", x, w, b, stride=stride, padding=padding, dilation=dilation, groups=groups,
                 activation=activation, flip_kernel=flip_kernel, exact=exact, output_size=output_size)  # fmt: skip


def conv_transpose3d(
    x: Tensor | NDArray[Any],
    w: Tensor | NDArray[Any],
    b: Tensor | NDArray[Any] | None = None,
    *,
    stride: Sizes = 1,
    padding: Padding = "same",
    dilation: Sizes = 1,
    groups: int = 1,
    activation: str | None = None,
    flip_kernel: bool = False,
    exact: bool = False,
    output_size: Sizes | None = None,
) -> Tensor:
    """Transposed convolution of volumes, one node on the tape; see `catalase.ops.conv_transpose3d`."""
    return _conv("conv_transpose3d", x, w, b, stride=stride, padding=padding, dilation=dilation, groups=groups,
                 activation=activation, flip_kernel=flip_kernel, exact=exact, output_size=output_size)  # fmt: skip


class Conv(Function):
    """A convolution or transposed convolution; ``name`` is that of the function in `catalase.ops`."""

    def forward(
        self, x: NDArray[Any], w: NDArray[Any], b: NDArray[Any] | None, *, name: str, **options: Any
    ) -> NDArray[Any]:
        y = _FORWARD[name](x, w, b, **options)
        if self.recorded:
            self.x, self.w, self.y, self.name, self.options = x, w, y, name, options
        return y

    def backward(self, dy: NDArray[Any]) -> tuple[Any, ...]:
        return _BACKWARD[self.name](
            dy, self.x, self.w, self.y, need_dx=self.needs[0], out_dw=self.gradient_out(1), out_db=self.gradient_out(2),
            **self.options,
        )  # fmt: skip


def _conv(
    name: str,
    x: Tensor | NDArray[Any],
    w: Tensor | NDArray[Any],
    b: Tensor | NDArray[Any] | None,
    **options: Any,
) -> Tensor:
    activation = options["activation"]
    if isinstance(activation, str) and activation in DERIVED_FROM_INPUT and is_recording():
        # The tape keeps the input of such an activation, so that it is an operation of its own; the bits are the same.
        return activated(_conv(name, x, w, b, **options | {"activation": None}), activation)
    tensors = [as_tensor(name, "x", x), as_tensor(name, "w", w), None if b is None else as_tensor(name, "b", b)]
    return Conv.apply(*tensors, name=name, **options)
