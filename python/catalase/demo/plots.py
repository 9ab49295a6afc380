"""The demo's two plots as PNG files: the learning curve and the parity plot."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from .. import plot
from .._internal.storage import write_file_atomic
from ..plot.figure import as_png, new_axes


def _save(ax: Any, path: str) -> None:
    picture = as_png(ax)
    write_file_atomic(path, lambda file: cast(None, file.write(picture)))


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
    ax = new_axes(6.4, 4.2)
    for history, best in zip(histories, best_epochs, strict=True):
        training, validation = np.array(history, dtype=np.float64).T
        plot.learning_curve(training, validation, best_epoch=best, ax=ax)
    ax.set(ylabel="RMSE (p units)", title=f"Learning curve, ensemble of {len(histories)} (dropout on in training)")
    ax.set_ylim(bottom=0.0)
    _save(ax, path)


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
    label = "Tanimoto similarity to nearest training compound"
    ends = {"low": predicted - spread, "high": predicted + spread}
    ax = plot.parity(measured, predicted, **ends, color=similarity, color_label=label, ax=new_axes(5.8, 5.2))
    low = math.floor(min(measured.min(), predicted.min()) * 2 - 0.2) / 2  # at least a tenth is free at both ends
    high = math.ceil(max(measured.max(), predicted.max()) * 2 + 0.2) / 2
    ax.set(
        xlabel="measured activity (p scale)",
        ylabel="predicted activity (p scale), bar: spread of the ensemble",
        title=f"Test compounds, unseen scaffolds\n{note}",
        xlim=(low, high),
        ylim=(low, high),
    )
    _save(ax, path)


def names(out: str) -> dict[str, str]:
    """Return the paths of the pictures in the output folder."""
    return {name: os.path.join(out, name + ".png") for name in ("learning_curve", "parity", "top_hits")}
