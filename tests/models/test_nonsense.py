"""Nonsense in every argument of the models' constructors and methods. Graphs of layers are in test_nonsense_graphs.py, `AutoModel` is in test_nonsense_auto.py."""

from __future__ import annotations

import importlib.util
import inspect

import numpy as np
import pytest

import catalase as ct
from catalase import models
from catalase.models import language
from catalase.models.graphs import GraphRows
from tests.nonsense import Target, call, ones, report

KINDS = {
    "z": "values", "embeddings": "values", "n_features": "whole", "graph_conv_layers": "sizes", "layer_sizes": "sizes", "weight_init_stddevs": "number or numbers", "bias_init_consts": "number or numbers", "dropouts": "number or numbers", "dropout": "number",
    "activation_fns": "word or words", "learning_rate": "rate or schedule", "seed": "seed?", "dense_layer_size": "whole?", "kernel_size": "sizes", "strides": "sizes", "stem_size": "sizes",
    "stem_stride": "sizes", "layer_filters": "sizes", "tokenizer": "ours", "clip_norm": "limit?", "truncation": "whole?", "members": "ours",
    "valid": "ours?", "callbacks": "no objects", "progress": "flag?", "resume": "path?", "path": "path", "transformers": "no objects?", "X": "values", "dataset": "values", "metrics": "no objects",
    "model": "ours", "model_dir": "path?", "eval_metric": "activation?", "train_dataset": "ours", "valid_dataset": "ours",
    "size": "sizes?", "optimizer": "ours?", "loss": "function", "module": "layer", "state": "anything", "groups": "ids", "temperature": "number", "prefix": "word", "device": "device",
}  # fmt: skip
ALSO = {"sequences": ["dataset", "list", "texts", "token", "row", "X", "x"], "start": ["dataset", "list", "texts", "token", "row", "X", "x"], "first": ["row", "token"], "last": ["row", "token"], "dataset": ["X", "list", "rows", "sequences", "SequenceDataset", "row", "token", "x"], "X": ["list", "rows", "sequences", "row", "token", "x"], "prefix": ["token"], "device": ["CPU"], "weight_decay_penalty": ["weight decay"], "weight_decay_penalty_type": ["weight decay"], "valid": ["dataset"], "state": ["names", "needed", "member"], "train_dataset": ["dataset", "X"], "valid_dataset": ["dataset", "X"]}  # fmt: skip

TOKENIZER = ct.data.CharTokenizer(["A", "C", "x"])
DENSE = {
    "layer_sizes": [4], "weight_init_stddevs": 0.1, "bias_init_consts": 0.0, "weight_decay_penalty": 0.1, "weight_decay_penalty_type": "l2", "dropouts": 0.1, "activation_fns": "relu",
    "batch_size": 2, "learning_rate": 0.01, "seed": 0, "pad_batches": False, "optimizer": None, "residual": False, "layer_norm": False, "dtype": "float32",
}  # fmt: skip
GRID = {"layer_filters": [2], "kernel_size": 2, "optimizer": None, "weight_decay_penalty": 0.1, "weight_decay_penalty_type": "l2", "batch_size": 2, "learning_rate": 0.01, "seed": 0}  # fmt: skip
CONVOLUTIONS = {
    "strides": 1, "weight_init_stddevs": 0.1, "bias_init_consts": 0.0, "dropouts": 0.1, "activation_fns": "relu", "dense_layer_size": 3, "pool_type": "max", "mode": "regression", "n_classes": 2,
    "residual": False, "padding": "same", "batch_norm": False,
}  # fmt: skip
READER = {"cell": "gru", "embedding_size": 2, "hidden_size": 3, "num_layers": 1, "dropout": 0.1, "clip_norm": 5.0, "batch_size": 2, "learning_rate": 0.01, "seed": 0, "truncation": 2, "optimizer": None, "num_heads": 1}  # fmt: skip
SEQUENCES = {"n_features": None, "bidirectional": False, "pool": "last", "per_step": False}
GRAPHS = {"mode": "regression", "n_classes": 2, "dropout": 0.1, "batch_size": 2, "seed": 0, "optimizer": None}
MESSAGES = {
    "features": "dmpnn", "message_hidden_dim": 3, "depth": 2, "message_bias": False, "activation": "relu", "aggregation": "norm", "aggregation_norm": 10.0, "batch_norm": False,
    "ffn_hidden_dim": 3, "ffn_num_layers": 1, "warmup_epochs": 1, "init_lr": 0.01, "max_lr": 0.02, "final_lr": 0.01,
}  # fmt: skip
CODER = {
    "latent_size": 5, "layer_sizes": [4], "layer_filters": [], "activation": "relu", "reconstruction": "gaussian", "batch_size": 2, "learning_rate": 0.01, "seed": 0, "optimizer": None,
}  # fmt: skip
LATENT = {
    "cell": "gru", "embedding_size": 2, "hidden_size": 3, "num_layers": 1, "token_dropout": 0.1, "n_properties": 1, "property_weight": 0.5, "beta": 0.5, "annealing_epochs": 2, "clip_norm": 5.0,
    "batch_size": 2, "learning_rate": 0.01, "seed": 0, "optimizer": None,
}  # fmt: skip
MODELS = {
    "MultitaskClassifier": lambda: call(1, 3, **DENSE, n_classes=2),
    "MultitaskRegressor": lambda: call(1, 3, **DENSE, uncertainty=True),
    "CNN": lambda: call(1, 1, 1, **GRID, **CONVOLUTIONS),
    "ResNetClassifier": lambda: call(1, 1, 1, **GRID, blocks=1, stem_size=2, stem_stride=1, dropout=0.1, n_classes=2),
    "UNet": lambda: call(1, 1, 1, **GRID, dropout=0.1, mode="regression", batch_norm=True),
    "SequenceClassifier": lambda: call(1, TOKENIZER, **READER, **SEQUENCES, n_classes=2),
    "SequenceRegressor": lambda: call(1, TOKENIZER, **READER, **SEQUENCES),
    "LanguageModel": lambda: call(TOKENIZER, **READER),
    "SmilesVAE": lambda: call(TOKENIZER, 3, **LATENT),
    "Autoencoder": lambda: call(3, **CODER),
    "DenoisingAutoencoder": lambda: call(3, **CODER, corruption=0.1, noise_stddev=0.1),
    "VAE": lambda: call(3, **CODER, beta=0.5, annealing_epochs=2),
    "GAN": lambda: call(3, 2, [4], 0, batch_size=2, learning_rate=0.01, seed=0, optimizer=None),
    "WGAN": lambda: call(3, 2, [4], 0, gradient_penalty=5.0, batch_size=2, learning_rate=0.01, seed=0, optimizer=None),
    "TanimotoKNNClassifier": lambda: call(1, 64, 2, "uniform", 2),
    "TanimotoKNNRegressor": lambda: call(1, 64, 2, "uniform"),
    "TanimotoGP": lambda: call(1, 3, n_counts=2, mode="regression", n_classes=2, max_exact=10, n_inducing=2, seed=0),
    "RidgeRegression": lambda: call(1, 3, alpha=0.5, use_weights=True),
    "EuclideanKNNClassifier": lambda: call(1, 3, 2, "uniform", scale=False, n_classes=2),
    "EuclideanKNNRegressor": lambda: call(1, 3, 2, "uniform", scale=False),
    "NetModel": lambda: call(SmallNet(), "L2Loss", optimizer="SGD", batch_size=2, learning_rate=0.01, seed=0),
    "Ensemble": lambda: call([made("MultitaskRegressor")]),
    "DMPNNModel": lambda: call(1, **GRAPHS, **MESSAGES, n_extra_features=1),
    "GINModel": lambda: call(1, 2, 3, "mean", jump_knowledge="last", features="molgraph", use_edges=True, train_eps=False, batch_norm=True, learning_rate=0.01, n_extra_features=1, **GRAPHS),
    "AttentiveFPModel": lambda: call(1, 2, 1, 3, self_loop=True, features="molgraph", learning_rate=0.01, n_extra_features=1, **GRAPHS),
    "GraphConvModel": lambda: call(1, [3], 4, **GRAPHS, batch_normalize=True, learning_rate=0.01, uncertainty=True, n_extra_features=1),
    "SklearnModel": lambda: call(estimator("sklearn.linear_model", "Ridge"), model_dir="model", use_weights=True),
    "GBDTModel": lambda: call(estimator("lightgbm", "LGBMRegressor"), model_dir="model", early_stopping_rounds=2, eval_metric="l2", use_weights=True),
}  # fmt: skip
EXTRAS = {"SklearnModel": ("sklearn", "skops"), "GBDTModel": ("sklearn", "lightgbm")}
ABSENT = {name for name, needs in EXTRAS.items() if not all(map(importlib.util.find_spec, needs))}
MODELS = {name: make for name, make in MODELS.items() if name not in ABSENT}
# What is called on them; `METHODS` has what each takes.
OF_ALL = ("fit", "predict", "predict_on_batch", "evaluate", "summary", "save", "to_onnx", "to", "load_state_dict")
OWN = {
    "LanguageModel": ("sample", "climb"),
    "SmilesVAE": (
        "fit_sequences",
        "encode",
        "predict_embeddings",
        "decode",
        "predict_from_embeddings",
        "predict_from_sequences",
        "sample",
        "interpolate",
        "optimize",
    ),
    "Autoencoder": ("encode", "decode"),
    "DenoisingAutoencoder": ("encode", "decode"),
    "GAN": ("sample",),
    "WGAN": ("sample",),
    "VAE": ("encode", "decode", "encode_distribution", "sample"),
    "Ensemble": ("predict_spread",),
    "GBDTModel": ("fit_with_eval",),
    "MultitaskRegressor": ("predict_uncertainty",),
    "GraphConvModel": ("predict_uncertainty",),
    "TanimotoGP": ("predict_uncertainty", "leave_groups_out"),
}
WITHOUT_NETS = (
    "TanimotoKNNClassifier",
    "TanimotoKNNRegressor",
    "TanimotoGP",
    "RidgeRegression",
    "EuclideanKNNClassifier",
    "EuclideanKNNRegressor",
    *EXTRAS,
)
REFUSED = {(name, "summary") for name in WITHOUT_NETS}
REFUSED |= {(name, "to_onnx") for name in ("NetModel", "SklearnModel", "GBDTModel", "SmilesVAE", "GAN", "WGAN")}
WITHOUT_ARGUMENTS = {"make_optimizer", "to_config", "state_dict"}
OPTIONS = {"per_task_metrics": False, "use_sample_weights": False, "mask_missing": True}


@models.register
class SmallNet(ct.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = ct.nn.Linear(3, 1, rng=0)

    def forward(self, x):
        return self.inner(x)


def lengths(texts):
    return [len(text) for text in texts]


READERS = ("SequenceClassifier", "SequenceRegressor", "LanguageModel", "SmilesVAE")


class OneEpoch(ct.train.Callback):
    def on_epoch_end(self, state):
        state.stop = True


def estimator(module, name):
    return getattr(importlib.import_module(module), name)()


def made(name):
    args, kwargs = MODELS[name]()
    return getattr(models, name)(*args, **kwargs)


def data(name):
    """Two rows that the model learns from."""
    if name in READERS:
        return ct.data.SequenceDataset.from_texts(["AC", "CAx"], TOKENIZER, [0, 1])
    if issubclass(getattr(models, name), GraphRows):
        graphs = ct.ops.mol_graphs(["CCO", "C"], features=made(name).features)
        return ct.data.GraphDataset(graphs.with_extra(ones(2, 1)), [[0.0], [1.0]])
    if name.startswith("TanimotoKNN"):
        return ct.data.NumpyDataset(np.full((2, 8), 3, np.uint8), [[0.0], [1.0]])
    if name == "GBDTModel":
        return ct.data.NumpyDataset(ones(30, 3), np.arange(30.0)[:, None])  # early stopping holds rows out
    X = ones(2, 3)
    return ct.data.NumpyDataset(X, X if name == "UNet" else [[0.0], [1.0]])


def arguments(name, method):
    """One valid call of a method."""
    errors = {"errors": "raise"} if "errors" in inspect.signature(getattr(models, name).predict).parameters else {}
    noise = {"noise": None} if "noise" in inspect.signature(getattr(models, name).fit).parameters else {}
    rows = data(name)
    metric = ct.metrics.Metric(
        ct.metrics.accuracy_score if "Class" in name or name == "LanguageModel" else ct.metrics.rms_score
    )
    return {
        "fit": lambda: call(data(name), nb_epoch=1, valid=None if name in WITHOUT_NETS else data(name), callbacks=[OneEpoch()], progress=False, resume=None, graph=False, metrics=None, **noise),
        "fit_with_eval": lambda: call(data(name), data(name)),
        "predict": lambda: call(rows, None, raw=False, **errors),
        "predict_on_batch": lambda: call(rows.X, None, raw=False),
        "predict_uncertainty": lambda: call(rows, *(() if name == "TanimotoGP" else (2,)), None, raw=False),
        "predict_spread": lambda: call(rows, None, raw=False),
        "leave_groups_out": lambda: call(data(name), groups=[0, 1]),
        "evaluate": lambda: call(rows, metric, None, **OPTIONS),
        "summary": lambda: call(4) if "size" in inspect.signature(getattr(models, name).summary).parameters else call(),
        "save": lambda: call("model"),
        "to_onnx": lambda: call("model.onnx"),
        "to": lambda: call("cpu"),
        "load_state_dict": lambda: call(made(name).state_dict()),
        "encode": lambda: call(rows.X),
        "encode_distribution": lambda: call(rows.X),
        "decode": lambda: call(ones(2, 3), temperature=1.0, seed=0, max_length=3) if name == "SmilesVAE" else call(ones(2, 5)),
        "climb": lambda: call(lengths, rounds=1, n=2, keep=1, nb_epoch=1, temperature=1.0, seed=0, max_length=3),
        "optimize": lambda: call(lengths, n=1, start=["AC"], rounds=1, spread=1.0, seed=0),
        "fit_sequences": lambda: call(["AC", "CAx"], nb_epoch=1, progress=False, y=[0.0, 1.0]),
        "predict_embeddings": lambda: call(["AC", "CAx"]),
        "predict_from_embeddings": lambda: call(ones(2, 3)),
        "predict_from_sequences": lambda: call(["AC", "CAx"]),
        "interpolate": lambda: call("AC", "CAx", 3),
        "sample": lambda: call(2, temperature=1.0, seed=0, max_length=3) if name == "SmilesVAE" else call(2, None, seed=0) if "GAN" in name else call(2, seed=0) if name == "VAE" else call(2, temperature=1.0, prefix="A", seed=0, max_length=3),
    }[method]  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_settings(name):
    own = {"tokenizer": "ours?", "n_features": "whole?"} if name in ("SequenceClassifier", "SequenceRegressor") else {}
    wrong = Target(getattr(models, name), MODELS[name], KINDS | own, also=ALSO).failures()
    assert not wrong, report(wrong)


@pytest.mark.parametrize(
    ("name", "method"), [(n, m) for n in MODELS for m in (*OF_ALL, *OWN.get(n, ())) if (n, m) not in REFUSED]
)
def test_methods(name, method, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(language, "_SAMPLE_ROWS", 2**31)  # too many samples end in a MemoryError, and not in an hour
    model = made(name)
    if method != "fit":
        model.fit(data(name), nb_epoch=1, progress=False)
    reads = name in READERS
    own = (
        {"dataset": "ours"}
        if method == "fit" or (method == "evaluate" and name != "LanguageModel")
        else {"dataset": "anything", "X": "anything"}
        if reads
        else {}
    )  # lists of lists are sequences
    if name == "SmilesVAE" and method != "fit_sequences":
        own |= {"sequences": "anything", "start": "anything"}
    names = (name, method, *(("SequenceDataset", "encode", "encode_all") if reads else ()))
    if name == "NetModel":  # whose X the user's own layers look at
        names, own = (*names, "linear"), own | {"dataset": own.get("dataset", "values"), "X": "values"}
    skip: tuple[str, ...] = ()
    if method == "fit" and name not in ("MultitaskRegressor", "Ensemble"):  # one loop trains all of them
        skip = ("nb_epoch", "callbacks", "progress", "resume", "graph", "metrics")
    if method == "fit" and name in WITHOUT_NETS:
        skip += ("valid",)
    if method == "fit_sequences":  # as fit, and it has no callback that would end it
        skip = ("nb_epoch", "progress")
    wrong = Target(getattr(model, method), arguments(name, method), KINDS | own, names, ALSO, skip).failures(pairs=20)
    assert not wrong, report(wrong)


def test_load(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made("MultitaskRegressor").save("model")
    wrong = Target(models.load, lambda: call("model"), KINDS).failures()
    assert not wrong, report(wrong)


@pytest.mark.parametrize(
    ("attribute", "valid"), [("featurizer", ct.feat.CircularFingerprint(size=64)), ("tasks", ["a"])]
)
def test_attributes(attribute, valid):
    def assign(value):
        setattr(made("Ensemble"), attribute, value)

    kinds = {"value": "dict or ours?" if attribute == "featurizer" else "words?"}
    wrong = Target(
        assign, lambda: call(valid), kinds, (attribute,), {"value": ["featurizer", "tasks", "dictionary", "class"]}
    ).failures()
    assert not wrong, report(wrong)


def test_everything_public_is_in_a_table():
    kinds = {name for name in models.__all__ if inspect.isclass(getattr(models, name))}
    assert kinds - {"Model", "TensorGraph", "AutoModel"} - ABSENT == set(MODELS)
    assert set(models.__all__) - kinds == {"load", "optimizers", "register", "tensorgraph"}
    for name in MODELS:
        kind = getattr(models, name)
        found = {m for m in dir(kind) if not m.startswith("_") and inspect.isfunction(getattr(kind, m))}
        assert found - WITHOUT_ARGUMENTS == {*OF_ALL, *OWN.get(name, ())}, name
        left_out = set(inspect.signature(kind).parameters) - set(Target(kind, MODELS[name]).arguments)
        assert not left_out, f"{name}: the call in the table leaves {left_out} out"
