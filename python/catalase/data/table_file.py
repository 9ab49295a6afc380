"""Tables: what all kinds have in common, and tables of text with commas or tabs, from a file, a pipe or standard input."""

from __future__ import annotations

import bz2
import functools
import gzip
import importlib.util
import io
import itertools
import lzma
import os
import re
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from .._internal.report import Failure
from .._internal.text import strip_white
from .columns import smiles_among
from .text_format import DELIMITERS, SAMPLE, delimiter_of, encoding_of, known_delimiter, known_encoding, windows_text

DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError)  # the errors of reading a damaged or truncated file
PACKED = (".gz", ".bz2", ".xz")  # endings of compressed files
# The most characters of a cell, and of a line. A chromosome is shorter, and neither a quote that is never closed nor an
# endless line can fill the memory.
_MOST_IN_A_CELL = 2**28
_IN_MEMORY = 2**24  # bytes of what comes through a pipe that are kept in memory, before a file takes them
_END = "\0end of the table\0\n"  # appended as a row; it is part of the last row if that has an unclosed quote
_LAST = [_END.rstrip("\n")]
_WINDOWS = "it has bytes that are not UTF-8, which are read as Windows-1252 (--encoding names another encoding)"
_OTHER_FILES = {
    b"\x28\xb5\x2f\xfd": "is compressed by zstd; unpack it first",
    b"PK\x03\x04": "is a ZIP archive or an Excel workbook; unpack it, or save the sheet as 'CSV UTF-8'",
    b"\xd0\xcf\x11\xe0": "is an old Excel workbook; save the sheet as 'CSV UTF-8'",
    b"PAR1": "is a Parquet file; needed a table of text, such as CSV",
}


class Table:
    """A file that is read once as a header and rows of text, from the first to the last, whatever its format.

    Attributes
    ----------
    name : str
        The file's name, for messages.
    header : list of str
        The names of the columns; empty where there are none.
    structures : str or None
        The column that a format of molecules gives their SMILES in; None for a format that has only what is written.
    total : int or None
        The size in the units of `position`; None where these are bytes of the file.
    notes : list of str
        What was found out about the format and is not what the file's name says; it may grow while rows are read.
    """

    structures: str | None = None
    total: int | None = None

    def __init__(self, file: str | os.PathLike[str], function: str) -> None:
        self.name, self._function, self._row = os.fspath(file), function, 0
        self.header: list[str] = []
        self.notes: list[str] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def chunks(self, size: int) -> Iterator[tuple[list[list[str]], list[Failure]]]:
        """Yield the rows in chunks, with as many cells a row as the header has, and the failures of rows that cannot be read.

        A failure has its position in the chunk; the row stays, with the cells that could be read.
        """
        raise NotImplementedError

    def only(self, columns: Sequence[int]) -> None:
        """Say which columns are wanted; a format that can reads these alone, and leaves the cells of others empty."""

    def position(self) -> int:
        """Return how far reading has come, in the units of ``total``."""
        return self._raw.tell() if self._raw.seekable() else 0

    def closes(self, stream: IO[bytes]) -> None:
        """Close a stream after the table, which reads from it."""
        stack = ExitStack()
        stack.callback(stream.close)
        stack.push(self._stack)
        self._stack = stack

    def smiles_column(
        self, wanted: str | None, preferred: str | None = None, advice: str = "name it by --smiles"
    ) -> str:
        """Return the column with the SMILES.

        Parameters
        ----------
        wanted : str or None
            The column that the user names. Where it is missing, a format of molecules has its own column.
        preferred : str, optional
            A column that is taken where ``wanted`` is None and the table has it.
        advice : str
            How the user names a column, for the message of a table in which none is found by its name.
        """
        if wanted is not None:
            return wanted if wanted in self.header or self.structures is None else self.structures
        found = smiles_among(self.header, preferred) or self.structures
        if found is None and "smiles" in self.header:
            return "smiles"  # the caller refuses a name that several columns have
        if found is None:
            if not self.header:
                raise ValueError(f"{self._function}: {self.name} is empty; it needs a header line")
            shown = ", ".join(map(repr, self.header[:30])) + (", ..." if len(self.header) > 30 else "")
            raise ValueError(
                f"{self._function}: {self.name} has no column '{preferred or 'smiles'}'; it has {shown}; if one of "
                f"these holds the SMILES, {advice}"
            )
        return found

    def _opened(self, raw: IO[bytes] | None) -> IO[bytes]:
        """Return the bytes of the file, which is opened unless ``raw`` are these."""
        self._raw = open_bytes(self.name, self._function) if raw is None else raw
        if raw is None and self._raw is not getattr(sys.stdin, "buffer", None):
            self._stack.enter_context(self._raw)
        return self._raw

    def _seekable(self, raw: IO[bytes]) -> IO[bytes]:
        """Return the bytes of the file for a reader that goes back and forth; those of a pipe are stored meanwhile."""
        if raw.seekable():
            return raw
        import shutil
        import tempfile

        spooled: Any = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  # the stack closes it
        self._stack.callback(spooled.close)
        shutil.copyfileobj(unpacked(raw), spooled)
        spooled.seek(0)
        self._raw = spooled
        return self._raw

    @contextmanager
    def _with_context(self) -> Iterator[None]:
        """Turn reading errors into one sentence that names the table, the place and the remedy."""
        where = f"{self._function}: {self.name}"
        try:
            yield
        except UnicodeDecodeError as error:
            what = f"is not {error.encoding.upper()} text {self._near()} (byte 0x{error.object[error.start]:02x})"
            raise ValueError(
                f"{where} {what}: it was saved in another encoding, such as that of Windows; save it as 'CSV UTF-8' (Excel "
                "has it under Save As), name its encoding (--encoding), or convert it: iconv -f CP1252 -t UTF-8"
            ) from None
        except UnicodeError as error:
            raise ValueError(f"{where} is no text {self._near()} ({error}); save it as 'CSV UTF-8'") from None
        except (FileNotFoundError, IsADirectoryError, PermissionError):
            raise
        except DAMAGE as error:
            reason = getattr(error, "strerror", None) or error
            raise ValueError(f"{where} is damaged or cut short {self._near()}: {reason}") from None
        except _unlimited_csv().Error as error:
            raise ValueError(f"{where} is damaged {self._near()}: {error}; is a quote missing?") from None

    def _near(self) -> str:
        return f"after row {self._row:,}" if self._row else "near its beginning"


class TableFile(Table):
    """The rows of a table of text.

    The character between the fields (a comma, semicolon, tab or bar) is found from the header and the first rows
    (`text_format.delimiter_of`); where these leave a choice, it is a tab if the name ends in ``.tsv``, ``.tab`` or
    ``.cxsmiles``, else a comma. A first line ``sep=;``, as Excel writes it, decides. Gzip, bzip2 and xz are recognized by
    the first bytes, not by the name. The text is UTF-8, with or without a byte order mark, or UTF-16 or UTF-32 with one;
    bytes that are not UTF-8 are read as Windows-1252, which ``notes`` says. Cells and lines may have up to 268,435,456
    characters.

    Parameters
    ----------
    file : path
        A file, a named pipe, ``/dev/fd/N``, or ``-`` for standard input.
    function : str
        Name of the reading function, for messages.
    binary : binary stream, optional
        The decompressed bytes of the file, if it is open already.
    delimiter, encoding : str, optional
        The character between fields, and the encoding, instead of what is found; other bytes are refused then.
    wanted : str, optional
        A column that the header is expected to have, by which the delimiter is recognized.

    The header is the first line that is not empty.

    Examples
    --------
    >>> import pathlib
    >>> from catalase.data.table_file import TableFile
    >>> _ = pathlib.Path("t.tsv").write_text("smiles\\ty\\nCCO\\t1\\nCC\\n")
    >>> with TableFile("t.tsv") as table:
    ...     table.header, list(table.chunks(10))
    (['smiles', 'y'], [([['CCO', '1'], ['CC', '']], [])])
    """

    def __init__(
        self,
        file: str | os.PathLike[str],
        function: str = "CSVLoader",
        *,
        binary: IO[bytes] | None = None,
        delimiter: str | None = None,
        encoding: str | None = None,
        wanted: str | None = None,
    ) -> None:
        super().__init__(file, function)
        forced = None if delimiter is None else known_delimiter(function, delimiter)
        given = None if encoding is None else known_encoding(function, encoding)
        try:
            with self._with_context():
                self._rows = self._open(unpacked(self._opened(binary)), forced, given, wanted)
        except BaseException:
            self._stack.close()
            raise

    def chunks(self, size: int) -> Iterator[tuple[list[list[str]], list[Failure]]]:
        """Yield the rows in chunks, with as many cells a row as the header has, and the failures of rows that do not fit.

        Empty lines are skipped. Cells that are missing at the end of a row are empty, and empty cells after the last
        column are dropped. A row with further cells is cut, and has a `Failure` with its position in the chunk.
        """
        width = len(self.header)
        while True:
            with self._with_context():
                part = list(itertools.islice(self._rows, size))
            if not part:
                return
            faults: dict[int, Failure] = {}
            last = part[-1]
            if last == _LAST:
                part.pop()
            elif last[-1].endswith(_END):
                faults[len(part) - 1] = self._unclosed_quote(last, len(part) - 1)
            for i, row in enumerate(part):
                if len(row) != width:
                    if any(map(strip_white, row[width:])):
                        fields = f"the row has {len(row)} fields, the header {width}"
                        reason = f"{fields}; is a quote or a comma missing?"
                        faults.setdefault(i, Failure(i, self._delimiter.join(row), reason))
                    row += [""] * (width - len(row))
                    del row[width:]
            self._row += len(part)
            if part:
                yield part, sorted(faults.values())

    def _open(
        self, binary: IO[bytes], delimiter: str | None, encoding: str | None, wanted: str | None
    ) -> Iterator[list[str]]:
        head, binary = peek(binary, SAMPLE)
        for start, what in _OTHER_FILES.items():
            if head.startswith(start):
                raise ValueError(f"{self._function}: {self.name} {what}")
        found = encoding or encoding_of(head)
        if found == "utf-8-sig" and b"\0" in head[:6]:
            raise ValueError(
                f"{self._function}: {self.name} is no UTF-8 text: it has zero bytes, as UTF-16 and binary files have; "
                "save it as 'CSV UTF-8', or name its encoding (--encoding utf-16-le)"
            )
        guesses = encoding is None and found == "utf-8-sig"
        if not found.startswith("utf-8"):
            self.notes.append(f"its text is {found.upper()}")
        text = io.TextIOWrapper(binary, encoding=found, errors="surrogateescape" if guesses else "strict", newline="")
        self._stack.callback(text.detach)
        lines = self._without_escapes(_lines(text)) if guesses else _lines(text)
        first = next((line for line in lines if line.strip("\r\n")), "")
        if named := re.fullmatch("sep=(.)[\r\n]*", first):
            delimiter = delimiter or named[1]
            first = next((line for line in lines if line.strip("\r\n")), "")
        usual = "\t" if endings(self.name)[0] in (".tsv", ".tab", ".cxsmiles") else ","
        if delimiter is None:
            sample = re.split("\r\n|\r|\n", head.decode(found, "replace").lstrip("\ufeff\r\n"))
            delimiter = delimiter_of([first, *sample[1:-1]], usual, wanted)  # the last line may be cut
        if delimiter != usual:
            self.notes.append(f"its fields are separated by {DELIMITERS.get(delimiter, repr(delimiter))}")
        self._delimiter = delimiter
        reader = _unlimited_csv().reader(itertools.chain([first], lines, [_END]), delimiter=self._delimiter)
        self.header = next(filter(None, reader))
        if self.header == _LAST:
            self.header = []
        elif self.header[-1].endswith(_END):
            raise ValueError(f"{self._function}: {self.name} is damaged: a quote in its header is never closed")
        if len(self.header) < 2:
            return filter(None, reader)
        return (row for row in reader if row and (len(row) > 1 or strip_white(row[0])))  # skips blank lines

    def _without_escapes(self, lines: Iterator[str]) -> Iterator[str]:
        """Yield lines with the bytes that are not UTF-8 as Windows-1252; the first of them is a note."""
        for line in lines:
            if not line.isascii() and (repaired := windows_text(line)) != line:
                if _WINDOWS not in self.notes:
                    self.notes.append(_WINDOWS)
                line = repaired
            yield line

    def _unclosed_quote(self, row: list[str], position: int) -> Failure:
        """Return the failure of a last row whose quote is never closed, so that all lines below are one cell."""
        row[-1] = row[-1].removesuffix(_END)
        text = self._delimiter.join(row)
        number, below = self._row + position + 1, text.rstrip("\r\n").count("\n")
        if below:
            raise ValueError(
                f"{self._function}: {self.name} is damaged near row {number:,}: a quote is opened there and never "
                f"closed, so that the {below:,} lines below it would be one cell: {text[:40]!r} ..."
            )
        return Failure(position, text.rstrip("\r\n"), "a quote is opened in the row and never closed")


def open_bytes(file: str | os.PathLike[str], function: str) -> IO[bytes]:
    """Open a file, a pipe, or standard input (``-``) for one reading of its bytes."""
    if os.fspath(file) == "-" and not os.path.exists("-"):
        if sys.stdin is None:
            raise ValueError(f"{function}: there is no standard input to read; name a file")
        return sys.stdin.buffer
    if Path(file).is_dir():
        raise IsADirectoryError(f"{function}: {file} is a folder; give a CSV file")
    if not os.path.exists(file):
        raise FileNotFoundError(f"{function}: there is no file {file}")
    return open(file, "rb")


def unpacked(raw: IO[bytes]) -> IO[bytes]:
    """Return the bytes of a file, decompressed if the first ones show that it is compressed by gzip, bzip2 or xz."""
    head, raw = peek(raw, 6)
    if head.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=raw)  # type: ignore[return-value]
    if re.match(rb"BZh[1-9][1\x17]", head):
        return bz2.BZ2File(raw)
    return lzma.LZMAFile(raw) if head == b"\xfd7zXZ\0" else raw


def endings(path: str | os.PathLike[str]) -> tuple[str, str]:
    """Return the ending of a file's name for its format and that for its compression (or ""): ``(".csv", ".gz")``."""
    name = Path(path)
    packing = name.suffix.lower()
    if packing not in PACKED:
        return packing, ""
    return Path(name.stem).suffix.lower(), packing


def peek(stream: IO[bytes], count: int) -> tuple[bytes, IO[bytes]]:
    """Return the first bytes of a stream at its beginning, and a stream that begins with them again."""
    packed = isinstance(stream, (gzip.GzipFile, bz2.BZ2File, lzma.LZMAFile))  # they claim to seek even over a pipe
    seekable = not packed and stream.seekable()
    head = b""
    while len(head) < count and (more := stream.read(count - len(head))):
        head += more
    if seekable:
        stream.seek(-len(head), io.SEEK_CUR)
        return head, stream
    return head, io.BufferedReader(_PrependedStream(head, stream))


class _PrependedStream(io.RawIOBase):
    """A stream that cannot seek, preceded by the bytes that were already read from it."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._head:
            return int(self._rest.readinto(buffer))  # type: ignore[attr-defined]
        part, self._head = self._head[: len(buffer)], self._head[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def _lines(text: IO[str]) -> Iterator[str]:
    """Yield the lines of a text; an endless line is an error before it fills the memory."""
    for line in iter(functools.partial(text.readline, _MOST_IN_A_CELL + 1), ""):
        if len(line) > _MOST_IN_A_CELL:
            raise _unlimited_csv().Error(f"a line has more than {_MOST_IN_A_CELL:,} characters")
        yield line


@functools.cache
def _unlimited_csv() -> Any:
    """Return a second instance of Python's ``_csv``, because its limit on the length of a cell holds for the whole module."""
    spec = importlib.util.find_spec("_csv")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.field_size_limit(_MOST_IN_A_CELL)
    return module
