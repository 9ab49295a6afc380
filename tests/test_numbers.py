"""Tests of numbers in text and of plain arguments: accepted values, and the errors for others."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from catalase._internal.numbers import choice, flag, listed, number, path_of, seed_of, whole_number
from catalase._internal.text import parse_float, parse_int


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("+1.5", 1.5),
        ("-.5", -0.5),
        ("2.", 2.0),
        ("1e-3", 0.001),
        ("1E+5", 1e5),
        (" \t7\r\n", 7.0),
        ("007", 7.0),
    ],
)
def test_numbers_are_read(text, value):
    assert parse_float(text) == value


@pytest.mark.parametrize(
    "text",
    ["1_5", "1_00", "١٢", "１", "1,5", "0x10", "inf", "nan", "-Infinity", "1e", "e5", ".", "", " ", "1 2", "1\xa0", "1\u2028",
     "\x1c1", "1e999", "1\0", "--1", "1.5.2"],
)  # fmt: skip
def test_what_is_no_number_is_refused(text):
    with pytest.raises(ValueError, match="no number"):
        parse_float(text)


def test_whole_numbers_are_read():
    assert [parse_int(text) for text in ("0", "-12", "+3", " 4\n")] == [0, -12, 3, 4]


@pytest.mark.parametrize("text", ["1_0", "١", "1.0", "8e02", "", "0x1", "1\xa0", "9" * 5000])
def test_what_is_no_whole_number_is_refused(text):
    with pytest.raises(ValueError, match="no whole number"):
        parse_int(text)


def test_plain_values_are_returned_as_pythons_own():
    assert whole_number("f", "n", np.uint8(7)) == 7 and type(whole_number("f", "n", np.uint8(7))) is int
    assert flag("f", "on", np.True_) is True and flag("f", "on", 0) is False
    assert number("f", "x", np.float32(0.5), at_least=0) == 0.5
    assert choice("f", "how", None, (None, "a")) is None
    assert seed_of("f", None) is None and seed_of("f", 2**200) == 2**200
    assert path_of("f", "file", "a/b.csv") == Path("a/b.csv")
    assert listed("f", "texts", (c for c in "ab"), "texts") == ["a", "b"]


@pytest.mark.parametrize(
    ("check", "error", "words"),
    [
        (lambda: whole_number("f", "n", True), TypeError, "f: n must be a whole number, got True"),
        (lambda: whole_number("f", "n", 0), ValueError, "f: n must be 1 or more, got 0"),
        (lambda: whole_number("f", "n", 9, 1, 8), ValueError, "f: n must be from 1 to 8, got 9"),
        (lambda: number("f", "x", math.nan), ValueError, "f: x must be a finite number, got nan"),
        (lambda: number("f", "x", "1"), TypeError, "f: x must be a number, got '1'"),
        (lambda: flag("f", "on", "no"), TypeError, "f: on must be True or False, got 'no'"),
        (lambda: choice("f", "how", [], ("a", "b")), ValueError, "f: how must be 'a' or 'b', got []"),
        (lambda: path_of("f", "file", b"x"), TypeError, "f: file must be the name of a file or folder, got b'x'"),
        (lambda: path_of("f", "file", "a\0"), ValueError, "f: file cannot be the name of a file: 'a\\x00'"),
        (lambda: seed_of("f", -1), ValueError, "f: seed must be 0 or more, got -1"),
        (lambda: listed("f", "texts", "ab", "texts"), TypeError, "f: texts must be a list of texts, got 'ab'"),
    ],
)
def test_wrong_plain_values_are_refused_by_function_and_argument(check, error, words):
    with pytest.raises(error) as caught:
        check()
    assert str(caught.value) == words
