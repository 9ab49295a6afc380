"""Tests of the penalties: exact zeros by L1 under every optimizer, p-norm, max-norm, and which parameters they concern."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import catalase as ct
from catalase import nn, optim

EVERY = {
    "SGD": lambda net, **o: optim.SGD(net, lr=0.02, **o),
    "Momentum": lambda net, **o: optim.Momentum(net, lr=0.005, **o),
    "Nesterov": lambda net, **o: optim.Momentum(net, lr=0.005, nesterov=True, **o),
    "AdaGrad": lambda net, **o: optim.AdaGrad(net, lr=0.2, **o),
    "RMSProp": lambda net, **o: optim.RMSProp(net, lr=0.01, **o),
    "RMSProp with momentum": lambda net, **o: optim.RMSProp(net, lr=0.002, momentum=0.8, **o),
    "Adam": lambda net, **o: optim.Adam(net, lr=0.02, **o),
    "AdamW": lambda net, **o: optim.AdamW(net, lr=0.02, **o),
    "AMSGrad": lambda net, **o: optim.Adam(net, lr=0.02, amsgrad=True, **o),
    "Lion": lambda net, **o: optim.Lion(net, lr=optim.CosineDecay(0.01, 0.0, 1600), **o),
    "Lamb": lambda net, **o: optim.Lamb(net, lr=0.01, **o),
}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", EVERY)
def test_of_20_weights_the_17_irrelevant_ones_end_at_exactly_zero(name, seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((400, 20)).astype(np.float32)
    data = ct.data.NumpyDataset(X, (X[:, :3] @ np.array([2, -3, 1.5]))[:, None].astype(np.float32))
    net = nn.Sequential(nn.Linear(20, 1, rng=seed))
    ct.train.fit(net, data, nn.losses.L2Loss(), optimizer=EVERY[name](net, l1=0.1), nb_epoch=400, seed=seed)
    w = net[0].w.numpy()[:, 0]
    assert not w[3:].any()
    # the minimum of the squared error plus 0.1 |w| is 0.05 nearer to 0; correlated columns and short runs add a little
    assert np.abs(w[:3] - [1.95, -2.95, 1.45]).max() < (0.25 if name == "Lion" else 0.12)


@pytest.mark.parametrize("name", [name for name in EVERY if name != "Lamb"])
def test_the_moments_hold_nothing_of_the_l1_penalty(name):
    found = []
    for l1 in (0.0, 1e-3):
        net = nn.Linear(3, 2, rng=0)
        optimizer = EVERY[name](net, l1=l1, **({"weight_decay": 0.0} if name == "AdamW" else {}))
        net.w.grad, net.b.grad = np.full((3, 2), 0.5, np.float32), np.full(2, 0.5, np.float32)
        optimizer.step()
        found.append(optimizer.state_dict())
    assert all(np.array_equal(a, found[1][key]) for key, a in found[0].items())


def one_step(penalized=True, **options):
    net = nn.Linear(3, 2, rng=0)
    net.w.data = np.array([[0.5, -2.0], [1.5, 0.0], [-1.0, 3.0]], np.float32)
    net.w.decay = penalized
    optimizer = optim.SGD(net, lr=0.1, **options)
    net.w.grad, net.b.grad = np.zeros((3, 2), np.float32), np.zeros(2, np.float32)
    optimizer.step()
    return net.w.numpy()


def test_the_p_norm_adds_its_gradient_and_p_2_is_l2():
    w = np.array([[0.5, -2.0], [1.5, 0.0], [-1.0, 3.0]])
    assert np.allclose(one_step(lp=0.3, p=3.0), w - 0.1 * 0.3 * np.sign(w) * w**2, rtol=1e-6)
    assert np.allclose(one_step(lp=0.3, p=1.5), w - 0.1 * 0.3 * np.sign(w) * np.abs(w) ** 0.5, rtol=1e-6)
    assert np.allclose(one_step(lp=0.3, p=2.0), one_step(l2=0.3), rtol=1e-6)
    both = one_step(l1=1.0, l2=0.3)
    assert np.allclose(both, np.sign(w) * np.maximum(np.abs(w) * 0.97 - 0.1, 0), rtol=1e-5)  # the elastic net


def test_two_steps_on_one_gradient_add_the_p_norm_once_each():
    net = nn.Linear(1, 1, rng=0)
    net.w.data = np.ones((1, 1), np.float32)
    optimizer = optim.SGD(net, lr=0.1, lp=1.0, p=3.0)
    net.w.grad = np.zeros((1, 1), np.float32)
    optimizer.step()
    optimizer.step()
    assert np.isclose(net.w.numpy().item(), 0.9 - 0.1 * 0.81)


def test_max_norm_scales_each_column_that_is_too_long():
    w = np.array([[0.5, -2.0], [1.5, 0.0], [-1.0, 3.0]])
    norms = np.linalg.norm(w, axis=0)
    assert np.allclose(one_step(max_norm=2.0), w * np.minimum(1, 2.0 / norms), rtol=1e-6)
    assert np.array_equal(one_step(max_norm=4.0), one_step())
    conv = nn.Conv1D(2, 3, 3, rng=0)
    conv.w.data = conv.w.numpy() * 100
    optimizer = optim.SGD(conv, lr=0.0, max_norm=1.0)
    conv(ct.Tensor(np.ones((1, 5, 2), np.float32))).sum().backward()
    optimizer.step()
    assert np.allclose(np.sqrt((conv.w.numpy() ** 2).sum((0, 1))), 1.0, rtol=1e-5)


def test_a_parameter_without_decay_is_left_alone():
    w = one_step(penalized=False)
    for options in ({"l1": 1.0}, {"l2": 1.0}, {"lp": 1.0, "p": 3.0}, {"max_norm": 0.1}, {"weight_decay": 1.0}):
        assert np.array_equal(one_step(penalized=False, **options), w), options
        assert not np.array_equal(one_step(**options), w), options


def test_what_is_penalized_can_be_changed_before_the_next_optimizer():
    net = nn.Sequential(nn.Linear(2, 3, rng=0), nn.LayerNorm(3), nn.Linear(3, 1, rng=1))
    assert [p.decay for _, p in net.named_parameters()] == [True, False, False, False, True, False]
    optim.SGD(net)
    net[0].w.decay, net[2].b.decay = False, True
    optimizer = optim.SGD(net, lr=0.5, weight_decay=1.0)
    before = net.state_dict()
    net[2].b.data = np.ones(1, np.float32)
    optimizer.step()
    after = net.state_dict()
    assert np.array_equal(before["layers.0.w"], after["layers.0.w"]) and after["layers.2.b"].item() == 0.5
    assert np.allclose(after["layers.2.w"], before["layers.2.w"] * 0.5)


@pytest.mark.parametrize("name", ["AMSGrad", "Lion", "Lamb"])
def test_a_copy_and_a_saved_state_go_on_with_the_same_bits(name):
    x = ct.Tensor(np.random.default_rng(0).random((6, 4), np.float32))

    def steps(net, optimizer, count=4):
        for _ in range(count):
            optimizer.zero_grad()
            (net(x) ** 2).mean().backward()
            optimizer.step()

    net = nn.Linear(4, 20, rng=0)
    optimizer = EVERY[name](net, l1=0.001)
    steps(net, optimizer)
    copied, copied_optimizer = copy.deepcopy((net, optimizer))
    loaded = nn.Linear(4, 20, rng=5)
    loaded_optimizer = EVERY[name](loaded, l1=0.001)
    loaded.load_state_dict(net.state_dict())
    loaded_optimizer.load_state_dict(optimizer.state_dict())
    for one in ((net, optimizer), (copied, copied_optimizer), (loaded, loaded_optimizer)):
        steps(*one)
    assert np.array_equal(net.w.numpy(), copied.w.numpy()) and np.array_equal(net.w.numpy(), loaded.w.numpy())


def test_the_config_of_an_optimizer_without_the_new_settings_is_that_of_earlier_versions():
    assert set(optim.Adam().to_config()) == {
        "class", "lr", "beta1", "beta2", "eps", "l1", "l2", "weight_decay", "clip_norm",
    }  # fmt: skip
