"""Tests that tokenizers lose no text, refuse or replace unknown tokens, and restore the vocabulary from JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalase._internal import storage
from catalase.data import CharTokenizer, DNATokenizer, SmilesTokenizer, load_tokenizer


@settings(deadline=None)
@given(st.lists(st.text(), min_size=1, max_size=5), st.sampled_from([CharTokenizer, SmilesTokenizer]))
def test_any_text_comes_back(texts, kind):
    tokenizer = kind.fit(texts)
    for text, numbers in zip(texts, tokenizer.encode_all(texts), strict=True):
        assert numbers.dtype == np.int32
        assert (numbers >= 4).all()
        assert tokenizer.decode(numbers) == text


@pytest.mark.parametrize(
    ("smiles", "tokens"),
    [
        ("C[C@@H](Cl)Br", "C [C@@H] ( Cl ) Br"),
        ("[13CH3-]BrCB", "[13CH3-] Br C B"),
        ("C%12CC%(123)C1", "C %12 C C %(123) C 1"),
        ("CC(=O)[O-].[Na+]", "C C ( = O ) [O-] . [Na+]"),
        ("C/C=C\\c1cc[nH]c1", "C / C = C \\ c 1 c c [nH] c 1"),
        ("C[CH%1", "C [ C H % 1"),  # brackets that do not close: letter by letter, nothing lost
    ],
)
def test_smiles_tokens(smiles, tokens):
    assert SmilesTokenizer([], "token").split(smiles) == tokens.split()


def test_an_unknown_token_is_refused_with_its_position():
    tokenizer = SmilesTokenizer.fit(["CCl", "c1ccccc1"])
    with pytest.raises(ValueError, match=r"unknown token 'Br' at position 3 of 'CClBrC'"):
        tokenizer.encode("CClBrC")
    with pytest.raises(ValueError, match=r"row 1: .*unknown token '\[Na\+\]' at position 0"):
        tokenizer.encode_all(["CCl", "[Na+]"])


def test_an_unknown_token_may_become_unk():
    tokenizer = SmilesTokenizer.fit(["CCl"], unknown="token")
    assert tokenizer.encode("CBrCl").tolist() == [4, 3, 5]
    assert tokenizer.decode([4, 3, 5]) == "C<unk>Cl"


def test_rare_tokens_can_be_left_out():
    assert CharTokenizer.fit(["aab", "ac"], min_count=2).tokens == ["a"]


def test_dna():
    tokenizer = DNATokenizer()
    assert tokenizer.encode("acgtN").tolist() == [4, 5, 6, 7, 3]
    assert "".join(tokenizer.split("acgtN")) == "ACGTN"
    assert tokenizer.decode(tokenizer.encode("acgtN")) == "ACGT<unk>"
    with pytest.raises(ValueError, match="unknown token 'N' at position 1"):
        DNATokenizer("error").encode("ANA")


@pytest.mark.parametrize(
    "tokenizer", [CharTokenizer(["a", "é"]), SmilesTokenizer(["[nH]"], "token"), DNATokenizer("error")]
)
def test_saved_as_json_and_back(tokenizer, tmp_path):
    path = tmp_path / "vocabulary.json"
    tokenizer.save(path)
    assert json.loads(path.read_text())["tokenizer"]["class"] == type(tokenizer).__name__
    again = load_tokenizer(path)
    assert type(again) is type(tokenizer)
    assert again == tokenizer


@pytest.mark.parametrize("content", [{}, {"kind": ["catalase tokenizer"]}, {"kind": "catalase model"}])
def test_other_files_are_refused(content, tmp_path):
    path = tmp_path / "vocabulary.json"
    storage.write_json_atomic(path, content)
    with pytest.raises(ValueError, match=r"vocabulary\.json holds no tokenizer"):
        load_tokenizer(path)


GOOD = {"class": "CharTokenizer", "tokens": ["a", "b"], "unknown": "error"}


@pytest.mark.parametrize(
    ("tokenizer", "words"),
    [
        *(
            (GOOD | {"tokens": [value]}, r"tokens\[0\] must be a string")
            for value in (True, 1, 1.5, -1, 10**30, None, ["a"])
        ),
        *((GOOD | {"tokens": value}, "tokens must be a list") for value in ({"a": 0, "b": True}, "ab", 5, None)),
        (GOOD | {"tokens": ["a", "b", "a"]}, "the token 'a' is there twice"),
        (GOOD | {"tokens": ["<pad>"]}, "the token '<pad>' is there twice"),
        (GOOD | {"tokens": [""]}, "strings that are not empty"),
        *((GOOD | {"unknown": value}, "unknown must be") for value in (True, 0, 1.0, None, "other", ["error"])),
        (GOOD | {"ids": [4, 5]}, "has no field 'ids'"),
        ({"class": "DNATokenizer", "unknown": "token", "tokens": ["a"]}, "has no field 'tokens'"),
        *((GOOD | {"class": value}, "class") for value in ("os.system", "MultitaskRegressor", 5, ["CharTokenizer"])),
        ({"tokens": ["a"]}, "class"),
        (None, "class"),
    ],
)
def test_a_vocabulary_of_a_stranger_is_checked(tokenizer, words, tmp_path):
    path = tmp_path / "vocabulary.json"
    storage.write_json_atomic(path, {"kind": "catalase tokenizer", "tokenizer": tokenizer})
    with pytest.raises(ValueError, match=rf"load_tokenizer: .*vocabulary\.json holds no vocabulary .*{words}"):
        load_tokenizer(path)


def test_an_altered_file_is_refused(tmp_path):
    path = tmp_path / "vocabulary.json"
    CharTokenizer(["a"]).save(path)
    path.write_text(path.read_text().replace('"a"', '"b"'))
    with pytest.raises(ValueError, match="digest"):
        load_tokenizer(path)
    with pytest.raises(FileNotFoundError):
        load_tokenizer(tmp_path / "none.json")


def test_bad_arguments():
    with pytest.raises(TypeError, match="list of texts, got one text"):
        CharTokenizer.fit("abc")
    with pytest.raises(TypeError, match="got int at row 1"):
        CharTokenizer.fit(["a", 3])
    with pytest.raises(TypeError, match="list of strings"):
        CharTokenizer("abc")
    with pytest.raises(ValueError, match="is there twice"):
        CharTokenizer(["a", "<pad>"])
    with pytest.raises(ValueError, match="unknown must be"):
        CharTokenizer(["a"], "drop")
    with pytest.raises(ValueError, match="whole numbers from 0 to 4"):
        CharTokenizer(["a"]).decode([5])


def test_the_u_of_rna_is_a_t():
    tokenizer = DNATokenizer()
    assert tokenizer.encode("ACGUu").tolist() == tokenizer.encode("ACGTt").tolist() == [4, 5, 6, 7, 7]
