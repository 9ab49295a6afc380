"""The format of a table of text, found from its first bytes: encoding, and the character between fields."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Sequence

from .columns import named_smiles

SAMPLE = 2**16  # bytes that show the format
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_ROWS = 50  # rows that are looked at
_EVEN = 0.8  # of them, the share that must have as many fields as the header: tables end with footnotes
_BYTE_ORDER_MARKS = (  # UTF-32 comes first, because its mark begins with that of UTF-16
    (b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"),
)  # fmt: skip
_ESCAPED = re.compile("[\udc80-\udcff]+")  # bytes that are not UTF-8, as "surrogateescape" decodes them


def encoding_of(head: bytes) -> str:
    """Return the encoding that the byte order mark at the beginning of a file names, else "utf-8-sig"."""
    return next((name for mark, name in _BYTE_ORDER_MARKS if head.startswith(mark)), "utf-8-sig")


def known_encoding(where: str, name: str) -> str:
    """Return the name of an encoding that the user gives; refuse one that does not exist or is not of text."""
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):  # a name with a zero byte is a ValueError
        found = None
    if found is None or not getattr(found, "_is_text_encoding", True):
        raise ValueError(f"{where}: there is no encoding {name!r}; take utf-8, utf-16, cp1252, latin-1 or the like")
    return "utf-8-sig" if found.name == "utf-8" else found.name


def known_delimiter(where: str, text: str) -> str:
    """Return the character between fields that the user gives, as itself or in words: "tab" or ``\\t``."""
    delimiter = {"tab": "\t", "\\t": "\t"}.get(text.lower(), text)
    if len(delimiter) != 1 or delimiter in '\r\n"\0':
        raise ValueError(f"{where}: the delimiter must be one character, such as ; or tab, got {text!r}")
    return delimiter


def windows_text(line: str) -> str:
    """Return a line whose bytes that are not UTF-8, which are escaped, are read as Windows-1252 instead.

    Raises
    ------
    UnicodeDecodeError
        For bytes that are neither.

    Examples
    --------
    >>> from catalase.data.text_format import windows_text
    >>> windows_text(b"5 \\xb5M".decode("utf-8", "surrogateescape"))
    '5 µM'
    """
    return _ESCAPED.sub(_decoded, line)


def _decoded(found: re.Match[str]) -> str:
    odd = found[0].encode("utf-8", "surrogateescape")
    try:
        return odd.decode("cp1252")
    except UnicodeDecodeError as error:
        raise UnicodeDecodeError("utf-8", odd, error.start, error.end, "it is not Windows-1252 either") from None


def delimiter_of(lines: Sequence[str], usual: str, wanted: str | None = None) -> str:
    """Return the character between the fields of a table, from its header and the rows below it.

    It is the one by which the header names a column of SMILES, or the ``wanted`` one; by which most rows have as many
    fields as the header; that makes the most fields; and then the ``usual`` one. A table of one column has the usual one.

    Examples
    --------
    >>> from catalase.data.text_format import delimiter_of
    >>> delimiter_of(["SMILES;IC50 (nM, mean)", "CCO;1,5", "CC;2,5"], ",")
    ';'
    """
    best: tuple[bool, bool, int, bool] | None = None
    chosen = usual
    for delimiter in DELIMITERS:
        try:
            rows = [row for row in csv.reader(lines[: _ROWS + 1], delimiter=delimiter) if row]
        except csv.Error:
            continue
        if not rows or len(rows[0]) < 2:
            continue
        even = sum(len(row) == len(rows[0]) for row in rows[1:])
        named = wanted in rows[0] or named_smiles(rows[0]) is not None
        rank = (named, even >= _EVEN * (len(rows) - 1), len(rows[0]), delimiter == usual)
        if best is None or rank > best:
            best, chosen = rank, delimiter
    return chosen
