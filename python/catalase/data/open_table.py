"""`open_table` opens any file that a command reads molecules from: one place decides by which reader."""

from __future__ import annotations

import os
import sys
from typing import IO

from .excel_file import ExcelFile
from .parquet_file import ParquetFile
from .sdf_file import SdfFile, looks_like_sdf
from .smiles_file import SmilesFile, names_columns
from .table_file import Table, TableFile, endings, open_bytes, peek, unpacked

_TEXT = (".csv", ".tsv", ".tab", ".txt")
_SMILES = (".smi", ".smiles", ".ism")
_SDF = (".sdf", ".sd")
_PARQUET = (".parquet", ".pq")
_EXCEL = (".xlsx", ".xlsm")
_HEAD = 4096  # bytes that show the format


def open_table(
    file: str | os.PathLike[str],
    function: str,
    *,
    raw: IO[bytes] | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    wanted: str | None = None,
) -> Table:
    """Open a table of molecules in any of the formats that Catalase reads.

    The name decides by its ending: ``.csv``, ``.tsv``, ``.tab`` and ``.txt`` are tables of text (`TableFile`); ``.smi``,
    ``.smiles`` and ``.ism`` lines of SMILES and names (`SmilesFile`); ``.cxsmiles`` the one or the other, by its first
    line; ``.sdf`` and ``.sd`` SD files (`SdfFile`); each of these plain or compressed; ``.parquet`` and ``.pq`` Parquet
    (`ParquetFile`); ``.xlsx`` and ``.xlsm`` Excel workbooks (`ExcelFile`). Where the name says nothing, as for standard
    input, SD and Parquet files are recognized by their first bytes, and all else is a table of text.

    Parameters
    ----------
    file : path
        A file, a named pipe, ``/dev/fd/N``, or ``-`` for standard input.
    function : str
        Name of the reading function, for messages.
    raw : binary stream, optional
        The bytes of the file, if it is open already. They are not closed.
    delimiter, encoding : str, optional
        The character between the fields of a table of text, and its encoding, instead of what is found. Lines of SMILES are
        such a table where a delimiter is given.
    wanted : str, optional
        The column of SMILES, if the user names it; it helps to find the delimiter.
    """
    ending, _ = endings(file)
    text = {"delimiter": delimiter, "encoding": encoding, "wanted": wanted}
    if ending in _EXCEL:
        return ExcelFile(file, function, raw=raw)
    if ending in _PARQUET:
        return ParquetFile(file, function, raw=raw)
    if ending in _SDF:
        return SdfFile(file, function, raw=raw)
    if ending in _TEXT or (delimiter is not None and ending in (*_SMILES, ".cxsmiles")):
        return TableFile(file, function, binary=None if raw is None else unpacked(raw), **text)
    if raw is not None:
        return _by_content(file, function, raw, text)
    opened = open_bytes(file, function)
    if opened is getattr(sys.stdin, "buffer", None):
        return _by_content(file, function, opened, text)
    try:
        table = _by_content(file, function, opened, text)
    except BaseException:
        opened.close()
        raise
    table.closes(opened)
    return table


def _by_content(file: str | os.PathLike[str], function: str, raw: IO[bytes], text: dict[str, str | None]) -> Table:
    """Open a table of SMILES lines, or one whose name does not tell its format."""
    ending, _ = endings(file)
    binary = unpacked(raw)
    if ending in _SMILES:
        return SmilesFile(file, function, binary=binary, encoding=text["encoding"])
    head, binary = peek(binary, _HEAD)
    if ending == ".cxsmiles":
        if names_columns(head, (text["wanted"],)):
            return TableFile(file, function, binary=binary, **text)
        return SmilesFile(file, function, binary=binary, encoding=text["encoding"])
    if head.startswith(b"PAR1"):
        return ParquetFile(file, function, raw=binary)
    if looks_like_sdf(head):
        return SdfFile(file, function, raw=binary)
    return TableFile(file, function, binary=binary, **text)
