"""Types of options, and the options that several commands have.

The type of an option that takes a path says whether it is an input or an output; by this the test that tries every output
of every command against every input finds them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from ..._internal.text import parse_float, parse_int, strip_white


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
    """Add the options for rows that cannot be read."""
    parser.add_argument(
        "--errors-file", type=output_path, help="CSV for rows that cannot be read (default: beside the output)"
    )
    parser.add_argument(
        "--max-unreadable",
        metavar="SHARE",
        type=number(lambda v: 0 <= v <= 1, "from 0 to 1"),
        default=0.5,
        help="stop with an error where a larger share of the rows cannot be read (default: %(default)s)",
    )
    add_strict(parser)


def add_strict(parser: argparse.ArgumentParser) -> None:
    """Add ``--strict``, which `exit_code` reads."""
    parser.add_argument("--strict", action="store_true", help="exit code 3 where some rows could not be read")
