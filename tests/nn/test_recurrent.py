"""Tests of recurrent layers: gradients through all outputs, carried state, both directions, and PyTorch's weights."""

from __future__ import annotations

import itertools

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


DEEP = {"num_layers": 3, "bidirectional": True}


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("options", [{"num_layers": 2}, {"bidirectional": True}, DEEP], ids=str)
def test_several_layers_and_directions_like_pytorch(kind, options, rng):
    torch = pytest.importorskip("torch")
    layer = LAYERS[kind](rng=4, **options)
    theirs = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[kind](3, 5, batch_first=True, **options)
    theirs.load_state_dict({name: torch.from_numpy(a) for name, a in nn.recurrent_to_torch(layer).items()})
    back = nn.recurrent_from_torch(theirs.state_dict())
    assert back.keys() == layer.state_dict().keys()
    assert all(np.array_equal(back[name], value) for name, value in layer.state_dict().items())
    count, lengths = len(layer.suffixes()), [7, 2, 5]
    x = rng.standard_normal((3, 7, 3)).astype(np.float32)
    start = [rng.standard_normal((count, 3, 5)).astype(np.float32) for _ in range(layer.states)]
    ours_x, ours_start = ct.Tensor(x, requires_grad=True), [ct.Tensor(s, requires_grad=True) for s in start]
    y, state = layer(ours_x, tuple(ours_start) if kind == "lstm" else ours_start[0], lengths)
    torch_x, torch_start = torch.from_numpy(x).requires_grad_(), [torch.from_numpy(s).requires_grad_() for s in start]
    packed = torch.nn.utils.rnn.pack_padded_sequence(torch_x, lengths, batch_first=True, enforce_sorted=False)
    z, other = theirs(packed, tuple(torch_start) if kind == "lstm" else torch_start[0])
    z, _ = torch.nn.utils.rnn.pad_packed_sequence(z, batch_first=True)
    assert y.shape == (3, 7, layer.output_size) and np.allclose(y.data, z.detach().numpy(), atol=1e-6)
    for a, b in zip(states_of(state), states_of(other), strict=True):
        assert a.shape == (count, 3, 5) and np.allclose(a.data, b.detach().numpy(), atol=1e-6)
    (sum((s * s).sum() for s in states_of(state)) + (y * y).sum()).backward()
    (sum((s * s).sum() for s in states_of(other)) + (z * z).sum()).backward()
    grads = nn.recurrent_from_torch({name: p.grad for name, p in theirs.named_parameters()})
    for name, p in layer.named_parameters():
        expected = (
            grads[name] / 2 if name.startswith("b") and kind != "gru" else grads[name]
        )  # two biases, one gradient
        assert np.allclose(p.grad, expected, atol=2e-5), name
    assert np.allclose(ours_x.grad, torch_x.grad.numpy(), atol=1e-5)
    for a, b in zip(ours_start, torch_start, strict=True):
        assert np.allclose(a.grad, b.grad.numpy(), atol=1e-5)


@pytest.mark.parametrize("kind", LAYERS)
def test_several_layers_in_parts_and_with_any_threads_have_equal_bits(kind, rng):
    layer = LAYERS[kind](rng=5, num_layers=3)
    x = rng.standard_normal((4, 12, 3)).astype(np.float32)
    whole, end = layer(x)
    for cuts in ([0, 6, 12], list(range(13))):
        state, pieces = None, []
        for start, stop in itertools.pairwise(cuts):
            y, state = layer(x[:, start:stop], nn.detach_state(state))
            pieces.append(y.data)
        assert np.array_equal(np.concatenate(pieces, axis=1), whole.data)
        assert all(np.array_equal(a.data, b.data) for a, b in zip(states_of(state), states_of(end), strict=True))
    before, results = ct.get_num_threads(), []
    deep = LAYERS[kind](rng=6, dropout=0.5, **DEEP)
    try:
        for count in (1, 2):
            ct.set_num_threads(count)
            deep.set_seed(1)
            deep.zero_grad()
            y, _ = deep(x, lengths=[12, 0, 3, 9])
            (y * y).sum().backward()
            results.append([y.data, *(np.array(p.grad) for p in deep.parameters())])
    finally:
        ct.set_num_threads(before)
    assert all(np.array_equal(a, b) for a, b in zip(*results, strict=True))


def test_dropout_between_layers_follows_the_seed_and_stops_in_inference(rng):
    layer = nn.GRU(3, 32, num_layers=3, dropout=0.5, rng=0)
    plain = nn.GRU(3, 32, num_layers=3, rng=0)
    x = rng.standard_normal((2, 4, 3)).astype(np.float32)
    assert [m.layer for m in layer.random_layers()] == [0, 0] and layer.set_seed(3) is None
    assert [m.layer for m in layer.random_layers()] == [0, 1]
    first, second = layer(x)[0].data, layer(x)[0].data
    layer.set_seed(3)
    assert np.array_equal(layer(x)[0].data, first) and not np.array_equal(first, second)
    assert np.array_equal(layer.eval()(x)[0].data, plain(x)[0].data)
    assert layer.state_dict().keys() == plain.state_dict().keys()


def test_names_of_weights_are_stable():
    names = ["w_x", "w_h", "b"]
    assert list(nn.LSTM(3, 5).state_dict()) == names
    ends = ["", "_l0_reverse", "_l1", "_l1_reverse"]
    both = nn.LSTM(3, 5, num_layers=2, bidirectional=True)
    assert list(both.state_dict()) == [f"{name}{end}" for end in ends for name in names]
    assert both.w_x_l1.shape == both.w_x_l1_reverse.shape == (10, 20) and both.w_x_l0_reverse.shape == (3, 20)
    assert repr(both) == "LSTM(3, 5, num_layers=2, dropout=0.0, bidirectional=True)"


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("options", [{}, DEEP], ids=str)
def test_no_steps_length_0_and_nan(kind, options, rng):
    layer = LAYERS[kind](rng=7, **options)
    for n, steps in ((2, 0), (0, 3), (0, 0)):
        x = ct.Tensor(np.zeros((n, steps, 3), np.float32), requires_grad=True)
        y, state = layer(x)
        assert y.shape == (n, steps, layer.output_size) and not any(s.data.any() for s in states_of(state))
        y.sum().backward()
        assert not any(p.grad.any() for p in layer.parameters())
        layer.zero_grad()
    x = rng.standard_normal((3, 4, 3)).astype(np.float32)
    _, start = layer(x)
    y, state = layer(x, start, lengths=[4, 0, 2])
    for before, after in zip(states_of(start), states_of(state), strict=True):
        assert np.array_equal(before.data[..., 1, :], after.data[..., 1, :])
    assert not y.data[1].any() and not y.data[2, 2:].any()
    x[1, 2, 0] = x[2, 3, 0] = np.nan  # the second lies beyond its length
    spoilt, _ = layer(x, start, lengths=[4, 4, 2])
    assert np.array_equal(spoilt.data[[0, 2]], y.data[[0, 2]]) and np.isnan(spoilt.data[1, 2:]).all()
    assert np.isnan(spoilt.data[1]).all() if options else np.isfinite(spoilt.data[1, :2]).all()
    with pytest.raises(ValueError, match="from 0 to 4, the steps of x, but sequence 1 has 5"):
        layer(x, lengths=[4, 5, 2])


def test_a_state_that_was_not_detached_is_refused(rng):
    layer = nn.LSTM(3, 5, num_layers=2, rng=8)
    x = rng.standard_normal((2, 4, 3)).astype(np.float32)
    y, state = layer(x)
    y.sum().backward()
    again, _ = layer(x, state)
    with pytest.raises(RuntimeError, match="has been walked already"):
        again.sum().backward()
    cut = nn.detach_state(state)
    assert not any(s.requires_grad for s in cut) and nn.detach_state(None) is None
    y, _ = layer(x, cut)
    assert np.array_equal(y.data, again.data)
    y.sum().backward()
    nested = nn.detach_state((state, state[0]))
    assert nested[0][1].shape == (2, 2, 5) and not nested[1].requires_grad


def test_what_layers_refuse(rng):
    with pytest.raises(ValueError, match="GRU: num_layers must be 1 or more, got 0"):
        nn.GRU(3, 5, num_layers=0)
    for make in (lambda: nn.GRU(3.7, 4), lambda: nn.LSTM("a", 3), lambda: nn.Embedding(40.5, 16)):
        with pytest.raises(TypeError, match="must be a whole number"):
            make()
    with pytest.raises(ValueError, match="dropout acts between layers"):
        nn.GRU(3, 5, dropout=0.5)
    with pytest.raises(ValueError, match="from 0 to below 1, got 1"):
        nn.GRU(3, 5, num_layers=2, dropout=1)
    with pytest.raises(ValueError, match="reverse is for one direction"):
        nn.GRU(3, 5, bidirectional=True, reverse=True)
    with pytest.raises(ValueError, match="back must be"):
        nn.Bidirectional(nn.RNN(3, 4), nn.RNN(3, 4, bidirectional=True))
    deep = nn.LSTM(3, 5, num_layers=2)
    x = np.zeros((2, 4, 3), np.float32)
    with pytest.raises(ValueError, match=r"a state must have shape \(2, N, 5\).*got \(2, 5\)"):
        deep(x, (np.zeros((2, 5), np.float32),) * 2)
    with pytest.raises(ValueError, match="single layer"):
        nn.recurrent_to_torch(deep, "_l0")
    with pytest.raises(ValueError, match="projections"):
        nn.recurrent_from_torch({"weight_hr_l0": x})
