"""Pickles and copies of models, and of what models hold: equal answers, and training that goes on with the same bits."""

import copy
import pickle

import numpy as np
import pytest

import catalase as ct
from tests.train.test_modes import MODELS

WAYS = {f"protocol {p}": lambda x, p=p: pickle.loads(pickle.dumps(x, p)) for p in range(2, 6)}  # noqa: S301 (ours)
WAYS |= {"deepcopy": copy.deepcopy}


def answer(model, data):
    if isinstance(model, ct.models.LanguageModel):
        return np.array(model.evaluate(data)["loss"])
    return np.asarray(model.predict(data))


def equal(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("way", [*WAYS, "copy"])
@pytest.mark.parametrize("name", MODELS)
def test_a_copy_of_a_fitted_model_answers_equally_and_learns_on_alone(name, way):
    make, data = MODELS[name]
    model = make()
    model.fit(data, nb_epoch=1)
    other = WAYS.get(way, copy.copy)(model)
    assert np.array_equal(answer(model, data), answer(other, data))
    before = model.module.state_dict()
    other.fit(data, nb_epoch=1)
    assert equal(before, model.module.state_dict()) and not equal(before, other.module.state_dict())
    model.fit(data, nb_epoch=1)
    assert equal(model.module.state_dict(), other.module.state_dict())


@pytest.mark.parametrize("way", WAYS)
def test_a_gradient_that_waits_for_its_optimizer_is_copied_too(way, rng):
    X = np.packbits(rng.random((20, 512)) < 0.05, axis=1, bitorder="little")
    net = ct.nn.Sequential(ct.nn.Linear(512, 40, "relu"), ct.nn.Linear(40, 1))
    optimizer = ct.optim.Adam(net)
    for _ in range(2):
        optimizer.zero_grad()
        net(X).sum().backward()
        if optimizer.steps == 0:
            optimizer.step()
    other, moves = WAYS[way]((net, optimizer))
    assert moves.buffer.owns(other)
    optimizer.step()
    moves.step()
    assert equal(net.state_dict(), other.state_dict())


@pytest.mark.parametrize("density", [0.0, 0.05, 1.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("way", [*WAYS, "copy"])
def test_sparse_batches_are_copied_whatever_their_size_and_density(density, dtype, way, rng):
    bits = np.packbits(rng.random((9, 24)) < density, axis=1, bitorder="little")
    for batch in (
        ct.ops.as_sparse(bits, dtype),
        ct.ops.as_sparse(bits[:0], dtype),
        ct.ops.as_sparse(bits[:, :0], dtype),
    ):
        other = WAYS.get(way, copy.copy)(batch)
        assert other.shape == batch.shape and other.dtype == batch.dtype and other.entries == batch.entries
        assert np.array_equal(other.to_dense(), batch.to_dense())


def test_tensors_are_copied_and_results_of_operations_say_why_not():
    x = ct.Tensor(np.ones(3), requires_grad=True)
    (x * 2).sum().backward()
    for way in WAYS.values():
        other = way(x)
        assert other.requires_grad and np.array_equal(other.grad, x.grad) and other.data is not x.data
    assert copy.copy(x).data is x.data
    for way in (*WAYS.values(), copy.copy):
        with pytest.raises(TypeError, match="detach"):
            way(x * 2)


def test_a_deep_graph_is_pickled_without_deep_recursion():
    from catalase.models.tensorgraph import layers

    end = x = layers.Feature(shape=(None, 2))
    for _ in range(600):
        end = layers.ReLU(in_layers=end)
    model = ct.models.TensorGraph(seed=0)
    model.add_output(layers.Dense(1, in_layers=end))
    X = np.ones((3, 2), np.float32)
    expected = model.predict(X)
    for way in WAYS.values():
        assert np.array_equal(way(model).predict(X), expected)
    assert x.in_layers == []
