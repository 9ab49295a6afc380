"""Reports: how many items were read, which could not be read, and why. Every item that is left out has an entry."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple


class Failure(NamedTuple):
    """One item that could not be read: its position (counted from 0), its text, and the reason.

    Readers of tables and libraries, featurizers, models and error files all use this one form.
    """

    position: int
    text: str
    reason: str

    def shifted(self, start: int) -> Failure:
        """Return the failure with its position in the whole list, if it was counted in a part that begins at ``start``."""
        return self._replace(position=self.position + start)


def error_lines(failures: Iterable[Failure]) -> bytes:
    """Return the lines of an error file, without its header: row (counted from 1), text and reason, in CSV.

    Examples
    --------
    >>> from catalase._internal.report import Failure, error_lines
    >>> print(error_lines([Failure(4, "C1CC", "unclosed ring")]).decode().rstrip())
    5,C1CC,unclosed ring
    """
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([f.position + 1, f.text, f.reason] for f in failures)
    return text.getvalue().encode("utf-8", "surrogateescape")


def one_a_row(failures: Iterable[Failure]) -> list[Failure]:
    """Return one failure an item, in the items' order, which joins the reasons of all of the item's failures."""
    rows: dict[int, Failure] = {}
    for failure in failures:
        first = rows.get(failure.position)
        together = failure if first is None else first._replace(reason=f"{first.reason}; {failure.reason}")
        rows[failure.position] = together
    return [rows[position] for position in sorted(rows)]


class Report:
    """The outcome of reading a list of items.

    Parameters
    ----------
    total : int
        Number of items.
    kept : int
        Number of items in the result.
    failures : iterable of Failure
        Items that could not be read as written, kept or not (``notes`` say how they were treated).
    notes : sequence of str
        Further remarks.
    counts : mapping of str to int, optional
        Number of items by the way in which they were read (for SMILES: "native", "rdkit", "refused").

    Examples
    --------
    >>> from catalase._internal.report import Failure, Report
    >>> print(Report(3, 2, [Failure(1, "C1CC", "unclosed ring")]))
    2 of 3 kept
      1: 'C1CC': unclosed ring
    """

    def __init__(
        self,
        total: int,
        kept: int,
        failures: Iterable[Failure] = (),
        notes: Sequence[str] = (),
        counts: Mapping[str, int] | None = None,
    ) -> None:
        self.total, self.kept = total, kept
        self.failures = [Failure(*f) for f in failures]
        self.notes = list(notes)
        self.counts = dict(counts or {})

    def __str__(self) -> str:
        lines = [f"{self.kept:,} of {self.total:,} kept", *self.notes]
        shown = self.failures[:20]
        lines += [f"  {f.position}: {_short(f.text)!r}: {f.reason}" for f in shown]
        if len(self.failures) > len(shown):
            lines.append(f"  ... and {len(self.failures) - len(shown):,} more")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"Report(total={self.total}, kept={self.kept}, failures={len(self.failures)})"

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "total": self.total,
            "kept": self.kept,
            "failures": [[f.position, f.text, f.reason] for f in self.failures],
            "notes": self.notes,
            "counts": self.counts,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Report:
        """Make a report from the result of `to_dict`."""
        failures = [Failure(int(p), str(t), str(r)) for p, t, r in values["failures"]]
        counts = {str(name): int(count) for name, count in values.get("counts", {}).items()}
        return cls(int(values["total"]), int(values["kept"]), failures, [str(n) for n in values["notes"]], counts)


def _short(text: str, most: int = 80) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."
