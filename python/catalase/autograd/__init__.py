"""Tensors and the tape: the only place that knows about gradients flowing."""

from __future__ import annotations

from .joins import concatenate, einsum, maximum, minimum, stack, where
from .tape import Function, is_recording, no_grad
from .tensor import Tensor, from_dlpack, record

__all__ = [
    "Function", "Tensor", "concatenate", "einsum", "from_dlpack", "is_recording", "maximum", "minimum", "no_grad", "record",
    "stack", "where",
]  # fmt: skip
