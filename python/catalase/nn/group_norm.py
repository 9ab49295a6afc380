"""The group normalization layer."""

from __future__ import annotations

import math

import numpy as np

from .._internal.numbers import flag, number, whole_number
from ..autograd import Tensor
from ..autograd.tensor import as_tensor
from ..ops.checks import floats
from . import functional
from .allowance import claim
from .init import LARGEST_SIZE
from .module import TensorModule
from .parameter import Parameter


class GroupNorm(TensorModule):
    """A layer that normalizes each group of channels of each row, over all positions, by its own mean and variance.

    Parameters
    ----------
    num_groups : int
        G; neighbouring channels form a group.
    num_channels : int
        C, the last axis of the input; a multiple of G.
    eps : float
        Added to the variance.
    affine : bool
        Whether the layer scales and shifts each channel.

    Attributes
    ----------
    gamma, beta : Parameter, shape (C,), or None
        Initially 1 and 0; no penalty applies to them. PyTorch calls them ``weight`` and ``bias``.

    Notes
    -----
    The input is (N, ..., C), channels last; arguments are those of ``torch.nn.GroupNorm``. A row's bits do not depend on
    the batch. With one group and no positions it is `LayerNorm`, with C groups instance normalization.

    References
    ----------
    Wu and He, "Group normalization", arXiv:1803.08494.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> layer = ct.nn.GroupNorm(2, 4)
    >>> layer(ct.Tensor(np.array([[1.0, 3.0, 20.0, 60.0]], np.float32))).numpy().round(3)
    array([[-1.,  1., -1.,  1.]], dtype=float32)
    """

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__()
        name = "GroupNorm"
        self.num_groups = whole_number(name, "num_groups", num_groups, 1, LARGEST_SIZE)
        self.num_channels = whole_number(name, "num_channels", num_channels, 1, LARGEST_SIZE)
        if self.num_channels % self.num_groups:
            raise ValueError(
                f"{name}: num_channels must be a multiple of num_groups, got {self.num_channels} and {self.num_groups}"
            )
        self.eps = number(name, "eps", eps, above=0)
        affine = flag(name, "affine", affine)
        self.gamma = self._parameter(1) if affine else None
        self.beta = self._parameter(0) if affine else None

    def _parameter(self, start: float) -> Parameter:
        claim((self.num_channels,))
        return Parameter(np.full(self.num_channels, start, np.float32), decay=False)

    def forward(self, x: Tensor) -> Tensor:
        x = as_tensor("GroupNorm", "x", x)
        floats("GroupNorm", optional=("gamma",), x=x.data, gamma=None if self.gamma is None else self.gamma.data)
        if x.ndim < 2 or x.shape[-1] != self.num_channels:
            raise ValueError(f"GroupNorm: x must be (N, ..., {self.num_channels}), got shape {x.shape}")
        places, each = math.prod(x.shape[1:-1]), self.num_channels // self.num_groups
        grouped = x.reshape((len(x), places, self.num_groups, each)).transpose(0, 2, 1, 3)
        y = functional.layer_norm(grouped.reshape((len(x), self.num_groups, places * each)), eps=self.eps)
        y = y.reshape((len(x), self.num_groups, places, each)).transpose(0, 2, 1, 3).reshape(x.shape)
        return y if self.gamma is None or self.beta is None else y * self.gamma + self.beta

    def __repr__(self) -> str:
        return f"GroupNorm({self.num_groups}, {self.num_channels}, eps={self.eps:g})"
