"""Tests that nets are moved to a device, trained, checkpointed and moved back, with the results of a run on the CPU."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from tests.agreement import same_as_cpu
from tests.reference.activations import OF_INPUT

pytestmark = pytest.mark.at_one_level

F32 = np.float32


def weights_agree(net, cpu, exactly=True):
    a, b = net.state_dict(), cpu.state_dict()
    assert a.keys() == b.keys()
    for name in a:
        agree = same_as_cpu(a[name], b[name]) if exactly else np.allclose(a[name], b[name], rtol=1e-4, atol=1e-5)
        assert agree, (name, np.abs(a[name] - b[name]).max())


def stayed(backend, net):
    """Whether a net is where it was moved to, with numbers in it."""
    values = [backend.get(p.data) for p in net.parameters()]
    return net.device == backend.device and all(np.isfinite(v).all() for v in values)


def both(backend, make, dataset, loss, optimizer, nb_epoch=2, exactly=True, **options):
    """Train two equal nets, one on the CPU, one on the device."""
    runs = []
    for device in ("cpu", backend.device):
        net = make().to(device)
        history = ct.train.fit(
            net, dataset, loss, optimizer=optimizer(net), nb_epoch=nb_epoch, batch_size=10, seed=3, **options
        )
        runs.append((net, history))
    (cpu, expected), (net, found) = runs
    assert stayed(backend, net)
    assert np.allclose(found["loss"], expected["loss"], rtol=1e-5)
    weights_agree(net, cpu, exactly)
    return cpu, net


def table(rng, rows=33, features=12, tasks=3):
    X = rng.standard_normal((rows, features)).astype(F32)
    y = (rng.random((rows, tasks)) < 0.5).astype(np.float64)
    w = (rng.random((rows, tasks)) < 0.8).astype(F32)
    y[w == 0] = np.nan
    return ct.data.NumpyDataset(X, y, w)


OPTIMIZERS = {
    "adam, clipped": lambda net: ct.optim.Adam(net, lr=ct.optim.CosineDecay(0.1, 0.01, 5), l2=0.01, clip_norm=0.05),
    "adamw": lambda net: ct.optim.AdamW(net, lr=0.01),
    "momentum, l1": lambda net: ct.optim.Momentum(net, lr=0.05, l1=0.001),
    "rmsprop": lambda net: ct.optim.RMSProp(net, lr=0.01),
    "adagrad": lambda net: ct.optim.AdaGrad(net, lr=0.01, initial_accumulator=0.1),
    "sgd": lambda net: ct.optim.SGD(net, lr=0.1),
    "amsgrad, l1": lambda net: ct.optim.Adam(net, lr=0.01, amsgrad=True, l1=0.001),
    "lion": lambda net: ct.optim.Lion(net, lr=0.001),
    "p-norm and max-norm": lambda net: ct.optim.SGD(net, lr=0.05, lp=0.01, p=3.0, max_norm=0.5),
}


def dense(activation="relu"):
    return ct.nn.Sequential(
        ct.nn.Linear(12, 21, bias=False, rng=0), ct.nn.BatchNorm(21, activation="relu"), ct.nn.Dropout(0.3),
        ct.nn.Linear(21, 3, activation, rng=1),
    )  # fmt: skip


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_a_dense_net_with_batch_normalization_and_dropout(backend, rng, name):
    exactly = "clipped" not in name  # the norm is summed in another order
    data = table(rng)
    loss = ct.nn.losses.SigmoidCrossEntropy()
    cpu, net = both(backend, lambda: dense(None), data, loss, OPTIMIZERS[name], exactly=exactly, valid=data)
    x = data.X[:5]
    found = net(ct.Tensor(backend.array(x))).numpy()
    assert (same_as_cpu if exactly else np.allclose)(found, cpu(ct.Tensor(x)).numpy())


LOSSES = {
    "l2": ct.nn.losses.L2Loss(),
    "l1": ct.nn.losses.L1Loss(),
    "own": lambda out, y, w: ((out - 0.5) ** 2 * w).mean() + (out * w).abs().sum() * 0.01,
    "wrapped": lambda out, y, w: ct.nn.losses.SigmoidCrossEntropy()(out, y, w) * 2.0,
}


@pytest.mark.parametrize("name", list(LOSSES))
def test_losses(backend, rng, name):
    both(backend, lambda: dense("tanh"), table(rng), LOSSES[name], OPTIMIZERS["momentum, l1"], nb_epoch=1)


@pytest.mark.parametrize("activation", OF_INPUT)
def test_activations_that_keep_their_input(backend, rng, activation):
    both(backend, lambda: dense(activation), table(rng), LOSSES["l2"], OPTIMIZERS["sgd"], nb_epoch=1)


def test_a_net_with_residual_blocks_layer_normalization_and_a_variance(backend, rng):
    data = table(rng)
    found = []
    for device in ("cpu", backend.device):
        model = ct.models.MultitaskRegressor(
            3, 12, layer_sizes=[35, 35], dropouts=0.2, batch_size=10, seed=1,
            residual=True, layer_norm=True, uncertainty=True,
        ).to(device)  # fmt: skip
        model.fit(data, nb_epoch=2)
        found.append((model, *model.predict_uncertainty(data, masks=3)))
    (cpu, *expected), (net, *results) = found
    assert stayed(backend, net.module)
    weights_agree(net, cpu)
    assert all(map(same_as_cpu, results, expected))


def fingerprints(rng, rows=33, features=128, tasks=3):
    dense = (rng.random((rows, features)) < 0.06).astype(F32)
    y = rng.integers(0, 2, (rows, tasks)).astype(np.float64)
    w = (rng.random((rows, tasks)) < 0.8).astype(F32)
    return dense, np.packbits(dense != 0, axis=1, bitorder="little"), y, w


@pytest.mark.parametrize("kind", ["packed bits", "zeros and ones", "few values", "dense"])
def test_a_classifier_of_fingerprints(backend, rng, kind):
    X, bits, y, w = fingerprints(rng)
    X = {"packed bits": bits, "zeros and ones": X, "few values": X * 0.5, "dense": X + 1}[kind]
    data = ct.data.NumpyDataset(X, y, w)
    results = []
    for device in ("cpu", backend.device):
        model = ct.models.MultitaskClassifier(3, 128, layer_sizes=[11, 5], dropouts=0.25, batch_size=20, seed=5)
        history = model.to(device).fit(data, nb_epoch=2, valid=data)
        assert model.device == device
        results.append(
            (model, history, model.predict(data), model.evaluate(data, ct.metrics.Metric(ct.metrics.roc_auc_score)))
        )
    (cpu, expected, p, scores), (model, found, q, others) = results
    assert stayed(backend, model.module)
    weights_agree(model.module, cpu.module)
    assert type(q) is np.ndarray and same_as_cpu(q, p) and others == pytest.approx(scores)
    assert np.allclose(found["loss"], expected["loss"]) and np.allclose(found["valid_loss"], expected["valid_loss"])


def test_a_regressor_goes_on_where_it_was_moved_to_and_is_saved(backend, rng, tmp_path):
    X = rng.standard_normal((30, 5)).astype(F32)
    data = ct.data.NumpyDataset(X, X[:, :1] ** 2)
    cpu, moved = (
        ct.models.MultitaskRegressor(1, 5, layer_sizes=[13], batch_size=10, weight_decay_penalty=0.01, seed=1)
        for _ in range(2)
    )
    for device in ("cpu", backend.device, "cpu", backend.device):
        cpu.fit(data, nb_epoch=1)
        moved.to(device).fit(data, nb_epoch=1)
    assert stayed(backend, moved.module)
    weights_agree(moved.module, cpu.module)
    moved.save(tmp_path)
    again = ct.models.load(tmp_path)
    assert again.device == "cpu" and same_as_cpu(moved.predict(X), again.predict(X))


@pytest.mark.parametrize("options", [{}, {"batch_norm": True, "residual": True, "padding": "same"}], ids=str)
def test_a_convolutional_net(backend, rng, options):
    X = rng.integers(0, 256, (8, 6, 5), dtype=np.uint8)
    data = ct.data.NumpyDataset(X, rng.integers(0, 3, (8, 1)).astype(F32))
    runs = []
    for device in ("cpu", backend.device):
        model = ct.models.CNN(
            1, 1, 2, layer_filters=[4, 4], kernel_size=3, dropouts=0.2, n_classes=3, dense_layer_size=6, batch_size=4,
            weight_init_stddevs=0.5, bias_init_consts=0.1, pool_type="average", seed=2, **options,
        )  # fmt: skip
        history = model.to(device).fit(data, nb_epoch=2)
        runs.append((model, history, model.predict(X)))
    (cpu, expected, p), (model, found, q) = runs
    assert stayed(backend, model.module)
    weights_agree(model.module, cpu.module, exactly=False)  # the CPU's convolutions may sum in another order
    assert np.allclose(q, p, atol=1e-4) and np.allclose(found["loss"], expected["loss"], rtol=1e-4)
    assert "Conv2D" in model.summary()


def test_a_graph_of_layers(backend, rng):
    from catalase.models.tensorgraph import layers as L

    X, y = rng.random((10, 6, 6)).astype(F32), rng.integers(0, 2, 10)
    runs = []
    for device in ("cpu", backend.device):
        x, label, w = L.Feature((None, 6, 6)), L.Label((None, 2)), L.Weights((None, 1))
        conv = L.Conv2D(3, kernel_size=3, activation_fn="relu", in_layers=L.Reshape((None, 6, 6, 1), in_layers=x))
        flat = L.Flatten(L.MaxPool2D(ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], in_layers=conv))
        both_ = L.Concat([L.Dense(5, activation_fn="tanh", in_layers=flat), L.Dropout(0.3, in_layers=flat)])
        logits = L.Dense(2, in_layers=L.BatchNorm(both_))
        model = ct.models.TensorGraph(batch_size=5, learning_rate=0.01, seed=4)
        model.set_loss(
            L.WeightDecay(0.01, "l2", in_layers=L.WeightedError([L.SoftMaxCrossEntropy([label, logits]), w]))
        )
        model.add_output(L.SoftMax(logits))
        history = model.to(device).fit(ct.data.NumpyDataset(X, np.eye(2)[y], np.ones(10)), nb_epoch=2)
        runs.append((model, history, model.predict(X)))
    (cpu, expected, p), (model, found, q) = runs
    assert stayed(backend, model.module)
    weights_agree(model.module, cpu.module, exactly=False)
    assert np.allclose(q, p, atol=1e-4) and np.allclose(found["loss"], expected["loss"], rtol=1e-4)


class Interrupt(ct.train.Callback):
    order = 2

    def on_epoch_end(self, state):
        if state.epoch == 1:
            raise KeyboardInterrupt


@pytest.mark.parametrize("first", ["cpu", "device"])
def test_a_killed_run_goes_on_on_another_device(backend, rng, tmp_path, first):
    devices = ("cpu", backend.device) if first == "cpu" else (backend.device, "cpu")
    data = table(rng)
    options = {"nb_epoch": 4, "batch_size": 10, "seed": 9}
    loss, make = ct.nn.losses.SigmoidCrossEntropy(), OPTIMIZERS["adamw"]
    whole = dense(None)
    expected = ct.train.fit(whole, data, loss, optimizer=make(whole), **options)
    net = dense(None).to(devices[0])
    with pytest.raises(KeyboardInterrupt):
        ct.train.fit(
            net, data, loss, optimizer=make(net), callbacks=[ct.train.Checkpoint(tmp_path), Interrupt()], **options
        )
    resumed = dense(None).to(devices[1])
    keep = [ct.train.Checkpoint(tmp_path), ct.train.EarlyStopping("loss", patience=10)]
    with pytest.raises(ValueError, match="callbacks"):
        ct.train.fit(resumed, data, loss, optimizer=make(resumed), callbacks=keep, resume=tmp_path, **options)
    found = ct.train.fit(
        resumed, data, loss, optimizer=make(resumed), callbacks=[Interrupt(), ct.train.Checkpoint(tmp_path)],
        resume=tmp_path, **options,
    )  # fmt: skip
    assert stayed(backend, resumed if first == "cpu" else net)
    weights_agree(resumed, whole)
    assert np.allclose(found["loss"], expected["loss"], rtol=1e-5)
