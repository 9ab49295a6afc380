"""Models: nets and baselines with fit, predict, evaluate, save and load, under the names that DeepChem users know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._internal.lazy import attach
from .load import MODULES, load, register
from .model import Model

if TYPE_CHECKING:
    from . import tensorgraph
    from .cnn import CNN
    from .ensemble import Ensemble
    from .language import LanguageModel
    from .multitask import MultitaskClassifier, MultitaskRegressor
    from .neighbors import TanimotoKNNClassifier, TanimotoKNNRegressor
    from .net import NetModel
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
    "NetModel",
    "ResNetClassifier",
    "SequenceClassifier",
    "SequenceRegressor",
    "TanimotoKNNClassifier",
    "TanimotoKNNRegressor",
    "TensorGraph",
    "UNet",
    "load",
    "register",
    "tensorgraph",
]

__getattr__, __dir__ = attach(__name__, ("tensorgraph",), MODULES)
