"""Types of options, and the options that several commands have.

The type of an option that takes a path says whether it is an input or an output; by this the test that tries every output
of every command against every input finds them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..._internal.text import parse_float, parse_int, strip_white

if TYPE_CHECKING:
    from ...data.labels import LabelFormat

# As in `catalase.data.labels`, which is not imported for the parser alone.
CENSORED = ("bound", "missing", "drop")
TRANSFORMS = ("pIC50", "log10")
UNITS = ("pM", "nM", "uM", "mM", "M")
SMILES_HELP = "column of SMILES (default: the one named smiles, SMILES, mol, structure ...)"
DUPLICATES = ("mean", "first", "drop", "refuse")


def input_path(text: str) -> str:
    """Return the name of an input."""
    return name(text)


def output_path(text: str) -> str:
    """Return the name of an output."""
    return name(text)


def name(text: str) -> str:
    """Return a text that is not empty."""
    if not strip_white(text):
        raise argparse.ArgumentTypeError("must not be empty")
    return text


def whole_number(low: int, high: int = 2**31 - 1) -> Callable[[str], int]:
    """Return the type of a whole number from ``low`` to ``high``."""

    def parse(text: str) -> int:
        value = parse_int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"must be {low} to {high}, got {value}")
        return value

    parse.__name__ = "whole number"
    return parse


def number(allowed: Callable[[float], bool], words: str) -> Callable[[str], float]:
    """Return the type of a number that ``allowed`` accepts; ``words`` describe the accepted numbers."""

    def parse(text: str) -> float:
        value = parse_float(text)
        if not allowed(value):
            raise argparse.ArgumentTypeError(f"must be {words}, got {text}")
        return value

    parse.__name__ = "number"
    return parse


def list_of(parse: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    """Return the type of a list of values with commas between them."""

    def parse_list(text: str) -> list[Any]:
        parts = [strip_white(part) for part in text.split(",")]
        return [parse(part) for part in parts if part]

    parse_list.__name__ = "list"
    return parse_list


def add_table_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for the format of a table of text, and for rows that cannot be read."""
    parser.add_argument(
        "--delimiter", type=name, help="character between the fields of a table of text, or tab (default: it is found)"
    )
    parser.add_argument("--encoding", type=name, help="of a table of text, such as cp1252 (default: it is found)")
    parser.add_argument(
        "--errors-file", type=output_path, help="CSV for rows that cannot be read (default: beside the output)"
    )
    parser.add_argument(
        "--max-lost",
        "--max-unreadable",
        dest="max_unreadable",
        metavar="SHARE",
        type=number(lambda v: 0 <= v <= 1, "from 0 to 1"),
        default=0.5,
        help="stop with an error where a larger share of the rows cannot be read (default: %(default)s)",
    )
    add_strict(parser)


def add_label_options(parser: argparse.ArgumentParser, *, transforms: bool = False) -> None:
    """Add the options that `label_format` reads."""
    labels = parser.add_argument_group("labels")
    labels.add_argument("--decimal", choices=[".", ","], help="decimal separator of the labels (default: it is found)")
    labels.add_argument(
        "--censored",
        choices=CENSORED,
        default="bound",
        help="cells such as >10000: the bound is taken as the value, the label is missing, or the row is left out "
        "(default: %(default)s)",
    )
    if transforms:
        labels.add_argument(
            "--transform",
            choices=TRANSFORMS,
            help="learn -log10 of a concentration in mol/l, or log10 of a number; the task is named so",
        )
    labels.add_argument(
        "--unit", choices=UNITS, help="of concentrations, for pIC50 (default: in the column's name, else nM)"
    )
    labels.add_argument(
        "--positive",
        metavar="WORD",
        type=name,
        action="append",
        default=[],
        help="word that means 1; yes/no, active/inactive, true/false, positive/negative and +/- are known",
    )


def label_format(options: argparse.Namespace) -> LabelFormat:
    """Return how the options say that labels are written."""
    from ...data.labels import LabelFormat

    return LabelFormat(
        options.decimal, options.censored, getattr(options, "transform", None), options.unit, options.positive
    )


def add_strict(parser: argparse.ArgumentParser) -> None:
    """Add ``--strict``, which `exit_code` reads."""
    parser.add_argument("--strict", action="store_true", help="exit code 3 where some rows could not be read")
