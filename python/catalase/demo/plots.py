"""The demo's parity plot, as a PNG file."""

from __future__ import annotations

import math
import os
from typing import cast

from .. import plot
from .._internal.storage import write_file_atomic
from ..plot.figure import as_png, new_axes
from ..workflow import Outcome


def parity(path: str, outcome: Outcome) -> None:
    """Draw predicted against measured activity of the test compounds, with their intervals."""
    test = outcome.rows_of("test")
    measured, predicted = outcome.measured[test, 0], outcome.predicted[test, 0]
    ax = plot.parity(
        measured,
        predicted,
        low=outcome.low[test, 0],
        high=outcome.high[test, 0],
        color=outcome.nearest_similarity[test],
        color_label="Tanimoto similarity to nearest training compound",
        ax=new_axes(5.8, 5.2),
    )
    low = math.floor(min(measured.min(), predicted.min()) * 2 - 0.2) / 2  # at least a tenth is free at both ends
    high = math.ceil(max(measured.max(), predicted.max()) * 2 + 0.2) / 2
    scores = outcome.metrics["test"]
    ax.set(
        xlabel="measured activity (p scale)",
        ylabel=f"predicted activity (p scale), bar: {100 * outcome.coverage:.0f}% interval",
        title=f"Test compounds, unseen scaffolds\nR2 {scores['r2']:.2f}, RMSE {scores['rmse']:.2f}, "
        f"Spearman {scores['spearman']:.2f}",
        xlim=(low, high),
        ylim=(low, high),
    )
    picture = as_png(ax)
    write_file_atomic(path, lambda file: cast(None, file.write(picture)))


def names(out: str) -> dict[str, str]:
    """Return the paths of the pictures in the output folder."""
    return {name: os.path.join(out, name + ".png") for name in ("parity", "top_hits")}
