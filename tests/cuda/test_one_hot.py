"""Tests that one-hot DNA has the oracle's rows, and that a device raises the CPU's errors for other letters."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from tests.reference.dna import one_hot

_LETTERS = "ACGTUNRYSWKMBDHVacgtunryswkmbdhv"


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int8"])
@pytest.mark.parametrize("count, longest", [(1, 1), (3, 7), (7, 32), (2, 257), (5, 131)])
def test_agrees_with_the_oracle_and_with_the_cpu(backend, rng, count, longest, dtype):
    texts = ["".join(rng.choice(list(_LETTERS), rng.integers(0, longest + 1))) for _ in range(count)]
    texts[0] = (_LETTERS * longest)[:longest]
    for options in (
        {"length": longest}, {"length": longest + 3, "reverse_complement": True},
        {"length": longest, "reverse_complement": rng.random(count) < 0.5},
    ):  # fmt: skip
        expected = ct.ops.one_hot_dna(texts, dtype=dtype, **options)
        turned = np.broadcast_to(options.get("reverse_complement", False), count)
        exact = [one_hot(text, options["length"], flag) for text, flag in zip(texts, turned, strict=True)]
        for given in (texts, [text.encode() if i % 2 else text for i, text in enumerate(texts)]):
            found = backend.get(ct.ops.one_hot_dna(given, dtype=dtype, device=backend.name, **options))
            assert found.dtype == expected.dtype == dtype and np.array_equal(found, expected)
            assert np.array_equal(found, exact)


def test_every_letter_and_single_texts(backend):
    for text in (_LETTERS, _LETTERS.encode()):
        for turned in (False, True):
            found = ct.ops.one_hot_dna(text, reverse_complement=turned, device=backend.name)
            assert np.array_equal(backend.get(found), ct.ops.one_hot_dna(text, reverse_complement=turned))
    for texts, length in (([], None), ([], 3), ([""], None), (["", ""], 2), ("", None)):
        found = backend.get(ct.ops.one_hot_dna(texts, length=length, device=backend.name))
        assert np.array_equal(found, ct.ops.one_hot_dna(texts, length=length))
        assert found.shape == ct.ops.one_hot_dna(texts, length=length).shape


@pytest.mark.parametrize(
    "texts",
    [["ACG", "AxG"], [b"AC\xff", b"A-C"], "AC T", ["", "ZA"], ["@"], ["ACGT", "AC\n"], ["A", "[", "`"]],
    ids=str,
)
def test_what_is_no_dna_is_named_as_on_the_cpu(backend, texts):
    errors = []
    for device in ("cpu", backend.name):
        with pytest.raises(ValueError) as error:
            ct.ops.one_hot_dna(texts, length=9, device=device)
        errors.append(str(error.value))
    assert errors[0] == errors[1] and "one_hot_dna: " in errors[0]
    assert backend.get(ct.ops.one_hot_dna("A", device=backend.name))[0].tolist() == [1, 0, 0, 0]


def test_errors(backend):
    with pytest.raises(ValueError, match="one_hot_dna: device must be 'cpu' or 'cuda', got 'tpu'"):
        ct.ops.one_hot_dna("ACG", device="tpu")
    with pytest.raises(TypeError, match="dtype must be float32, uint8 or int8"):
        ct.ops.one_hot_dna("ACG", dtype="int64", device=backend.name)
    with pytest.raises(ValueError, match="give length="):
        ct.ops.one_hot_dna(["A", "AC"], device=backend.name)
    assert backend.get(ct.ops.one_hot_dna("A", device=backend.name)).shape == (1, 4)
