"""ONNX: layers of your own in `Model.to_onnx` (`exporter`), and ONNX's backend API (`backend`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._internal.lazy import attach
from ...nn.onnx import Graph, exporter

if TYPE_CHECKING:
    from . import backend

__all__ = ["Graph", "backend", "exporter"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(__name__, ("backend",), {})
