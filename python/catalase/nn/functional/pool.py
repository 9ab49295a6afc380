"""Pooling and upsampling on the tape."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ... import ops
from ...autograd import Tensor, record
from ...autograd.tensor import as_tensor
from ...ops.geometry import Padding

Input = Tensor | NDArray[Any]


def max_pool1d(x: Input, size: Any = 2, *, stride: Any = None, padding: Padding = "valid") -> Tensor:
    """Return the largest value of each window of x (N, L, C); see `catalase.ops.max_pool1d`."""
    return _max_pool(1, as_tensor("max_pool1d", "x", x), size, stride, padding)


def max_pool2d(x: Input, size: Any = 2, *, stride: Any = None, padding: Padding = "valid") -> Tensor:
    """Return the largest value of each window of x (N, H, W, C); see `catalase.ops.max_pool2d`."""
    return _max_pool(2, as_tensor("max_pool2d", "x", x), size, stride, padding)


def max_pool3d(x: Input, size: Any = 2, *, stride: Any = None, padding: Padding = "valid") -> Tensor:
    """Return the largest value of each window of x (N, D, H, W, C); see `catalase.ops.max_pool3d`."""
    return _max_pool(3, as_tensor("max_pool3d", "x", x), size, stride, padding)


def avg_pool1d(x: Input, size: Any = 2, *, stride: Any = None, padding: Padding = "valid") -> Tensor:
    """Return the mean of each window of x (N, L, C); see `catalase.ops.avg_pool1d`."""
    return _avg_pool(1, as_tensor("avg_pool1d", "x", x), size, stride, padding)


def avg_pool2d(x: Input, size: Any = 2, *, stride: Any = None, padding: Padding = "valid") -> Tensor:
    """Return the mean of each window of x (N, H, W, C); see `catalase.ops.avg_pool2d`."""
    return _avg_pool(2, as_tensor("avg_pool2d", "x", x), size, stride, padding)


def avg_pool3d(x: Input, size: Any = 2, *, stride: Any = None, padding: Padding = "valid") -> Tensor:
    """Return the mean of each window of x (N, D, H, W, C); see `catalase.ops.avg_pool3d`."""
    return _avg_pool(3, as_tensor("avg_pool3d", "x", x), size, stride, padding)


def global_max_pool(x: Input) -> Tensor:
    """Return the largest value of each channel; see `catalase.ops.global_max_pool`."""
    x = as_tensor("global_max_pool", "x", x)
    return record(ops.global_max_pool(x.data), (x,), lambda dy: (ops.global_max_pool_backward(dy, x.data),))


def global_avg_pool(x: Input) -> Tensor:
    """Return the mean of each channel; see `catalase.ops.global_avg_pool`."""
    x = as_tensor("global_avg_pool", "x", x)
    shape = x.shape
    return record(ops.global_avg_pool(x.data), (x,), lambda dy: (ops.global_avg_pool_backward(dy, shape),))


def upsample(x: Input, factor: Any = 2, *, mode: str = "nearest") -> Tensor:
    """Make the axes between the first and the last longer; see `catalase.ops.pool`."""
    x = as_tensor("upsample", "x", x)
    y = ops.upsample(x.data, factor, mode=mode)
    return record(y, (x,), lambda dy: (ops.upsample_backward(dy, factor, mode=mode),))


def _max_pool(dims: int, x: Tensor, size: Any, stride: Any, padding: Padding) -> Tensor:
    forward, backward = getattr(ops, f"max_pool{dims}d"), getattr(ops, f"max_pool{dims}d_backward")
    options = {"stride": stride, "padding": padding}
    return record(forward(x.data, size, **options), (x,), lambda dy: (backward(dy, x.data, size, **options),))


def _avg_pool(dims: int, x: Tensor, size: Any, stride: Any, padding: Padding) -> Tensor:
    forward, backward = getattr(ops, f"avg_pool{dims}d"), getattr(ops, f"avg_pool{dims}d_backward")
    options, shape = {"stride": stride, "padding": padding}, x.shape
    return record(forward(x.data, size, **options), (x,), lambda dy: (backward(dy, shape, size, **options),))
