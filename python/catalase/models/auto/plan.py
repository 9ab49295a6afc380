"""Which members an `AutoModel` trains in a time budget: by a table of costs, so that equal data get equal plans."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import NamedTuple

from .members import KINDS

FOLDS = 5
_FEWEST_FOR_GRAPHS = 2000  # molecules of one task; with several tasks fewer will do
_SHARE = (
    0.7  # of the budget that members may take by the table; the rest is for features, equal molecules and slow machines
)

# Seconds of each kind for N molecules and T tasks: a + b N + c N T + d N**2 T + e N**3 T. Measured on two virtual cores of an
# Intel Xeon (AVX-512); docs/answers.md has the measurements.
_COSTS = {
    "net": (1.0, 3.0e-3, 0.2e-3, 0.0, 0.0),
    "Gaussian process": (0.3, 0.0, 0.0, 0.1e-6, 0.08e-9),
    "forest": (0.5, 0.0, 3.0e-3, 0.4e-6, 0.0),
    "Gaussian process on bits": (0.1, 0.0, 0.0, 0.05e-6, 0.08e-9),
    "forest on bits": (0.5, 0.0, 3.0e-3, 0.3e-6, 0.0),
    "graph net": (5.0, 25.0e-3, 0.0, 0.0, 0.0),
    "ridge": (0.1, 1.0e-3, 0.0, 0.0, 0.0),
    "nearest neighbours": (0.1, 0.1e-3, 0.0, 0.0, 0.0),
}


class Plan(NamedTuple):
    """What is trained, in this order, and how long it takes by the table.

    Attributes
    ----------
    members : tuple of str
    seconds : float
    left_out : dict of str to str
        Why each other kind is not trained.
    """

    members: tuple[str, ...]
    seconds: float
    left_out: dict[str, str]


def cost(kind: str, rows: int, tasks: int) -> float:
    """Return the seconds of a member by the table."""
    constant, row, label, square, cube = _COSTS[kind]
    return constant + row * rows + rows * tasks * (label + square * rows + cube * rows**2)


def planned(rows: int, tasks: int, budget: float, wanted: Sequence[str] | None) -> Plan:
    """Return the members that fit a budget of seconds, the most useful first; the first that can be had is always one.

    ``wanted`` names kinds that are trained whatever they take; None leaves the choice to the table.
    """
    members: list[str] = []
    left_out: dict[str, str] = {}
    seconds = 0.0
    for kind, how in KINDS.items():
        takes = cost(kind, rows, tasks)
        if wanted is None and how.baseline:
            continue
        if wanted is not None and kind not in wanted:
            left_out[kind] = "it was not asked for"
        elif not all(map(importlib.util.find_spec, how.needs)):
            left_out[kind] = "it needs scikit-learn and skops: pip install 'catalase[sklearn]'"
        elif wanted is None and how.graphs and tasks == 1 and rows < _FEWEST_FOR_GRAPHS:
            left_out[kind] = f"it learns from {_FEWEST_FOR_GRAPHS:,} molecules or more, or from several tasks"
        elif wanted is None and members and seconds + takes > _SHARE * budget:
            left_out[kind] = f"it would take about {takes:,.0f} s, beyond the time budget of {budget:g} s"
        else:
            members.append(kind)
            seconds += takes
    return Plan(tuple(members), seconds, left_out)
