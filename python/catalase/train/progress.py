"""A progress bar on standard error, through rich."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Advance = Callable[[int, str], None]


@contextmanager
def progress_bar(label: str, total: int, wanted: bool | None = None) -> Iterator[Advance]:
    """Draw a bar while the block runs; yields ``advance(n, note)``.

    Parameters
    ----------
    label : str
    total : int
        Steps until done.
    wanted : bool, optional
        None draws where standard error is a terminal. True without a terminal prints a line at most every second. Without
        a standard error nothing is printed.
    """
    terminal = _is_terminal(sys.stderr)
    if wanted is False or sys.stderr is None or (wanted is None and not terminal):
        yield lambda n, note: None
        return
    if not terminal:
        yield _line_printer(label, total)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    note_column = TextColumn("{task.fields[note]}")
    with Progress(*columns, note_column, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total, note="")
        yield lambda n, note: bar.update(task, advance=n, note=note)


def _is_terminal(stream: Any) -> bool:
    """Whether a person is watching; standard error may be None, closed, or any object with ``write``."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def _line_printer(label: str, total: int) -> Advance:
    done, last = 0, 0.0

    def advance(n: int, note: str) -> None:
        nonlocal done, last
        done += n
        if time.monotonic() - last >= 1.0 or done >= total:
            last = time.monotonic()
            try:
                print(f"{label} {done}/{total}  {note}", file=sys.stderr)
                getattr(sys.stderr, "flush", lambda: None)()
            except (OSError, ValueError):  # a full disk, a reader that has gone, a closed file
                pass

    return advance
