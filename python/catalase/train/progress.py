"""A progress bar on standard error, through rich."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .._internal.console import SafeStream

Advance = Callable[[int, str], None]


@contextmanager
def progress_bar(label: str, total: int, wanted: bool | None = None) -> Iterator[Advance]:
    """Draw a bar while the block runs; yield ``advance(n, note)``.

    Parameters
    ----------
    label : str
    total : int
        Number of steps.
    wanted : bool, optional
        None draws if standard error is a terminal. True without a terminal prints a line at most every second.
    """
    stream: Any = SafeStream(sys.stderr)
    if wanted is False or (wanted is None and not stream.isatty()):
        yield lambda n, note: None
        return
    if not stream.isatty():
        yield _line_printer(stream, label, total)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    note_column = TextColumn("{task.fields[note]}")
    with Progress(*columns, note_column, console=Console(file=stream), transient=True) as bar:
        task = bar.add_task(label, total=total, note="")
        yield lambda n, note: bar.update(task, advance=n, note=note)


def _line_printer(stream: Any, label: str, total: int) -> Advance:
    done, last = 0, 0.0

    def advance(n: int, note: str) -> None:
        nonlocal done, last
        done += n
        if time.monotonic() - last >= 1.0 or done >= total:
            last = time.monotonic()
            print(f"{label} {done}/{total}  {note}", file=stream, flush=True)

    return advance
