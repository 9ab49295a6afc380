"""Pickle and copy, for joblib, Dask and processes: equal predictions, training that goes on to the bit, copies of their own."""

from __future__ import annotations

import copy
import multiprocessing
import pickle

import numpy as np
import pytest

import catalase as ct
from catalase import nn, optim

from .test_modes import MODELS, TEXTS

RNG = np.random.default_rng(1)
FINGERPRINTS = (RNG.random((60, 512)) < 0.05).astype(np.float32)


def sparse():
    model = ct.models.MultitaskRegressor(1, 512, layer_sizes=[16], batch_size=16, seed=0)
    return model, ct.data.NumpyDataset(FINGERPRINTS, FINGERPRINTS[:, :1]), FINGERPRINTS


def packed():
    bits = np.packbits(FINGERPRINTS.astype(bool), axis=1, bitorder="little")
    model = ct.models.MultitaskClassifier(1, 512, layer_sizes=[16], batch_size=16, seed=0)
    return model, ct.data.NumpyDataset(bits, FINGERPRINTS[:, :1]), bits


def neighbors():
    return (
        ct.models.TanimotoKNNRegressor(1, 512, k=3),
        ct.data.NumpyDataset(FINGERPRINTS, FINGERPRINTS[:, :1]),
        FINGERPRINTS,
    )


def ensemble():
    members = [ct.models.MultitaskRegressor(1, 512, layer_sizes=[8], seed=s) for s in range(2)]
    return ct.models.Ensemble(members), ct.data.NumpyDataset(FINGERPRINTS, FINGERPRINTS[:, :1]), FINGERPRINTS


WAYS = {
    **{f"protocol {p}": lambda value, p=p: pickle.loads(pickle.dumps(value, p)) for p in range(2, 6)},  # noqa: S301 (ours)
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


def answers(model, given):
    found = (
        model.sample(4, max_length=5, seed=1) if isinstance(model, ct.models.LanguageModel) else model.predict(given)
    )
    return found if isinstance(found, list) else [found]


def same(a, b):
    return len(a) == len(b) and all(
        x == y if isinstance(x, str) else np.array_equal(x, y) for x, y in zip(a, b, strict=True)
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("make", [*MODELS, sparse, packed, neighbors, ensemble])
def test_a_fitted_model_goes_through_pickle_and_copy(make, way):
    model, data, given = make()
    model.fit(data, nb_epoch=2)
    before = answers(model, given)
    twin = WAYS[way](model)
    assert type(twin) is type(model) and same(answers(twin, given), before)
    twin.fit(data, nb_epoch=1)
    assert same(answers(model, given), before), "training the copy changed the original"
    model.fit(data, nb_epoch=1)
    assert same(answers(twin, given), answers(model, given)), "the copy trains on with other bits"


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


def test_an_optimizer_with_its_net_goes_on_in_the_middle_of_a_step():
    def step(net, optimizer, update=True):
        loss = (net(ct.Tensor(FINGERPRINTS)) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        if update:
            optimizer.step()

    for make in (optim.SGD, optim.Momentum, optim.AdaGrad, optim.RMSProp, optim.Adam, optim.AdamW):
        net = nn.Sequential(nn.Linear(512, 8, "relu", rng=0), nn.Linear(8, 1, rng=1))
        optimizer = make(net, lr=0.01)
        step(net, optimizer)
        step(net, optimizer, update=False)  # gradients wait, one of them as a product
        for way in (WAYS["protocol 5"], copy.deepcopy):
            twin, other = way((net, optimizer))
            other.step()
            assert not np.array_equal(twin.layers[0].w.numpy(), net.layers[0].w.numpy())
            again, third = way((net, optimizer))
            third.step()
            assert all(
                np.array_equal(a, b)
                for a, b in zip(twin.state_dict().values(), again.state_dict().values(), strict=True)
            )


def test_everything_else_goes_through_pickle_and_copy(tmp_path):
    disk = ct.data.DiskDataset.create(tmp_path / "d", [ct.data.NumpyDataset(np.ones((4, 2)), np.zeros(4))] * 2)
    tokenizer = ct.data.CharTokenizer.fit(TEXTS)
    values = {
        "numpy": ct.data.NumpyDataset(FINGERPRINTS, FINGERPRINTS[:, :1]), "disk": disk,
        "sequences": ct.data.SequenceDataset.from_texts(TEXTS, tokenizer), "tokenizer": tokenizer,
        "batch": ct.ops.as_sparse(FINGERPRINTS), "tensor": ct.Tensor(np.ones(3), requires_grad=True),
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
    batch = values["batch"]
    assert np.array_equal(
        ct.ops.linear(WAYS["protocol 5"](batch), np.ones((512, 3), np.float32)),
        ct.ops.linear(batch, np.ones((512, 3), np.float32)),
    )
