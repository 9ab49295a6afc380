"""Numbers and white space in data files: only those of ASCII count.

Python accepts more: a no-break space as white space, and ``1_5`` and the digits of other scripts as numbers.
"""

from __future__ import annotations

import math
import re
from typing import overload

# Numbers below this round to a finite float32; it is the largest float32 plus half a unit in the last place.
FLOAT32_LIMIT = float(2**128 - 2**103)
_WHITE = " \t\n\r\v\f"  # the white space of the kernels and of `bytes.strip`
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INT = re.compile(r"[+-]?[0-9]+")


@overload
def strip_white(text: str) -> str: ...


@overload
def strip_white(text: bytes) -> bytes: ...


def strip_white(text: str | bytes) -> str | bytes:
    """Return a text without leading and trailing ASCII white space.

    Examples
    --------
    >>> from catalase._internal.text import strip_white
    >>> strip_white(" CCO\\t"), strip_white("\\u00a0CCO\\u00a0")
    ('CCO', '\\xa0CCO\\xa0')
    """
    return text.strip(_WHITE) if isinstance(text, str) else text.strip()


def parse_float(text: str) -> float:
    """Return the number that a text holds, such as ``1.5``, ``-2`` or ``1e-3``; white space around it is ignored.

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
    """Return the whole number that a text holds; white space around it is ignored.

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
