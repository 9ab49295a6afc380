"""Tests that texts go into the latent space and back, that properties order it, and of searches for a high score."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import catalase as ct
from catalase.models import LanguageModel, SmilesVAE

TEXTS = ["CCO", "CCN", "c1ccccc1", "CC(=O)O", "CCCCCC", "NCCO", "OCC=C", "CC#N", "CCCl", "c1ccncc1"]
TOKENIZER = ct.data.SmilesTokenizer.fit(TEXTS)
COUNTS = np.array([text.lower().count("c") for text in TEXTS], float)[:, None]


def small(**options):
    return SmilesVAE(
        **{"tokenizer": TOKENIZER, "latent_size": 4, "embedding_size": 8, "hidden_size": 24, "learning_rate": 0.01}
        | {"batch_size": 5, "beta": 0.01, "seed": 0}
        | options
    )


@pytest.fixture(scope="module")
def learned():
    model = small(n_properties=1, property_weight=2.0)
    model.fit(ct.data.SequenceDataset.from_texts(TEXTS, TOKENIZER, COUNTS / 4), nb_epoch=250)
    return model


def test_texts_come_back_from_their_latent_variables(learned):
    assert learned.predict_from_sequences(TEXTS) == TEXTS
    z = learned.encode(TEXTS)
    assert z.shape == (10, 4) and np.array_equal(learned.predict_embeddings(TEXTS), z)
    assert learned.decode(z) == learned.predict_from_embeddings(z) == TEXTS
    ends = learned.interpolate("CCO", "c1ccccc1", 5)
    assert ends[0] == "CCO" and ends[-1] == "c1ccccc1" and len(ends) == 5


def test_properties_are_predicted_and_scored(learned):
    assert np.abs(4 * learned.predict(TEXTS) - COUNTS).max() < 0.5
    data = ct.data.SequenceDataset.from_texts(TEXTS, TOKENIZER, COUNTS / 4)
    assert learned.evaluate(data, ct.metrics.Metric(ct.metrics.r2_score))["r2_score"] > 0.95
    with pytest.raises(TypeError, match="predicts no properties to score; make it with n_properties"):
        small().evaluate(data, ct.metrics.Metric(ct.metrics.r2_score))


@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn"])
@pytest.mark.parametrize("layers", [1, 2])
def test_same_seed_same_bits_after_loading_and_resuming(cell, layers, tmp_path):
    options = {"cell": cell, "num_layers": layers, "token_dropout": 0.2, "annealing_epochs": 3, "hidden_size": 8}
    data = ct.data.SequenceDataset.from_texts(TEXTS, TOKENIZER)
    whole, first, second = (small(**options) for _ in range(3))
    history = whole.fit(data, nb_epoch=4, valid=data)
    first.fit(data, nb_epoch=2, callbacks=ct.train.Checkpoint(tmp_path / "c"))
    second.fit(data, nb_epoch=4, callbacks=ct.train.Checkpoint(tmp_path / "d"), resume=tmp_path / "c")
    whole.save(tmp_path / "m")
    for again in (second, ct.models.load(tmp_path / "m")):
        assert np.array_equal(again.encode(TEXTS), whole.encode(TEXTS))
        assert again.sample(6, seed=1) == whole.sample(6, seed=1)
    betas = [(e["loss"] - e["reconstruction"]) / e["kl"] for e in history.epochs]
    assert np.allclose(betas, 0.01 * np.array([0, 1 / 3, 2 / 3, 1]), atol=1e-3)


def test_the_reconstruction_is_that_of_the_tokens_and_their_end():
    model = small()
    data = ct.data.SequenceDataset.from_texts(TEXTS, TOKENIZER)
    history = model.fit(data, nb_epoch=2, valid=data)
    assert np.isclose(history["valid_reconstruction"][-1], -model.predict(TEXTS).mean(), rtol=1e-5)
    alone = np.concatenate([model.predict([text]) for text in TEXTS])
    assert np.allclose(alone, model.predict(TEXTS), rtol=1e-5) and np.all(alone < 0)


def test_every_layer_gets_its_gradient():
    """Central differences of the whole loss in float64, with the noise left out."""
    model = small(n_properties=1, num_layers=2, cell="lstm", hidden_size=5, embedding_size=3, beta=0.7)
    net = model.module
    for parameter in net.parameters():
        parameter.data = parameter.data.astype(np.float64)
    X = ct.data.SequenceDataset.from_texts(TEXTS[:4], TOKENIZER).X.padded(np.arange(4))
    _, y, _, _ = next(
        model._walk(ct.data.SequenceDataset.from_texts(TEXTS[:4], TOKENIZER, COUNTS[:4])).iterbatches(4, True)
    )
    net.eval()
    value = model.loss(net(X), y, None)
    value.backward()
    rng = np.random.default_rng(0)
    for name, parameter in net.named_parameters():
        if parameter.grad is None:
            raise AssertionError(f"{name} has no gradient")
        direction = rng.standard_normal(parameter.shape)
        claimed, kept, ends = float((np.asarray(parameter.grad) * direction).sum()), parameter.data.copy(), []
        for sign in (1, -1):
            parameter.data = kept + sign * 1e-5 * direction
            ends.append(model.loss(net(X), y, None).item())
        parameter.data = kept
        assert np.isclose((ends[0] - ends[1]) / 2e-5, claimed, rtol=1e-4, atol=1e-7), name


def test_deepchems_pairs_are_taken():
    one, other = small(), small()
    one.fit_sequences(TEXTS, nb_epoch=2)
    other.fit_sequences([(text, text) for text in TEXTS], nb_epoch=2)
    assert np.array_equal(one.encode(TEXTS), other.encode(TEXTS)) and SmilesVAE(TOKENIZER).latent_size == 196
    with pytest.raises(TypeError, match="pairs of a text and itself"):
        small().fit_sequences([("CCO", "CCN")])


def carbons(texts):
    return [text.count("C") if len(text) < 9 else np.nan for text in texts]


def test_a_search_of_the_latent_space_finds_more_of_what_is_asked_for(learned):
    texts, scores = learned.optimize(carbons, n=3, start=["CCO"], rounds=15, seed=0)
    assert scores[0] >= 5 and np.all(scores[:-1] >= scores[1:]) and scores.tolist() == carbons(texts)
    assert learned.optimize(carbons, n=3, start=["CCO"], rounds=15, seed=0)[0] == texts
    with pytest.raises(ValueError, match="score must give a number for each of"):
        learned.optimize(lambda texts: [1.0, 2.0, 3.0, 4.0], n=1)


def test_a_language_model_climbs_towards_a_score():
    model = LanguageModel(TOKENIZER, embedding_size=8, hidden_size=24, learning_rate=0.01, seed=0)
    model.fit(ct.data.SequenceDataset.from_texts(TEXTS, TOKENIZER), nb_epoch=30)
    before = np.nanmean(carbons(model.sample(200, seed=9)))
    again = copy.copy(model)
    best, scores = model.climb(carbons, rounds=8, n=100, keep=15, seed=0)
    assert np.nanmean(carbons(model.sample(200, seed=9))) > before + 1
    assert scores.tolist() == carbons(best) and len(set(best)) == len(best) <= 15
    assert again.climb(carbons, rounds=8, n=100, keep=15, seed=0)[0] == best
    assert again.sample(5, seed=0) == model.sample(5, seed=0)
