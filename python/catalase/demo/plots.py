"""The demo's two plots as PNG files: the learning curve and the parity plot.

They need matplotlib (``pip install "catalase[plot]"``). Its ``Figure`` is used without ``pyplot``, so that no window system
is touched and the import is shorter.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from .._internal.storage import write_file_atomic

_TRAIN, _VALID = "#4c78a8", "#e45756"


def matplotlib_missing() -> str | None:
    """Return None where matplotlib can be imported, else the sentence to print."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        return 'matplotlib is not installed, so the two plots are left out (pip install "catalase[plot]" brings it)'
    return None


def _figure(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120, layout="tight")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, linewidth=0.6)
    return figure, axes


def _save(figure: Any, path: str) -> None:
    # The file has no date and no version, so that two runs with one seed give the same bytes.
    picture = io.BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": None})
    write_file_atomic(path, lambda file: cast(None, file.write(picture.getbuffer())))


def learning_curve(path: str, histories: Sequence[Sequence[tuple[float, float]]], best_epochs: Sequence[int]) -> None:
    """Draw RMSE against epoch for every member of the ensemble.

    Parameters
    ----------
    path : str
        PNG to write.
    histories : sequence of sequences of (float, float)
        For each member and epoch the RMSE on training batches (dropout on) and on validation, in p units.
    best_epochs : sequence of int
        For each member the epoch, from 1, whose weights were kept.
    """
    figure, axes = _figure(6.4, 4.2)
    for member, (history, best) in enumerate(zip(histories, best_epochs, strict=True)):
        epochs = np.arange(1, len(history) + 1)
        train, valid = np.array(history, dtype=np.float64).T
        labels = ("training batches (dropout on)", "validation", "kept weights") if member == 0 else (None, None, None)
        axes.plot(epochs, train, color=_TRAIN, alpha=0.6, linewidth=1.2, label=labels[0])
        axes.plot(epochs, valid, color=_VALID, alpha=0.8, linewidth=1.4, label=labels[1])
        axes.plot([best], [valid[best - 1]], "o", color=_VALID, markeredgecolor="black", markersize=6, label=labels[2])
    axes.set(xlabel="epoch", ylabel="RMSE (p units)", title=f"Learning curve, ensemble of {len(histories)}")
    axes.set_ylim(bottom=0.0)
    axes.legend(frameon=False)
    _save(figure, path)


def parity(
    path: str, measured: np.ndarray, predicted: np.ndarray, spread: np.ndarray, similarity: np.ndarray, note: str
) -> None:
    """Draw predicted against measured activity of the test compounds.

    Parameters
    ----------
    path : str
        PNG to write.
    measured, predicted, spread : ndarray of shape (N,)
        Values in p units; ``spread`` is the standard deviation over the ensemble, drawn as error bars.
    similarity : ndarray of shape (N,)
        Tanimoto similarity to the nearest training compound, shown as colour.
    note : str
        One line of figures for the title.
    """
    figure, axes = _figure(5.8, 5.2)
    low = math.floor(min(measured.min(), predicted.min()) * 2 - 0.2) / 2  # at least a tenth is free at both ends
    high = math.ceil(max(measured.max(), predicted.max()) * 2 + 0.2) / 2
    axes.plot([low, high], [low, high], color="0.4", linewidth=1, linestyle="--", zorder=1)
    axes.errorbar(measured, predicted, yerr=spread, fmt="none", ecolor="0.75", linewidth=0.8, zorder=2)
    dots = axes.scatter(
        measured, predicted, c=similarity, cmap="viridis", s=26, edgecolor="white", linewidth=0.4, zorder=3
    )
    figure.colorbar(dots, ax=axes, label="Tanimoto similarity to nearest training compound", shrink=0.8)
    axes.set(
        xlabel="measured activity (p scale)",
        ylabel="predicted activity (p scale), bar: spread of the ensemble",
        title=f"Test compounds, unseen scaffolds\n{note}",
        xlim=(low, high),
        ylim=(low, high),
        aspect="equal",
    )
    _save(figure, path)


def names(out: str) -> dict[str, str]:
    """Return the paths of the pictures in the output folder."""
    return {name: os.path.join(out, name + ".png") for name in ("learning_curve", "parity", "top_hits")}
