"""Labels as people write them: numbers with a point or a comma, bounds such as ``>10000``, words such as yes and no."""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import choice
from .._internal.text import FLOAT32_LIMIT, parse_float, strip_white

CENSORED = ("bound", "missing", "drop")
TRANSFORMS = ("pIC50", "log10")
UNITS = {"pM": 12, "nM": 9, "uM": 6, "mM": 3, "M": 0}  # and the -log10 of each in mol/l
_MISSING = {"", "nan", "na", "n/a", "null", "none"}
_ALSO_MISSING = {
    "n.d.",
    "n.d",
    "nd",
    "n.a.",
    "n.a",
    "#n/a",
    "n.t.",
    "nt",
    "-",
    "--",
    "\u2013",
    "\u2014",
    "not determined",
}
_POSITIVE = {"yes", "y", "active", "true", "t", "+", "positive", "pos", "toxic"}
_NEGATIVE = {"no", "n", "inactive", "false", "f", "-", "negative", "neg", "nontoxic", "non-toxic", "not toxic"}
_BOUND = re.compile(
    r"(>=|=>|<=|=<|>>|<<|[><\u2265\u2264\uff1e\uff1c~\u2248\u2243\u223c]|ca\.?|=)\s*(\S.*)", re.I | re.S
)
_COMMA = re.compile(r"[+-]?(?:[0-9]+,[0-9]*|,[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DOT = re.compile(r"[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
# Groups of three digits between separators: 1,234 and 1.234 are such as well as decimal numbers.
_GROUPS = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:[,.'\u2019 \u00a0\u202f][0-9]{3})+(?:[,.][0-9]*)?")
_UNIT = re.compile(r"(?<![A-Za-z])(?:([pnum\u00b5\u03bc]?)M|([pnum\u00b5\u03bc]?)mol ?/ ?[lL])(?![A-Za-z])")
_MEASURE = re.compile(r"(?:(?:[IEAXDGC]C|GI|ED|LD)50(?![0-9])|K[id](?![A-Za-z]))", re.I)
_TRANSFORMED = re.compile(rf"(?<![A-Za-z])p{_MEASURE.pattern}", re.I)


@dataclass(frozen=True)
class LabelFormat:
    """How the cells of columns of labels are read.

    Attributes
    ----------
    decimal : str or None
        The decimal separator, "." or ","; None finds it (`decimal_of`).
    censored : {"bound", "missing", "drop"}
        What a cell such as ``>10000`` is: the bound itself, a missing label, or a reason to leave out the row.
    transform : {"pIC50", "log10"} or None
        pIC50 is -log10 of a concentration in mol/l; log10 is that of the number itself.
    unit : str or None
        The unit of concentrations, "pM", "nM", "uM", "mM" or "M"; None takes the one in the column's name, else nM.
    positive : sequence of str
        Words that mean 1.
    """

    decimal: str | None = None
    censored: str = "bound"
    transform: str | None = None
    unit: str | None = None
    positive: Sequence[str] = ()

    def __post_init__(self) -> None:
        if isinstance(self.positive, str):
            raise TypeError(f"LabelFormat: positive must be a list of words, got {self.positive!r}; wrap it in [ ]")
        for name, choices in (("decimal", (".", ",")), ("transform", TRANSFORMS), ("unit", tuple(UNITS))):
            if getattr(self, name) is not None:
                choice("LabelFormat", name, getattr(self, name), choices)
        choice("LabelFormat", "censored", self.censored, CENSORED)


class Number(NamedTuple):
    """The number in a cell (NaN for none), whether it is only a bound, and why it cannot be read, or ""."""

    value: float
    bound: bool
    reason: str


@dataclass
class LabelColumn:
    """The labels of one column.

    Attributes
    ----------
    name : str
        The task: the column's name, or what `transformed_name` makes of it.
    values : float64 ndarray, shape (N,)
        NaN where there is none.
    missing : int
        Cells that say so.
    censored : list of int
        The cells that hold a bound.
    faults : list of (int, str)
        The cells that cannot be read, and why.
    notes : list of str
        How it was read, where that is not plain.
    transform : str or None
        Of `LabelFormat`.
    """

    name: str
    values: NDArray[np.float64]
    missing: int = 0
    censored: list[int] = field(default_factory=list)
    faults: list[tuple[int, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    transform: str | None = None

    @property
    def is_classes(self) -> bool:
        """Whether all labels are 0 and 1, as they are written."""
        there = self.values[~np.isnan(self.values)]
        return self.transform is None and bool(there.size) and bool(((there == 0) | (there == 1)).all())


@functools.lru_cache(4096)  # class labels are few different texts
def parse_label(text: str) -> tuple[float, str]:
    """Return a label (NaN if it is missing) and an empty reason, or NaN and the reason why the text is not a number."""
    stripped = strip_white(text)
    if stripped.lower() in _MISSING:
        return math.nan, ""
    if stripped.lower().lstrip("+-") in ("inf", "infinity"):
        return math.nan, f"needs a finite number, got {stripped[:40]!r}"
    try:
        value = parse_float(stripped)
    except ValueError:
        return math.nan, f"needs a number or nothing, got {stripped[:40]!r}"
    if abs(value) >= FLOAT32_LIMIT:
        return math.nan, f"needs a number within float32, below 3.4e38, got {stripped[:40]!r}"
    return value, ""


def is_missing(text: str) -> bool:
    """Return whether a cell says that there is no label: "", "nan", "NA", "n.d.", "-" and the like."""
    lower = strip_white(text).lower()
    return lower in _MISSING or lower in _ALSO_MISSING


@functools.lru_cache(4096)
def parse_number(text: str, decimal: str | None) -> Number:
    """Return the number in a cell that is not missing, which may be a bound.

    ``decimal`` is the decimal separator. Where it is None a comma is one too, unless "1,234" could also be a number with a
    separator of thousands. Such separators are never removed.

    Examples
    --------
    >>> from catalase.data.labels import parse_number
    >>> parse_number("<-1,2", None), parse_number("1,234", ",").value
    (Number(value=-1.2, bound=True, reason=''), 1.234)
    >>> parse_number("1,234", None).reason
    "'1,234' may be 1.234 or 1234; say which by --decimal , or --decimal ."
    """
    stripped = strip_white(text).replace("\u2212", "-")
    found = _BOUND.fullmatch(stripped)
    plain = strip_white(found[2]) if found else stripped
    if decimal != "." and _COMMA.fullmatch(plain):
        if decimal is None and _GROUPS.fullmatch(plain):
            point = plain.replace(",", ".")
            whole = plain.replace(",", "")
            return Number(
                math.nan, False, f"{plain!r} may be {point} or {whole}; say which by --decimal , or --decimal ."
            )
        plain = plain.replace(",", ".")
    elif _GROUPS.fullmatch(plain) and (decimal == "," or not _DOT.fullmatch(plain)):
        reason = f"needs a number without separators of thousands, got {plain[:40]!r}"
        return Number(math.nan, False, reason if decimal != "," else f"{reason} (the decimal separator is a comma)")
    value, reason = parse_label(plain)
    if reason or math.isnan(value):
        return Number(math.nan, False, reason or f"needs a number or nothing, got {stripped[:40]!r}")
    return Number(value, found is not None and found[1] != "=", "")


def decimal_of(texts: Sequence[str]) -> str | None:
    """Return "," if more cells of all columns of labels have a decimal comma than a point, else None (no decision)."""
    commas = dots = 0
    for text, count in Counter(texts).items():
        stripped = strip_white(text).replace("\u2212", "-")
        found = _BOUND.fullmatch(stripped)
        plain = strip_white(found[2]) if found else stripped
        commas += count * bool(_COMMA.fullmatch(plain) and not _GROUPS.fullmatch(plain))
        dots += count * bool(_DOT.fullmatch(plain))
    return "," if commas > dots else None


def read_labels(where: str, column: str, texts: Sequence[str], form: LabelFormat) -> LabelColumn:
    """Return the labels of a column.

    Parameters
    ----------
    where : str
        The function and the table, for messages.
    column : str
        The column's name.
    texts : sequence of str
        Its cells.
    form : LabelFormat
        With the decimal separator that `decimal_of` found for all columns, where the user names none.

    Raises
    ------
    ValueError
        For a column of two words of which it is not known which means 1.
    """
    stripped = [strip_white(text) for text in texts]
    counts = Counter(stripped)
    lowered = Counter[str]()
    for text, count in counts.items():
        lowered[text.lower()] += count
    signs = lowered["+"] > 0  # "-" is the other class then, not a missing label
    absent = {text for text in counts if is_missing(text) and not (signs and text == "-")}
    parsed = {text: parse_number(text, form.decimal) for text in counts if text not in absent}
    words = _words(where, column, counts, parsed, form.positive)
    name = column if form.transform is None else transformed_name(column, form.transform)
    result = LabelColumn(name, np.empty(0), transform=form.transform)
    if form.transform == "pIC50" and _TRANSFORMED.search(column):
        raise ValueError(
            f"{where}: column {column!r} holds -log10 of a concentration already, by its name; leave pIC50 out"
        )
    if words and form.transform is not None:
        raise ValueError(f"{where}: column {column!r} holds the words {_quoted(words)}; {form.transform} needs numbers")
    unit, named = _unit(column, form) if form.transform == "pIC50" else ("", "")
    read = {text: _value(text, number, words, form, unit) for text, number in parsed.items()}
    value_of = {text: math.nan if reason else value for text, (value, reason) in read.items()}
    fault_of = {text: reason for text, (_, reason) in read.items() if reason}
    result.values = np.array([value_of.get(text, math.nan) for text in stripped], np.float64)
    result.missing = sum(counts[text] for text in absent)
    bounds = {text for text, number in parsed.items() if number.bound and not words and text not in fault_of}
    result.censored = [i for i, text in enumerate(stripped) if text in bounds] if bounds else []
    result.faults = [(i, fault_of[text]) for i, text in enumerate(stripped) if text in fault_of] if fault_of else []
    if words:
        ones, zeros = ([word for word, value in words.items() if value == v and lowered[word]] for v in (1.0, 0.0))
        result.notes.append(" and ".join(f"{_quoted(some)} is {v}" for some, v in ((ones, 1), (zeros, 0)) if some))
    if form.transform == "pIC50":
        result.notes.append(f"-log10 of the concentration in mol/l, read as {unit} ({named})")
    elif form.transform is not None:
        result.notes.append(f"log10 of {column!r}")
    return result


def _value(text: str, number: Number, words: dict[str, float], form: LabelFormat, unit: str) -> tuple[float, str]:
    """Return the label of a cell, and why it has none, or ""; ``unit`` is that of pIC50."""
    if words:
        value = words.get(text.lower(), number.value if number.value in (0.0, 1.0) else math.nan)
        return value, "" if value == value else f"needs one of {_quoted(words)}, got {text[:40]!r}"
    if number.bound and form.censored != "bound":
        return math.nan, ""
    if form.transform is None or number.reason:
        return number.value, number.reason
    if number.value <= 0:
        return math.nan, f"{form.transform} needs a number above 0, got {text[:40]!r}"
    log10 = math.log10(number.value)
    return UNITS[unit] - log10 if unit else log10, ""


def _words(
    where: str, column: str, counts: Counter[str], parsed: dict[str, Number], positive: Sequence[str]
) -> dict[str, float]:
    """Return the value of each word of a column of classes; empty for a column of numbers."""
    numbers = sum(counts[text] for text, number in parsed.items() if not number.reason and number.value not in (0, 1))
    zeros_and_ones = sum(counts[text] for text, number in parsed.items() if number.value in (0, 1))
    texts = Counter[str]()
    for text, number in parsed.items():
        if number.reason and not any(character.isdigit() for character in text):
            texts[text.lower()] += counts[text]
    known = {word: 1.0 if word in _POSITIVE else 0.0 for word in texts if word in _POSITIVE or word in _NEGATIVE}
    given = {word.lower() for word in positive} & texts.keys()
    unknown = [word for word in texts if word not in known]
    if given:
        meaning = known | dict.fromkeys(sorted(given), 1.0)
        others = [word for word in unknown if word not in given]
        if others and 0.0 not in meaning.values():
            if len(others) > 1:
                raise ValueError(
                    f"{where}: column {column!r} has beside {_quoted(sorted(given))} the words {_quoted(others)}; it is not "
                    "known which of them mean 0; name each that means 1 by --positive, and leave the others' cells empty"
                )
            meaning[others[0]] = 0.0
        return meaning
    if known and sum(texts[word] for word in known) + zeros_and_ones > numbers:
        return known
    if unknown and len(unknown) <= 2 and sum(texts.values()) > numbers + zeros_and_ones:
        shown = " and ".join(f"{word!r} ({texts[word]:,})" for word in unknown)
        raise ValueError(
            f"{where}: column {column!r} holds the word{'s' if len(unknown) > 1 else ''} {shown}, of which it is not known "
            "what means 1; name it by --positive"
        )
    return {}


def _quoted(words: Sequence[str] | dict[str, float]) -> str:
    return ", ".join(map(repr, words))


def _unit(column: str, form: LabelFormat) -> tuple[str, str]:
    """Return the unit of a column of concentrations, and how it is known."""
    if form.unit is not None:
        return form.unit, "--unit"
    found = [(first or second).replace("\u00b5", "u").replace("\u03bc", "u") for first, second in _UNIT.findall(column)]
    if found:
        return f"{found[-1]}M", "from the column's name"
    return "nM", "taken where neither the column's name nor --unit says so"


def transformed_name(column: str, transform: str) -> str:
    """Return the name of a task whose labels are a transformed column.

    Examples
    --------
    >>> from catalase.data.labels import transformed_name
    >>> transformed_name("IC50 (nM)", "pIC50"), transformed_name("EGFR [uM]", "pIC50"), transformed_name("t1/2", "log10")
    ('pIC50', 'pIC50 EGFR', 'log10 t1/2')
    """
    if transform != "pIC50":
        return f"{transform} {column}"
    bare = re.sub(r"([(\[])\s*,\s*", r"\1", _UNIT.sub("", column))
    bare = re.sub(r"\s*[(\[]\s*[)\]]", "", bare).strip(" _,/-")
    found = _MEASURE.search(bare)
    if found is None:
        return f"pIC50 {bare}".strip()
    return f"{bare[: found.start()]}p{bare[found.start() :]}"


def column_of(task: str, header: Sequence[str]) -> tuple[str, str | None] | None:
    """Return the column of a task, and the transform that makes its labels; None where the table has no such column."""
    if task in header:
        return task, None
    made = ((column, transform) for column in header for transform in TRANSFORMS)
    return next((one for one in made if transformed_name(*one) == task), None)


def looks_like_labels(texts: Sequence[str]) -> bool:
    """Return whether most cells of a column that are not missing are numbers, bounds or words of two classes."""
    there = [text for text in map(strip_white, texts) if not is_missing(text) or text == "-"]
    words = [text.lower() in _POSITIVE or text.lower() in _NEGATIVE for text in there]
    numbers = [not parse_number(text, ",").reason or not parse_number(text, ".").reason for text in there]
    if not any(text.lower() in _POSITIVE for text in there):
        words = []  # names of one letter, say
    return bool(there) and 2 * (sum(numbers) + sum(words)) > len(there)
