"""Nonsense in every argument of `train.fit` and its callbacks."""

from __future__ import annotations

import pytest

import catalase as ct
from catalase import train
from tests.nonsense import Target, call, ones, report

KINDS = {
    "module": "layer", "dataset": "anything", "loss": "function", "optimizer": "anything", "seed": "signed?", "valid": "anything", "metrics": "anything", "callbacks": "anything", "progress": "flag?",
    "forward": "function?", "resume": "path?", "monitor": "word", "path": "path", "every": "whole",
}  # fmt: skip


def net():
    return ct.nn.Linear(3, 2, rng=0)


def data(rows=4):
    return ct.data.NumpyDataset(ones(rows, 3), ones(rows, 2))


class OneEpoch(train.Callback):
    def on_epoch_end(self, state):
        state.stop = True


def training():
    module = net()
    return call(
        module, data(), ct.nn.losses.L2Loss(), optimizer=ct.optim.SGD(module, lr=0.1), nb_epoch=1, batch_size=2, seed=0, valid=data(2), metrics={"one": lambda: 1.0},
        callbacks=[OneEpoch()], progress=False, forward=lambda module, X: module(ct.Tensor(X)), resume=None, graph=False, noise=None,
    )  # fmt: skip


CALLBACKS = {
    "EarlyStopping": lambda: call("loss", patience=3, min_delta=0.1, mode="min", restore_best=True),
    "Checkpoint": lambda: call("folder", every=2),
    "Callback": call,
    "Noise": lambda: call(inputs=0.1, input_dropout=0.1, weights=0.1, label_smoothing=0.1, mixup=0.1),
}


def test_fit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    also = {"resume": ["folder"], "module": ["optimizer"], "valid": ["validation dataset"]}
    names = ("fit", "resume")
    wrong = Target(train.fit, training, KINDS, names=names, also=also, skip=("callbacks",)).failures()
    others = set(training()[1]) | {"module", "dataset", "loss"}
    wrong += Target(train.fit, training, KINDS, names=names, also=also, skip=others - {"callbacks"}).failures()
    assert not wrong, report(wrong)


@pytest.mark.parametrize("name", CALLBACKS)
def test_callbacks(name):
    wrong = Target(getattr(train, name), CALLBACKS[name], KINDS).failures()
    assert not wrong, report(wrong)


def test_history():
    wrong = Target(train.History(0).to_frame, lambda: call(library="pandas"), KINDS).failures()
    assert not wrong, report(wrong)


def test_everything_public_is_in_a_table():
    assert set(train.__all__) - {"History", "TrainState", "fit"} == set(CALLBACKS)
