"""Tests that pickled and copied models give equal answers, continue training to the bit, and are independent."""

from __future__ import annotations

import copy
import multiprocessing
import pickle

import numpy as np
import pytest

import catalase as ct
from catalase import nn, optim
from catalase.models.tensorgraph import layers

from .kinds import BITS, FINGERPRINTS, MODELS, TEXTS, euclidean, neighbors, process, ridge, sparse

DEEP = {f"protocol {p}": lambda x, p=p: pickle.loads(pickle.dumps(x, p)) for p in range(2, 6)}  # noqa: S301 (ours)
DEEP |= {"deepcopy": copy.deepcopy}
WAYS = DEEP | {"copy": copy.copy}


def answers(model, given):
    if isinstance(model, ct.models.LanguageModel):
        return [*model.sample(4, max_length=5, seed=1), model.evaluate(given)["loss"]]
    return [model.predict(given)]


def same(a, b):
    return len(a) == len(b) and all(
        x == y if isinstance(x, str) else np.array_equal(x, y) for x, y in zip(a, b, strict=True)
    )


def equal(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("make", MODELS)
def test_a_copy_of_a_fitted_model_answers_equally_and_learns_on_alone(make, way):
    model, data, given = make()
    model.fit(data, nb_epoch=2)
    before = answers(model, given)
    twin = WAYS[way](model)
    assert type(twin) is type(model) and same(answers(twin, given), before)
    nets = make not in (neighbors, process, ridge, euclidean)  # these forget what they learned before
    weights = model.state_dict() if nets else {}
    twin.fit(data, nb_epoch=1)
    assert same(answers(model, given), before), "training the copy changed the original"
    if nets:
        assert equal(weights, model.state_dict()) and not equal(weights, twin.state_dict())
    model.fit(data, nb_epoch=1)
    assert same(answers(twin, given), answers(model, given)), "the copy trains on with other bits"
    if nets:
        assert equal(model.state_dict(), twin.state_dict())


def test_what_a_model_carries_goes_along():
    model, data, given = sparse()
    model.featurizer = ct.feat.CircularFingerprint(size=512)
    model.transformers = [ct.trans.NormalizationTransformer(transform_y=True, dataset=data)]
    model.tasks = ["activity"]
    model.fit(data, nb_epoch=1)
    twin = pickle.loads(pickle.dumps(model))  # noqa: S301 (ours, of a moment ago)
    assert twin.featurizer.to_config() == model.featurizer.to_config() and twin.tasks == ["activity"]
    assert np.array_equal(twin.predict(["CCO", "c1ccccc1"]), model.predict(["CCO", "c1ccccc1"]))
    assert np.array_equal(twin.predict(given), model.predict(given))


def _predict(model, X):
    return model.predict(X)


def test_a_fitted_model_works_in_another_process():
    model, data, given = sparse()
    model.fit(data, nb_epoch=1)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert np.array_equal(pool.apply(_predict, (model, given)), model.predict(given))


def test_a_deep_graph_is_pickled_without_deep_recursion():
    end = x = layers.Feature(shape=(None, 2))
    for _ in range(600):
        end = layers.ReLU(in_layers=end)
    model = ct.models.TensorGraph(seed=0)
    model.add_output(layers.Dense(1, in_layers=end))
    X = np.ones((3, 2), np.float32)
    expected = model.predict(X)
    for way in DEEP.values():
        assert np.array_equal(way(model).predict(X), expected)
    assert x.in_layers == []


@pytest.mark.parametrize("given", [ct.Tensor(FINGERPRINTS), BITS], ids=["dense", "packed"])
@pytest.mark.parametrize("make", [optim.SGD, optim.Momentum, optim.AdaGrad, optim.RMSProp, optim.Adam, optim.AdamW])
@pytest.mark.parametrize("way", DEEP)
def test_an_optimizer_with_its_net_goes_on_in_the_middle_of_a_step(way, make, given):
    net = nn.Sequential(nn.Linear(512, 8, "relu", rng=0), nn.Linear(8, 1, rng=1))
    optimizer = make(net, lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        (net(given) ** 2).mean().backward()  # the second time the gradients wait, one of them as a product
        if optimizer.steps == 0:
            optimizer.step()
    twin, other = DEEP[way]((net, optimizer))
    assert other.buffer.owns(twin)
    other.step()
    assert not np.array_equal(twin.layers[0].w.numpy(), net.layers[0].w.numpy())
    optimizer.step()
    assert equal(net.state_dict(), twin.state_dict())


@pytest.mark.parametrize("density", [0.0, 0.05, 1.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("way", WAYS)
def test_sparse_batches_are_copied_whatever_their_size_and_density(density, dtype, way, rng):
    bits = np.packbits(rng.random((9, 24)) < density, axis=1, bitorder="little")
    for part in (bits, bits[:0], bits[:, :0]):
        batch = ct.ops.as_sparse(part, dtype)
        other = WAYS[way](batch)
        assert other.shape == batch.shape and other.dtype == batch.dtype and other.entries == batch.entries
        assert np.array_equal(other.to_dense(), batch.to_dense())
        w = np.ones((part.shape[1] * 8, 3), dtype)
        assert np.array_equal(ct.ops.linear(other, w), ct.ops.linear(batch, w))


def test_tensors_are_copied_and_results_of_operations_say_why_not():
    x = ct.Tensor(np.ones(3), requires_grad=True)
    (x * 2).sum().backward()
    for way in DEEP.values():
        other = way(x)
        assert other.requires_grad and np.array_equal(other.grad, x.grad) and other.data is not x.data
    assert copy.copy(x).data is x.data
    for way in WAYS.values():
        with pytest.raises(TypeError, match="detach"):
            way(x * 2)


def test_everything_else_goes_through_pickle_and_copy(tmp_path):
    disk = ct.data.DiskDataset.create(tmp_path / "d", [ct.data.NumpyDataset(np.ones((4, 2)), np.zeros(4))] * 2)
    tokenizer = ct.data.CharTokenizer.fit(TEXTS)
    values = {
        "numpy": ct.data.NumpyDataset(FINGERPRINTS, FINGERPRINTS[:, :1]), "disk": disk,
        "sequences": ct.data.SequenceDataset.from_texts(TEXTS, tokenizer), "tokenizer": tokenizer,
        "index": ct.FingerprintIndex(np.zeros((3, 8), np.uint8)), "featurizer": ct.feat.CircularFingerprint(size=64),
        "metric": ct.metrics.Metric(ct.metrics.roc_auc_score, np.mean), "splitter": ct.splits.RandomSplitter(),
        "transformer": ct.trans.NormalizationTransformer(transform_y=True, dataset=ct.data.NumpyDataset(np.ones((4, 2)), np.arange(4.0))),
        "callback": ct.train.EarlyStopping(), "schedule": optim.ExponentialDecay(0.1, 0.9, 10),
    }  # fmt: skip
    for name, value in values.items():
        for way, go in WAYS.items():
            twin = go(value)
            assert type(twin) is type(value), f"{name} by {way}"
            for column in ("X", "y", "w", "ids"):
                if hasattr(value, "iterbatches") and isinstance(getattr(value, column), np.ndarray):
                    assert np.array_equal(getattr(twin, column), getattr(value, column)), f"{name} by {way}: {column}"
