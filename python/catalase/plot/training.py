"""Pictures of trainings: loss against epoch, and scores against the number of rows or a setting."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._internal.arrays import numbers
from .._internal.numbers import flag, listed, shown, whole_number
from ..hyper import ScoreCurve
from ..train import History
from .figure import BLUE, RED, axes_of, columns_of


def learning_curve(loss: Any, valid_loss: Any = None, *, best_epoch: int | None = None, ax: Any = None) -> Any:
    """Draw the loss of each epoch on training batches and on validation.

    Parameters
    ----------
    loss : array_like of shape (E,), train.History or hyper.ScoreCurve
        Of each epoch, such as ``history["loss"]``. NaN and infinity leave a gap. A history has both losses. The curve of
        `catalase.hyper.learning_curve`, scores against training rows, is drawn by `validation_curve`.
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
    if isinstance(loss, ScoreCurve):
        if valid_loss is not None or best_epoch is not None:
            raise ValueError(f"{name}: loss is a ScoreCurve, which takes no valid_loss and no best_epoch")
        return validation_curve(loss, ax=ax)
    if isinstance(loss, History):
        valid_loss = (loss["valid_loss"] or None) if valid_loss is None else valid_loss
        loss = loss["loss"]
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


def validation_curve(
    values: Any,
    train: Any = None,
    valid: Any = None,
    *,
    name: str | None = None,
    log: bool | None = None,
    ax: Any = None,
) -> Any:
    """Draw scores on training rows and on rows that were held out against the values of a setting.

    Parameters
    ----------
    values : hyper.ScoreCurve, or list of V values
        What `catalase.hyper.validation_curve` or `learning_curve` returned; or the values of the setting, with the scores.
        Values that are no numbers are named below the axis.
    train, valid : array_like of shape (V,) or (V, folds), optional
        Scores; the band around the mean over folds is one standard deviation. NaN is left out.
    name : str, optional
        Of the setting.
    log : bool, optional
        A logarithmic axis; by default for numbers above 0 of which the largest is 50 times the smallest.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        Where matplotlib is not installed.
    TypeError, ValueError
        For scores that do not fit the values, and a logarithm of numbers that are not above 0.

    Examples
    --------
    >>> import catalase as ct
    >>> ax = ct.plot.validation_curve([1, 10, 100], [0.9, 0.5, 0.1], [1.0, 0.7, 0.8], name="width")
    >>> ax.get_xscale()
    'log'
    """
    where = "validation_curve"
    if isinstance(values, ScoreCurve):
        if train is not None or valid is not None:
            raise ValueError(f"{where}: values is a ScoreCurve with its own scores, so train and valid must be None")
        name = values.name if name is None else name
        values, train, valid = values.values, values.train, values.valid
    chosen = listed(where, "values", values, "values")
    if name is not None and not isinstance(name, str):
        raise TypeError(f"{where}: name must be a text or None, got {shown(name)}")
    curves = []
    for side, text, color, scores in (("train", "training", BLUE, train), ("valid", "validation", RED, valid)):
        if scores is None:
            continue
        array = numbers(where, side, scores, np.float64)
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2 or len(array) != len(chosen) or not array.size:
            raise ValueError(f"{where}: {side} must have a row for each of {len(chosen)} values, got {array.shape}")
        if np.isnan(array).all(axis=1).any() or np.isinf(array).any():
            raise ValueError(f"{where}: {side} must have a finite score for each value")
        curves.append((text, color, array))
    if not curves:
        raise ValueError(f"{where}: train or valid must be given with values, or a ScoreCurve")
    plain = all(isinstance(v, (int, float, np.number)) and not isinstance(v, bool) and np.isfinite(v) for v in chosen)
    x = np.array(chosen, np.float64) if plain else np.arange(len(chosen), dtype=np.float64)
    if log is None:
        log = bool(plain and x.min() > 0 and x.max() >= 50 * x.min())
    elif flag(where, "log", log) and not (plain and x.min() > 0):
        raise ValueError(f"{where}: log needs values above 0, got {shown(chosen)}")
    ax = axes_of(where, ax)
    for text, color, array in curves:
        mean, spread = np.nanmean(array, axis=1), np.nanstd(array, axis=1)
        if array.shape[1] > 1:
            ax.fill_between(x, mean - spread, mean + spread, color=color, alpha=0.15, linewidth=0)
        ax.plot(x, mean, "o-", color=color, markersize=4, linewidth=1.4, label=text)
    if log:
        ax.set_xscale("log")
    if not plain:
        ax.set_xticks(x, [str(value) for value in chosen])
    ax.set(xlabel=name or "", ylabel="score")
    ax.legend(frameon=False)
    return ax
