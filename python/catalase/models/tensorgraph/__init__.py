"""Nets built layer by layer as a graph, as DeepChem 2.1 has them: `TensorGraph`, and the `layers` to build it from."""

from __future__ import annotations

from . import layers
from .tensor_graph import TensorGraph

__all__ = ["TensorGraph", "layers"]
