"""Tests of modules on a device: moving them, refusing mixtures of devices, and other errors."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import numpy as np
import pytest

import catalase as ct
from catalase.backends import backend_named, description
from catalase.backends.cuda import device as _device
from tests.agreement import same_as_cpu

pytestmark = pytest.mark.at_one_level

F32 = np.float32


def net():
    return ct.nn.Sequential(ct.nn.Linear(5, 18, "tanh", rng=0), ct.nn.BatchNorm(18), ct.nn.Linear(18, 2, rng=1))


def step(module, x, optimizer):
    (module(x) ** 2).mean().backward()
    optimizer.step()
    optimizer.zero_grad()


def test_moving_keeps_values_gradients_and_layout(backend, rng):
    x = rng.standard_normal((7, 5)).astype(F32)
    cpu, moved = net(), net()
    for module in (cpu, moved):
        (module(ct.Tensor(x)) ** 2).mean().backward()
    before = moved.layers[0].w
    assert moved.to(backend.device) is moved and moved.layers[0].w is before and before.device == backend.device
    w = before.data
    assert w.shape == (5, 18) and w.strides[0] == 192 and not w.flags.c_contiguous  # rows padded to three lines
    for a, b in zip(moved.parameters(), cpu.parameters(), strict=True):
        assert np.array_equal(a.numpy(), b.numpy()) and np.array_equal(backend.get(a.grad), b.grad)
    assert [v.device for _, v in moved.named_buffers()] == [backend.device] * 2
    step(moved, ct.Tensor(backend.array(x)), ct.optim.SGD(moved, lr=0.1))
    step(cpu, ct.Tensor(x), ct.optim.SGD(cpu, lr=0.1))
    buffer = ct.nn.flatten_parameters(moved)
    assert buffer.device == backend.device and buffer.data.size == ct.nn.flatten_parameters(cpu).data.size
    assert all(same_as_cpu(a.numpy(), b.numpy()) for a, b in zip(moved.parameters(), cpu.parameters(), strict=True))
    assert moved.to("cpu").device == "cpu" and type(moved.layers[0].w.data) is np.ndarray


@pytest.mark.on_a_device
def test_an_optimizer_follows_its_parameters(backend, rng):
    x = rng.standard_normal((7, 5)).astype(F32)
    cpu, moved = net(), net()
    optimizers = [ct.optim.Adam(m, lr=0.01) for m in (cpu, moved)]
    for device in ("cpu", backend.device, "cpu", backend.device, backend.device):
        step(cpu, ct.Tensor(x), optimizers[0])
        step(moved.to(device), ct.Tensor(x if device == "cpu" else backend.array(x)), optimizers[1])
        moved.to("cpu").to(device)  # and back, with no step between
    state, expected = optimizers[1].state_dict(), optimizers[0].state_dict()
    assert all(same_as_cpu(state[name], expected[name]) for name in expected)
    optimizers[1].load_state_dict({name: a * 0 for name, a in state.items()})
    assert not any(a.any() for a in optimizers[1].state_dict().values())


def test_a_gradient_stays_a_product_until_it_is_looked_at(backend, rng):
    module = ct.nn.Linear(4, 3, rng=0).to(backend.device)
    ct.nn.flatten_parameters(module)
    x = rng.standard_normal((6, 4)).astype(F32)
    on = backend.array(x)
    module(on if backend.device == "host" else ct.Tensor(on)).sum().backward()
    assert module.w._pending is not None
    backend_named(backend.device).copyto(on, 0.0)  # whoever made the input may write into it
    assert np.allclose(backend.get(module.w.grad), x.T @ np.ones((6, 3)), rtol=1e-5, atol=1e-6)
    module(ct.Tensor(backend.array(x))).sum().backward()  # a second one is added
    assert np.allclose(backend.get(module.w.grad), 2 * x.T @ np.ones((6, 3)), rtol=1e-5, atol=1e-6)
    module.w.grad = backend.array(np.ones((4, 3), F32))
    assert np.array_equal(backend.get(module.w.grad), np.ones((4, 3)))


@pytest.mark.on_a_device
def test_a_graph_from_before_the_move_is_refused(backend):
    module = ct.nn.Linear(3, 2, rng=0).to(backend.device)
    out = module(ct.Tensor(backend.array(np.ones((4, 3), F32)))).sum()
    module.to("cpu")
    with pytest.raises(RuntimeError, match="changed after the forward pass"):
        out.backward()


@pytest.mark.on_a_device
def test_mixtures_are_named(backend):
    module = net().to(backend.device)
    x = np.ones((3, 5), F32)
    with pytest.raises(
        TypeError, match=r"linear: all arrays must be on one device, got x numpy, w \w+(, b \w+)?; move them"
    ):
        module(ct.Tensor(x))
    with pytest.raises(TypeError, match="linear: all arrays must be on one device"):
        net()(ct.Tensor(backend.array(x)))
    half = net()
    optimizer = ct.optim.SGD(half, lr=0.1)
    half.layers[0].to(backend.device)
    with pytest.raises(ValueError, match=r"parameters must be on one device, got .* on cpu.*move the whole net"):
        optimizer.step()
    module(ct.Tensor(backend.array(x)))


@pytest.mark.on_a_device
def test_what_a_device_does_not_take(backend):
    wide = ct.nn.Linear(2, 2, weight_init=lambda shape, rng: np.zeros(shape))
    with pytest.raises(TypeError, match=r"Linear\.to: w is float64; a device takes float32"):
        wide.to(backend.device)
    with pytest.raises(ValueError, match=r"Linear\.to: device must be 'cpu' or 'cuda', got 'gpu'"):
        ct.nn.Linear(2, 2).to("gpu")
    x = ct.Tensor(backend.array(np.ones((2, 3, 4), F32)))
    with pytest.raises(TypeError, match=r"TanimotoKNNClassifier\.to: this model is no net; it computes on the CPU"):
        ct.models.TanimotoKNNClassifier(1, 8).to(backend.device)
    ct.nn.ReLU()(x)


LAYERS = {
    "upsample": lambda: ct.nn.Upsample(2, "linear"),
    "gru": lambda: ct.nn.GRU(4, 3, rng=0),
    "embedding": lambda: ct.nn.Embedding(4, 3, rng=0),
}


@pytest.mark.parametrize("name", list(LAYERS))
def test_layers_compute_where_they_are(backend, rng, name):
    x = rng.standard_normal((2, 3, 4)).astype(F32) if name != "embedding" else rng.integers(0, 4, (2, 3))
    outputs = []
    for device, given in (("cpu", x), (backend.device, backend.array(x))):
        y = LAYERS[name]().to(device)(given if name == "embedding" else ct.Tensor(given))
        outputs.append(y[0] if isinstance(y, tuple) else y)
    assert same_as_cpu(backend.get(outputs[1].data), outputs[0].numpy())
    assert np.isfinite(outputs[0].numpy()).all() and outputs[0].numpy().any()


def test_long_batches_dense_rows_bits_and_images(backend, rng):
    layers = ct.nn.Sequential(ct.nn.Linear(16, 4, rng=0), ct.nn.ReLU()).eval()
    X = rng.standard_normal((2100, 16)).astype(F32)
    with ct.no_grad():
        expected = layers(ct.Tensor(X)).numpy()
    layers.to(backend.device)
    with ct.no_grad():
        assert same_as_cpu(backend.get(layers(ct.Tensor(backend.array(X))).data), expected)
    bits = rng.integers(0, 256, (5, 2), dtype=np.uint8)
    dense = np.unpackbits(bits, axis=1, bitorder="little").astype(F32)
    assert same_as_cpu(layers(backend.array(bits)).numpy(), layers.to("cpu")(ct.Tensor(dense)).numpy())
    image = rng.standard_normal((2, 4, 4, 1)).astype(F32)
    filters = ct.nn.Conv2D(1, 3, 3, rng=0).to(backend.device)
    assert filters(backend.array(image)).shape == (2, 4, 4, 3) and filters.device == backend.device


def test_a_copy_has_memory_of_its_own(backend, rng):
    x = ct.Tensor(backend.array(rng.standard_normal((7, 5)).astype(F32)))
    module = net().to(backend.device)
    copied = copy.deepcopy(module)
    step(module, x, ct.optim.SGD(module, lr=0.5))
    optimizer = ct.optim.Adam(module, lr=0.1)
    twice, again = copy.deepcopy((module, optimizer))
    step(twice, x, again)
    assert all(
        np.array_equal(a.numpy(), b.numpy()) for a, b in zip(copied.parameters(), net().parameters(), strict=True)
    )
    assert not np.array_equal(twice.layers[0].w.numpy(), module.layers[0].w.numpy())
    assert again.state_dict()["m/layers.0.w"].any() and not optimizer.state_dict()["m/layers.0.w"].any()
    folded = ct.nn.fold_batch_norm(module)
    assert folded.device == backend.device and len(folded) == 3
    twin = ct.nn.Sequential(ct.nn.Linear(5, 18, rng=0), ct.nn.BatchNorm(18), ct.nn.ReLU()).to(backend.device)
    folded = ct.nn.fold_batch_norm(twin)
    assert np.allclose(backend.get(folded(x).data), twin.eval()(x).numpy(), atol=1e-5) and ct.nn.dead_relu(twin, x)
    assert folded.device == backend.device and "(N, 18)" in twin.summary((5,))


def test_without_a_device_the_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr(_device.util, "find_spec", lambda name: None)
    if description.config()["gpu"][:4] == "none":
        with pytest.raises(RuntimeError, match=r"Linear\.to: needs a CUDA device.*pip install \"catalase\[cuda12\]\""):
            ct.nn.Linear(2, 2).to("cuda")
        with pytest.raises(RuntimeError, match=r"MultitaskRegressor\.to: needs a CUDA device"):
            ct.models.MultitaskRegressor(1, 8).to("cuda")


@pytest.mark.on_a_device
def test_out_of_memory_leaves_everything_usable(backend, rng, monkeypatch):
    model = ct.models.MultitaskRegressor(1, 5, layer_sizes=[13], batch_size=10, seed=1).to(backend.device)
    X = rng.standard_normal((30, 5)).astype(F32)
    data = ct.data.NumpyDataset(X, X[:, :1])
    model.fit(data, nb_epoch=1)
    runtime, left = backend_named(backend.device), SimpleNamespace(count=9)
    empty = type(runtime).empty

    def full(*args):
        left.count -= 1
        if left.count < 0:
            raise MemoryError("the device has no 1 bytes")
        return empty(runtime, *args)

    monkeypatch.setattr(runtime, "empty", full)
    with pytest.raises(MemoryError, match="the device has no"):
        model.fit(data, nb_epoch=1)
    left.count = 9
    with pytest.raises(MemoryError):
        (other := net()).to(backend.device)
    assert other.device == "cpu" and all(p.device == "cpu" for p in other.parameters())
    monkeypatch.undo()
    assert np.isfinite(model.fit(data, nb_epoch=1)["loss"][0]) and model.predict(X).shape == (30, 1)


def test_dead_relu_takes_batches_of_the_host_and_of_the_device(backend, rng):
    x = (rng.random((20, 16)) < 0.5).astype(F32)
    packed = np.packbits(x.astype(bool), axis=1, bitorder="little")
    model = ct.models.MultitaskClassifier(1, 16, layer_sizes=[8])
    model.module.layers[0].b.data[:3] = -1e6
    expected = ct.nn.dead_relu(model, x)
    assert expected["layers.0"] >= 3 / 8
    model.to(backend.device)
    assert (backend.get(model.module.layers[0].b.data)[:3] == -1e6).all()
    for batch in (x, packed, backend.array(x), backend.array(packed)):
        assert ct.nn.dead_relu(model, batch) == ct.nn.dead_relu(model.module, batch) == expected
    for batch in (ct.Tensor(x), ct.Tensor(backend.array(x)), x.tolist()):
        assert ct.nn.dead_relu(model.module, batch) == expected
    assert model.device == backend.device
