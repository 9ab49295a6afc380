"""One pass over a library, that can be left and gone on with between any two chunks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from .._console import Console
from .._report import Failure, Report
from ._best import Best
from ._library import Chunk, Library
from ._record import ErrorFile, Recorder
from ._scorer import Scorer

_FAILURES_KEPT = 1000  # in the report; the error file has all


class Run:
    """One pass: what it needs, and how far it has come."""

    def __init__(self, scorer: Scorer, source: Library, best: Best, shard: tuple[int, int]) -> None:
        self.scorer, self.source, self.best = scorer, source, best
        self.part, self.parts = shard
        self.errors: ErrorFile | None = None
        self.row = self.scored = self.failed = 0  # the row that comes next; molecules of this shard
        self.failures: list[Failure] = []

    def go(self, size: int, recorder: Recorder | None, console: Console) -> None:
        """Read on to the end."""
        begin, before, position = time.monotonic(), self.scored + self.failed, 0
        with console.work("screening", self.source.total) as show:
            for start, chunk in self._left(size):
                self._take(start, chunk)
                seen = self.scored + self.failed
                rate = (seen - before) / max(time.monotonic() - begin, 1e-9)
                position, last = self.source.position(), position
                show(position - last, f"{seen:,} molecules, {rate:,.0f}/s", self.source.total)
                if recorder is not None and recorder.due():
                    recorder.write(**self.record(), done=False, best=[list(entry) for entry in self.best.sorted()])
        if recorder is not None:
            recorder.write(**self.record(), done=False, best=[list(entry) for entry in self.best.sorted()])

    def _left(self, size: int) -> Iterator[tuple[int, Chunk]]:
        """Chunks that are not done yet, each with the row it starts at."""
        start, done = 0, self.row
        for chunk in self.source.chunks(size):
            end = start + len(chunk.smiles)
            if end > done:
                cut = max(0, done - start)
                faults = {i - cut: reason for i, reason in chunk.faults.items() if i >= cut}
                yield start + cut, Chunk(chunk.smiles[cut:], chunk.ids[cut:], faults)
            start = end

    def _take(self, start: int, chunk: Chunk) -> None:
        first = (self.part - 1 - start) % self.parts
        rows = range(start + first, start + len(chunk.smiles), self.parts)
        smiles, ids = chunk.smiles[first :: self.parts], chunk.ids[first :: self.parts]
        faults = {(i - first) // self.parts: r for i, r in chunk.faults.items() if i % self.parts == first}
        if faults:
            texts = ["" if i in faults else text for i, text in enumerate(smiles)]
        else:
            texts = smiles
        if rows:
            kept, scores, failures = self.scorer(texts)
            if len(kept) == len(smiles):
                self.best.add(scores, rows, smiles, ids)
            else:
                at = kept.tolist()
                self.best.add(scores, [rows[i] for i in at], [smiles[i] for i in at], [ids[i] for i in at])
            self._fail([(rows[i], smiles[i], faults.get(i, reason)) for i, reason in failures])
            self.scored += len(kept)
        self.row = start + len(chunk.smiles)

    def _fail(self, failures: list[tuple[int, str, str]]) -> None:
        self.failed += len(failures)
        room = _FAILURES_KEPT - len(self.failures)
        self.failures += [Failure(*failure) for failure in failures[:room]]
        if self.errors is not None:
            self.errors.write(failures)

    def record(self) -> dict[str, Any]:
        """How far the run has come; what it says of the error file is on the disk."""
        return {
            "row": self.row,
            "scored": self.scored,
            "failed": self.failed,
            "failures": [list(failure) for failure in self.failures],
            "errors_bytes": 0 if self.errors is None else self.errors.commit(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a record."""
        self.row, self.scored, self.failed = state["row"], state["scored"], state["failed"]
        self.failures = [Failure(*failure) for failure in state["failures"]]
        self.best.restore(state["best"])

    def report(self) -> Report:
        return report_of(self.record())


def report_of(record: dict[str, Any]) -> Report:
    """The report of a run from its record."""
    total, failed = record["scored"] + record["failed"], record["failed"]
    listed = len(record["failures"])
    notes = [f"the first {listed:,} of {failed:,} that failed are listed here"] if failed > listed else []
    counts = {"scored": record["scored"], "failed": failed}
    notes += record.get("notes", [])
    return Report(total, record["scored"], [Failure(*f) for f in record["failures"]], notes, counts)
