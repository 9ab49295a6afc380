"""Tests of convolution on the tape and as layers."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase import nn, optim

LAYERS = [
    (nn.Conv1D(4, 6, 5, activation="relu", rng=0), (2, 13, 4), (2, 13, 6)),
    (nn.Conv2D(4, 6, (3, 2), stride=2, groups=2, rng=0), (2, 8, 7, 4), (2, 4, 4, 6)),
    (nn.Conv2D(3, 5, 3, padding="valid", dilation=2, bias=False, rng=0), (1, 9, 9, 3), (1, 5, 5, 5)),
    (nn.Conv3D(2, 3, 2, flip_kernel=True, rng=0), (1, 4, 5, 6, 2), (1, 4, 5, 6, 3)),
    (nn.ConvTranspose1D(3, 2, 4, stride=3, rng=0), (2, 5, 3), (2, 15, 2)),
    (nn.ConvTranspose2D(6, 4, 2, stride=2, activation="tanh", rng=0), (1, 3, 4, 6), (1, 6, 8, 4)),
    (nn.ConvTranspose3D(2, 3, 2, stride=2, padding="valid", rng=0), (1, 2, 3, 2, 2), (1, 4, 6, 4, 3)),
]


@pytest.mark.parametrize(("layer", "shape", "out"), LAYERS, ids=lambda v: repr(v))
def test_layers_give_shapes_and_gradients(rng, layer, shape, out):
    x = ct.Tensor(rng.standard_normal(shape).astype(np.float32), requires_grad=True)
    y = layer(x)
    assert y.shape == out
    (y * y).sum().backward()
    step, before = 1e-2, float((y * y).sum().numpy())
    gradients = [x.grad, *(p.grad for p in layer.parameters())]
    assert all(g is not None and np.abs(g).max() > 0 for g in gradients)
    size = sum(float(np.sum(g.astype(np.float64) ** 2)) for g in gradients)
    arrays = [x.data, *(p.data for p in layer.parameters())]
    saved = [a.copy() for a in arrays]
    for array, g in zip(arrays, gradients, strict=True):
        array -= step / np.sqrt(size) * g
    after = float((layer(ct.Tensor(x.data)) * layer(ct.Tensor(x.data))).sum().numpy())
    for array, old in zip(arrays, saved, strict=True):
        array[...] = old
    assert after < before, "a step against the gradient must lower the loss"


def test_the_tape_gives_what_ops_gives(rng):
    x = rng.standard_normal((3, 7, 6, 4)).astype(np.float32)
    layer = nn.Conv2D(4, 5, 3, stride=2, activation="relu", rng=1)
    w, b = layer.w.numpy(), layer.b.numpy()
    tensor = ct.Tensor(x, requires_grad=True)
    y = layer(tensor)
    y.sum().backward()
    expected = ct.ops.conv2d(x, w, b, stride=2, activation="relu")
    dx, dw, db = ct.ops.conv2d_backward(np.ones_like(expected), x, w, expected, stride=2, activation="relu")
    assert np.array_equal(y.numpy(), expected)
    for got, wanted in ((tensor.grad, dx), (layer.w.grad, dw), (layer.b.grad, db)):
        assert np.array_equal(got, wanted)


def test_weights_may_be_plain_arrays(rng):
    """They were taken for tensors, and refused as a memoryview."""
    x, w = rng.standard_normal((2, 5, 5, 3)).astype(np.float32), rng.standard_normal((3, 3, 3, 4)).astype(np.float32)
    b = np.arange(4, dtype=np.float32)
    expected = ct.ops.conv2d(x, w, b)
    assert np.array_equal(nn.functional.conv2d(x, w, b).numpy(), expected)
    tensor = ct.Tensor(x, requires_grad=True)
    y = nn.tf_nn.bias_add(nn.tf_nn.conv2d(tensor, w), b)
    y.sum().backward()
    assert np.allclose(y.numpy(), expected, atol=1e-5) and tensor.grad.shape == x.shape
    assert isinstance(nn.tf_nn.bias_add(x, b[:3]), ct.Tensor)
    with pytest.raises(ValueError, match="conv2d: x has 3 channels but w takes 4"):
        nn.tf_nn.conv2d(x, w.swapaxes(2, 3))
    for wrong in (w.tolist(), None):
        with pytest.raises(TypeError, match="conv2d: w must be"):
            nn.functional.conv2d(x, wrong)


def test_a_small_net_learns(rng):
    x = rng.standard_normal((64, 8, 8, 1)).astype(np.float32)
    y = (x[:, 2:6, 2:6, 0].sum((1, 2)) > 0).astype(np.float32)[:, None]

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2D(1, 8, 3, activation="relu", rng=0)
            self.dense = nn.Linear(8 * 64, 1, rng=0)

        def forward(self, x):
            return self.dense(self.conv(x).reshape(x.shape[0], 8 * 64))

    net, losses = Net(), []
    optimizer = optim.Adam(net, lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        loss = nn.losses.SigmoidCrossEntropy()(net(ct.Tensor(x)), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
    again = Net()
    again.load_state_dict(net.state_dict())
    assert np.array_equal(again(ct.Tensor(x)).numpy(), net(ct.Tensor(x)).numpy())


def test_a_changed_weight_is_noticed(rng):
    layer = nn.Conv2D(2, 3, 3, rng=0)
    optimizer = optim.SGD(layer, lr=0.1)
    x = ct.Tensor(rng.standard_normal((1, 5, 5, 2)).astype(np.float32), requires_grad=True)
    first, second = layer(x).sum(), layer(x).sum()
    first.backward()
    optimizer.step()
    with pytest.raises(RuntimeError, match="changed after the forward pass"):
        second.backward()


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((0, 3, 3), {}, ValueError, "in_channels must be 1 or more"),
        ((4, 6, 3), {"groups": 4}, ValueError, "groups must divide"),
        ((4, 6, (3, 3, 3)), {}, ValueError, "kernel_size must have 2 entries"),
        ((4, 6, 3.0), {}, TypeError, "kernel_size must be a whole number"),
        ((4, 6, 3), {"weight_init": lambda shape, rng: np.zeros(3)}, ValueError, "Conv2D: weight_init must give"),
    ],
)
def test_refuses(arguments, options, error, message):
    with pytest.raises(error, match=message):
        nn.Conv2D(*arguments, **options)
