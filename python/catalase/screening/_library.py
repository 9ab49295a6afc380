"""Libraries: files (.smi, .csv, .tsv, .cxsmiles, plain or compressed; .parquet) and iterables, read a chunk at a time."""

from __future__ import annotations

import bz2
import csv
import gzip
import hashlib
import io
import itertools
import lzma
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

SMILES_COLUMNS = ("smiles", "SMILES", "Smiles", "mol", "canonical_smiles")
ID_COLUMNS = ("id", "ID", "Id", "name", "Name", "zinc_id", "chembl_id", "mol_id", "molecule_id")
_DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError, UnicodeError, csv.Error)
_SAMPLE = 2**20  # bytes at either end of a file that tell it from others
_FORMATS = ".smi, .smiles, .ism, .txt, .csv, .tsv or .cxsmiles (each also with .gz, .bz2 or .xz), .parquet or .pq"
_BLOCK = 2**16  # characters
_LONGEST_LINE = 2**22  # characters: a SMILES, its name and more columns
_TOO_LONG = f"the line has more than {_LONGEST_LINE:,} characters; are its line ends lost?"
_FIELDS = re.compile(r" *([^ \t]*) *\t?(.*)", re.DOTALL)


class Chunk(NamedTuple):
    """Some molecules that follow each other: SMILES, names ("" where there is none), and what is wrong with their rows."""

    smiles: list[str]
    ids: list[str]
    faults: dict[int, str]


class Library:
    """Molecules to be read once, in order.

    Attributes
    ----------
    name : str
        For messages.
    path : Path or None
        The file, if it is one.
    total : int or None
        How much there is to read, in the units of `position`: bytes of a file as it is stored, or molecules.
    """

    def __init__(
        self, source: Any, smiles_column: str | None = None, id_column: str | None = None, preferred: str | None = None
    ) -> None:
        self._columns = (smiles_column, id_column, preferred)
        self._at: Callable[[], int] = lambda: 0
        if isinstance(source, (str, os.PathLike)):
            self.path: Path | None = Path(source)
            self.name = str(source)
            self._kind, self._packing = _kind_of(self.path)
            self.total: int | None = self.path.stat().st_size
            if self._kind == "smi" and (smiles_column or id_column):
                raise ValueError(
                    f"screen: {source} has no named columns: the SMILES come first and the name after; "
                    "leave smiles_column and id_column out"
                )
            return
        if isinstance(source, (bytes, dict, set, frozenset)) or not isinstance(source, Iterable):
            raise TypeError(
                f"screen: library must be a file's name, or SMILES one after the other, got {type(source).__name__}"
            )
        self.path, self.name, self._kind, self._items = None, "the library", "items", source
        self.total = len(source) if isinstance(source, Sequence) else None

    def position(self) -> int:
        """How far reading has come, in the units of ``total``."""
        return self._at()

    def chunks(self, size: int) -> Iterator[Chunk]:
        """Read at most ``size`` molecules at a time; blank lines do not count."""
        if self.path is None:
            yield from self._from_items(size)
            return
        done = 0
        with open(self.path, "rb") as raw:
            self._at = raw.tell
            try:
                for chunk in self._from_file(raw, size):
                    if chunk.smiles:
                        yield chunk
                    done += len(chunk.smiles)
            except _DAMAGE as error:
                raise ValueError(f"screen: {self.path} is damaged after molecule {done:,}: {error}") from None
            finally:
                self._at = lambda: 0

    def identity(self) -> dict[str, Any]:
        """What tells this file from another, or from itself changed: size, time of change, digest of both its ends."""
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
            yield Chunk(smiles, ids, {})

    def _from_file(self, raw: IO[bytes], size: int) -> Iterator[Chunk]:
        if self._kind == "parquet":
            yield from self._parquet(size)
            return
        binary: Any = raw
        if self._packing == ".gz":
            binary = gzip.GzipFile(fileobj=raw)
        elif self._packing == ".bz2":
            binary = bz2.BZ2File(raw)
        elif self._packing == ".xz":
            binary = lzma.LZMAFile(raw)  # noqa: SIM115  (raw is closed by who opened it)
        # Bytes that are not UTF-8 pass through names unchanged; in a SMILES they are refused like any such character.
        newline = None if self._kind == "smi" else ""
        text = io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline=newline)
        if self._kind == "smi":
            yield from _smi(text, size)
        else:
            yield from self._csv(text, size)

    def _csv(self, text: IO[str], size: int) -> Iterator[Chunk]:
        reader = csv.reader(text, delimiter="\t" if self._kind == "tsv" else ",")
        header = next((row for row in reader if row), [])
        at, at_id = self._choose(header)
        rows = filter(None, reader)
        while part := list(itertools.islice(rows, size)):
            width = len(header)
            faults = {
                i: f"the row has {len(row)} fields, the header {width}; is a quote or a comma missing?"
                for i, row in enumerate(part)
                if len(row) != width
            }
            for i in faults:
                part[i] = [",".join(part[i])] * width
            yield Chunk([row[at] for row in part], [row[at_id] if at_id is not None else "" for row in part], faults)

    def _parquet(self, size: int) -> Iterator[Chunk]:
        try:
            import pyarrow
            import pyarrow.parquet as parquet
        except ImportError:
            raise ImportError("screen: Parquet files need pyarrow; pip install 'catalase[arrow]'") from None
        try:
            file = parquet.ParquetFile(self.path)
        except pyarrow.ArrowInvalid as error:
            raise ValueError(f"screen: {self.path} is not a Parquet file: {error}") from None
        done = 0
        self.total, self._at = file.metadata.num_rows, lambda: done
        header = list(file.schema_arrow.names)
        at, at_id = self._choose(header)
        columns = [header[at]] + ([header[at_id]] if at_id is not None and at_id != at else [])
        with file:
            try:
                for batch in file.iter_batches(batch_size=size, columns=columns):
                    smiles = ["" if s is None else str(s) for s in batch.column(columns[0]).to_pylist()]
                    ids = batch.column(columns[-1]).to_pylist() if at_id is not None else [""] * len(smiles)
                    done += len(smiles)
                    yield Chunk(smiles, ["" if name is None else str(name) for name in ids], {})
            except pyarrow.ArrowInvalid as error:
                raise OSError(str(error)) from None

    def _choose(self, header: list[str]) -> tuple[int, int | None]:
        """Which columns hold the SMILES and the names."""
        smiles, name, preferred = self._columns
        shown = ", ".join(map(repr, header[:30])) or "nothing"
        for wanted in (smiles, name):
            if wanted is not None and header.count(wanted) != 1:
                times = "more than one column" if wanted in header else "no column"
                raise ValueError(f"screen: {self.path} has {times} {wanted!r}; it has {shown}")
        guesses = ([preferred] if preferred else []) + list(SMILES_COLUMNS)
        smiles = smiles or next((column for column in guesses if header.count(column) == 1), None)
        if smiles is None:
            raise ValueError(
                f"screen: no column of {self.path} is named {' or '.join(SMILES_COLUMNS)}; it has {shown}; "
                "name the one with the SMILES by smiles_column (--smiles-column)"
            )
        name = name or next((column for column in ID_COLUMNS if header.count(column) == 1), None)
        return header.index(smiles), None if name is None else header.index(name)


def _kind_of(path: Path) -> tuple[str, str]:
    if path.is_dir():
        raise IsADirectoryError(f"screen: {path} is a folder; needed a file, {_FORMATS}")
    if not path.is_file():
        raise FileNotFoundError(f"screen: there is no file {path}")
    suffix, packing = path.suffix.lower(), ""
    if suffix in (".gz", ".bz2", ".xz"):
        suffix, packing = Path(path.stem).suffix.lower(), suffix
    kinds = {".smi": "smi", ".smiles": "smi", ".ism": "smi", ".txt": "smi", ".csv": "csv", ".tsv": "tsv"}
    kinds[".cxsmiles"] = "tsv"  # Enamine's: with a header
    if not packing:
        kinds |= {".parquet": "parquet", ".pq": "parquet"}
    if suffix not in kinds:
        raise ValueError(f"screen: cannot tell the format of {path} by its name; needed {_FORMATS}")
    return kinds[suffix], packing


def _smi(text: IO[str], size: int) -> Iterator[Chunk]:
    first, all_lines = True, itertools.chain.from_iterable(_lines(text))
    while lines := list(itertools.islice(all_lines, size)):
        if first and _molecule(lines[0])[0].lower() == "smiles":
            lines = lines[1:]  # a header: no molecule is written so
        first = False
        faults: dict[int, str] = {}
        if max(map(len, lines), default=0) > _LONGEST_LINE:
            lines = [line for line in lines if line.strip(" \t")]
            faults = {i: _TOO_LONG for i, line in enumerate(lines) if len(line) > _LONGEST_LINE}
            lines = [line[:200] if i in faults else line for i, line in enumerate(lines)]
        joined = "\n".join(lines)
        if " " not in joined and "\t" not in joined:  # no names
            smiles = list(filter(None, lines))
            yield Chunk(smiles, [""] * len(smiles), faults)
            continue
        pairs = [_molecule(line) for line in lines if line.strip(" \t")]
        yield Chunk([smiles for smiles, _ in pairs], [name for _, name in pairs], faults)


def _lines(text: IO[str]) -> Iterator[list[str]]:
    """The lines of a text, some at a time; of one that is too long, no more than what tells that it is."""
    rest = ""
    while block := text.read(_BLOCK):
        *lines, rest = (rest + block).split("\n")
        rest = rest[: _LONGEST_LINE + 1]
        yield lines
    if rest:
        yield [rest]


def _molecule(line: str) -> tuple[str, str]:
    """SMILES, which end at the first space or tab, and the name: what follows, up to a tab."""
    smiles, rest = _FIELDS.fullmatch(line).groups()  # type: ignore[union-attr]
    name, _, more = rest.partition("\t")
    name = name.strip(" ")
    # An extension (CXSMILES) is not a name: it can change the molecule. Left where it is, it is refused.
    return (f"{smiles} {name}", more.partition("\t")[0].strip(" ")) if name.startswith("|") else (smiles, name)
