"""Pictures of scores, trainings, nets, sequences and molecules: each function takes arrays and returns Axes of matplotlib.

They need matplotlib: ``pip install "catalase[plot]"``. Without ``ax`` a function opens a figure of ``pyplot``, which a
notebook shows; with it, the function draws into yours. Titles, labels and limits are set on what it returns:
``ct.plot.parity(y, p).set(title="log S")``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._internal.lazy import attach

if TYPE_CHECKING:
    from .distributions import box, density, violin
    from .generated import generation
    from .maps import projection
    from .nets import activations, decision_regions, filters
    from .scores import calibration, parity, precision_recall, roc, uncertainty
    from .sequences import logo
    from .structures import molecules
    from .training import learning_curve, validation_curve

__all__ = [
    "activations",
    "box",
    "calibration",
    "decision_regions",
    "density",
    "filters",
    "generation",
    "learning_curve",
    "logo",
    "molecules",
    "parity",
    "precision_recall",
    "projection",
    "roc",
    "uncertainty",
    "validation_curve",
    "violin",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(
        __name__,
        ("distributions", "figure", "maps", "nets", "scores", "sequences", "structures", "training"),
        {
            "activations": "nets",
            "box": "distributions",
            "calibration": "scores",
            "decision_regions": "nets",
            "density": "distributions",
            "filters": "nets",
            "generation": "generated",
            "learning_curve": "training",
            "logo": "sequences",
            "molecules": "structures",
            "parity": "scores",
            "precision_recall": "scores",
            "projection": "maps",
            "roc": "scores",
            "uncertainty": "scores",
            "validation_curve": "training",
            "violin": "distributions",
        },
    )
