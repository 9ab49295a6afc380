"""Models: nets and baselines with fit, predict, evaluate, save and load, under the names that DeepChem users know."""

from __future__ import annotations

from . import tensorgraph
from .cnn import CNN
from .ensemble import Ensemble
from .model import Model, load
from .multitask import MultitaskClassifier, MultitaskRegressor
from .neighbors import TanimotoKNNClassifier, TanimotoKNNRegressor
from .resnet import ResNetClassifier
from .tensorgraph import TensorGraph
from .unet import UNet

__all__ = [
    "CNN",
    "Ensemble",
    "Model",
    "MultitaskClassifier",
    "MultitaskRegressor",
    "ResNetClassifier",
    "TanimotoKNNClassifier",
    "TanimotoKNNRegressor",
    "TensorGraph",
    "UNet",
    "load",
    "tensorgraph",
]
