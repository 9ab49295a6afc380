"""Tests of one-hot DNA against plain Python for every letter, length, strand and dtype, and of refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import catalase as ct
from tests.reference.dna import COLUMNS, OTHERS, one_hot

LETTERS = "".join(COLUMNS) + OTHERS
LETTERS += LETTERS.lower()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.text(LETTERS, max_size=43), st.sampled_from([1, 1, 6]), st.booleans(), st.booleans()), max_size=12
    ),
    st.sampled_from([0, 1, 30]),
    st.sampled_from(["float32", "uint8", "int8"]),
)
def test_against_plain_python(backend, drawn, more, dtype):
    texts = [text * times for text, times, _, _ in drawn]
    length = max(map(len, texts), default=0) + more
    given_ = [text.encode() if as_bytes else text for text, (*_, as_bytes) in zip(texts, drawn, strict=True)]
    for flags in (np.array([flag for *_, flag, _ in drawn], bool), True):
        options = {"length": length, "reverse_complement": flags, "dtype": dtype, "device": backend.device}
        X = backend.get(ct.ops.one_hot_dna(given_, **options))
        assert X.shape == (len(texts), length, 4) and X.dtype == dtype
        for row, text, flag in zip(X, texts, np.broadcast_to(flags, len(texts)), strict=True):
            assert np.array_equal(row, one_hot(text, length, flag))
    backend.get(ct.ops.one_hot_dna(LETTERS, device=backend.device))  # what is empty launches nothing


@pytest.mark.parametrize(
    "length", [1, 31, *(pytest.param(n, marks=pytest.mark.slow_on_the_host) for n in (32767, 32768, 32769, 70001))]
)
def test_lengths_on_either_side_of_a_task(backend, length, threads, rng):
    text = "".join(rng.choice(list("ACGTNacgtn"), length))
    options = {"dtype": "uint8", "device": backend.device}
    both = backend.get(ct.ops.one_hot_dna([text, text], reverse_complement=np.array([False, True]), **options))
    assert np.array_equal(both[0], one_hot(text)) and np.array_equal(both[1], both[0, ::-1, ::-1])
    assert np.array_equal(backend.get(ct.ops.one_hot_dna(text.encode(), **options)), both[0])


def test_every_letter_single_sequences_and_none(backend):
    def rows(texts, **options):
        return backend.get(ct.ops.one_hot_dna(texts, device=backend.device, **options))

    for text in (LETTERS, LETTERS.encode()):
        for turned in (False, True):
            assert np.array_equal(rows(text, reverse_complement=turned), one_hot(LETTERS, len(LETTERS), turned))
    assert rows("").shape == (0, 4) and rows("A").tolist() == [[1, 0, 0, 0]]
    assert rows([]).shape == (0, 0, 4) and rows([], length=5).shape == (0, 5, 4)
    assert rows([""]).shape == (1, 0, 4) and np.array_equal(rows(["", ""], length=2), np.zeros((2, 2, 4)))


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


@pytest.mark.on_a_device
@pytest.mark.parametrize(
    "texts",
    [["ACG", "AxG"], [b"AC\xff", b"A-C"], "AC T", ["", "ZA"], ["@"], ["ACGT", "AC\n"], ["A", "[", "`"]],
    ids=str,
)
def test_what_is_no_dna_is_named_as_on_the_cpu(backend, texts):
    errors = []
    for device in ("cpu", backend.device):
        with pytest.raises(ValueError) as error:
            ct.ops.one_hot_dna(texts, length=9, device=device)
        errors.append(str(error.value))
    assert errors[0] == errors[1] and "one_hot_dna: " in errors[0]
    assert backend.get(ct.ops.one_hot_dna("A", device=backend.device))[0].tolist() == [1, 0, 0, 0]


@pytest.mark.at_one_level
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
def test_bad_arguments(backend, arguments, options, kind, words):
    with pytest.raises(kind, match=words):
        ct.ops.one_hot_dna(arguments, device=backend.device, **options)
    assert backend.get(ct.ops.one_hot_dna("A", device=backend.device)).tolist() == [[1, 0, 0, 0]]


def test_a_device_that_is_not_known_is_refused():
    with pytest.raises(ValueError, match="one_hot_dna: device must be 'cpu' or 'cuda', got 'tpu'"):
        ct.ops.one_hot_dna("ACG", device="tpu")


def test_the_rows_of_the_books_set(data_dir):
    X = np.load(data_dir / "book_ch06" / "sirna_valid.npz")["X"]
    letters = np.array(list("ACGT"))[X.argmax(2)]
    assert np.array_equal(ct.ops.one_hot_dna(["".join(row) for row in letters], dtype="int8"), X)
