"""Predicting is a visitor: training with predictions in callbacks and in other threads gives the weights of training alone."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import catalase as ct
from catalase import nn
from catalase.models.tensorgraph import layers as graph_layers

RNG = np.random.default_rng(0)
X = RNG.random((40, 16)).astype(np.float32)
Y = (RNG.random((40, 2)) < 0.5).astype(np.float32)
IMAGES = RNG.random((12, 8, 8, 3)).astype(np.float32)
TEXTS = ["ACGTACGT", "ACG", "TTTTACG", "GATTACA", "CCCC", "ACACAC"]


def dense():
    model = ct.models.MultitaskClassifier(2, 16, layer_sizes=[32, 16], dropouts=0.5, batch_size=8, seed=0)
    return model, ct.data.NumpyDataset(X, Y), X


def regressor():
    model = ct.models.MultitaskRegressor(2, 16, layer_sizes=[32], dropouts=0.5, batch_size=8, seed=0)
    return model, ct.data.NumpyDataset(X, Y), X


def cnn():
    model = ct.models.CNN(1, 3, 2, layer_filters=[4], dropouts=0.5, mode="regression", batch_size=4, seed=0)
    return model, ct.data.NumpyDataset(IMAGES, np.ones((12, 1))), IMAGES


def resnet():
    model = ct.models.ResNetClassifier(1, 3, layer_filters=[4], blocks=1, batch_size=4, seed=0)
    return model, ct.data.NumpyDataset(IMAGES, np.arange(12.0)[:, None] % 2), IMAGES


def unet():
    model = ct.models.UNet(n_tasks=1, n_features=3, dims=2, layer_filters=[4, 8], batch_size=4, seed=0)
    return model, ct.data.NumpyDataset(IMAGES, (IMAGES[..., :1] > 0.5).astype(float)), IMAGES


def sequences():
    tokenizer = ct.data.DNATokenizer()
    data = ct.data.SequenceDataset.from_texts(TEXTS, tokenizer, np.arange(6.0))
    model = ct.models.SequenceRegressor(
        1, tokenizer=tokenizer, hidden_size=6, num_layers=2, dropout=0.5, batch_size=2, seed=0
    )
    return model, data, data


def language():
    tokenizer = ct.data.CharTokenizer.fit(TEXTS)
    data = ct.data.SequenceDataset.from_texts(TEXTS, tokenizer)
    model = ct.models.LanguageModel(tokenizer, hidden_size=6, num_layers=2, dropout=0.5, batch_size=2, seed=0)
    return model, data, data


def graph():
    g = ct.models.TensorGraph(seed=0, batch_size=8)
    x, y = graph_layers.Feature(shape=(None, 16)), graph_layers.Label(shape=(None, 2))
    hidden = graph_layers.BatchNorm(in_layers=graph_layers.Dense(out_channels=8, in_layers=x))
    out = graph_layers.Dense(out_channels=2, in_layers=graph_layers.Dropout(0.5, in_layers=hidden))
    g.add_output(out)
    g.set_loss(graph_layers.ReduceMean(in_layers=graph_layers.L2Loss(in_layers=[y, out])))
    return g, ct.data.NumpyDataset(X, Y), X


MODELS = [dense, regressor, cnn, resnet, unet, sequences, language, graph]


class Visitor(ct.train.Callback):
    """Predicts at every opportunity, and notes that the net trains on."""

    def __init__(self, look):
        self.look, self.modes = look, set()

    def on_batch_end(self, state):
        self.look()
        self.modes |= {module.training for module in state.module.modules()}

    def on_epoch_end(self, state):
        self.look()


def looks(model, given, data):
    """Everything that only looks at a model."""
    if isinstance(model, ct.models.LanguageModel):
        return lambda: (model.sample(2, max_length=3, seed=1), model.evaluate(data))
    return lambda: model.predict(given)


def weights(make, visited):
    model, data, given = make()
    visitor = Visitor(looks(model, given, data))
    if visited == "in callbacks":
        model.fit(data, nb_epoch=4, valid=data, callbacks=[visitor])
        assert visitor.modes == {True}
        return model, model.module.state_dict()
    stop = threading.Event()

    def look():
        while not stop.is_set():
            visitor.look()

    thread = threading.Thread(target=look)
    if visited == "by another thread":
        if isinstance(model, ct.models.TensorGraph):
            model.build()
        thread.start()
    try:
        model.fit(data, nb_epoch=4, valid=data)
    finally:
        stop.set()
        if visited == "by another thread":
            thread.join()
    return model, model.module.state_dict()


@pytest.mark.parametrize("make", MODELS)
def test_a_fit_that_is_watched_gives_the_weights_of_a_fit_alone(make):
    alone_model, alone = weights(make, "")
    for visited in ("in callbacks", "by another thread"):
        model, found = weights(make, visited)
        assert found.keys() == alone.keys()
        for name, array in alone.items():
            assert np.array_equal(array, found[name]), f"{make.__name__} {visited}: {name}"
        assert model.history.epochs[-1]["loss"] == alone_model.history.epochs[-1]["loss"]
        assert model.history.epochs[-1]["valid_loss"] == alone_model.history.epochs[-1]["valid_loss"]


def test_inference_changes_no_module_and_nests():
    net = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm(3), nn.Dropout(0.5))
    x = ct.Tensor(np.ones((4, 3), np.float32), requires_grad=True)
    before = net.layers[1].running_mean.numpy().copy()
    with nn.inference():
        with nn.inference():
            assert not net.training
        assert not net.training and not any(m.training for m in net.modules())
        first = net(x)
        assert np.array_equal(first.numpy(), net(x).numpy())
    assert all(m.training for m in net.modules()) and net.layers[2].step == 0
    assert np.array_equal(net.layers[1].running_mean.numpy(), before)
    net.eval()
    with nn.inference():
        pass
    assert not net.training
    with pytest.raises(ZeroDivisionError), nn.inference():
        raise ZeroDivisionError
    assert net.train().training


def test_inference_belongs_to_its_thread():
    net, seen = nn.Dropout(0.5), []
    with nn.inference():
        thread = threading.Thread(target=lambda: seen.append(net.training))
        thread.start()
        thread.join()
    assert seen == [True]


def test_evaluating_and_summarizing_leave_the_mode_as_it_is():
    model, data, given = dense()
    for mode in (True, False):
        model.module.train(mode)
        model.predict(given)
        model.evaluate(data, ct.metrics.Metric(ct.metrics.roc_auc_score))
        model.summary()
        assert {m.training for m in model.module.modules()} == {mode}
