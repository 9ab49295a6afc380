"""Tests that only ASCII white space counts wherever a user's text becomes a SMILES, a sequence, a number or a name."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

import catalase as ct
from catalase._internal.text import strip_white
from catalase.demo import data as _data
from catalase.molnet import tables
from catalase.screening.library import Library

ASCII = " \t\n\r\v\f"
OTHER = ["\xa0", "\u2009", "\u3000", "\u2028", "\x85", "\x1c", "\x1f", "\ufeff"]


def test_it_is_taken_from_both_ends_of_a_text():
    assert strip_white(f"{ASCII}a b{ASCII}") == "a b" and strip_white(f"{ASCII}a{ASCII}".encode()) == b"a"
    for odd in OTHER:
        assert strip_white(f"{odd}a{odd}") == f"{odd}a{odd}"


@pytest.mark.parametrize("odd", OTHER)
def test_other_characters_belong_to_a_sequence_of_dna(odd):
    featurizer = ct.feat.DNAOneHotFeaturizer(length=4)
    X, kept = featurizer.featurize([f"{ASCII}ACGT{ASCII}", f"{ASCII}ACGT".encode(), f"{odd}ACG", f"ACG{odd}"], "drop")
    assert kept.tolist() == [0, 1] and np.array_equal(X[0], np.eye(4)) and np.array_equal(X[1], X[0])
    assert [failure.position for failure in featurizer.report.failures] == [2, 3]


@pytest.mark.parametrize("odd", OTHER)
def test_other_characters_are_no_empty_smiles(odd):
    model = ct.models.MultitaskRegressor(1, 64, layer_sizes=[2], seed=0)
    model.featurizer = ct.feat.CircularFingerprint(size=64)
    _, _, failures = model._answers("predict", ["CCO", odd, *ASCII, ASCII], model.predict)
    reasons = [failure.reason for failure in failures]
    assert len(reasons) == 2 + len(ASCII) and "does not belong in a SMILES" in reasons[0]
    assert set(reasons[1:]) == {"the SMILES is empty"}


@pytest.mark.parametrize("odd", OTHER)
def test_other_characters_stay_in_the_smiles_of_a_table(odd):
    table = tables.Table("small", "small.csv", "", "", rows=3, labels=3, tasks=("y",), smiles="smiles")
    text = f"smiles,y\nCCO{odd},1\n{odd},2\n\v CCN\t,3\n"
    assert tables.parse_table(table, text.encode(), "small.csv").smiles == [f"CCO{odd}", odd, "CCN"]


@pytest.mark.parametrize("odd", OTHER)
def test_other_characters_stay_in_the_lines_of_the_demo(tmp_path, odd):
    (tmp_path / "a.smi").write_bytes(f"CC{odd}O 1\n{odd}\n \t\nCCN\t 2 \r\n".encode())
    compounds = _data.load_library(str(tmp_path / "a.smi"))
    assert compounds.total == 3 and compounds.smiles == ["CCN"] and compounds.ids == ["2"]
    assert [text for _, text, _ in compounds.failures] == [f"CC{odd}O", odd]


@pytest.mark.parametrize("odd", OTHER)
def test_other_characters_stay_in_names(tmp_path, odd):
    (tmp_path / "a.fa").write_bytes(f">one two{odd} \nACGT\n".encode())
    (record,) = ct.data.read_fasta(tmp_path / "a.fa")
    assert record.description == f"two{odd}"
    (tmp_path / "a.cxsmiles").write_text(f"a{odd}b\tsmiles\tid{odd}\n1\tCCO\tx\n", encoding="utf-8")
    (chunk,) = Library(tmp_path / "a.cxsmiles", id_column=f"id{odd}").chunks(9)
    assert chunk.smiles == ["CCO"] and chunk.ids == ["x"]


@pytest.mark.parametrize("odd", OTHER)
def test_other_characters_belong_to_the_names_of_files(tmp_path, odd):
    np.save(tmp_path / "X.npy", np.zeros((2, 1)))
    (tmp_path / "tasks.json").write_text("[]")
    for name, readable in ((" X.npy\t", True), (f"X.npy{odd}", False)):
        (tmp_path / "metadata.csv.gzip").write_bytes(gzip.compress(f"ids,X,y,w\n,{name},,\n".encode()))
        if readable:
            assert ct.data.DiskDataset(tmp_path).X.shape == (2, 1)
        else:
            with pytest.raises(ValueError, match="names a shard"):
                ct.data.DiskDataset(tmp_path)


@pytest.mark.parametrize("odd", OTHER)
def test_other_characters_are_refused_in_settings(odd):
    with pytest.raises(ValueError, match="there is no filter"):
        ct.screen("none", ["CCO"], filters=f"pains{odd}")
    with pytest.raises(ValueError, match="shard must be"):
        ct.screen("none", ["CCO"], shard=f"1/2{odd}")
