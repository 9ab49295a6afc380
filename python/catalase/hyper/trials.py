"""Running trials in turn or by an executor, and the log from which a search that was killed goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._internal.numbers import shown

if TYPE_CHECKING:
    from concurrent.futures import Executor

Job = tuple[str, tuple[Any, ...]]  # what it is called in an error, and the arguments


def check_executor(where: str, executor: Any) -> Any:
    """Return None, or an object with the method ``submit`` of `concurrent.futures.Executor`."""
    if executor is None or (not isinstance(executor, type) and callable(getattr(executor, "submit", None))):
        return executor
    raise TypeError(
        f"{where}: executor must be None or a concurrent.futures.Executor, such as ThreadPoolExecutor(2), got "
        f"{shown(executor)}"
    )


def finished(
    where: str, function: Callable[..., Any], jobs: Mapping[Any, Job], executor: Executor | None
) -> Iterator[tuple[Any, Any]]:
    """Yield the key and the result of each job as it ends: in order, or, with an executor, in any order.

    Raises
    ------
    RuntimeError
        For the first job, in the order of the mapping, that raised an error: it names the job. Jobs behind it that have not
        begun are given up; those before it are finished first, so that the error is the same for any executor.
    """
    if executor is None:
        for key, (text, arguments) in jobs.items():
            try:
                result = function(*arguments)
            except Exception as error:
                raise _failure(where, text, error) from error
            yield key, result
        return
    from concurrent.futures import as_completed

    futures = {executor.submit(function, *arguments): key for key, (_, arguments) in jobs.items()}
    place = {key: i for i, key in enumerate(jobs)}
    failed: tuple[Any, BaseException] | None = None
    try:
        for future in as_completed(futures):
            key = futures[future]
            if future.cancelled():
                continue
            cause = future.exception()
            if cause is None:
                yield key, future.result()
            elif failed is None or place[key] < place[failed[0]]:
                failed = key, cause
                for other, name in futures.items():
                    if place[name] > place[key]:
                        other.cancel()
    finally:  # whoever asked for the results may have stopped
        for future in futures:
            future.cancel()
    if failed is not None:
        raise _failure(where, jobs[failed[0]][0], failed[1]) from failed[1]


def _failure(where: str, text: str, error: BaseException) -> RuntimeError:
    return RuntimeError(f"{where}: {text} failed: {type(error).__name__}: {error}")


class TrialLog:
    """The scores of a search in a file of JSON lines: the first says which search it is, each other one is a trial.

    A line is written whole, and given to the system, when its trial has ended. A last line that was cut off by a kill is
    taken away when the file is opened.

    Parameters
    ----------
    where : str
        Name of the searching function, for messages.
    path : Path or None
        None keeps no file.

    Attributes
    ----------
    header : dict or None
        The first line of a file that was there.
    scores : dict of int to (str, float)
        The settings, as text, and the score of each trial that had ended.
    """

    def __init__(self, where: str, path: Path | None) -> None:
        self.where, self.path = where, path
        self.header: dict[str, Any] | None = None
        self.scores: dict[int, tuple[str, float]] = {}
        if path is None or not path.exists():
            return
        whole, _, rest = path.read_bytes().rpartition(b"\n")
        if rest:
            os.truncate(path, len(whole) + 1 if whole else 0)
        for number, line in enumerate(whole.split(b"\n") if whole else []):
            try:
                self._read(json.loads(line))
            except (ValueError, KeyError, TypeError):
                raise ValueError(
                    f"{where}: line {number + 1} of {path} is not of a log of trials; give another logdir"
                ) from None

    def _read(self, line: Any) -> None:
        if self.header is None:
            self.header = {**line}
            if "search" not in line:
                raise ValueError
            return
        score = float("nan") if line["score"] is None else float(line["score"])
        self.scores.setdefault(int(line["trial"]), (str(line["settings"]), score))

    def begin(self, header: dict[str, Any]) -> None:
        """Write the first line, or compare it with that of the file: a log is of one search."""
        if self.header is None:
            self._write(header)
            self.header = header
            return
        for name, value in header.items():
            if self.header.get(name) != value:
                raise ValueError(
                    f"{self.where}: logdir has the log of another search, whose {name} differs ({self.path}); give another "
                    "folder, or remove that file"
                )

    def add(self, trial: int, settings: str, score: float) -> None:
        """Write the line of a trial that has ended."""
        self._write({"trial": trial, "settings": settings, "score": None if score != score else score})

    def _write(self, content: dict[str, Any]) -> None:
        if self.path is None:
            return
        line = json.dumps(content).encode() + b"\n"
        with open(self.path, "ab", buffering=0) as file:
            file.write(line)
            os.fsync(file.fileno())
