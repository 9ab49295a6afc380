"""Molecules through RDKit: reading them within limits, standardizing them, their scaffolds, and pictures of them.

RDKit is imported when a function first needs it.
"""

from __future__ import annotations

from .drawing import draw
from .murcko import scaffold
from .reading import read
from .standardizing import Standardized, standardize

__all__ = ["Standardized", "draw", "read", "scaffold", "standardize"]
