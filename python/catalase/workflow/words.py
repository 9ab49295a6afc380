"""Figures and lists as words, for sentences that people read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


def figure(value: Any) -> str:
    """Return a number with some three significant digits; a dash where there is none.

    Examples
    --------
    >>> from catalase.workflow.words import figure
    >>> figure(0.61549), figure(12.345), figure(755675.2), figure(0.00012345), figure(float("nan"))
    ('0.615', '12.3', '755,675', '0.000123', '–')
    """
    if value is None or not math.isfinite(value):
        return "–" if value is None or math.isnan(value) else f"{value}"
    size = abs(value)
    if size >= 1e9 or 0 < size < 1e-5:
        return f"{value:.2e}"
    if size >= 1000:
        return f"{value:,.0f}"
    if 0 < size < 0.01:
        return f"{value:.3g}"
    return f"{value:.3f}" if size < 10 else f"{value:.1f}"


def percent(share: float) -> str:
    """Return a share in percent, as "8%" or "99.5%"."""
    if math.isnan(share):
        return "–"
    text = f"{100 * share:.0f}" if 0.01 <= share <= 0.99 or share in (0, 1) else f"{100 * share:.1f}"
    return f"{text}%"


def joined(names: Sequence[str], most: int = 5) -> str:
    """Return names as a list in a sentence: "a, b and c", or "a, b, c, d, e and 7 others"."""
    if len(names) > most + 1:
        return f"{', '.join(names[:most])} and {len(names) - most:,} others"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def counted(number: int, thing: str, several: str | None = None) -> str:
    """Return a number with its noun: "1 molecule", "1,200 molecules"."""
    return f"{number:,} {thing if number == 1 else several or thing + 's'}"
