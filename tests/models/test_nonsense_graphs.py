"""Nonsense in every argument of `TensorGraph`, of its layers, and of the nets that are built of them."""

from __future__ import annotations

import inspect

import pytest

import catalase as ct
from catalase.models import TensorGraph
from catalase.models.tensorgraph import layers
from tests.models.graphs import line_graph
from tests.nonsense import Target, call, ones, report

KINDS = {
    "in_layers": "no objects?", "layer": "ours", "name": "word?", "scale": "real?", "axis": "axis?", "weights": "numbers?", "activation_fn": "activation?", "activation": "activation?",
    "biases_initializer": "word?", "shape": "lengths", "batch_size": "whole?", "learning_rate": "rate or schedule", "model_dir": "path?", "seed": "seed?", "random_seed": "seed?",
    "make": "function", "dataset": "values", "X": "values", "generator": "anything", "metrics": "no objects", "transformers": "no objects?", "outputs": "no objects?", "valid": "ours?",
    "callbacks": "no objects", "progress": "flag?", "resume": "path?", "path": "path?", "device": "device", "ksize": "sizes", "strides": "sizes", "window_shape": "sizes", "kernel_size": "sizes",
    "stride": "sizes", "dilation_rate": "sizes", "momentum": "number", "optimizer": "ours?", "state": "anything", "epsilon": "number",
}  # fmt: skip
ALSO = {
    "dataset": ["X", "x", "list", "rows"], "X": ["x", "rows", "Feature"], "generator": ["yielded", "input", "rows"], "outputs": ["output", "layer", "graph"], "activation_fn": ["activation"],
    "weights": ["weights"], "ksize": ["window_shape"], "window_shape": ["ksize"], "valid": ["dataset"], "state": ["names"],
}  # fmt: skip
CONV = {"num_outputs": 2, "kernel_size": 2, "stride": 1, "padding": "SAME", "activation_fn": "relu", "biases_initializer": "zeros", "weights_initializer": "xavier"}  # fmt: skip
POOL = {"ksize": 2, "strides": 2, "padding": "SAME"}


def inputs(count=1, shape=(None, 3)):
    made = [layers.Feature(shape=shape) for _ in range(count)]
    return {"in_layers": made[0] if count == 1 else made, "name": "node"}


def grid(dims):
    return inputs(shape=(None, *(4,) * dims, 2))


LAYERS = {
    "Feature": lambda: call((None, 3), name="x", scale=0.5),
    **{name: lambda: call((None, 3), name="y") for name in ("Label", "Weights")},
    **{name: lambda: call(**inputs()) for name in ("Flatten", "SoftMax", "ReLU", "Sigmoid", "Tanh")},
    **{name: lambda: call(**inputs(2)) for name in ("Multiply", "SoftMaxCrossEntropy", "SigmoidCrossEntropy", "L1Loss", "L2Loss", "WeightedError")},
    "Layer": lambda: call(**inputs()),
    "Add": lambda: call(**inputs(2), weights=[1.0, 2.0]),
    "Concat": lambda: call(**inputs(2), axis=1),
    **{name: lambda: call(**inputs(2), axis=0) for name in ("ReduceMean", "ReduceSum")},
    "WeightDecay": lambda: call(0.1, "l2", **inputs()),
    "Reshape": lambda: call((None, 3, 1), **inputs()),
    "Dropout": lambda: call(0.5, **inputs()),
    "Dense": lambda: call(2, activation_fn="relu", biases_initializer="zeros", weights_initializer="xavier", **inputs()),
    "BatchNorm": lambda: call(**inputs(), momentum=0.9, epsilon=0.1),
    **{name: lambda: call(2, batch_size=2, **grid(1)) for name in ("GRU", "LSTM")},
    "Conv1D": lambda: call(
        2, 2, strides=1, padding="same", dilation_rate=1, activation="relu", use_bias=True, kernel_initializer="xavier", bias_initializer="zeros", **grid(1)
    ),
    **{name: lambda d=d: call(**CONV, **grid(d)) for d in (2, 3) for name in (f"Conv{d}D", f"Conv{d}DTranspose")},
    **{f"{name}1D": lambda: call(window_shape=2, strides=1, padding="SAME", **grid(1)) for name in ("MaxPool", "AvgPool")},
    **{f"{name}{d}D": lambda d=d: call(**POOL, **grid(d)) for d in (2, 3) for name in ("MaxPool", "AvgPool")},
}  # fmt: skip


def data():
    return ct.data.NumpyDataset(ones(2, 3), [[0.0], [1.0]])


class OneEpoch(ct.train.Callback):
    def on_epoch_end(self, state):
        state.stop = True


FITS = {"callbacks": [OneEpoch()], "progress": False, "restore": False, "checkpoint_interval": 2, "graph": False}
METRIC = ct.metrics.Metric(ct.metrics.rms_score)
METHODS = {
    "fit": lambda: call(
        data(), nb_epoch=1, valid=data(), resume=None, deterministic=True, metrics=None, noise=None, **FITS
    ),
    "fit_generator": lambda: call([(ones(2, 3), ones(2, 1))], **FITS),
    "predict": lambda: call(ones(2, 3), None, outputs=None, raw=False, errors="raise"),
    "predict_on_batch": lambda: call(ones(2, 3), None, outputs=None, raw=False),
    "predict_on_generator": lambda: call([(ones(2, 3), ones(2, 1))], None, outputs=None, raw=False),
    "evaluate": lambda: call(data(), METRIC, None, per_task_metrics=False, use_sample_weights=False, mask_missing=True),
    "evaluate_generator": lambda: call([(ones(2, 3), ones(2, 1))], METRIC, None, per_task_metrics=False),
    "set_loss": lambda: call(layers.ReduceMean(layers.Feature(shape=(None, 3)))),
    "add_output": lambda: call(layers.Feature(shape=(None, 3))),
    "set_optimizer": lambda: call(ct.optim.SGD),
    "save": lambda: call("model"),
    "to_onnx": lambda: call("model.onnx"),
    "restore": lambda: call("saved"),
    "to": lambda: call("cpu"),
    "load_state_dict": lambda: call(line_graph().state_dict()),
}
WITHOUT_ARGUMENTS = {"build", "summary", "make_optimizer", "to_config", "state_dict"}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    """Every layer that is made can be built into a net, or is refused by its name."""
    kind = getattr(layers, name)

    def built(*args, **kwargs):
        made = kind(*args, **kwargs)
        if name == "Layer":
            return
        model = TensorGraph(seed=0)
        if name == "WeightDecay":
            model.set_loss(made)
        else:
            model.add_output(made)
        model.build()

    target = Target(kind, LAYERS[name], KINDS, (name, "TensorGraph"), ALSO)
    target.function = built
    wrong = target.failures(pairs=20)
    assert not wrong, report(wrong)


def test_settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    valid = {
        "batch_size": 2,
        "learning_rate": 0.1,
        "model_dir": None,
        "seed": 0,
        "random_seed": None,
        "optimizer": None,
    }
    wrong = Target(TensorGraph, lambda: call(**valid), KINDS | {"batch_size": "whole"}).failures()
    assert not wrong, report(wrong)


@pytest.mark.parametrize("name", METHODS)
def test_methods(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = line_graph(model_dir="saved", batch_size=2)
    model.save()
    if name in ("set_loss", "add_output"):
        method = lambda layer: getattr(line_graph(), name)(layer)  # noqa: E731  # they may not follow the first use
    else:
        method = getattr(model, name)
    own = {"dataset": "ours"} if name in ("fit", "evaluate") else {}
    names = ("TensorGraph", name, *(("fit", "resume") if name.startswith("fit") else ()))
    wrong = Target(method, METHODS[name], KINDS | own, names, ALSO).failures(pairs=20)
    assert not wrong, report(wrong)


def test_everything_public_is_in_a_table():
    assert set(layers.__all__) == set(LAYERS)
    for name in LAYERS:
        kind = getattr(layers, name)
        left_out = set(inspect.signature(kind).parameters) - set(Target(kind, LAYERS[name]).arguments)
        assert not left_out, f"{name}: the call in the table leaves {left_out} out"
    found = {m for m in dir(TensorGraph) if not m.startswith("_") and inspect.isfunction(getattr(TensorGraph, m))}
    assert found - WITHOUT_ARGUMENTS == set(METHODS)
    assert not set(inspect.signature(TensorGraph).parameters) - {*KINDS}
