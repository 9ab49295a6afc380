"""Tables of a report, which are sorted by their headings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from .._internal.markup import Markup, element
from .words import figure

_LONG = 30  # characters of a cell that may be broken anywhere


class Number(NamedTuple):
    """A cell that is sorted by its value, and shown as a text."""

    value: float
    text: str

    @classmethod
    def of(cls, value: Any) -> Number:
        return cls(float("nan") if value is None else float(value), figure(value))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Markup:
    """Return a table whose headings sort it. Cells are texts, `Markup` or `Number`."""
    heads = [element("th", element("button", name, type="button"), scope="col") for name in columns]
    lines = []
    for row in rows:
        cells = []
        for cell in row:
            if isinstance(cell, Number):
                value = "" if cell.value != cell.value else repr(cell.value)
                cells.append(element("td", cell.text, class_="number", data_value=value))
            else:
                cells.append(element("td", cell, class_="long" if len(cell) > _LONG else "text"))
        lines.append(element("tr", cells))
    inner = element("table", element("thead", element("tr", heads)), element("tbody", lines), class_="sortable")
    return element("div", inner, class_="wide")
