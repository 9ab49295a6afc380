"""A picture of a report on generated molecules."""

from __future__ import annotations

from typing import Any

from .._internal.numbers import shown
from ..feat.generation import GenerationReport
from .figure import BLUE, COLORS, axes_of


def generation(report: GenerationReport, *, ax: Any = None) -> Any:
    """Draw the shares of a report on generated molecules as bars, and how far its properties are from those of training.

    Parameters
    ----------
    report : GenerationReport
        From `catalase.chem.generation_report`. The values of a property are drawn by
        ``ct.plot.density({"generated": made, "training": known})`` of ``made, known = report.properties["qed"]``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        Where matplotlib is not installed.
    TypeError
        For what is no report.

    Examples
    --------
    >>> import catalase as ct
    >>> ax = ct.plot.generation(ct.chem.generation_report(["CCO", "CCN", "C1CC"], ["CCN", "CCC"]))
    """
    if not isinstance(report, GenerationReport):
        raise TypeError(f"generation: report must be what chem.generation_report returns, got {shown(report)}")
    ax = axes_of("generation", ax)
    shares = {"valid": report.validity, "unique": report.uniqueness, "new": report.novelty}
    shares |= {"new scaffolds": report.scaffold_novelty, "internal diversity": report.diversity}
    bars = [(name, share, BLUE) for name, share in shares.items() if share is not None]
    bars += [(f"{name} alerts", share, COLORS[1]) for name, share in report.alerts.items()]
    bars += [(f"KS of {name}", distance, COLORS[3]) for name, distance in report.distances.items()]
    names, values, colors = zip(*bars, strict=True)
    place = range(len(bars))[::-1]
    ax.barh(place, [0 if value != value else value for value in values], color=colors, height=0.7)
    for y, value in zip(place, values, strict=True):
        ax.text(1.02, y, "-" if value != value else f"{value:.3f}", va="center", fontsize="small")
    ax.set_yticks(list(place), names)
    ax.set(xlim=(0, 1), xlabel="share, or distance")
    ax.grid(axis="y", visible=False)
    return ax
