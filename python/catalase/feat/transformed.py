"""A featurizer, and what was done to its features afterwards."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._internal.numbers import choice, listed, shown
from .._internal.registry import List, Object, register
from ..trans import Transformer
from .featurizer import Featurizer


@register(
    "TransformedFeaturizer",
    featurizer=Object(Featurizer),
    transformers=List(Object(Transformer), min_length=1, max_length=1000),
)
class TransformedFeaturizer(Featurizer):
    """A featurizer whose features are transformed, as those that a model was trained on.

    Parameters
    ----------
    featurizer : Featurizer
    transformers : sequence of Transformer
        Of X, applied in this order.

    Notes
    -----
    A transformer of X puts it into the place of a dataset's featurizer, so that a model that is trained on the transformed
    dataset gets the same features from SMILES.

    Examples
    --------
    >>> import catalase as ct
    >>> ecfp = ct.feat.CircularFingerprint(size=64, is_counts_based=True)
    >>> data = ct.data.NumpyDataset(ecfp(["CCO", "CCCN"]), featurizer=ecfp)
    >>> scaled = data.transform(ct.trans.NormalizationTransformer(transform_X=True, dataset=data))
    >>> bool((scaled.featurizer(["CCO", "CCCN"]) == scaled.X).all())
    True
    """

    def __init__(self, featurizer: Featurizer, transformers: Sequence[Transformer]) -> None:
        if not isinstance(featurizer, Featurizer):
            raise TypeError(f"TransformedFeaturizer: featurizer must be a Featurizer, got {type(featurizer).__name__}")
        self.transformers = listed("TransformedFeaturizer", "transformers", transformers, "transformers")
        for transformer in self.transformers:
            if isinstance(transformer, type) or not callable(getattr(transformer, "transform_array", None)):
                raise TypeError(
                    f"TransformedFeaturizer: transformers must be a list of transformers, got {shown(transformer)}"
                )
        self.featurizer, self.reads = featurizer, featurizer.reads

    def featurize(self, datapoints: Sequence[Any], errors: str = "raise") -> Any:
        """Return the transformed features; see `Featurizer.featurize`. A row of zeros for "mask" stays one."""
        choice("featurize", "errors", errors, ("raise", "mask", "drop"))
        inner = copy.copy(self.featurizer)  # its report is this call's, whatever other threads do
        result = inner.featurize(datapoints, errors=errors)
        self.report = inner.report
        X, *kept = result if errors == "drop" else (result,)
        zeros = [] if errors != "mask" or inner.report is None else [f.position for f in inner.report.failures]
        zeros = [row for row in zeros if not np.any(X[row])]
        for transformer in self.transformers:
            X = transformer.transform_array(X, None, None)[0]
        if zeros:
            X[zeros] = 0
        return (X, *kept) if kept else X

    @property
    def size(self) -> int | None:
        """Features a row, where that is known; transformers change no widths."""
        return getattr(self.featurizer, "size", None)

    def to_config(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return {
            "featurizer": self.featurizer.saved_form(),
            "transformers": [transformer.to_config() for transformer in self.transformers],
        }

    def _meaning(self) -> Any:
        return self.featurizer._meaning(), [transformer.to_config() for transformer in self.transformers]

    def __repr__(self) -> str:
        return f"TransformedFeaturizer({self.featurizer!r}, {self.transformers!r})"
