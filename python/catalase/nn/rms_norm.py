"""The root mean square normalization layer."""

from __future__ import annotations

import numpy as np

from .._internal.numbers import flag, number, whole_number
from ..autograd import Tensor
from . import functional
from .allowance import claim
from .init import LARGEST_SIZE
from .module import TensorModule
from .parameter import Parameter


class RMSNorm(TensorModule):
    """A layer that divides each row by its root mean square: ``x / sqrt(mean(x^2) + eps) * gamma``.

    Parameters
    ----------
    normalized_shape : int
        C, the last axis of the input.
    eps : float, optional
        Added to the mean square; by default the distance from 1 to the next number of x's dtype, as in PyTorch.
    elementwise_affine : bool
        Whether the layer scales its result.

    Attributes
    ----------
    gamma : Parameter, shape (C,), or None
        Initially 1; no penalty applies to it. PyTorch calls it ``weight``.

    Notes
    -----
    Arguments and results are those of ``torch.nn.RMSNorm`` over the last axis. A row's bits do not depend on the batch.

    References
    ----------
    Zhang and Sennrich, "Root mean square layer normalization", arXiv:1910.07467.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.nn.RMSNorm(2)(ct.Tensor(np.array([[3.0, 4.0]], np.float32))).numpy().round(3)
    array([[0.849, 1.131]], dtype=float32)
    """

    def __init__(self, normalized_shape: int, eps: float | None = None, elementwise_affine: bool = True) -> None:
        super().__init__()
        self.normalized_shape = whole_number("RMSNorm", "normalized_shape", normalized_shape, 1, LARGEST_SIZE)
        self.eps = None if eps is None else number("RMSNorm", "eps", eps, above=0)
        self.gamma = None
        if flag("RMSNorm", "elementwise_affine", elementwise_affine):
            claim((self.normalized_shape,))
            self.gamma = Parameter(np.ones(self.normalized_shape, np.float32), decay=False)

    def forward(self, x: Tensor) -> Tensor:
        return functional.rms_norm(x, self.gamma, eps=self.eps)

    def __repr__(self) -> str:
        return f"RMSNorm({self.normalized_shape}, eps={self.eps})"
