"""Featurizers as transformers: molecules or sequences in, features out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .._internal.numbers import choice
from ..feat import CircularFingerprint, DNAOneHotFeaturizer, Featurizer, MolGraphFeaturizer
from ..feat import Descriptors as DescriptorFeaturizer
from .texts import needed_texts

if TYPE_CHECKING:
    from .._internal.outcomes import InPlace


class Transformer(TransformerMixin, BaseEstimator):
    """The base: a subclass makes a featurizer of its arguments in ``_featurizer``.

    Attributes
    ----------
    featurizer_ : catalase.feat.Featurizer
    """

    _what = "SMILES or molecules"
    errors: InPlace
    featurizer_: Featurizer

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the arguments; nothing is learned of molecules, of sequences at most their length."""
        where = f"{type(self).__name__}.fit"
        choice(where, "errors", self.errors, ("raise", "mask"))
        self.featurizer_ = self._featurizer(needed_texts(where, X, self._what))
        return self

    def transform(self, X: Any) -> Any:
        """Return the features of the texts.

        Raises
        ------
        ValueError
            With ``errors="raise"`` for a text that cannot be read, with its row and the reason. With "mask" its row is
            empty (zeros, or NaN for descriptors), and a warning says how many there are.
        """
        check_is_fitted(self)
        where = f"{type(self).__name__}.transform"
        made = self.featurizer_.featurize(needed_texts(where, X, self._what), errors=self.errors)
        report = self.featurizer_.report
        failures = report.failures if report and self.errors == "mask" else []
        if failures:
            first = failures[0]
            warnings.warn(
                f"{where}: {len(failures):,} of {len(made):,} rows cannot be read and are left empty; row {first.position}, "
                f"{first.text[:80]!r}: {first.reason}",
                stacklevel=2,
            )
        return self._result(made, [failure.position for failure in failures])

    def _featurizer(self, texts: list[Any]) -> Featurizer:
        raise NotImplementedError

    def _result(self, features: Any, unread: list[int]) -> Any:
        """What `transform` gives, of the features and the rows that could not be read."""
        return features

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags


class NamedFeatures(Transformer):
    """Transformers whose result is a table with names, for ``set_output``."""

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the names of the features; those of the input do not matter."""
        check_is_fitted(self)
        return np.array(self._names(), dtype=object)

    def _names(self) -> Sequence[str]:
        return self.featurizer_.feature_names or ()


class ECFP(NamedFeatures):
    """Extended-connectivity fingerprints of molecules, equal to RDKit's.

    Parameters
    ----------
    radius : int
        The number of bonds around each atom; ECFP4 has radius 2.
    size : int
        The number of bits, a multiple of 8.
    chiral, bonds, features : bool
        As `catalase.feat.CircularFingerprint`.
    counts : bool
        Count how often each feature occurs, instead of whether it does.
    errors : {"raise", "mask"}
        What to do with a molecule that cannot be read.

    Attributes
    ----------
    featurizer_ : catalase.feat.CircularFingerprint

    Notes
    -----
    X holds SMILES or molecules of RDKit, in a list, an array, a Series or a frame of one column. The result is float32
    (N, size); its columns are called ``ecfp4_17``.

    Examples
    --------
    >>> from catalase.sklearn import ECFP
    >>> ECFP(size=1024).fit_transform(["CCO", "c1ccccc1"]).shape
    (2, 1024)
    """

    def __init__(
        self,
        radius: int = 2,
        size: int = 2048,
        *,
        chiral: bool = False,
        bonds: bool = True,
        features: bool = False,
        counts: bool = False,
        errors: InPlace = "raise",
    ) -> None:
        self.radius = radius
        self.size = size
        self.chiral = chiral
        self.bonds = bonds
        self.features = features
        self.counts = counts
        self.errors = errors

    def _featurizer(self, texts: list[Any]) -> Featurizer:
        return CircularFingerprint(self.radius, self.size, self.chiral, self.bonds, self.features, self.counts)


class Descriptors(NamedFeatures):
    """Molecular descriptors, equal to RDKit's.

    Parameters
    ----------
    names : sequence of str, optional
        Names of `catalase.feat.DESCRIPTOR_NAMES`; by default the 97 of `catalase.ops.descriptors`.
    errors : {"raise", "mask"}
        What to do with a molecule that cannot be read.

    Attributes
    ----------
    featurizer_ : catalase.feat.Descriptors

    Notes
    -----
    X as for `ECFP`. The result is float64 (N, D), NaN where a descriptor is not a finite number; scikit-learn's
    ``SimpleImputer`` and ``StandardScaler`` make it what a net learns from.

    Examples
    --------
    >>> from catalase.sklearn import Descriptors
    >>> Descriptors(["MolWt", "TPSA"]).fit_transform(["CCO"]).round(2).tolist()
    [[46.07, 20.23]]
    """

    def __init__(self, names: Sequence[str] | None = None, *, errors: InPlace = "raise") -> None:
        self.names = names
        self.errors = errors

    def _featurizer(self, texts: list[Any]) -> Featurizer:
        return DescriptorFeaturizer(self.names)

    def _result(self, features: Any, unread: list[int]) -> Any:
        features[unread] = np.nan
        features[~np.isfinite(features)] = np.nan
        return features


class MolGraphs(Transformer):
    """Molecular graphs, for `DMPNNRegressor` and `DMPNNClassifier`.

    Parameters
    ----------
    features : str
        Of atoms and bonds; see `catalase.ops.mol_graphs`.
    extra : catalase.feat.Featurizer, optional
        What makes more features of a molecule, such as ``catalase.feat.Descriptors()``.
    errors : {"raise", "mask"}
        What to do with a molecule that cannot be read.

    Attributes
    ----------
    featurizer_ : catalase.feat.MolGraphFeaturizer

    Notes
    -----
    X as for `ECFP`. The result is `catalase.ops.MolGraphs`, which is no table, so there is no ``set_output``.

    Examples
    --------
    >>> from catalase.sklearn import MolGraphs
    >>> MolGraphs().fit_transform(["CCO", "CN"])
    MolGraphs(2 molecules, 5 atoms, 6 directed bonds, features='dmpnn')
    """

    def __init__(self, features: str = "dmpnn", *, extra: Featurizer | None = None, errors: InPlace = "raise") -> None:
        self.features = features
        self.extra = extra
        self.errors = errors

    def _featurizer(self, texts: list[Any]) -> Featurizer:
        return MolGraphFeaturizer(self.features, self.extra)


class OneHotDNA(NamedFeatures):
    """DNA as rows of zeros and ones: four columns, A C G T, for each position.

    Parameters
    ----------
    length : int, optional
        Positions; shorter sequences end in zeros. By default the longest sequence of `fit`.
    reverse_complement : bool
        Encode the other strand.
    errors : {"raise", "mask"}
        What to do with a sequence that has other letters, or is longer.

    Attributes
    ----------
    featurizer_ : catalase.feat.DNAOneHotFeaturizer
    length_ : int

    Notes
    -----
    X holds sequences, in a list, an array, a Series or a frame of one column. The result is float32 (N, 4 * length); its
    columns are called ``0_A``, ``0_C`` and so on. An unknown base, N, is all zeros.

    Examples
    --------
    >>> from catalase.sklearn import OneHotDNA
    >>> OneHotDNA().fit_transform(["AC", "T"]).astype(int).tolist()
    [[1, 0, 0, 0, 0, 1, 0, 0], [0, 0, 0, 1, 0, 0, 0, 0]]
    """

    _what = "sequences"

    def __init__(
        self, length: int | None = None, *, reverse_complement: bool = False, errors: InPlace = "raise"
    ) -> None:
        self.length = length
        self.reverse_complement = reverse_complement
        self.errors = errors

    def _featurizer(self, texts: list[Any]) -> Featurizer:
        self.length_ = max(len(text.strip()) for text in texts) if self.length is None else self.length
        return DNAOneHotFeaturizer(self.length_, self.reverse_complement)

    def _result(self, features: Any, unread: list[int]) -> Any:
        return features.reshape(len(features), -1)

    def _names(self) -> Sequence[str]:
        return [f"{position}_{base}" for position in range(self.length_) for base in "ACGT"]
