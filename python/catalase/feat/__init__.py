"""Featurizers: from molecules to arrays, with the names that DeepChem users know."""

from __future__ import annotations

from .circular import CircularFingerprint
from .dna import DNAOneHotFeaturizer
from .featurizer import Featurizer
from .transformed import TransformedFeaturizer

__all__ = ["CircularFingerprint", "DNAOneHotFeaturizer", "Featurizer", "TransformedFeaturizer"]
