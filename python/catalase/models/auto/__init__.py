"""`AutoModel` and what it is made of: shared features, folds, members, the plan, the blend, the domain."""

from __future__ import annotations

from .model import AutoModel, Prediction

__all__ = ["AutoModel", "Prediction"]
