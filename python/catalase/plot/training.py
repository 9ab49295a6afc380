"""The picture of a training: loss against epoch."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._internal.numbers import whole_number
from .figure import BLUE, RED, axes_of, columns_of


def learning_curve(loss: Any, valid_loss: Any = None, *, best_epoch: int | None = None, ax: Any = None) -> Any:
    """Draw the loss of each epoch on training batches and on validation.

    Parameters
    ----------
    loss : array_like of shape (E,)
        Of each epoch, such as ``history["loss"]``. NaN and infinity leave a gap.
    valid_loss : array_like of shape (E,), optional
        Such as ``history["valid_loss"]``.
    best_epoch : int, optional
        The epoch, counted from 1, whose weights were kept: it gets a dot.
    ax : matplotlib.axes.Axes, optional
        Where to draw, such as the axes of another member of an ensemble; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        Where matplotlib is not installed.
    TypeError, ValueError
        For arrays that are no numbers or differ in length, and an epoch that there was not.

    Examples
    --------
    >>> import catalase as ct
    >>> ax = ct.plot.learning_curve([1.0, 0.5, 0.4], [1.1, 0.7, 0.8], best_epoch=2)
    >>> ax = ct.plot.learning_curve([1.2, 0.6, 0.5, 0.4], ax=ax)  # another member, the same legend
    """
    name = "learning_curve"
    (training,), (validation,) = columns_of(name, {"loss": loss}, {"valid_loss": valid_loss}, gaps=True)
    epochs = len(training)
    if best_epoch is not None:
        best_epoch = whole_number(name, "best_epoch", best_epoch, 1, epochs)
    ax = axes_of(name, ax)
    there = set(ax.get_legend_handles_labels()[1])
    curves = [("training batches", BLUE, training)]
    if validation is not None:
        curves.append(("validation", RED, validation))
    for text, color, values in curves:
        label = None if text in there else text
        ax.plot(np.arange(1, epochs + 1), values, color=color, alpha=0.75, linewidth=1.3, label=label)
    if best_epoch is not None:  # on the last curve: that of validation, where there is one
        label, best = None if "kept weights" in there else "kept weights", values[best_epoch - 1]
        ax.plot([best_epoch], [best], "o", color=color, markeredgecolor="black", markersize=6, label=label)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set(xlabel="epoch", ylabel="loss")
    ax.legend(frameon=False)
    return ax
