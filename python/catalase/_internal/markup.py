"""HTML elements from Python values. A text is escaped unless it is `Markup`, so nothing of a table becomes an element."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from typing import Any

_VOID = ("img", "br")


class Markup(str):
    """A text that is HTML already."""

    __slots__ = ()


def element(name: str, *children: Any, **attributes: str) -> Markup:
    """Return an element. Children are texts, `Markup`, or lists of these; attributes may end in ``_`` (``class_``).

    Examples
    --------
    >>> from catalase._internal.markup import element
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


def card(title: str, facts: Iterable[tuple[str, Any]], *more: Any) -> str:
    """Return what a notebook shows of an object: a title, a table of facts about it, and further elements."""
    rows = [
        element("tr", element("th", name, style="text-align:left"), element("td", _told(value)))
        for name, value in facts
    ]
    return element("div", element("b", title), element("table", rows), *more)


def grid(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Markup:
    """Return a plain table. Cells are texts, `Markup`, or numbers."""
    heads = element("tr", [element("th", name) for name in columns])
    return element("table", heads, [element("tr", [element("td", _told(cell)) for cell in row]) for row in rows])


def picture(svg: bytes | None) -> Markup:
    """Return an SVG file as an image within the page; nothing where there is none."""
    if svg is None:
        return Markup("")
    return element("img", src=f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}")


def _told(value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.4g}" if isinstance(value, float) else str(value)
