"""Tests that captured steps of models whose batches are more than an array are replayed with the same results."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase.backends.cuda import capture as _graph
from catalase.models.tensorgraph import layers as L

pytestmark = pytest.mark.on_a_device

F32 = np.float32


@pytest.fixture
def counts(monkeypatch):
    """How often steps were captured, and run as graphs."""
    found = {"capture": 0, "run": 0}
    for name in found:
        method = getattr(_graph.CapturedStep, name)

        def counted(self, *args, name=name, method=method):
            result = method(self, *args)
            found[name] += 1
            return result

        monkeypatch.setattr(_graph.CapturedStep, name, counted)
    return found


def same(counts, make, fit):
    """Train without and with, compare to the bit; how often was captured, and run."""
    (expected, told), (model, found) = ((model, fit(model, graph)) for graph in (False, True) for model in [make()])
    assert found["loss"] == told["loss"] and found["loss"][0] != found["loss"][-1]
    state = expected.module.state_dict()
    assert all(np.array_equal(a, state[name]) for name, a in model.module.state_dict().items())
    steps = [[layer.step for layer in m.module.random_layers()] for m in (model, expected)]
    assert steps[0] == steps[1] and model._optimizer.steps == expected._optimizer.steps
    return counts["capture"], counts["run"]


def layered(device, loss=None, **options):
    """A TensorGraph with most kinds of layers, of images in bytes."""
    x, label, w = L.Feature((None, 6, 6), "x", scale=1 / 255), L.Label((None, 2), "y"), L.Weights((None, 1), "w")
    conv = L.Conv2D(3, kernel_size=3, activation_fn="relu", in_layers=L.Reshape((None, 6, 6, 1), in_layers=x))
    flat = L.Flatten(L.MaxPool2D(ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], in_layers=conv))
    steps = L.Flatten(L.GRU(2, in_layers=x))
    dense = L.Dense(5, activation_fn="tanh", in_layers=L.Concat([flat, steps]))
    logits = L.Dense(2, in_layers=L.BatchNorm(L.Concat([dense, L.Dropout(0.3, in_layers=flat)])))
    model = ct.models.TensorGraph(batch_size=5, learning_rate=0.01, seed=4, **options)
    apart = L.SoftMaxCrossEntropy([label, logits])
    model.set_loss(L.WeightDecay(0.01, "l2", in_layers=L.WeightedError([apart, w])) if loss is None else loss(apart))
    model.add_output(L.SoftMax(logits))
    return model.to(device)


def images(rng, rows=13):
    y = np.eye(2)[rng.integers(0, 2, rows)]
    return ct.data.NumpyDataset(rng.integers(0, 256, (rows, 6, 6), dtype=np.uint8), y, rng.random(rows))


def test_a_graph_of_layers(backend, rng, counts, tmp_path):
    data = images(rng)

    def fit(model, graph):
        return model.fit(data, nb_epoch=2, graph=graph, valid=data, checkpoint_interval=2)

    # 5, 5, 3 rows, in this order: launched, captured, launched; replayed, replayed, captured.
    assert same(counts, lambda: layered(backend.device, model_dir=tmp_path), fit) == (2, 4)


def test_a_generator_for_a_graph_of_layers(backend, rng, counts):
    data = images(rng, 5)
    items = [{"x": data.X * F32(k / 8), "y": data.y, "w": data.w} for k in range(1, 5)]
    items += [([data.X], [data.y], [data.w]), items[0]]  # the same inputs in the same order

    def fit(model, graph):
        model.fit_generator(items[:3], graph=graph)
        first = model.history["loss"]
        return {"loss": first + model.fit_generator(items, graph=graph)["loss"]}

    assert same(counts, lambda: layered(backend.device), fit) == (2, 2 + 5)


def test_optimizers_and_losses_of_a_graph_of_layers(backend, rng, counts):
    X, y = rng.random((8, 3)).astype(F32), rng.random((8, 2))

    def make():
        a, b = L.Feature((None, 2)), L.Feature((None, 1))
        guess = L.Dense(2, in_layers=L.Concat([a, b]))
        one, two = (L.ReduceMean(kind([guess, L.Label((None, 2))])) for kind in (L.L2Loss, L.L1Loss))
        model = ct.models.TensorGraph(batch_size=4, seed=0)
        model.set_loss(L.Add([one, two]))
        rate = ct.optim.ExponentialDecay(0.1, 0.5, 2)
        model.set_optimizer(lambda net: ct.optim.Momentum(net, rate, clip_norm=0.1))
        return model.to(backend.device)

    def fit(model, graph):
        inputs = [([X[:, :2], X[:, 2:]], [y * k, -y]) for k in range(5)]
        first = model.fit_generator(inputs[:1], graph=graph)["loss"]
        return {"loss": first + model.fit_generator(inputs, graph=graph)["loss"]}

    assert same(counts, make, fit) == (1, 4)


def test_a_graph_of_layers_that_reads_its_labels_is_launched(backend, rng, counts):
    X, y = rng.random((8, 3)).astype(F32), rng.integers(0, 4, 8)

    def make():
        logits = L.Dense(4, in_layers=L.Dropout(0.5, in_layers=L.Feature((None, 3))))
        model = ct.models.TensorGraph(batch_size=4, seed=0)
        model.set_loss(L.ReduceMean(L.SoftMaxCrossEntropy([L.Label((None, 1)), logits])))
        return model.to(backend.device)

    assert same(counts, make, lambda m, graph: m.fit(ct.data.NumpyDataset(X, y), nb_epoch=3, graph=graph)) == (0, 0)


TEXTS = ["ACGT", "GGCA", "TTAC", "CATG", "ACCA", "GATT", "TGTG"]
READERS = {
    "last of tokens": {"num_layers": 2, "dropout": 0.3},
    "mean of both ways": {"pool": "mean", "cell": "lstm", "bidirectional": True},
    "max of tokens": {"pool": "max", "cell": "rnn", "truncation": 4},
    "each step": {"per_step": True, "dropout": 0.2},
    "each step of tokens": {"per_step": True, "cell": "rnn"},
}


@pytest.mark.parametrize("name", list(READERS))
def test_readers_of_sequences_of_one_length(backend, rng, counts, name):
    options, steps = READERS[name], bool(READERS[name].get("per_step"))
    options = {"hidden_size": 3, "batch_size": 3, "seed": 1, **options}
    if "tokens" in name:
        tokenizer = ct.data.DNATokenizer()
        y = rng.integers(0, 2, (7, 4) if steps else 7)
        data = ct.data.SequenceDataset.from_texts(TEXTS, tokenizer, list(y), per_step=steps)

        def make():
            return ct.models.SequenceClassifier(1, tokenizer, embedding_size=3, **options).to(backend.device)
    else:
        X = list(rng.standard_normal((7, 4, 2)).astype(F32))
        data = ct.data.SequenceDataset(X, y=[x.sum(axis=1 if steps else None) for x in X], per_step=steps)

        def make():
            return ct.models.SequenceRegressor(1, n_features=2, **options).to(backend.device)

    # Batches of 3, 3 and 1, in random order; the first of each kind is launched.
    assert same(counts, make, lambda m, graph: m.fit(data, nb_epoch=2, graph=graph)) == (2, 3 + 1)


def test_a_language_model_of_sequences_of_one_length(backend, counts):
    tokenizer = ct.data.DNATokenizer()
    data = ct.data.SequenceDataset.from_texts(TEXTS[:6], tokenizer)

    def make():
        options = {"hidden_size": 3, "embedding_size": 3, "batch_size": 3, "seed": 0, "num_layers": 2, "dropout": 0.2}
        return ct.models.LanguageModel(tokenizer, cell="lstm", **options).to(backend.device)

    assert same(counts, make, lambda m, graph: m.fit(data, nb_epoch=2, valid=data, graph=graph)) == (1, 3)


RAGGED = {
    "last, both ways": {"bidirectional": True, "dropout": 0.3},
    "mean": {"pool": "mean", "cell": "lstm", "truncation": 5},
    "max": {"pool": "max", "cell": "gru"},
}


@pytest.mark.parametrize("name", list(RAGGED))
def test_readers_of_sequences_of_several_lengths_are_launched(backend, rng, counts, name):
    lengths = [5, 3, 1, 5, 4, 2, 2, 5, 5, 1, 0, 5, 2, 3, 5]  # always 5 steps at most; an empty sequence is among them
    X = [rng.standard_normal((n, 2)).astype(F32) for n in lengths]
    data = ct.data.SequenceDataset(X, y=[x.sum() for x in X], empty="keep")
    data.iterbatches = in_turn(data)

    def make():
        options = {"hidden_size": 3, "batch_size": 3, "seed": 1, **RAGGED[name]}
        return ct.models.SequenceRegressor(1, n_features=2, **options).to(backend.device)

    assert same(counts, make, lambda m, graph: m.fit(data, nb_epoch=2, graph=graph)) == (0, 0)


def in_turn(data):
    """Batches in order, whatever is asked for."""
    given = data.iterbatches

    def iterbatches(size, deterministic=True, seed=None):
        for X, *rest in given(size, 1, True):
            yield X, *rest

    return iterbatches


def test_padded_and_whole_sequences_in_turn(backend, rng, counts):
    tokenizer = ct.data.DNATokenizer()
    texts = ["ACG", "TGA", "A", "CCG", "GGT", "TTT", "CAT", "GA"]  # whole, padded, whole, padded
    data = ct.data.SequenceDataset.from_texts(texts, tokenizer, [0, 1] * 4)
    data.iterbatches = in_turn(data)

    def make():
        options = {"hidden_size": 3, "embedding_size": 2, "batch_size": 2, "seed": 1}
        return ct.models.SequenceClassifier(1, tokenizer, **options).to(backend.device)

    assert same(counts, make, lambda m, graph: m.fit(data, nb_epoch=2, graph=graph)) == (1, 3)


def test_a_language_model_of_several_lengths_is_captured_where_they_are_one(backend, counts):
    tokenizer = ct.data.DNATokenizer()
    data = ct.data.SequenceDataset.from_texts(["ACG", "TGA", "A", "CCG", "GGT", "TTT"], tokenizer)
    data.numbered_batches = lambda size, epochs, deterministic, seed, given=data.numbered_batches: given(size, 1, True)

    def make():
        options = {"hidden_size": 3, "embedding_size": 3, "batch_size": 2, "seed": 0}
        return ct.models.LanguageModel(tokenizer, **options).to(backend.device)

    assert same(counts, make, lambda m, graph: m.fit(data, nb_epoch=2, graph=graph)) == (1, 3)


def test_a_net_of_your_own_over_batches_of_sequences(backend, rng, counts):
    X = [rng.standard_normal((n, 2)).astype(F32) for n in [3, 3, 1, 3, 3, 3, 3, 2]]
    data = ct.data.SequenceDataset(X, y=[x.sum() for x in X])
    data.iterbatches = in_turn(data)
    options = {"nb_epoch": 2, "batch_size": 2, "seed": 0}

    def forward(net, batch):
        values = batch.values if not isinstance(batch.values, np.ndarray) else backend.array(batch.values)
        y, _ = net.layers[0](ct.Tensor(values), None, batch.lengths)
        return net.layers[1](y.sum(axis=1) * float(1 / batch.lengths.mean()))  # known for whole batches alone

    nets, losses = [], []
    for graph in (False, True):
        net = ct.nn.Sequential(ct.nn.GRU(2, 3, rng=0), ct.nn.Linear(3, 1, rng=1)).to(backend.device)
        fit = {"optimizer": ct.optim.Adam(net), "forward": forward, "graph": graph, **options}
        losses.append(ct.train.fit(net, data, ct.nn.losses.L2Loss(), **fit)["loss"])
        nets.append(net.state_dict())
    assert losses[0] == losses[1] and all(np.array_equal(a, nets[0][n]) for n, a in nets[1].items())
    assert counts == {"capture": 1, "run": 3}


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_tokens_that_a_net_of_your_own_does_not_know_are_named(backend, weight):
    data = ct.data.SequenceDataset([[1, 2], [2, 1], [3, 3], [1, 1], [2, 9]], y=np.zeros(5), w=[1, 1, 1, 1, weight])
    data.iterbatches = in_turn(data)

    def forward(net, batch):
        y, _ = net.layers[1](net.layers[0](batch.values), None, batch.lengths)
        return net.layers[2](y.sum(axis=1))

    layers = [ct.nn.Embedding(5, 3, rng=0), ct.nn.GRU(3, 4, rng=1), ct.nn.Linear(4, 1, rng=2)]
    net = ct.nn.Sequential(*layers).to(backend.device)
    fit = {"optimizer": ct.optim.Adam(net), "forward": forward, "graph": True, "batch_size": 1, "nb_epoch": 1}
    with pytest.raises(ValueError, match="is 9"):
        ct.train.fit(net, data, ct.nn.losses.L2Loss(), **fit)


@pytest.mark.parametrize("per_step", [False, True])
def test_truncated_steps_are_launched(backend, rng, counts, per_step):
    X = list(rng.standard_normal((2, 3, 2)).astype(F32))
    data = ct.data.SequenceDataset(X, y=[x.sum(axis=1 if per_step else None) for x in X], per_step=per_step)

    def make():
        options = {"hidden_size": 3, "batch_size": 2, "seed": 1, "truncation": 2, "per_step": per_step}
        return ct.models.SequenceRegressor(1, n_features=2, **options).to(backend.device)

    assert same(counts, make, lambda m, graph: m.fit(data, nb_epoch=3, graph=graph)) == (0, 0)
