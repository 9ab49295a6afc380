"""Pictures of how numbers spread in several groups: violins, boxes and densities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.arrays import numbers
from .._internal.numbers import listed, shown
from .figure import COLORS, axes_of

_Groups = dict[str, NDArray[np.float64]]


def groups_of(function: str, groups: Any, labels: Any = None) -> _Groups:
    """Return groups of numbers by name, without NaN: of a dict, a list of arrays, or one array."""
    if isinstance(groups, Mapping):
        if labels is not None:
            raise ValueError(f"{function}: labels must be None, since groups is a dict with names, got {shown(labels)}")
        named = {str(name): values for name, values in groups.items()}
    else:
        if not isinstance(groups, (list, tuple)) or not groups or not hasattr(groups[0], "__len__"):
            groups = [groups]
        names = (
            [str(i + 1) for i in range(len(groups))] if labels is None else listed(function, "labels", labels, "texts")
        )
        if len(names) != len(groups) or len(set(map(str, names))) != len(names):
            raise ValueError(
                f"{function}: labels must be {len(groups)} different texts, one a group, got {shown(labels)}"
            )
        named = dict(zip(map(str, names), groups, strict=True))
    found = {}
    for name, values in named.items():
        array = numbers(function, "groups", values, np.float64).ravel()
        array = array[~np.isnan(array)]
        if not len(array) or np.isinf(array).any():
            raise ValueError(
                f"{function}: groups must have finite numbers to draw, {shown(name)} has none or infinite ones"
            )
        found[name] = array
    if not found:
        raise ValueError(f"{function}: groups must not be empty")
    return found


def violin(groups: Any, labels: Any = None, *, ax: Any = None) -> Any:
    """Draw the density of each group as a violin, with its median and quartiles.

    Parameters
    ----------
    groups : dict of str to array_like, list of array_like, or array_like
        The numbers of each group; NaN is left out.
    labels : list of str, optional
        The names of the groups, where ``groups`` is no dict; by default their numbers.
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
        For groups that are no numbers, empty or infinite, and labels that do not fit.

    Examples
    --------
    >>> import catalase as ct
    >>> ax = ct.plot.violin({"train": [0.1, 0.3, 0.2], "test": [0.5, 0.1, 0.9]})
    """
    found = groups_of("violin", groups, labels)
    ax = axes_of("violin", ax)
    place = np.arange(1, len(found) + 1)
    spread = [len(values) > 1 and np.ptp(values) > 0 for values in found.values()]
    for i, (values, wide, color) in enumerate(zip(found.values(), spread, _cycled(len(found)), strict=True)):
        if wide:
            (body,) = ax.violinplot([values], [place[i]], widths=0.8, showextrema=False)["bodies"]
            body.set(facecolor=color, edgecolor="none", alpha=0.45)
    low, middle, high = np.array([np.percentile(values, [25, 50, 75]) for values in found.values()]).T
    ax.vlines(place, low, high, color="0.25", linewidth=4)
    ax.plot(place, middle, "o", color="white", markeredgecolor="0.25", markersize=6)
    _named(ax, found)
    return ax


def box(groups: Any, labels: Any = None, *, ax: Any = None) -> Any:
    """Draw a box from the first to the third quartile of each group, with whiskers to 1.5 times its height, and outliers.

    Arguments as `violin`.

    Examples
    --------
    >>> import catalase as ct
    >>> ax = ct.plot.box([[0.1, 0.3, 0.2], [0.5, 0.1, 0.9]], ["train", "test"])
    """
    found = groups_of("box", groups, labels)
    ax = axes_of("box", ax)
    drawn = ax.boxplot(
        list(found.values()), positions=range(1, len(found) + 1), widths=0.55, patch_artist=True,
        medianprops={"color": "0.15", "linewidth": 1.6}, flierprops={"marker": ".", "markeredgecolor": "0.4"},
    )  # fmt: skip
    for patch, color in zip(drawn["boxes"], _cycled(len(found)), strict=True):
        patch.set(facecolor=color, alpha=0.55)
    _named(ax, found)
    return ax


def density(groups: Any, labels: Any = None, *, ax: Any = None) -> Any:
    """Draw the density of each group as a curve: a Gaussian at each number, of Scott's bandwidth.

    Arguments as `violin`. A group of equal numbers is a line upwards.

    References
    ----------
    D. W. Scott, Multivariate Density Estimation, 1992 (the bandwidth, ``std * N ** -0.2``).

    Examples
    --------
    >>> import catalase as ct
    >>> ax = ct.plot.density({"train": [0.1, 0.3, 0.2], "test": [0.5, 0.1, 0.9]})
    """
    found = groups_of("density", groups, labels)
    ax = axes_of("density", ax)
    from matplotlib.mlab import GaussianKDE

    for (name, values), color in zip(found.items(), _cycled(len(found)), strict=True):
        if len(values) < 2 or np.ptp(values) == 0:
            ax.axvline(values[0], color=color, linewidth=1.6, label=name)
            continue
        room = 3 * values.std(ddof=1) * len(values) ** -0.2
        x = np.linspace(values.min() - room, values.max() + room, 256)
        height = GaussianKDE(values, "scott")(x)
        ax.plot(x, height, color=color, linewidth=1.6, label=name)
        ax.fill_between(x, height, color=color, alpha=0.15, linewidth=0)
    ax.set(ylabel="density")
    ax.set_ylim(bottom=0)
    if len(found) > 1 or labels is not None or isinstance(groups, Mapping):
        ax.legend(frameon=False)
    return ax


def _cycled(count: int) -> list[str]:
    return [COLORS[i % len(COLORS)] for i in range(count)]


def _named(ax: Any, found: _Groups) -> None:
    ax.set_xticks(range(1, len(found) + 1), list(found))
    ax.set_xlim(0.4, len(found) + 0.6)
    ax.grid(axis="x", visible=False)
