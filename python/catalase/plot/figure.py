"""What all pictures share: the look of the axes, figures without a window, and pictures as bytes.

Figures for files are made without ``pyplot``, so that no window system is touched and the import is shorter. The bytes have
no date and no version: equal arrays give equal pictures.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.arrays import numbers
from .._internal.numbers import shown

_FLOATS = NDArray[np.float64]
BLUE, RED, GREY = "#4c78a8", "#e45756", "0.45"
COLORS = (BLUE, "#f58518", RED, "#72b7b2", "#54a24b", "#b279a2", "#eeca3b", "#9d755d", "#ff9da6", "#79706e")
MANY = 2_000  # points beyond which a picture of lines holds them as pixels


def matplotlib_missing() -> str | None:
    """Return None where matplotlib can be imported, else the sentence that says what is missing and what brings it."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        return 'matplotlib is not installed, so no plots are drawn (pip install "catalase[plot]" brings it)'
    return None


def new_axes(width: float, height: float) -> Any:
    """Return the axes of a new figure (in inches) that no window shows; ``axes.figure`` is the figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120, layout="tight")
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def axes_of(function: str, ax: Any) -> Any:
    """Return the axes to draw into: those given, or those of a new figure of pyplot.

    Raises
    ------
    ImportError
        Where matplotlib is not installed.
    TypeError
        For what is no Axes.
    """
    try:
        from matplotlib.axes import Axes
    except ImportError:
        raise ImportError(f"{function}: matplotlib is needed; pip install 'catalase[plot]'") from None
    if ax is None:
        from matplotlib import pyplot

        ax = pyplot.subplots()[1]
    elif not isinstance(ax, Axes):
        raise TypeError(f"{function}: ax must be an Axes of matplotlib or None, got {shown(ax)}")
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.25, linewidth=0.6)
    ax.set_axisbelow(True)
    return ax


def columns_of(
    function: str, needed: Mapping[str, Any], optional: Mapping[str, Any] | None = None, *, gaps: bool = False
) -> tuple[list[_FLOATS], list[_FLOATS | None]]:
    """Return arrays of one length as float64: those that are needed, and those of which None stays None.

    Rows in which an array has NaN are left out. With ``gaps`` they stay, with NaN for an infinite value.

    Raises
    ------
    TypeError, ValueError
        For what is no array of numbers, for lengths that differ, for infinite values, and where there is nothing to draw.
    """
    given = {**needed, **{name: values for name, values in (optional or {}).items() if values is not None}}
    found: dict[str, _FLOATS] = {}
    first = next(iter(given))
    for name, values in given.items():
        array = numbers(function, name, values, np.float64)
        array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
        if array.ndim != 1 or (found and len(array) != len(found[first])):
            shape = f"({len(found[first])},), as {first} has" if found else "(N,)"
            raise ValueError(f"{function}: {name} must have shape {shape}, got {array.shape}")
        if gaps:
            array = np.where(np.isinf(array), np.nan, array)
        elif np.isinf(array).any():
            raise ValueError(f"{function}: {name} has an infinite value; give NaN to leave it out")
        found[name] = array
    missing = np.asarray(np.isnan(list(found.values())).any(axis=0))
    if missing.all():
        raise ValueError(
            f"{function}: {first} has nothing to draw in {len(missing)} rows, since those with NaN are left out"
        )
    if not gaps:
        found = {name: array[~missing] for name, array in found.items()}
    return [found[name] for name in needed], [found.get(name) for name in optional or {}]


def as_png(ax: Any) -> bytes:
    """Return the figure of some axes as the bytes of a PNG file."""
    return _saved(ax, "png", {"Software": None})


def as_svg(ax: Any) -> bytes:
    """Return the figure of some axes as the bytes of an SVG file."""
    return _saved(ax, "svg", {"Date": None, "Creator": None})


def _saved(ax: Any, kind: str, metadata: dict[str, Any]) -> bytes:
    import matplotlib

    picture = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "catalase"}), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of letters that the font lacks, and titles wider than the figure
        ax.figure.savefig(picture, format=kind, metadata=metadata)
    return picture.getvalue()
