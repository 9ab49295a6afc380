"""Tests of labels as people write them: numbers, bounds, words, missing ones, transforms and units."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalase.data.labels import (
    LabelFormat,
    column_of,
    decimal_of,
    is_missing,
    looks_like_labels,
    parse_number,
    read_labels,
    transformed_name,
)


def labels(texts, column="y", **form):
    return read_labels("train: t.csv", column, texts, LabelFormat(**form))


@pytest.mark.parametrize(
    "text, decimal, value, bound",
    [
        ("1.5", None, 1.5, False), ("1,5", None, 1.5, False), ("-0,77", None, -0.77, False), ("\u22121,5", None, -1.5, False),
        (" 1e-3 ", None, 1e-3, False), ("1,5e3", None, 1500.0, False), ("0,123", None, 0.123, False), (",5", None, 0.5, False),
        (">10000", None, 10000.0, True), ("<-1,2", None, -1.2, True), ("\u2265 5", None, 5.0, True), ("<=5", None, 5.0, True),
        ("~ 7.5", None, 7.5, True), ("ca. 7", None, 7.0, True), (">> 3", None, 3.0, True), ("= 4", None, 4.0, False),
        ("1,234", ",", 1.234, False), ("1.5", ",", 1.5, False), ("1.234", ".", 1.234, False), ("1.234", None, 1.234, False),
        ("1234", ",", 1234.0, False), ("1234,5", None, 1234.5, False),
    ],
)  # fmt: skip
def test_numbers_and_bounds_are_read_as_they_are_meant(text, decimal, value, bound):
    assert parse_number(text, decimal) == (value, bound, "")


@pytest.mark.parametrize(
    "text, decimal, words",
    [
        ("1,234", None, "'1,234' may be 1.234 or 1234; say which by --decimal , or --decimal ."),
        ("1,234", ".", "without separators of thousands, got '1,234'"),
        ("1.234", ",", "without separators of thousands, got '1.234' (the decimal separator is a comma)"),
        ("1,234,567", None, "without separators of thousands"),
        ("1.234,5", None, "without separators of thousands"),
        ("1,234.5", None, "without separators of thousands"),
        ("1'234", None, "without separators of thousands"),
        ("10 000", None, "without separators of thousands"),
        (">1,234.5", ",", "without separators of thousands"),
        ("1,5", ".", "needs a number or nothing, got '1,5'"),
        ("many", None, "needs a number or nothing, got 'many'"),
        ("> many", None, "needs a number or nothing, got 'many'"),
        (">", None, "needs a number or nothing, got '>'"),
        ("> n/a", None, "needs a number or nothing"),
        ("1 \u00b1 0.5", None, "needs a number or nothing"),
        ("12 nM", None, "needs a number or nothing"),
        ("1e39", None, "within float32"),
        ("inf", None, "needs a finite number"),
        ("1e999", None, "needs a number or nothing"),
        ("1_0", None, "needs a number or nothing"),
    ],
)
def test_what_is_no_number_says_why_and_is_never_half_read(text, decimal, words):
    number = parse_number(text, decimal)
    assert math.isnan(number.value) and words in number.reason and not number.bound


@given(st.decimals(-(10**6), 10**6, allow_nan=False, places=4), st.sampled_from(["", ">", "<", "~", "\u2264"]))
def test_a_number_with_a_comma_has_the_value_of_the_one_with_a_point(value: Decimal, sign):
    point = f"{sign}{value}"
    found = parse_number(point.replace(".", ","), None)
    assert found == parse_number(point, None) == (float(value), bool(sign), "")


def test_missing_labels_are_written_in_many_ways():
    assert all(
        map(is_missing, ["", " ", "NA", "nan", "N/A", "n.d.", "ND", "n.a.", "-", "\u2013", "#N/A", "None", "NULL"])
    )
    assert not any(map(is_missing, ["0", "no", "+", ".", "x"]))


def test_the_decimal_separator_is_that_of_most_cells_that_tell_it():
    assert decimal_of(["1,5", ">2,25", "1,234", "n.d."]) == ","
    assert (
        decimal_of(["1.5", "2.5", "1,5"]) is None and decimal_of(["1,234", "2,345"]) is None and decimal_of([]) is None
    )


@pytest.mark.parametrize(
    "censored, values", [("bound", [10000.0, 1.5, -1.2, 5.0]), ("missing", [math.nan, 1.5, math.nan, math.nan])]
)
def test_bounds_are_values_or_missing_and_counted(censored, values):
    found = labels([">10000", "1,5", "<-1,2", "\u2265 5"], censored=censored)
    assert np.array_equal(found.values, values, equal_nan=True) and found.censored == [0, 2, 3] and not found.faults


@pytest.mark.parametrize(
    "texts, values, note",
    [
        (["yes", "No", "", "YES"], [1, 0, math.nan, 1], "'yes' is 1 and 'no' is 0"),
        (["active", "Inactive", "n.d."], [1, 0, math.nan], "'active' is 1 and 'inactive' is 0"),
        (["TRUE", "FALSE"], [1, 0], "'true' is 1 and 'false' is 0"),
        (["+", "-", "\u2013"], [1, 0, math.nan], "'+' is 1 and '-' is 0"),
        (["positive", "neg", "1", "0"], [1, 0, 1, 0], "'positive' is 1 and 'neg' is 0"),
        (["no", "no"], [0, 0], "'no' is 0"),
    ],
)
def test_words_of_two_classes_are_one_and_zero(texts, values, note):
    found = labels(texts)
    assert np.array_equal(found.values, values, equal_nan=True) and found.notes == [note] and found.is_classes


def test_a_minus_is_a_missing_label_where_there_is_no_plus():
    assert np.array_equal(labels(["-", "1.5", "-"]).values, [math.nan, 1.5, math.nan], equal_nan=True)


def test_a_word_that_means_one_can_be_named():
    found = labels(["blocker", "other", "Blocker", "n.d."], positive=["blocker"])
    assert np.array_equal(found.values, [1, 0, 1, math.nan], equal_nan=True)
    assert labels(["weak", "inactive", "active"], positive=["weak"]).values.tolist() == [1, 0, 1]
    found = labels(["strong", "weak", "no", "unclear"], positive=["strong", "WEAK"])
    assert np.array_equal(found.values, [1, 1, 0, math.nan], equal_nan=True)
    assert found.faults == [(3, "needs one of 'no', 'strong', 'weak', got 'unclear'")]


def test_two_unknown_words_are_a_sentence():
    words = r"train: t.csv: column 'y' holds the words 'blocker' \(2\) and 'other' \(1\), of which it is not known what means 1"
    with pytest.raises(ValueError, match=words):
        labels(["blocker", "other", "Blocker", "n.d."])
    with pytest.raises(ValueError, match=r"holds the word 'blocker' \(2\), of which it is not known what means 1"):
        labels(["blocker", "", "blocker"])
    with pytest.raises(ValueError, match="has beside 'strong' the words 'weak', 'none at all'; it is not known"):
        labels(["strong", "weak", "none at all"], positive=["strong"])
    with pytest.raises(ValueError, match="column 'y' holds the words 'yes', 'no'; pIC50 needs numbers"):
        labels(["yes", "no"], transform="pIC50")


def test_a_word_among_numbers_is_one_bad_cell():
    found = labels(["1.5", "2.5", "many", "yes"])
    assert [i for i, _ in found.faults] == [2, 3] and found.faults[0][1] == "needs a number or nothing, got 'many'"
    found = labels(["active", "inactive", "inconclusive", "5"])
    assert [i for i, _ in found.faults] == [2, 3]
    assert found.faults[0][1] == "needs one of 'active', 'inactive', got 'inconclusive'"


@pytest.mark.parametrize(
    "column, unit, expected, how",
    [
        ("IC50 (nM)", None, 8.0, "read as nM (from the column's name)"),
        ("IC50 [\u00b5M]", None, 5.0, "read as uM (from the column's name)"),
        ("IC50_uM", None, 5.0, "read as uM"),
        ("Ki mol/l", None, -1.0, "read as M"),
        ("IC50 (nM)", "uM", 5.0, "read as uM (--unit)"),
        ("potency", None, 8.0, "read as nM (taken where neither the column's name nor --unit says so)"),
        ("MIC", None, 8.0, "read as nM (taken"),
    ],
)
def test_concentrations_become_pic50_by_their_unit(column, unit, expected, how):
    found = labels(["10", "0", "-5", ">10"], column, transform="pIC50", unit=unit)
    assert found.values[[0, 3]] == pytest.approx([expected] * 2) and np.isnan(found.values[1:3]).all()
    assert [(i, reason) for i, reason in found.faults] == [
        (1, "pIC50 needs a number above 0, got '0'"), (2, "pIC50 needs a number above 0, got '-5'"),
    ]  # fmt: skip
    assert how in found.notes[0] and found.censored == [3] and found.name == transformed_name(column, "pIC50")


def test_log10_is_that_of_the_number():
    found = labels(["100", "0"], "t1/2", transform="log10")
    assert labels(["1", "10"], transform="log10").values.tolist() == [0, 1]
    assert not labels(["1", "10"], transform="log10").is_classes
    assert found.name == "log10 t1/2" and found.values[0] == 2 and [i for i, _ in found.faults] == [1]


@pytest.mark.parametrize(
    "column, name",
    [
        ("IC50 (nM)", "pIC50"), ("EGFR IC50 [uM]", "EGFR pIC50"), ("Ki_nM", "pKi"), ("potency", "pIC50 potency"),
        ("IC50 (nM, mean)", "pIC50 (mean)"), ("Kinase 7", "pIC50 Kinase 7"),
    ],
)  # fmt: skip
def test_a_transformed_task_has_a_name_by_which_its_column_is_found_again(column, name):
    assert transformed_name(column, "pIC50") == name
    assert column_of(name, ["smiles", column]) == (column, "pIC50") and column_of(column, [column]) == (column, None)
    assert column_of(f"log10 {column}", ["x", column]) == (column, "log10") and column_of(name, ["smiles"]) is None


def test_columns_that_look_like_labels_are_told_from_others():
    assert (
        looks_like_labels(["1,5", ">3", "n.d.", "x"])
        and looks_like_labels(["yes", "no"])
        and looks_like_labels(["+", "-"])
    )
    assert looks_like_labels(["1,234", "5"]) and not looks_like_labels(["n", "n", "f"])
    assert not looks_like_labels(["a", "b", "1"]) and not looks_like_labels(["", "n.d."]) and not looks_like_labels([])


def test_choices_that_are_not_there_are_refused():
    for wrong in ({"decimal": ";"}, {"censored": "keep"}, {"transform": "ln"}, {"unit": "nm"}):
        with pytest.raises(ValueError, match="LabelFormat"):
            LabelFormat(**wrong)
    with pytest.raises(TypeError, match="positive must be a list of words, got 'yes'"):
        LabelFormat(positive="yes")


@pytest.mark.parametrize("column", ["pIC50", "EGFR pKi", "mean pEC50 (M)"])
def test_what_is_transformed_already_is_not_transformed_again(column):
    with pytest.raises(ValueError, match="holds -log10 of a concentration already, by its name; leave pIC50 out"):
        labels(["7.5"], column, transform="pIC50")
    assert labels(["7.5"], column).values.tolist() == [7.5]
