"""From a table to a trained model, and what is written beside it: scores, predictions, a model card, a report in HTML.

`train_model` splits a table, trains an `AutoModel` and scores it.
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
    from .statements import comparison_of, statements_of
    from .training import readable, scrambled, train_model

__all__ = [
    "Outcome",
    "caveats_of",
    "comparison_of",
    "metrics_of",
    "outputs",
    "readable",
    "scrambled",
    "statements_of",
    "train_model",
    "write_folder",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(
        __name__,
        ("caveats", "folder", "nets", "outcome", "scores", "statements", "training"),
        {
            "Outcome": "outcome",
            "caveats_of": "caveats",
            "comparison_of": "statements",
            "metrics_of": "scores",
            "outputs": "folder",
            "readable": "training",
            "scrambled": "training",
            "train_model": "training",
            "statements_of": "statements",
            "write_folder": "folder",
        },
    )
