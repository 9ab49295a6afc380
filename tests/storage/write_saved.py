"""Writes the folders that `test_saved_before.py` loads: a small one of each kind that the library saves.

Version 0.1.0 wrote the folders in `tests/storage/saved`, and `answers.json`, which holds that version's answers. They do
not change: a later version must load them and give the same answers. So this script is not run again when the code
changes. It is run only to add a kind, which an `ask` of the new name then reads:

    python -m tests.storage.write_saved NAME ...
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import catalase as ct
from catalase import models
from catalase.data import CharTokenizer, DNATokenizer, NumpyDataset, SequenceDataset, SmilesTokenizer
from catalase.models.tensorgraph import layers

SAVED = Path(__file__).parent / "saved"
ANSWERS = SAVED / "answers.json"

SMILES = ["CCO", "CCN", "CCCl", "c1ccccc1", "CC(=O)O", "C#N", "C1CC1O", "CNC", "OCCO", "CCCC"]
TEXTS = ["abc", "a", "ccba", "bab", "abcabca", "cc"]
SITES = ["ACGTACGT", "TTTTTTTT", "GATTACAG", "CCCCCCCC"]
LETTERS = CharTokenizer(["a", "b", "c"])
SMALL: dict[str, Any] = {"batch_size": 4, "seed": 0, "learning_rate": 0.05}
READER: dict[str, Any] = {"hidden_size": 3, "embedding_size": 2, **SMALL}


def numbers(*shape: int) -> np.ndarray:
    """Float32 numbers between -1 and 1 that do not depend on a generator."""
    return ((np.arange(np.prod(shape)) * 7919 % 101 - 50) / np.float32(50)).astype(np.float32).reshape(shape)


BITS = (numbers(10, 16) > 0.3).astype(np.uint8)
PACKED = np.packbits(BITS, axis=1, bitorder="little")
CLASSES = (numbers(10, 2) > 0).astype(float)
VALUES = numbers(10, 2).astype(float) * 40 + 100


def with_units(make: Callable[[], Any], featurizer: Any, columns: int = 1) -> tuple[Any, Any]:
    """A model that answers in the units of the labels, and what it learns from."""
    data = NumpyDataset(
        featurizer(SMILES), VALUES[:, :columns], tasks=["solubility", "mass"][:columns], featurizer=featurizer
    )
    if featurizer.is_counts_based:
        data = data.transform(ct.trans.NormalizationTransformer(transform_X=True, dataset=data))
    normalized = ct.trans.NormalizationTransformer(transform_y=True, dataset=data)
    model = make()
    model.transformers = [normalized]
    return model, normalized.transform(data)


def graph() -> Any:
    """A graph with every kind of layer."""
    image, other = layers.Feature(shape=(None, 4, 4, 1), scale=0.5), layers.Feature(shape=(None, 2))
    label, weights = layers.Label(shape=(None, 2)), layers.Weights(shape=(None, 1))
    flat = layers.Conv2D(2, 3, in_layers=image, weights_initializer="he_normal")
    flat = layers.AvgPool2D(in_layers=layers.MaxPool2D(in_layers=flat))
    flat = layers.Conv2DTranspose(2, 3, stride=2, in_layers=flat)
    solid = layers.Conv3D(1, 2, in_layers=layers.Reshape((None, 4, 2, 2, 1), in_layers=image), biases_initializer=None)
    solid = layers.MaxPool3D(1, 1, in_layers=layers.Conv3DTranspose(1, 2, in_layers=solid, activation_fn=None))
    solid = layers.AvgPool3D([1, 2, 2, 1, 1], 1, "VALID", in_layers=solid)
    line = layers.Conv1D(2, 3, 1, "same", 2, "tanh", in_layers=layers.Reshape((-1, 8, 2), in_layers=image))
    line = layers.AvgPool1D(2, 2, in_layers=layers.MaxPool1D(in_layers=line))
    line = layers.LSTM(2, 4, in_layers=layers.GRU(n_hidden=2, batch_size=4, in_layers=line))
    parts = [layers.Flatten(layers.BatchNorm(part)) for part in (flat, solid, line)]
    joined = layers.Concat([*parts, layers.ReLU(other), layers.Tanh(other)])
    hidden = layers.Dense(2, in_layers=layers.Dropout(0.1, in_layers=joined), name="hidden")
    both = layers.Add([hidden, layers.Multiply([hidden, layers.Sigmoid(hidden)])], weights=[1.0, -0.5])
    losses = [
        layers.ReduceMean(layers.SoftMaxCrossEntropy([label, both])),
        layers.ReduceSum(layers.ReduceMean(layers.SigmoidCrossEntropy([label, both]), axis=0)),
        layers.ReduceMean(layers.L2Loss([both, label])),
        layers.WeightedError([layers.L1Loss([both, label]), weights]),
    ]
    model = models.TensorGraph(batch_size=4, learning_rate=0.01, seed=0)
    model.add_output(layers.SoftMax(both))
    model.add_output(hidden)
    model.set_loss(layers.WeightDecay(0.01, "l2", in_layers=layers.ReduceSum(losses)))
    return model


def line_graph() -> Any:
    x, y = layers.Feature(shape=(None, 3), name="x"), layers.Label(shape=(None, 1), name="y")
    guess = layers.Dense(1, in_layers=x, name="guess")
    model = models.TensorGraph(batch_size=4, learning_rate=0.05, seed=0)
    model.set_loss(layers.ReduceMean(layers.L2Loss([guess, y])))
    model.add_output(guess)
    return model


def text_rows(y: Any, tokenizer: Any = LETTERS, rows: Any = TEXTS, **options: Any) -> SequenceDataset:
    return SequenceDataset.from_texts(rows, tokenizer, y, **options)


SHARES = np.array([[text.count("a") / len(text)] for text in TEXTS])
STEPS = [[text[: i + 1].count("a") % 2 for i in range(len(text))] for text in TEXTS]
SIGNALS = [numbers(n, 2) for n in (3, 1, 5, 2)]
LINES, IMAGES, VOLUMES = numbers(6, 8, 4), numbers(6, 5, 4, 2), numbers(6, 4, 3, 4, 1)
PHOTOGRAPHS = (np.arange(6 * 5 * 5 * 3) * 89 % 256).astype(np.uint8).reshape(6, 5, 5, 3)
HALVES = (np.arange(6.0) % 2)[:, None]
ECFP = ct.feat.CircularFingerprint(radius=1, size=16)
COUNTS = ct.feat.CircularFingerprint(radius=1, size=16, chiral=True, is_counts_based=True)
ONE_HOT = ct.feat.DNAOneHotFeaturizer(length=8)


def _regressor(**options: Any) -> Any:
    return models.MultitaskRegressor(1, 16, layer_sizes=[3], **{**SMALL, **options})


def _ensemble() -> tuple[Any, Any]:
    members, data = [], None
    for seed in (0, 1):
        member, data = with_units(lambda seed=seed: _regressor(seed=seed), ECFP)
        members.append(member)
    return models.Ensemble(members), data


def _dense(kind: Any, X: Any, y: Any, **options: Any) -> tuple[Any, Any]:
    return kind(2, 16, **{"layer_sizes": [3], **SMALL, **options}), NumpyDataset(X, y, tasks=["a", "b"])


def _cnn(X: Any, **options: Any) -> tuple[Any, Any]:
    settings = {"layer_filters": [2], "kernel_size": 3, "padding": "same", **SMALL, **options}
    return models.CNN(1, X.shape[-1], X.ndim - 2, **settings), NumpyDataset(X, HALVES)


@models.register
class SavedNet(ct.nn.Module):
    """A net that is none of the library's."""

    def __init__(self, width: int, activation: str = "tanh") -> None:
        super().__init__()
        self.width, self.activation = width, activation
        self.first, self.last = ct.nn.Linear(16, width, activation, rng=0), ct.nn.Linear(width, 2, rng=1)

    def forward(self, x: Any) -> Any:
        return self.last(self.first(x))


def _net() -> tuple[Any, Any]:
    optimizer = ct.optim.Momentum(lr=ct.optim.ExponentialDecay(0.1, 0.5, 10), momentum=0.8, clip_norm=1.0)
    model = models.NetModel(SavedNet(3), "SigmoidCrossEntropy", optimizer, batch_size=4, seed=0)
    return model, NumpyDataset(numbers(10, 16), CLASSES)


def _estimator() -> tuple[Any, Any]:
    from sklearn.tree import DecisionTreeRegressor

    return with_units(lambda: models.SklearnModel(DecisionTreeRegressor(max_depth=2, random_state=0)), ECFP, 2)


def _boosted() -> tuple[Any, Any]:
    from lightgbm import LGBMClassifier

    trees = LGBMClassifier(n_estimators=4, min_child_samples=1, min_data_in_bin=1, num_threads=1)
    return models.GBDTModel(trees), NumpyDataset(numbers(10, 16), CLASSES)


def _of_graphs(model: Any, y: Any) -> tuple[Any, Any]:
    featurizer = ct.feat.MolGraphFeaturizer(model.features)
    return model, ct.data.GraphDataset(featurizer(SMILES), y, featurizer=featurizer)


def _of_tokens() -> tuple[Any, Any]:
    featurizer = ct.feat.SmilesTokens(SmilesTokenizer.fit(SMILES, unknown="token"), canonical=True)
    model = models.SequenceClassifier(2, featurizer.tokenizer, bidirectional=True, pool="max", dropout=0.3, **READER)
    return model, SequenceDataset(featurizer(SMILES), CLASSES, featurizer=featurizer)


NEEDS = {"estimator": ("sklearn", "skops"), "boosted": ("sklearn", "lightgbm")}  # packages of extras

# The name of each saved model, how it was made with what it learned from, and what it is asked.
MODELS: dict[str, tuple[Callable[[], tuple[Any, Any]], Any]] = {
    "classifier": (lambda: _dense(models.MultitaskClassifier, PACKED, CLASSES), PACKED),
    "classifier_deep": (
        lambda: _dense(
            models.MultitaskClassifier, BITS.astype(np.float32), CLASSES, layer_sizes=[4, 3], dropouts=[0.1, 0.2],
            activation_fns=["relu", "tanh"], weight_init_stddevs=[0.1, 0.2], bias_init_consts=[0.5, 1.0], n_classes=3,
            weight_decay_penalty=0.01, weight_decay_penalty_type="l1", pad_batches=True,
        ),
        BITS.astype(np.float32),
    ),
    "regressor": (lambda: _dense(models.MultitaskRegressor, numbers(10, 16), VALUES / 40), numbers(10, 16)),
    "regressor_in_units": (lambda: with_units(_regressor, ECFP), SMILES),
    "regressor_of_scaled_counts": (lambda: with_units(_regressor, COUNTS), SMILES),
    "ensemble": (_ensemble, SMILES),
    "neighbors": (lambda: (models.TanimotoKNNRegressor(2, 16, 3), NumpyDataset(PACKED, VALUES)), PACKED),
    "neighbors_of_classes": (
        lambda: (models.TanimotoKNNClassifier(2, 16, 3, "uniform"), NumpyDataset(PACKED, CLASSES)),
        PACKED,
    ),
    "gaussian_process": (lambda: (models.TanimotoGP(2, 16, 12), NumpyDataset(BITS, VALUES)), BITS.astype(np.float32)),
    "gaussian_process_of_classes": (
        lambda: (models.TanimotoGP(2, 16, mode="classification", max_exact=5, n_inducing=6), NumpyDataset(PACKED, CLASSES % 2)),
        PACKED,
    ),
    "ridge": (lambda: (models.RidgeRegression(2, 16), NumpyDataset(PACKED, VALUES)), PACKED),
    "euclidean_neighbors": (lambda: (models.EuclideanKNNRegressor(2, 16, 3), NumpyDataset(PACKED, VALUES)), PACKED),
    "euclidean_neighbors_of_classes": (
        lambda: (models.EuclideanKNNClassifier(2, 16, 3, "uniform", False), NumpyDataset(numbers(10, 16), CLASSES)),
        numbers(10, 16),
    ),
    "cnn_1d": (lambda: _cnn(LINES, dense_layer_size=3, dropouts=0.2), LINES),
    "cnn_2d": (lambda: _cnn(IMAGES, batch_norm=True, strides=2, mode="regression"), IMAGES),
    "cnn_3d": (lambda: _cnn(VOLUMES, residual=True, layer_filters=[2, 2], pool_type="average"), VOLUMES),
    "cnn_of_photographs": (lambda: _cnn(PHOTOGRAPHS), PHOTOGRAPHS),
    "cnn_of_dna": (
        lambda: (
            models.CNN(1, 4, 1, [2], kernel_size=3, **SMALL),
            NumpyDataset(ONE_HOT(SITES), HALVES[:4], featurizer=ONE_HOT),
        ),
        SITES,
    ),
    "resnet": (
        lambda: (
            models.ResNetClassifier(1, 2, layer_filters=[2, 3], blocks=1, dropout=0.1, **SMALL),
            NumpyDataset(IMAGES, HALVES),
        ),
        IMAGES,
    ),
    "unet": (
        lambda: (models.UNet(1, 2, layer_filters=[2, 3], **SMALL), NumpyDataset(IMAGES, (IMAGES[..., :1] > 0) * 1.0)),
        IMAGES,
    ),
    "autoencoder": (
        lambda: (
            models.Autoencoder((5, 4, 2), 2, [5], [3], batch_size=4, learning_rate=0.05, seed=0),
            NumpyDataset(IMAGES),
        ),
        IMAGES,
    ),
    "denoising": (
        lambda: (models.DenoisingAutoencoder(2, 2, [5], noise_stddev=0.1, **SMALL), NumpyDataset(VALUES / 100)),
        VALUES / 100,
    ),
    "vae": (
        lambda: (models.VAE(2, 2, [5], beta=0.5, annealing_epochs=3, **SMALL), NumpyDataset(VALUES / 100)),
        VALUES / 100,
    ),
    "smiles_vae": (
        lambda: (
            models.SmilesVAE(LETTERS, 2, embedding_size=2, hidden_size=3, n_properties=1, **SMALL),
            text_rows(VALUES[:6, :1] / 100),
        ),
        TEXTS,
    ),
    "gan": (lambda: (models.GAN(2, 2, [4], **SMALL), NumpyDataset(VALUES / 100)), VALUES / 100),
    "wgan": (lambda: (models.WGAN(2, 2, [4], **SMALL), NumpyDataset(VALUES / 100)), VALUES / 100),
    "sequence_rnn": (
        lambda: (
            models.SequenceClassifier(1, DNATokenizer(), cell="rnn", **READER),
            text_rows(HALVES[:4], DNATokenizer(), SITES),
        ),
        SITES,
    ),
    "sequence_gru": (
        lambda: (
            models.SequenceRegressor(1, LETTERS, num_layers=2, dropout=0.1, bidirectional=True, pool="mean", **READER),
            text_rows(SHARES),
        ),
        TEXTS,
    ),
    "sequence_lstm": (
        lambda: (
            models.SequenceRegressor(1, SmilesTokenizer.fit(SMILES), cell="lstm", pool="max", **READER),
            text_rows(VALUES[:, :1] / 100, SmilesTokenizer.fit(SMILES), SMILES),
        ),
        SMILES,
    ),
    "sequence_of_signals": (
        lambda: (
            models.SequenceRegressor(1, n_features=2, hidden_size=3, clip_norm=None, **SMALL),
            SequenceDataset(SIGNALS, HALVES[:4]),
        ),
        SIGNALS,
    ),
    "sequence_per_step": (
        lambda: (
            models.SequenceClassifier(1, LETTERS, per_step=True, truncation=2, **READER),
            text_rows(STEPS, per_step=True),
        ),
        TEXTS,
    ),
    "sequence_of_smiles": (_of_tokens, SMILES),
    "language": (lambda: (models.LanguageModel(LETTERS, dropout=0.1, truncation=3, **READER), text_rows(None)), TEXTS),
    "graph_of_every_layer": (lambda: (graph(), None), [numbers(4, 4, 4, 1), numbers(4, 2)]),
    "net": (_net, numbers(10, 16)),
    "regressor_with_variance": (
        lambda: _dense(
            models.MultitaskRegressor, numbers(10, 16), VALUES / 40, layer_sizes=[4, 4], residual=True, layer_norm=True,
            uncertainty=True,
        ),
        numbers(10, 16),
    ),
    "estimator": (_estimator, SMILES),
    "dmpnn": (
        lambda: _of_graphs(models.DMPNNModel(2, message_hidden_dim=4, ffn_hidden_dim=3, batch_size=4, seed=0), VALUES),
        SMILES,
    ),
    "dmpnn_of_classes": (
        lambda: _of_graphs(
            models.DMPNNModel(
                2, mode="classification", features="dmpnn_organic", message_hidden_dim=4, depth=2, message_bias=True,
                dropout=0.1, activation="tanh", aggregation="attention", batch_norm=True, ffn_num_layers=0, batch_size=4, seed=0,
            ),
            CLASSES,
        ),
        SMILES,
    ),
    "graph_conv": (
        lambda: _of_graphs(
            models.GraphConvModel(2, [3, 4], 5, dropout=[0.1, 0.0, 0.2], mode="classification", **SMALL), CLASSES
        ),
        SMILES,
    ),
    "gin": (lambda: _of_graphs(models.GINModel(2, 2, 4, jump_knowledge="concat", train_eps=True, **SMALL), VALUES / 40), SMILES),
    "gin_of_classes": (
        lambda: _of_graphs(
            models.GINModel(
                2, 2, 4, "attention", 0.1, "max", mode="classification", features="convmol", use_edges=False, batch_norm=False,
                **SMALL,
            ),
            CLASSES,
        ),
        SMILES,
    ),
    "attentive_fp": (lambda: _of_graphs(models.AttentiveFPModel(2, graph_feat_size=4, **SMALL), VALUES / 40), SMILES),
    "attentive_fp_of_classes": (
        lambda: _of_graphs(
            models.AttentiveFPModel(2, 3, 1, 4, 0.1, "classification", self_loop=False, features="dmpnn", **SMALL), CLASSES
        ),
        SMILES,
    ),
    "automatic": (
        lambda: (
            models.AutoModel("regression", splitter="random", folds=2, members=["Gaussian process", "ridge"], coverage=0.5),
            NumpyDataset(numbers(10, 1), VALUES, tasks=["solubility", "mass"], ids=SMILES),
        ),
        SMILES,
    ),
    "boosted": (_boosted, numbers(10, 16)),
    "graph_line": (lambda: (line_graph(), NumpyDataset(numbers(10, 3), VALUES[:, :1] / 40)), numbers(10, 3)),
}  # fmt: skip


def write_model(name: str, folder: Path) -> None:
    model, data = MODELS[name][0]()
    if data is None:
        rows = (MODELS[name][1], np.eye(2)[[0, 1, 1, 0]], np.ones(4))
        model.fit_generator([rows, rows])
    elif isinstance(model, models.AutoModel):
        model.fit(data)
    else:
        model.fit(data, nb_epoch=2)
    model.save(folder)


def ask_model(name: str, folder: Path) -> dict[str, Any]:
    """What a loaded model says of itself, and what it predicts."""
    model = models.load(folder)
    said = {
        "class": type(model).__name__,
        "config": model.to_config(),
        "tasks": model.tasks,
        "featurizer": repr(model.featurizer),
        "transformers": [transformer.to_config() for transformer in model.transformers],
        "predicted": model.predict(MODELS[name][1]),
    }
    if isinstance(model, models.Ensemble):
        said["spread"] = model.predict_spread(SMILES)
    if isinstance(model, models.AutoModel):
        said["table"] = [column.tolist() for column in model.predict_table(SMILES)]
    if isinstance(model, models.LanguageModel):
        said["sample"] = model.sample(3, max_length=6, seed=1)
    return said


def learner() -> tuple[Any, Any]:
    """What the checkpoint is of."""
    return _dense(models.MultitaskClassifier, PACKED, CLASSES)


def watchers(folder: Path) -> list[Any]:
    return [ct.train.Checkpoint(folder), ct.train.EarlyStopping(monitor="loss")]


def write_checkpoint(folder: Path) -> None:
    model, data = learner()
    model.fit(data, nb_epoch=2, callbacks=watchers(folder))


def ask_checkpoint(folder: Path) -> dict[str, Any]:
    """Training that goes on."""
    model, data = learner()
    history = model.fit(data, nb_epoch=4, callbacks=watchers(folder), resume=folder)
    return {"loss": history["loss"], "predicted": model.predict(PACKED)}


def write_dataset(folder: Path) -> None:
    table = folder.with_suffix(".csv")
    rows = [
        f"{smiles},{value if i % 3 else ''},{i}"
        for i, (smiles, value) in enumerate(zip(SMILES, VALUES[:, 0], strict=True))
    ]
    table.write_text("\n".join(["smiles,value,number", *rows, "C1CC,5,6", ""]))
    loader = ct.data.CSVLoader(["value", "number"], ECFP, feature_field="smiles")
    loader.create_dataset(table, data_dir=folder, shard_size=4, errors="drop")
    table.unlink()


def ask_dataset(folder: Path) -> dict[str, Any]:
    data = ct.data.DiskDataset(folder)
    return {
        "rows": [data.X[:], np.nan_to_num(data.y[:], nan=-1), data.w[:], [str(name) for name in data.ids[:]]],
        "told": [data.tasks, repr(data.featurizer), str(data.report), data.get_number_shards()],
        "shuffled": [[str(name) for name in ids] for *_, ids in data.iterbatches(3, seed=1)],
    }


def write_index(folder: Path) -> None:
    ct.FingerprintIndex(PACKED).save(folder)


def ask_index(folder: Path) -> dict[str, Any]:
    rows, similarities = ct.FingerprintIndex.load(folder).topk(PACKED[:3], 4)
    return {"rows": rows, "similarities": similarities}


TOKENIZERS: dict[str, tuple[Any, list[str]]] = {
    "characters": (CharTokenizer(["a", "b"], unknown="token"), ["abc", ""]),
    "dna": (DNATokenizer(), ["ACGTN"]),
    "smiles": (SmilesTokenizer.fit(SMILES), SMILES),
}


def write_tokenizers(folder: Path) -> None:
    folder.mkdir()
    for name, (tokenizer, _) in TOKENIZERS.items():
        tokenizer.save(folder / name)


def ask_tokenizers(folder: Path) -> dict[str, Any]:
    said = {}
    for name, (_, texts) in TOKENIZERS.items():
        loaded = ct.data.load_tokenizer(folder / name)
        said[name] = [type(loaded).__name__, loaded.tokens, [loaded.encode(text) for text in texts]]
    return said


LIBRARY = [(head + "C" * (i // 5) if i % 9 else "C1CC") for i, head in enumerate(["O", "CO", "NC", "CCl", "C"] * 8)]


class Killed(BaseException):
    """Ends the run that is saved unfinished."""


def write_screening(folder: Path) -> None:
    """A run that ended, one that was stopped on its way (a record is written every 5 s), and two shards."""
    folder.mkdir()
    model, data = with_units(_regressor, ECFP)
    model.fit(data, nb_epoch=2)
    model.save(folder / "model")
    library = set_library(folder)

    slow, calls = models.load(folder / "model"), []

    def predict(*arguments: Any, **options: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 4:
            raise Killed
        time.sleep(6)
        return type(slow).predict(slow, *arguments, **options)

    slow.predict = predict
    with contextlib.suppress(Killed):
        ct.screen(slow, library, 6, out=folder / "stopped.csv", chunk=12, progress=False)
    ct.screen(folder / "model", library, 6, out=folder / "ended.csv", progress=False)
    for part in (1, 2):
        ct.screen(folder / "model", library, 6, out=folder / f"part{part}.csv", shard=f"{part}/2", progress=False)


def set_library(folder: Path) -> Path:
    """The library with the time of change that the records name."""
    path = folder / "library.smi"
    path.write_text("".join(f"{smiles}\tname{i}\n" for i, smiles in enumerate(LIBRARY)))
    os.utime(path, ns=(10**18, 10**18))
    return path


def ask_screening(folder: Path) -> dict[str, Any]:
    library = set_library(folder)
    said = {}
    for name in ("ended", "stopped"):
        hits = ct.screen(folder / "model", library, 6, out=folder / f"{name}.csv", resume=True, progress=False)
        said[name] = [hits.smiles, hits.ids, hits.rows, hits.scores, str(hits.report)]
    hits = ct.screening.merge([folder / f"part{part}.csv" for part in (1, 2)])
    said["merged"] = [hits.smiles, hits.ids, hits.rows, hits.scores, str(hits.report)]
    said["files"] = [
        (folder / f"{name}.csv{end}").read_text() for name in ("ended", "stopped") for end in ("", ".errors.csv")
    ]
    return said


OTHERS: dict[str, tuple[Callable[[Path], None], Callable[[Path], dict[str, Any]]]] = {
    "checkpoint": (write_checkpoint, ask_checkpoint),
    "dataset": (write_dataset, ask_dataset),
    "index": (write_index, ask_index),
    "tokenizers": (write_tokenizers, ask_tokenizers),
    "screening": (write_screening, ask_screening),
}


def ask(name: str, folder: Path) -> Any:
    """The answers of what is saved in a folder, as JSON values."""
    said = ask_model(name, folder) if name in MODELS else OTHERS[name][1](folder)
    return json.loads(json.dumps(said, default=lambda array: np.asarray(array).tolist()))


def main(names: list[str]) -> None:
    answers = json.loads(ANSWERS.read_text()) if ANSWERS.is_file() else {}
    for name in names:
        shutil.rmtree(SAVED / name, ignore_errors=True)
        SAVED.mkdir(exist_ok=True)
        if name in MODELS:
            write_model(name, SAVED / name)
        else:
            OTHERS[name][0](SAVED / name)
        copy = SAVED / "copy"
        shutil.copytree(SAVED / name, copy)
        answers[name] = {"version": ct.__version__, "said": ask(name, copy)}
        shutil.rmtree(copy)
    lines = (f"{json.dumps(name)}: {json.dumps(answers[name], separators=(',', ':'))}" for name in sorted(answers))
    ANSWERS.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    if not set(sys.argv[1:]) <= {*MODELS, *OTHERS} or len(sys.argv) == 1:
        sys.exit(f"names of what to write: {' '.join([*MODELS, *OTHERS])}")
    main(sys.argv[1:])
