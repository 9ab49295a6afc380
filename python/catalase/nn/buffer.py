"""Buffers: arrays that belong to a module's state and that no optimizer changes."""

from __future__ import annotations

from typing import Any

from ..autograd import Tensor
from ..backends import backend_of, to_device


class Buffer(Tensor):
    """A tensor without a gradient that is saved, restored and checkpointed with its module's parameters.

    Parameters
    ----------
    array : array_like
        Start values, float32 or float64; copied.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> class Counting(ct.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.calls = ct.nn.Buffer(np.zeros(1, np.float32))
    >>> list(Counting().state_dict()), Counting().parameters()
    (['calls'], [])
    """

    __slots__ = ()

    def __init__(self, array: Any) -> None:
        super().__init__(array)
        self.data = backend_of(self.data).copy(self.data)

    def move(self, device: str) -> None:
        """Take the values to a device, "cpu" or "cuda"."""
        self.data = to_device(self.data, device)
