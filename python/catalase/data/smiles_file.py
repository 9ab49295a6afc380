"""Files of SMILES: a molecule a line, with a name behind it."""

from __future__ import annotations

import io
import itertools
import os
import re
from collections.abc import Iterator
from typing import IO

from .._internal.report import Failure
from .columns import named_smiles
from .table_file import Table, unpacked
from .text_format import DELIMITERS, encoding_of, known_encoding

_BLOCK = 2**16  # characters that are read at a time
_LONGEST_LINE = 2**22  # characters, enough for a SMILES of at most 2**20, its name and more columns
_TOO_LONG = f"the line has more than {_LONGEST_LINE:,} characters; are its line ends lost?"
_SHOWN = 200  # characters that are kept of a longer line, to be shown


class SmilesFile(Table):
    """Lines of a SMILES and a name, as a table of the columns ``smiles`` and ``name``.

    The SMILES ends at the first space or tab. What follows is the name, whatever it holds; only the extension of a CXSMILES,
    between bars, stays with the SMILES. A first line whose SMILES is the word "smiles" is a header: its second word is
    the name of the column of names. Bytes that are not UTF-8 are kept in names.

    Parameters
    ----------
    file : path
        Plain or compressed; ``-`` is standard input.
    function : str
        Name of the reading function, for messages.
    binary : binary stream, optional
        The decompressed bytes of the file, if it is open already.
    encoding : str, optional
        The encoding of the text, UTF-8 by default.

    Examples
    --------
    >>> import pathlib
    >>> from catalase.data.smiles_file import SmilesFile
    >>> _ = pathlib.Path("l.smi").write_text("CCO ethyl alcohol\\nCC\\n")
    >>> with SmilesFile("l.smi", "predict") as table:
    ...     table.header, list(table.chunks(10))
    (['smiles', 'name'], [([['CCO', 'ethyl alcohol'], ['CC', '']], [])])
    """

    structures = "smiles"

    def __init__(
        self,
        file: str | os.PathLike[str],
        function: str,
        *,
        binary: IO[bytes] | None = None,
        encoding: str | None = None,
    ) -> None:
        super().__init__(file, function)
        given = "utf-8-sig" if encoding is None else known_encoding(function, encoding)
        self.header = ["smiles", "name"]
        try:
            with self._with_context():
                # Odd bytes remain unchanged in names; in a SMILES they are refused like any character beyond ASCII.
                text = io.TextIOWrapper(unpacked(self._opened(binary)), encoding=given, errors="surrogateescape")
                self._stack.callback(text.detach)
                self._lines = molecule_lines(text, self.header)
                first = next(self._lines, None)
                self._lines = itertools.chain([] if first is None else [first], self._lines)
        except BaseException:
            self._stack.close()
            raise

    def chunks(self, size: int) -> Iterator[tuple[list[list[str]], list[Failure]]]:
        """Yield rows of SMILES and name; blank lines are skipped, and a line without an end is a failure."""
        while True:
            with self._with_context():
                lines = list(itertools.islice(self._lines, size))
            if not lines:
                return
            failures = blank_long_lines(lines)
            rows = [[smiles, f"{name}\t{rest}" if rest else name] for smiles, name, rest in map(split_line, lines)]
            self._row += len(rows)
            yield rows, failures


def molecule_lines(text: IO[str], header: list[str] | None = None) -> Iterator[str]:
    """Yield the lines that hold a molecule: neither blank ones nor a header, which names the second of the ``header``.

    A line that is longer than any molecule is cut, but stays too long.
    """
    lines = itertools.chain.from_iterable(_lines(text))
    first = next(lines, "")
    smiles, name, _ = split_line(first)
    if smiles.lower() != "smiles":  # no molecule is written like that
        lines = itertools.chain([first], lines)
    elif header is not None and name and name != header[0]:
        header[1] = name
    return (line for line in lines if line.strip(" \t"))


def _lines(text: IO[str]) -> Iterator[list[str]]:
    """Yield the lines of a text in lists; a line beyond `_LONGEST_LINE` is cut, but not below that length."""
    rest = ""
    while block := text.read(_BLOCK):
        first, *others = block.split("\n")
        if len(rest) <= _LONGEST_LINE:
            rest += first
        if others:
            yield [rest, *others[:-1]]
            rest = others[-1]
    if rest:
        yield [rest]


def blank_long_lines(lines: list[str]) -> list[Failure]:
    """Make the lines empty that are longer than any molecule, and return their failures."""
    failures = [Failure(i, line[:_SHOWN], _TOO_LONG) for i, line in enumerate(lines) if len(line) > _LONGEST_LINE]
    for failure in failures:
        lines[failure.position] = ""
    return failures


def split_line(line: str) -> tuple[str, str, str]:
    """Split a line into the SMILES, which ends at a space or tab, the name, which ends at the next tab, and the rest."""
    head, _, rest = line.partition("\t")
    smiles, _, name = head.strip(" ").partition(" ")
    if not name:
        name, _, rest = rest.partition("\t")
    name = name.strip(" ")
    if name.startswith("|"):  # a CXSMILES extension can change the molecule, so it stays with the SMILES
        extension, _, name = name[1:].partition("|")
        smiles = f"{smiles} |{extension}|"
        if not name:
            name, _, rest = rest.partition("\t")
    return smiles, name.strip(" "), rest


def names_columns(head: bytes, wanted: tuple[str | None, ...] = ()) -> bool:
    """Return whether the first line of a file is the header of a table: it names a column of SMILES, or a wanted one."""
    header = re.split("[\r\n]", head.decode(encoding_of(head), "replace").lstrip("\ufeff\r\n"), maxsplit=1)[0]
    for delimiter in DELIMITERS:
        fields = [field.strip('"') for field in header.split(delimiter)]
        if len(fields) > 1 and (named_smiles(fields) is not None or set(fields) & set(filter(None, wanted))):
            return True
    return False
