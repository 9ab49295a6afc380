"""Tests that a dense layer with ReLU and dropout, fused into one node, has the bits of two nodes."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase import nn
from catalase.nn.modes import watching

pytestmark = pytest.mark.on_the_cpu


def nets(activation="relu"):
    """The same net twice: the second one's layers are subclasses, which are never joined."""

    class Apart(nn.Dropout):
        pass

    made = []
    for dropout in (nn.Dropout, Apart):
        rng = nn.init.generator(1)
        layers = [
            nn.Linear(70, 33, activation, rng=rng),
            dropout(0.3),
            nn.Linear(33, 20, "relu", rng=rng),
            dropout(0.5),
        ]
        net = nn.Sequential(*layers, nn.Linear(20, 3, rng=rng))
        net.set_seed(7)
        made.append(net)
    return made


def gradients(net, x, steps=2):
    for _ in range(steps):
        for p in net.parameters():
            p.grad = None
        y = net(x)
        (y * y).sum().backward()
    return [y.data, *(np.array(p.grad) for p in net.parameters())]


@pytest.mark.parametrize("activation", ["relu", "tanh", None])
@pytest.mark.parametrize("density", [1.0, 0.03])
def test_the_same_bits_as_two_nodes(backend, threads, rng, activation, density):
    x = (rng.standard_normal((61, 70)) * (rng.random((61, 70)) < density)).astype(np.float32)
    joined, apart = (gradients(net, ct.Tensor(x)) for net in nets(activation))
    assert all(np.array_equal(a, b) for a, b in zip(joined, apart, strict=True))


def test_an_input_that_needs_a_gradient_and_is_used_twice(rng):
    found = []
    for net in nets():
        x = ct.Tensor(rng.standard_normal((9, 70)).astype(np.float32) * 0 + 0.1, requires_grad=True)
        h = nn.layers.FusedLayers(net.layers[:2])(x)
        y = net.layers[2](h) + net.layers[2](h)
        (y.sum() + h.sum() + (h * h).sum()).backward()
        found.append([x.grad, net.layers[0].w.grad, net.layers[2].w.grad])
    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))


def test_inference_and_steps_are_counted_as_before(rng):
    x = ct.Tensor(rng.standard_normal((5, 70)).astype(np.float32))
    for net in nets():
        net(x), net(x)
        assert [layer.step for layer in net.layers if isinstance(layer, nn.Dropout)] == [2, 2]
        net.eval()
        assert np.array_equal(net(x).data, net(x).data)
        assert [layer.step for layer in net.layers if isinstance(layer, nn.Dropout)] == [2, 2]


def test_whoever_watches_sees_every_layer(rng):
    net, seen = nets()[0], []
    with watching(lambda module, output: seen.append(type(module).__name__)):
        net(ct.Tensor(rng.standard_normal((5, 70)).astype(np.float32)))
    assert seen == ["Linear", "Dropout", "Linear", "Dropout", "Linear", "Sequential"]


def test_dropout_goes_with_relu(rng):
    layer = nn.Linear(4, 3, "tanh")
    with pytest.raises(ValueError, match="dropout goes with activation 'relu', got 'tanh'"):
        key = {"rate": 0.5, "seed": 1}
        nn.functional.linear(ct.Tensor(np.ones((2, 4), np.float32)), layer.w, layer.b, activation="tanh", dropout=key)


def test_a_forward_of_ones_own_is_called():
    nothing = nn.Dropout(0.5)
    nothing.forward = lambda x: x * 0
    assert (
        not nn.Sequential(nn.Linear(8, 6, "relu", rng=0), nothing)(ct.Tensor(np.ones((7, 8), np.float32))).numpy().any()
    )


def test_a_refused_pass_draws_no_mask():
    net = nn.Sequential(nn.Linear(8, 6, "relu", rng=0), nn.Dropout(0.5))
    with pytest.raises(ValueError, match="x has 3 columns"):
        net(ct.Tensor(np.ones((2, 3), np.float32)))
    assert net.layers[1].step == 0


def test_dropout_of_a_layer_needs_its_arguments():
    x, w = np.ones((2, 3), np.float32), ct.Tensor(np.ones((3, 4), np.float32))
    with pytest.raises(ValueError, match="dropout needs rate and seed, and takes layer and step, got \\['rate'\\]"):
        nn.functional.linear(x, w, activation="relu", dropout={"rate": 0.5})
    with pytest.raises(ValueError, match="goes with activation 'relu', got 'tanh'"):
        nn.functional.linear(x, w, activation="tanh", dropout={"rate": 0.5, "seed": 1})
