"""Models: nets and baselines with fit, predict, evaluate, save and load, under the names that DeepChem users know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._internal.lazy import attach
from .load import load, register
from .model import Model

if TYPE_CHECKING:
    from . import optimizers, tensorgraph
    from .attentive_fp import AttentiveFPModel
    from .auto import AutoModel
    from .autoencoder import VAE, Autoencoder, DenoisingAutoencoder
    from .boosting import GBDTModel
    from .cnn import CNN
    from .dmpnn import DMPNNModel
    from .ensemble import Ensemble
    from .estimators import SklearnModel
    from .euclidean_neighbors import EuclideanKNNClassifier, EuclideanKNNRegressor
    from .gan import GAN, WGAN
    from .gaussian_process import TanimotoGP
    from .gin import GINModel
    from .graph_conv import GraphConvModel
    from .language import LanguageModel
    from .multitask import MultitaskClassifier, MultitaskRegressor
    from .neighbors import TanimotoKNNClassifier, TanimotoKNNRegressor
    from .net import NetModel
    from .resnet import ResNetClassifier
    from .ridge import RidgeRegression
    from .sequence import SequenceClassifier, SequenceRegressor
    from .smiles_vae import SmilesVAE
    from .tensorgraph import TensorGraph
    from .unet import UNet

__all__ = [
    "AttentiveFPModel",
    "AutoModel",
    "Autoencoder",
    "CNN",
    "DMPNNModel",
    "DenoisingAutoencoder",
    "Ensemble",
    "EuclideanKNNClassifier",
    "EuclideanKNNRegressor",
    "GAN",
    "GBDTModel",
    "GINModel",
    "GraphConvModel",
    "LanguageModel",
    "Model",
    "MultitaskClassifier",
    "MultitaskRegressor",
    "NetModel",
    "ResNetClassifier",
    "RidgeRegression",
    "SequenceClassifier",
    "SequenceRegressor",
    "SklearnModel",
    "SmilesVAE",
    "TanimotoGP",
    "TanimotoKNNClassifier",
    "TanimotoKNNRegressor",
    "TensorGraph",
    "UNet",
    "VAE",
    "WGAN",
    "load",
    "optimizers",
    "register",
    "tensorgraph",
]

# Where each class lives: a module is imported when one of its names is first asked for.
_MODULES = {
    "AttentiveFPModel": "attentive_fp",
    "AutoModel": "auto",
    "Autoencoder": "autoencoder",
    "DenoisingAutoencoder": "autoencoder",
    "CNN": "cnn",
    "DMPNNModel": "dmpnn",
    "Ensemble": "ensemble",
    "EuclideanKNNClassifier": "euclidean_neighbors",
    "EuclideanKNNRegressor": "euclidean_neighbors",
    "GAN": "gan",
    "GBDTModel": "boosting",
    "GINModel": "gin",
    "GraphConvModel": "graph_conv",
    "LanguageModel": "language",
    "MultitaskClassifier": "multitask",
    "MultitaskRegressor": "multitask",
    "NetModel": "net",
    "ResNetClassifier": "resnet",
    "RidgeRegression": "ridge",
    "SequenceClassifier": "sequence",
    "SequenceRegressor": "sequence",
    "SklearnModel": "estimators",
    "SmilesVAE": "smiles_vae",
    "TanimotoGP": "gaussian_process",
    "TanimotoKNNClassifier": "neighbors",
    "TanimotoKNNRegressor": "neighbors",
    "TensorGraph": "tensorgraph",
    "UNet": "unet",
    "VAE": "autoencoder",
    "WGAN": "gan",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(__name__, ("optimizers", "tensorgraph"), _MODULES)
