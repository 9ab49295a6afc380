"""Convolution layers with channels last: Conv1D to Conv3D, and their transposes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from .._internal.numbers import flag, whole_number
from ..autograd import Tensor
from ..ops.checks import activation_code
from ..ops.geometry import Padding, convolution, per_dimension
from . import functional
from .init import LARGEST_SIZE, Initializer, glorot_uniform, random_generator, zeros
from .layers import _draw
from .module import TensorModule
from .parameter import Parameter


class _Conv(TensorModule):
    dims: ClassVar[int]
    transposed: ClassVar[bool] = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: Padding = "same",
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        activation: str | None = None,
        bias: bool = True,
        flip_kernel: bool = False,
        exact: bool = False,
        weight_init: Initializer | None = None,
        bias_init: Initializer | None = None,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        in_channels = whole_number(name, "in_channels", in_channels, 1, LARGEST_SIZE)
        out_channels = whole_number(name, "out_channels", out_channels, 1, LARGEST_SIZE)
        if whole_number(name, "groups", groups) and (in_channels % groups or out_channels % groups):
            raise ValueError(
                f"{name}: groups must divide {in_channels} input and {out_channels} output channels, got {groups}"
            )
        rng = random_generator(name, rng)
        self.kernel_size = per_dimension(name, "kernel_size", kernel_size, self.dims)
        self.stride = per_dimension(name, "stride", stride, self.dims)
        self.dilation = per_dimension(name, "dilation", dilation, self.dims)
        convolution(name, self.kernel_size, self.kernel_size, stride=1, padding=padding, dilation=1)  # checks padding
        activation_code(name, activation)
        self.padding, self.groups, self.activation = padding, int(groups), activation
        self.flip_kernel, self.exact = flag(name, "flip_kernel", flip_kernel), flag(name, "exact", exact)
        if self.transposed:
            shape = (*self.kernel_size, out_channels // groups, in_channels)
        else:
            shape = (*self.kernel_size, in_channels // groups, out_channels)
        self.w = Parameter(
            _draw("weight_init", glorot_uniform() if weight_init is None else weight_init, shape, rng, name)
        )
        self.b = (
            Parameter(
                _draw("bias_init", zeros() if bias_init is None else bias_init, (out_channels,), rng, name), False
            )
            if flag(name, "bias", bias)
            else None
        )

    def options(self) -> dict[str, Any]:
        """The keyword arguments of the function in `catalase.nn.functional`."""
        return {
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
            "activation": self.activation,
            "flip_kernel": self.flip_kernel,
            "exact": self.exact,
        }

    def forward(self, x: Tensor) -> Tensor:
        function = f"conv_transpose{self.dims}d" if self.transposed else f"conv{self.dims}d"
        return getattr(functional, function)(x, self.w, self.b, **self.options())

    def __repr__(self) -> str:
        inputs, outputs = self.w.shape[-2] * self.groups, self.w.shape[-1]
        if self.transposed:
            inputs, outputs = outputs, inputs
        return (
            f"{type(self).__name__}({inputs}, {outputs}, {self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding!r}, activation={self.activation!r})"
        )


class Conv1D(_Conv):
    """Convolution of sequences (N, L, C), weights (K, C / groups, O); see `Conv2D`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.nn.Conv1D(4, 15, 10, activation="relu")(ct.Tensor(np.ones((2, 101, 4), np.float32))).shape
    (2, 101, 15)
    """

    dims = 1


class Conv2D(_Conv):
    """Convolution of images (N, H, W, C): ``activation(conv2d(x, w) + b)``, fused.

    Parameters
    ----------
    in_channels, out_channels : int
        1 or more.
    kernel_size : int or one int a dimension
    stride, padding, dilation, groups, activation, flip_kernel, exact
        As in `catalase.ops.conv2d`.
    bias : bool
    weight_init, bias_init : initializer, optional
        From `catalase.nn.init`; Glorot uniform and zeros by default.
    rng : numpy.random.Generator or int, optional
        Generator of the initial values, or its seed; fresh entropy by default.

    Attributes
    ----------
    w : Parameter, shape (KH, KW, in_channels / groups, out_channels)
    b : Parameter, shape (out_channels,), or None

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.nn.Conv2D(3, 8, 5, stride=2)(ct.Tensor(np.ones((2, 28, 28, 3), np.float32))).shape
    (2, 14, 14, 8)
    """

    dims = 2


class Conv3D(_Conv):
    """Convolution of volumes (N, D, H, W, C), weights (KD, KH, KW, C / groups, O); see `Conv2D`."""

    dims = 3


class ConvTranspose1D(_Conv):
    """Transposed convolution of sequences, weights (K, O / groups, I); see `ConvTranspose2D`."""

    dims, transposed = 1, True


class ConvTranspose2D(_Conv):
    """Transposed convolution of images, which enlarges them by ``stride``; see `catalase.ops.conv_transpose2d`.

    Parameters are those of `Conv2D`; weights have the shape (KH, KW, out_channels / groups, in_channels).

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.nn.ConvTranspose2D(8, 4, 2, stride=2)(ct.Tensor(np.ones((2, 7, 7, 8), np.float32))).shape
    (2, 14, 14, 4)
    """

    dims, transposed = 2, True


class ConvTranspose3D(_Conv):
    """Transposed convolution of volumes, weights (KD, KH, KW, O / groups, I); see `ConvTranspose2D`."""

    dims, transposed = 3, True
