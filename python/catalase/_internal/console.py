"""Printing for the command line: tables, headings and progress bars, with colour on a terminal and as plain text elsewhere."""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any


class SafeStream:
    """A text stream for messages, whose failures never stop the program that writes to it.

    Characters that the stream's encoding lacks are escaped. If the stream is missing, closed or full, or its reader has
    gone, the text is discarded silently, and ``error`` tells why. All other attributes are those of the stream.

    Examples
    --------
    >>> stream = SafeStream(None)
    >>> stream.write("lost"), stream.isatty()
    (4, False)
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.error: Exception | None = None

    def write(self, text: str) -> int:
        """Write as much of a text as can be written; returns its length."""
        if self._stream is not None and self.error is None:
            try:
                try:
                    self._stream.write(text)
                except UnicodeEncodeError as error:
                    self._stream.write(text.encode(error.encoding, "backslashreplace").decode(error.encoding))
            except (OSError, ValueError, AttributeError) as error:
                self.error = error
        return len(text)

    def flush(self) -> None:
        """Flush, where the stream can."""
        if self._stream is not None and self.error is None and hasattr(self._stream, "flush"):
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self.error = error

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        try:
            return bool(self._stream.isatty())
        except (AttributeError, OSError, ValueError):  # no stream, one that only writes, a closed one
            return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Console:
    """A thin layer over ``rich``.

    Parameters
    ----------
    file : text stream, optional
        Where to print (see `SafeStream`); standard output by default.
    progress : bool
        False never draws a progress bar. Without a terminal none is drawn either.

    Examples
    --------
    >>> import io
    >>> out = io.StringIO()
    >>> Console(out).table(["model", "RMSE"], [["ridge", "0.71"]])
    >>> print(out.getvalue().rstrip())
     model  RMSE
     ridge  0.71
    """

    def __init__(self, file: IO[str] | SafeStream | None = None, *, progress: bool = True) -> None:
        from rich.console import Console as RichConsole

        stream: Any = SafeStream(sys.stdout if file is None else file)
        self._rich = RichConsole(file=stream, highlight=False, soft_wrap=True)
        if not self.interactive:
            self._rich.width = 10_000  # a log has no width: never cut a cell
        self._progress = progress
        self._start = time.perf_counter()

    @property
    def interactive(self) -> bool:
        """Return whether the output goes to a terminal."""
        return bool(self._rich.is_terminal)

    def print(self, text: str = "", *, style: str | None = None) -> None:
        """Print one line of literal text: square brackets, which SMILES have, are not read as markup."""
        self._rich.print(text, style=style, markup=False)

    def heading(self, text: str) -> None:
        """Print the title of a section, after an empty line."""
        self._rich.print()
        self._rich.print(text, style="bold", markup=False)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> None:
        """Print a table; the first ``left`` columns are set to the left, the others to the right."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD if self.interactive else None, header_style="bold", pad_edge=True)
        for index, name in enumerate(columns):
            table.add_column(name, justify="left" if index < left else "right", no_wrap=True)
        for row in rows:
            table.add_row(*[Text(cell) for cell in row])
        self._rich.print(table, soft_wrap=False, crop=False)

    @contextmanager
    def progress(self, label: str, total: int | None) -> Iterator[Any]:
        """Draw a progress bar while the block runs; yield ``advance(n=1, note="")``."""
        if not (self._progress and self.interactive):
            yield lambda n=1, note="": None
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, TextColumn("{task.fields[note]}"), console=self._rich, transient=True) as bar:
            task = bar.add_task(label, total=total, note="")

            def advance(n: int = 1, note: str = "") -> None:
                bar.update(task, advance=n, note=note)

            yield advance

    @contextmanager
    def work(self, label: str, total: int | None) -> Iterator[Any]:
        """Draw a bar with the share done and the time left while the block runs; yield ``show(n, note, total)``."""
        if not (self._progress and self.interactive):
            yield lambda n, note, total: None
            return
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        with Progress(*columns, TextColumn("{task.fields[note]}"), console=self._rich, transient=True) as bar:
            task = bar.add_task(label, total=total, note="")

            def show(n: int, note: str, total: int | None) -> None:
                bar.update(task, advance=n, note=note, total=total)

            yield show


class ReaderGone(Exception):
    """The pipe that a command writes its result into was closed by its reader."""


@contextmanager
def safe_output() -> Iterator[SafeStream]:
    """Make both standard streams a `SafeStream`, and print warnings in one line, without file names.

    Yield standard output. Output that a closed pipe or a full disk refused is dropped, so that Python does not try to
    write it again at exit.
    """
    for descriptor in (0, 1, 2):  # a file opened under a closed stream's number would receive that stream's output
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    before = sys.stdout, sys.stderr
    streams = SafeStream(sys.stdout), SafeStream(sys.stderr)
    sys.stdout, sys.stderr = streams
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            yield streams[0]
    finally:
        for stream, original, safe in zip((sys.__stdout__, sys.__stderr__), before, streams, strict=True):
            safe.flush()
            if safe.error is not None and stream is not None and stream is original and not stream.closed:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)
        sys.stdout, sys.stderr = before


def _show_warning(message: Any, *_: Any, **__: Any) -> None:
    print(f"catalase: warning: {message}", file=sys.stderr)
