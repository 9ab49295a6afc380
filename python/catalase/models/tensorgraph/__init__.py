"""`TensorGraph` builds a net as a graph of `layers`, with the names and arguments of DeepChem 2.1."""

from __future__ import annotations

from . import layers
from .tensor_graph import TensorGraph

__all__ = ["TensorGraph", "layers"]
