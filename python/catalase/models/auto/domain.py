"""The domain of a model: how alike a molecule is to the nearest one that the model has learned from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...fingerprint_index import FingerprintIndex

_QUANTILE = 0.05


class Domain:
    """Similarity to the training molecules, and from which similarity on a molecule is in the domain.

    Parameters
    ----------
    bits : uint8 ndarray (N, 256)
        Of the training molecules.
    threshold : float
        The least similarity of a molecule in the domain.
    """

    def __init__(self, bits: NDArray[np.uint8], threshold: float) -> None:
        self.bits, self.threshold = bits, threshold
        self._index = FingerprintIndex(bits)

    @classmethod
    def of(cls, bits: NDArray[np.uint8], folds: NDArray[np.intp]) -> tuple[Domain, NDArray[np.float32]]:
        """Make the domain of training molecules in folds; return it, and the similarity of each to another fold's.

        The threshold is the similarity that 95% of them have, or more, to the nearest one of another fold.
        """
        nearest = np.zeros(len(bits), np.float32)
        for fold in np.unique(folds):
            inside = folds == fold
            _, similar = FingerprintIndex(bits[~inside]).topk(bits[inside], 1)
            nearest[inside] = similar[:, 0]
        return cls(bits, float(np.quantile(nearest, _QUANTILE))), nearest

    def nearest(self, bits: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the similarity of each molecule to the nearest training molecule, from 0 to 1."""
        return self._index.topk(bits, 1)[1][:, 0]
