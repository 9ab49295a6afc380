"""Recurrent layers: gradients on the tape through all outputs, carried state, both directions, PyTorch's weights."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase import nn

LAYERS = {
    "rnn": lambda **k: nn.RNN(3, 5, **k),
    "gru": lambda **k: nn.GRU(3, 5, **k),
    "lstm": lambda **k: nn.LSTM(3, 5, **k),
}


def states_of(state):
    return list(state) if isinstance(state, tuple) else [state]


@pytest.mark.parametrize("kind", LAYERS)
def test_gradients_flow_from_every_output_to_every_input(kind, rng):
    layer = LAYERS[kind](rng=1)
    weights = [ct.Tensor(p.data.astype(np.float64), requires_grad=True) for p in (layer.w_x, layer.w_h, layer.b)]
    count = 2 if kind == "lstm" else 1
    x = ct.Tensor(rng.standard_normal((4, 6, 3)), requires_grad=True)
    start = [ct.Tensor(rng.standard_normal((4, 5)), requires_grad=True) for _ in range(count)]
    run = getattr(nn.functional, kind)
    lengths = [6, 0, 3, 5]
    factors = [rng.standard_normal(t.shape) for t in run(x, *weights, *start, lengths=lengths)]

    def loss():
        outputs = run(x, *weights, *start, lengths=lengths)
        total = (outputs[0] * factors[0]).sum()
        for t, f in zip(outputs[1:], factors[1:], strict=True):
            total = total + (t * f).sum()
        return total

    loss().backward()
    for leaf in (x, *weights, *start):
        direction = rng.standard_normal(leaf.shape)
        middle = leaf.data
        values = []
        for sign in (1, -1):
            leaf.data = middle + sign * 1e-6 * direction
            values.append(loss().item())
        leaf.data = middle
        assert np.isclose((values[0] - values[1]) / 2e-6, np.sum(leaf.grad * direction), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", LAYERS)
def test_state_is_carried_and_its_gradient_too(kind, rng):
    layer = LAYERS[kind](rng=2)
    x = rng.standard_normal((2, 8, 3)).astype(np.float32)
    whole, _ = layer(x)
    (whole * whole).sum().backward()
    expected = {name: np.array(p.grad) for name, p in layer.named_parameters()}
    layer.zero_grad()
    first, state = layer(x[:, :3])
    rest, state = layer(x[:, 3:], state)
    y = nn.functional.concatenate([first, rest], axis=1)
    assert np.array_equal(y.data, whole.data)
    (y * y).sum().backward()
    for name, p in layer.named_parameters():
        assert np.allclose(p.grad, expected[name], rtol=1e-4, atol=1e-5), name


@pytest.mark.parametrize("kind", LAYERS)
def test_without_recording_the_bits_are_the_same(kind, rng):
    layer = LAYERS[kind](rng=3)
    x = rng.standard_normal((3, 4, 3)).astype(np.float32)
    y, state = layer(x)
    with ct.no_grad():
        z, other = layer(x)
    assert y.requires_grad and not z.requires_grad and np.array_equal(y.data, z.data)
    assert all(np.array_equal(a.data, b.data) for a, b in zip(states_of(state), states_of(other), strict=True))


def test_bidirectional_reads_both_ways(rng):
    both = nn.Bidirectional(nn.LSTM(3, 4, rng=0), nn.GRU(3, 6, reverse=True, rng=1))
    x = ct.Tensor(rng.standard_normal((2, 5, 3)).astype(np.float32), requires_grad=True)
    y, ((h, c), h_back) = both(x, lengths=[5, 2])
    assert y.shape == (2, 5, 10) and h.shape == c.shape == (2, 4) and h_back.shape == (2, 6)
    assert np.array_equal(y.data[1, 0, 4:], h_back.data[1]) and np.array_equal(y.data[1, 1, :4], h.data[1])
    y.sum().backward()
    assert x.grad is not None and all(p.grad is not None for p in both.parameters())
    assert not x.grad[1, 2:].any() and x.grad[1, :2].any()
    with pytest.raises(ValueError, match="back must be an RNN, GRU or LSTM with reverse=True"):
        nn.Bidirectional(nn.RNN(3, 4), nn.RNN(3, 4))


def test_a_recurrent_net_learns_to_add_up():
    """A regression on the sum of the inputs, through the last state, with an optimizer and a flat buffer."""

    class Adder(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell, self.head = nn.GRU(1, 16, rng=0), nn.Linear(16, 1, rng=0)

        def forward(self, x):
            return self.head(self.cell(x)[1])

    rng = np.random.default_rng(0)
    net = Adder()
    optimizer = ct.optim.Adam(net, 1e-2)
    losses = []
    for _ in range(120):
        x = rng.random((32, 8, 1), dtype=np.float32)
        loss = nn.functional.squared_error(net(x), x.sum(axis=1)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-10:]) < 0.1 * np.mean(losses[:10])


@pytest.mark.parametrize("kind", LAYERS)
def test_weights_go_to_pytorch_and_back(kind, rng):
    torch = pytest.importorskip("torch")
    layer = LAYERS[kind](rng=4)
    theirs = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[kind](3, 5, batch_first=True)
    theirs.load_state_dict({name: torch.from_numpy(a) for name, a in nn.recurrent_to_torch(layer).items()})
    x = rng.standard_normal((2, 7, 3)).astype(np.float32)
    with torch.no_grad():
        assert np.allclose(theirs(torch.from_numpy(x))[0].numpy(), layer(x)[0].data, atol=1e-6)
    back = nn.recurrent_from_torch(theirs.state_dict())
    assert all(np.array_equal(back[name], value) for name, value in layer.state_dict().items())
    with pytest.raises(ValueError, match="no weight_ih_l1"):
        nn.recurrent_from_torch(theirs.state_dict(), "_l1")


def test_sizes_are_checked():
    with pytest.raises(ValueError, match="1 or more"):
        nn.LSTM(0, 3)
    with pytest.raises(ValueError, match="'tanh' or 'relu'"):
        nn.RNN(2, 3, activation="cube")
