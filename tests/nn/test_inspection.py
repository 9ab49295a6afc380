"""Tests of the table of a net's layers, and of the dead-ReLU diagnostic."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase import nn


class OnEachPixel(nn.Module):
    """A stand-in for a convolution: the same weights (1, 1, I, O) at every position."""

    def __init__(self, channels, outputs):
        super().__init__()
        self.w = nn.Parameter(np.ones((1, 1, channels, outputs), np.float32))

    def forward(self, x):
        return nn.functional.linear(x, self.w.reshape(self.w.shape[2], self.w.shape[3]))


def test_summary_of_an_image_net():
    net = nn.Sequential(OnEachPixel(3, 8), nn.BatchNorm(8), nn.MaxPool2D(2), nn.Flatten(), nn.Linear(8 * 4, 10))
    net.train()
    before = net.state_dict()
    assert net.summary((4, 4, 3)).splitlines() == [
        "Layer                 Output shape  Parameters  Note",
        "layers.0 OnEachPixel  (N, 4, 4, 8)          24  used at 16 positions; as many for any size",
        "layers.1 BatchNorm    (N, 4, 4, 8)          16  and 16 values that are not trained",
        "layers.2 MaxPool2D    (N, 2, 2, 8)           0",
        "layers.3 Flatten      (N, 32)                0",
        "layers.4 Linear       (N, 10)              330",
        "Total                                      370",
    ]
    assert net.training and net[1].training, "the mode is put back"
    assert all(np.array_equal(a, b) for a, b in zip(before.values(), net.state_dict().values(), strict=True))
    assert "layers.0 OnEachPixel  ?" in net.summary()
    with pytest.raises(ValueError):
        net.summary((6, 6, 3))
    assert net.training


def test_what_is_shared_counts_once():
    shared, tied = nn.Linear(4, 4), nn.Linear(4, 4)
    tied.w = shared.w
    net = nn.Sequential(shared, nn.ReLU(), shared, tied)
    lines = net.summary((4,)).splitlines()
    assert lines[1].split()[:5] == ["layers.0", "Linear", "(N,", "4)", "20"]
    assert lines[3].endswith("0  the same layer as layers.0") and lines[4].endswith("4  w shared with layers.0.w")
    assert lines[-1].split() == ["Total", "24"]
    assert sum(p.size for p in net.parameters()) == 24


def test_models_have_summaries():
    table = ct.models.MultitaskClassifier(2, 16, layer_sizes=[8]).summary()
    assert "(N, 8)" in table and table.splitlines()[-1].split() == ["Total", f"{16 * 8 + 8 + 8 * 4 + 4}"]
    member = ct.models.MultitaskRegressor(1, 4, layer_sizes=[2], seed=0)
    assert "members.0.layers.0 Linear   ?" in ct.models.Ensemble([member]).summary()
    with pytest.raises(TypeError, match="this model is not a net"):
        ct.models.TanimotoKNNClassifier(1, 64).summary()


def test_dead_relu(rng):
    first = nn.Linear(3, 4, "relu", rng=0)
    first.b.data[...] = [-1e6, 1e6, -1e6, -1e6]
    net = nn.Sequential(first, nn.Linear(4, 2, rng=1), nn.BatchNorm(2), nn.ReLU(), nn.Linear(2, 1))
    net[1].w.data[...], net[1].b.data[...] = 0, [1, -1]
    x = rng.standard_normal((10, 3)).astype(np.float32)
    before = net.state_dict()
    assert nn.dead_relu(net, x) == nn.dead_relu(net, ct.Tensor(x)) == {"layers.0": 0.75, "layers.3": 0.5}
    assert net.training and all(
        np.array_equal(a, b) for a, b in zip(before.values(), net.state_dict().values(), strict=True)
    )
    many = np.repeat(x, 500, axis=0)  # walked in blocks
    assert nn.dead_relu(net, many) == nn.dead_relu(net, x)
    images = nn.Sequential(nn.Reshape((2, 2, 3)), nn.ReLU())
    x = -np.ones((5, 12), np.float32)
    x[3, 4] = 1  # one position of one row wakes channel 1
    assert nn.dead_relu(images, x) == {"layers.1": pytest.approx(2 / 3)}


def test_dead_relu_of_models(rng):
    x = (rng.random((20, 16)) < 0.5).astype(np.float32)
    model = ct.models.MultitaskClassifier(1, 16, layer_sizes=[8], bias_init_consts=-10.0)
    assert nn.dead_relu(model, x) == {"layers.0": 1.0}
    packed = np.packbits(x.astype(bool), axis=1, bitorder="little")
    assert nn.dead_relu(model, packed) == nn.dead_relu(model.module, packed) == {"layers.0": 1.0}
    with pytest.raises(ValueError, match="empty batch"):
        nn.dead_relu(model, x[:0])
    with pytest.raises(TypeError, match="must be a Module"):
        nn.dead_relu("net", x)
