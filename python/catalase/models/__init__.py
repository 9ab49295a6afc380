"""Models: nets and baselines with fit, predict, evaluate, save and load, under the names that DeepChem users know."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from .._internal.lazy import attach
from .model import Model, load

if TYPE_CHECKING:
    from . import tensorgraph
    from .cnn import CNN
    from .ensemble import Ensemble
    from .language import LanguageModel
    from .multitask import MultitaskClassifier, MultitaskRegressor
    from .neighbors import TanimotoKNNClassifier, TanimotoKNNRegressor
    from .resnet import ResNetClassifier
    from .sequence import SequenceClassifier, SequenceRegressor
    from .tensorgraph import TensorGraph
    from .unet import UNet

__all__ = [
    "CNN",
    "Ensemble",
    "LanguageModel",
    "Model",
    "MultitaskClassifier",
    "MultitaskRegressor",
    "ResNetClassifier",
    "SequenceClassifier",
    "SequenceRegressor",
    "TanimotoKNNClassifier",
    "TanimotoKNNRegressor",
    "TensorGraph",
    "UNet",
    "load",
    "tensorgraph",
]

# Where each class lives. A module is imported when one of its names is first asked for, all of them by `load`.
_MODULES = {
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


__getattr__, __dir__ = attach(__name__, ("tensorgraph",), _MODULES)


def register_all() -> None:
    """Import every model class, so that a saved config may name any of them."""
    for module in _MODULES.values():
        importlib.import_module(f".{module}", __name__)
