"""Tests of models of sequences with cell="transformer": what they learn, bits, saving, drawing by kept keys and values."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase import nn
from catalase.data import SequenceBatch
from catalase.data.tokenizer import END, PAD, START, UNKNOWN

SMILES = ["CCO", "CCN", "CCCO", "c1ccccc1", "Clc1ccccc1", "C", "CC(C)O", "OCC"] * 4


def dna(rng, n=200, length=24):
    """Sequences of several lengths, and whether TATA is in them."""
    letters = np.array(list("ACGT"))
    texts = ["".join(rng.choice(letters, rng.integers(length // 2, length + 1))) for _ in range(n)]
    for i in range(0, n, 2):
        at = int(rng.integers(0, len(texts[i]) - 4))
        texts[i] = texts[i][:at] + "TATA" + texts[i][at + 4 :]
    return texts, np.array(["TATA" in text for text in texts], np.float32)


@pytest.mark.parametrize("pool, bidirectional", [("last", False), ("mean", True), ("max", True)])
def test_a_classifier_learns_a_motif(rng, pool, bidirectional):
    texts, y = dna(rng)
    tokenizer = ct.data.DNATokenizer()
    model = ct.models.SequenceClassifier(
        1, tokenizer, cell="transformer", embedding_size=16, hidden_size=32, num_layers=2, num_heads=4,
        pool=pool, bidirectional=bidirectional, learning_rate=3e-3, batch_size=20, seed=0,
    )  # fmt: skip
    data = ct.data.SequenceDataset.from_texts(texts, tokenizer, y)
    model.fit(data, nb_epoch=40)
    assert np.mean(model.predict(data)[:, 0].argmax(axis=1) == y) > 0.9


def test_a_regressor_of_features_and_labels_of_steps(rng):
    X = [rng.standard_normal((int(n), 3)).astype(np.float32) for n in rng.integers(1, 12, 60)]
    total = np.array([[x[:, 0].mean()] for x in X], np.float32)
    options = {
        "n_features": 3,
        "cell": "transformer",
        "hidden_size": 16,
        "num_heads": 2,
        "seed": 0,
        "learning_rate": 3e-3,
    }
    model = ct.models.SequenceRegressor(1, pool="mean", bidirectional=True, batch_size=10, **options)
    data = ct.data.SequenceDataset(X, total)
    history = model.fit(data, nb_epoch=40)
    assert history["loss"][-1] < 0.2 * history["loss"][0]
    before = [np.cumsum(x[:, :1], axis=0) > 0 for x in X]  # a step needs all those before it
    steps = ct.models.SequenceClassifier(1, per_step=True, batch_size=10, **options)
    data = ct.data.SequenceDataset(X, [b.astype(np.float32) for b in before], per_step=True)
    steps.fit(data, nb_epoch=40)
    found = steps.predict(data)
    assert [len(f) for f in found] == [len(x) for x in X]
    assert np.mean(np.concatenate([f[:, 0].argmax(axis=1) for f in found]) == np.concatenate(before)[:, 0]) > 0.85


def test_predictions_do_not_depend_on_the_batch_and_a_saved_model_has_the_same_bits(rng, tmp_path):
    texts, y = dna(rng, 30)
    tokenizer = ct.data.DNATokenizer()
    for pool in ("last", "mean", "max"):
        model = ct.models.SequenceClassifier(
            1, tokenizer, cell="transformer", hidden_size=24, num_heads=3, dropout=0.1, pool=pool, seed=0
        )
        model.fit(ct.data.SequenceDataset.from_texts(texts, tokenizer, y), nb_epoch=1)
        whole = model.predict(texts)
        for i in (0, 7, 29):
            assert np.array_equal(model.predict(texts[i : i + 1]), whole[i : i + 1])
        model.save(tmp_path / pool)
        again = ct.models.load(tmp_path / pool)
        assert again.num_heads == 3 and np.array_equal(again.predict(texts), whole)
        empty = model.predict([np.zeros(0, np.int32)])
        assert np.isfinite(empty).all()


def test_a_language_model_draws_by_the_kept_keys_what_it_would_draw_from_the_whole(tmp_path):
    tokenizer = ct.data.SmilesTokenizer.fit(SMILES)
    model = ct.models.LanguageModel(
        tokenizer,
        cell="transformer",
        embedding_size=16,
        hidden_size=32,
        num_heads=4,
        num_layers=2,
        learning_rate=3e-3,
        seed=0,
    )
    data = ct.data.SequenceDataset.from_texts(SMILES, tokenizer)
    history = model.fit(data, nb_epoch=60)
    assert history["loss"][-1] < 0.6 < history["loss"][0]
    drawn = model.sample(20, prefix="C", seed=1, max_length=12)
    assert model.sample(3, prefix="C", seed=1, max_length=12) == drawn[:3] and all(s.startswith("C") for s in drawn)
    # The likeliest token of each step, from whole sequences.
    text = ""
    for _ in range(12):
        tokens = np.concatenate([[START], tokenizer.encode(text)]).astype(np.int32)[None]
        with nn.inference(), ct.no_grad():
            logits = model.module(SequenceBatch(tokens, np.array([tokens.shape[1]])))[0].numpy()[-1]
        logits[[PAD, START, UNKNOWN]] = -np.inf
        token = int(logits.argmax())
        if token == END:
            break
        text += tokenizer.decode([token])
    assert model.sample(1, temperature=0, max_length=12) == [text]
    likelihood = model.predict(SMILES[:8])
    assert np.array_equal(model.predict(SMILES[3:4]), likelihood[3:4])
    model.save(tmp_path / "model")
    assert np.array_equal(ct.models.load(tmp_path / "model").predict(SMILES[:8]), likelihood)


def test_the_config_of_a_recurrent_model_is_that_of_earlier_versions_and_four_heads_are_the_default(tmp_path):
    assert "num_heads" not in ct.models.SequenceClassifier(1, ct.data.DNATokenizer()).to_config()
    for heads in (4, 2):
        model = ct.models.SequenceClassifier(
            1, ct.data.DNATokenizer(), cell="transformer", hidden_size=8, num_heads=heads
        )
        model.save(tmp_path / str(heads))
        assert ct.models.load(tmp_path / str(heads)).num_heads == heads


@pytest.mark.parametrize("num_threads", [2, 3])
def test_training_has_the_same_bits_with_any_threads(rng, num_threads):
    texts, y = dna(rng, 40)
    tokenizer = ct.data.DNATokenizer()
    data = ct.data.SequenceDataset.from_texts(texts, tokenizer, y)

    def trained(threads):
        before = ct.get_num_threads()
        ct.set_num_threads(threads)
        try:
            model = ct.models.SequenceClassifier(
                1, tokenizer, cell="transformer", hidden_size=16, dropout=0.2, bidirectional=True, batch_size=8, seed=0
            )
            model.fit(data, nb_epoch=2)
            return model.predict(texts)
        finally:
            ct.set_num_threads(before)

    assert np.array_equal(trained(1), trained(num_threads))


@pytest.mark.parametrize(
    "options, words",
    [
        ({"hidden_size": 30}, "hidden_size must be a multiple of num_heads, got 30 and 4"),
        ({"truncation": 5}, "truncation carries a recurrent state"),
        ({"num_heads": 0}, "num_heads"),
    ],
)
def test_settings_that_do_not_fit_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        ct.models.SequenceClassifier(1, ct.data.DNATokenizer(), cell="transformer", **options)
