"""Pictures of what is inside a net, and of what it decides: filters, activations, regions of classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.arrays import array_of, numbers
from .._internal.numbers import listed, number, shown, whole_number
from ..autograd import Tensor
from ..models.net import NetModel
from ..nn import Conv1D, Conv2D
from ..nn.functional.elementwise import ACTIVATION_FUNCTIONS
from .figure import COLORS, axes_of


def filters(weights: Any, *, channel: int | None = None, columns: int = 8, ax: Any = None) -> Any:
    """Draw the filters of a convolution side by side, on one scale of colours around 0.

    Parameters
    ----------
    weights : array_like of shape (KH, KW, I, O) or (K, I, O), or NetModel
        Of O filters over I channels; of a model, those of its first layer `nn.Conv2D` or `nn.Conv1D`. A filter (K, I) of a
        sequence is drawn as I rows of K numbers, such as one row for each of A C G T.
    channel : int, optional
        The input channel of an image to draw; by default the mean over all of them.
    columns : int
        Filters in a row.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Its image has the filters with a line of NaN between them.

    Raises
    ------
    ImportError
        Where matplotlib is not installed.
    TypeError, ValueError
        For arrays of other shapes, NaN, a channel that there is not, and a model without such a layer.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ax = ct.plot.filters(np.random.default_rng(0).normal(size=(5, 5, 1, 12)))
    >>> ax.images[0].get_array().shape
    (13, 49)
    """
    name = "filters"
    columns = whole_number(name, "columns", columns, 1, 10_000)
    if isinstance(weights, NetModel):
        weights.state_dict()  # a graph of layers becomes a net
        layers = [layer for layer in weights.module.modules() if isinstance(layer, (Conv1D, Conv2D))]
        if not layers:
            raise ValueError(f"{name}: weights must be a model with a Conv1D or Conv2D, got {type(weights).__name__}")
        weights = layers[0].w.numpy()
    w = numbers(name, "weights", weights, np.float64)
    if w.ndim not in (3, 4) or not w.size:
        raise ValueError(f"{name}: weights must have shape (KH, KW, I, O) or (K, I, O), got {w.shape}")
    if not np.isfinite(w).all():
        raise ValueError(f"{name}: weights has NaN or infinite values")
    if channel is not None:
        channel = whole_number(name, "channel", channel, 0, w.shape[-2] - 1)
    if w.ndim == 3:
        tiles = w.transpose(2, 1, 0) if channel is None else w.transpose(2, 1, 0)[:, channel : channel + 1]
    else:
        tiles = (w.mean(axis=2) if channel is None else w[:, :, channel]).transpose(2, 0, 1)
    count, height, width = tiles.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    picture = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1), np.nan)
    for i, tile in enumerate(tiles):
        top, left = i // columns * (height + 1) + 1, i % columns * (width + 1) + 1
        picture[top : top + height, left : left + width] = tile
    ax = axes_of(name, ax)
    largest = float(abs(tiles).max()) or 1.0
    image = ax.imshow(picture, cmap="RdBu_r", vmin=-largest, vmax=largest, interpolation="nearest")
    ax.figure.colorbar(image, ax=ax, shrink=0.7, label="weight")
    ax.set_axis_off()
    return ax


def activations(names: Sequence[str] | str = ("relu", "tanh", "sigmoid"), *, limit: float = 4.0, ax: Any = None) -> Any:
    """Draw activation functions, and their derivatives as dotted lines.

    Parameters
    ----------
    names : str or list of str
        As for `catalase.ops.activation`.
    limit : float
        Drawn from ``-limit`` to ``limit``, above 0.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        With two lines for each name: the function, and the derivative that training uses.

    Raises
    ------
    ImportError
        Where matplotlib is not installed.
    TypeError, ValueError
        For names that are unknown.

    Examples
    --------
    >>> import catalase as ct
    >>> ax = ct.plot.activations(["relu", "gelu"])
    >>> len(ax.lines)
    4
    """
    name = "activations"
    chosen = [names] if isinstance(names, str) else listed(name, "names", names, "texts")
    unknown = [one for one in chosen if not isinstance(one, str) or one not in ACTIVATION_FUNCTIONS]
    if unknown or not chosen:
        raise ValueError(
            f"{name}: names must be of {', '.join(ACTIVATION_FUNCTIONS)}, got {shown(unknown[0] if unknown else names)}"
        )
    limit = number(name, "limit", limit, above=0, at_most=1e6)
    ax = axes_of(name, ax)
    values = np.linspace(-limit, limit, 401)
    for i, one in enumerate(chosen):
        x = Tensor(values, requires_grad=True)
        y = ACTIVATION_FUNCTIONS[one](x)
        y.sum().backward()
        color = COLORS[i % len(COLORS)]
        ax.plot(values, y.numpy(), color=color, linewidth=1.6, label=one)
        ax.plot(values, x.grad, color=color, linewidth=1.3, linestyle=":", label=f"derivative of {one}")
    ax.set(xlabel="x", xlim=(-limit, limit))
    ax.legend(frameon=False)
    return ax


def decision_regions(model: Any, X: Any, y: Any, *, resolution: int = 200, ax: Any = None) -> Any:
    """Draw which class a model chooses at each point of a plane, beside the points that it learned from.

    Parameters
    ----------
    model : Model or callable
        Of two features. A function takes points (M, 2), and returns the probability of class 1 (M,) or those of the
        classes (M, C).
    X : array_like of shape (N, 2)
    y : array_like of shape (N,)
        Class numbers from 0.
    resolution : int
        Points a side of the plane, 2 to 2,000.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Its image has the probability of class 1, with a line at 0.5; of more than two classes, the likeliest one.

    Raises
    ------
    ImportError
        Where matplotlib is not installed.
    TypeError, ValueError
        For points of other shapes, classes that are no whole numbers, and answers of another shape.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> X = np.array([[0.0, 0.0], [1.0, 1.0]])
    >>> ax = ct.plot.decision_regions(lambda points: points.mean(axis=1), X, [0, 1], resolution=20)
    """
    name = "decision_regions"
    points, labels = numbers(name, "X", X, np.float64), numbers(name, "y", y).ravel()
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(f"{name}: X must have shape (N, 2), got {points.shape}")
    if len(labels) != len(points) or not np.isfinite(points).all():
        raise ValueError(f"{name}: X and y must have finite rows of one number, got {len(points)} and {len(labels)}")
    if not ((labels >= 0) & (labels == np.floor(labels))).all():
        raise ValueError(f"{name}: y must have class numbers from 0, got {labels[:5].tolist()}")
    resolution = whole_number(name, "resolution", resolution, 2, 2000)
    answer = getattr(model, "predict", model)
    if isinstance(model, type) or not callable(answer):
        raise TypeError(f"{name}: model must be a model or a function of points, got {shown(model)}")
    low, high = points.min(axis=0), points.max(axis=0)
    room = np.where(high > low, 0.1 * (high - low), 0.5)
    low, high = low - room, high + room
    x, height = (np.linspace(low[k], high[k], resolution) for k in (0, 1))
    grid = np.stack(np.meshgrid(x, height), axis=-1).reshape(-1, 2)
    found = array_of(name, "model", answer(grid.astype(np.float32)))
    if found.dtype.kind not in "fiub" or found.size % len(grid) or not found.size or len(found) != len(grid):
        raise ValueError(
            f"{name}: model must answer one row a point, ({len(grid)},) or more columns, got {found.shape}"
        )
    chance: NDArray[Any] = found.reshape(len(grid), -1)
    several = chance.shape[1] > 2
    shade = chance.argmax(axis=1) if several else chance[:, -1]
    shade = shade.reshape(resolution, resolution).astype(np.float64)
    ax = axes_of(name, ax)
    ax.grid(visible=False)
    classes = int(max(labels.max() + 1, chance.shape[1], 2))
    colors = [COLORS[i % len(COLORS)] for i in (range(classes) if several or classes > 2 else (0, 2))]
    from matplotlib.colors import LinearSegmentedColormap, ListedColormap

    kind: Any = (
        ListedColormap(colors) if several else LinearSegmentedColormap.from_list("", [colors[0], "white", colors[1]])
    )
    span = (-0.5, classes - 0.5) if several else (0.0, 1.0)
    extent = (low[0], high[0], low[1], high[1])
    ax.imshow(
        shade, origin="lower", extent=extent, cmap=kind, vmin=span[0], vmax=span[1], alpha=0.4, aspect="auto",
        interpolation="nearest",
    )  # fmt: skip
    if not several and shade.min() < 0.5 < shade.max():
        ax.contour(x, height, shade, levels=[0.5], colors="0.25", linewidths=1)
    ax.scatter(*points.T, c=[colors[int(k)] for k in labels], s=16, edgecolor="white", linewidth=0.5)
    ax.set(xlim=extent[:2], ylim=extent[2:])
    return ax
