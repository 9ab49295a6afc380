"""Molecular graphs, packed: atoms and directed bonds of many molecules end to end.

RDKit is the authority. The native code (cpp/mol_graphs) gives equal graphs, or leaves a molecule to RDKit.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._internal.arrays import numbers, rows_of
from .._internal.numbers import choice, flag, is_whole, shown
from .._internal.report import Failure, Report
from ..chem.facts import MoleculeFacts, element_masses, facts_of, hydrogen_bond_patterns, hydrogen_bonding
from ..chem.reading import item_text, read_molecule, refusal
from .ecfp import CHUNK, NOT_TEXT, binaries_of, check_molecules, threads_of
from .environments import Environments, environment_options, environments, one_hot_fields
from .memory import empty
from .substructure import match_columns, read_patterns

if TYPE_CHECKING:
    from .._internal.outcomes import Errors, InPlace, Numbers

NO_COLUMN = 255
"""The code of an atom or bond that sets none of a field's columns."""


class Field(NamedTuple):
    """A one-hot field: a column for each of some values of a fact, and what other values set."""

    fact: str
    values: tuple[int, ...]
    others: str = "none"
    """"none": no column; "own": one more column; "last": the column of the last value."""

    @property
    def size(self) -> int:
        return len(self.values) + (self.others == "own")

    def codes(self, facts: NDArray[Any]) -> NDArray[np.uint8]:
        """Return the code of each value of the fact."""
        other = {"none": NO_COLUMN, "own": len(self.values), "last": len(self.values) - 1}[self.others]
        codes = np.full(facts.shape, other, np.uint8)
        for code, value in enumerate(self.values):
            codes[facts == value] = code
        return codes


class Number(NamedTuple):
    """A column that holds a number: the mass / 100, the charge, or the number of radical electrons."""

    fact: str

    def values(self, facts: NDArray[Any]) -> NDArray[np.float32]:
        """Return the column for each value of the fact, which for the mass is the element."""
        if self.fact == "element":
            return (0.01 * element_masses()[facts]).astype(np.float32)
        return (facts - 128.0 if self.fact == "charge" else facts).astype(np.float32)


class FeatureSet(NamedTuple):
    """The columns of atoms and bonds, in order; a whole number stands for that many columns of zeros."""

    atoms: tuple[Field | Number, ...]
    bonds: tuple[Field | int, ...]


_S, _SP, _SP2, _SP3, _SP2D, _SP3D, _SP3D2 = range(1, 8)
_AROMATIC = Field("aromatic", (1,))
_BOND_TYPE, _CONJUGATED, _IN_RING = Field("type", (0, 1, 2, 3)), Field("conjugated", (1,)), Field("ring", (1,))


def _dmpnn(elements: Sequence[int], hybrids: tuple[int, ...]) -> FeatureSet:
    atoms = (
        Field("element", tuple(elements), "own"),
        Field("total_degree", tuple(range(6)), "own"),
        Field("charge", (127, 126, 129, 130, 128), "own"),
        Field("tag", tuple(range(4)), "own"),
        Field("hydrogens", tuple(range(5)), "own"),
        Field("hybridization", hybrids, "own"),
        _AROMATIC,
        Number("element"),
    )
    return FeatureSet(atoms, (1, _BOND_TYPE, _CONJUGATED, _IN_RING, Field("stereo", tuple(range(6)), "own")))


# fmt: off
_CONVMOL_ELEMENTS = (  # from carbon to lead; 0 is any other
    6, 7, 8, 16, 9, 14, 15, 17, 35, 12, 11, 20, 26, 33, 13, 53, 5, 23, 19, 81, 70, 51, 50, 47, 46, 27, 34, 22, 30, 1, 3, 32, 29,
    79, 28, 48, 49, 25, 40, 24, 78, 80, 82, 0,
)
# fmt: on
_ALL_HYBRIDS = (_S, _SP, _SP2, _SP2D, _SP3, _SP3D, _SP3D2)
FEATURE_SETS: dict[str, FeatureSet] = {
    "dmpnn": _dmpnn([*range(1, 37), 53], _ALL_HYBRIDS),
    "dmpnn_v1": _dmpnn(range(1, 101), (_SP, _SP2, _SP3, _SP3D, _SP3D2)),
    "dmpnn_organic": _dmpnn((1, 5, 6, 7, 8, 9, 14, 15, 16, 17, 35, 53), (_S, _SP, _SP2, _SP3)),
    "convmol": FeatureSet(
        (
            Field("element", _CONVMOL_ELEMENTS, "last"),
            Field("degree", tuple(range(11))),
            Field("implicit", tuple(range(7)), "last"),
            Number("charge"),
            Number("radicals"),
            Field("hybridization", (_SP, _SP2, _SP3, _SP3D, _SP3D2), "last"),
            _AROMATIC,
            Field("hydrogens", tuple(range(5)), "last"),
        ),
        (),
    ),
    "molgraph": FeatureSet(
        (
            Field("element", (6, 7, 8, 9, 15, 16, 17, 35, 53), "own"),
            Number("charge"),
            Field("hybridization", (_SP, _SP2, _SP3)),
            Field("donor", (1,)),
            Field("acceptor", (1,)),
            _AROMATIC,
            Field("total_degree", tuple(range(6)), "own"),
            Field("hydrogens", tuple(range(5)), "own"),
        ),
        (_BOND_TYPE, _IN_RING, _CONJUGATED, Field("stereo", (0, 1, 2, 3), "own")),
    ),
}
"""The feature sets by name: chemprop's, DeepChem's ConvMolFeaturizer and MolGraphConvFeaturizer(use_edges=True)."""


class _Layout(NamedTuple):
    """The fields of a feature set, and where their columns stand."""

    atom_fields: tuple[Field, ...]
    atom_columns: tuple[tuple[int, int], ...]
    numbers: tuple[Number, ...]
    number_columns: tuple[int, ...]
    atom_width: int
    bond_fields: tuple[Field, ...]
    bond_columns: tuple[tuple[int, int], ...]
    bond_width: int


@functools.cache
def _layout(features: str) -> _Layout:
    atoms, atom_columns, numbers, number_columns, at = [], [], [], [], 0
    for entry in FEATURE_SETS[features].atoms:
        if isinstance(entry, Number):
            numbers.append(entry)
            number_columns.append(at)
            at += 1
        else:
            atoms.append(entry)
            atom_columns.append((at, entry.size))
            at += entry.size
    bonds, bond_columns, end = [], [], 0
    for bond in FEATURE_SETS[features].bonds:
        if not isinstance(bond, int):
            bonds.append(bond)
            bond_columns.append((end, bond.size))
        end += bond if isinstance(bond, int) else bond.size
    return _Layout(
        tuple(atoms),
        tuple(atom_columns),
        tuple(numbers),
        tuple(number_columns),
        at,
        tuple(bonds),
        tuple(bond_columns),
        end,
    )


def widths(features: str) -> tuple[int, int]:
    """Return the numbers of columns of atoms and of bonds that a feature set has."""
    return _layout(features).atom_width, _layout(features).bond_width


_BYTES = np.arange(256)
_BOND_FACTS = {"type": _BYTES % 8, "conjugated": _BYTES // 8 % 2, "ring": _BYTES // 16 % 2, "stereo": _BYTES // 32}
_HYDROGEN_BONDS = ("donor", "acceptor")  # no facts of the native code: matches of patterns are written afterwards


@functools.cache
def _tables(features: str) -> Any:
    layout = _layout(features)
    atoms = []
    for field in layout.atom_fields:
        if field.fact in _HYDROGEN_BONDS:
            atoms.append((_core.ATOM_FACTS["element"], np.full(256, NO_COLUMN, np.uint8)))
        else:
            atoms.append((_core.ATOM_FACTS[field.fact], field.codes(_BYTES)))
    bonds = np.array([field.codes(_BOND_FACTS[field.fact]) for field in layout.bond_fields], np.uint8).reshape(-1, 256)
    floats = [(_core.ATOM_FACTS[number.fact], number.values(_BYTES)) for number in layout.numbers]
    return _core.MolGraphTables(atoms, bonds, floats)


class MolGraphs:
    """Molecular graphs, packed: atoms and directed bonds of all molecules end to end. `mol_graphs` makes them.

    ``len`` counts molecules. Indexed by a number, a slice or an array of row numbers it gives `MolGraphs` of those molecules.

    Parameters
    ----------
    features : str
        The name of the feature set, see `mol_graphs`.
    atom_offsets, bond_offsets : ndarray, shape (N + 1,), int64
        Molecule i has atoms ``atom_offsets[i]`` to ``atom_offsets[i + 1]``, and directed bonds likewise.
    atom_codes : ndarray, shape (A, fields), uint8
        The column that an atom sets in each one-hot field; 255 for none.
    atom_floats : ndarray, shape (A, numbers), float32
        The columns that hold numbers.
    bond_codes : ndarray, shape (E, fields), uint8
        The same of directed bonds. Rows 2 k and 2 k + 1 are the directions of one bond, first that from its begin atom to its
        end atom; bonds are in RDKit's order.
    source, target : ndarray, shape (E,), int32
        The atoms of each directed bond, numbered through all molecules.
    extra : ndarray, shape (N, D), float32, optional
        Features of whole molecules, such as descriptors, which models append to what they read from the graph. NaN and
        infinity are allowed. None gives an array of no columns.

    Attributes
    ----------
    atom_columns, bond_columns : tuple of (int, int)
        For each field the first of its columns in `atom_features` or `bond_features`, and their number.
    atom_float_columns : tuple of int
        The columns of ``atom_floats`` in `atom_features`.
    atom_width, bond_width : int
        The number of columns of `atom_features` and `bond_features`.
    atom_counts : ndarray, shape (N,), int64
        The number of atoms of each molecule.
    shape : (int,)
        The number of molecules, as the shape of a dataset's X.

    Raises
    ------
    TypeError, ValueError
        For arrays of other dtypes or shapes, and contents that are no graphs.

    Examples
    --------
    >>> import catalase as ct
    >>> graphs = ct.ops.mol_graphs(["CCO", "c1ccccc1"])
    >>> graphs
    MolGraphs(2 molecules, 9 atoms, 16 directed bonds, features='dmpnn')
    >>> graphs.atom_features(0).shape, graphs.bond_features(0).shape
    ((3, 72), (4, 14))
    >>> graphs.edge_index(0)
    array([[0, 1, 1, 2],
           [1, 0, 2, 1]])
    >>> len(graphs[[1, 1, 0]])
    3
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(
        self,
        features: str,
        atom_offsets: NDArray[np.int64],
        bond_offsets: NDArray[np.int64],
        atom_codes: NDArray[np.uint8],
        atom_floats: NDArray[np.float32],
        bond_codes: NDArray[np.uint8],
        source: NDArray[np.int32],
        target: NDArray[np.int32],
        extra: NDArray[np.float32] | None = None,
    ) -> None:
        choice("MolGraphs", "features", features, tuple(FEATURE_SETS))
        self.features = features
        self.atom_offsets, self.bond_offsets = atom_offsets, bond_offsets
        self.atom_codes, self.atom_floats, self.bond_codes = atom_codes, atom_floats, bond_codes
        self.source, self.target = source, target
        self._environments: dict[tuple[int, str, bool], Environments] = {}
        self._check()
        self.extra = _no_extra(len(self)) if extra is None else _checked_extra("MolGraphs", extra, len(self))
        if self.extra.dtype != np.float32:
            raise TypeError(f"MolGraphs: extra must be an array of float32, got {shown(extra)}")

    def _check(self) -> None:
        layout = _layout(self.features)
        atoms = _ends("atom_offsets", self.atom_offsets)
        bonds = _ends("bond_offsets", self.bond_offsets)
        if len(self.atom_offsets) != len(self.bond_offsets):
            raise ValueError(
                f"MolGraphs: atom_offsets and bond_offsets must be equally long, got {len(self.atom_offsets)} and "
                f"{len(self.bond_offsets)}"
            )
        wanted = (
            ("atom_codes", np.uint8, (atoms, len(layout.atom_fields))),
            ("atom_floats", np.float32, (atoms, len(layout.numbers))),
            ("bond_codes", np.uint8, (bonds, len(layout.bond_fields))),
            ("source", np.int32, (bonds,)),
            ("target", np.int32, (bonds,)),
        )
        for name, dtype, shape in wanted:
            array = getattr(self, name)
            if not isinstance(array, np.ndarray) or array.dtype != dtype:
                raise TypeError(f"MolGraphs: {name} must be an array of {np.dtype(dtype)}, got {shown(array)}")
            if array.shape != shape:
                raise ValueError(f"MolGraphs: {name} must have the shape {shape}, got {array.shape}")
        for name, codes, fields in (
            ("atom_codes", self.atom_codes, layout.atom_fields),
            ("bond_codes", self.bond_codes, layout.bond_fields),
        ):
            for k, field in enumerate(fields):
                if np.any((codes[:, k] >= field.size) & (codes[:, k] != NO_COLUMN)):
                    raise ValueError(
                        f"MolGraphs: {name} must be below {field.size} or {NO_COLUMN} in column {k} ({field.fact}), got "
                        f"{codes[(codes[:, k] >= field.size) & (codes[:, k] != NO_COLUMN), k][0]}"
                    )
        if not np.isfinite(self.atom_floats).all():
            raise ValueError("MolGraphs: atom_floats must not be NaN or infinite")
        first, end = (
            np.repeat(bound, np.diff(self.bond_offsets)) for bound in (self.atom_offsets[:-1], self.atom_offsets[1:])
        )
        for name, ends in (("source", self.source), ("target", self.target)):
            if np.any((ends < first) | (ends >= end)):
                raise ValueError(f"MolGraphs: {name} must hold atoms of the bond's own molecule")
        forward, back = slice(0, None, 2), slice(1, None, 2)
        if np.any(self.bond_offsets % 2) or not (
            np.array_equal(self.source[forward], self.target[back])
            and np.array_equal(self.target[forward], self.source[back])
            and np.array_equal(self.bond_codes[forward], self.bond_codes[back])
        ):
            raise ValueError("MolGraphs: directed bonds 2 k and 2 k + 1 must be the two directions of one bond")

    @classmethod
    def _made(cls, features: str, *arrays: Any, extra: NDArray[np.float32] | None = None) -> MolGraphs:
        """Return graphs over arrays that are known to be right, in the order of the parameters."""
        made = cls.__new__(cls)
        made.features = features
        made.atom_offsets, made.bond_offsets, made.atom_codes, made.atom_floats = arrays[:4]
        made.bond_codes, made.source, made.target = arrays[4:]
        made.extra = _no_extra(len(made)) if extra is None else extra
        made._environments = {}
        return made

    def with_extra(self, extra: Any) -> MolGraphs:
        """Return the same graphs with other features of whole molecules.

        Parameters
        ----------
        extra : array_like of numbers, shape (N, D)
            Kept as float32; finite numbers beyond its range become its largest number.

        Examples
        --------
        >>> import catalase as ct
        >>> ct.ops.mol_graphs(["CCO", "C"]).with_extra([[1.0, 2.0], [3.0, 4.0]])[1].extra
        array([[3., 4.]], dtype=float32)
        """
        given = _checked_extra("MolGraphs.with_extra", extra, len(self))
        finite = np.isfinite(given)
        limit = np.finfo(np.float32).max
        narrow = np.where(finite, np.clip(given, -limit, limit), given).astype(np.float32)
        offsets = (self.atom_offsets, self.bond_offsets)
        made = MolGraphs._made(self.features, *offsets, *self._arrays(), extra=narrow)
        made._environments = self._environments
        return made

    def environments(self, depth: int, *, along: str = "bonds", distinct: bool = True) -> Environments:
        """Return `catalase.ops.environments` of these graphs, which is found once."""
        key = environment_options(depth, along, distinct)
        if key not in self._environments:
            self._environments[key] = environments(self, key[0], along=key[1], distinct=key[2])
        return self._environments[key]

    def atom_rows(self, atoms: Any) -> NDArray[np.float32]:
        """Return the features of some atoms, by their numbers in all molecules, float32 (atoms, atom_width)."""
        codes, floats = self.atom_codes[atoms], self.atom_floats[atoms]
        return one_hot_fields(codes, self.atom_columns, self.atom_width, floats, self.atom_float_columns)

    def _arrays(self) -> tuple[NDArray[Any], ...]:
        return (self.atom_codes, self.atom_floats, self.bond_codes, self.source, self.target)

    @property
    def atom_columns(self) -> tuple[tuple[int, int], ...]:
        return _layout(self.features).atom_columns

    @property
    def bond_columns(self) -> tuple[tuple[int, int], ...]:
        return _layout(self.features).bond_columns

    @property
    def atom_float_columns(self) -> tuple[int, ...]:
        return _layout(self.features).number_columns

    @property
    def atom_width(self) -> int:
        return _layout(self.features).atom_width

    @property
    def bond_width(self) -> int:
        return _layout(self.features).bond_width

    @property
    def atom_counts(self) -> NDArray[np.int64]:
        return np.diff(self.atom_offsets)

    @property
    def shape(self) -> tuple[int]:
        return (len(self),)

    ndim = 1

    def __array__(self, *_: Any, **__: Any) -> NDArray[Any]:
        raise TypeError(
            "MolGraphs: graphs are no array of numbers; atom_features, bond_features and edge_index give arrays"
        )

    def __len__(self) -> int:
        return len(self.atom_offsets) - 1

    def __getitem__(self, rows: Any) -> MolGraphs:
        if (
            isinstance(rows, tuple) and len(rows) == 2 and rows[1] is Ellipsis
        ):  # as of an array, and as scikit-learn writes
            rows = rows[0]
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step == 1:
                return self._run(start, max(start, stop))
            rows = np.arange(start, stop, step)
        elif is_whole(rows):
            row = int(rows) + (len(self) if rows < 0 else 0)
            if not 0 <= row < len(self):
                raise IndexError(f"MolGraphs: row {rows} does not exist, there are {len(self)} molecules")
            return self._run(row, row + 1)
        rows = rows_of("MolGraphs", "rows", rows, len(self))
        atoms, atom_offsets, atom_shift = _gathered(self.atom_offsets, rows)
        bonds, bond_offsets, _ = _gathered(self.bond_offsets, rows)
        shift = np.repeat(atom_shift, np.diff(bond_offsets)).astype(np.int32)
        return MolGraphs._made(
            self.features,
            atom_offsets,
            bond_offsets,
            self.atom_codes[atoms],
            self.atom_floats[atoms],
            self.bond_codes[bonds],
            self.source[bonds] - shift,
            self.target[bonds] - shift,
            extra=self.extra[rows],
        )

    def _run(self, start: int, stop: int) -> MolGraphs:
        """Return consecutive molecules; codes and floats are views."""
        first, last = self.atom_offsets[start], self.atom_offsets[stop]
        begin, end = self.bond_offsets[start], self.bond_offsets[stop]
        return MolGraphs._made(
            self.features,
            self.atom_offsets[start : stop + 1] - first,
            self.bond_offsets[start : stop + 1] - begin,
            self.atom_codes[first:last],
            self.atom_floats[first:last],
            self.bond_codes[begin:end],
            self.source[begin:end] - np.int32(first),
            self.target[begin:end] - np.int32(first),
            extra=self.extra[start:stop],
        )

    def atom_features(self, i: int) -> NDArray[np.float32]:
        """Return the features of the atoms of molecule i, float32 (atoms, atom_width)."""
        one = self[_row("atom_features", i)]
        return one.atom_rows(slice(None))

    def bond_features(self, i: int) -> NDArray[np.float32]:
        """Return the features of the directed bonds of molecule i, float32 (directed bonds, bond_width)."""
        one = self[_row("bond_features", i)]
        return one_hot_fields(one.bond_codes, one.bond_columns, one.bond_width)

    def edge_index(self, i: int) -> NDArray[np.int64]:
        """Return the directed bonds of molecule i, int64 (2, directed bonds): sources, and targets."""
        one = self[_row("edge_index", i)]
        return np.array([one.source, one.target], np.int64)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_environments": {}}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MolGraphs) or self.features != other.features:
            return False
        pairs = zip(
            (self.atom_offsets, self.bond_offsets, *self._arrays()),
            (other.atom_offsets, other.bond_offsets, *other._arrays()),
            strict=True,
        )
        return all(np.array_equal(a, b) for a, b in pairs) and np.array_equal(self.extra, other.extra, equal_nan=True)

    def __repr__(self) -> str:
        more = f", {self.extra.shape[1]} extra features" if self.extra.shape[1] else ""
        return (
            f"MolGraphs({len(self)} molecules, {len(self.atom_codes)} atoms, {len(self.source)} directed bonds, "
            f"features={self.features!r}{more})"
        )


def joined(parts: Sequence[MolGraphs]) -> MolGraphs:
    """Return the graphs of one or more `MolGraphs` of one feature set, one after the other."""
    if len(parts) == 1:
        return parts[0]
    atoms = np.cumsum([0, *(len(part.atom_codes) for part in parts)])
    bonds = np.cumsum([0, *(len(part.source) for part in parts)])
    if atoms[-1] >= 2**31:
        raise ValueError(f"MolGraphs: at most {2**31 - 1:,} atoms are packed together, got {atoms[-1]:,}")
    offsets = []
    for which, ends in (("atom_offsets", atoms), ("bond_offsets", bonds)):
        pieces = [getattr(part, which)[1:] + start for part, start in zip(parts, ends[:-1], strict=True)]
        offsets.append(np.concatenate([np.zeros(1, np.int64), *pieces]))
    columns: list[Any] = []
    for pieces in zip(*(part._arrays()[:3] for part in parts), strict=True):
        rows = sum(len(piece) for piece in pieces)
        columns.append(np.concatenate(pieces, out=empty((rows, *pieces[0].shape[1:]), pieces[0].dtype)))
    for which in ("source", "target"):
        column = empty((int(bonds[-1]),), np.int32)
        for part, start, begin, end in zip(parts, atoms[:-1], bonds[:-1], bonds[1:], strict=True):
            np.add(getattr(part, which), np.int32(start), out=column[begin:end])
        columns.append(column)
    extra = np.concatenate([part.extra for part in parts])
    return MolGraphs._made(parts[0].features, *offsets, *columns, extra=extra)


def _no_extra(count: int) -> NDArray[np.float32]:
    return np.zeros((count, 0), np.float32)


def _checked_extra(function: str, extra: Any, count: int) -> NDArray[Any]:
    given = numbers(function, "extra", extra)
    if given.ndim != 2 or len(given) != count:
        raise ValueError(
            f"{function}: extra must be of shape ({count}, columns), with a row for each molecule, got {given.shape}"
        )
    return given


def _ends(name: str, offsets: Any) -> int:
    if not isinstance(offsets, np.ndarray) or offsets.dtype != np.int64 or offsets.ndim != 1:
        raise TypeError(f"MolGraphs: {name} must be an int64 array (N + 1,), got {shown(offsets)}")
    if not len(offsets) or offsets[0] != 0 or np.any(offsets[1:] < offsets[:-1]):
        raise ValueError(f"MolGraphs: {name} must begin with 0 and not decrease")
    return int(offsets[-1])


def _row(function: str, i: Any) -> int:
    if not is_whole(i):
        raise TypeError(f"MolGraphs.{function}: i must be the number of a molecule, got {shown(i)}")
    return int(i)


def _gathered(
    offsets: NDArray[np.int64], rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the items of some rows, their new offsets, and by how much the numbers of items decrease in each row."""
    lengths = offsets[rows + 1] - offsets[rows]
    new = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(lengths, out=new[1:])
    shift = offsets[rows] - new[:-1]
    return np.arange(new[-1]) + np.repeat(shift, lengths), new, shift


@overload
def mol_graphs(
    smiles: Sequence[Any],
    features: str = ...,
    *,
    errors: InPlace = ...,
    return_report: Literal[False] = ...,
    num_threads: int | None = ...,
) -> MolGraphs: ...
@overload
def mol_graphs(
    smiles: Sequence[Any],
    features: str = ...,
    *,
    errors: InPlace = ...,
    return_report: Literal[True],
    num_threads: int | None = ...,
) -> tuple[MolGraphs, Report]: ...
@overload
def mol_graphs(
    smiles: Sequence[Any],
    features: str = ...,
    *,
    errors: Literal["drop"],
    return_report: Literal[False] = ...,
    num_threads: int | None = ...,
) -> tuple[MolGraphs, Numbers]: ...
@overload
def mol_graphs(
    smiles: Sequence[Any],
    features: str = ...,
    *,
    errors: Literal["drop"],
    return_report: Literal[True],
    num_threads: int | None = ...,
) -> tuple[MolGraphs, Numbers, Report]: ...
@overload
def mol_graphs(
    smiles: Sequence[Any],
    features: str = ...,
    *,
    errors: Errors = ...,
    return_report: bool = ...,
    num_threads: int | None = ...,
) -> Any: ...
def mol_graphs(
    smiles: Sequence[Any],
    features: str = "dmpnn",
    *,
    errors: Errors = "raise",
    return_report: bool = False,
    num_threads: int | None = None,
) -> Any:
    """Return molecular graphs with the features of a message-passing net.

    Parameters
    ----------
    smiles : sequence of str or rdkit.Chem.Mol
        Molecules, as in `ecfp`.
    features : {"dmpnn", "dmpnn_v1", "dmpnn_organic", "convmol", "molgraph"}
        The feature set: chemprop 2's default atoms (`MultiHotAtomFeaturizer.v2`), its v1 or organic ones, with its bonds;
        the 75 features of DeepChem's `ConvMolFeaturizer`, without features of bonds; DeepChem's
        `MolGraphConvFeaturizer` with edges.
    errors : {"raise", "mask", "drop"}
        Treatment of a molecule that cannot be read: raise an error, give a graph without atoms, or leave it out (the result
        is then ``(graphs, kept_indices)``).
    return_report : bool
        Append a `Report` of the failures; its ``counts`` are the numbers read natively, read by RDKit, and refused.
    num_threads : int, optional
        The most threads that the native code uses; `catalase.get_num_threads` by default.

    Returns
    -------
    MolGraphs, or a tuple of (graphs[, kept_indices][, report])

    Raises
    ------
    TypeError
        If ``smiles`` is one string, or holds something that is neither text nor a molecule (with ``errors="raise"``).
    ValueError
        For unknown settings, and with ``errors="raise"`` for the first molecule that cannot be read.

    Notes
    -----
    The result is deterministic: threads never change a bit. Atoms and bonds have RDKit's numbers and order, which are those
    of the SMILES; DeepChem's featurizers renumber the atoms by RDKit's canonical ranks (and its `ConvMol` sorts them by
    degree) before they compute the same features.
    RDKit reads the molecules that `ecfp` leaves to it, isotopes, marked centres with map numbers or of large molecules with
    equal branches, and conflicting directions of bonds. `Mol` objects, which are not changed, are read from RDKit's binary
    form, with the chirality and hybridization that they have; RDKit's objects are asked where that is not sufficient.
    An empty SMILES is a graph without atoms; chemprop gives it one atom of zeros. Molecules of one atom have graphs with
    every feature set; DeepChem's MolGraphConvFeaturizer refuses them.

    References
    ----------
    Heid et al., J. Chem. Inf. Model. 64 (2024) 9-17, doi:10.1021/acs.jcim.3c01250 (chemprop); Duvenaud et al., NeurIPS
    (2015), arXiv:1509.09292 (convmol); Kearnes et al., J. Comput. Aided Mol. Des. 30 (2016) 595-608,
    doi:10.1007/s10822-016-9938-8 (molgraph).

    Examples
    --------
    >>> import catalase as ct
    >>> graphs = ct.ops.mol_graphs(["CCO", "C[C@H](N)C(=O)O"])
    >>> len(graphs), graphs.atom_offsets.tolist(), graphs.bond_offsets.tolist()
    (2, [0, 3, 9], [0, 4, 14])
    >>> graphs, kept = ct.ops.mol_graphs(["CCO", "C1CC"], "convmol", errors="drop")
    >>> graphs.atom_features(0).shape, kept.tolist()
    ((3, 75), [0])
    """
    check_molecules("mol_graphs", smiles)
    choice("mol_graphs", "features", features, tuple(FEATURE_SETS))
    choice("mol_graphs", "errors", errors, ("raise", "mask", "drop"))
    return_report = flag("mol_graphs", "return_report", return_report)
    threads = threads_of("mol_graphs", num_threads)
    smiles = list(smiles)
    status = np.ones(len(smiles), np.uint8)
    graphs = _native(smiles, features, status, threads)
    objects = np.flatnonzero(status == NOT_TEXT)
    if len(objects):
        graphs = _with_objects(graphs, smiles, objects, status, threads)
    left = np.flatnonzero(status)
    molecules, failures = _read(smiles, left.tolist(), errors)
    if molecules:
        graphs = _spliced(graphs, _by_rdkit(molecules, features))
    failed = [failure.position for failure in failures]
    kept = np.delete(np.arange(len(smiles)), failed)
    if errors == "drop" and failed:
        graphs = graphs[kept]
    result: list[Any] = [graphs]
    if errors == "drop":
        result.append(kept)
    if return_report:
        n_kept = len(kept) if errors == "drop" else len(smiles)
        counts = {"native": len(smiles) - len(left), "rdkit": len(molecules), "refused": len(failures)}
        result.append(Report(len(smiles), n_kept, failures, counts=counts))
    return result[0] if len(result) == 1 else tuple(result)


def _with_objects(
    graphs: MolGraphs, items: list[Any], rows: NDArray[np.intp], status: NDArray[np.uint8], threads: int
) -> MolGraphs:
    """Return the graphs with those of the `Mol` objects at some rows whose binary form in RDKit is sufficient."""
    parts = []
    for start in range(0, len(rows), CHUNK):
        here = rows[start : start + CHUNK]
        objects, found = [items[i] for i in here.tolist()], np.ones(len(here), np.uint8)
        parts.append(_native(objects, graphs.features, found, threads, binaries_of(objects)))
        status[here] = found
    made = joined(parts)
    if len(rows) == len(items):
        return made
    return _spliced(graphs, {i: made[k] for k, i in enumerate(rows.tolist())})


def _native(
    smiles: list[Any],
    features: str,
    status: NDArray[np.uint8],
    threads: int,
    binaries: list[bytes | None] | None = None,
) -> MolGraphs:
    """Return the graphs of all molecules; those with a status other than 0 have no atoms yet."""
    parts = []
    texts: list[Any] = smiles if binaries is None else binaries
    made = _core.mol_graphs(texts, _tables(features), status, threads, binaries is not None)
    for counts, atom_codes, floats, bond_codes, ends in made:
        offsets = np.zeros((2, counts.shape[1] + 1), np.int64)
        np.cumsum(counts, axis=1, out=offsets[:, 1:])
        offsets[1] *= 2
        parts.append(MolGraphs._made(features, *offsets, atom_codes, floats, bond_codes, *ends))
    graphs = joined(parts) if parts else _empty(features, 0)
    if any(field.fact in _HYDROGEN_BONDS for field in _layout(features).atom_fields):
        _mark_hydrogen_bonds(graphs, smiles, np.flatnonzero(status == 0), threads)
    return graphs


def _empty(features: str, count: int) -> MolGraphs:
    """Return molecules without atoms."""
    layout, nothing = _layout(features), np.zeros(0, np.int32)
    return MolGraphs._made(
        features,
        np.zeros(count + 1, np.int64),
        np.zeros(count + 1, np.int64),
        np.zeros((0, len(layout.atom_fields)), np.uint8),
        np.zeros((0, len(layout.numbers)), np.float32),
        np.zeros((0, len(layout.bond_fields)), np.uint8),
        nothing,
        nothing,
    )


def _mark_hydrogen_bonds(graphs: MolGraphs, smiles: list[Any], rows: NDArray[np.intp], threads: int) -> None:
    """Set the fields of donors and acceptors of the molecules at ``rows``."""
    fields = [field.fact for field in _layout(graphs.features).atom_fields]
    families = hydrogen_bond_patterns()
    columns = read_patterns("mol_graphs", [smarts for family in families for smarts in family])
    places = [fields.index(name) for name, family in zip(_HYDROGEN_BONDS, families, strict=True) for _ in family]
    counts, atoms = columns.first_atoms([smiles[i] for i in rows.tolist()], threads)
    times = np.maximum(counts, 0).reshape(-1)
    starts = np.repeat(np.repeat(graphs.atom_offsets[rows], len(places)), times)
    graphs.atom_codes[starts + atoms, np.repeat(np.tile(places, len(rows)), times)] = 0
    left = rows[(counts < 0).any(axis=1)]
    matched = match_columns("mol_graphs", [smiles[i] for i in left.tolist()], columns, "atoms", "raise", threads)
    for i, patterns in zip(left.tolist(), matched.atoms, strict=True):
        start = graphs.atom_offsets[i]
        for place, matches in zip(places, patterns, strict=True):
            for match in matches:
                graphs.atom_codes[start + match[0], place] = 0


def _read(smiles: list[Any], left: list[int], errors: str) -> tuple[dict[int, Any], list[Failure]]:
    """Return the RDKit molecules by position, and the failures."""
    molecules: dict[int, Any] = {}
    failures: list[Failure] = []
    for i in left:
        molecule, reason = read_molecule(smiles[i])
        if not reason:
            molecules[i] = molecule
            continue
        failure = Failure(i, item_text(smiles[i]), reason)
        if errors == "raise":
            raise refusal("mol_graphs", smiles[i], failure, len(smiles), "gives a graph without atoms in its place")
        failures.append(failure)
    return molecules, failures


def _by_rdkit(molecules: dict[int, Any], features: str) -> dict[int, MolGraphs]:
    return {i: _graph_of(molecule, features) for i, molecule in molecules.items()}


def _graph_of(molecule: Any, features: str) -> MolGraphs:
    layout, facts = _layout(features), facts_of(molecule)
    atoms = np.zeros((len(facts.atoms), len(layout.atom_fields)), np.uint8)
    bonding: dict[str, list[int]] = {}
    if any(field.fact in _HYDROGEN_BONDS for field in layout.atom_fields):
        bonding = dict(zip(_HYDROGEN_BONDS, hydrogen_bonding(molecule), strict=True))
    for k, field in enumerate(layout.atom_fields):
        if field.fact in bonding:
            atoms[:, k] = NO_COLUMN
            atoms[bonding[field.fact], k] = 0
        else:
            atoms[:, k] = field.codes(facts.atoms[:, _core.ATOM_FACTS[field.fact]])
    bonds = np.zeros((len(facts.bonds), len(layout.bond_fields)), np.uint8)
    for k, field in enumerate(layout.bond_fields):
        bonds[:, k] = field.codes(_BOND_FACTS[field.fact][facts.bonds])
    return MolGraphs._made(
        features,
        np.array([0, len(atoms)]),
        np.array([0, 2 * len(bonds)]),
        atoms,
        _floats(layout, facts),
        np.repeat(bonds, 2, axis=0),
        facts.ends.reshape(-1).copy(),
        facts.ends[:, ::-1].reshape(-1).copy(),
    )


def _floats(layout: _Layout, facts: MoleculeFacts) -> NDArray[np.float32]:
    floats = np.zeros((len(facts.atoms), len(layout.numbers)), np.float32)
    for k, number in enumerate(layout.numbers):
        if number.fact == "element":
            floats[:, k] = 0.01 * facts.masses  # isotopes have masses of their own
        else:
            floats[:, k] = number.values(facts.atoms[:, _core.ATOM_FACTS[number.fact]])
    return floats


def _spliced(graphs: MolGraphs, others: dict[int, MolGraphs]) -> MolGraphs:
    """Return the graphs with those at some positions, which have no atoms, replaced; positions ascend."""
    parts, done = [], 0
    for i, graph in others.items():
        parts += [graphs[done:i], graph]
        done = i + 1
    return joined([*parts, graphs[done:]])
