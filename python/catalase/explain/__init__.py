"""Reasons: which atoms, letters, pixels or features a prediction comes from, and inputs that a model prefers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._internal.lazy import attach

if TYPE_CHECKING:
    from .gradients import integrated_gradients, saliency
    from .molecules import atoms
    from .optimizing import Optimized, optimize_input
    from .substitutions import mutagenesis, occlusion

__all__ = ["Optimized", "atoms", "integrated_gradients", "mutagenesis", "occlusion", "optimize_input", "saliency"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(
        __name__,
        ("gradients", "graphs", "molecules", "optimizing", "substitutions", "target"),
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
