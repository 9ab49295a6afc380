"""Tests of `catalase.feat.SmilesTokens`, and of the datasets and models that take its tokens."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from rdkit import Chem

import catalase as ct

SMILES = ["CCO", "OCC", "CCCl", "c1ccccc1", "CC(=O)O"]
TOKENIZER = ct.data.SmilesTokenizer.fit(SMILES, unknown="token")


def tokens(**options):
    return ct.feat.SmilesTokens(TOKENIZER, **options)


def trained(featurizer, **options):
    model = ct.models.SequenceRegressor(1, TOKENIZER, hidden_size=4, embedding_size=3, seed=0, **options)
    data = ct.data.SequenceDataset(featurizer(SMILES), np.arange(5.0), ids=SMILES, tasks=["y"], featurizer=featurizer)
    model.fit(data, nb_epoch=2)
    return model, data


def test_tokens_are_those_of_the_tokenizer_without_white_space():
    made = tokens()([f" {text}\t" for text in SMILES])
    assert [row.tolist() for row in made] == [TOKENIZER.encode(text).tolist() for text in SMILES]
    assert made.dtype == np.int32 and len(tokens()([])) == 0


def test_the_spelling_matters_unless_it_is_canonical():
    for canonical in (False, True):
        first, other = tokens(canonical=canonical)(["CCO", "OCC"])
        assert np.array_equal(first, other) is canonical
    molecule = Chem.MolFromSmiles("OCC")
    assert np.array_equal(tokens(canonical=True)([molecule])[0], TOKENIZER.encode("CCO"))
    with pytest.raises(TypeError, match=r"row 0 of datapoints.*must be a str, got Mol"):
        tokens()([molecule])


@pytest.mark.parametrize("canonical", [False, True])
def test_what_is_no_molecule_is_refused_masked_or_left_out_with_its_reason(canonical):
    featurizer, bad = tokens(canonical=canonical), ["CCO", "C1CC", "CCCl", None]
    with pytest.raises(ValueError, match="C1CC"):
        featurizer(bad)
    assert featurizer(bad, errors="mask").lengths.tolist() == [3, 0, 3, 0]
    made, kept = featurizer(bad, errors="drop")
    assert kept.tolist() == [0, 2] and made.lengths.tolist() == [3, 3]
    assert [(f.position, f.text) for f in featurizer.report.failures] == [(1, "C1CC"), (3, "None")]
    assert "not a valid SMILES" in featurizer.report.failures[0].reason and featurizer.report.kept == 2


def test_a_token_that_the_tokenizer_refuses_is_a_failure():
    featurizer = ct.feat.SmilesTokens(ct.data.SmilesTokenizer.fit(["CCO"]))
    _, kept = featurizer(["CCO", "CCN"], errors="drop")
    assert kept.tolist() == [0] and "unknown token 'N'" in featurizer.report.failures[0].reason
    with pytest.raises(ValueError, match=r"row 1 of datapoints.*unknown token 'N'"):
        featurizer(["CCO", "CCN"])


def test_a_saved_form_makes_an_equal_featurizer():
    for featurizer in (tokens(), tokens(canonical=True)):
        again = ct.feat.Featurizer.build(featurizer.saved_form())
        assert again == featurizer == copy.deepcopy(featurizer) and again.agrees_with(featurizer)
    assert not tokens().agrees_with(tokens(canonical=True))
    assert not tokens().agrees_with(ct.feat.SmilesTokens(ct.data.SmilesTokenizer.fit(["CCO"])))


def test_a_model_reads_smiles_by_it_and_says_what_it_cannot_read(tmp_path):
    model, data = trained(tokens(canonical=True))
    model.save(tmp_path)
    model = ct.models.load(tmp_path)
    assert model.featurizer == data.featurizer and model.tasks == ["y"]
    expected = model.predict(data)
    assert np.array_equal(model.predict(SMILES), expected) and np.array_equal(expected[0], expected[1])
    assert np.array_equal(model.predict(np.array(SMILES)), expected)
    assert np.array_equal(model.predict([row.tolist() for row in data.X]), expected)
    with pytest.raises(ValueError, match="row 1, 'C1CC'"):
        model.predict(["CCO", "C1CC"])
    masked = model.predict(["CCO", "C1CC"], errors="mask")
    assert masked[0] == expected[0] and np.isnan(masked[1]) and len(model.featurizer.report.failures) == 1


def test_a_model_refuses_tokens_that_mean_other_letters():
    model, _ = trained(tokens())
    model.featurizer = ct.feat.SmilesTokens(ct.data.SmilesTokenizer.fit(["CN"]))
    with pytest.raises(ValueError, match=r"model.featurizer has another tokenizer.*SmilesTokens\(model.tokenizer\)"):
        model.predict(["CN"])
    other = copy.copy(tokens(canonical=True))
    model, _ = trained(tokens())
    with pytest.raises(ValueError, match="the dataset was made by"):
        model.predict(ct.data.SequenceDataset(other(SMILES), featurizer=other))


def test_without_such_a_featurizer_texts_are_tokenized_and_not_read():
    model = ct.models.SequenceRegressor(1, TOKENIZER, hidden_size=4, embedding_size=3, seed=0)
    assert np.isfinite(model.predict(["C1CC"])).all()
    model.featurizer = ct.feat.CircularFingerprint(size=64)
    assert np.isfinite(model.predict(["C1CC"])).all()


def test_parts_and_transformed_labels_keep_tokenizer_and_featurizer():
    _, data = trained(tokens())
    normalized = ct.trans.NormalizationTransformer(transform_y=True, dataset=data).transform(data.select([0, 2, 3]))
    assert isinstance(normalized, ct.data.SequenceDataset) and len(normalized) == 3
    assert normalized.tokenizer == TOKENIZER and normalized.featurizer == data.featurizer


def test_a_loader_of_tables_makes_a_dataset_of_sequences(tmp_path):
    (tmp_path / "t.csv").write_text("smiles,y\nCCO,1\nC1CC,2\nCCCl,3\n")
    loader = ct.data.CSVLoader(["y"], tokens())
    with pytest.warns(UserWarning, match="1 of 3 rows were left out"):
        apart = loader.create_dataset(tmp_path / "t.csv", errors="drop", shard_size=1)
    assert isinstance(apart, ct.data.SequenceDataset) and apart.y.ravel().tolist() == [1, 3]
    assert apart.X.lengths.tolist() == [3, 3] and apart.tokenizer == TOKENIZER
    masked = loader.create_dataset(tmp_path / "t.csv", errors="mask")
    assert masked.w.ravel().tolist() == [1, 0, 1] and masked.X.lengths.tolist() == [3, 0, 3]
    with pytest.raises(ValueError, match="leave data_dir out"):
        loader.create_dataset(tmp_path / "t.csv", data_dir=tmp_path / "d")


def test_rows_of_numbers_do_not_go_beside_tokens():
    with pytest.raises(ValueError, match="makes sequences"):
        ct.feat.Combined(ct.feat.CircularFingerprint(size=64), tokens())
    with pytest.raises(ValueError, match="must make rows of numbers"):
        ct.feat.MolGraphFeaturizer(extra=tokens())
