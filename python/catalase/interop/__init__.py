"""Models of other frameworks: `chemprop`, `onnx`, `torch`."""

from __future__ import annotations

from .._internal.lazy import attach

__all__ = ["chemprop", "onnx", "torch"]

__getattr__, __dir__ = attach(__name__, ("chemprop", "onnx", "torch"), {})
