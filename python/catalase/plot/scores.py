"""Pictures of predictions beside measurements: parity, curves of rankings, calibration, errors beside uncertainties."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import shown, whole_number
from ..metrics.classification import average_precision_score, precision_recall_curve, threshold_counts
from ..metrics.shares import share_interval
from ..metrics.uncertainty import calibration_bins
from .figure import BLUE, GREY, MANY, axes_of, columns_of


def parity(
    measured: Any,
    predicted: Any,
    *,
    low: Any = None,
    high: Any = None,
    color: Any = None,
    color_label: str = "",
    ax: Any = None,
) -> Any:
    """Draw predicted against measured values, with the line of equality.

    Parameters
    ----------
    measured, predicted : array_like of shape (N,)
        In the same units. Rows with NaN are left out.
    low, high : array_like of shape (N,), optional
        The ends of an interval of each prediction, drawn as a bar.
    color : array_like of shape (N,), optional
        A value that is shown as the colour of each point, such as the similarity to the nearest training molecule.
    color_label : str
        What the colour stands for.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Both axes have one scale and one range.

    Raises
    ------
    ImportError
        Where matplotlib is not installed.
    TypeError, ValueError
        For arrays that are no numbers or differ in length, one end of an interval without the other, and where there is
        nothing to draw.

    Examples
    --------
    >>> import catalase as ct
    >>> ax = ct.plot.parity([1.0, 2.0, 3.0], [1.1, 1.7, 3.2], low=[0.6, 1.2, 2.7], high=[1.6, 2.2, 3.7])
    >>> _ = ax.set(title="log S")
    """
    (x, y), (lower, upper, shade) = columns_of(
        "parity", {"measured": measured, "predicted": predicted}, {"low": low, "high": high, "color": color}
    )
    if (lower is None) != (upper is None):
        missing = "low" if lower is None else "high"
        raise ValueError(
            f"parity: {missing} must be given with {'high' if lower is None else 'low'}, got None; give both or none"
        )
    if not isinstance(color_label, str):
        raise TypeError(f"parity: color_label must be a text, got {shown(color_label)}")
    ax = axes_of("parity", ax)
    drawn = np.concatenate([values for values in (x, y, lower, upper) if values is not None])
    start, end = float(drawn.min()), float(drawn.max())
    room = 0.06 * (end - start) or 0.5
    ends = (start - room, end + room)
    ax.plot(ends, ends, color=GREY, linewidth=1, linestyle="--", zorder=1)
    many = len(x) > MANY
    if lower is not None and upper is not None:
        ax.vlines(x, lower, upper, color="0.78", linewidth=0.8, zorder=2, rasterized=many)
    dots = ax.scatter(
        x, y, c=BLUE if shade is None else shade, cmap=None if shade is None else "viridis", s=12 if many else 26,
        edgecolor="white", linewidth=0.4, zorder=3, rasterized=many,
    )  # fmt: skip
    if shade is not None:
        ax.figure.colorbar(dots, ax=ax, label=color_label, shrink=0.8)
    ax.set(xlabel="measured", ylabel="predicted", xlim=ends, ylim=ends, aspect="equal")
    return ax


def roc(labels: Any, score: Any, *, label: str | None = None, ax: Any = None) -> Any:
    """Draw the receiver operating characteristic: the share of positives found against the share of negatives taken.

    Parameters
    ----------
    labels : array_like of shape (N,)
        0 and 1; NaN is a missing label.
    score : array_like of shape (N,)
        Higher for likelier positives, on any scale.
    label : str, optional
        Text of the legend, behind which the area is written; by default "ROC-AUC".
    ax : matplotlib.axes.Axes, optional
        Where to draw, such as the axes of another call; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        Where matplotlib is not installed.
    TypeError, ValueError
        For arrays that are no numbers or differ in length, labels other than 0 and 1, and labels of one class only.

    Examples
    --------
    >>> import catalase as ct
    >>> ax = ct.plot.roc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> ax.get_legend().get_texts()[0].get_text()
    'ROC-AUC 0.750'
    """
    y, values, text = _ranked("roc", labels, score, label, "ROC-AUC")
    true, false = (np.append(0, count) / count[-1] for count in threshold_counts("roc", y, values, None)[:2])
    area = float(np.sum(np.diff(false) * (true[1:] + true[:-1])) / 2)
    ax = axes_of("roc", ax)
    if not ax.lines:
        ax.plot([0, 1], [0, 1], color=GREY, linewidth=1.2, linestyle=":")
    ax.plot(false, true, linewidth=1.6, label=f"{text} {area:.3f}")
    ax.set(xlabel="share of negatives taken", ylabel="share of positives found", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    ax.set_aspect("equal")
    ax.legend(frameon=False, loc="lower right")
    return ax


def _ranked(
    function: str, labels: Any, score: Any, label: Any, default: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], str]:
    """Return labels of both classes, their scores, and the text of the legend."""
    (y, values), _ = columns_of(function, {"labels": labels, "score": score})
    _check_classes(function, y)
    text = default if label is None else label
    if not isinstance(text, str):
        raise TypeError(f"{function}: label must be a text or None, got {shown(label)}")
    if (y == y[0]).all():
        raise ValueError(
            f"{function}: labels must have both classes, got {len(y)} of class {y[0]:g}; the curve is undefined"
        )
    return y, values, text


def precision_recall(labels: Any, score: Any, *, label: str | None = None, ax: Any = None) -> Any:
    """Draw precision against recall, with the share of positives as a dotted line: the precision of chance.

    Parameters
    ----------
    labels, score, ax
        As `roc`.
    label : str, optional
        Text of the legend, behind which the average precision is written; by default "average precision".

    Returns
    -------
    matplotlib.axes.Axes
        The curve is a staircase, as `average_precision_score` counts it.

    Raises
    ------
    ImportError, TypeError, ValueError
        As `roc`.

    Examples
    --------
    >>> import catalase as ct
    >>> ax = ct.plot.precision_recall([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> ax.get_legend().get_texts()[0].get_text()
    'average precision 0.833'
    """
    y, values, text = _ranked("precision_recall", labels, score, label, "average precision")
    precision, recall, _ = precision_recall_curve(y, values)
    ax = axes_of("precision_recall", ax)
    if not ax.lines:
        ax.plot([0, 1], [y.mean()] * 2, color=GREY, linewidth=1.2, linestyle=":")
    area = average_precision_score(y, values)
    ax.plot(recall, precision, linewidth=1.6, drawstyle="steps-post", label=f"{text} {area:.3f}")
    ax.set(xlabel="recall", ylabel="precision", xlim=(-0.02, 1.02), ylim=(-0.02, 1.05))
    ax.set_aspect("equal")
    ax.legend(frameon=False, loc="best")
    return ax


def uncertainty(measured: Any, predicted: Any, std: Any, *, bins: int = 10, ax: Any = None) -> Any:
    """Draw errors against the standard deviations that a model stated, to see whether they grow together.

    Parameters
    ----------
    measured, predicted : array_like of shape (N,)
        In the same units. Rows with NaN are left out.
    std : array_like of shape (N,)
        The stated deviation of each prediction, 0 or more.
    bins : int
        The number of parts of equally many rows, ordered by deviation, 1 to 100, that each give a point.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Grey dots are absolute errors; a point is the mean deviation of its rows and the root of their mean squared error,
        which for honest deviations lies on the dotted diagonal.

    Raises
    ------
    ImportError
        Where matplotlib is not installed.
    TypeError, ValueError
        For arrays that are no numbers or differ in length, and negative deviations.

    Examples
    --------
    >>> import catalase as ct
    >>> ax = ct.plot.uncertainty([1.0, 2.0, 3.0], [1.1, 1.7, 3.2], [0.1, 0.3, 0.3], bins=2)
    """
    name = "uncertainty"
    (y, p, deviation), _ = columns_of(name, {"measured": measured, "predicted": predicted, "std": std})
    bins = whole_number(name, "bins", bins, 1, 100)
    if deviation.min() < 0:
        raise ValueError(f"{name}: std must be 0 or more, got {deviation.min():g}")
    error = abs(y - p)
    order = np.argsort(deviation, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    ax = axes_of(name, ax)
    end = 1.05 * float(max(deviation.max(), error.max())) or 1.0
    ax.plot([0, end], [0, end], color=GREY, linewidth=1.2, linestyle=":")
    many = len(y) > MANY
    ax.scatter(deviation, error, c="0.75", s=8 if many else 14, linewidth=0, rasterized=many, label="absolute error")
    mean = [float(deviation[part].mean()) for part in parts]
    rms = [float(np.sqrt(np.mean(error[part] ** 2))) for part in parts]
    ax.plot(mean, rms, "o-", color=BLUE, markersize=6, markeredgecolor="white", linewidth=1.2, label="RMSE")
    ax.set(xlabel="stated standard deviation", ylabel="error", ylim=(0, end))
    ax.set_xlim(0, 1.05 * float(deviation.max()) or 1.0)
    ax.legend(frameon=False)
    return ax


def calibration(labels: Any, probability: Any, *, bins: int = 10, ax: Any = None) -> Any:
    """Draw how often a class came true against how probable it was said to be.

    Parameters
    ----------
    labels : array_like of shape (N,)
        0 and 1; NaN is a missing label.
    probability : array_like of shape (N,)
        Predicted probability of class 1, from 0 to 1.
    bins : int
        The number of ranges of equal width, 1 to 100, that each give a point; those without rows give none.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        A point is at the mean probability and the share of positives of its rows; its bar is Wilson's 95% interval of that
        share, and the number beside it counts the rows.

    Raises
    ------
    ImportError
        Where matplotlib is not installed.
    TypeError, ValueError
        For arrays that are no numbers or differ in length, labels other than 0 and 1, and probabilities beyond 0 and 1.

    References
    ----------
    E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209, for the interval.

    Examples
    --------
    >>> import catalase as ct
    >>> ax = ct.plot.calibration([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], bins=2)
    """
    (y, chance), _ = columns_of("calibration", {"labels": labels, "probability": probability})
    _check_classes("calibration", y)
    bins = whole_number("calibration", "bins", bins, 1, 100)
    if chance.min() < 0 or chance.max() > 1:
        raise ValueError(
            f"calibration: probability must be from 0 to 1, got {chance.min():g} to {chance.max():g}; give probabilities of "
            "class 1"
        )
    ax = axes_of("calibration", ax)
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=1.2, linestyle=":")
    count, mean, share = calibration_bins(y, chance, bins)
    low, high = share_interval(share * count, count, 0.95)
    ax.vlines(mean, low, high, color="0.7", linewidth=1.2)
    ax.plot(mean, share, "o-", color=BLUE, markersize=6, markeredgecolor="white", linewidth=1.2)
    for x, height, rows in zip(mean, share, count, strict=True):
        place = (6, 5 if height < 0.5 else -11)  # inside the frame
        ax.annotate(f"{rows:,.0f}", (x, height), xytext=place, textcoords="offset points", fontsize="small", color=GREY)
    ax.set(xlabel="predicted probability", ylabel="share of class 1", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    ax.set_aspect("equal")
    return ax


def _check_classes(function: str, y: NDArray[np.float64]) -> None:
    wrong = y[(y != 0) & (y != 1)]
    if len(wrong):
        raise ValueError(f"{function}: labels must be 0, 1 or NaN where missing, got {wrong[0]:g}")
