"""Tokenizers: nothing is lost, unknown tokens are said or replaced, the vocabulary comes back from JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalase import _storage
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


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"kind": "catalase tokenizer", "tokenizer": {"class": "os.system"}},
        {"kind": "catalase tokenizer", "tokenizer": {"class": "CharTokenizer", "tokens": [1], "unknown": "error"}},
        {
            "kind": "catalase tokenizer",
            "tokenizer": {"class": "CharTokenizer", "tokens": ["a", "a"], "unknown": "error"},
        },
    ],
)
def test_other_files_are_refused(content, tmp_path):
    path = tmp_path / "vocabulary.json"
    _storage.write_json_atomic(path, content)
    with pytest.raises(ValueError, match=r"tokenizer|config|CharTokenizer"):
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


def test_u_is_t_in_rna():
    for unknown in ("token", "error"):
        tokenizer = DNATokenizer(unknown)
        assert tokenizer.encode("ACGUu").tolist() == [4, 5, 6, 7, 7] and tokenizer.decode([7]) == "T"
        assert tokenizer.size == 8 and tokenizer == DNATokenizer(unknown)
