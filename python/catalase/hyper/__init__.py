"""Choosing among models honestly."""

from __future__ import annotations

from .nested import NestedResult, nested_validation
from .scrambling import ScrambledResult, y_scrambling

__all__ = ["NestedResult", "ScrambledResult", "nested_validation", "y_scrambling"]
