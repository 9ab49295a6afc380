"""What stands beside the hits: the record of a run, from which it goes on, and the file of molecules not read.

The record ``<hits>.json`` is replaced by one rename every few seconds; it holds the settings, the row that comes next,
the counts, the length of the error file, and the best so far. When the run has ended it says so, and holds no molecules.
"""

from __future__ import annotations

import csv
import io
import os
import time
from pathlib import Path
from typing import Any

from .. import _storage

FORMAT = "catalase screen 1"
RECORD_BEGINS = b'{\n "format": "catalase screen '  # a record, by which it is known again
SECONDS = 5.0  # between two records
_SHARE = 0.02  # of the time, at most, for writing them
_MOST_BYTES = 2**32


def record_path(out: str | os.PathLike[str]) -> Path:
    return Path(f"{os.fspath(out)}.json")


def read_record(out: str | os.PathLike[str]) -> dict[str, Any] | None:
    """The record of a run; None where there is none."""
    path = record_path(out)
    if not path.exists():
        return None
    record = _storage.read_json(path, max_bytes=_MOST_BYTES)
    if record.get("format") != FORMAT:
        raise ValueError(f"screen: {path} is not the record of a screening; move it away")
    return record


class Recorder:
    """Writes records, seldom enough to cost little."""

    def __init__(self, out: str | os.PathLike[str], settings: dict[str, Any]) -> None:
        self.path, self.settings = record_path(out), settings
        self._next = time.monotonic() + SECONDS

    def due(self) -> bool:
        return time.monotonic() >= self._next

    def write(self, **content: Any) -> None:
        begin = time.monotonic()
        _storage.write_json_atomic(self.path, {"format": FORMAT, "settings": self.settings, **content})
        end = time.monotonic()
        self._next = end + max(SECONDS, (end - begin) / _SHARE)


class ErrorFile:
    """The CSV file of what could not be read, written as it comes; made with its first row."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._file: Any = None
        self._length = 0

    def start(self, length: int = 0) -> None:
        """Begin anew, or go on where the file had ``length`` bytes: what was written after is cut off."""
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

    def write(self, rows: list[tuple[int, str, str]]) -> None:
        """Add rows: position from 0, text, reason."""
        if not rows:
            return
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        if not self._length:
            writer.writerow(["row", "text", "reason"])
        writer.writerows((position + 1, what, reason) for position, what, reason in rows)
        data = text.getvalue().encode("utf-8", "surrogateescape")
        if self._file is None:
            self._file = open(self.path, "ab")  # noqa: SIM115
        self._file.write(data)
        self._length += len(data)

    def commit(self) -> int:
        """Flush to the disk; returns the length."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
        return self._length

    def close(self) -> None:
        if self._file is not None:
            self.commit()
            self._file.close()
            self._file = None
