"""Molecules through RDKit: reading them within limits, standardizing them, their scaffolds, and pictures of them.

RDKit is imported when a function first needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._internal.lazy import attach

if TYPE_CHECKING:
    from ..feat.generation import GenerationReport, generation_report
    from .drawing import draw
    from .murcko import scaffold
    from .reading import read
    from .standardizing import Standardized, standardize

__all__ = ["GenerationReport", "Standardized", "draw", "generation_report", "read", "scaffold", "standardize"]

if not TYPE_CHECKING:
    # A report on molecules needs descriptors and alerts, which stand above this package.
    __getattr__, __dir__ = attach(
        __name__,
        ("drawing", "duplicates", "murcko", "queries", "reading", "standardizing"),
        {
            "GenerationReport": ".feat.generation",
            "Standardized": "standardizing",
            "draw": "drawing",
            "generation_report": ".feat.generation",
            "read": "reading",
            "scaffold": "murcko",
            "standardize": "standardizing",
        },
    )
