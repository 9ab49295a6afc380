"""Settings that a model declares once: constructor, attributes, config and the way back, and how they are shown."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest

import catalase as ct
from catalase import models, optim
from catalase._internal import registry, storage

TOKENIZER = ct.data.CharTokenizer(["A", "C"])
SCHEDULE = optim.CosineDecay(0.1, 0.01, 50, warmup=5)
# Arguments that are none of the defaults, as NumPy's numbers and tuples too.
MADE = {
    "MultitaskClassifier": lambda: models.MultitaskClassifier(
        np.int64(2), 16, (8, np.int32(4)), [0.1, 0.2], 0.5, 0.01, "l1", (0.1, 0.2), ["tanh", "relu"], 3, 7, 1, 5, True,
        "AdamW", True, True, "float64",
    ),
    "MultitaskRegressor": lambda: models.MultitaskRegressor(
        2, 16, [8], [0.1, 0.3], [0.5, 0.6], 1, "l2", 0.1, "tanh", 7, SCHEDULE, 5, True, optim.SGD(lr=SCHEDULE), True, True, True, "float64",
    ),
    "CNN": lambda: models.CNN(
        2, 3, 2, [4, 4], [3, (3, 5)], 1, 0.1, [0.1, 0.2], 0.01, "l1", [0.1, 0], "tanh", 6, "average", "regression", 3, True,
        "SAME", True, 7, 0.01, 5, optim.Momentum(lr=0.1, nesterov=True),
    ),
    "ResNetClassifier": lambda: models.ResNetClassifier(
        2, 3, 2, [4, 8], 1, (3, 3), 5, 2, 0.1, 3, 0.01, "l1", 7, 0.01, 5, "RMSProp"
    ),
    "UNet": lambda: models.UNet(2, 3, 2, [4, 8], (3, 3), 0.1, "regression", False, 0.01, "l1", 7, 0.01, 5, "Adam"),
    "SequenceClassifier": lambda: models.SequenceClassifier(
        2, TOKENIZER, None, 3, "lstm", 4, 5, 2, 0.1, False, "last", None, 7, 0.01, 5, True, 3, "SGD", 2
    ),
    "SequenceRegressor": lambda: models.SequenceRegressor(
        2, None, 3, "rnn", 4, 5, 2, 0.1, True, "mean", 1.0, 7, 0.01, 5, False, None, optim.AdaGrad(clip_norm=2.0), 2
    ),
    "LanguageModel": lambda: models.LanguageModel(TOKENIZER, "rnn", 4, 5, 2, 0.1, None, 7, 0.01, 5, 3, "AdamW", 2),
    "Autoencoder": lambda: models.Autoencoder((9, 8, 1), 3, [4], [2, 5], "tanh", "binary", 7, 0.01, 5, "AdamW"),
    "DenoisingAutoencoder": lambda: models.DenoisingAutoencoder(
        12, 3, [4, 5], [], "elu", "binary", 0.1, 0.2, 7, SCHEDULE, 5, "SGD"
    ),
    "VAE": lambda: models.VAE([9, 8, 3], 3, (4,), (2, 5), "identity", "binary", 2, 9, 7, 0.01, 5, optim.SGD(lr=0.1)),
    "SmilesVAE": lambda: models.SmilesVAE(
        TOKENIZER, 3, "lstm", 4, 5, 2, 0.1, 2, 0.5, 0.5, 3, None, 7, 0.01, 5, "AdamW"
    ),
    "GAN": lambda: models.GAN(12, 3, (4, 5), 2, 7, 0.01, 5, "SGD"),
    "WGAN": lambda: models.WGAN(12, 3, [4], 2, 5, 7, SCHEDULE, 5, optim.SGD(lr=0.1)),
    "TanimotoKNNClassifier": lambda: models.TanimotoKNNClassifier(2, 16, 3, "uniform", 4),
    "TanimotoKNNRegressor": lambda: models.TanimotoKNNRegressor(2, 16, 3, "uniform"),
    "TanimotoGP": lambda: models.TanimotoGP(2, 16, 12, "classification", 3, 50, 20, 1),
    "RidgeRegression": lambda: models.RidgeRegression(2, 16, 0.5, True),
    "EuclideanKNNClassifier": lambda: models.EuclideanKNNClassifier(2, 16, 3, "uniform", False, 4),
    "EuclideanKNNRegressor": lambda: models.EuclideanKNNRegressor(2, 16, 3, "uniform", False),
    "Ensemble": lambda: models.Ensemble([MADE["MultitaskRegressor"](), MADE["MultitaskRegressor"]()]),
}  # fmt: skip


@pytest.mark.parametrize("name", MADE)
def test_every_setting_survives_the_way_into_a_folder_and_back(name, tmp_path):
    model = MADE[name]()
    config = model.to_config()
    taken = set(inspect.signature(type(model)).parameters)
    assert config.keys() == taken | {"class"} - ({"optimizer"} if model.__dict__.get("optimizer", 0) is None else set())
    assert json.loads(json.dumps(config)) == config
    model.save(tmp_path / "m")
    again = models.load(tmp_path / "m")
    assert type(again) is type(model) and again.to_config() == config
    assert registry.build(config, models.Model).to_config() == config


@pytest.mark.parametrize("name", [name for name in MADE if name != "Ensemble"])
def test_what_a_constructor_refuses_a_config_refuses(name):
    config = MADE[name]().to_config()
    for key in set(config) - {"class"}:
        for wrong in ({"x": [1]}, [[[]]], "no such word", -1, float("nan")):
            with pytest.raises(ValueError, match=r"must be|config|names|must not|unknown"):
                registry.build({**config, key: wrong}, models.Model)


@pytest.mark.parametrize("name", MADE)
def test_every_setting_is_shown_with_what_it_may_be(name):
    kind = getattr(models, name)
    lines = repr(kind.settings).splitlines()
    parameters = inspect.signature(kind).parameters
    assert [line.split()[0] for line in lines] == list(parameters)
    for line, parameter in zip(lines, parameters.values(), strict=True):
        assert ("(default: " in line) == (parameter.default is not parameter.empty), line
        assert "a value" not in line
    assert all(key in kind.__doc__ for key in parameters), "the docstring leaves a setting out"


def test_settings_read_as_sentences():
    lines = dict(line.split("  ", 1) for line in repr(models.UNet.settings).splitlines())
    assert lines["dropout"].strip() == "a number from 0 to below 1 (default: 0.0)"
    assert lines["seed"].strip() == "None or a whole number, 0 or more (default: None)"
    assert lines["n_tasks"].strip() == "a whole number from 1 to 1,000,000 (default: 1)"


def test_a_config_of_an_earlier_version_gets_the_defaults_of_new_settings(tmp_path):
    model = models.MultitaskRegressor(1, 4, layer_sizes=[3], seed=0, optimizer="SGD")
    model.save(tmp_path / "m")
    config, arrays = storage.load_folder(tmp_path / "m")
    del config["model"]["optimizer"], config["model"]["pad_batches"]
    storage.save_folder(tmp_path / "m", config, arrays)
    again = models.load(tmp_path / "m")
    assert again.optimizer is None and again.pad_batches is False
    assert "optimizer" not in again.to_config()  # which an earlier version can read, too


@pytest.mark.parametrize("attribute", ["weight_init_stddevs", "bias_init_consts"])
@pytest.mark.parametrize(
    "kind, given, expected",
    [
        ("MultitaskClassifier", 0.5, {"weight_init_stddevs": [0.5, 0.5], "bias_init_consts": [0.5, 0.5, 0.0]}),
        ("MultitaskRegressor", 0.5, {"weight_init_stddevs": [0.5, 0.5, 0.5], "bias_init_consts": [0.5, 0.5, 0.0]}),
        ("CNN", 0.5, {"weight_init_stddevs": [0.5, 0.5, 0.5], "bias_init_consts": [0.5, 0.5, 0.5]}),
        ("MultitaskClassifier", [1, 2], {"weight_init_stddevs": [1, 2], "bias_init_consts": [1, 2, 0]}),
        ("MultitaskRegressor", [1, 2], {"weight_init_stddevs": [1, 2, 2], "bias_init_consts": [1, 2, 0]}),
        ("CNN", [1, 2], {"weight_init_stddevs": [1, 2, 2], "bias_init_consts": [1, 2, 0]}),
        *[(kind, [1, 2, 3], {}) for kind in ("MultitaskClassifier", "MultitaskRegressor", "CNN")],
    ],
)
def test_what_the_output_layer_gets_where_a_list_does_not_say_it(kind, given, expected, attribute):
    layers = {"layer_filters": [2, 2], "dims": 1} if kind == "CNN" else {"layer_sizes": [2, 2]}
    model = getattr(models, kind)(n_tasks=1, n_features=3, **layers, **{attribute: given})
    assert getattr(model, attribute) == expected.get(attribute, given)
