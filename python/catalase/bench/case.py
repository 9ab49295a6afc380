"""The parts of a family: cases, and functions that prepare them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes
    ----------
    name : str
        The name, unique in its family.
    work : float
        The work of a call: floating-point operations, bytes, rows or training steps.
    unit : str
        The unit of the rate; "GFLOP/s" and "GB/s" are shown with the machine's peak.
    options : dict
        The settings for the functions that prepare the case.
    tolerance : float
        The largest difference between two libraries' results, relative to the largest value.
    """

    name: str
    work: float
    unit: str
    options: dict[str, Any] = field(default_factory=dict)
    tolerance: float = 1e-4

    @property
    def scale(self) -> float:
        """The work in one unit of the rate."""
        return 1e9 if self.unit.startswith("G") else 1e6 if self.unit.startswith("M") else 1.0


class Prepared(NamedTuple):
    """A case that one library has prepared."""

    call: Callable[[], Any]  # the call that is timed
    result: Callable[[], list[NDArray[Any]]]  # the results that are compared; called once, before the timing


def compare(case: Case, ours: list[NDArray[Any]], theirs: list[NDArray[Any]]) -> str | None:
    """Return a sentence where two results differ by more than the case allows, else None."""
    if len(ours) != len(theirs):
        return f"{len(theirs)} arrays instead of {len(ours)}"
    for a, b in zip(ours, theirs, strict=True):
        if a.shape != b.shape:
            return f"shape {b.shape} instead of {a.shape}"
        if not a.size:
            continue
        a, b = a.astype(np.float64), b.astype(np.float64)
        error = float(np.max(np.abs(a - b))) / max(float(np.max(np.abs(a))), 1e-30)
        if not error <= case.tolerance:
            return f"differs by {error:.1e} of the largest value, more than {case.tolerance:.0e}"
    return None
