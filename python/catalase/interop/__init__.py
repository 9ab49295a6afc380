"""Models of other frameworks: `chemprop`, `onnx`, `torch`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._internal.lazy import attach

if TYPE_CHECKING:
    from . import chemprop, onnx, torch

__all__ = ["chemprop", "onnx", "torch"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(__name__, ("chemprop", "onnx", "torch"), {})
