"""Inference beside training: what is asked of a net in a callback, or from another thread, leaves its training alone."""

import threading

import numpy as np
import pytest

import catalase as ct
from catalase.models.tensorgraph import layers


def rows(count=40, features=64):
    rng = np.random.default_rng(0)
    X = (rng.random((count, features)) < 0.1).astype(np.float32)
    return ct.data.NumpyDataset(X, (rng.random((count, 2)) < 0.5).astype(float))


def sequences():
    texts = ["CCO", "CCN", "CNOC", "CCCC"] * 5
    tokenizer = ct.data.CharTokenizer.fit(texts)
    return tokenizer, ct.data.SequenceDataset.from_texts(texts, tokenizer, y=np.arange(20.0) % 2)


def graph():
    x, y, w = (kind(shape=(None, n)) for kind, n in ((layers.Feature, 64), (layers.Label, 2), (layers.Weights, 2)))
    hidden = layers.BatchNorm(layers.Dense(16, activation_fn="relu", in_layers=x))
    guess = layers.Dense(2, in_layers=layers.Dropout(0.5, in_layers=hidden))
    model = ct.models.TensorGraph(batch_size=10, seed=0)
    model.set_loss(layers.WeightedError([layers.SigmoidCrossEntropy([y, guess]), w]))
    model.add_output(guess)
    return model


def grid():
    rng = np.random.default_rng(1)
    return ct.data.NumpyDataset(rng.random((24, 8, 8, 1)).astype(np.float32), rng.random((24, 1)))


TOKENIZER, SEQUENCES = sequences()
READER = {"tokenizer": TOKENIZER, "hidden_size": 8, "dropout": 0.3, "batch_size": 8, "seed": 0}
MODELS = {
    "classifier": (lambda: ct.models.MultitaskClassifier(2, 64, layer_sizes=[16], batch_size=10, seed=0), rows()),
    "ensemble": (
        lambda: ct.models.Ensemble([ct.models.MultitaskRegressor(2, 64, layer_sizes=[8], seed=s) for s in (0, 1)]),
        rows(),
    ),
    "graph": (graph, rows()),
    "cnn": (
        lambda: ct.models.CNN(1, 1, 2, [4], mode="regression", batch_norm=True, dropouts=0.3, batch_size=8, seed=0),
        grid(),
    ),
    "sequences": (lambda: ct.models.SequenceRegressor(1, **READER, truncation=2), SEQUENCES),
    "language": (lambda: ct.models.LanguageModel(**READER), SEQUENCES),
}


def asked(model, data):
    """All that a model can be asked without being changed."""
    if isinstance(model, ct.models.LanguageModel):
        model.evaluate(data)
        model.sample(2, seed=0, max_length=4)
        return
    model.predict(data)
    model.evaluate(data, ct.metrics.Metric(ct.metrics.mae_score, mode="regression") if data.y.ndim < 2 else [])
    model.summary()
    if isinstance(model, ct.models.Ensemble):
        model.predict_spread(data)


class Asking(ct.train.Callback):
    def __init__(self, model, data):
        self.model, self.data = model, data

    def on_batch_end(self, state):
        before = [(m.training, getattr(m, "step", None)) for m in self.model.module.modules()]
        asked(self.model, self.data)
        assert before == [(m.training, getattr(m, "step", None)) for m in self.model.module.modules()]


@pytest.mark.parametrize("name", MODELS)
def test_a_fit_with_predictions_in_callbacks_gives_the_weights_of_a_fit_alone(name):
    make, data = MODELS[name]
    states = []
    for asks in (False, True):
        model = make()
        model.fit(data, nb_epoch=2, valid=data, callbacks=[Asking(model, data)] if asks else [])
        states.append(model.module.state_dict())
    assert all(np.array_equal(states[0][key], states[1][key]) for key in states[0])


def test_a_fit_with_predictions_in_another_thread_gives_the_weights_of_a_fit_alone():
    data = rows()
    states = []
    for asks in (False, True):
        model = ct.models.MultitaskClassifier(2, 64, layer_sizes=[64], dropouts=0.5, seed=0)
        stop = threading.Event()

        def ask(model=model, stop=stop):
            while not stop.is_set():
                model.predict(data.X)
                with pytest.raises(ValueError, match="X must have shape"):
                    model.predict(data.X[:, :5])

        thread = threading.Thread(target=ask)
        if asks:
            thread.start()
        try:
            model.fit(data, nb_epoch=100)
        finally:
            stop.set()
            if asks:
                thread.join()
        states.append(model.module.state_dict())
    assert all(np.array_equal(states[0][key], states[1][key]) for key in states[0])


def test_inference_is_of_one_thread_and_ends_with_its_block():
    net = ct.nn.Sequential(ct.nn.Linear(3, 3), ct.nn.Dropout(0.5), ct.nn.BatchNorm(3))
    seen = []
    with pytest.raises(KeyError), ct.nn.inference():
        assert not any(m.training for m in net.modules())
        thread = threading.Thread(target=lambda: seen.append(net.training))
        thread.start()
        thread.join()
        raise KeyError
    assert seen == [True] and all(m.training for m in net.modules())
    net.eval()
    with ct.nn.inference():
        net.train()
        assert not net.training
    assert net.training


def test_a_pass_that_is_refused_in_inference_leaves_the_dropout_of_training_alone():
    net = ct.nn.Sequential(ct.nn.Linear(3, 3, "relu"), ct.nn.Dropout(0.5), ct.nn.Linear(3, 1))
    x = ct.Tensor(np.ones((2, 3), np.float32))
    net(x)
    with ct.nn.inference(), pytest.raises(ValueError, match="columns"):
        net(ct.Tensor(np.ones((2, 4), np.float32)))
    assert net.layers[1].step == 1
