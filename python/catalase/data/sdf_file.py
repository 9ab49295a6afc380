"""SD files: structures with their properties, one record after another."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import IO

from .._internal.report import Failure
from ..chem.reading import mol_block_smiles
from .table_file import Table, unpacked

_END = b"$$$$"  # begins the line that ends a record
_PROPERTY = re.compile(rb">[^<]*<(.*)>")  # as RDKit reads it: from the first < to the last > of the line
_LONGEST_RECORD = 2**26  # bytes; a record is kept whole while it is read
_CUT = b"\0too long\0"  # instead of the further lines of a record that is too long


class SdfFile(Table):
    """The records of an SD file (V2000 or V3000) as a table: the structure as SMILES, its name, and all properties.

    The columns are ``smiles``, ``name`` (the first line of a record; left out where all are empty), and each property of
    any record, in the order in which they appear. RDKit reads the structures, with stereochemistry and without explicit
    hydrogens. A record that it cannot read is a failure; its other cells stay, and the next records are read. A
    property that has the name of one of the first two columns is called "smiles property" or "name property".

    The file is read twice, first for the names of the properties; what comes through a pipe is stored in a temporary file
    meanwhile.

    Parameters
    ----------
    file : path
        Plain or compressed; ``-`` is standard input.
    function : str
        Name of the reading function, for messages.
    raw : binary stream, optional
        The bytes of the file, if it is open already.

    Examples
    --------
    >>> import pathlib
    >>> from rdkit import Chem
    >>> from catalase.data.sdf_file import SdfFile
    >>> block = Chem.MolToMolBlock(Chem.MolFromSmiles("OCC"))
    >>> _ = pathlib.Path("l.sdf").write_text(f"ethanol{block}> <IC50>\\n7.5\\n\\n$$$$\\n")
    >>> with SdfFile("l.sdf", "predict") as table:
    ...     table.header, list(table.chunks(10))
    (['smiles', 'name', 'IC50'], [([['CCO', 'ethanol', '7.5']], [])])
    """

    structures = "smiles"

    def __init__(self, file: str | os.PathLike[str], function: str, *, raw: IO[bytes] | None = None) -> None:
        super().__init__(file, function)
        try:
            with self._with_context():
                raw = self._seekable(self._opened(raw))
                start = raw.tell()
                titles, properties = _columns(unpacked(raw))
                raw.seek(start)
                own = ["smiles", "name"] if titles else ["smiles"]
                self._places = {name: len(own) + i for i, name in enumerate(properties)}
                names = [_text(name) for name in properties]
                self.header = own + [f"{name} property" if name in own else name for name in names]
                self._titles, self._records = titles, _records(unpacked(raw))
        except BaseException:
            self._stack.close()
            raise

    def chunks(self, size: int) -> Iterator[tuple[list[list[str]], list[Failure]]]:
        """Yield a row for each record, and the failures of structures that RDKit cannot read, whose SMILES are empty."""
        while True:
            rows: list[list[str]] = []
            failures: list[Failure] = []
            while len(rows) < size:
                with self._with_context():
                    record = next(self._records, None)
                if record is None:
                    break
                block, values = _parts(record)
                if record[-1] is _CUT:
                    smiles, reason = "", f"the record has more than {_LONGEST_RECORD:,} bytes"
                else:
                    smiles, reason = mol_block_smiles(b"\n".join(block))
                title = _text(block[0])
                if reason:
                    failures.append(Failure(len(rows), title or f"record {self._row + len(rows) + 1}", reason))
                row = [smiles, title][: 2 if self._titles else 1] + [""] * len(self._places)
                for name, value in values.items():
                    row[self._places[name]] = _text(value)
                rows.append(row)
            if not rows:
                return
            self._row += len(rows)
            yield rows, failures


def looks_like_sdf(head: bytes) -> bool:
    """Return whether the first bytes of a file are those of a record: its fourth line ends with the version."""
    lines = head.split(b"\n", 4)
    return len(lines) > 3 and lines[3].rstrip()[-5:] in (b"V2000", b"V3000")


def _records(binary: IO[bytes]) -> Iterator[list[bytes]]:
    """Yield the lines of each record, without the line that ends it; the lines of one that is too long end with `_CUT`."""
    record: list[bytes] = []
    size = 0
    while line := binary.readline(_LONGEST_RECORD):
        if line.startswith(_END):
            yield record or [b""]
            record, size = [], 0
            continue
        size += len(line)
        if size <= _LONGEST_RECORD:
            record.append(line.rstrip(b"\r\n"))
        else:
            record = [*record[:1], _CUT]
    if any(line.strip() for line in record):  # the last record may lack its end
        yield record


def _parts(record: list[bytes]) -> tuple[list[bytes], dict[bytes, bytes]]:
    """Return the lines of the structure, and the properties; of one that stands there twice the last, as RDKit does."""
    end = next((i for i, line in enumerate(record) if line.startswith((b"M  END", b">"))), len(record))
    properties: dict[bytes, bytes] = {}
    name: bytes | None = None
    value: list[bytes] = []
    for line in [*record[end:], b""]:
        if name is not None and line.strip():
            value.append(line)
        elif name is not None:
            properties[name] = b"\n".join(value)
            name = None
        elif line.startswith(b">") and (found := _PROPERTY.match(line)):
            name, value = found[1], []
    return record[: end + 1] if end < len(record) and record[end].startswith(b"M") else record[:end], properties


def _columns(binary: IO[bytes]) -> tuple[bool, list[bytes]]:
    """Return whether a record has a name, and the names of all properties."""
    titles, properties = False, dict[bytes, None]()
    for record in _records(binary):
        titles = titles or bool(record[0].strip())
        properties |= dict.fromkeys(_parts(record)[1])
    return titles, list(properties)


def _text(binary: bytes) -> str:
    """Return a text; bytes that are not UTF-8 are kept, and are written unchanged."""
    return binary.decode("utf-8", "surrogateescape").strip(" \t")
