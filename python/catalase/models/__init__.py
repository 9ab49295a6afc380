"""Models: nets and baselines with fit, predict, evaluate, save and load, under the names that DeepChem users know."""

from __future__ import annotations

from . import tensorgraph
from .cnn import CNN
from .ensemble import Ensemble
from .language import LanguageModel
from .model import Model, load
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
