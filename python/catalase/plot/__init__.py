"""Pictures of scores, of trainings and of molecules: each function takes arrays and returns Axes of matplotlib.

They need matplotlib: ``pip install "catalase[plot]"``. Without ``ax`` a function opens a figure of ``pyplot``, which a
notebook shows; with it, the function draws into yours. Titles, labels and limits are set on what it returns:
``ct.plot.parity(y, p).set(title="log S")``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._internal.lazy import attach

if TYPE_CHECKING:
    from .scores import calibration, parity, roc
    from .structures import molecules
    from .training import learning_curve

__all__ = ["calibration", "learning_curve", "molecules", "parity", "roc"]

__getattr__, __dir__ = attach(
    __name__,
    ("figure", "scores", "structures", "training"),
    {
        "calibration": "scores",
        "learning_curve": "training",
        "molecules": "structures",
        "parity": "scores",
        "roc": "scores",
    },
)
