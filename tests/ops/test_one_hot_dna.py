"""Tests of one-hot DNA against plain Python for every letter, length, strand and dtype, and of refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catalase as ct
from tests.reference.dna import COLUMNS, OTHERS, one_hot

LETTERS = "".join(COLUMNS) + OTHERS
LETTERS += LETTERS.lower()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.text(LETTERS, max_size=40), st.booleans()), max_size=12),
    st.sampled_from(["float32", "uint8", "int8"]),
)
def test_against_plain_python(pairs, dtype):
    texts = [text for text, _ in pairs]
    flags = np.array([flag for _, flag in pairs], bool)
    X = ct.ops.one_hot_dna(texts, length=41, reverse_complement=flags, dtype=dtype)
    assert X.shape == (len(texts), 41, 4) and X.dtype == dtype
    for row, (text, flag) in zip(X, pairs, strict=True):
        assert np.array_equal(row, one_hot(text, 41, flag))


@pytest.mark.parametrize("length", [0, 1, 31, 32767, 32768, 32769, 70001])
def test_lengths_on_either_side_of_a_task(length, threads, rng):
    text = "".join(rng.choice(list("ACGTNacgtn"), length))
    both = ct.ops.one_hot_dna([text, text], reverse_complement=np.array([False, True]), dtype="uint8")
    assert np.array_equal(both[0], one_hot(text)) and np.array_equal(both[1], both[0, ::-1, ::-1])
    assert np.array_equal(ct.ops.one_hot_dna(text.encode(), dtype="uint8"), both[0])


def test_a_single_sequence_and_none():
    assert ct.ops.one_hot_dna("").shape == (0, 4) and ct.ops.one_hot_dna("A").tolist() == [[1, 0, 0, 0]]
    assert ct.ops.one_hot_dna([]).shape == (0, 0, 4) and ct.ops.one_hot_dna([], length=5).shape == (0, 5, 4)


@pytest.mark.parametrize("value", [b for b in range(256) if chr(b) not in LETTERS])
def test_every_other_byte_is_refused(value):
    bad = b"ACGTA" + bytes([value]) + b"C"
    with pytest.raises(ValueError, match=f"sequence 1 has the byte 0x{value:02X} .*at position 5; needed A C G T"):
        ct.ops.one_hot_dna([b"ACGTACG", bad])


def test_the_first_bad_byte_is_named_also_in_long_sequences_and_reversed_ones():
    text = "A" * 40000 + "X" + "A" * 30000 + "Z"
    for flag in (False, True):
        with pytest.raises(ValueError, match=r"the sequence has the byte 0x58 \('X'\) at position 40000"):
            ct.ops.one_hot_dna(text, reverse_complement=flag)


@pytest.mark.parametrize(
    "arguments, options, kind, words",
    [
        (["AC", 3], {}, TypeError, "sequence 1 is int"),
        (["AC", "ACG"], {}, ValueError, "sequence 0 has 2 letters but sequence 1 has 3; give length="),
        (["AC", "ACG"], {"length": 2}, ValueError, "length is 2, but sequence 1 has 3"),
        (["AC"], {"length": -1}, ValueError, "length must be 0 or more"),
        (["A\u0421"], {}, ValueError, "at position 1, which is no letter of DNA"),
        (["AC"], {"dtype": "float64"}, TypeError, "float32, uint8 or int8, got float64"),
        (["AC"], {"reverse_complement": [True, False]}, ValueError, "True, False, or 1 of them"),
    ],
)
def test_bad_arguments(arguments, options, kind, words):
    with pytest.raises(kind, match=words):
        ct.ops.one_hot_dna(arguments, **options)


def test_the_rows_of_the_books_set(data_dir):
    X = np.load(data_dir / "book_ch06" / "sirna_valid.npz")["X"]
    letters = np.array(list("ACGT"))[X.argmax(2)]
    assert np.array_equal(ct.ops.one_hot_dna(["".join(row) for row in letters], dtype="int8"), X)
