"""`Library` reads files of molecules, of every format that `open_table` knows, and iterables, a chunk at a time."""

from __future__ import annotations

import hashlib
import io
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any, NamedTuple

from .._internal.numbers import shown
from .._internal.report import Failure
from ..data.columns import SMILES_COLUMNS, ids_among, smiles_among
from ..data.open_table import open_table
from ..data.sdf_file import looks_like_sdf
from ..data.smiles_file import blank_long_lines, molecule_lines, names_columns, split_line
from ..data.table_file import DAMAGE, PACKED, Table, endings, open_bytes, peek, unpacked
from ..data.text_format import known_encoding

_SAMPLE = 2**20  # bytes at either end of a file, whose digest identifies it
_FORMATS = (
    f".smi, .smiles, .ism, .txt, .csv, .tsv, .cxsmiles or .sdf (each also with {' or '.join(PACKED)}), .parquet, .pq or "
    ".xlsx"
)


class Chunk(NamedTuple):
    """Consecutive molecules of a library: SMILES, names ("" where there is none), and the rows that cannot be read.

    A row that cannot be read has a failure at its position in the chunk, and an empty SMILES.
    """

    smiles: list[str]
    ids: list[str]
    failures: list[Failure]

    def every(self, step: int, first: int) -> Chunk:
        """Return every ``step``-th molecule from ``first`` on."""
        failures = [
            failure._replace(position=(failure.position - first) // step)
            for failure in self.failures
            if failure.position >= first and (failure.position - first) % step == 0
        ]
        return Chunk(self.smiles[first::step], self.ids[first::step], failures)


class Library:
    """A library of molecules, which are read once and in order.

    Attributes
    ----------
    name : str
        The name in error messages.
    path : Path or None
        The file; None for an iterable.
    total : int or None
        The size of the library in the units of `position`: stored bytes of a file, or molecules.
    notes : list of str
        What was found out about a table: its format, the columns of SMILES and names.
    """

    def __init__(
        self,
        source: Any,
        smiles_column: str | None = None,
        id_column: str | None = None,
        preferred: str | None = None,
        argument: str = "library",
        delimiter: str | None = None,
        encoding: str | None = None,
    ) -> None:
        self.notes: list[str] = []
        self._format = {"delimiter": delimiter, "encoding": encoding, "wanted": smiles_column}
        self._columns = (smiles_column, id_column, preferred)
        self._at: Callable[[], int] = lambda: 0
        if isinstance(source, (str, os.PathLike)):
            self.path: Path | None = Path(source)
            self.name = str(source)
            self._kind = _kind_of(self.path)
            self.total: int | None = self.path.stat().st_size if self.path.is_file() else None
            if self._kind == "smi" and delimiter is not None:
                self._kind = "table"
            if self._kind == "smi" and (smiles_column or id_column):
                raise ValueError(
                    f"screen: {source} has no named columns: the SMILES come first and the name after; "
                    "leave smiles_column and id_column out"
                )
            return
        kinds = (bytes, bytearray, dict, set, frozenset, type)
        if isinstance(source, kinds) or not isinstance(source, Iterable) or getattr(source, "ndim", 1) == 0:
            raise TypeError(
                f"screen: {argument} must be a file's name, or SMILES one after the other, got {shown(source)}"
            )
        self.path, self.name, self._kind, self._items = None, "the library", "items", source
        self.total = len(source) if isinstance(source, Sequence) else None

    def position(self) -> int:
        """Return how far reading has come, in the units of ``total``."""
        return self._at()

    def chunks(self, size: int) -> Iterator[Chunk]:
        """Read at most ``size`` molecules at a time; blank lines do not count."""
        if self.path is None:
            yield from self._from_items(size)
            return
        done = 0
        raw = open_bytes(self.path, "screen")
        with raw if self.name != "-" else nullcontext():
            if raw.seekable():
                self._at = raw.tell
            try:
                for chunk in self._from_file(raw, size):
                    if chunk.smiles:
                        yield chunk
                    done += len(chunk.smiles)
            except (*DAMAGE, UnicodeError) as error:
                raise ValueError(f"screen: {self.path} is damaged after molecule {done:,}: {error}") from None
            finally:
                self._at = lambda: 0

    def identity(self) -> dict[str, Any]:
        """Return size, time of change and digest of both ends, which tell this file from others and show whether it changed."""
        assert self.path is not None
        stat = self.path.stat()
        with open(self.path, "rb") as file:
            digest = hashlib.sha256(file.read(_SAMPLE))
            file.seek(max(0, stat.st_size - _SAMPLE))
            digest.update(file.read(_SAMPLE))
        return {"bytes": stat.st_size, "changed_ns": stat.st_mtime_ns, "sha256_of_ends": digest.hexdigest()}

    def _from_items(self, size: int) -> Iterator[Chunk]:
        items = iter(self._items)
        done = 0
        self._at = lambda: done
        while part := list(itertools.islice(items, size)):
            smiles, ids = [], []
            for i, item in enumerate(part):
                text, name = item if isinstance(item, (tuple, list)) and len(item) == 2 else (item, "")
                if not isinstance(text, str):
                    raise TypeError(
                        f"screen: molecule {done + i} of the library is a {type(item).__name__}; "
                        "needed SMILES, or pairs of SMILES and name"
                    )
                smiles.append(text)
                ids.append("" if name is None else str(name))
            done += len(part)
            yield Chunk(smiles, ids, [])

    def _from_file(self, raw: IO[bytes], size: int) -> Iterator[Chunk]:
        kind, binary = self._kind, raw if self._kind == "table" else unpacked(raw)
        if kind == "either":
            head, binary = peek(binary, 4096)
            named = self._columns[0] or self._format["delimiter"] or names_columns(head, self._columns)
            kind = "table" if looks_like_sdf(head) or named else "smi"
        if kind == "smi":
            # Bytes that are not UTF-8 remain unchanged in names; in a SMILES they are refused like any character beyond ASCII.
            encoding = known_encoding("screen", self._format["encoding"] or "utf-8")
            yield from _smi(io.TextIOWrapper(binary, encoding=encoding, errors="surrogateescape"), size)
            return
        table = open_table(self.name, "screen", raw=binary, **self._format)
        if table.total is not None:
            self.total, self._at = table.total, table.position
        yield from self._table(table, size)

    def _table(self, table: Table, size: int) -> Iterator[Chunk]:
        with table:
            at, at_id = self._choose(table.header)
            names = (
                "no column is known to hold names (--id-column)"
                if at_id is None
                else f"names in {table.header[at_id]!r}"
            )
            self.notes = [f"SMILES in column {table.header[at]!r}, {names}", *table.notes]
            table.only([at] if at_id is None else [at, at_id])
            for part, failures in table.chunks(size):
                smiles, ids = [row[at] for row in part], [row[at_id] if at_id is not None else "" for row in part]
                for failure in failures:
                    smiles[failure.position] = ids[failure.position] = ""
                yield Chunk(smiles, ids, failures)

    def _choose(self, header: list[str]) -> tuple[int, int | None]:
        """Return the numbers of the columns that hold the SMILES and the names."""
        smiles, name, preferred = self._columns
        shown = ", ".join(map(repr, header[:30])) or "nothing"
        for wanted in (smiles, name):
            if wanted is not None and header.count(wanted) != 1:
                times = "more than one column" if wanted in header else "no column"
                raise ValueError(f"screen: {self.path} has {times} {wanted!r}; it has {shown}")
        smiles = smiles or smiles_among(header, preferred)
        if smiles is None:
            raise ValueError(
                f"screen: no column of {self.path} is named {' or '.join(SMILES_COLUMNS)}; it has {shown}; "
                "name the one with the SMILES by smiles_column (--smiles-column)"
            )
        name = name or ids_among(header)
        return header.index(smiles), None if name is None else header.index(name)


def _kind_of(path: Path) -> str:
    if path.is_dir():
        raise IsADirectoryError(f"screen: {path} is a folder; needed a file, {_FORMATS}")
    if not path.exists() and str(path) != "-":
        raise FileNotFoundError(f"screen: there is no file {path}")
    ending, packing = endings(path)
    if not ending and not path.is_file():
        return "either"  # standard input, or a pipe of the shell such as <(zcat library.smi.gz)
    kinds = dict.fromkeys((".smi", ".smiles", ".ism"), "smi")
    kinds |= dict.fromkeys(
        (".txt", ".cxsmiles"), "either"
    )  # a table with a header, as Enamine writes it, or lines without
    kinds |= dict.fromkeys((".csv", ".tsv", ".tab", ".sdf", ".sd"), "table")
    if not packing:
        kinds |= dict.fromkeys((".parquet", ".pq", ".xlsx", ".xlsm"), "table")
    if ending not in kinds:
        raise ValueError(f"screen: cannot tell the format of {path} by its name; needed {_FORMATS}")
    return kinds[ending]


def _smi(text: IO[str], size: int) -> Iterator[Chunk]:
    all_lines = molecule_lines(text)
    while lines := list(itertools.islice(all_lines, size)):
        failures = blank_long_lines(lines)
        joined = "".join(lines)
        if " " in joined or "\t" in joined:
            parts = list(map(split_line, lines))
            yield Chunk([smiles for smiles, _, _ in parts], [name for _, name, _ in parts], failures)
        else:
            yield Chunk(lines, [""] * len(lines), failures)
