"""`CircularFingerprint`: extended-connectivity fingerprints as a featurizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._internal.numbers import flag, whole_number
from .._internal.registry import Bool, Int, register
from ..ops.ecfp import fingerprints
from .fingerprints import Fingerprint


@register(
    "CircularFingerprint",
    radius=Int(0, 2**31 - 1, optional=True),
    size=Int(8, 2**31 - 1, optional=True),
    chiral=Bool(optional=True),
    bonds=Bool(optional=True),
    features=Bool(optional=True),
    is_counts_based=Bool(optional=True),
    partial=Bool(optional=True),
)
class CircularFingerprint(Fingerprint):
    """Extended-connectivity fingerprints; `catalase.ops.ecfp` explains them.

    Parameters
    ----------
    radius : int
        The number of bonds around each atom; ECFP4 has radius 2.
    size : int
        The number of bits, a multiple of 8.
    chiral : bool
        Include chirality in the invariants.
    bonds : bool
        Include bond orders in the environments.
    features : bool
        Use pharmacophoric atom invariants (FCFP).
    is_counts_based : bool
        Count how often each feature occurs, instead of whether it does.
    partial : bool
        Featurize molecules that RDKit refuses for valence from a partial sanitization; the report lists them. The
        MoleculeNet loaders use this, so that Tox21 keeps all its rows.

    Attributes
    ----------
    report : Report or None
        The report of the last call of `featurize`.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.feat.CircularFingerprint(size=1024).featurize(["CCO"]).shape
    (1, 1024)
    """

    aside = ("partial",)

    def __init__(
        self,
        radius: int = 2,
        size: int = 2048,
        chiral: bool = False,
        bonds: bool = True,
        features: bool = False,
        is_counts_based: bool = False,
        partial: bool = False,
    ) -> None:
        name = "CircularFingerprint"
        self.radius = whole_number(name, "radius", radius, 0, 2**31 - 1)
        super().__init__(size, is_counts_based)
        self.chiral, self.bonds = flag(name, "chiral", chiral), flag(name, "bonds", bonds)
        self.features, self.partial = flag(name, "features", features), flag(name, "partial", partial)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The kind and the diameter of the fingerprint, and the number of the bit: ``ecfp4_17``."""
        kind = f"{'fcfp' if self.features else 'ecfp'}{2 * self.radius}"
        return tuple(f"{kind}_{bit}" for bit in range(self.size))

    def _compute(self, items: Sequence[Any], **asked: Any) -> Any:
        return fingerprints(
            items,
            radius=self.radius,
            chirality=self.chiral,
            features=self.features,
            use_bond_types=self.bonds,
            num_threads=None,
            partial=self.partial,
            **asked,
        )

    def to_config(self) -> dict[str, Any]:
        """Return the settings as JSON values: ``CircularFingerprint(**config)`` makes an equal featurizer."""
        flags = ("chiral", "bonds", "features", "is_counts_based", "partial")
        return {
            "radius": int(self.radius),
            "size": int(self.size),
            **{flag: bool(getattr(self, flag)) for flag in flags},
        }
