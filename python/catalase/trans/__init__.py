"""Transformers: reversible changes of a dataset's features, labels or weights, fitted on the training part."""

from __future__ import annotations

from .balancing import BalancingTransformer
from .normalization import NormalizationTransformer
from .transformer import Transformer, undo_transforms

__all__ = ["BalancingTransformer", "NormalizationTransformer", "Transformer", "undo_transforms"]
