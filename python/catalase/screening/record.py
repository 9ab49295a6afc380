"""The files next to the hits: the record of a run, by which it can be resumed, and the error file.

The record ``<hits>.json`` is replaced by one rename every few seconds. It holds the settings, the next row, the counts, the
length of the error file, and the best molecules so far. The record of a finished run says so, and holds no molecules.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from .._internal import storage
from .._internal.report import Failure, Report, error_lines
from .._internal.storage.outputs import ERRORS_BEGIN

FORMAT = "catalase screen 1"
RECORD_BEGINS = b'{\n "format": "catalase screen '  # a record is recognized by this beginning
SECONDS = 5.0  # at least, between two records
_SHARE = 0.02  # of the run time, at most, is spent on writing records
_MOST_BYTES = 2**32


def record_path(out: str | os.PathLike[str]) -> Path:
    return Path(f"{os.fspath(out)}.json")


def read_record(out: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Return the record of a run, or None where there is none."""
    path = record_path(out)
    if not path.exists():
        return None
    record = storage.read_json(path, max_bytes=_MOST_BYTES)
    if record.get("format") != FORMAT:
        raise ValueError(f"screen: {path} is not the record of a screening; move it away")
    return record


def report_of(record: dict[str, Any]) -> Report:
    """Return the report of a run from its record."""
    total, failed = record["scored"] + record["failed"], record["failed"]
    listed = len(record["failures"])
    notes = [f"the first {listed:,} of {failed:,} that failed are listed here"] if failed > listed else []
    counts = {"scored": record["scored"], "failed": failed}
    notes += record.get("notes", [])
    return Report(total, record["scored"], [Failure(*f) for f in record["failures"]], notes, counts)


class Recorder:
    """Writes the record of a run, seldom enough to cost little time."""

    def __init__(self, out: str | os.PathLike[str], settings: dict[str, Any]) -> None:
        self.path, self.settings = record_path(out), settings
        self._next = time.monotonic() + SECONDS

    def due(self) -> bool:
        return time.monotonic() >= self._next

    def write(self, **content: Any) -> None:
        begin = time.monotonic()
        storage.write_json_atomic(self.path, {"format": FORMAT, "settings": self.settings, **content})
        end = time.monotonic()
        self._next = end + max(SECONDS, (end - begin) / _SHARE)


class ErrorFile:
    """The CSV file of the molecules without a score, written chunk by chunk and created with its first row."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._file: Any = None
        self._length = 0

    def start(self, length: int = 0) -> None:
        """Begin a new file, or continue the one there after its first ``length`` bytes; later bytes are cut off."""
        if not length:
            self.path.unlink(missing_ok=True)
            return
        if not self.path.is_file() or self.path.stat().st_size < length:
            raise ValueError(
                f"screen: {self.path} is gone or shorter than it was, so the run cannot go on; start it again with "
                "force (--force) and without resume"
            )
        os.truncate(self.path, length)
        self._length = length

    def write(self, failures: list[Failure]) -> None:
        """Add a line for each failure."""
        if not failures:
            return
        data = error_lines(failures) if self._length else ERRORS_BEGIN + error_lines(failures)
        if self._file is None:
            self._file = open(self.path, "ab")  # noqa: SIM115
        self._file.write(data)
        self._length += len(data)

    def commit(self) -> int:
        """Flush the file to the disk; return its length."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
        return self._length

    def close(self) -> None:
        if self._file is not None:
            self.commit()
            self._file.close()
            self._file = None
