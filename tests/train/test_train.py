"""Tests that training learns, is reproducible to the bit, stops early, and survives a kill."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest

import catalase as ct
from catalase import nn, train


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 10)).astype(np.float32)
    return ct.data.NumpyDataset(X, X[:, :1] * X[:, 1:2] + 0.1 * rng.standard_normal((300, 1)))


def net():
    rng = nn.init.generator(0)
    return nn.Sequential(nn.Linear(10, 32, "tanh", rng=rng), nn.Dropout(0.1), nn.Linear(32, 1, rng=rng))


def run(data, epochs, callbacks=(), optimizer="Adam", resume=None, **options):
    model = net()
    history = train.fit(
        model, data, nn.losses.L2Loss(), optimizer=getattr(ct.optim, optimizer)(model, lr=0.01),
        nb_epoch=epochs, batch_size=32, seed=3, callbacks=callbacks, resume=resume, **options,
    )  # fmt: skip
    return model, history


def same(a, b):
    return all(np.array_equal(p, q) for p, q in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


@pytest.mark.parametrize("optimizer", ["SGD", "Momentum", "AdaGrad", "RMSProp", "Adam", "AdamW"])
def test_every_optimizer_learns(data, optimizer):
    _, history = run(data, 30, optimizer=optimizer)
    assert history["loss"][-1] < 0.9 * history["loss"][0], history


def test_same_seed_same_bits_for_any_thread_count(data):
    before, models = ct.get_num_threads(), []
    for threads in (1, 2, 5):
        ct.set_num_threads(threads)
        models.append(run(data, 3)[0])
    ct.set_num_threads(before)
    assert same(models[0], models[1]) and same(models[0], models[2])


def test_early_stopping_restores_the_best_weights_to_the_bit(data):
    seen = []

    class Spy(train.Callback):
        def on_epoch_end(self, state):
            seen.append((state.logs["valid_loss"], state.module.state_dict()))

    stopper = train.EarlyStopping(patience=3)
    model, history = run(data, 200, [Spy(), stopper], valid=data.select(range(60, 90)))
    best = int(np.argmin([loss for loss, _ in seen]))
    assert len(history) < 200 and stopper.best_epoch == best and len(history) == best + 4
    assert all(np.array_equal(a, b) for a, b in zip(model.state_dict().values(), seen[best][1].values(), strict=True))


def test_the_best_weights_come_back_when_all_epochs_were_run_too(data):
    seen = []

    class Spy(train.Callback):
        def on_epoch_end(self, state):
            seen.append((state.logs["valid_loss"], state.module.state_dict()))

    few = data.select(range(8))  # overfitted at once
    stopper = train.EarlyStopping(patience=1000)
    model, history = run(few, 60, [Spy(), stopper], valid=data.select(range(60, 90)))
    best = int(np.argmin([loss for loss, _ in seen]))
    assert len(history) == 60 and stopper.best_epoch == best < 59
    assert all(np.array_equal(a, b) for a, b in zip(model.state_dict().values(), seen[best][1].values(), strict=True))


@pytest.mark.parametrize("killed_after", [1, 4, 5])
def test_a_resumed_run_gives_the_bits_of_an_uninterrupted_one(data, tmp_path, killed_after):
    class Kill(train.Callback):
        def __init__(self, at):
            self.at = at

        def on_batch_end(self, state):
            if state.epoch == self.at and state.batch == 2:
                raise KeyboardInterrupt

    options = {"valid": data.select(range(50))}
    whole, history = run(
        data, 9, [Kill(99), train.EarlyStopping(patience=50), train.Checkpoint(tmp_path / "c", 2)], **options
    )
    folder = tmp_path / "killed"
    with contextlib.suppress(KeyboardInterrupt):
        run(data, 9, [Kill(killed_after), train.EarlyStopping(patience=50), train.Checkpoint(folder)], **options)
    callbacks = [Kill(99), train.EarlyStopping(patience=50), train.Checkpoint(folder)]
    resumed, again = run(data, 9, callbacks, resume=folder, **options)
    assert same(whole, resumed) and again["loss"] == history["loss"] and again["valid_loss"] == history["valid_loss"]


def test_a_kill_while_saving_leaves_a_state_to_resume_from(data, tmp_path, monkeypatch):
    run(data, 2, [train.Checkpoint(tmp_path / "c")])
    import os

    real, calls = os.replace, []

    def failing(*args):
        calls.append(args)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(OSError, match=r"."):
        run(data, 4, [train.Checkpoint(tmp_path / "c")], resume=tmp_path / "c")
    monkeypatch.setattr(os, "replace", real)
    assert calls
    resumed, history = run(data, 4, [train.Checkpoint(tmp_path / "c")], resume=tmp_path / "c")
    assert same(resumed, run(data, 4)[0]) and len(history) == 4


def test_resume_refuses_what_does_not_fit(data, tmp_path):
    run(data, 1, [train.Checkpoint(tmp_path / "c")])
    with pytest.raises(ValueError, match="written with Adam, but this run uses SGD"):
        run(data, 2, [train.Checkpoint(tmp_path / "c")], optimizer="SGD", resume=tmp_path / "c")
    with pytest.raises(ValueError, match="callbacks"):
        run(data, 2, resume=tmp_path / "c")
    with pytest.raises((ValueError, OSError), match="absent"):
        run(data, 2, resume=tmp_path / "absent")


def test_a_loss_that_explodes_is_named(data):
    model = net()
    with pytest.raises(FloatingPointError, match=r"epoch 0, batch 0; look for NaN"):
        bad = ct.data.NumpyDataset(np.full((4, 10), np.inf, np.float32), np.zeros((4, 1)))
        train.fit(model, bad, nn.losses.L2Loss(), optimizer=ct.optim.Adam(model), nb_epoch=1)


def test_clipping_bounds_the_step(data):
    model = net()
    before = model.state_dict()
    optimizer = ct.optim.SGD(model, lr=1.0, clip_norm=0.01)
    nn.losses.L2Loss()(model(ct.Tensor(data.X)), 1000 * data.y).backward()
    optimizer.step()
    moved = np.sqrt(sum(np.sum((model.state_dict()[n] - v) ** 2) for n, v in before.items()))
    assert np.isclose(moved, 0.01, rtol=1e-3)


def test_bad_input(data):
    model = net()
    optimizer = ct.optim.Adam(model)
    for options, words in [
        ({"dataset": data.select([])}, "dataset is empty"),
        ({"valid": data.select([])}, "validation dataset is empty"),
        ({"batch_size": 0}, "batch_size must be 1 or more"),
        ({"optimizer": ct.optim.Adam(net())}, "over another module"),
        ({"callbacks": [train.EarlyStopping()]}, "no figure 'valid_loss'.*give fit a valid dataset"),
    ]:
        arguments = {"dataset": data, "optimizer": optimizer, "nb_epoch": 1, **options}
        dataset = arguments.pop("dataset")
        with pytest.raises(ValueError, match=words):
            train.fit(model, dataset, nn.losses.L2Loss(), **arguments)
    history = train.fit(model, data, nn.losses.L2Loss(), optimizer=optimizer, nb_epoch=1, batch_size=10_000)
    assert len(history) == 1, "a batch larger than the data is the whole data"


def test_progress_goes_to_stderr_only_when_asked(data, capsys):
    run(data, 2)
    assert capsys.readouterr() == ("", "")
    run(data, 2, progress=True)
    out, err = capsys.readouterr()
    assert out == "" and "training 2/2" in err


def test_schedules():
    optimizer = ct.optim.Adam(net(), lr=ct.optim.ExponentialDecay(0.1, 0.5, 2))
    rates = []
    for _ in range(5):
        rates.append(optimizer.current_lr())
        optimizer.step()
    assert rates == [0.1, 0.1, 0.05, 0.05, 0.025]
    with pytest.raises(ValueError, match="rising boundaries"):
        ct.optim.PiecewiseConstant([5, 2], [1, 2, 3])


class Interrupt(train.Callback):
    def __init__(self, epoch):
        self.epoch = epoch

    def on_batch_end(self, state):
        if state.epoch == self.epoch and state.batch == 3:
            raise KeyboardInterrupt


class Remember(train.Callback):
    def __init__(self):
        self.weights = []

    def on_epoch_end(self, state):
        self.weights.append(state.module.state_dict())


def test_ctrl_c_leaves_the_best_weights(data):
    model, memory, stopper = net(), Remember(), train.EarlyStopping("loss", patience=99)
    with pytest.raises(KeyboardInterrupt):
        train.fit(
            model, data, nn.losses.L2Loss(), optimizer=ct.optim.Adam(model, lr=0.01), batch_size=32, seed=3,
            callbacks=[memory, stopper, Interrupt(4)],
        )  # fmt: skip
    best = memory.weights[stopper.best_epoch]
    assert all(np.array_equal(a, best[name]) for name, a in model.state_dict().items()) and not model.training


def test_a_finished_run_goes_on_from_its_last_weights_not_from_the_restored_best(data, tmp_path):
    def callbacks(folder):
        return [train.Checkpoint(tmp_path / folder, every=3), train.EarlyStopping(patience=50)]  # in either order

    options = {"valid": data.select(range(20)), "optimizer": "Momentum"}
    whole, history = run(data, 9, callbacks("a"), **options)
    run(data, 5, callbacks("b"), **options)  # ends between two saves, and puts the best weights back
    resumed, again = run(data, 9, callbacks("b"), resume=tmp_path / "b", **options)
    assert same(whole, resumed) and again["loss"] == history["loss"]
    resumed_again, _ = run(data, 9, callbacks("b"), resume=tmp_path / "b", **options)
    assert same(whole, resumed_again), "resuming a run that is complete changes nothing"


def test_a_run_that_stopped_early_stays_stopped(data, tmp_path):
    def callbacks():
        return [train.EarlyStopping("loss", patience=2, min_delta=10.0), train.Checkpoint(tmp_path / "c", every=7)]

    model, history = run(data, 20, callbacks())
    resumed, again = run(data, 20, callbacks(), resume=tmp_path / "c")
    assert len(history) == 3 and again.epochs == history.epochs and same(model, resumed)


def test_figures_that_are_not_numbers_are_kept(data, tmp_path):
    def go(epochs, resume=None):
        metrics = {"auc": lambda: float("nan"), "top": lambda: float("inf")}
        return run(data, epochs, [train.Checkpoint(tmp_path / "c")], resume=resume, metrics=metrics)[1]

    go(1)
    history = go(2, tmp_path / "c")
    assert np.isnan(history["auc"]).all() and len(history["auc"]) == 2 and history["top"] == [np.inf, np.inf]


def test_resume_refuses_other_data_and_batches(data, tmp_path):
    run(data, 1, [train.Checkpoint(tmp_path / "c")])
    with pytest.raises(ValueError, match="written with rows 300, but this run has 10"):
        run(data.select(range(10)), 2, [train.Checkpoint(tmp_path / "c")], resume=tmp_path / "c")
    model = net()
    with pytest.raises(ValueError, match="written with batch_size 32, but this run has 16"):
        train.fit(
            model, data, nn.losses.L2Loss(), optimizer=ct.optim.Adam(model), batch_size=16,
            callbacks=[train.Checkpoint(tmp_path / "c")], resume=tmp_path / "c",
        )  # fmt: skip


def test_a_process_killed_at_any_moment_can_be_resumed(data, tmp_path):
    import signal
    import subprocess
    import sys
    import time

    script = (
        "import sys, numpy as np, catalase as ct\n"
        "from tests.train.test_train import run\n"
        "from catalase import train\n"
        "a = np.load(sys.argv[1])\n"
        "run(ct.data.NumpyDataset(a['X'], a['y']), 100000, [train.Checkpoint(sys.argv[2])])\n"
    )
    np.savez(tmp_path / "data.npz", X=data.X, y=data.y)
    folder = tmp_path / "c"
    root = Path(__file__).parents[2]  # where `tests` can be imported from
    child = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "data.npz"), str(folder)], cwd=root)
    try:
        deadline = time.monotonic() + 60
        while not (folder / "config.json").exists() and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    from catalase._internal import storage

    epochs = len(storage.load_all(folder)[0]["epochs"]) + 2
    assert epochs > 2
    resumed, _ = run(data, epochs, [train.Checkpoint(folder)], resume=folder)
    assert same(resumed, run(data, epochs)[0])


def test_a_loss_must_be_a_tensor_of_one_number(data):
    model = net()
    for loss, words in [(lambda o, y, w: 1.0, "got float"), (lambda o, y, w: o * 1, r"of shape \(100, 1\)")]:
        with pytest.raises(TypeError, match=f"loss must return a Tensor of one number.*{words}"):
            train.fit(model, data, loss, optimizer=ct.optim.SGD(model))


def test_metrics_are_computed_with_dropout_off(data):
    model = net()
    seen = []
    train.fit(
        model, data, nn.losses.L2Loss(), optimizer=ct.optim.Adam(model), nb_epoch=2, batch_size=100, seed=0,
        metrics={"mode": lambda: seen.append((model.training, model[1].training)) or 0.0},
    )  # fmt: skip
    assert seen == [(False, False)] * 2


def test_a_validation_part_without_labels_is_refused_or_nan():
    X = np.random.default_rng(0).random((20, 4)).astype(np.float32)
    data = ct.data.NumpyDataset(X, X[:, :1])
    without = ct.data.NumpyDataset(X[:5], np.full((5, 1), np.nan))
    model = ct.models.MultitaskRegressor(1, 4, layer_sizes=[4], seed=0)
    with pytest.raises(ValueError, match=r"fit \(valid\): every label is missing"):
        model.fit(data, valid=without)
    net = ct.nn.Linear(4, 1)
    loss, options = ct.nn.losses.L2Loss(), {"optimizer": ct.optim.SGD(net, 0.1), "nb_epoch": 6, "seed": 0}
    with pytest.raises(ValueError, match="every label of valid is missing"):
        ct.train.fit(net, data, loss, valid=without, **options)

    class Stream:
        def __len__(self):
            return 5

        def iterbatches(self, *args, **kwargs):
            return without.iterbatches(*args, **kwargs)

    stopping = ct.train.EarlyStopping(patience=2)
    with pytest.warns(RuntimeWarning) as caught:
        history = ct.train.fit(net, data, loss, valid=Stream(), callbacks=stopping, **options)
    assert len(history) == 6 and np.isnan(history["valid_loss"]).all() and stopping.best_epoch is None
    assert sum("EarlyStopping: valid_loss is nan" in str(w.message) for w in caught) == 1
    assert any("no label of valid has a weight" in str(w.message) for w in caught)


class WritesOnly:
    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text


@pytest.mark.parametrize("progress", [None, True])
@pytest.mark.parametrize("stream", [None, WritesOnly()], ids=["none", "writes only"])
def test_training_needs_no_standard_error(monkeypatch, stream, progress):
    monkeypatch.setattr("sys.stderr", stream)
    X = np.ones((4, 2), np.float32)
    ct.models.MultitaskRegressor(1, 2, layer_sizes=[2]).fit(
        ct.data.NumpyDataset(X, X[:, :1]), nb_epoch=1, progress=progress
    )
    assert stream is None or bool(stream.text) == bool(progress)


def test_one_callback_is_a_list_of_one_and_what_is_none_is_named():
    X = np.ones((4, 2), np.float32)
    data, model = ct.data.NumpyDataset(X, X[:, :1]), ct.models.MultitaskRegressor(1, 2, layer_sizes=[2], seed=0)
    stopping = ct.train.EarlyStopping("loss", patience=1, min_delta=1e9)
    assert len(model.fit(data, nb_epoch=10, callbacks=stopping)) == 2
    for wrong in (ct.train.EarlyStopping, [3], 3, None):
        with pytest.raises(TypeError, match="callbacks"):
            model.fit(data, nb_epoch=1, callbacks=wrong)


@pytest.mark.parametrize("kind", ["MultitaskClassifier", "MultitaskRegressor"])
def test_pad_batches_divides_a_short_batch_by_batch_size(kind):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((5, 4)).astype(np.float32), rng.integers(0, 2, (5, 1)).astype(float)
    steps = []
    for pads in (False, True):
        model = getattr(ct.models, kind)(1, 4, layer_sizes=[3], dropouts=0.0, batch_size=20, seed=0, pad_batches=pads)
        assert model.to_config()["pad_batches"] is pads
        model.make_optimizer = lambda net=model.module: ct.optim.SGD(net, 1.0)
        before = model.module.state_dict()
        model.fit(ct.data.NumpyDataset(X, y), nb_epoch=1)
        steps.append({name: value - before[name] for name, value in model.module.state_dict().items()})
    for name in steps[0]:
        assert np.allclose(steps[0][name], 4 * steps[1][name], atol=1e-5), name


def test_a_history_ends_when_it_is_walked_through():
    history = train.History(0)
    history.epochs += [{"loss": 2.0}, {"loss": 1.0, "valid_loss": 3.0}]
    assert list(history) == ["loss", "valid_loss"] and "loss" in history and "metric" not in history
    assert history["valid_loss"] == [3.0] and history["metric"] == [] and len(history) == 2
    with pytest.raises(TypeError, match="by its name, such as 'loss', got 0"):
        history[0]
