"""Normalization on the tape."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ... import ops
from ...autograd import Function, Tensor
from ...autograd.tensor import as_tensor
from ...backends import backend_of
from ...ops.checks import floats

Input = Tensor | NDArray[Any]


class BatchNorm(Function):
    """Batch normalization; it keeps the mean and the variance that it used in ``statistics``, which is a list."""

    def forward(
        self, x: NDArray[Any], gamma: NDArray[Any], beta: NDArray[Any], *, statistics: list[Any], **options: Any
    ) -> NDArray[Any]:
        self.from_batch = statistics[0] is None
        self.x, self.options = x, options
        # Copies: an optimizer's step, or the next batch, may change these before the backward pass.
        self.gamma, self.beta = backend_of(gamma).copy(gamma), backend_of(beta).copy(beta)
        y, *statistics[:] = ops.batch_norm(x, self.gamma, self.beta, *statistics, **options)
        self.statistics = statistics
        return y

    def backward(self, dy: NDArray[Any]) -> tuple[Any, ...]:
        return ops.batch_norm_backward(
            dy, self.x, self.gamma, self.beta, *self.statistics,
            batch_statistics=self.from_batch, input_gradient=self.needs[0], **self.options,
        )  # fmt: skip


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
    xp, mean, var = floats("batch_norm", optional=("mean", "var"), mean=mean, var=var)
    statistics: list[Any] = [None if a is None else xp.copy(a) for a in (mean, var)]
    y = BatchNorm.apply(x, gamma, beta, statistics=statistics, eps=eps, activation=activation)
    return y, statistics[0], statistics[1]


class LayerNorm(Function):
    """Layer normalization; the backward pass computes mean and variance again."""

    def forward(self, x: NDArray[Any], gamma: NDArray[Any] | None, beta: NDArray[Any] | None, *, eps: float) -> Any:
        # A copy: an optimizer's step may change it before the backward pass.
        self.x, self.eps, self.gamma = x, eps, None if gamma is None else backend_of(gamma).copy(gamma)
        return ops.layer_norm(x, self.gamma, beta, eps=eps)

    def backward(self, dy: NDArray[Any]) -> tuple[Any, ...]:
        return ops.layer_norm_backward(dy, self.x, self.gamma, eps=self.eps, input_gradient=self.needs[0])


def layer_norm(x: Input, gamma: Input | None = None, beta: Input | None = None, *, eps: float = 1e-5) -> Tensor:
    """Normalize each row of the last axis by its own mean and variance; see `catalase.ops.layer_norm`."""
    x = as_tensor("layer_norm", "x", x)
    gamma = None if gamma is None else as_tensor("layer_norm", "gamma", gamma)
    beta = None if beta is None else as_tensor("layer_norm", "beta", beta)
    made: Tensor = LayerNorm.apply(x, gamma, beta, eps=eps)
    return made


class RMSNorm(Function):
    """Root mean square normalization; the backward pass computes the mean square again."""

    def forward(self, x: NDArray[Any], gamma: NDArray[Any] | None, *, eps: float | None) -> Any:
        # A copy: an optimizer's step may change it before the backward pass.
        self.x, self.eps, self.gamma = x, eps, None if gamma is None else backend_of(gamma).copy(gamma)
        return ops.rms_norm(x, self.gamma, eps=eps)

    def backward(self, dy: NDArray[Any]) -> tuple[Any, ...]:
        return ops.rms_norm_backward(dy, self.x, self.gamma, eps=self.eps, input_gradient=self.needs[0])


def rms_norm(x: Input, gamma: Input | None = None, *, eps: float | None = None) -> Tensor:
    """Divide each row of the last axis by its root mean square; see `catalase.ops.rms_norm`."""
    x = as_tensor("rms_norm", "x", x)
    gamma = None if gamma is None else as_tensor("rms_norm", "gamma", gamma)
    made: Tensor = RMSNorm.apply(x, gamma, eps=eps)
    return made
