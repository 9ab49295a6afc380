"""`MolGraphFeaturizer`, `ConvMolFeaturizer` and `MolGraphConvFeaturizer`: molecular graphs as featurizers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from .._internal.numbers import choice, flag, listed, shown
from .._internal.registry import Bool, List, Object, Str, register
from ..ops.mol_graphs import FEATURE_SETS, joined, mol_graphs
from .combined import side_by_side
from .featurizer import Featurizer, datapoints_of

if TYPE_CHECKING:
    from .._internal.outcomes import Errors, InPlace, Numbers
    from ..ops.mol_graphs import MolGraphs


class GraphFeaturizer(Featurizer):
    """What all have in common: the name of a feature set, and the call."""

    reads = "SMILES"
    makes_graphs = True
    features: str
    extra: Featurizer | None = None

    @overload
    def featurize(self, datapoints: Sequence[Any], errors: InPlace = ...) -> MolGraphs: ...
    @overload
    def featurize(self, datapoints: Sequence[Any], errors: Literal["drop"]) -> tuple[MolGraphs, Numbers]: ...
    @overload
    def featurize(self, datapoints: Sequence[Any], errors: Errors = ...) -> Any: ...
    def featurize(self, datapoints: Sequence[Any], errors: Errors = "raise") -> Any:
        """Return the graphs of SMILES or RDKit molecules.

        Parameters
        ----------
        datapoints : sequence of str or rdkit.Chem.Mol
        errors : {"raise", "mask", "drop"}
            As `catalase.ops.mol_graphs`; with "drop" the result is (graphs, kept_indices).

        Returns
        -------
        MolGraphs
        """
        choice("featurize", "errors", errors, ("raise", "mask", "drop"))
        items = datapoints_of("featurize", datapoints, "SMILES or molecules")
        *rest, self.report = mol_graphs(items, self.features, errors=errors, return_report=True)
        return rest[0] if len(rest) == 1 else tuple(rest)

    def agrees_with(self, other: Featurizer) -> bool:
        """Return whether both make graphs with the same features, of whatever class they are."""
        if not isinstance(other, GraphFeaturizer) or self.features != other.features:
            return False
        if self.extra is None or other.extra is None:
            return self.extra is other.extra
        return self.extra.agrees_with(other.extra)


@register(
    "MolGraphFeaturizer",
    features=Str(tuple(FEATURE_SETS), optional=True),
    extra=Object(Featurizer, none=True, optional=True),
)
class MolGraphFeaturizer(GraphFeaturizer):
    """Molecular graphs; `catalase.ops.mol_graphs` explains them.

    Parameters
    ----------
    features : {"dmpnn", "dmpnn_v1", "dmpnn_organic", "convmol", "molgraph"}
        The feature set.
    extra : Featurizer, optional
        What makes features of whole molecules, such as `Descriptors`; the graphs have them as ``extra``. A molecule that
        either cannot read counts as unreadable.

    Attributes
    ----------
    report : Report or None
        The report of the last call of `featurize`.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.feat.MolGraphFeaturizer("dmpnn").featurize(["CCO"])
    MolGraphs(1 molecules, 3 atoms, 4 directed bonds, features='dmpnn')
    >>> ct.feat.MolGraphFeaturizer("dmpnn", extra=ct.feat.Descriptors(["MolWt"])).featurize(["CCO"]).extra.round(3)
    array([[46.069]], dtype=float32)
    """

    def __init__(self, features: str = "dmpnn", extra: Featurizer | None = None) -> None:
        choice("MolGraphFeaturizer", "features", features, tuple(FEATURE_SETS))
        self.features, self.extra = features, _checked_extra(extra)

    @overload
    def featurize(self, datapoints: Sequence[Any], errors: InPlace = ...) -> MolGraphs: ...
    @overload
    def featurize(self, datapoints: Sequence[Any], errors: Literal["drop"]) -> tuple[MolGraphs, Numbers]: ...
    @overload
    def featurize(self, datapoints: Sequence[Any], errors: Errors = ...) -> Any: ...
    def featurize(self, datapoints: Sequence[Any], errors: Errors = "raise") -> Any:
        """Return the graphs of SMILES or RDKit molecules, with their extra features; as that of the other featurizers."""
        if self.extra is None:
            return super().featurize(datapoints, errors)
        choice("featurize", "errors", errors, ("raise", "mask", "drop"))
        items = datapoints_of("featurize", datapoints, "SMILES or molecules")
        named = [("graphs", MolGraphFeaturizer(self.features)), (type(self.extra).__name__, self.extra)]
        (graphs, extra), rows, self.report = side_by_side(items, named, errors)
        made = graphs.with_extra(extra)
        if errors == "drop":
            return made, rows
        if len(rows) == len(items):
            return made
        nothing = mol_graphs([""], self.features).with_extra(np.zeros((1, made.extra.shape[1]), np.float32))
        places = np.full(len(items), len(made))
        places[rows] = np.arange(len(made))
        return joined([made, nothing])[places]

    def to_config(self) -> dict[str, Any]:
        """Return the settings as JSON values, from which `Featurizer.build` makes an equal featurizer."""
        return {"features": self.features} | ({} if self.extra is None else {"extra": self.extra.saved_form()})

    def _settings(self) -> dict[str, Any]:
        extra = self.extra
        return {"features": self.features, "extra": None if extra is None else (type(extra), extra._settings())}

    def __repr__(self) -> str:
        more = "" if self.extra is None else f", extra={self.extra!r}"
        return f"MolGraphFeaturizer(features={self.features!r}{more})"


def _checked_extra(extra: Any) -> Featurizer | None:
    if extra is not None and not isinstance(extra, Featurizer):
        raise TypeError(
            f"MolGraphFeaturizer: extra must be a featurizer of molecules such as catalase.feat.Descriptors(), got "
            f"{shown(extra)}"
        )
    if extra is not None and (extra.reads != "SMILES" or not extra.makes_rows):
        raise ValueError(f"MolGraphFeaturizer: extra must make rows of numbers of molecules, got {extra!r}")
    return extra


@register(
    "ConvMolFeaturizer",
    master_atom=Bool(optional=True),
    use_chirality=Bool(optional=True),
    atom_properties=List(Str(), optional=True),
    per_atom_fragmentation=Bool(optional=True),
)
class ConvMolFeaturizer(GraphFeaturizer):
    """Graphs with the 75 atom features of DeepChem's class of this name, for `GraphConvModel`.

    Parameters
    ----------
    master_atom, use_chirality, per_atom_fragmentation : bool
        Only False is accepted.
    atom_properties : sequence of str
        Only an empty one is accepted.

    Attributes
    ----------
    report : Report or None
        The report of the last call of `featurize`.

    Notes
    -----
    `featurize` gives `MolGraphs`. Atoms are in the order of the SMILES; DeepChem renumbers them canonically and sorts them
    by degree.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.feat.ConvMolFeaturizer().featurize(["CCO"]).atom_features(0).shape
    (3, 75)
    """

    features = "convmol"

    def __init__(
        self,
        master_atom: bool = False,
        use_chirality: bool = False,
        atom_properties: Iterable[str] | None = (),
        per_atom_fragmentation: bool = False,
    ) -> None:
        name = "ConvMolFeaturizer"
        for option, value in (
            ("master_atom", master_atom),
            ("use_chirality", use_chirality),
            ("per_atom_fragmentation", per_atom_fragmentation),
        ):
            if flag(name, option, value):
                raise ValueError(f"{name}: {option} must be False, got True; only DeepChem's default features are made")
        given = [] if atom_properties is None else listed(name, "atom_properties", atom_properties, "names")
        if given:
            raise ValueError(
                f"{name}: atom_properties must be empty, got {len(given)} names; there are no such features"
            )

    def to_config(self) -> dict[str, Any]:
        """Return the settings as JSON values: ``ConvMolFeaturizer(**config)`` makes an equal featurizer."""
        return {"master_atom": False, "use_chirality": False, "atom_properties": [], "per_atom_fragmentation": False}


@register(
    "MolGraphConvFeaturizer",
    use_edges=Bool(optional=True),
    use_chirality=Bool(optional=True),
    use_partial_charge=Bool(optional=True),
)
class MolGraphConvFeaturizer(GraphFeaturizer):
    """Graphs with the 30 atom and 11 bond features of DeepChem's class of this name.

    Parameters
    ----------
    use_edges : bool
        Kept for the models that read it; the graphs have the features of bonds in any case.
    use_chirality, use_partial_charge : bool
        Only False is accepted.

    Attributes
    ----------
    report : Report or None
        The report of the last call of `featurize`.

    Notes
    -----
    `featurize` gives `MolGraphs`. Atoms are in the order of the SMILES; DeepChem renumbers them canonically. A molecule of
    one atom has a graph here, and none in DeepChem.

    Examples
    --------
    >>> import catalase as ct
    >>> graphs = ct.feat.MolGraphConvFeaturizer(use_edges=True).featurize(["CCO"])
    >>> graphs.atom_features(0).shape, graphs.bond_features(0).shape
    ((3, 30), (4, 11))
    """

    features = "molgraph"

    def __init__(self, use_edges: bool = False, use_chirality: bool = False, use_partial_charge: bool = False) -> None:
        name = "MolGraphConvFeaturizer"
        self.use_edges = flag(name, "use_edges", use_edges)
        for option, value in (("use_chirality", use_chirality), ("use_partial_charge", use_partial_charge)):
            if flag(name, option, value):
                raise ValueError(f"{name}: {option} must be False, got True; only DeepChem's default features are made")

    def to_config(self) -> dict[str, Any]:
        """Return the settings as JSON values: ``MolGraphConvFeaturizer(**config)`` makes an equal featurizer."""
        return {"use_edges": self.use_edges, "use_chirality": False, "use_partial_charge": False}
