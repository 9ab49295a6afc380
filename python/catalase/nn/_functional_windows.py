"""Pooling, upsampling and batch normalization on the tape; part of `catalase.nn.functional`."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from .. import ops
from ..autograd import Tensor, record
from ..autograd.tensor import as_tensor
from ..backends import backend_of
from ..ops.checks import floats
from ..ops.geometry import Padding

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
    """Make the axes between the first and the last longer; see `catalase.ops.upsample`."""
    x = as_tensor("upsample", "x", x)
    y = ops.upsample(x.data, factor, mode=mode)
    return record(y, (x,), lambda dy: (ops.upsample_backward(dy, factor, mode=mode),))


def batch_norm(
    x: Input,
    gamma: Tensor,
    beta: Tensor,
    mean: NDArray[Any] | None = None,
    var: NDArray[Any] | None = None,
    *,
    eps: float = 1e-5,
    activation: str | None = None,
) -> tuple[Tensor, NDArray[Any], NDArray[Any]]:
    """Return the normalized tensor, and the mean and variance used, as arrays; see `catalase.ops.batch_norm`."""
    x = as_tensor("batch_norm", "x", x)
    gamma, beta = as_tensor("batch_norm", "gamma", gamma), as_tensor("batch_norm", "beta", beta)
    from_batch = mean is None
    # Copies: an optimizer's step, or the next batch, may change these before the way back.
    scale, shift = backend_of(gamma.data).copy(gamma.data), backend_of(beta.data).copy(beta.data)
    xp, mean, var = floats("batch_norm", optional=("mean", "var"), mean=mean, var=var)
    mean, var = (None if a is None else xp.copy(a) for a in (mean, var))
    y, mean, var = ops.batch_norm(x.data, scale, shift, mean, var, eps=eps, activation=activation)

    def backward(dy: NDArray[Any]) -> tuple[NDArray[Any] | None, ...]:
        return ops.batch_norm_backward(
            dy, x.data, scale, shift, mean, var,
            batch_statistics=from_batch, eps=eps, activation=activation, input_gradient=x.requires_grad,
        )  # fmt: skip

    return record(y, (x, gamma, beta), backward), mean, var


def _max_pool(dims: int, x: Tensor, size: Any, stride: Any, padding: Padding) -> Tensor:
    forward, backward = getattr(ops, f"max_pool{dims}d"), getattr(ops, f"max_pool{dims}d_backward")
    options = {"stride": stride, "padding": padding}
    return record(forward(x.data, size, **options), (x,), lambda dy: (backward(dy, x.data, size, **options),))


def _avg_pool(dims: int, x: Tensor, size: Any, stride: Any, padding: Padding) -> Tensor:
    forward, backward = getattr(ops, f"avg_pool{dims}d"), getattr(ops, f"avg_pool{dims}d_backward")
    options, shape = {"stride": stride, "padding": padding}, x.shape
    return record(forward(x.data, size, **options), (x,), lambda dy: (backward(dy, shape, size, **options),))
