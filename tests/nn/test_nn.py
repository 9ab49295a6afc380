"""Tests of modules, parameters in one flat buffer, layers, initializers and losses."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import catalase as ct
from catalase import nn

pytestmark = pytest.mark.on_the_cpu


def net(seed=0):
    rng = nn.init.generator(seed)
    return nn.Sequential(nn.Linear(7, 40, "relu", rng=rng), nn.Dropout(0.3), nn.Linear(40, 3, rng=rng))


def test_names_and_state(rng):
    model = net()
    assert [n for n, _ in model.named_parameters()] == ["layers.0.w", "layers.0.b", "layers.2.w", "layers.2.b"]
    state, other = model.state_dict(), net(1)
    other.load_state_dict(state)
    assert all(np.array_equal(a, b) for a, b in zip(state.values(), other.state_dict().values(), strict=True))
    assert all(a.flags.c_contiguous for a in state.values())
    for bad, words in [
        ({k: v for k, v in state.items() if k != "layers.0.b"}, "missing \\['layers.0.b'\\]"),
        ({**state, "x": np.ones(1)}, "unknown \\['x'\\]"),
        ({**state, "layers.2.b": np.ones(4, np.float32)}, "layers.2.b must be float32 \\(3,\\)"),
    ]:
        with pytest.raises(ValueError, match=words):
            other.load_state_dict(bad)


def test_the_flat_buffer_holds_everything_and_pads_stay_zero(rng):
    model = net()
    before = model.state_dict()
    buffer = nn.flatten_parameters(model)
    assert all(np.array_equal(a, b) for a, b in zip(before.values(), model.state_dict().values(), strict=True))
    assert nn.flatten_parameters(model) is buffer and buffer.data.ctypes.data % 64 == 0
    row = model.layers[0].w.data.strides[0]
    assert row % 64 == 0 and (row // 64) % 2 == 1, "rows take an odd number of cache lines"
    visible = np.zeros(buffer.data.size, bool)
    for view in buffer.arrays(visible).values():
        view[...] = True
    x, y = rng.standard_normal((20, 7)).astype(np.float32), rng.standard_normal((20, 3))
    for name in ("SGD", "Momentum", "AdaGrad", "RMSProp", "Adam", "AdamW"):
        optimizer = getattr(ct.optim, name)(model, lr=0.01, l1=0.01, l2=0.01, weight_decay=0.1)
        for _ in range(5):
            optimizer.zero_grad()
            nn.losses.L2Loss()(model(ct.Tensor(x)), y).backward()
            optimizer.step()
        assert not buffer.data[~visible].any() and buffer.data[visible].any(), name


def test_a_module_without_parameters_has_no_flat_buffer():
    for make in (nn.flatten_parameters, ct.optim.Adam):
        with pytest.raises(ValueError, match="the module must have parameters"):
            make(nn.Sequential(nn.ReLU()))


def test_gradients_in_the_buffer_equal_those_outside(rng):
    x, y = rng.standard_normal((20, 7)).astype(np.float32), rng.standard_normal((20, 3))
    plain, flat = net().eval(), net().eval()
    nn.flatten_parameters(flat)
    for passes in (1, 2, 3):  # the first is written in place, later ones are added
        for model in (plain, flat):
            model.zero_grad()
            for _ in range(passes):
                nn.losses.L2Loss()(model(ct.Tensor(x)), y).backward()
        for p, q in zip(plain.parameters(), flat.parameters(), strict=True):
            assert np.array_equal(p.grad, q.grad), passes
    flat.zero_grad()
    assert all(p.grad is None for p in flat.parameters())


def test_penalties_leave_biases_alone(rng):
    layer = nn.Linear(3, 3, bias_init=nn.init.constant(1.0))
    weights = layer.w.numpy().copy()
    optimizer = ct.optim.SGD(layer, lr=0.1, l2=1.0)
    optimizer.step()
    assert np.allclose(layer.w.numpy(), 0.9 * weights) and np.all(layer.b.numpy() == 1)


def test_one_parameter_used_twice_counts_once():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(4, 4)
            self.b = self.a

        def forward(self, x):
            return self.b(self.a(x))

    model = Tied()
    assert len(model.parameters()) == 2
    nn.flatten_parameters(model)
    model(ct.Tensor(np.ones((2, 4), np.float32))).sum().backward()
    assert np.isfinite(model.a.w.grad).all() and model.a.w.grad.any()


def test_dropout_is_keyed_and_off_in_inference():
    x = ct.Tensor(np.ones((4, 7), np.float32))
    a, b = net(), net()
    a.set_seed(5), b.set_seed(5)
    first, second = a(x).numpy(), a(x).numpy()
    assert not np.array_equal(first, second), "each training pass has its own mask"
    assert np.array_equal(first, b(x).numpy()) and np.array_equal(second, b(x).numpy())
    assert np.array_equal(a.eval()(x).numpy(), a(x).numpy())


def test_initializers():
    rng = nn.init.generator(0)
    for name, spread in [("glorot_uniform", np.sqrt(2 / 500)), ("glorot_normal", np.sqrt(2 / 500)),
                         ("he_uniform", np.sqrt(2 / 300)), ("he_normal", np.sqrt(2 / 300))]:  # fmt: skip
        values = getattr(nn.init, name)()((300, 200), rng)
        assert values.dtype == np.float32 and abs(values.std() / spread - 1) < 0.03 and abs(values.mean()) < 0.002, name
    assert abs(nn.init.normal(0.5)((100, 100), rng).std() - 0.5) < 0.02
    assert np.abs(nn.init.truncated_normal(0.1)((100, 100), rng)).max() <= 0.2
    values = nn.init.uniform(0.1)((100, 100), rng)
    assert np.abs(values).max() <= 0.1 and abs(values.std() / (0.2 / np.sqrt(12)) - 1) < 0.03
    assert np.all(nn.init.constant(2)((3,), rng) == 2) and not nn.init.zeros()((3,), rng).any()
    with pytest.raises(ValueError, match="std must be 0 or more"):
        nn.init.normal(-1)


def test_losses_and_their_errors():
    out = ct.Tensor(np.zeros((2, 3, 2), np.float32))
    y = np.array([[0, 1, np.nan], [1, 1, 0]])
    w = np.array([[1, 1, 0], [2, 1, 1]])
    assert np.isclose(nn.losses.SoftmaxCrossEntropy()(out, y, w).item(), np.log(2))
    with pytest.raises(ValueError, match="give a missing label the weight 0"):
        nn.losses.SoftmaxCrossEntropy()(out, y, np.ones((2, 3)))
    with pytest.raises(ValueError, match="does not fit"):
        nn.losses.L2Loss()(ct.Tensor(np.zeros((2, 3), np.float32)), np.zeros((2, 4)))
    with pytest.raises(TypeError, match="layer 1 must be a Module"):
        nn.Sequential(nn.Linear(1, 1), "relu")
    with pytest.raises(ValueError, match="rate must be"):
        nn.Dropout(1.0)


def test_modules_and_parameters_are_found_in_containers_and_cycles():
    class Odd(nn.Module):
        def __init__(self):  # without super().__init__(): works too
            self.heads = {"a": nn.Linear(2, 1, rng=0), "b": nn.Linear(2, 1, rng=0)}
            self.scales = [nn.Parameter(np.ones(2, np.float32)), nn.Parameter(np.ones(3, np.float32))]
            self.heads["a"].owner = self

    names = [name for name, _ in Odd().named_parameters()]
    assert names == ["scales.0", "scales.1", "heads.a.w", "heads.a.b", "heads.b.w", "heads.b.b"]
    assert len(list(Odd().modules())) == 3 and Odd().training


def test_linear_takes_leading_axes_and_plain_arrays(rng):
    layer = nn.Linear(4, 3, activation="relu", rng=0)
    x = rng.standard_normal((2, 5, 4)).astype(np.float32)
    y = layer(ct.Tensor(x))
    assert y.shape == (2, 5, 3) and np.array_equal(y.numpy().reshape(10, 3), layer(x.reshape(10, 4)).numpy())
    assert layer(np.zeros((2, 0, 4), np.float32)).shape == (2, 0, 3)
    y.sum().backward()
    assert layer.w.grad.shape == (4, 3)
    with pytest.raises(TypeError, match="x must be a Tensor or a NumPy array, got list"):
        layer([[1.0] * 4])
    with pytest.raises(ValueError, match=r"weight_init must give an array of shape \(4, 3\)"):
        nn.Linear(4, 3, weight_init=lambda shape, rng: np.zeros((3, 4), np.float32))


@pytest.mark.parametrize("kind", ["L1Loss", "L2Loss", "SigmoidCrossEntropy"])
def test_a_missing_label_counts_for_nothing_but_the_divisor(rng, kind):
    out = rng.standard_normal((6, 2))
    y, w = rng.random((6, 2)), np.ones((6, 2))
    y[2, 1], w[2, 1] = np.nan, 0
    x = ct.Tensor(out, requires_grad=True)
    loss = getattr(nn.losses, kind)()(x, y, w)
    loss.backward()
    keep = w > 0
    rest = getattr(nn.losses, kind)()(ct.Tensor(out[keep]), y[keep], None).item()
    assert np.isclose(loss.item(), rest * keep.sum() / keep.size) and x.grad[2, 1] == 0 and (x.grad[keep] != 0).all()


@pytest.mark.parametrize("repeats", [2, 3])
def test_a_layer_used_several_times_gets_the_sum_of_its_gradients(rng, repeats):
    """Was wrong in the flat buffer: the second use overwrote what the first had written there."""
    x = rng.standard_normal((3, 4)).astype(np.float32)
    layer = nn.Linear(4, 4, rng=0)
    model = nn.Sequential(*[layer, nn.Tanh()] * repeats)
    model(ct.Tensor(x)).sum().backward()
    outside = [p.grad.copy() for p in model.parameters()]
    model.zero_grad()
    nn.flatten_parameters(model)
    for _ in range(2):
        model.zero_grad()
        model(ct.Tensor(x)).sum().backward()
        assert all(np.array_equal(p.grad, g) for p, g in zip(model.parameters(), outside, strict=True))
    copies = [nn.Linear(4, 4) for _ in range(repeats)]
    for other in copies:
        other.load_state_dict(layer.state_dict())
    untied = nn.Sequential(*[part for other in copies for part in (other, nn.Tanh())])
    untied(ct.Tensor(x)).sum().backward()
    assert np.allclose(sum(other.w.grad for other in copies), layer.w.grad, rtol=1e-5, atol=1e-6)


def fingerprint_batch(dtype=np.float32, density=0.04):
    rng = np.random.default_rng(5)
    x = (rng.random((24, 512)) < density).astype(dtype)
    return x, rng.standard_normal((24, 3)).astype(dtype)


def wide_net():
    rng = nn.init.generator(1)
    return nn.Sequential(nn.Linear(512, 40, "relu", rng=rng), nn.Linear(40, 3, rng=rng))


def trained(look, optimizer_of, x, steps=5):
    """Train; `look` reads each gradient before the step, so that it is computed as an array."""
    model = wide_net()
    optimizer = optimizer_of(model)
    _, y = fingerprint_batch()
    for _ in range(steps):
        optimizer.zero_grad()
        nn.losses.L2Loss()(model(x if x.dtype == np.uint8 else ct.Tensor(x)), y).backward()
        if look:
            assert all(p.grad is not None for p in model.parameters())
        optimizer.step()
    return np.concatenate([p.numpy().ravel() for p in model.parameters()])


@pytest.mark.parametrize(
    "optimizer_of",
    [
        lambda m: ct.optim.Adam(m, lr=0.01),
        lambda m: ct.optim.Adam(m, lr=0.01, l2=0.01, l1=0.001),
        lambda m: ct.optim.AdamW(m, lr=0.01, clip_norm=0.1),
        lambda m: ct.optim.SGD(m, lr=0.01),
        lambda m: ct.optim.Momentum(m, lr=0.01, nesterov=True),
        lambda m: ct.optim.RMSProp(m, lr=0.01, momentum=0.5),
        lambda m: ct.optim.AdaGrad(m, lr=0.01),
    ],
    ids=["adam", "adam with penalties", "adamw, clipped", "sgd", "nesterov", "rmsprop", "adagrad"],
)
@pytest.mark.parametrize("density", [0.04, 0.5])
def test_looking_at_a_gradient_changes_no_bit(backend, threads, optimizer_of, density):
    x, _ = fingerprint_batch(density=density)
    assert np.array_equal(trained(False, optimizer_of, x), trained(True, optimizer_of, x))


def test_packed_bits_train_to_the_bits_of_floats(backend, threads):
    x, _ = fingerprint_batch()
    packed = np.packbits(x.astype(bool), axis=1, bitorder="little")
    adam = lambda m: ct.optim.Adam(m, lr=0.01)  # noqa: E731
    assert np.array_equal(trained(False, adam, packed), trained(False, adam, x))


def test_accumulated_gradients_have_the_bits_of_a_sum():
    x, y = fingerprint_batch()
    model = wide_net()
    ct.optim.Adam(model)  # flattens
    singles = []
    for part in (slice(0, 12), slice(12, 24)):
        model.zero_grad()
        nn.losses.L2Loss()(model(ct.Tensor(x[part])), y[part]).backward()
        singles.append([p.grad.copy() for p in model.parameters()])
    model.zero_grad()
    for part in (slice(0, 12), slice(12, 24)):
        nn.losses.L2Loss()(model(ct.Tensor(x[part])), y[part]).backward()
    for p, first, second in zip(model.parameters(), *singles, strict=True):
        assert np.array_equal(p.grad, first + second)


@pytest.mark.parametrize("density", [0.04, 0.5])
def test_a_batch_may_be_overwritten_after_backward(density):
    """The gradient is a product to come; it is of the batch as it was."""
    x, y = fingerprint_batch(density=density)
    model = wide_net()
    ct.optim.Adam(model)
    nn.losses.L2Loss()(model(ct.Tensor(x)), y).backward()
    expected = model.layers[0].w.grad.copy()
    model.zero_grad()
    reused = x.copy()
    nn.losses.L2Loss()(model(ct.Tensor(reused)), y).backward()
    reused[...] = 7
    assert np.array_equal(model.layers[0].w.grad, expected)


def test_a_gradient_that_was_changed_by_hand_is_what_the_step_takes():
    x, y = fingerprint_batch()
    moved = []
    for factor in (1.0, 0.0):
        model = wide_net()
        optimizer = ct.optim.SGD(model, lr=0.1)
        nn.losses.L2Loss()(model(ct.Tensor(x)), y).backward()
        before = model.layers[0].w.numpy().copy()
        model.layers[0].w.grad[...] *= factor
        optimizer.step()
        moved.append(np.abs(model.layers[0].w.numpy() - before).max())
    assert moved[0] > 0 and moved[1] == 0


def test_gradients_stay_after_the_step_and_in_copies():
    x, y = fingerprint_batch()
    model = wide_net()
    optimizer = ct.optim.Adam(model)
    nn.losses.L2Loss()(model(ct.Tensor(x)), y).backward()
    twin = copy.deepcopy(model)
    optimizer.step()
    w = model.layers[0].w
    assert np.array_equal(twin.layers[0].w.grad, w.grad) and np.abs(w.grad).max() > 0
    optimizer.zero_grad()
    assert w.grad is None


def test_weights_used_twice_get_both_gradients():
    x, y = fingerprint_batch()
    shared = nn.Linear(512, 3)
    ct.optim.SGD(shared)
    (nn.losses.L2Loss()(shared(ct.Tensor(x)), y) + nn.losses.L2Loss()(shared(ct.Tensor(x[::-1])), y)).backward()
    both = shared.w.grad.copy()
    parts = []
    for each in (x, x[::-1]):
        shared.zero_grad()
        nn.losses.L2Loss()(shared(ct.Tensor(each)), y).backward()
        parts.append(shared.w.grad.copy())
    assert np.allclose(both, parts[0] + parts[1], atol=1e-6)


def test_many_rows_of_packed_bits_go_through_a_net_in_blocks(rng):
    net = ct.nn.Sequential(ct.nn.Linear(16, 4, "tanh", rng=0), ct.nn.ReLU()).eval()
    bits = rng.integers(0, 256, (2100, 2), dtype=np.uint8)
    with ct.no_grad():
        whole = net(bits).numpy()
        assert np.array_equal(whole[2050:], net(bits[2050:]).numpy())
        dense = np.unpackbits(bits, axis=1, bitorder="little").astype(np.float32)
        assert np.array_equal(whole, net(dense).numpy())


def test_a_module_may_change_while_another_thread_walks_through_it():
    net = nn.Sequential(nn.Linear(2, 2))
    net.before, net.after = nn.Dropout(0.5), nn.Dropout(0.5)
    seen = []
    for name, _ in net.children():
        seen.append(name)
        setattr(net, f"other{len(seen)}", 1)  # as the first fit of a graph does, while its summary is printed
    assert seen == ["layers.0", "before", "after"]


@pytest.mark.parametrize("shape", [(12, 2), (24,), (2, 3, 4)])
def test_a_sequential_gives_its_output_the_axes_that_it_was_told(rng, shape):
    x = rng.standard_normal((5, 6)).astype(np.float32)
    plain = nn.Sequential(nn.Linear(6, 7, "relu", rng=1), nn.Linear(7, 24, rng=2))
    shaped = nn.Sequential(*plain.layers, output_shape=shape)
    y, d = shaped(ct.Tensor(x)), rng.standard_normal((5, *shape)).astype(np.float32)
    assert y.shape == (5, *shape) and np.array_equal(y.numpy().reshape(5, 24), plain(ct.Tensor(x)).numpy())
    gradients = []
    for net, given in ((shaped, d), (plain, d.reshape(5, 24))):
        net.zero_grad()
        net(ct.Tensor(x)).backward(given)
        gradients.append([p.grad.copy() for p in net.parameters()])
    assert all(np.array_equal(a, b) for a, b in zip(*gradients, strict=True))


def test_a_sequential_whose_last_layer_is_another_is_given_axes_too():
    net = nn.Sequential(nn.Linear(3, 4, rng=0), nn.ReLU(), output_shape=(2, 2))
    assert net(ct.Tensor(np.ones((5, 3), np.float32))).shape == (5, 2, 2)
    seen = []
    net.layers[0].forward = lambda x: seen.append(x.shape) or nn.functional.linear(x, net.layers[0].w, net.layers[0].b)
    assert net(ct.Tensor(np.ones((5, 3), np.float32))).shape == (5, 2, 2) and seen == [(5, 3)]


def test_layers_that_are_added_to_a_sequential_are_computed():
    net = nn.Sequential(nn.Linear(3, 4, rng=0))
    net.layers.append(nn.Linear(4, 2, rng=1))
    assert net(ct.Tensor(np.ones((5, 3), np.float32))).shape == (5, 2)
