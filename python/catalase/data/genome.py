"""Genomes: FASTA files, BED intervals, and one-hot rows of intervals. Positions are 0-based, intervals are half-open."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .._internal.arrays import dtype_of
from .._internal.numbers import choice, listed, path_of, shown, whole_number
from .._internal.text import parse_int, strip_white
from ..ops.one_hot_dna import Spans, encode, letter_at

_BLOCK = 2**20
_STRANDS = ("+", "-", ".", "*")
_COMPLEMENT = str.maketrans("ACGTURYSWKMBDHVNacgturyswkmbdhvn", "TGCAAYRSWMKVHDBNtgcaayrswmkvhdbn")


class FastaRecord(NamedTuple):
    """One sequence of a FASTA file: the first word of its header, the rest of the header, and the letters."""

    name: str
    description: str
    sequence: str


class Interval(NamedTuple):
    """An interval [start, stop) of a chromosome, 0-based. With ``strand`` "-" it is reversed and complemented."""

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
        Plain or gzipped (recognized by the first bytes). UTF-8, with or without
        a byte order mark. Line ends may be those of Unix, Windows or old Macs.

    Yields
    ------
    FastaRecord
        Letters in their original case; white space is left out, other characters are not checked here.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If text comes before the first ``>``, a header has no name, a sequence has bytes beyond ASCII, the file holds no
        sequence, or a gzip is damaged.

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
    path = path_of("read_fasta", "path", path)
    if not path.is_file():
        raise FileNotFoundError(f"read_fasta: there is no file {path}")
    return _records(path)


def _records(path: Path) -> Iterator[FastaRecord]:
    header: bytes | None = None
    pieces: list[bytes] = []
    for kind, text in _pieces(path):
        if kind == "letters":
            if text and header is None:
                raise ValueError(
                    f"read_fasta: {path} does not begin with '>' but with {text[:20]!r}; it is no FASTA file"
                )
            pieces.append(text)
            continue
        if header is not None:
            yield _record(path, header, pieces)
        header, pieces = text, []
    if header is None:
        raise ValueError(f"read_fasta: {path} holds no sequence")
    yield _record(path, header, pieces)


def _pieces(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield headers (without the ``>``) and runs of letters (without white space), in order."""
    with open(path, "rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path, "rb") if zipped else open(path, "rb") as stream:
            rest, new_line, held, first = b"", True, b"", True
            while True:
                read = held + stream.read(max(_BLOCK, 4) if first else _BLOCK)  # a byte order mark has 3 bytes
                held = b""
                if read.endswith(b"\r") and (after := stream.read(1)):  # the block may end within "\r\n"
                    read += after
                    held = b"" if after == b"\n" else read[-1:]
                    read = read if after == b"\n" else read[:-1]
                if first:
                    first = False
                    if read.startswith((b"\xff\xfe", b"\xfe\xff")):
                        raise ValueError(
                            f"read_fasta: {path} is UTF-16 text; save it as UTF-8 (iconv -f UTF-16 -t UTF-8)"
                        )
                    read = read.removeprefix(b"\xef\xbb\xbf")
                block = rest + read.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
                if not block:
                    return
                if not read:  # the file ends with a header without a line end
                    yield "header", rest[1:].strip()
                    return
                rest = b""
                at = 0
                while at < len(block):
                    if new_line and block[at : at + 1] == b">":
                        end = block.find(b"\n", at)
                        if end < 0:
                            rest = block[at:]
                            break
                        yield "header", block[at + 1 : end].strip()
                        at = end + 1
                        continue
                    end = block.find(b"\n>", at) + 1
                    end = end or len(block)
                    yield "letters", block[at:end].translate(None, b" \t\r\n\v\f")
                    new_line = block[end - 1 : end] == b"\n"
                    at = end
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"read_fasta: {path} is damaged or cut short ({error}); download it again") from None


def _record(path: Path, header: bytes, pieces: list[bytes]) -> FastaRecord:
    name, _, description = header.decode("utf-8", "replace").replace("\t", " ").partition(" ")
    if not name:
        raise ValueError(f"read_fasta: {path} has a header without a name ('>{name}')")
    letters = b"".join(pieces)
    try:
        return FastaRecord(name, strip_white(description), letters.decode("ascii"))
    except UnicodeDecodeError as error:
        raise ValueError(
            f"read_fasta: {name} in {path} has the byte 0x{letters[error.start]:02X} at position {error.start}; "
            "sequences are ASCII letters"
        ) from None


def read_bed(path: str | Path) -> list[Interval]:
    """Read the intervals of a BED file: chromosome, start and stop, and name and strand if there are such columns.

    Parameters
    ----------
    path : path
        Plain or gzipped, columns between tabs or spaces. Empty lines, ``#``, ``track`` and ``browser`` lines are skipped.

    Returns
    -------
    list of Interval
        0-based and half-open, as in BED: ``chr1 0 3`` covers the first three letters.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        For a line with fewer than three columns, positions that are not whole numbers, a negative start, a stop before
        the start, or a strand other than ``+ - . *`` (the last two mean no strand). The message has the line's number.

    Examples
    --------
    >>> import tempfile, pathlib, catalase as ct
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "a.bed")
    ...     _ = file.write_text("chr1\\t0\\t3\\tpeak\\t100\\t-\\n")
    ...     ct.data.read_bed(file)
    [Interval(chrom='chr1', start=0, stop=3, name='peak', strand='-')]
    """
    path = path_of("read_bed", "path", path)
    if not path.is_file():
        raise FileNotFoundError(f"read_bed: there is no file {path}")
    with open(path, "rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    found = []
    try:
        with (
            open(path, "rb") as raw,
            gzip.GzipFile(fileobj=raw) if zipped else raw as binary,
            io.TextIOWrapper(binary, encoding="utf-8-sig") as stream,
        ):
            for number, line in enumerate(stream, 1):
                line = line.rstrip("\r\n")
                words = line.replace("\t", " ").strip(" ")
                if not words or words.startswith("#") or words.split(" ", 1)[0] in ("track", "browser"):
                    continue
                fields = line.split("\t") if "\t" in line else list(filter(None, line.split(" ")))
                if not fields[0]:
                    raise ValueError(f"read_bed: line {number} of {path} begins with a tab; take it away")
                found.append(_interval(f"read_bed: line {number} of {path}", fields))
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise ValueError(f"read_bed: {path} is damaged or no text ({error}); download it again") from None
    return found


def _interval(where: str, fields: list[str]) -> Interval:
    if len(fields) < 3:
        raise ValueError(f"{where} has {len(fields)} columns; chromosome, start and stop are needed")
    try:
        start, stop = parse_int(fields[1]), parse_int(fields[2])
    except ValueError:
        raise ValueError(
            f"{where} needs whole numbers as start and stop, got {fields[1]!r} and {fields[2]!r}"
        ) from None
    strand = fields[5] if len(fields) > 5 else "."
    if strand not in _STRANDS:
        raise ValueError(f"{where} has the strand {strand!r}; it must be +, -, . or *")
    strand = "." if strand == "*" else strand
    if start < 0 or stop < start:
        raise ValueError(f"{where} has the interval {start} to {stop}; needed 0 <= start <= stop")
    return Interval(fields[0], start, stop, fields[3] if len(fields) > 3 else "", strand)


def one_hot_intervals(
    genome: Mapping[str, str | bytes] | str | Path,
    intervals: Sequence[Interval | tuple[Any, ...]],
    *,
    length: int | None = None,
    outside: str = "raise",
    dtype: DTypeLike = np.float32,
) -> NDArray[Any]:
    """Return the one-hot rows (A C G T; see `ops.one_hot_dna`) of intervals of a genome.

    Parameters
    ----------
    genome : mapping of name to sequence, or path of a FASTA file
        A file is read whole.
    intervals : sequence of Interval, or of tuples (chrom, start, stop), (.., strand) or (.., name, strand)
        0-based and half-open. Strand "-" gives the reverse complement.
    length : int, optional
        Rows an interval; shorter intervals end in rows of zeros. By default all must have one length.
    outside : {"raise", "zeros"}
        Treatment of intervals that reach beyond their chromosome.
    dtype : {float32, uint8, int8}

    Returns
    -------
    ndarray, shape (N, length, 4)

    Raises
    ------
    KeyError
        For a chromosome that the genome lacks; the error names those it has.
    ValueError
        For intervals beyond the chromosome, of unequal or negative length, and bytes that are not letters of DNA.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.data.one_hot_intervals({"chr1": "AACGT"}, [("chr1", 1, 3)], dtype="uint8")
    array([[[1, 0, 0, 0],
            [0, 1, 0, 0]]], dtype=uint8)
    """
    function = "one_hot_intervals"
    choice(function, "outside", outside, ("raise", "zeros"))
    length = None if length is None else whole_number(function, "length", length, 0, 2**40)
    dtype = dtype_of(function, "dtype", dtype, ("float32", "uint8", "int8"))
    if isinstance(intervals, (str, Path)):
        raise TypeError("one_hot_intervals: intervals must be a list, got the name of a file; give read_bed(path)")
    given = listed(function, "intervals", intervals, "intervals")
    wanted = [_checked_interval(i, interval) for i, interval in enumerate(given)]
    if isinstance(genome, (str, Path)):
        genome = _whole_genome(path_of(function, "genome", genome))
    elif not isinstance(genome, Mapping):
        raise TypeError(
            f"{function}: genome must be a mapping of names to sequences, or the path of a FASTA file, got {shown(genome)}"
        )
    number: dict[str, int] = {}
    for i, item in enumerate(wanted):
        if item.chrom not in genome:
            names = list(genome)
            listing = ", ".join(map(repr, names[:10])) + (", ..." if len(names) > 10 else "")
            raise KeyError(f"one_hot_intervals: interval {i} is on {item.chrom!r}; the genome has {listing}")
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


def _whole_genome(path: str | Path) -> dict[str, str]:
    genome: dict[str, str] = {}
    for record in read_fasta(path):
        if record.name in genome:
            raise ValueError(
                f"one_hot_intervals: {path} has two sequences named {record.name!r}; which is meant is not known: rename one"
            )
        genome[record.name] = record.sequence
    return genome


def _checked_interval(i: int, given: Interval | tuple[Any, ...]) -> Interval:
    """Return a checked interval; the fourth field of a short tuple may be its strand."""
    if not isinstance(given, (tuple, list)) or not 3 <= len(given) <= 5:
        raise TypeError(
            f"one_hot_intervals: interval {i} must be (chrom, start, stop), with a strand or a name and a strand after "
            f"them; got {shown(given)}"
        )
    item = Interval(*given)
    if not isinstance(item.chrom, str):
        raise TypeError(f"one_hot_intervals: interval {i} must begin with a chromosome's name, got {shown(item.chrom)}")
    start, stop = (whole_number("one_hot_intervals", f"{end} of interval {i}", place, -(2**62), 2**62)
                   for end, place in (("start", item.start), ("stop", item.stop)))  # fmt: skip
    item = item._replace(start=start, stop=stop)
    if not isinstance(given, Interval) and len(given) == 4 and given[3] in _STRANDS:
        item = item._replace(name="", strand=given[3])
    if not isinstance(item.strand, str) or item.strand not in _STRANDS:
        raise ValueError(f"one_hot_intervals: interval {i} has the strand {item.strand!r}; it must be +, -, . or *")
    return item


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
    """Return the reverse complement of a sequence. Letters keep their case; U becomes A.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.data.reverse_complement("AACGn")
    'nCGTT'
    """
    if not isinstance(sequence, str):
        raise TypeError(f"reverse_complement: sequence must be a str, got {shown(sequence)}")
    return sequence.translate(_COMPLEMENT)[::-1]
