"""Maps of many features in two: principal components, and t-SNE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.arrays import array_of, numbers
from .._internal.numbers import choice, number, shown, whole_number
from ..data.graph import ShardedGraphs
from ..models.net import NetModel
from ..nn import Linear
from ..nn.modes import watching
from ..ops.mol_graphs import MolGraphs
from .figure import COLORS, MANY, axes_of

_CATEGORIES = 10  # whole numbers that are shown as classes, with a legend


def hidden_layer(model: NetModel, data: Any) -> NDArray[np.float32]:
    """Return what the last dense layer of a net gets for each row: its hidden layer, (N, H).

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> from catalase.plot.maps import hidden_layer
    >>> model = ct.models.MultitaskRegressor(1, 8, layer_sizes=[4], seed=0)
    >>> hidden_layer(model, np.ones((3, 8), np.float32)).shape
    (3, 4)
    """
    outputs: list[Any] = []
    before: dict[int, list[Any]] = {}

    def note(module: Any, output: Any) -> None:
        if isinstance(module, Linear):
            before[id(module)] = [*before.pop(id(module), ()), *outputs[-1:]]  # the last one noted is the last key
        outputs[:] = [output]

    with watching(note):
        rows = len(model.predict(data, raw=True))
    found = [np.asarray(part.numpy()) for part in before[next(reversed(before))]] if before else []
    if sum(map(len, found)) != rows or any(part.ndim != 2 for part in found):
        raise ValueError(f"projection: model must have a dense layer behind a hidden one, got {type(model).__name__}")
    return np.concatenate(found)


def projection(
    data: Any,
    color: Any = None,
    *,
    model: Any = None,
    method: str = "pca",
    color_label: str = "",
    perplexity: float | None = None,
    seed: int = 0,
    ax: Any = None,
) -> Any:
    """Draw rows of many features as points of a plane, so that near points are alike.

    Parameters
    ----------
    data : array_like of shape (N, F), Dataset, or dict of str to these
        Fingerprints, descriptors or anything else; bytes above 1 are packed bits, as `ops.ecfp` gives them. A dict has the
        parts of a split, which give the points their colours. With ``model``, anything that it predicts.
    color : array_like of shape (N,), optional
        A label of each point: texts, or up to 10 whole numbers, get a legend, other numbers a scale. NaN is grey.
    model : NetModel, optional
        Its hidden layer is drawn, in front of the last dense layer, instead of the features.
    method : {"pca", "tsne"}
        The two directions in which the rows spread most, or scikit-learn's t-SNE, which keeps near rows near; its distances
        between far points mean little.
    color_label : str
        What the colour stands for.
    perplexity : float, optional
        Of t-SNE, about the number of neighbours that each point keeps; by default 30, or a third of the rows.
    seed : int
        Of t-SNE.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        Where matplotlib or, ``pip install "catalase[sklearn]"``, scikit-learn is not installed.
    TypeError, ValueError
        For arrays that are no numbers, fewer than 3 rows, colours that do not fit, and a model without a hidden layer.

    References
    ----------
    L. van der Maaten and G. Hinton, J. Mach. Learn. Res. 9 (2008) 2579.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> X = np.random.default_rng(0).normal(size=(30, 8))
    >>> ax = ct.plot.projection({"train": X[:20], "test": X[20:]})
    """
    name = "projection"
    choice(name, "method", method, ("pca", "tsne"))
    seed = whole_number(name, "seed", seed, 0, 2**32 - 1)
    if not isinstance(color_label, str):
        raise TypeError(f"{name}: color_label must be a text, got {shown(color_label)}")
    if model is not None and not isinstance(model, NetModel):
        raise TypeError(f"{name}: model must be a net, such as a MultitaskRegressor, or None, got {shown(model)}")
    if isinstance(data, Mapping):
        if color is not None or not data:
            raise ValueError(f"{name}: data must be parts by name without a color, got {len(data)} parts")
        parts = [_features(name, part, model) for part in data.values()]
        if len({part.shape[1] for part in parts}) != 1:
            raise ValueError(f"{name}: data must have parts of equal features, got {[part.shape[1] for part in parts]}")
        color = np.repeat([str(part) for part in data], [len(part) for part in parts])
        X = np.concatenate(parts)
    else:
        X = _features(name, data, model)
    if len(X) < 3:
        raise ValueError(f"{name}: data must have 3 rows or more, got {len(X)}")
    shades = None if color is None else array_of(name, "color", color, "numbers or texts")
    if shades is not None and shades.ndim == 2 and shades.shape[1] == 1:
        shades = shades[:, 0]
    if shades is not None and (shades.shape != (len(X),) or shades.dtype.kind not in "fiubUO"):
        raise ValueError(f"{name}: color must have a number or a text for each of {len(X)} rows, got {shown(color)}")
    if perplexity is None:
        perplexity = min(30.0, max(1.0, (len(X) - 1) / 3))
    else:
        perplexity = number(name, "perplexity", perplexity, above=0, below=len(X))
    ax = axes_of(name, ax)
    try:
        from sklearn.decomposition import PCA
        from sklearn.manifold import TSNE
    except ImportError:
        raise ImportError(f"{name}: scikit-learn is needed; pip install 'catalase[sklearn]'") from None
    if method == "pca":
        fitted = PCA(min(2, X.shape[1]), svd_solver="full").fit(X)
        places, share = fitted.transform(X), fitted.explained_variance_ratio_
        names = [f"component {i + 1} ({100 * part:.0f}% of the variance)" for i, part in enumerate(share)]
    else:
        init = "pca" if X.shape[1] > 1 else "random"
        places = TSNE(2, perplexity=perplexity, init=init, random_state=seed).fit_transform(X)
        names = ["t-SNE 1", "t-SNE 2"]
    if places.shape[1] == 1:
        places, names = np.c_[places, np.zeros(len(places))], [names[0], ""]
    _draw_points(ax, places, shades, color_label)
    ax.set(xlabel=names[0], ylabel=names[1])
    return ax


def _features(name: str, data: Any, model: Any) -> NDArray[np.float64]:
    if model is not None:
        X: Any = hidden_layer(model, data)
    else:
        X = data.X if hasattr(data, "X") and hasattr(data, "ids") else data
    if isinstance(X, (MolGraphs, ShardedGraphs)):
        raise TypeError(
            f"{name}: data has graphs, which are no rows of features; give model, whose hidden layer is drawn"
        )
    found = numbers(name, "data", X)
    if found.dtype == np.uint8 and found.ndim == 2 and found.size and found.max() > 1:
        found = np.unpackbits(found, axis=1)
    found = found.astype(np.float64, copy=False)
    if found.ndim != 2 or not found.shape[1]:
        raise ValueError(f"{name}: data must have shape (N, features), got {found.shape}")
    if not np.isfinite(found).all():
        raise ValueError(f"{name}: data has NaN or infinite values")
    return found


def _draw_points(ax: Any, places: NDArray[Any], shades: NDArray[Any] | None, label: str) -> None:
    style = {
        "s": 10 if len(places) > MANY else 22, "edgecolor": "white", "linewidth": 0.4, "rasterized": len(places) > MANY,
    }  # fmt: skip
    if shades is None:
        ax.scatter(*places.T, c=COLORS[0], **style)
        return
    if shades.dtype.kind in "fiub":
        values = shades.astype(np.float64)
        missing = np.isnan(values)
        known = np.unique(values[~missing])
        whole = bool((known == np.floor(known)).all())
        if not (whole and len(known) <= _CATEGORIES):
            ax.scatter(*places[missing].T, c="0.8", **style)
            dots = ax.scatter(*places[~missing].T, c=values[~missing], cmap="viridis", **style)
            ax.figure.colorbar(dots, ax=ax, label=label, shrink=0.8)
            return
        shades = np.array(["missing" if gap else f"{value:g}" for value, gap in zip(values, missing, strict=True)])
    texts = shades.astype(str)
    for i, text in enumerate(dict.fromkeys(texts.tolist()) if shades.dtype.kind in "UO" else np.unique(texts)):
        color = "0.8" if text == "missing" else COLORS[i % len(COLORS)]
        ax.scatter(*places[texts == text].T, c=color, label=str(text), **style)
    ax.legend(frameon=False, title=label or None, markerscale=1.4)
