"""Models of other frameworks: `chemprop`, `onnx`."""

from __future__ import annotations

from .._internal.lazy import attach

__all__ = ["chemprop", "onnx"]

__getattr__, __dir__ = attach(__name__, ("chemprop", "onnx"), {})
