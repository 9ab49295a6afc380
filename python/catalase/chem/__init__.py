"""Molecules through RDKit: reading them within limits, standardizing them, their scaffolds, and pictures of them.

RDKit is imported when a function first needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._internal.lazy import attach

if TYPE_CHECKING:
    from .drawing import draw
    from .murcko import scaffold
    from .reading import read
    from .standardizing import Standardized, standardize

__all__ = ["Standardized", "draw", "read", "scaffold", "standardize"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(
        __name__,
        ("drawing", "duplicates", "murcko", "queries", "reading", "standardizing"),
        {
            "Standardized": "standardizing",
            "draw": "drawing",
            "read": "reading",
            "scaffold": "murcko",
            "standardize": "standardizing",
        },
    )
