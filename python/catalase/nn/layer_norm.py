"""The layer normalization layer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .._internal.numbers import flag, is_list, number, whole_number
from ..autograd import Tensor
from ..autograd.tensor import as_tensor
from . import functional
from .allowance import claim
from .init import LARGEST_SIZE
from .module import TensorModule
from .parameter import Parameter


class LayerNorm(TensorModule):
    """A layer that normalizes each row by its own mean and variance, in training and in inference alike.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The last axis, or the last axes, of the input: the values that are normalized together.
    eps : float
        Added to the variance.
    elementwise_affine : bool
        Whether the layer scales (and shifts) its result.
    bias : bool
        Whether the layer shifts its result; False leaves the scale alone.

    Attributes
    ----------
    gamma, beta : Parameter, shape ``normalized_shape``, or None
        Scale and shift, initially 1 and 0; no penalty applies to them. PyTorch calls them ``weight`` and ``bias``.

    Notes
    -----
    Arguments and results are those of ``torch.nn.LayerNorm``. A row's bits do not depend on the batch.

    References
    ----------
    Ba, Kiros and Hinton, "Layer normalization", arXiv:1607.06450.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> layer = ct.nn.LayerNorm(2)
    >>> layer(ct.Tensor(np.array([[1.0, 3.0]], np.float32))).numpy().round(3)
    array([[-1.,  1.]], dtype=float32)
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        sizes = list(normalized_shape) if is_list(normalized_shape) else [normalized_shape]  # type: ignore[arg-type]
        if not sizes:
            raise ValueError("LayerNorm: normalized_shape must name one axis or more, got none")
        self.normalized_shape = tuple(whole_number("LayerNorm", "normalized_shape", n, 1, LARGEST_SIZE) for n in sizes)
        self.eps = number("LayerNorm", "eps", eps, above=0)
        affine, shift = flag("LayerNorm", "elementwise_affine", elementwise_affine), flag("LayerNorm", "bias", bias)
        self.gamma = self._parameter(1) if affine else None
        self.beta = self._parameter(0) if affine and shift else None

    def _parameter(self, start: float) -> Parameter:
        claim(self.normalized_shape)
        return Parameter(np.full(self.normalized_shape, start, np.float32), decay=False)

    def forward(self, x: Tensor) -> Tensor:
        x = as_tensor("LayerNorm", "x", x)
        axes = len(self.normalized_shape)
        if axes == 1:
            return functional.layer_norm(x, self.gamma, self.beta, eps=self.eps)
        if x.shape[-axes:] != self.normalized_shape:
            raise ValueError(f"LayerNorm: x must end with the axes {self.normalized_shape}, got shape {x.shape}")
        flat = [None if a is None else a.reshape((-1,)) for a in (self.gamma, self.beta)]
        rows = x.reshape((*x.shape[:-axes], math.prod(self.normalized_shape)))
        return functional.layer_norm(rows, *flat, eps=self.eps).reshape(x.shape)

    def __repr__(self) -> str:
        return f"LayerNorm({self.normalized_shape}, eps={self.eps:g})"
