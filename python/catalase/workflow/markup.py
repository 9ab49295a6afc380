"""HTML elements from Python values. A text is escaped unless it is `Markup`, so nothing of a table becomes an element."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from .words import figure

_VOID = ("img", "br")
_LONG = 30  # characters of a cell that may be broken anywhere


class Markup(str):
    """A text that is HTML already."""

    __slots__ = ()


def element(name: str, *children: Any, **attributes: str) -> Markup:
    """Return an element. Children are texts, `Markup`, or lists of these; attributes may end in ``_`` (``class_``).

    Examples
    --------
    >>> from catalase.workflow.markup import element
    >>> element("p", "a < b ", element("b", "c"), class_='"')
    '<p class="&quot;">a &lt; b <b>c</b></p>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"' for key, value in attributes.items()
    )
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{''.join(_written(children))}</{name}>")


def _written(children: Iterable[Any]) -> Iterable[str]:
    for child in children:
        if isinstance(child, Markup):
            yield child
        elif isinstance(child, str):
            yield html.escape(child)
        else:
            yield from _written(child)


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
