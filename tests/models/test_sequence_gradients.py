"""Tests that the gradient of a padded batch is the mean of its sequences' gradients, each computed alone."""

from __future__ import annotations

import numpy as np
import pytest

from catalase.data import CharTokenizer, SequenceDataset
from catalase.models import LanguageModel, SequenceRegressor

TEXTS = ["abcab", "b", "", "ccabacbacbb", "ab"]
SMALL = {"hidden_size": 5, "embedding_size": 3, "seed": 0}


def gradients(model, data):
    """Loss and gradients of all rows in one batch."""
    model.module.train()
    model.module.zero_grad()
    X, y, w, _ = next(iter(model._training_rows(data).iterbatches(len(data), deterministic=True)))
    loss = model.loss(model._forward(model.module, X), y, w)
    loss.backward()
    return loss.item(), {name: np.array(p.grad, np.float64) for name, p in model.module.named_parameters()}


def check_mean(model, data, shares):
    together, batch = gradients(model, data)
    alone = [gradients(model, data.select([row])) for row in range(len(data))]
    assert together == pytest.approx(sum(s * loss for s, (loss, _) in zip(shares, alone, strict=True)), rel=1e-5)
    for name, gradient in batch.items():
        expected = sum(s * one[name] for s, (_, one) in zip(shares, alone, strict=True))
        assert np.allclose(gradient, expected, rtol=0, atol=2e-6 * max(1, np.abs(expected).max())), name


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_of_a_language_model(cell):
    """Each sequence counts by its tokens, the end among them."""
    tokenizer = CharTokenizer(["a", "b", "c"])
    data = SequenceDataset.from_texts(TEXTS, tokenizer, empty="keep")
    steps = np.array([len(text) + 1 for text in TEXTS])
    check_mean(LanguageModel(tokenizer, cell=cell, num_layers=2, **SMALL), data, steps / steps.sum())


@pytest.mark.parametrize("pool", ["last", "mean", "max"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("tokens", [False, True])
def test_of_a_reader(pool, bidirectional, tokens):
    rng = np.random.default_rng(0)
    lengths = [4, 1, 0, 9, 2]
    options = {"pool": pool, "bidirectional": bidirectional, **SMALL}
    if tokens:
        model = SequenceRegressor(2, CharTokenizer(["a", "b", "c"]), **options)
        sequences = [rng.integers(4, 7, n) for n in lengths]
    else:
        model = SequenceRegressor(2, n_features=3, **options)
        sequences = [rng.standard_normal((n, 3)) for n in lengths]
    y = np.array([[1.0, 2.0], [0.5, np.nan], [0.0, 1.0], [2.0, -1.0], [np.nan, np.nan]])
    check_mean(model, SequenceDataset(sequences, y, empty="keep"), np.full(5, 1 / 5))


def test_the_padding_row_gets_no_gradient():
    tokenizer = CharTokenizer(["a", "b", "c"])
    model = LanguageModel(tokenizer, **SMALL)
    _, batch = gradients(model, SequenceDataset.from_texts(TEXTS, tokenizer, empty="keep"))
    assert not batch["embedding.w"][0].any()
    assert batch["embedding.w"][1].any(), "the start is read"
