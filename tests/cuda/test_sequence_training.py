"""Tests that recurrent nets and their models train on a device as on the CPU."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from tests.cuda.test_training import stayed, weights_agree

pytestmark = pytest.mark.at_one_level

F32 = np.float32


class Reader(ct.nn.Module):
    """Tokens to a number."""

    def __init__(self, cell):
        super().__init__()
        self.embedding = ct.nn.Embedding(6, 4, padding_index=0, rng=0)
        self.recurrent = getattr(ct.nn, cell)(4, 5, rng=1)
        self.head = ct.nn.Linear(5, 1, rng=2)

    def forward(self, ids):
        y, state = self.recurrent(self.embedding(ids), None, np.array([3, 1, 4]))
        h = state[0] if isinstance(state, tuple) else state
        return self.head(h + y.sum(axis=1) * 0.1)


@pytest.mark.parametrize("cell", ["GRU", "LSTM"])
@pytest.mark.parametrize("where", ["host", "device"])
def test_recurrent_layers_and_an_embedding(backend, rng, cell, where):
    ids = rng.integers(1, 6, (3, 4))
    nets = []
    for device in ("cpu", backend.device):
        net = Reader(cell).to(device)
        given = ids if device == "cpu" or where == "host" else backend.array(ids)
        optimizer = ct.optim.Adam(net, lr=0.01)
        for _ in range(3):
            optimizer.zero_grad()
            (net(given) ** 2).mean().backward()
            optimizer.step()
        nets.append(net)
    assert stayed(backend, nets[1])
    weights_agree(nets[1], nets[0])


# With SGD: the bias of the keys changes no score, and Adam would make whole steps of the rounding of its gradient.
READERS = {
    "last, both ways": {"bidirectional": True},
    "mean": {"pool": "mean", "cell": "lstm"},
    "max, cut": {"pool": "max", "truncation": 3},
    "transformer": {"optimizer": "SGD", "cell": "transformer", "num_heads": 2},
    "transformer, both ways": {
        "optimizer": "SGD",
        "cell": "transformer",
        "num_heads": 2,
        "bidirectional": True,
        "pool": "mean",
    },
    "transformer, each step": {"optimizer": "SGD", "cell": "transformer", "num_heads": 1, "per_step": True},
    "each step, cut": {"per_step": True, "truncation": 3},
}


@pytest.mark.parametrize("name", list(READERS))
def test_models_of_sequences(backend, rng, name):
    options, lengths = READERS[name], [4, 1, 7, 5, 2]
    steps = bool(options.get("per_step"))
    X = [rng.standard_normal((n, 2)).astype(F32) for n in lengths]
    data = ct.data.SequenceDataset(X, y=[x.sum(axis=1 if steps else None) for x in X], per_step=steps)
    runs = []
    for device in ("cpu", backend.device):
        model = ct.models.SequenceRegressor(1, n_features=2, hidden_size=4, batch_size=3, seed=1, **options)
        model.to(device).fit(data, nb_epoch=2)
        runs.append((model, model.predict(data)))
    assert stayed(backend, runs[1][0].module)
    weights_agree(runs[1][0].module, runs[0][0].module, exactly=False)
    assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(runs[1][1], runs[0][1], strict=True))


@pytest.mark.parametrize("more", [{"truncation": 3}, {"optimizer": "SGD", "cell": "transformer", "num_heads": 2}])
def test_tokens_and_a_language_model(backend, more):
    texts = ["CCO", "CCN", "CCCO", "C", "CNCC"]
    tokenizer = ct.data.SmilesTokenizer.fit(texts)
    options = {"hidden_size": 6, "embedding_size": 4, "batch_size": 3, "seed": 0, "num_layers": 2, "dropout": 0.2}
    data = ct.data.SequenceDataset.from_texts(texts, tokenizer, [0, 1, 0, 1, 1])
    runs = []
    for device in ("cpu", backend.device):
        language = ct.models.LanguageModel(tokenizer, **options, **more).to(device)
        classifier = ct.models.SequenceClassifier(1, tokenizer, pool="max", **options).to(device)
        language.fit(data, nb_epoch=2)
        classifier.fit(data, nb_epoch=2, valid=data)
        runs.append(
            (
                language,
                classifier,
                language.sample(4, prefix="C", seed=1),
                language.predict(texts),
                classifier.predict(texts),
            )
        )
    (*models, drawn, likely, classes), (*others, drawn2, likely2, classes2) = runs
    for a, b in zip(models, others, strict=True):
        assert stayed(backend, b.module)
        weights_agree(b.module, a.module, exactly=False)
    assert drawn == drawn2 and np.allclose(likely, likely2, atol=1e-5) and np.allclose(classes, classes2, atol=1e-5)
