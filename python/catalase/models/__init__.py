"""Models: nets and baselines with fit, predict, evaluate, save and load, under the names that DeepChem users know."""

from __future__ import annotations

from . import tensorgraph
from .ensemble import Ensemble
from .model import Model, load
from .multitask import MultitaskClassifier, MultitaskRegressor
from .neighbors import TanimotoKNNClassifier, TanimotoKNNRegressor
from .tensorgraph import TensorGraph

__all__ = [
    "Ensemble",
    "Model",
    "MultitaskClassifier",
    "MultitaskRegressor",
    "TanimotoKNNClassifier",
    "TanimotoKNNRegressor",
    "TensorGraph",
    "load",
    "tensorgraph",
]
