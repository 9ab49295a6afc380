"""Genomes: FASTA files, BED intervals, and the one-hot rows of intervals. Positions are 0-based, intervals half-open."""

from __future__ import annotations

import codecs
import gzip
import itertools
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .._numbers import parse_int
from ..ops.one_hot_dna import Spans, encode, letter_at

_BLOCK = 2**20
_LONGEST_LINE = 2**24  # bytes of a header, or a line of BED
_COMPLEMENT = str.maketrans("ACGTURYSWKMBDHVNacgturyswkmbdhvn", "TGCAAYRSWMKVHDBNtgcaayrswmkvhdbn")


class FastaRecord(NamedTuple):
    """One sequence of a FASTA file: the first word of its header, the rest of the header, and the letters."""

    name: str
    description: str
    sequence: str


class Interval(NamedTuple):
    """A stretch [start, stop) of a chromosome, 0-based. ``strand`` "-" is read backwards and complemented."""

    chrom: str
    start: int
    stop: int
    name: str = ""
    strand: str = "."


def read_fasta(path: str | Path) -> Iterator[FastaRecord]:
    """Yield the sequences of a FASTA file, one in memory at a time.

    Parameters
    ----------
    path : path
        Plain or gzipped (recognized by the first bytes). Line ends may be those of Unix, Windows or old Macs; a byte order
        mark of UTF-8 is passed over.

    Yields
    ------
    FastaRecord
        The name ends at the header's first white space. Letters as they stand, in their own case; white space is left out,
        other characters are not looked at here.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If text comes before the first ``>``, a header has no name, two have the same name, a sequence has bytes beyond
        ASCII, the file holds no sequence or is UTF-16, or a gzip is damaged.

    Examples
    --------
    >>> import tempfile, pathlib, catalase as ct
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "a.fa")
    ...     _ = file.write_text(">one first of all\\nACGT\\nNN\\n>two\\nac\\n")
    ...     for record in ct.data.read_fasta(file):
    ...         print(record)
    FastaRecord(name='one', description='first of all', sequence='ACGTNN')
    FastaRecord(name='two', description='', sequence='ac')
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"read_fasta: there is no file {path}")
    return _records(path)


def _records(path: Path) -> Iterator[FastaRecord]:
    header: tuple[int, bytes] | None = None
    pieces: list[bytes] = []
    lines: dict[str, int] = {}
    for line, text in _pieces(path):
        if line is None:
            if text and header is None:
                raise ValueError(
                    f"read_fasta: {path} does not begin with '>' but with {text[:20]!r}; it is no FASTA file"
                )
            pieces.append(text)
            continue
        if header is not None:
            yield _record(path, *header, pieces, lines)
        header, pieces = (line, text), []
    if header is None:
        raise ValueError(f"read_fasta: {path} holds no sequence")
    yield _record(path, *header, pieces, lines)


def _pieces(path: Path) -> Iterator[tuple[int | None, bytes]]:
    """Headers (their line's number, and they without the ``>``) and runs of letters without white space, in order."""
    rest, new_line, number = b"", True, 1
    for block in _blocks("read_fasta", path):
        block, rest, at = rest + block, b"", 0
        while at < len(block):
            if new_line and block[at : at + 1] == b">":
                end = block.find(b"\n", at)
                if end < 0:
                    rest = block[at:]
                    if len(rest) > _LONGEST_LINE:
                        raise ValueError(
                            f"read_fasta: {path} has a header of more than {_LONGEST_LINE:,} bytes at line {number}; it is "
                            "no FASTA file, or its line ends are lost"
                        )
                    break
                yield number, block[at + 1 : end].strip()
                number += 1
                at = end + 1
                continue
            end = block.find(b"\n>", at) + 1
            end = end or len(block)
            number += block.count(b"\n", at, end)
            yield None, block[at:end].translate(None, b" \t\n\v\f")
            new_line = block[end - 1 : end] == b"\n"
            at = end
    if rest:  # a header without a line end
        yield number, rest[1:].strip()


def _record(path: Path, line: int, header: bytes, pieces: list[bytes], lines: dict[str, int]) -> FastaRecord:
    name, *description = header.decode("utf-8", "replace").split(None, 1) or [""]
    if not name:
        raise ValueError(f"read_fasta: {path} has a header without a name at line {line}")
    if lines.setdefault(name, line) != line:
        raise ValueError(
            f"read_fasta: {path} has two sequences of the name {name!r}, at lines {lines[name]} and {line}; rename or "
            "remove one"
        )
    letters = b"".join(pieces)
    try:
        return FastaRecord(name, "".join(description).strip(), letters.decode("ascii"))
    except UnicodeDecodeError as error:
        raise ValueError(
            f"read_fasta: {name} in {path} has the byte 0x{letters[error.start]:02X} at position {error.start}; "
            "sequences are ASCII letters"
        ) from None


def _blocks(function: str, path: Path) -> Iterator[bytes]:
    """The bytes of a text file: unpacked, without a byte order mark, and with line feeds as the only ends of lines."""
    with open(path, "rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path, "rb") if zipped else open(path, "rb") as stream:
            block = stream.read(_BLOCK)
            if block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise ValueError(f"{function}: {path} is UTF-16 text; save it as plain text or UTF-8")
            block = block.removeprefix(codecs.BOM_UTF8)
            while block:
                while block.endswith(b"\r") and (more := stream.read(1)):
                    block += more  # the two characters of Windows are one line end
                if b"\r" in block:
                    block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
                yield block
                block = stream.read(_BLOCK)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{function}: {path} is damaged or cut short ({error}); download it again") from None


def _lines(function: str, path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file with their numbers, from 1."""
    rest, number = b"", 0
    for block in itertools.chain(_blocks(function, path), [b"\n"]):
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            number += 1
            try:
                yield number, line.decode()
            except UnicodeDecodeError:
                raise ValueError(f"{function}: line {number} of {path} is no UTF-8 text: {line[:40]!r}") from None
        if len(rest) > _LONGEST_LINE:
            raise ValueError(
                f"{function}: line {number + 1} of {path} has more than {_LONGEST_LINE:,} bytes; it is no text, or its line "
                "ends are lost"
            )


def read_bed(path: str | Path) -> list[Interval]:
    """Read the intervals of a BED file: chromosome, start, stop, and where there are such columns name and strand.

    Parameters
    ----------
    path : path
        Plain or gzipped, columns between tabs or spaces. Empty lines, ``#``, ``track`` and ``browser`` lines are skipped.

    Returns
    -------
    list of Interval
        0-based and half-open, as BED is: ``chr1 0 3`` are the first three letters. The strand ``*`` becomes ``.``: none.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        For a line with fewer than three columns, without a chromosome, positions that are no whole numbers, a negative
        start, a stop before the start, or a strand other than ``+ - . *``; the message has the line's number.

    Examples
    --------
    >>> import tempfile, pathlib, catalase as ct
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "a.bed")
    ...     _ = file.write_text("chr1\\t0\\t3\\tpeak\\t100\\t-\\n")
    ...     ct.data.read_bed(file)
    [Interval(chrom='chr1', start=0, stop=3, name='peak', strand='-')]
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"read_bed: there is no file {path}")
    found = []
    for number, line in _lines("read_bed", path):
        words = line.split()
        if not words or words[0].startswith("#") or words[0] in ("track", "browser"):
            continue
        fields = line.split("\t") if "\t" in line else [field for field in line.split(" ") if field]
        found.append(_interval(f"read_bed: line {number} of {path}", fields))
    return found


def _interval(where: str, fields: list[str]) -> Interval:
    if len(fields) < 3:
        raise ValueError(f"{where} has {len(fields)} columns; chromosome, start and stop are needed")
    if not fields[0].strip():
        raise ValueError(f"{where} needs the name of a chromosome, got {fields[0]!r}")
    try:
        start, stop = parse_int(fields[1]), parse_int(fields[2])
    except ValueError:
        raise ValueError(
            f"{where} needs whole numbers as start and stop, got {fields[1]!r} and {fields[2]!r}"
        ) from None
    item = Interval(fields[0], start, stop, fields[3] if len(fields) > 3 else "", fields[5] if len(fields) > 5 else ".")
    if start < 0:
        raise ValueError(f"{where} has the interval {start} to {stop}; needed 0 <= start <= stop")
    return _checked(where, item)


def _checked(where: str, item: Interval) -> Interval:
    """An interval whose fields are what they should be; ``*``, which stands for no strand elsewhere, is ``.`` here."""
    if not isinstance(item.chrom, str) or not item.chrom.strip():
        raise ValueError(f"{where} needs the name of a chromosome, got {item.chrom!r}")
    if item.strand not in ("+", "-", ".", "*"):
        raise ValueError(f"{where} has the strand {item.strand!r}; it must be +, -, or . (or *) for none")
    if item.stop < item.start or not -(2**62) < item.start <= item.stop < 2**62:
        raise ValueError(f"{where} has the interval {item.start} to {item.stop}; needed 0 <= start <= stop")
    return item._replace(strand=".") if item.strand == "*" else item


def _given_intervals(intervals: Any) -> list[Interval]:
    """Intervals of any form that `one_hot_intervals` takes."""
    if isinstance(intervals, (str, os.PathLike)):
        return read_bed(Path(intervals))
    if hasattr(intervals, "itertuples"):
        raise TypeError(
            "one_hot_intervals: intervals must be a list of tuples or a BED file, got a DataFrame; give "
            "list(table[['chrom', 'start', 'stop', 'strand']].itertuples(index=False, name=None))"
        )
    return [_given_interval(f"one_hot_intervals: interval {i}", item) for i, item in enumerate(intervals)]


def _given_interval(where: str, given: Any) -> Interval:
    fields: Any = () if isinstance(given, (str, bytes)) or not isinstance(given, Iterable) else tuple(given)
    if len(fields) not in (3, 4, 5, 6):
        raise ValueError(
            f"{where} must be an Interval, (chrom, start, stop), (chrom, start, stop, strand) or the six columns of BED; got "
            f"{given!r}"
        )
    start, stop = fields[1:3]
    if (
        isinstance(start, bool)
        or isinstance(stop, bool)
        or not all(isinstance(n, (int, np.integer)) for n in (start, stop))
    ):
        raise TypeError(f"{where} needs whole numbers as start and stop, got {start!r} and {stop!r}")
    name = "" if len(fields) == 4 else str(fields[3]) if len(fields) > 4 else ""
    return _checked(where, Interval(fields[0], int(start), int(stop), name, fields[-1] if len(fields) > 3 else "."))


def one_hot_intervals(
    genome: Mapping[str, str | bytes] | str | Path,
    intervals: Sequence[Interval | tuple[Any, ...]] | str | Path,
    *,
    length: int | None = None,
    outside: str = "raise",
    dtype: DTypeLike = np.float32,
) -> NDArray[Any]:
    """One-hot rows (A C G T; see `ops.one_hot_dna`) of stretches of a genome.

    Parameters
    ----------
    genome : mapping of name to sequence, or path of a FASTA file
        A file is read whole.
    intervals : sequence of Interval or tuples, or path of a BED file
        0-based and half-open. A tuple is (chrom, start, stop), (chrom, start, stop, strand), the five fields of an
        `Interval`, or the six columns of BED, whose last is the strand. Strand "-" gives the reverse complement; "." and
        "*" are no strand.
    length : int, optional
        Rows an interval: shorter ones end in rows of zeros. All must have one length where left out.
    outside : {"raise", "zeros"}
        What becomes of intervals that reach beyond their chromosome.
    dtype : {float32, uint8, int8}

    Returns
    -------
    ndarray, shape (N, length, 4)

    Raises
    ------
    KeyError
        For a chromosome that the genome lacks, naming those it has.
    ValueError
        For intervals beyond the chromosome, of unequal or negative length, strands that are none, two sequences of one
        name, and bytes that are no letters of DNA.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.data.one_hot_intervals({"chr1": "AACGT"}, [("chr1", 1, 3)], dtype="uint8")
    array([[[1, 0, 0, 0],
            [0, 1, 0, 0]]], dtype=uint8)
    """
    if outside not in ("raise", "zeros"):
        raise ValueError(f"one_hot_intervals: outside must be 'raise' or 'zeros', got {outside!r}")
    if isinstance(genome, (str, os.PathLike)):
        genome = {record.name: record.sequence for record in read_fasta(Path(genome))}
    wanted = _given_intervals(intervals)
    number: dict[str, int] = {}
    for i, item in enumerate(wanted):
        if item.chrom not in genome:
            names = list(genome)
            shown = ", ".join(map(repr, names[:10])) + (", ..." if len(names) > 10 else "")
            raise KeyError(f"one_hot_intervals: interval {i} is on {item.chrom!r}; the genome has {shown}")
        number.setdefault(item.chrom, len(number))
    texts = [genome[name] for name in number]
    for name, text in zip(number, texts, strict=True):
        if not isinstance(text, (str, bytes)) or (isinstance(text, str) and not text.isascii()):
            raise ValueError(f"one_hot_intervals: the sequence of {name!r} must be str or bytes of ASCII letters")
    spans = Spans(
        texts,
        np.array([number[item.chrom] for item in wanted], np.int64),
        np.array([item.start for item in wanted], np.int64),
        np.array([item.stop for item in wanted], np.int64),
        np.array([item.strand == "-" for item in wanted], np.uint8),
    )
    _check_spans(spans, wanted, length, outside)
    result, bad = encode(spans, length, dtype)
    for i in np.flatnonzero(bad >= 0)[:1]:
        raise ValueError(f"one_hot_intervals: {wanted[i].chrom} has {letter_at(genome[wanted[i].chrom], int(bad[i]))}")
    return result


def _check_spans(spans: Spans, wanted: Sequence[Interval], length: int | None, outside: str) -> None:
    sizes = np.array([len(text) for text in spans.texts], np.int64)
    widths = spans.stop - spans.start
    wrong = widths < 0
    if outside == "raise":
        wrong |= (spans.start < 0) | (spans.stop > sizes[spans.which])
    for i in np.flatnonzero(wrong)[:1]:
        item = wanted[i]
        raise ValueError(
            f"one_hot_intervals: interval {i} is {item.start} to {item.stop} of {item.chrom!r}, which has "
            f'{sizes[spans.which[i]]} letters; cut it, or give outside="zeros"'
        )
    most = length if length is not None else int(widths[0]) if len(widths) else 0
    other = np.flatnonzero(widths != most) if length is None else np.flatnonzero(widths > most)
    for i in other[:1]:
        raise ValueError(
            f"one_hot_intervals: interval {i} has {widths[i]} letters where {most} were needed; give length= (shorter "
            "ones are filled up with zeros)"
        )


def reverse_complement(sequence: str) -> str:
    """Return the other strand of a sequence in its own direction. Letters keep their case; U becomes A.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.data.reverse_complement("AACGn")
    'nCGTT'
    """
    return sequence.translate(_COMPLEMENT)[::-1]
