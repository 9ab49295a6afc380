"""Every activation in a layer: by its class, fused into a product or a convolution, in the models, and over a saved folder."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import catalase as ct
from catalase import nn
from catalase.models.tensorgraph import layers
from tests.reference.activations import ACTIVATIONS, NAMES, OF_INPUT
from tests.reference.gradients import directional

F = nn.functional
X, IMAGES = (5, 7), (2, 6, 5, 3)
FUSED = {  # the function, the shape of x, of w, and its options
    "linear": (F.linear, X, (7, 4), {}),
    "linear of a stack": (F.linear, (2, 3, 7), (7, 4), {}),
    "conv1d": (F.conv1d, (2, 9, 3), (3, 3, 4), {"stride": 2}),
    "conv2d": (F.conv2d, IMAGES, (3, 3, 3, 4), {}),
    "conv2d by Winograd": (F.conv2d, (1, 14, 14, 16), (3, 3, 16, 16), {}),
    "conv_transpose2d": (F.conv_transpose2d, IMAGES, (2, 2, 5, 3), {"stride": 2}),
}


def drawn(rng, case, dtype):
    function, x, w, options = FUSED[case]
    outputs = w[-2] if case.startswith("conv_transpose") else w[-1]
    arrays = [rng.standard_normal(shape).astype(dtype) / 2 for shape in (x, w, (outputs,))]
    return function, arrays, options


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", FUSED)
def test_gradients_of_a_fused_layer_are_those_of_the_function(rng, case, name):
    function, arrays, options = drawn(rng, case, np.float64)
    given = [ct.Tensor(a, requires_grad=True) for a in arrays]
    y = function(*given, activation=name, **options)
    dy = rng.standard_normal(y.shape)
    (y * dy).sum().backward()
    slope, claimed = directional(
        lambda *a: float(np.sum(dy * function(*map(ct.Tensor, a), activation=name, **options).data)),
        arrays,
        [t.grad for t in given],
        rng,
    )
    assert np.isclose(slope, claimed, rtol=1e-5)


@pytest.mark.on_the_cpu
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", FUSED)
def test_a_fused_layer_has_the_bits_of_layer_and_activation_on_the_tape_and_off_it(backend, threads, rng, case, name):
    function, arrays, options = drawn(rng, case, np.float32)
    given = [ct.Tensor(a, requires_grad=True) for a in arrays]
    y = function(*given, activation=name, **options)
    apart = getattr(F, name)(function(*given, **options))
    with ct.no_grad():
        assert np.array_equal(function(*given, activation=name, **options).data, y.data)
    assert np.array_equal(apart.data, y.data)
    found = []
    for out in (y, apart):
        (out * out).sum().backward()
        found.append([t.grad for t in given])
        for t in given:
            t.grad = None
    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("layer", nn.activations.__all__)
def test_a_layer_is_its_function_and_is_taken_in_blocks_of_rows(rng, layer):
    made = getattr(nn, layer)()
    x = rng.standard_normal((5000, 3)).astype(np.float32)
    y = made(ct.Tensor(x)).numpy()
    assert np.array_equal(y, getattr(F, made.name)(ct.Tensor(x)).numpy()) and np.array_equal(
        y, ct.ops.activation(x, made.name)
    )
    assert np.array_equal(getattr(ct.Tensor(x), made.name)().numpy(), y)
    net = nn.Sequential(nn.Linear(3, 4, made.name, rng=0), made).eval()
    whole = made(net[0](ct.Tensor(x))).numpy()
    with nn.inference(), ct.no_grad():
        assert np.array_equal(net(ct.Tensor(x)).numpy(), whole)


@pytest.mark.parametrize("name", NAMES)
def test_functions_can_be_pickled(name):
    assert pickle.loads(pickle.dumps(getattr(F, name))) is getattr(F, name)  # noqa: S301


@pytest.mark.parametrize("name", OF_INPUT)
def test_a_node_keeps_the_input_and_not_the_output(rng, name):
    """The output may be written over before the backward pass; the derivative is not taken from it."""
    x = ct.Tensor(rng.standard_normal(30), requires_grad=True)
    y = getattr(F, name)(x)
    loss = y.sum()
    y.data[:] = 7
    loss.backward()
    assert np.allclose(x.grad, ACTIVATIONS[name].slope(x.data), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_models_take_the_name_and_bring_it_back_from_a_folder(tmp_path, rng, name):
    x, y = rng.standard_normal((24, 8)).astype(np.float32), (rng.random((24, 1)) < 0.5).astype(np.float32)
    dense = ct.models.MultitaskClassifier(
        1, 8, layer_sizes=[6, 5], activation_fns=name, dropouts=0.2, batch_size=8, seed=0
    )
    sequences = rng.standard_normal((24, 12, 2)).astype(np.float32)
    cnn = ct.models.CNN(1, 2, 1, [4], 3, activation_fns=name, batch_norm=True, mode="regression", batch_size=8, seed=0)
    graph = ct.models.TensorGraph(batch_size=8)
    feature, label = layers.Feature(shape=(None, 8)), layers.Label(shape=(None, 1))
    hidden = layers.Dense(6, activation_fn=getattr(F, name), in_layers=feature)
    out = layers.Dense(1, in_layers=hidden)
    graph.add_output(out)
    graph.set_loss(layers.ReduceMean(in_layers=layers.L2Loss(in_layers=[label, out])))
    for i, (model, data) in enumerate(((dense, x), (cnn, sequences), (graph, x))):
        model.fit(ct.data.NumpyDataset(data, y), nb_epoch=2)
        model.save(tmp_path / str(i))
        again = ct.models.load(tmp_path / str(i))
        assert np.array_equal(again.predict(data), model.predict(data)), type(model).__name__
        assert f'"{name}"' in (tmp_path / str(i) / "config.json").read_text()


def test_recurrent_cells_and_normalization_say_which_they_have():
    with pytest.raises(ValueError, match="RNN: activation must be 'tanh' or 'relu', got 'gelu'"):
        nn.RNN(2, 3, activation="gelu")
    with pytest.raises(ValueError, match="BatchNorm: activation must be None or 'relu', got 'gelu'"):
        nn.BatchNorm(3, activation="gelu")
