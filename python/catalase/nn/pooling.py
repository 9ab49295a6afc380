"""Layers without parameters that change the grid: pooling, upsampling, Flatten and Reshape, with channels last."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._internal.numbers import choice, shown
from ..autograd import Tensor
from ..backends import is_device_array
from ..ops.geometry import Padding, per_dimension, pool_windows
from . import functional
from .module import TensorModule


class _Pool(TensorModule):
    function = ""
    dims = 0

    def __init__(self, size: Any = 2, stride: Any = None, padding: Padding = "valid") -> None:
        super().__init__()
        name = type(self).__name__
        sizes = per_dimension(name, "size", size, self.dims)
        pool_windows(name, sizes, size, stride, padding, (0, *sizes, 0))  # checks all of them
        self.size, self.stride, self.padding = size, stride, padding

    def forward(self, x: Tensor) -> Tensor:
        return getattr(functional, self.function)(x, self.size, stride=self.stride, padding=self.padding)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.size!r}, stride={self.stride!r}, padding={self.padding!r})"


class MaxPool1D(_Pool):
    """The largest value of each window of x (N, L, C); see `MaxPool2D`."""

    function, dims = "max_pool1d", 1


class MaxPool2D(_Pool):
    """The largest value of each window of x (N, H, W, C).

    Parameters
    ----------
    size, stride, padding
        As `catalase.ops.max_pool2d`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.nn.MaxPool2D(2)(ct.Tensor(np.ones((1, 28, 28, 3), np.float32))).shape
    (1, 14, 14, 3)
    """

    function, dims = "max_pool2d", 2


class MaxPool3D(_Pool):
    """The largest value of each window of x (N, D, H, W, C); see `MaxPool2D`."""

    function, dims = "max_pool3d", 3


class AvgPool1D(_Pool):
    """The mean of each window of x (N, L, C), without the padding; see `MaxPool2D`."""

    function, dims = "avg_pool1d", 1


class AvgPool2D(_Pool):
    """The mean of each window of x (N, H, W, C), without the padding; see `MaxPool2D`."""

    function, dims = "avg_pool2d", 2


class AvgPool3D(_Pool):
    """The mean of each window of x (N, D, H, W, C), without the padding; see `MaxPool2D`."""

    function, dims = "avg_pool3d", 3


class GlobalMaxPool(TensorModule):
    """The largest value of each channel over all positions, from (N, ..., C) to (N, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.global_max_pool(x)


class GlobalAvgPool(TensorModule):
    """The mean of each channel over all positions, from (N, ..., C) to (N, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.global_avg_pool(x)


class Upsample(TensorModule):
    """A layer that lengthens each axis between the first and the last by a whole factor.

    Parameters
    ----------
    factor, mode
        As `catalase.ops.upsample`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.nn.Upsample(2)(ct.Tensor(np.ones((1, 14, 14, 3), np.float32))).shape
    (1, 28, 28, 3)
    """

    def __init__(self, factor: Any = 2, mode: str = "nearest") -> None:
        super().__init__()
        choice("Upsample", "mode", mode, ("nearest", "linear"))
        one = isinstance(factor, int) or not isinstance(factor, Sequence)
        per_dimension("Upsample", "factor", factor, 1 if one else len(factor))
        self.factor, self.mode = factor, mode

    def forward(self, x: Tensor) -> Tensor:
        return functional.upsample(x, self.factor, mode=self.mode)

    def __repr__(self) -> str:
        return f"Upsample({self.factor!r}, mode={self.mode!r})"


def _check_batch(name: str, x: Any) -> None:
    array = isinstance(x, (Tensor, np.ndarray)) or is_device_array(x)
    if not array or not x.shape:
        got = f"shape {x.shape}" if array else shown(x)
        raise TypeError(f"{name}: x must be a Tensor or a NumPy array with a batch as its first axis, got {got}")


class Flatten(TensorModule):
    """A layer that merges all axes but the first, from (N, ...) to (N, features).

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.nn.Flatten()(ct.Tensor(np.ones((2, 7, 7, 64), np.float32))).shape
    (2, 3136)
    """

    def forward(self, x: Tensor) -> Tensor:
        _check_batch("Flatten", x)
        return x.reshape(x.shape[0], math.prod(x.shape[1:]))


class Reshape(TensorModule):
    """A layer that reshapes each row of the batch, from (N, ...) to (N, *shape).

    Parameters
    ----------
    shape : int or sequence of int
        Shape without the batch; one length may be -1, and is computed from the others.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.nn.Reshape((28, 28, 1))(ct.Tensor(np.ones((2, 784), np.float32))).shape
    (2, 28, 28, 1)
    """

    def __init__(self, shape: Any) -> None:
        super().__init__()
        lengths = shape if isinstance(shape, (tuple, list)) else (shape,)
        self.shape = per_dimension("Reshape", "shape", lengths, len(lengths), -1)
        if self.shape.count(-1) > 1:
            raise ValueError(f"Reshape: one length at most of shape may be -1, got {shown(shape)}")

    def forward(self, x: Tensor) -> Tensor:
        _check_batch("Reshape", x)
        shape, features = self.shape, math.prod(x.shape[1:])
        known = math.prod(n for n in shape if n != -1)
        left = features // known if known else 0  # NumPy cannot compute it for an empty batch
        shape = tuple(left if n == -1 else n for n in shape)
        if math.prod(shape) != features:
            raise ValueError(
                f"Reshape: the rows of x, of shape {x.shape[1:]}, hold {features} values, which do not fit {self.shape}"
            )
        return x.reshape(x.shape[0], *shape)

    def __repr__(self) -> str:
        return f"Reshape({self.shape})"
