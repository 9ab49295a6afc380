"""What is written beside a model: scores, predictions, the split, a model card and a report in one HTML file.

An `Outcome` holds what a training found out: `metrics_of` makes its scores. `caveats_of` says what to distrust in it,
`statements_of` what it is worth, and `write_folder` writes the files into the folder of the saved model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._internal.lazy import attach

if TYPE_CHECKING:
    from .caveats import caveats_of
    from .folder import outputs, write_folder
    from .outcome import Outcome
    from .scores import metrics_of
    from .statements import statements_of

__all__ = ["Outcome", "caveats_of", "metrics_of", "outputs", "statements_of", "write_folder"]

__getattr__, __dir__ = attach(
    __name__,
    ("caveats", "folder", "outcome", "scores", "statements"),
    {
        "Outcome": "outcome",
        "caveats_of": "caveats",
        "metrics_of": "scores",
        "outputs": "folder",
        "statements_of": "statements",
        "write_folder": "folder",
    },
)
