"""What a family is made of: cases, and functions that prepare them."""

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
        Unique in its family.
    work : float
        Units of work in a call: floating-point operations, bytes, rows, steps.
    unit : str
        Of the rate: "GFLOP/s" and "GB/s" are shown beside the machine's peak, others are not.
    options : dict
        What the library functions need to know.
    tolerance : float
        Largest difference between two libraries' results, relative to the largest value.
    """

    name: str
    work: float
    unit: str
    options: dict[str, Any] = field(default_factory=dict)
    tolerance: float = 1e-4

    @property
    def scale(self) -> float:
        """Units of work in one unit of the rate."""
        return 1e9 if self.unit.startswith("G") else 1e6 if self.unit.startswith("M") else 1.0


class Prepared(NamedTuple):
    """A case, ready in one library."""

    call: Callable[[], Any]  # what is timed
    result: Callable[[], list[NDArray[Any]]]  # what is compared; called once, before the timing


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
