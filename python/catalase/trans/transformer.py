"""`Transformer`, the base class: applying it to a dataset, undoing it, and its JSON form through the registry.

A transformer of X puts a `TransformedFeaturizer` into the place of the dataset's featurizer.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._internal import registry
from .._internal.arrays import dataset_of, numbers
from .._internal.numbers import choice, listed, shown
from .._internal.registry import List, Object, register
from ..data import GraphDataset, NumpyDataset, RaggedArray, SequenceDataset
from ..feat.featurizer import Featurizer

if TYPE_CHECKING:
    from .._internal.outcomes import Errors


class Transformer:
    """Base class of transformers.

    A subclass sets `transform_X`, `transform_y` or `transform_w` (which part it changes), and defines `transform_array`
    and `to_config`, and `untransform` where it changes y or X. A transformer is fitted when it is made, on the dataset that
    it is given. Give it the training part only, since statistics of validation or test rows would leak.
    """

    transform_X = False
    transform_y = False
    transform_w = False

    def transform_array(
        self, X: np.ndarray, y: np.ndarray | None, w: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Return transformed copies of the arrays that the transformer changes, and the others unchanged.

        Parameters
        ----------
        X : ndarray
            Features.
        y, w : ndarray or None
            Labels and weights of the same rows.

        Returns
        -------
        tuple of X, y, w
        """
        return X, y, w

    def transform(self, dataset: Any) -> Any:
        """Return a new dataset with the transformed arrays; `dataset` does not change, and other arrays are shared.

        It is a `NumpyDataset`; of a `GraphDataset` or a `SequenceDataset`, of which only y and w can be changed, it is one of
        its kind. Its featurizer gives the features of the new X.
        """
        if isinstance(dataset, (GraphDataset, SequenceDataset)):
            return dataset.transform(self)
        dataset_of(type(self).__name__, "dataset", dataset, ("X", "y", "w", "ids", "get_task_names"))
        featurizer = getattr(dataset, "featurizer", None)
        if featurizer is not None and self.transform_X:
            featurizer = TransformedFeaturizer(featurizer, [self])
        X, y, w = self.transform_array(dataset.X, dataset.y, dataset.w)
        made = NumpyDataset(X, y, w, dataset.ids, tasks=list(dataset.get_task_names()), featurizer=featurizer)
        if not self.transform_X:
            made.scaled_by = getattr(dataset, "scaled_by", 1.0)
        return made

    def untransform(self, z: Any) -> np.ndarray:
        """Undo the transformation on labels or predictions (on X for a transformer of X)."""
        return numbers(type(self).__name__, "z", z)

    def to_config(self) -> dict[str, Any]:
        """Return JSON values from which `from_config` makes an equal transformer."""
        raise TypeError(f"{type(self).__name__}: this transformer cannot be saved, it defines no to_config")

    @staticmethod
    def build(config: Any) -> Transformer:
        """Return the transformer that a config describes; ValueError for anything else than one of this package."""
        transformer: Transformer = registry.build(config, kind=Transformer)
        return transformer


@register(
    "TransformedFeaturizer",
    featurizer=Object(Featurizer),
    transformers=List(Object(Transformer), min_length=1, max_length=1000),
)
class TransformedFeaturizer(Featurizer):
    """A featurizer whose features are transformed like the features that a model was trained on.

    Parameters
    ----------
    featurizer : Featurizer
    transformers : sequence of Transformer
        Transformers of X, applied in this order.

    Notes
    -----
    A transformer of X replaces a dataset's featurizer by this one, so that a model that is trained on the transformed
    dataset computes the same features from SMILES.

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

    def featurize(self, datapoints: Sequence[Any], errors: Errors = "raise") -> Any:
        """Return the transformed features; see `Featurizer.featurize`. A row of zeros for "mask" stays zero."""
        choice("featurize", "errors", errors, ("raise", "mask", "drop"))
        inner = copy.copy(self.featurizer)  # so that the report is of this call, whatever other threads do
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
    def feature_names(self) -> tuple[str, ...] | None:
        """The names of the features before they are transformed."""
        return self.featurizer.feature_names

    @property
    def size(self) -> int | None:
        """The number of features of a row, where that is known; transformers do not change it."""
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


def label_columns(dataset: Any) -> tuple[Any, Any]:
    """Return y and w of a dataset; labels of time steps are those of all sequences, end to end."""
    y, w = (column.values if isinstance(column, RaggedArray) else column for column in (dataset.y, dataset.w))
    return y, w


def undo_transforms(y: Any, transformers: Sequence[Transformer]) -> np.ndarray:
    """Undo the transformers that changed y, the last one first; other transformers are skipped.

    Parameters
    ----------
    y : array (N,), (N, T) or (N, T, 1)
    transformers : sequence of Transformer

    Returns
    -------
    ndarray
        An array of the same shape; `y` itself where there is nothing to undo.
    """
    result = numbers("undo_transforms", "y", y)
    for transformer in reversed(listed("undo_transforms", "transformers", transformers, "transformers")):
        if not hasattr(transformer, "transform_y") or isinstance(transformer, type):
            raise TypeError(f"undo_transforms: transformers must be a list of transformers, got {shown(transformer)}")
        if transformer.transform_y:
            result = transformer.untransform(result)
    return result
