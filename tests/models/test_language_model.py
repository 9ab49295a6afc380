"""Tests that LanguageModel's likelihoods and losses equal those computed by hand, and that samples follow their seed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import catalase as ct
from catalase.data import SequenceDataset

from .test_sequence_models import WORDS, language, words


def test_a_language_is_learned():
    model = language()
    model.fit(words(), nb_epoch=40)
    assert sum(text in {"ab" * k for k in range(1, 9)} for text in model.sample(100, seed=0)) > 85
    scores = model.evaluate(WORDS)
    assert scores["perplexity"] < 1.6
    assert scores["accuracy"] > 0.7
    assert all(text.startswith("aba") for text in model.sample(5, prefix="aba", seed=0))


def test_losses_are_means_over_the_tokens_that_are_there():
    model = language(batch_size=7)
    loss = model.evaluate(WORDS[:10])["loss"]
    each = model.predict(WORDS[:10])
    assert loss == pytest.approx(-each.sum() / sum(len(word) + 1 for word in WORDS[:10]), rel=1e-6)
    data = SequenceDataset.from_texts(WORDS[:10], model.tokenizer)
    rates = model.fit(data, nb_epoch=0), language(learning_rate=0.0, batch_size=3).fit(data, nb_epoch=1, valid=data)
    assert rates[1]["valid_loss"] == pytest.approx([loss], rel=1e-5)
    assert rates[1]["loss"] == pytest.approx([loss], rel=1e-5)


def test_scores_take_metrics_and_weights_as_other_models_do():
    model = language()
    w = np.where(np.arange(8) % 3, 2.0, 0.0)
    data = SequenceDataset.from_texts(WORDS[:8], model.tokenizer, np.zeros(8), w)
    accuracy = ct.metrics.Metric(ct.metrics.accuracy_score)
    own = model.evaluate(data)
    assert model.evaluate(data, [accuracy]) == pytest.approx({"accuracy_score": own["accuracy"]})
    assert model.evaluate(data, accuracy, per_task_metrics=True)[1] == {
        "accuracy_score": [pytest.approx(own["accuracy"])]
    }
    assert model.evaluate(data, use_sample_weights=True) == pytest.approx(own)  # 2 all over is 1 all over
    assert model.evaluate(data, mask_missing=False) == pytest.approx(model.evaluate(WORDS[:8]))
    means, tasks = model.evaluate(data, per_task_metrics=True)
    assert tasks == {name: [value] for name, value in means.items()}
    some = SequenceDataset.from_texts(WORDS[:2], model.tokenizer, np.zeros(2), [1.0, 3.0])
    one, other = -model.predict(WORDS[:2])
    mean = (one + 3 * other) / (len(WORDS[0]) + 1 + 3 * (len(WORDS[1]) + 1))
    assert model.evaluate(some, use_sample_weights=True)["loss"] == pytest.approx(mean)
    with pytest.raises(TypeError, match=r"LanguageModel\.evaluate: metrics must be Metric objects, got 'loss'"):
        model.evaluate(data, "loss")
    with pytest.raises(ValueError, match="no sequence that counts"):
        model.evaluate(data.select([0, 3]), accuracy)


def test_likelihoods_are_those_of_steps_by_hand():
    model = language()
    text = "abab"
    ids = [1, *model.tokenizer.encode(text), 2]
    state, total = None, 0.0
    with ct.no_grad():
        for now, following in itertools.pairwise(ids):
            one = ct.data.SequenceBatch(np.array([[now]], np.int32), np.array([1]))
            logits, state = model.module(one, state)
            total += float(np.log(ct.ops.softmax(logits.numpy()))[0, following])
    assert model.predict([text])[0] == pytest.approx(total, rel=1e-5)


def test_samples_follow_seed_temperature_and_length():
    model = language()
    assert model.sample(30, seed=1)[:7] == model.sample(7, seed=1)
    assert model.sample(30, seed=1) != model.sample(30, seed=2)
    assert len(set(model.sample(9, temperature=0))) == 1
    assert all(len(text) <= 5 for text in model.sample(50, max_length=5, temperature=3.0, seed=0))
    assert model.sample(0) == []
    for bad in ({"n": -1}, {"n": 2, "temperature": -1.0}, {"n": 2, "temperature": np.nan}, {"n": 2, "max_length": 0}):
        with pytest.raises(ValueError, match="sample"):
            model.sample(**bad)
    with pytest.raises(ValueError, match="unknown token 'x' at position 1"):
        model.sample(1, prefix="ax")


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("layers", [1, 2])
def test_samples_with_carried_state_are_those_without(cell, layers):
    """The likeliest continuation, found by reading the whole text again at each step."""
    model = language(cell=cell, num_layers=layers)
    text = ""
    with ct.no_grad():
        for _ in range(6):
            ids = np.concatenate([[1], model.tokenizer.encode(text)]).astype(np.int32)[None]
            logits = model.module(ct.data.SequenceBatch(ids, np.array([ids.size])))[0].numpy()[-1].copy()
            logits[[0, 1, 3]] = -np.inf
            if logits.argmax() == 2:
                break
            text += model.tokenizer.decode([logits.argmax()])
    assert model.sample(2, temperature=0, max_length=6) == [text, text]
