"""What the command line prints with: tables, steps and progress bars; colour and frames on a terminal, plain text elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any


class Console:
    """A thin layer over ``rich``.

    Parameters
    ----------
    file : text stream, optional
        Where to print; standard output by default.
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

    def __init__(self, file: IO[str] | None = None, *, progress: bool = True) -> None:
        from rich.console import Console as RichConsole

        self._rich = RichConsole(file=file, highlight=False, soft_wrap=True)
        self._progress = progress
        self._start = time.perf_counter()

    @property
    def interactive(self) -> bool:
        """Whether a person is watching a terminal."""
        return bool(self._rich.is_terminal)

    def print(self, text: str = "", *, style: str | None = None) -> None:
        """Print one line; ``text`` is taken as it is, square brackets (SMILES have them) included."""
        self._rich.print(text, style=style, markup=False)

    def heading(self, text: str) -> None:
        """Print the title of a step, after an empty line."""
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
        width = None if self.interactive else 10_000  # a log has no width: never cut a cell
        self._rich.print(table, width=width, soft_wrap=False, crop=False)

    @contextmanager
    def progress(self, label: str, total: int | None) -> Iterator[Any]:
        """Draw a progress bar while the block runs; yields ``advance(n=1, note="")``."""
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
        """Draw a bar with share done and time left while the block runs; yields ``show(n, note, total)``."""
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
