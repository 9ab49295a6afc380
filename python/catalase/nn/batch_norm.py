"""The batch normalization layer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import choice, number, whole_number
from ..autograd import Tensor
from ..backends import backend_of
from . import functional
from .allowance import claim
from .buffer import Buffer
from .init import LARGEST_SIZE
from .module import TensorModule
from .parameter import Parameter


class BatchNorm(TensorModule):
    """A layer that normalizes each channel (the last axis), in training by the batch's, in inference by running statistics.

    Parameters
    ----------
    num_features : int
        Number of channels, 1 or more.
    momentum : float
        Weight of a batch in the running statistics, as in PyTorch: ``running = (1 - momentum) * running + momentum *
        batch``. TensorFlow's and Keras' ``momentum`` is 1 minus this (their 0.99 is 0.01 here). From 0 to 1.
    eps : float
        Added to the variance; TensorFlow's ``epsilon`` (its default is 1e-3).
    activation : {None, "relu"}
        Fused activation.

    Attributes
    ----------
    gamma, beta : Parameter, shape (num_features,)
        Scale and shift, initially 1 and 0; no penalty applies to them.
    running_mean, running_var : Buffer, shape (num_features,)
        Running statistics, initially 0 and 1. They are part of `state_dict`, and saved and restored with the weights.

    Notes
    -----
    The layer takes (N, C) and (N, ..., C). In training the variance for normalizing is divided by the number of rows M, the
    variance for ``running_var`` by M - 1, as in PyTorch and TensorFlow. A batch of one row gives ``beta``. Such a batch, and
    one that holds NaN or infinity, does not change the running statistics.

    References
    ----------
    Ioffe and Szegedy, "Batch normalization", arXiv:1502.03167.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> layer = ct.nn.BatchNorm(3)
    >>> layer(ct.Tensor(np.ones((2, 5, 5, 3), np.float32))).shape
    (2, 5, 5, 3)
    >>> layer.running_mean.numpy()
    array([0.1, 0.1, 0.1], dtype=float32)
    """

    def __init__(
        self, num_features: int, momentum: float = 0.1, eps: float = 1e-5, activation: str | None = None
    ) -> None:
        super().__init__()
        num_features = whole_number("BatchNorm", "num_features", num_features, 1, LARGEST_SIZE)
        self.momentum = number("BatchNorm", "momentum", momentum, at_least=0, at_most=1)
        self.eps = number("BatchNorm", "eps", eps, above=0)
        self.activation = choice("BatchNorm", "activation", activation, (None, "relu"))
        for _ in range(4):
            claim((num_features,))
        self.gamma = Parameter(np.ones(num_features, np.float32), decay=False)
        self.beta = Parameter(np.zeros(num_features, np.float32), decay=False)
        self.running_mean = Buffer(np.zeros(num_features, np.float32))
        self.running_var = Buffer(np.ones(num_features, np.float32))

    def forward(self, x: Tensor) -> Tensor:
        options: dict[str, Any] = {"eps": self.eps, "activation": self.activation}
        if not self.training:
            return functional.batch_norm(
                x, self.gamma, self.beta, self.running_mean.data, self.running_var.data, **options
            )[0]
        y, mean, var = functional.batch_norm(x, self.gamma, self.beta, **options)
        self._update_statistics(mean, var, math.prod(x.shape[:-1]))
        return y

    def _update_statistics(self, mean: NDArray[Any], var: NDArray[Any], rows: int) -> None:
        if rows >= 2:
            running = self.running_mean.data, self.running_var.data
            backend_of(mean).update_statistics(*running, mean, var, self.momentum, rows)

    def __repr__(self) -> str:
        return f"BatchNorm({self.gamma.shape[0]}, momentum={self.momentum:g}, eps={self.eps:g})"
