"""Tests of optimizers through modules against float64 NumPy over 50 steps; saving half-way, schedules, bad input."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import catalase as ct
from catalase import nn, optim
from catalase.autograd import concatenate, where
from catalase.nn import functional as F
from tests.reference import optim as reference

CASES = {
    "SGD": (reference.sgd, 0, {}, {}),
    "Momentum": (reference.momentum, 1, {"nesterov": True}, {"nesterov": True}),
    "AdaGrad": (reference.adagrad, 1, {}, {}),
    "RMSProp": (reference.rmsprop, 2, {"momentum": 0.5}, {"momentum": 0.5}),
    "Adam": (reference.adam, 2, {}, {}),
    "AdamW": (reference.adam, 2, {"weight_decay": 0.1}, {"decay": 0.1}),
}
TARGET = np.linspace(-1.0, 1.0, 20).reshape(1, 20)


def layer(dtype=np.float64):
    """Rows of 20 are padded to 24 in float64, to 48 in float32."""
    rng = np.random.default_rng(0)
    return nn.Linear(
        5,
        20,
        weight_init=lambda shape, _: rng.uniform(0.5, 1.0, shape).astype(dtype),
        bias_init=lambda shape, _: rng.uniform(0.5, 1.0, shape).astype(dtype),
    )


def batch(t, dtype=np.float64):
    return np.random.default_rng(t).uniform(0.1, 1.0, (8, 5)).astype(dtype)


def train_step(module, optimizer, t):
    optimizer.zero_grad()
    nn.losses.L2Loss()(module(ct.Tensor(batch(t, module.w.dtype.type))), np.broadcast_to(TARGET, (8, 20))).backward()
    optimizer.step()


@pytest.mark.parametrize("name", list(CASES))
def test_fifty_steps_agree_with_float64_numpy(name, threads):
    rule, n_state, options, exact_options = CASES[name]
    module = layer()
    optimizer = getattr(optim, name)(module, lr=0.01, l2=0.02, **options)
    assert module.w.data.strides[0] == 24 * 8, "the rows are padded"
    w, b = module.w.numpy().copy(), module.b.numpy().copy()
    state_w, state_b = ([np.zeros(a.shape) for _ in range(n_state)] for a in (w, b))
    none = {"lr": 0.01, "l1": 0.0, "l2": 0.0, "decay": 0.0}
    for t in range(1, 51):
        train_step(module, optimizer, t)
        x = batch(t)
        dy = 2 * (x @ w + b - TARGET) / (8 * 20)
        dw, db = x.T @ dy, dy.sum(0)
        w, state_w = rule(w, dw, state_w, t, **{**none, "l2": 0.02, **exact_options})
        free = {k: v for k, v in exact_options.items() if k != "decay"}
        b, state_b = rule(b, db, state_b, t, **{**none, **free})
    assert np.allclose(module.w.numpy(), w, rtol=1e-10, atol=1e-12), np.abs(module.w.numpy() - w).max()
    assert np.allclose(module.b.numpy(), b, rtol=1e-10, atol=1e-12), "penalties and decay leave biases alone"


@pytest.mark.parametrize("name", list(CASES))
def test_saved_half_way_and_loaded_gives_the_same_bits(name):
    whole, first, second = layer(np.float32), layer(np.float32), layer(np.float32)
    optimizers = [getattr(optim, name)(m, lr=optim.ExponentialDecay(0.02, 0.9, 3)) for m in (whole, first, second)]
    for t in range(10):
        train_step(whole, optimizers[0], t)
    for t in range(5):
        train_step(first, optimizers[1], t)
    state = optimizers[1].state_dict()
    assert all(a.flags.c_contiguous for a in state.values()) and int(state["steps"]) == 5
    second.load_state_dict(first.state_dict())
    optimizers[2].load_state_dict(state)
    for t in range(5, 10):
        train_step(second, optimizers[2], t)
    assert np.array_equal(whole.w.numpy(), second.w.numpy()) and np.array_equal(whole.b.numpy(), second.b.numpy())


def test_a_state_that_does_not_fit_changes_nothing():
    optimizer = optim.Adam(layer())
    state = optimizer.state_dict()
    for bad, words in [
        ({k: v for k, v in state.items() if k != "m/w"}, r"missing \['m/w'\]"),
        ({**state, "q/w": state["m/w"]}, r"unknown \['q/w'\]"),
        ({**state, "v/b": np.ones(3)}, r"v/b must have shape \(20,\)"),
        ({**state, "steps": np.array(-1)}, "steps must be one number"),
    ]:
        with pytest.raises(ValueError, match=words):
            optimizer.load_state_dict({**bad, **({"m/w": bad["m/w"] + 1} if "m/w" in bad else {})})
        assert not any(a.any() for a in optimizer.state_dict().values())


def test_an_array_put_in_the_place_of_a_parameter_is_trained():
    module = layer()
    optimizer = optim.SGD(module, lr=1.0)
    module.w.data = np.ones((5, 20))
    module(ct.Tensor(np.ones((1, 5)))).sum().backward()
    optimizer.step()
    assert not module.w.numpy().any() and not optimizer.buffer.arrays(optimizer.buffer.data)["w"].any()
    module.w.data = np.ones((5, 21))
    with pytest.raises(ValueError, match=r"w must stay float64 \(5, 20\)"):
        optimizer.step()


def test_two_optimizers_may_share_parameters():
    module = nn.Sequential(nn.Linear(2, 3, rng=0), nn.Linear(3, 1, rng=1))
    part, whole = optim.SGD(module[1], lr=1.0), optim.SGD(module, lr=1.0)  # the second flattens all anew
    before = module.state_dict()
    module(ct.Tensor(np.ones((1, 2), np.float32))).sum().backward()
    gradient = module[1].w.grad.copy()
    part.step()
    assert np.array_equal(module[1].w.numpy(), before["layers.1.w"] - gradient)
    assert np.array_equal(module[0].w.numpy(), before["layers.0.w"])
    whole.zero_grad()
    whole.step()
    assert np.array_equal(module[1].w.numpy(), before["layers.1.w"] - gradient), "what the first did is not lost"


def test_a_copy_is_trained_apart():
    module = layer(np.float32)
    optimizer = optim.Momentum(module)
    train_step(module, optimizer, 0)
    copied, copied_optimizer = copy.deepcopy((module, optimizer))
    before = module.state_dict()
    train_step(copied, copied_optimizer, 1)
    assert np.array_equal(module.w.numpy(), before["w"]) and not np.array_equal(copied.w.numpy(), before["w"])
    train_step(module, optimizer, 1)
    assert np.array_equal(module.w.numpy(), copied.w.numpy())
    ours, theirs = optimizer.state_dict(), copied_optimizer.state_dict()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours), "a copy's moments are its own"
    alone = copy.deepcopy(module)
    assert optim.SGD(alone).buffer is not optimizer.buffer


def test_what_was_pickled_learns_on():
    module = layer(np.float32)
    optimizer = optim.Momentum(module)
    train_step(module, optimizer, 0)
    other, other_optimizer = pickle.loads(pickle.dumps((module, optimizer)))  # noqa: S301 (ours, of a moment ago)
    for each in ((module, optimizer), (other, other_optimizer)):
        train_step(*each, 1)
    assert np.array_equal(module.w.numpy(), other.w.numpy())
    ours, theirs = optimizer.state_dict(), other_optimizer.state_dict()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


class Net(nn.Module):
    """One parameter, used by one operation of the tape."""

    def __init__(self, shape, use):
        super().__init__()
        self.w, self.use = nn.Parameter(np.linspace(0.1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)), use

    def forward(self, x):
        return self.use(x, self.w)


def recurrent(function, gates):
    def use(x, w):
        b = np.zeros((2, 6) if gates == 3 else gates * 2, np.float32)
        return function(x.reshape(2, 3, 2), w, ct.Tensor(np.ones((2, gates * 2), np.float32)), ct.Tensor(b))[0]

    return use


USES = {
    "@": ((6, 4), lambda x, w: x @ w), "* of rows": ((6,), lambda x, w: x * w), "/": ((6,), lambda x, w: x / w), "+": ((6,), lambda x, w: x + w),
    "**": ((6,), lambda x, w: x.abs() ** w), "exp": ((6,), lambda x, w: x * w.exp()), "of a view": ((4, 6), lambda x, w: x @ w.T),
    "index": ((8, 6), lambda x, w: x * w[2]), "matmul": ((4, 6), lambda x, w: F.matmul(x, w, transpose_b=True)),
    "linear": ((6, 4), lambda x, w: F.linear(x, w)), "conv1d": ((3, 2, 4), lambda x, w: F.conv1d(x.reshape(2, 3, 2), w)),
    "rnn": ((2, 2), recurrent(F.rnn, 1)), "gru": ((2, 6), recurrent(F.gru, 3)), "lstm": ((2, 8), recurrent(F.lstm, 4)),
    "where": ((6,), lambda x, w: where(x.data > 0, x * w, w)), "concatenate": ((2, 6), lambda x, w: concatenate([x * x, w * w])),
    "gather_rows": ((5, 3), lambda x, w: x.sum() * F.gather_rows(w, [1, 2])), "gather_sum": ((5, 3), lambda x, w: x.sum() * F.gather_sum(w, [1, 2], [0, 2])),
    "message_update": ((6, 3), lambda x, w: F.message_update(x, w, [0, 1], [0, 2])), "segment_max": ((5, 3), lambda x, w: x.sum() * F.segment_max(w, [0, 5])),
    "embedding": ((5, 3), lambda x, w: x.sum() * F.embedding(np.array([1, 2]), w)),
}  # fmt: skip


@pytest.mark.parametrize("change", ["step", "load_state_dict", "data", "restore"])
@pytest.mark.parametrize("name", USES)
def test_a_stale_graph_is_refused_by_every_operation(name, change):
    shape, use = USES[name]
    net = Net(shape, use)
    optimizer = optim.SGD(net, lr=0.1)
    x = ct.Tensor(np.linspace(-1, 1, 12, dtype=np.float32).reshape(2, 6), requires_grad=True)
    first, second = net(x).sum(), net(x).sum()
    first.backward()
    assert net.w.grad is not None
    x.grad, before = None, net.w.grad.copy()
    if change == "load_state_dict":
        net.load_state_dict(net.state_dict())
    elif change == "restore":
        optimizer.load_state_dict(optimizer.state_dict())
        optimizer.step()
    else:
        if change == "data":
            net.w.data = np.zeros(shape, np.float32)
        optimizer.step()
    with pytest.raises(
        RuntimeError, match=r"the parameter w was changed after the forward pass .* run the forward pass again"
    ):
        second.backward()
    assert x.grad is None and np.array_equal(net.w.grad, before)  # nothing was written
    net(x).sum().backward()  # a new forward pass goes on
    assert x.grad is not None


def test_an_optimizer_made_after_the_forward_pass_changes_nothing():
    net = Net((6, 4), lambda x, w: x @ w)
    loss = net(ct.Tensor(np.ones((2, 6), np.float32))).sum()
    optim.SGD(net, lr=0.1)
    loss.backward()
    assert np.array_equal(net.w.grad, np.full((6, 4), 2.0))


def test_clipping_scales_the_whole_gradient_and_lets_nan_through():
    module = layer()
    optimizer = optim.SGD(module, lr=1.0, clip_norm=0.5)
    before = module.state_dict()
    module.w.grad, module.b.grad = np.full((5, 20), 3.0), np.full(20, 4.0)
    optimizer.step()
    norm = np.sqrt(9.0 * 100 + 16.0 * 20)
    assert np.allclose(before["w"] - module.w.numpy(), 3.0 * 0.5 / norm)
    assert np.allclose(before["b"] - module.b.numpy(), 4.0 * 0.5 / norm)
    optimizer.zero_grad()
    module.w.grad = np.full((5, 20), np.nan)
    optimizer.step()
    assert np.isnan(module.w.numpy()).all() and not np.isnan(module.b.numpy()).any()


def test_adagrad_takes_a_start_for_its_sums():
    module = layer()
    optimizer = optim.AdaGrad(module, lr=1.0, initial_accumulator=0.1)
    before, module.b.grad = module.b.numpy().copy(), np.ones(20)
    optimizer.step()
    assert np.allclose(before - module.b.numpy(), 1 / np.sqrt(1.1))
    visible = np.zeros(optimizer.buffer.data.size, bool)
    for view in optimizer.buffer.arrays(visible).values():
        view[...] = True
    assert not optimizer.buffer.data[~visible].any()


def test_schedules():
    assert [optim.ExponentialDecay(0.8, 0.5, 2)(t) for t in range(4)] == [0.8, 0.8, 0.4, 0.4]
    assert np.isclose(optim.ExponentialDecay(0.8, 0.5, 2, staircase=False)(1), 0.8 * 0.5**0.5)
    assert [optim.PolynomialDecay(1.0, 0.5, 4, power=2)(t) for t in (0, 2, 4, 9)] == [1.0, 0.625, 0.5, 0.5]
    cosine = optim.CosineDecay(1.0, 0.1, 12, warmup=2)
    assert np.allclose([cosine(t) for t in (0, 1, 2, 7, 12, 99)], [0.5, 1.0, 1.0, 0.55, 0.1, 0.1])
    linear_cosine = optim.LinearCosineDecay(2.0, 10, alpha=0.1, beta=0.01)
    exact = [2 * ((0.1 + 1 - t / 10) * 0.5 * (1 + np.cos(np.pi * t / 10)) + 0.01) for t in range(11)]
    assert np.allclose([linear_cosine(t) for t in range(11)], exact) and linear_cosine(50) == linear_cosine(10)
    warm = optim.WarmupExponentialDecay(1e-4, 1e-3, 1e-5, steps=24, warmup=4)
    exact = [1e-4 + t * (9e-4 / 4) if t < 4 else 1e-3 * 0.01 ** (min(t - 4, 20) / 20) for t in range(30)]
    assert np.allclose([warm(t) for t in range(30)], exact, rtol=1e-12)
    assert optim.WarmupExponentialDecay(1, 2, 3, steps=5, warmup=5)(5) == 3
    assert [optim.PiecewiseConstant([2, 4], [3, 2, 1])(t) for t in range(6)] == [3, 3, 2, 2, 1, 1]


def test_bad_input():
    module = layer()
    for call, kind, words in [
        (lambda: optim.Adam([1]), TypeError, "Adam: module must be a Module or a ParameterBuffer, got"),
        (lambda: optim.Adam(module, beta1=1.0), ValueError, "Adam: beta1 must be from 0 to below 1"),
        (lambda: optim.AdamW(module, eps=0.0), ValueError, "AdamW: eps must be above 0"),
        (lambda: optim.Momentum(module, momentum=-0.1), ValueError, "momentum must be from 0"),
        (lambda: optim.RMSProp(module, alpha=np.nan), ValueError, "alpha must be from 0"),
        (lambda: optim.AdaGrad(module, initial_accumulator=-1), ValueError, "initial_accumulator"),
        (lambda: optim.SGD(module, lr=np.nan), ValueError, "lr must be 0 or more"),
        (lambda: optim.SGD(module, l1=-1), ValueError, "l1 must be 0 or more"),
        (lambda: optim.SGD(module, clip_norm=0), ValueError, "clip_norm must be above 0"),
        (lambda: optim.ExponentialDecay(0.1, 0.5, 0), ValueError, "steps must be 1 or more"),
        (lambda: optim.PolynomialDecay(np.inf, 0, 5), ValueError, "initial must be a finite number"),
        (lambda: optim.CosineDecay(1, 0, 5, warmup=5), ValueError, "warmup must be from 0"),
        (lambda: optim.WarmupExponentialDecay(1, 2, 1, 5, warmup=6), ValueError, "warmup must be from 0 to steps"),
        (lambda: optim.WarmupExponentialDecay(1, 2, 0, 5), ValueError, "final must be above 0"),
    ]:
        with pytest.raises(kind, match=words):
            call()
