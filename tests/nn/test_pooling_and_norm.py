"""Tests of pooling layers, batch normalization with its running statistics, folding, layer normalization, tf.nn's names."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import catalase as ct
from catalase import nn
from catalase._internal import storage
from catalase.nn import tf_nn


def image(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


def test_layers_are_the_functions(rng):
    x = {1: image(rng, 2, 9, 5), 2: image(rng, 2, 8, 9, 5), 3: image(rng, 2, 6, 5, 4, 5)}
    for dims, value in x.items():
        for kind in ("Max", "Avg"):
            layer = getattr(nn, f"{kind}Pool{dims}D")(3, stride=2, padding="same")
            expected = getattr(ct.ops, f"{kind.lower()}_pool{dims}d")(value, 3, stride=2, padding="same")
            assert np.array_equal(layer(ct.Tensor(value)).numpy(), expected)
    assert np.array_equal(nn.GlobalAvgPool()(ct.Tensor(x[2])).numpy(), ct.ops.global_avg_pool(x[2]))
    assert np.array_equal(nn.GlobalMaxPool()(ct.Tensor(x[2])).numpy(), ct.ops.global_max_pool(x[2]))
    assert np.array_equal(
        nn.Upsample((2, 3), "linear")(ct.Tensor(x[2])).numpy(), ct.ops.upsample(x[2], (2, 3), mode="linear")
    )
    assert nn.Flatten()(ct.Tensor(x[2])).shape == (2, 360) and nn.Reshape((-1, 5))(ct.Tensor(x[2])).shape == (2, 72, 5)
    assert nn.Reshape((-1, 5))(ct.Tensor(x[2][:0])).shape == (0, 72, 5) and nn.Flatten()(ct.Tensor(x[2][:0])).shape == (
        0,
        360,
    )
    with pytest.raises(
        ValueError, match=r"the rows of x, of shape \(8, 9, 5\), hold 360 values, which do not fit \(7, -1\)"
    ):
        nn.Reshape((7, -1))(ct.Tensor(x[2]))
    with pytest.raises(ValueError, match="one length at most"):
        nn.Reshape((-1, -1))
    with pytest.raises(ValueError, match="MaxPool2D: size must have 2 entries"):
        nn.MaxPool2D((1, 2, 3))


def test_gradients_flow_through_a_stack_of_them(rng):
    layers = nn.Sequential(
        nn.Upsample(2), nn.MaxPool2D(3, 2, "same"), nn.Upsample(2, "linear"), nn.AvgPool2D(2, padding=((1, 0), (0, 1))),
        nn.GlobalAvgPool(),
    )  # fmt: skip
    x, direction, dy = rng.standard_normal((2, 3, 4, 3)), rng.standard_normal((2, 3, 4, 3)), rng.standard_normal((2, 3))
    t = ct.Tensor(x, requires_grad=True)
    (layers(t) * dy).sum().backward()
    up, down = (np.sum(layers(ct.Tensor(x + h * direction)).numpy() * dy) for h in (1e-6, -1e-6))
    assert np.isclose((up - down) / 2e-6, np.sum(t.grad * direction), rtol=1e-6)
    t = ct.Tensor(x, requires_grad=True)
    (nn.functional.global_max_pool(t) * dy).sum().backward()
    assert np.array_equal(t.grad.sum(axis=(1, 2)), dy)


@pytest.mark.parametrize("shape", [(40, 6), (5, 4, 3, 6), (2, 3, 4, 2, 6)])
def test_running_statistics_follow_the_batches_as_in_pytorch(rng, shape):
    torch = pytest.importorskip("torch")
    layer, theirs = nn.BatchNorm(6, momentum=0.3, eps=1e-3), torch.nn.BatchNorm1d(6, momentum=0.3, eps=1e-3)
    for training in (True, True, False):
        layer.train(training), theirs.train(training)
        x = image(rng, *shape)
        y, expected = layer(ct.Tensor(x)).numpy(), theirs(torch.from_numpy(x.reshape(-1, 6))).detach().numpy()
        assert np.allclose(y.reshape(-1, 6), expected, atol=1e-5)
        assert np.allclose(layer.running_mean.numpy(), theirs.running_mean.numpy(), atol=1e-6)
        assert np.allclose(layer.running_var.numpy(), theirs.running_var.numpy(), atol=1e-6)


def test_inference_changes_nothing_and_odd_batches_teach_nothing(rng):
    layer, x = nn.BatchNorm(3), image(rng, 8, 3)
    layer(ct.Tensor(x))
    before = layer.state_dict()
    layer.eval()
    y = layer(ct.Tensor(x)).numpy()
    assert np.array_equal(layer(ct.Tensor(x[2:3])).numpy(), y[2:3]), "a row alone has its bits"
    layer.train()
    assert np.all(layer(ct.Tensor(x[:1])).numpy() == 0), "a batch of one row is beta"
    x[4, 1] = np.inf
    with np.errstate(all="ignore"):
        layer(ct.Tensor(x))
    assert all(np.array_equal(a, b) for a, b in zip(before.values(), layer.state_dict().values(), strict=True))


def test_gradients_of_the_layer_in_both_modes(rng):
    x, dy = image(rng, 7, 5, 4), image(rng, 7, 5, 4)
    for training in (True, False):
        layer = nn.BatchNorm(4, activation="relu").train(training)
        layer.running_var.data[...] = 2
        t = ct.Tensor(x, requires_grad=True)
        mean, var = (None, None) if training else (layer.running_mean.numpy(), layer.running_var.numpy())
        (layer(t) * dy).sum().backward()
        one, zero = np.ones(4, np.float32), np.zeros(4, np.float32)
        _, mean, var = ct.ops.batch_norm(x, one, zero, mean, var)
        expected = ct.ops.batch_norm_backward(dy, x, one, zero, mean, var, batch_statistics=training, activation="relu")
        for a, b in zip((t.grad, layer.gamma.grad, layer.beta.grad), expected, strict=True):
            assert np.array_equal(a, b)


def test_a_step_between_forward_and_backward_does_not_spoil_the_gradient(rng):
    x = image(rng, 6, 3)
    grads = []
    for disturb in (False, True):
        layer = nn.BatchNorm(3).eval()
        t = ct.Tensor(x, requires_grad=True)
        y = (layer(t) * x).sum()
        if disturb:
            layer.gamma.data[...] = 7
            layer.running_mean.data[...] = 7
        y.backward()
        grads.append((t.grad, layer.gamma.grad))
    assert all(np.array_equal(a, b) for a, b in zip(*grads, strict=True))


def net():
    rng = nn.init.generator(3)
    return nn.Sequential(
        nn.Linear(5, 8, rng=rng), nn.BatchNorm(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 1, rng=rng)
    )


def test_buffers_are_state_but_no_parameters(rng):
    model = net()
    names = [name for name, _ in model.named_parameters()]
    assert names == ["layers.0.w", "layers.0.b", "layers.1.gamma", "layers.1.beta", "layers.4.w", "layers.4.b"]
    assert [name for name, _ in model.named_buffers()] == ["layers.1.running_mean", "layers.1.running_var"]
    assert list(model.state_dict()) == [*names, "layers.1.running_mean", "layers.1.running_var"]
    model(ct.Tensor(image(rng, 20, 5)))
    other, twin = net(), copy.deepcopy(model)
    other.load_state_dict(model.state_dict())
    for state in (other.state_dict(), twin.state_dict()):
        assert all(np.array_equal(a, b) for a, b in zip(state.values(), model.state_dict().values(), strict=True))
    twin(ct.Tensor(image(rng, 20, 5)))
    assert not np.array_equal(twin.layers[1].running_mean.numpy(), model.layers[1].running_mean.numpy())
    state = model.state_dict()
    del state["layers.1.running_var"]
    with pytest.raises(ValueError, match=r"missing \['layers.1.running_var'\]"):
        other.load_state_dict(state)


def train(model, data, epochs, folder, **options):
    optimizer = ct.optim.Adam(model, lr=0.01, l2=0.01)
    callbacks = [ct.train.Checkpoint(folder), ct.train.EarlyStopping(patience=50)]
    ct.train.fit(
        model, data, nn.losses.L2Loss(), optimizer=optimizer, nb_epoch=epochs, batch_size=16, seed=5, valid=data,
        callbacks=callbacks, **options,
    )  # fmt: skip
    return model


def test_a_resumed_run_has_the_bits_and_the_running_statistics_of_one_that_was_not_cut(rng, tmp_path):
    x = image(rng, 50, 5)
    data = ct.data.NumpyDataset(x, x[:, :1] * 3 + 1)
    whole = train(net(), data, 6, tmp_path / "whole").state_dict()
    train(net(), data, 3, tmp_path / "cut")
    resumed = train(net(), data, 6, tmp_path / "cut", resume=tmp_path / "cut").state_dict()
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)
    assert np.abs(whole["layers.1.running_mean"]).max() > 0


def test_saved_models_keep_their_running_statistics(rng, tmp_path):
    model = ct.models.MultitaskRegressor(1, 5, layer_sizes=[4], dropouts=0.0, seed=0)
    model.module.layers.insert(1, nn.BatchNorm(4))
    x = image(rng, 30, 5)
    model.fit(ct.data.NumpyDataset(x, x[:, :1]), nb_epoch=2, progress=False)
    model.save(tmp_path / "model")
    _, arrays = storage.load_folder(tmp_path / "model")
    assert np.array_equal(arrays["layers.1.running_var"], model.module.layers[1].running_var.numpy())


def test_rows_are_normalized_in_blocks_with_the_same_bits(rng):
    model = net()
    model(ct.Tensor(image(rng, 64, 5)))
    model.eval()
    x = image(rng, 5000, 5)
    whole = model(ct.Tensor(x, requires_grad=True)).numpy()
    with ct.no_grad():
        assert np.array_equal(model(ct.Tensor(x)).numpy(), whole)


@pytest.mark.parametrize(
    "shape, options", [(6, {}), ((6,), {"bias": False}), ((4, 6), {"eps": 1e-3}), (6, {"elementwise_affine": False})]
)
def test_layer_norm_has_pytorchs_arguments_and_meaning(rng, shape, options):
    torch = pytest.importorskip("torch")
    layer, theirs = nn.LayerNorm(shape, **options), torch.nn.LayerNorm(shape, **options)
    ours = [p for p in (layer.gamma, layer.beta) if p is not None]
    weights = [p for p in (theirs.weight, theirs.bias) if p is not None]
    assert [p.shape for p in ours] == [tuple(p.shape) for p in weights]
    for own, their in zip(ours, weights, strict=True):
        own.data[...] = image(rng, *own.shape)
        their.data[...] = torch.from_numpy(own.data)
    x, dy = image(rng, 3, 4, 6), image(rng, 3, 4, 6)
    t, u = ct.Tensor(x, requires_grad=True), torch.from_numpy(x).requires_grad_()
    (layer(t) * dy).sum().backward()
    y = theirs(u)
    (y * torch.from_numpy(dy)).sum().backward()
    assert np.allclose(layer(t).numpy(), y.detach().numpy(), atol=1e-5)
    for a, b in zip([t.grad, *(p.grad for p in ours)], [u.grad, *(p.grad for p in weights)], strict=True):
        assert np.allclose(a, b.numpy(), atol=1e-5)


def test_layer_norm_is_the_function_and_keeps_gradients_from_a_later_step(rng):
    x, dy = image(rng, 5, 7), image(rng, 5, 7)
    for shape, flat in ((7, x), ((5, 7), x.reshape(1, 35))):
        layer = nn.LayerNorm(shape)
        layer.gamma.data[...] = image(rng, *layer.gamma.shape)
        gamma = layer.gamma.numpy().ravel().copy()
        t = ct.Tensor(x, requires_grad=True)
        y = layer(t)
        layer.gamma.data[...] = 9
        y.backward(dy)
        zeros = np.zeros_like(gamma)
        assert np.array_equal(y.numpy().reshape(flat.shape), ct.ops.layer_norm(flat, gamma, zeros))
        expected = ct.ops.layer_norm_backward(dy.reshape(flat.shape), flat, gamma)
        for found, wanted in zip((t.grad, layer.gamma.grad, layer.beta.grad), expected, strict=True):
            assert np.array_equal(found.ravel(), wanted.ravel())
    assert repr(nn.LayerNorm(7)) == "LayerNorm((7,), eps=1e-05)"
    assert not any(p.decay for p in nn.LayerNorm(7).parameters())
    with pytest.raises(ValueError, match=r"LayerNorm: x must end with the axes \(5, 7\), got shape \(7, 5\)"):
        nn.LayerNorm((5, 7))(ct.Tensor(x.T.copy()))
    with pytest.raises(ValueError, match="LayerNorm: normalized_shape must name one axis or more"):
        nn.LayerNorm(())


def test_layer_norm_of_rows_goes_by_blocks_and_of_the_whole_batch_does_not(rng):
    x = image(rng, 5000, 5)
    for shape in (5, (5000, 5)):
        model = nn.Sequential(nn.Linear(5, 5, rng=0), nn.LayerNorm(shape))
        whole = model(ct.Tensor(x, requires_grad=True)).numpy()
        with ct.no_grad():
            assert np.array_equal(model(ct.Tensor(x)).numpy(), whole)


class TransposedConvolution(nn.Module):
    """A stand-in, over one pixel: weight (H, W, O, I)."""

    transposed = True

    def __init__(self, rng):
        super().__init__()
        self.weight, self.bias = nn.Parameter(image(rng, 1, 1, 4, 5)), None

    def forward(self, x):
        return nn.functional.linear(x, ct.Tensor(self.weight.data[0, 0].T.copy()), self.bias)


def test_folding(rng):
    inner = nn.Sequential(nn.Linear(8, 8, bias=False, rng=0), nn.BatchNorm(8), nn.BatchNorm(8, activation="relu"))
    model = nn.Sequential(
        nn.Linear(5, 8, rng=1), nn.BatchNorm(8), nn.ReLU(), nn.Linear(8, 8, "relu", rng=2), nn.BatchNorm(8), inner,
        nn.Dropout(0.5), nn.Linear(8, 2, rng=3),
    )  # fmt: skip
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm)):
        norm.gamma.data[...], norm.beta.data[...] = rng.standard_normal(8), rng.standard_normal(8)
    for _ in range(3):
        model(ct.Tensor(image(rng, 32, 5) + 1))
    before = model.state_dict()
    folded = nn.fold_batch_norm(model)
    kinds = [type(m).__name__ for m in folded]
    assert kinds == ["Linear", "ReLU", "Linear", "BatchNorm", "Sequential", "Dropout", "Linear"], (
        "one stays after a ReLU"
    )
    assert [type(m).__name__ for m in folded[4]] == ["Linear"] and folded[4][0].activation == "relu"
    assert model.training and not folded.training
    assert all(np.array_equal(a, b) for a, b in zip(before.values(), model.state_dict().values(), strict=True))
    x = ct.Tensor(image(rng, 9, 5))
    model.eval()
    assert np.allclose(folded(x).numpy(), model(x).numpy(), rtol=1e-4, atol=1e-5)

    transposed = nn.Sequential(TransposedConvolution(rng), nn.BatchNorm(4)).eval()
    transposed[1].running_mean.data[...] = rng.standard_normal(4)
    assert len(nn.fold_batch_norm(transposed)) == 1
    assert np.allclose(nn.fold_batch_norm(transposed)(x).numpy(), transposed(x).numpy(), atol=1e-5)
    transposed[0].groups = 2
    assert len(nn.fold_batch_norm(transposed)) == 2
    with pytest.raises(ValueError, match="has 8 outputs, but BatchNorm"):
        nn.fold_batch_norm(nn.Sequential(nn.Linear(5, 8), nn.BatchNorm(7)))
    with pytest.raises(TypeError, match="sequential must be a Sequential, got Linear"):
        nn.fold_batch_norm(nn.Linear(5, 8))


def test_folding_convolutions(rng):
    if not hasattr(nn, "Conv2D"):
        pytest.skip("there is no convolution yet")
    model = nn.Sequential(nn.Conv2D(3, 8, 3), nn.BatchNorm(8, activation="relu"), nn.Conv2D(8, 2, 3))
    model(ct.Tensor(image(rng, 4, 9, 9, 3)))
    model.eval()
    folded, x = nn.fold_batch_norm(model), ct.Tensor(image(rng, 2, 9, 9, 3))
    assert len(folded) == 2 and np.allclose(folded(x).numpy(), model(x).numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"num_features": 0}, "num_features must be 1 or more"), ({"num_features": 2, "momentum": 1.5}, "from 0 to 1"),
        ({"num_features": 2, "eps": 0}, "eps must be above 0"), ({"num_features": 2, "activation": "tanh"}, "None or 'relu'"),
    ],
)  # fmt: skip
def test_bad_settings(arguments, words):
    with pytest.raises(ValueError, match=words):
        nn.BatchNorm(**arguments)


def test_the_names_of_tf_nn(rng):
    x = ct.Tensor(image(rng, 2, 7, 7, 3))
    pooled = tf_nn.max_pool(x, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")
    assert np.array_equal(pooled.numpy(), ct.ops.max_pool2d(x.numpy(), 2, padding="same"))
    averaged = tf_nn.avg_pool(x, [1, 3, 3, 1], [1, 1, 1, 1], "VALID")
    assert np.array_equal(averaged.numpy(), ct.ops.avg_pool2d(x.numpy(), 3, stride=1))
    b = ct.Tensor(np.array([1, 2, 3], np.float32), requires_grad=True)
    tf_nn.relu(tf_nn.bias_add(x, b)).sum().backward()
    assert b.grad.shape == (3,)
    kept = tf_nn.dropout(ct.Tensor(np.ones(20000, np.float32)), 0.8, seed=1).numpy()
    assert set(np.unique(kept)) == {0, np.float32(1.25)} and abs((kept > 0).mean() - 0.8) < 0.02
    assert tf_nn.dropout(x, 1.0) is x and tf_nn.dropout(x, 0.5).shape == x.shape
    logits, labels = ct.Tensor(image(rng, 4, 3)), np.eye(3)[[0, 2, 1, 0]]
    loss = tf_nn.softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    assert np.allclose(loss.numpy(), -np.sum(labels * ct.ops.log_softmax(logits.numpy()), axis=-1), atol=1e-6)
    for call, words in [
        (lambda: tf_nn.max_pool(x, [2, 2], [1, 2, 2, 1]), r"ksize must be \[1, rows, columns, 1\]"),
        (lambda: tf_nn.max_pool(x, padding="same"), "'SAME' or 'VALID'"),
        (lambda: tf_nn.dropout(x, 0.0), "keep_prob must be above 0"),
        (lambda: tf_nn.bias_add(x, ct.Tensor(np.ones(2))), r"bias must be \(C,\)"),
    ]:
        with pytest.raises(ValueError, match=words):
            call()


def test_conv2d_of_tf_nn(rng):
    if not hasattr(nn.functional, "conv2d"):
        pytest.skip("there is no convolution yet")
    x, w = ct.Tensor(image(rng, 1, 7, 7, 3)), ct.Tensor(image(rng, 5, 5, 3, 4))
    y = tf_nn.conv2d(x, w, strides=[1, 2, 2, 1], padding="SAME")
    assert np.array_equal(y.numpy(), nn.functional.conv2d(x, w, stride=2, padding="same").numpy())
