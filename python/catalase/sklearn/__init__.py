"""scikit-learn's estimators and transformers over Catalase's models and featurizers, for pipelines, searches and scores."""

from __future__ import annotations

try:
    from sklearn.utils.validation import validate_data as _validate_data  # noqa: F401
except ImportError:
    raise ImportError(
        "catalase.sklearn: scikit-learn 1.6 or newer is needed; pip install 'catalase[sklearn]'"
    ) from None

from .auto import AutoClassifier, AutoRegressor
from .dense import DenseClassifier, DenseRegressor
from .gaussian_process import TanimotoGPClassifier, TanimotoGPRegressor
from .graphs import DMPNNClassifier, DMPNNRegressor
from .neighbors import KNNClassifier, KNNRegressor
from .ridge import RidgeClassifier, RidgeRegressor
from .sequences import SequenceClassifier, SequenceRegressor
from .transformers import ECFP, Descriptors, MolGraphs, OneHotDNA

__all__ = [
    "AutoClassifier",
    "AutoRegressor",
    "DMPNNClassifier",
    "DMPNNRegressor",
    "DenseClassifier",
    "DenseRegressor",
    "Descriptors",
    "ECFP",
    "KNNClassifier",
    "KNNRegressor",
    "MolGraphs",
    "OneHotDNA",
    "RidgeClassifier",
    "RidgeRegressor",
    "SequenceClassifier",
    "SequenceRegressor",
    "TanimotoGPClassifier",
    "TanimotoGPRegressor",
]
