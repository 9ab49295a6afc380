"""Featurizers turn molecules and sequences into arrays; they have the names that DeepChem users know. Structural alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._internal.lazy import attach
from ..ops.descriptors import DESCRIPTOR_NAMES
from .alerts import FilterCatalog, filter_catalog
from .circular import CircularFingerprint
from .combined import Combined
from .descriptors import Descriptors, RDKitDescriptors
from .dna import DNAOneHotFeaturizer
from .featurizer import Featurizer
from .fingerprints import (
    AtomPairFingerprint,
    MACCSKeysFingerprint,
    RDKitFingerprint,
    TopologicalTorsionFingerprint,
)
from .graphs import ConvMolFeaturizer, MolGraphConvFeaturizer, MolGraphFeaturizer

if TYPE_CHECKING:
    from ..trans.transformer import TransformedFeaturizer
    from .smiles_tokens import SmilesTokens

__all__ = [
    "DESCRIPTOR_NAMES",
    "AtomPairFingerprint",
    "CircularFingerprint",
    "ConvMolFeaturizer",
    "Combined",
    "DNAOneHotFeaturizer",
    "Descriptors",
    "Featurizer",
    "FilterCatalog",
    "MACCSKeysFingerprint",
    "MolGraphConvFeaturizer",
    "MolGraphFeaturizer",
    "RDKitDescriptors",
    "RDKitFingerprint",
    "SmilesTokens",
    "TopologicalTorsionFingerprint",
    "TransformedFeaturizer",
    "filter_catalog",
]

# These need tokenizers and transformers, which come with the datasets, which have featurizers.
if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(
        __name__, (), {"SmilesTokens": "smiles_tokens", "TransformedFeaturizer": ".trans.transformer"}
    )
