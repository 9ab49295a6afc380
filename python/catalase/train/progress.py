"""A progress bar: on standard error, through rich, or in a notebook below the cell."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .._internal.console import SafeStream
from .._internal.markup import element

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
        None draws in a notebook, and if standard error is a terminal. True without either prints a line at most every
        second.
    """
    display = None if wanted is False else _notebook()
    if display is not None:
        yield _notebook_bar(display, label, total)
        return
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


def _notebook() -> Any:
    """Return IPython's module of displays where the program runs in a notebook's kernel; None elsewhere."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    return importlib.import_module("IPython.display")


def _notebook_bar(display: Any, label: str, total: int) -> Advance:
    """A bar that is drawn anew at most ten times a second, and stays with its last figures."""

    def bar(note: str) -> Any:
        progress = element("progress", value=str(done), max=str(total))
        return display.HTML(element("div", label, " ", progress, f" {done}/{total} {note}"))

    done, last = 0, time.monotonic()
    handle = display.display(bar(""), display_id=True)

    def advance(n: int, note: str) -> None:
        nonlocal done, last
        done += n
        if time.monotonic() - last >= 0.1 or done >= total:
            last = time.monotonic()
            handle.update(bar(note))

    return advance


def _line_printer(stream: Any, label: str, total: int) -> Advance:
    done, last = 0, 0.0

    def advance(n: int, note: str) -> None:
        nonlocal done, last
        done += n
        if time.monotonic() - last >= 1.0 or done >= total:
            last = time.monotonic()
            print(f"{label} {done}/{total}  {note}", file=stream, flush=True)

    return advance
