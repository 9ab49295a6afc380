"""Text as data formats write it: white space and digits are those of ASCII.

Python's own notion is wider: a no-break space is white space to it, and ``1_5`` and the digits of other scripts are numbers.
"""

from __future__ import annotations

import math
import re
from typing import overload

# Numbers below this round to a finite float32: its largest value and half a step more.
FLOAT32_LIMIT = float(2**128 - 2**103)
_WHITE = " \t\n\r\v\f"  # what the kernels, and `bytes.strip`, take for white space
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INT = re.compile(r"[+-]?[0-9]+")


@overload
def strip_white(text: str) -> str: ...


@overload
def strip_white(text: bytes) -> bytes: ...


def strip_white(text: str | bytes) -> str | bytes:
    """Return a text without the white space of ASCII around it.

    Examples
    --------
    >>> from catalase._internal.text import strip_white
    >>> strip_white(" CCO\\t"), strip_white("\\u00a0CCO\\u00a0")
    ('CCO', '\\xa0CCO\\xa0')
    """
    return text.strip(_WHITE) if isinstance(text, str) else text.strip()


def parse_float(text: str) -> float:
    """Return the number that a text is, such as ``1.5``, ``-2`` or ``1e-3``; spaces around it do not count.

    Raises
    ------
    ValueError
        For anything else: underscores, digits of other scripts, a comma, ``0x10``, ``inf``, ``nan``, and numbers beyond
        float64.

    Examples
    --------
    >>> from catalase._internal.text import parse_float
    >>> parse_float(" 1e5 ")
    100000.0
    """
    stripped = strip_white(text)
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
    >>> from catalase._internal.text import parse_int
    >>> parse_int("-12")
    -12
    """
    stripped = strip_white(text)
    if len(stripped) > 4000 or not _INT.fullmatch(stripped):  # Python reads no more than 4,300 digits
        raise ValueError(f"{text[:40]!r} is no whole number")
    return int(stripped)
