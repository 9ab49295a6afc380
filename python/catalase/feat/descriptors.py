"""`Descriptors` and `RDKitDescriptors`: molecular descriptors as featurizers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from .._internal.numbers import choice, flag
from .._internal.registry import Bool, List, Str, register
from ..ops.descriptors import DESCRIPTOR_NAMES, checked_names
from ..ops.descriptors import descriptors as compute
from .distributions import distributions
from .featurizer import Featurizer, datapoints_of

if TYPE_CHECKING:
    from .._internal.outcomes import Errors, InPlace, Numbers, Values


class _DescriptorFeaturizer(Featurizer):
    """What both have in common: the names of the columns, and the call."""

    reads = "SMILES"
    columns: tuple[str, ...]
    """The names of the descriptors, in the order of the features."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the descriptors."""
        return self.columns

    @overload
    def featurize(self, datapoints: Sequence[Any], errors: InPlace = ...) -> Values: ...
    @overload
    def featurize(self, datapoints: Sequence[Any], errors: Literal["drop"]) -> tuple[Values, Numbers]: ...
    @overload
    def featurize(self, datapoints: Sequence[Any], errors: Errors = ...) -> Any: ...
    def featurize(self, datapoints: Sequence[Any], errors: Errors = "raise") -> Any:
        """Return the descriptors of SMILES or RDKit molecules.

        Parameters
        ----------
        datapoints : sequence of str or rdkit.Chem.Mol
        errors : {"raise", "mask", "drop"}
            As `catalase.ops.descriptors`; with "drop" the result is (array, kept_indices).

        Returns
        -------
        ndarray
            float64 (N, D). ``report`` names the descriptors with values that are NaN or infinite.
        """
        choice("featurize", "errors", errors, ("raise", "mask", "drop"))
        items = datapoints_of("featurize", datapoints, "SMILES or molecules")
        *rest, self.report = compute(items, names=self.columns, errors=errors, return_report=True)
        return rest[0] if len(rest) == 1 else tuple(rest)


@register("Descriptors", names=List(Str(), none=True, optional=True))
class Descriptors(_DescriptorFeaturizer):
    """Molecular descriptors, equal to RDKit's; `catalase.ops.descriptors` explains them.

    Parameters
    ----------
    names : sequence of str, optional
        Names of `catalase.feat.DESCRIPTOR_NAMES`; by default the 97 of `catalase.ops.descriptors`.

    Attributes
    ----------
    columns : tuple of str
        The names of the features.
    report : Report or None
        The report of the last call of `featurize`.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.feat.Descriptors().featurize(["CCO"]).shape
    (1, 97)
    >>> ct.feat.Descriptors(["MolWt"]).featurize(["CCO"]).round(3).tolist()
    [[46.069]]
    """

    def __init__(self, names: Sequence[str] | None = None) -> None:
        self.columns = checked_names("Descriptors", "names", names)
        self.names = None if names is None else list(self.columns)

    def to_config(self) -> dict[str, Any]:
        """Return the settings as JSON values: ``Descriptors(**config)`` makes an equal featurizer."""
        return {"names": None if self.names is None else list(self.names)}


@register(
    "RDKitDescriptors",
    descriptors=List(Str(), optional=True),
    is_normalized=Bool(optional=True),
    use_fragment=Bool(optional=True),
    ipc_avg=Bool(optional=True),
    use_bcut2d=Bool(optional=True),
    labels_only=Bool(optional=True),
)
class RDKitDescriptors(_DescriptorFeaturizer):
    """All of RDKit's descriptors in alphabetical order, with the arguments of DeepChem's class of this name.

    `Descriptors` computes those that cost little.

    Parameters
    ----------
    descriptors : sequence of str, optional
        Names of `catalase.feat.DESCRIPTOR_NAMES`; all if it is empty.
    is_normalized : bool
        Give, for each value, the share of molecules that have a smaller one, by DeepChem's distributions, which are read
        from an installed DeepChem (its SciPy computes them). As in DeepChem, descriptors without a distribution are left
        out. `catalase.trans.NormalizationTransformer` scales features by the data instead, and needs neither.
    use_fragment, use_bcut2d : bool
        Include the counts of groups, ``fr_*``; include ``BCUT2D_*``.
    ipc_avg : bool
        Give ``Ipc`` as the mean that ``AvgIpc`` is, since its sum grows beyond all bounds.
    labels_only : bool
        Give 1 for every value that is not 0.

    Attributes
    ----------
    columns : tuple of str
        The names of the features.
    report : Report or None
        The report of the last call of `featurize`.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.feat.RDKitDescriptors(use_fragment=False).featurize(["CCO"]).shape
    (1, 132)
    """

    def __init__(
        self,
        descriptors: Sequence[str] | None = (),
        is_normalized: bool = False,
        use_fragment: bool = True,
        ipc_avg: bool = True,
        use_bcut2d: bool = True,
        labels_only: bool = False,
    ) -> None:
        name = "RDKitDescriptors"
        self.use_fragment, self.ipc_avg = flag(name, "use_fragment", use_fragment), flag(name, "ipc_avg", ipc_avg)
        self.use_bcut2d, self.labels_only = (
            flag(name, "use_bcut2d", use_bcut2d),
            flag(name, "labels_only", labels_only),
        )
        self.is_normalized = flag(name, "is_normalized", is_normalized)
        self.descriptors = list(checked_names(name, "descriptors", () if descriptors is None else descriptors))
        left_out = ("fr_",) * (not self.use_fragment) + ("BCUT2D_",) * (not self.use_bcut2d)
        chosen = set(self.descriptors) or {n for n in DESCRIPTOR_NAMES if not n.startswith(left_out)}
        self._distributions = distributions(name) if self.is_normalized else {}
        self.columns = tuple(sorted(chosen & self._distributions.keys() if self.is_normalized else chosen))

    @overload
    def featurize(self, datapoints: Sequence[Any], errors: InPlace = ...) -> Values: ...
    @overload
    def featurize(self, datapoints: Sequence[Any], errors: Literal["drop"]) -> tuple[Values, Numbers]: ...
    @overload
    def featurize(self, datapoints: Sequence[Any], errors: Errors = ...) -> Any: ...
    def featurize(self, datapoints: Sequence[Any], errors: Errors = "raise") -> Any:
        """Return the descriptors of SMILES or RDKit molecules; see `Descriptors.featurize`."""
        choice("featurize", "errors", errors, ("raise", "mask", "drop"))
        items = datapoints_of("featurize", datapoints, "SMILES or molecules")
        names = ["AvgIpc" if name == "Ipc" and self.ipc_avg else name for name in self.columns]
        *rest, self.report = compute(items, names=names, errors=errors, return_report=True)
        if self.is_normalized:
            read = np.ones(len(rest[0]), bool)
            if errors == "mask":
                read[[failure.position for failure in self.report.failures]] = False
            for j, column in enumerate(self.columns):
                rest[0][read, j] = self._distributions[column](rest[0][read, j])
        if self.labels_only:
            rest[0][rest[0] != 0] = 1
        return rest[0] if len(rest) == 1 else tuple(rest)

    def to_config(self) -> dict[str, Any]:
        """Return the settings as JSON values: ``RDKitDescriptors(**config)`` makes an equal featurizer."""
        flags = ("is_normalized", "use_fragment", "ipc_avg", "use_bcut2d", "labels_only")
        return {"descriptors": list(self.descriptors), **{flag: bool(getattr(self, flag)) for flag in flags}}
