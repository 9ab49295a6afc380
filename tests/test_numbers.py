"""Text that becomes a number: what pandas and R read as a number is one, Python's own syntax is not."""

import pytest

from catalase._numbers import FLOAT32_LIMIT, parse_float, parse_int
from catalase.data.csv_loader import parse_label

NO_NUMBERS = [
    "1_5",
    "1_00",
    "٣",
    "１",
    "0x10",
    "1,5",
    "inf",
    "-Infinity",
    "nan",
    "1e400",
    "",
    "1.5.",
    "+-1",
    "1 2",
    "\xa01",
    "1e",
    ".",
]


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_is_no_number(text):
    with pytest.raises(ValueError, match="no number"):
        parse_float(text)
    with pytest.raises(ValueError, match="no whole number"):
        parse_int(text)


def test_what_is_a_number():
    for text in ("0", "-1", "+2", "1.5", ".5", "5.", "1e5", "1E-5", " 7 ", "\t8\r\n"):
        assert parse_float(text) == float(text)
    assert [parse_int(text) for text in ("0", "-1", "+2", " 7 ", "007")] == [0, -1, 2, 7, 7]
    for text in ("1.5", "1e5", "9" * 5000):
        with pytest.raises(ValueError):
            parse_int(text)


@pytest.mark.parametrize("text", [*(t for t in NO_NUMBERS if t not in ("", "nan")), "1e39", "-3.5e38"])
def test_labels_that_cannot_be_read_are_nan_with_a_reason(text):
    value, reason = parse_label(text)
    assert value != value and "needs a " in reason and repr(text.strip(" ")) in reason


def test_labels_up_to_the_largest_float32():
    assert parse_label("3.4028235e38") == (3.4028235e38, "") and parse_label("1e-60") == (1e-60, "")
    assert 3.4028235e38 < FLOAT32_LIMIT < 3.4028236e38
