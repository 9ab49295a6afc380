"""Reasons: which atoms, letters, pixels or features a prediction comes from, and inputs that a model prefers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._internal.lazy import attach

if TYPE_CHECKING:
    from .molecules import atoms
    from .gradients import integrated_gradients, saliency
    from .substitutions import mutagenesis, occlusion
    from .optimizing import Optimized, optimize_input

__all__ = ["Optimized", "atoms", "integrated_gradients", "mutagenesis", "occlusion", "optimize_input", "saliency"]

__getattr__, __dir__ = attach(
    __name__,
    ("gradients", "molecules", "optimizing", "substitutions", "target"),
    {
        "Optimized": "optimizing",
        "atoms": "molecules",
        "integrated_gradients": "gradients",
        "mutagenesis": "substitutions",
        "occlusion": "substitutions",
        "optimize_input": "optimizing",
        "saliency": "gradients",
    },
)
