"""Normalization on the tape."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ... import ops
from ...autograd import Tensor, record
from ...autograd.tensor import as_tensor
from ...backends import backend_of
from ...ops.checks import floats

Input = Tensor | NDArray[Any]


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
