"""Sequence logos: letters as tall as they matter."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.arrays import numbers
from .._internal.numbers import shown
from ..metrics import to_one_hot
from .figure import COLORS, axes_of

_COLOR_OF = {"A": "#54a24b", "C": "#4c78a8", "G": "#e6a019", "T": "#e45756", "U": "#e45756"}


def letter_heights(frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the frequencies of letters (L, A) times the information of their position in bits, ``log2(A) - entropy``.

    Rows are divided by their sum; a row of zeros has none.

    Examples
    --------
    >>> letter_heights(np.array([[1.0, 0, 0, 0], [0.5, 0.5, 0, 0], [0.25, 0.25, 0.25, 0.25]])).round(6).tolist()
    [[2.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    """
    total = frequencies.sum(axis=1, keepdims=True)
    share = np.divide(frequencies, total, out=np.zeros_like(frequencies), where=total > 0)
    logs = np.log2(share, out=np.zeros_like(share), where=share > 0)
    bits = np.log2(share.shape[1]) + (share * logs).sum(axis=1, keepdims=True)
    return share * np.where(total > 0, bits, 0)


def logo(sequences: Any, *, letters: str = "ACGT", ax: Any = None) -> Any:
    """Draw a sequence logo.

    Parameters
    ----------
    sequences : list of str, or array_like of shape (N, L, A) or (L, A)
        DNA of one length, or one-hot rows: the height of a letter is its share at a position times the position's
        information in bits. An array (L, A) has the heights themselves, such as contributions; those below 0 hang down.
    letters : str
        What the A columns are.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        With a patch for each letter that has a height; positions count from 1.

    Raises
    ------
    ImportError
        Where matplotlib is not installed.
    TypeError, ValueError
        For arrays of other shapes, NaN, sequences of unequal length, and letters that do not fit.

    References
    ----------
    T. D. Schneider and R. M. Stephens, Nucleic Acids Res. 18 (1990) 6097, doi:10.1093/nar/18.20.6097.

    Examples
    --------
    >>> import catalase as ct
    >>> ax = ct.plot.logo(["TATAAT", "TATGAT", "TACAAT"])
    """
    name = "logo"
    if not isinstance(letters, str) or len(letters) < 2:
        raise TypeError(f"{name}: letters must be a text of two or more, got {shown(letters)}")
    if isinstance(sequences, (list, tuple)) and sequences and all(isinstance(text, str) for text in sequences):
        if len({len(text) for text in sequences}) != 1:
            raise ValueError(f"{name}: sequences must have one length, got {sorted({len(t) for t in sequences})[:5]}")
        if letters == "ACGT":
            rows = to_one_hot(list(sequences))
        else:
            rows = np.array([[[letter == known for known in letters] for letter in text] for text in sequences], float)
    else:
        rows = numbers(name, "sequences", sequences, np.float64)
    if rows.ndim not in (2, 3) or not rows.size or rows.shape[-1] != len(letters):
        raise ValueError(
            f"{name}: sequences must have shape (N, L, {len(letters)}) or (L, {len(letters)}), got {rows.shape}"
        )
    if not np.isfinite(rows).all():
        raise ValueError(f"{name}: sequences has NaN or infinite values")
    if rows.ndim == 3 and (rows < 0).any():
        raise ValueError(
            f"{name}: sequences of shape (N, L, {len(letters)}) must be one-hot, got {rows.min():g} among them"
        )
    heights = letter_heights(rows.sum(axis=0, dtype=np.float64)) if rows.ndim == 3 else rows.astype(np.float64)
    ax = axes_of(name, ax)
    from matplotlib.font_manager import FontProperties
    from matplotlib.patches import PathPatch
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import Affine2D

    font = FontProperties(family="DejaVu Sans", weight="bold")
    shapes = [TextPath((0, 0), letter, size=1, prop=font) for letter in letters]
    colors = [_COLOR_OF.get(letter, COLORS[i % len(COLORS)]) for i, letter in enumerate(letters)]
    for position, row in enumerate(heights):
        for sign in (1, -1):
            base = 0.0
            for k in np.argsort(abs(row), kind="stable"):  # the tallest outside
                height = float(sign * row[k])
                if height <= 0:
                    continue
                extents = shapes[k].get_extents()
                scale = (
                    Affine2D().translate(-extents.x0, -extents.y0).scale(0.92 / extents.width, height / extents.height)
                )
                bottom = base if sign == 1 else -base - height
                path = scale.translate(position + 0.54, bottom).transform_path(shapes[k])
                ax.add_patch(PathPatch(path, facecolor=colors[k], edgecolor="none"))
                base += height
    top, bottom = (float(np.clip(sign * heights, 0, None).sum(axis=1).max()) for sign in (1, -1))
    ax.axhline(0, color="0.4", linewidth=0.8)
    ax.set(
        xlim=(0.4, len(heights) + 0.6), ylim=(-1.05 * bottom, 1.05 * top or 1.0), xlabel="position",
        ylabel="bits" if rows.ndim == 3 else "height",
    )  # fmt: skip
    ax.grid(visible=False)
    return ax
