"""PyTorch: this library's kernels in PyTorch's nets (`function`, and layers under PyTorch's names), and whole nets across."""

from __future__ import annotations

try:
    import torch as _torch  # noqa: F401
except ImportError:
    raise ImportError("catalase.interop.torch: PyTorch 2.1 or newer is needed; pip install 'catalase[torch]'") from None

from .convert import from_torch, to_torch
from .dmpnn import DMPNN
from .functions import function
from .layers import Conv1d, Conv2d, Linear, SparseLinear
from .recurrent import GRU, LSTM, RNN

__all__ = [
    "Conv1d",
    "Conv2d",
    "DMPNN",
    "GRU",
    "LSTM",
    "Linear",
    "RNN",
    "SparseLinear",
    "from_torch",
    "function",
    "to_torch",
]
