"""Loading a saved model, of whichever class its config names."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from .._internal import registry, storage
from .._internal.numbers import path_of
from ..nn.allowance import allowance
from ..nn.module import check_finite
from .model import KIND, Model

# Where each class lives. A module is imported when one of its names is first asked for; all of them are by `load`,
# so that a config may name any class.
MODULES = {
    "CNN": "cnn",
    "Ensemble": "ensemble",
    "LanguageModel": "language",
    "MultitaskClassifier": "multitask",
    "MultitaskRegressor": "multitask",
    "ResNetClassifier": "resnet",
    "SequenceClassifier": "sequence",
    "SequenceRegressor": "sequence",
    "TanimotoKNNClassifier": "neighbors",
    "TanimotoKNNRegressor": "neighbors",
    "TensorGraph": "tensorgraph",
    "UNet": "unet",
}


def load(path: str | Path) -> Any:
    """Load a model that was saved by `Model.save`. Predictions are equal to the bit.

    It has what it needs to be used: ``predict`` takes what its featurizer takes, SMILES for example, and answers in the units
    of the measurement.

    Parameters
    ----------
    path : path
        The folder.

    Returns
    -------
    Model

    Raises
    ------
    FileNotFoundError
        If there is no saved model.
    ValueError
        If a file is truncated or was altered, if the config names a class or a setting that is not known or describes a
        larger net than the file of its weights holds, or if a weight is NaN or infinite.

    Notes
    -----
    Safe on files from strangers: nothing is unpickled, and only Catalase's own classes can be named.

    Examples
    --------
    >>> import tempfile, numpy as np, catalase as ct
    >>> model = ct.models.MultitaskRegressor(1, 8, layer_sizes=[4], seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(folder)
    ...     again = ct.models.load(folder)
    >>> X = np.ones((2, 8), np.float32)
    >>> bool(np.array_equal(model.predict(X), again.predict(X)))
    True
    """
    path = path_of("load", "path", path)
    config, arrays = storage.load_folder(path)
    if config.get("kind") != KIND or not isinstance(config.get("model"), dict):
        raise ValueError(f"load: {path} holds no model; give the folder that Model.save wrote")
    for module in MODULES.values():
        importlib.import_module(f".{module}", __package__)
    with allowance(arrays):
        model: Model = registry.build(config["model"], Model)
    try:
        model.module.load_state_dict(arrays)
    except ValueError as error:
        raise ValueError(f"load: the weights in {path} do not fit its config: {error}") from None
    check_finite("load", arrays, f"{path} was not written by a training that went well; train it again")
    model._carry(path, config)
    return model
