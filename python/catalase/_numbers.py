"""Numbers in text as data formats write them: ASCII digits. Python's own syntax (``1_5``, other scripts' digits) is text."""

from __future__ import annotations

import math
import re

FLOAT32_MAX = float(2**128 - 2**104)
# Numbers below this round to a finite float32: its largest value and half a step more.
FLOAT32_LIMIT = float(2**128 - 2**103)

_WHITE = " \t\r\n"
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INT = re.compile(r"[+-]?[0-9]+")


def parse_float(text: str) -> float:
    """Return the number that a text is, such as ``1.5``, ``-2`` or ``1e-3``; spaces around it do not count.

    Raises
    ------
    ValueError
        For anything else: underscores, digits of other scripts, a comma, ``0x10``, ``inf``, ``nan``, and numbers beyond
        float64.

    Examples
    --------
    >>> from catalase._numbers import parse_float
    >>> parse_float(" 1e5 ")
    100000.0
    """
    stripped = text.strip(_WHITE)
    value = float(stripped) if _FLOAT.fullmatch(stripped) else math.nan
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]!r} is no number")
    return value


def parse_int(text: str) -> int:
    """Return the whole number that a text is; spaces around it do not count.

    Raises
    ------
    ValueError
        For anything but an optional sign and ASCII digits.

    Examples
    --------
    >>> from catalase._numbers import parse_int
    >>> parse_int("-12")
    -12
    """
    stripped = text.strip(_WHITE)
    if not _INT.fullmatch(stripped):
        raise ValueError(f"{text[:40]!r} is no whole number")
    return int(stripped)
