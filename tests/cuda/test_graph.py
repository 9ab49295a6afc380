"""Tests that captured training steps are replayed with fewer launches and the same results."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from catalase.backends.cuda import capture as _graph
from catalase.train import capture as _captured_steps
from tests.cuda.test_training import OPTIMIZERS, dense, table, weights_agree
from tests.reference.losses import ELEMENTWISE, VECTORS

F32 = np.float32
pytestmark = pytest.mark.on_a_device


def train(backend, dataset, loss, make, net, graph, **options):
    net = net.to(backend.device)
    history = ct.train.fit(
        net, dataset, loss, optimizer=make(net), nb_epoch=4, batch_size=10, seed=3, graph=graph, **options
    )
    return net, history


def both(backend, dataset, loss, make, last=None, **options):
    """Train with and without; returns how often steps were captured, and replayed."""
    expected, told = train(backend, dataset, loss, make, dense(last), False, **options)
    counts = {"capture": 0, "run": 0}
    with pytest.MonkeyPatch.context() as patch:
        for name in counts:
            method = getattr(_graph.CapturedStep, name)

            def counted(self, *args, name=name, method=method):
                counts[name] += 1
                return method(self, *args)

            patch.setattr(_graph.CapturedStep, name, counted)
        net, found = train(backend, dataset, loss, make, dense(last), True, **options)
    assert found["loss"] == told["loss"]
    assert all(np.array_equal(a, expected.state_dict()[name]) for name, a in net.state_dict().items())
    return counts["capture"], counts["run"]


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_every_optimizer(backend, rng, name):
    # Batches of 10, 10, 10 and 3: the first of each shape runs as usual, the second is captured.
    assert both(backend, table(rng), ct.nn.losses.SigmoidCrossEntropy(), OPTIMIZERS[name]) == (2, 14)


@pytest.mark.parametrize(
    "loss",
    [
        *(getattr(ct.nn.losses, name)() for name in (*ELEMENTWISE, *VECTORS)),
        ct.nn.losses.HuberLoss(outputs="sum", delta=0.1),
        lambda out, y, w: ((out - 0.5) ** 2 * w).mean(),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_losses(backend, rng, loss):
    last = {"PoissonLoss": "softplus", "BinaryCrossEntropyLoss": "sigmoid"}.get(type(loss).__name__)
    assert both(backend, table(rng), loss, OPTIMIZERS["momentum, l1"], last)[0] == 2


@pytest.mark.parametrize("kind", ["bits", "few values", "dense"])
def test_a_model_of_classes(backend, rng, kind):
    bits = rng.random((33, 128)) < 0.05
    X = {"bits": np.packbits(bits, axis=1, bitorder="little"), "few values": bits * F32(0.5), "dense": bits + F32(1)}
    data = ct.data.NumpyDataset(X[kind], rng.integers(0, 2, (33, 3)).astype(F32), (rng.random((33, 3)) < 0.8) * 1.0)
    nets = []
    for graph in (False, True):
        model = ct.models.MultitaskClassifier(3, 128, layer_sizes=[7], dropouts=0.5, batch_size=15, seed=1)
        model.to(backend.device).fit(data, nb_epoch=3, graph=graph)
        model.fit(data, nb_epoch=2, graph=graph)  # the optimizer goes on; graphs are made anew
        nets.append(model.module)
    assert all(np.array_equal(a, nets[0].state_dict()[n]) for n, a in nets[1].state_dict().items())


def test_a_convolutional_net_with_labels_in_rows(backend, rng):
    X, y = rng.integers(0, 256, (8, 5, 5), dtype=np.uint8), np.eye(3, dtype=F32)[rng.integers(0, 3, 8)]
    nets = []
    for graph in (False, True):
        model = ct.models.CNN(1, 1, 2, [3], kernel_size=3, n_classes=3, batch_norm=True, batch_size=4, seed=1)
        model.to(backend.device).fit(ct.data.NumpyDataset(X, y), nb_epoch=2, graph=graph)
        nets.append(model.module.state_dict())
    assert all(np.array_equal(a, nets[0][name]) for name, a in nets[1].items())


def test_the_learning_rate_may_change_and_the_net_may_move_between_steps(backend, rng):
    class Change(ct.train.Callback):
        def on_epoch_end(self, state):
            state.optimizer.lr *= 0.5
            if state.epoch == 1:
                state.module.to("cpu").to(backend.device)

    captures, _ = both(
        backend, table(rng), ct.nn.losses.L2Loss(), lambda net: ct.optim.AdamW(net, lr=0.05), callbacks=[Change()]
    )
    assert captures == 4


def test_what_dropout_draws_by_may_change_between_steps(backend, rng):
    class Change(ct.train.Callback):
        def on_batch_end(self, state):
            layer = state.module.random_layers()[0]
            if state.optimizer.steps == 6:
                layer.rate = 0.75
            if state.optimizer.steps == 10:
                layer.seed += 1

    loss = ct.nn.losses.SigmoidCrossEntropy()
    captured, _ = both(backend, table(rng), loss, OPTIMIZERS["momentum, l1"], callbacks=[Change()])
    assert captured > 2


def test_resumed_by_a_run_without(backend, rng, tmp_path):
    data, loss = table(rng), ct.nn.losses.L2Loss()
    whole, _ = train(backend, data, loss, OPTIMIZERS["adamw"], dense(None), False)
    net = dense(None).to(backend.device)
    options = {"batch_size": 10, "seed": 3, "callbacks": [ct.train.Checkpoint(tmp_path)]}
    ct.train.fit(net, data, loss, optimizer=OPTIMIZERS["adamw"](net), nb_epoch=3, graph=True, **options)
    again = dense(None)
    ct.train.fit(again, data, loss, optimizer=OPTIMIZERS["adamw"](again), nb_epoch=4, resume=tmp_path, **options)
    weights_agree(again, whole)


def test_a_loss_that_is_not_finite_leaves_the_weights(backend, rng):
    X = rng.standard_normal((40, 12)).astype(F32)
    data = ct.data.NumpyDataset(X, np.zeros((40, 3), F32))
    states = []

    class Spoil(ct.train.Callback):
        def on_batch_end(self, state):
            if state.epoch == 1 and state.batch == 2:
                states.append(state.module.state_dict())
                X[...] = np.inf
                states.append(state.optimizer.steps)

    for graph in (False, True):
        X[...] = 1.0
        net = ct.nn.Sequential(ct.nn.Linear(12, 3, rng=0)).to(backend.device)
        optimizer = ct.optim.Adam(net)
        with pytest.raises(FloatingPointError, match="in epoch 1, batch 3"):
            ct.train.fit(
                net, data, ct.nn.losses.L2Loss(), optimizer=optimizer, nb_epoch=3, batch_size=10, seed=0,
                callbacks=[Spoil()], graph=graph,
            )  # fmt: skip
        before, steps = states[-2:]
        assert optimizer.steps == steps and all(np.array_equal(a, before[n]) for n, a in net.state_dict().items())
        assert np.isfinite(optimizer.state_dict()["m/layers.0.w"]).all()


def test_what_cannot_be_captured_says_so(backend, rng):
    data, make = table(rng), OPTIMIZERS["sgd"]

    def reads(out, y, w):
        return out.mean() * (1.0 if out.sum().item() > 0 else 2.0)

    with pytest.raises(RuntimeError, match=r"graph: the step reads an array of the device.*graph=False"):
        train(backend, data, reads, make, dense(None), True)
    shared = ct.nn.Dropout(0.5)
    net = ct.nn.Sequential(ct.nn.Linear(12, 4), shared, ct.nn.Linear(4, 3), shared)
    with pytest.raises(RuntimeError, match="a random layer runs twice"):
        train(backend, data, ct.nn.losses.L2Loss(), make, net, True)
    assert shared.step == 2  # one step as usual

    class Own(ct.optim.SGD):
        def _rule(self, param, grad, state, lr, penalties):
            ct.ops.sgd_step(param, grad, lr=lr * 0.5, **penalties)

    with pytest.raises(RuntimeError, match="numbers that are not its optimizer's"):
        train(backend, data, ct.nn.losses.L2Loss(), lambda net: Own(net, 0.1), dense(None), True)


def test_a_graph_that_the_device_has_no_memory_for(backend, rng, monkeypatch):
    data, captures = table(rng), []
    expected, _ = train(backend, data, ct.nn.losses.L2Loss(), OPTIMIZERS["rmsprop"], dense(None), False)

    def capture(self, step, lr, count):
        monkeypatch.setattr(_graph._current, "graph", self)
        self._expected = (lr, count)
        self.device.capture(step)  # all of it, and then no memory
        monkeypatch.setattr(_graph._current, "graph", None)
        captures.append(count)
        raise MemoryError("none left")

    monkeypatch.setattr(_graph.CapturedStep, "capture", capture)
    net, _ = train(backend, data, ct.nn.losses.L2Loss(), OPTIMIZERS["rmsprop"], dense(None), True)
    assert len(captures) == 2, "each kind of batch once"
    assert all(np.array_equal(a, expected.state_dict()[name]) for name, a in net.state_dict().items())


def test_no_more_graphs_than_are_kept(backend, rng, monkeypatch):
    monkeypatch.setattr(_captured_steps, "_MOST", 1)
    assert both(backend, table(rng), ct.nn.losses.L2Loss(), OPTIMIZERS["sgd"]) == (1, 11)


def test_on_the_cpu_it_does_nothing(rng):
    net, data = dense(None), table(rng)
    history = ct.train.fit(
        net, data, ct.nn.losses.L2Loss(), optimizer=ct.optim.SGD(net, lr=0.1), nb_epoch=2, graph=True
    )
    assert len(history) == 2
