"""Numbers in text: what data formats call a number, and what only Python does."""

from __future__ import annotations

import pytest

from catalase._numbers import parse_float, parse_int


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
