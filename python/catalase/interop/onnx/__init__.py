"""ONNX: layers of your own in `Model.to_onnx` (`exporter`), and ONNX's backend API (`backend`)."""

from __future__ import annotations

from ..._internal.lazy import attach
from ...nn.onnx import Graph, exporter

__all__ = ["Graph", "backend", "exporter"]

__getattr__, __dir__ = attach(__name__, ("backend",), {})
