"""What fingerprints have in common as featurizers; MACCS keys, atom pairs, topological torsions, RDKit's paths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, overload

from .. import ops
from .._internal.numbers import choice, flag, whole_number
from .._internal.registry import Bool, Int, register
from .featurizer import Featurizer, datapoints_of

if TYPE_CHECKING:
    from .._internal.outcomes import CSR, Dense, Errors, InPlace, Numbers, Output, Packed


@register("MACCSKeysFingerprint")
class MACCSKeysFingerprint(Featurizer):
    """MACCS keys; `catalase.ops.maccs` explains them.

    Attributes
    ----------
    report : Report or None
        The report of the last call of `featurize`.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.feat.MACCSKeysFingerprint().featurize(["CCO"]).shape
    (1, 167)
    """

    reads = "SMILES"

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The numbers of the keys: ``maccs_166``."""
        return tuple(f"maccs_{key}" for key in range(167))

    @overload
    def featurize(self, datapoints: Sequence[Any], errors: InPlace = ..., output: Literal["dense"] = ...) -> Dense: ...
    @overload
    def featurize(
        self, datapoints: Sequence[Any], errors: Literal["drop"], output: Literal["dense"] = ...
    ) -> tuple[Dense, Numbers]: ...
    @overload
    def featurize(self, datapoints: Sequence[Any], errors: InPlace = ..., *, output: Literal["packed"]) -> Packed: ...
    @overload
    def featurize(
        self, datapoints: Sequence[Any], errors: Literal["drop"], output: Literal["packed"]
    ) -> tuple[Packed, Numbers]: ...
    @overload
    def featurize(self, datapoints: Sequence[Any], errors: InPlace = ..., *, output: Literal["csr"]) -> CSR: ...
    @overload
    def featurize(
        self, datapoints: Sequence[Any], errors: Literal["drop"], output: Literal["csr"]
    ) -> tuple[CSR, Numbers]: ...
    @overload
    def featurize(self, datapoints: Sequence[Any], errors: Errors = ..., output: Output = ...) -> Any: ...
    def featurize(self, datapoints: Sequence[Any], errors: Errors = "raise", output: Output = "dense") -> Any:
        """Return the keys of SMILES or RDKit molecules.

        Parameters
        ----------
        datapoints : sequence of str or rdkit.Chem.Mol
        errors : {"raise", "mask", "drop"}
            As `catalase.ops.maccs`; with "drop" the result is (array, kept_indices).
        output : {"dense", "packed", "csr"}
            The default is float32 (N, 167); key 0 is never set.

        Returns
        -------
        ndarray
        """
        return _featurize(self, ops.maccs, datapoints, errors, output)

    def to_config(self) -> dict[str, Any]:
        """Return the settings as JSON values; there are none."""
        return {}


class Fingerprint(Featurizer):
    """A featurizer of bits or counts; a subclass says what computes them, and how its bits are called."""

    reads = "SMILES"
    _compute: ClassVar[Callable[..., Any]]
    _label: ClassVar[str]

    def __init__(self, size: int = 2048, is_counts_based: bool = False) -> None:
        name = type(self).__name__
        self.size = whole_number(name, "size", size, 8, 2**31 - 1)
        if size % 8:
            raise ValueError(f"{name}: size must be a multiple of 8, got {size}")
        self.is_counts_based = flag(name, "is_counts_based", is_counts_based)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The kind of the fingerprint and the number of the bit: ``atom_pair_17``, ``torsion_17``, ``rdkit_17``."""
        return tuple(f"{self._label}_{bit}" for bit in range(self.size))

    @overload
    def featurize(self, datapoints: Sequence[Any], errors: InPlace = ..., output: Literal["dense"] = ...) -> Dense: ...
    @overload
    def featurize(
        self, datapoints: Sequence[Any], errors: Literal["drop"], output: Literal["dense"] = ...
    ) -> tuple[Dense, Numbers]: ...
    @overload
    def featurize(self, datapoints: Sequence[Any], errors: InPlace = ..., *, output: Literal["packed"]) -> Packed: ...
    @overload
    def featurize(
        self, datapoints: Sequence[Any], errors: Literal["drop"], output: Literal["packed"]
    ) -> tuple[Packed, Numbers]: ...
    @overload
    def featurize(self, datapoints: Sequence[Any], errors: InPlace = ..., *, output: Literal["csr"]) -> CSR: ...
    @overload
    def featurize(
        self, datapoints: Sequence[Any], errors: Literal["drop"], output: Literal["csr"]
    ) -> tuple[CSR, Numbers]: ...
    @overload
    def featurize(self, datapoints: Sequence[Any], errors: Errors = ..., output: Output = ...) -> Any: ...
    def featurize(self, datapoints: Sequence[Any], errors: Errors = "raise", output: Output = "dense") -> Any:
        """Return the fingerprints of SMILES or RDKit molecules.

        Parameters
        ----------
        datapoints : sequence of str or rdkit.Chem.Mol
        errors : {"raise", "mask", "drop"}
            As `catalase.ops.ecfp`; with "drop" the result is (array, kept_indices).
        output : {"dense", "packed", "csr"}
            The default is float32 (N, size); counts are always given as float32 (N, size).

        Returns
        -------
        ndarray
        """
        choice("featurize", "output", output, ("dense", "packed", "csr"))
        if not self.is_counts_based:
            return _featurize(self, self._compute, datapoints, errors, output, size=self.size)
        found = _featurize(self, self._compute, datapoints, errors, "counts", size=self.size)
        if isinstance(found, tuple):
            return found[0].astype("float32"), found[1]
        return found.astype("float32")

    def compact(self, datapoints: Sequence[Any]) -> Any:
        """Return (packed bits, kept_indices); counts are given as float32."""
        return self.featurize(datapoints, errors="drop", output="packed")

    def to_config(self) -> dict[str, Any]:
        """Return the settings as JSON values: ``type(featurizer)(**config)`` makes an equal featurizer."""
        return {"size": int(self.size), "is_counts_based": bool(self.is_counts_based)}


_FIELDS = {"size": Int(8, 2**31 - 1, optional=True), "is_counts_based": Bool(optional=True)}


@register("AtomPairFingerprint", **_FIELDS)
class AtomPairFingerprint(Fingerprint):
    """Atom pairs; `catalase.ops.atom_pairs` explains them.

    Parameters
    ----------
    size : int
        The number of bits, a multiple of 8.
    is_counts_based : bool
        Count how often each feature occurs, instead of whether it does.

    Attributes
    ----------
    report : Report or None
        The report of the last call of `featurize`.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.feat.AtomPairFingerprint(size=1024).featurize(["CCO"]).shape
    (1, 1024)
    """

    _compute = staticmethod(ops.atom_pairs)
    _label = "atom_pair"


@register("TopologicalTorsionFingerprint", **_FIELDS)
class TopologicalTorsionFingerprint(Fingerprint):
    """Topological torsions; `catalase.ops.topological_torsions` explains them.

    Parameters
    ----------
    size : int
        The number of bits, a multiple of 8.
    is_counts_based : bool
        Count how often each feature occurs, instead of whether it does.

    Attributes
    ----------
    report : Report or None
        The report of the last call of `featurize`.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.feat.TopologicalTorsionFingerprint(size=1024).featurize(["CCO"]).shape
    (1, 1024)
    """

    _compute = staticmethod(ops.topological_torsions)
    _label = "torsion"


@register("RDKitFingerprint", **_FIELDS)
class RDKitFingerprint(Fingerprint):
    """RDKit's path fingerprints; `catalase.ops.rdkit_fingerprint` explains them.

    Parameters
    ----------
    size : int
        The number of bits, a multiple of 8.
    is_counts_based : bool
        Count how often each feature occurs, instead of whether it does.

    Attributes
    ----------
    report : Report or None
        The report of the last call of `featurize`.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.feat.RDKitFingerprint(size=1024).featurize(["CCO"]).shape
    (1, 1024)
    """

    _compute = staticmethod(ops.rdkit_fingerprint)
    _label = "rdkit"


def _featurize(
    featurizer: Featurizer,
    compute: Callable[..., Any],
    datapoints: Sequence[Any],
    errors: str,
    output: str,
    **settings: int,
) -> Any:
    """Return what a function computes, and keep its report."""
    choice("featurize", "errors", errors, ("raise", "mask", "drop"))
    items = datapoints_of("featurize", datapoints, "SMILES or molecules")
    *rest, featurizer.report = compute(items, output=output, errors=errors, return_report=True, **settings)
    return rest[0] if len(rest) == 1 else tuple(rest)
