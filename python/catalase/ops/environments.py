"""The distinct environments of a set of molecular graphs, and batches that compute each of them once.

In message passing without dropout a directed bond's hidden vector depends on its environment alone, and environments repeat
within a batch. `environments` finds the classes of equal ones once for a data set; `Environments.batch` gives the rows of a
batch and the lists of rows that are summed from one depth to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from .._internal.numbers import choice, flag, shown, whole_number
from .checks import whole_numbers

_MOST_FEATURES = 2**22  # kinds' features of at most this many values are made once, and rows of them taken
_MOST_DEPTH = 64
Lists = tuple[NDArray[np.int32], NDArray[np.int64]]


@dataclass(frozen=True)
class RowLists:
    """For each row of one depth of a batch the rows of the depth below that it sums, in the order of the sum.

    Attributes
    ----------
    index, offsets : ndarray
        The lists, as `gather_sum` takes them.
    transposed : tuple of ndarray, or None
        What `transpose_index` returns for them: the lists of the backward pass.
    kind : ndarray of int32, or None
        For each row its row among the kinds of the batch: ``batch.bond_kinds`` for bonds, ``batch.atom_kinds`` for atoms. In
        message passing along atoms, the row of the atom itself at the depth below.
    kinds : tuple of ndarray, or None
        The rows of each kind, as index and offsets.
    bond : ndarray of int32, or None
        In message passing along atoms and bonds, the row of each entry's bond among ``batch.bond_kinds``.
    """

    index: NDArray[np.int32]
    offsets: NDArray[np.int64]
    transposed: Lists | None = None
    kind: NDArray[np.int32] | None = None
    kinds: Lists | None = None
    bond: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def in_place(self) -> bool:
        """Whether ``kind`` is each row's own number, as it is along atoms where each atom has a row of its own."""
        return self.kind is not None and np.array_equal(self.kind, np.arange(len(self)))

    def with_own(self) -> Lists:
        """Return the lists with ``kind`` before the other entries: along atoms, each atom and its neighbours."""
        if self.kind is None:
            raise ValueError("RowLists.with_own: these lists have no kind; use index and offsets")
        index = np.insert(self.index, self.offsets[:-1], self.kind)
        return index, self.offsets + np.arange(len(self.offsets))


class EnvironmentBatch:
    """The distinct rows of some molecules, from `Environments.batch`.

    Attributes
    ----------
    bonds : tuple of RowLists
        For depths 1 to depth - 1; ``bonds[0]`` sums rows of ``bond_kinds``, ``bonds[1]`` rows of ``bonds[0]``, and so on.
        Empty in message passing along atoms (and bonds).
    atoms : RowLists
        Rows of the last depth of bonds (of ``bond_kinds`` if the depth is 1).
    depths : tuple of RowLists
        ``(*bonds, atoms)``; along atoms one for each depth from 1 on, of which ``depths[0]`` sums rows of ``atom_kinds``.
    molecules : RowLists
        For each molecule the rows of its atoms; a row comes as often as the molecule has the atom.
    atom_kinds, bond_kinds : ndarray of int32
        The kinds of atoms in the batch, and of bonds at depth 0, by their numbers in the `Environments`. Along atoms and
        bonds, the kinds of bonds are those of their codes alone.
    """

    def __init__(self, source: Environments, found: tuple[Any, ...]) -> None:
        molecules, atoms, below, self.atom_kinds, self.bond_kinds = found
        self._source = source
        self.molecules, self.atoms = _lists(molecules), _lists(atoms)
        self.depths = (*map(_lists, below), self.atoms)
        self.bonds = self.depths[:-1] if source.along == "bonds" else ()

    def __len__(self) -> int:
        return len(self.molecules)

    @cached_property
    def atom_features(self) -> NDArray[np.float32]:
        """The features of ``atom_kinds``, float32 (kinds, columns)."""
        return self._source._features_of(self.atom_kinds, bonds=False)

    @cached_property
    def bond_features(self) -> NDArray[np.float32]:
        """The features of ``bond_kinds``, float32 (kinds, columns): those of the source atom, then those of the bond.

        Along atoms and bonds, those of the bond.
        """
        return self._source._features_of(self.bond_kinds, bonds=True)


def _lists(found: tuple[Any, ...]) -> RowLists:
    index, offsets, turned, ends, *kinds = found
    if not kinds:
        return RowLists(index, offsets, (turned, ends))
    return RowLists(index, offsets, (turned, ends), kinds[0], (kinds[1], kinds[2]), kinds[3])


class Environments:
    """The classes of equal environments of a set of molecules, as `environments` returns them. It can be pickled.

    Attributes
    ----------
    depth : int
        Depths of hidden vectors.
    along : {"bonds", "atoms", "atoms and bonds"}
        What messages pass along.
    distinct : bool
        Whether equal environments share a row.
    atom_classes : ndarray of int32, shape (atoms,)
        The class of each atom.
    atom_order : ndarray of int32, shape (atoms,)
        The atoms of each molecule in the order in which they are summed.
    """

    def __init__(self, graphs: Any, depth: int, along: str, distinct: bool, found: tuple[Any, ...]) -> None:
        self.depth, self.along, self.distinct = depth, along, distinct
        kind_atoms, kind_bonds, self._atoms, self._bonds, self.atom_classes, self.atom_order = found
        self._atom_offsets = np.array(graphs.atom_offsets, np.int64)
        self._atom_codes, self._atom_floats = graphs.atom_codes[kind_atoms], graphs.atom_floats[kind_atoms]
        self._bond_codes = graphs.bond_codes[kind_bonds]
        source = graphs.source[kind_bonds]
        self._source_codes, self._source_floats = graphs.atom_codes[source], graphs.atom_floats[source]
        names = ("atom_columns", "atom_float_columns", "atom_width", "bond_columns", "bond_width")
        columns: list[Any] = [getattr(graphs, name, None) for name in names]
        self._columns = tuple(columns)

    def __len__(self) -> int:
        return len(self._atom_offsets) - 1

    def __getstate__(self) -> dict[str, Any]:
        return {
            name: value
            for name, value in vars(self).items()
            if not isinstance(getattr(type(self), name, None), cached_property)
        }

    @property
    def counts(self) -> tuple[int, ...]:
        """The numbers of classes: of bonds (or atoms) at each depth from 0 on, and of atoms at the end."""
        first = self._bond_codes if self.along == "bonds" else self._atom_codes
        return len(first), *(len(table[0]) for table in self._bonds), len(self._atoms[0])

    @cached_property
    def _tables(self) -> _core.EnvironmentTables:
        kinds = len(self._atom_codes), len(self._bond_codes)
        arrays = self._atom_offsets, self.atom_classes, self.atom_order
        return _core.EnvironmentTables(*arrays, *kinds, self._atoms, self._bonds, self.along != "bonds")

    def batch(self, rows: ArrayLike | None = None) -> EnvironmentBatch:
        """Return the distinct rows of some molecules.

        Parameters
        ----------
        rows : array_like of int, optional
            Numbers of molecules, in any order; all molecules by default.

        Raises
        ------
        TypeError
            If ``rows`` are not whole numbers.
        ValueError
            For a number without a molecule.

        Notes
        -----
        Rows are numbered as a walk from the molecules to their atoms and on to the bonds meets them. Time grows with the
        distinct rows and the atoms, not with the data set.
        """
        if rows is None:
            numbers = np.arange(len(self))
        else:
            given = whole_numbers("Environments.batch", "rows", rows)
            if given.ndim != 1:
                raise ValueError(f"Environments.batch: rows must have one axis, got shape {given.shape}")
            wrong = np.flatnonzero((given < 0) | (given >= len(self)))
            if wrong.size:
                raise ValueError(
                    f"Environments.batch: rows must be from 0 to {len(self) - 1}, one of the {len(self)} molecules, but "
                    f"rows[{wrong[0]}] is {given[wrong[0]]}"
                )
            numbers = np.ascontiguousarray(given, np.int64)
        return EnvironmentBatch(self, self._tables.batch(numbers))

    def _features_of(self, kinds: NDArray[np.int32], bonds: bool) -> NDArray[np.float32]:
        if self._columns[0] is None or self._columns[3] is None:
            raise TypeError("environments: graphs have no atom_columns and bond_columns, so kinds have no features")
        table = self._bond_table if bonds else self._atom_table
        return self._dense(kinds, bonds) if table is None else table[kinds]

    @cached_property
    def _atom_table(self) -> NDArray[np.float32] | None:
        return self._whole(bonds=False)

    @cached_property
    def _bond_table(self) -> NDArray[np.float32] | None:
        return self._whole(bonds=True)

    def _whole(self, bonds: bool) -> NDArray[np.float32] | None:
        count = len(self._bond_codes if bonds else self._atom_codes)
        return self._dense(np.arange(count), bonds) if count * 256 <= _MOST_FEATURES else None

    def _dense(self, kinds: NDArray[Any], bonds: bool) -> NDArray[np.float32]:
        atom_columns, float_columns, atom_width, bond_columns, bond_width = self._columns
        codes, floats = (self._source_codes, self._source_floats) if bonds else (self._atom_codes, self._atom_floats)
        atoms = one_hot_fields(codes[kinds], atom_columns, atom_width, floats[kinds], float_columns)
        if not bonds:
            return atoms
        own = one_hot_fields(self._bond_codes[kinds], bond_columns, bond_width)
        return np.hstack([atoms, own]) if self.along == "bonds" else own


def one_hot_fields(
    codes: NDArray[np.uint8],
    columns: Sequence[tuple[int, int]],
    width: int | None,
    floats: Any = None,
    float_columns: Any = (),
) -> NDArray[np.float32]:
    """Return rows of features for rows of codes; 255 sets no column of its field."""
    own = tuple(float_columns or ())
    if width is None:
        width = max([offset + size for offset, size in columns] + [column + 1 for column in own], default=0)
    out = np.zeros((len(codes), width), np.float32)
    for field, (offset, _) in enumerate(columns):
        rows = np.flatnonzero(codes[:, field] != 255)
        out[rows, offset + codes[rows, field].astype(np.intp)] = 1
    for number, column in enumerate(own):
        out[:, column] = floats[:, number]
    return out


def environments(graphs: Any, depth: int, *, along: str = "bonds", distinct: bool = True) -> Environments:
    """Find the distinct environments of directed bonds and of atoms in a set of molecular graphs.

    Parameters
    ----------
    graphs : MolGraphs
        Or any object with its packed arrays: ``atom_offsets``, ``bond_offsets``, ``atom_codes``, ``atom_floats``,
        ``bond_codes``, ``source`` and ``target``. Bonds 2k and 2k + 1 are the two directions of one bond.
    depth : int
        Depths of hidden vectors, from 1 to 64. Along bonds, 3 for D-MPNN's defaults, whose bonds are updated twice; along
        atoms the number of updates.
    along : {"bonds", "atoms", "atoms and bonds"}
        Whether messages pass along directed bonds, as in D-MPNN, or from each atom to its neighbours, as in graph
        convolutions, whose environments do not contain the bonds' codes. With "atoms and bonds" they do, as nets with
        features of bonds need it.
    distinct : bool, default True
        Whether bonds (and atoms) with equal environments share a row. Without, each is a row of its own, as dropout or
        batch normalization inside the message passing need it.

    Returns
    -------
    Environments
        ``batch(rows)`` gives the rows of some molecules, and what they sum.

    Raises
    ------
    TypeError
        If ``graphs`` lack an array, or one has another dtype.
    ValueError
        If the arrays do not fit together, or ``depth`` is out of range.

    Notes
    -----
    A bond's class at depth 0 is its codes with the codes and the bits of the floats of its source atom; at depth t it is
    that class with the sorted classes at depth t - 1 of the other bonds into its source, which leaves out its own reverse. An
    atom's class is its codes and floats with the sorted classes at the last depth of the bonds into it. Contents are compared,
    not only hashes. Along atoms, a class at depth 0 is the codes and floats of the atom; at depth t it is the atom's class at
    depth t - 1 with the sorted ones of its neighbours.

    Classes are sorted by a 64-bit hash of their content, the same in every process: so a molecule's sums have the same bits
    alone, in any batch, and in any spelling of its SMILES. Without ``distinct`` sums go in ascending order of the bonds and
    atoms.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import numpy as np, catalase as ct
    >>> chain = SimpleNamespace(  # four equal atoms in a row
    ...     atom_offsets=np.array([0, 4]), bond_offsets=np.array([0, 6]),
    ...     atom_codes=np.zeros((4, 1), np.uint8), atom_floats=np.zeros((4, 0), np.float32),
    ...     bond_codes=np.zeros((6, 1), np.uint8),
    ...     source=np.array([0, 1, 1, 2, 2, 3], np.int32), target=np.array([1, 0, 2, 1, 3, 2], np.int32))
    >>> found = ct.ops.environments(chain, 2)
    >>> found.counts
    (1, 2, 2)
    >>> found.batch([0]).molecules.index.tolist()
    [0, 0, 1, 1]
    """
    function = "environments"
    depth, along, distinct = environment_options(depth, along, distinct)
    arrays = _packed_arrays(function, graphs)
    found = _core.environments(*arrays, depth, distinct, along != "bonds", along == "atoms and bonds")
    if isinstance(found, int):
        source, target = arrays[5:]
        raise ValueError(
            f"{function}: graphs must have the two directions of each bond side by side, within their molecule, but bond "
            f"{found} goes from atom {source[found]} to atom {target[found]}"
        )
    return Environments(graphs, depth, along, distinct, found)


def environment_options(depth: Any, along: Any, distinct: Any) -> tuple[int, str, bool]:
    """Return the options of `environments`, checked."""
    function = "environments"
    depth = whole_number(function, "depth", depth, 1, _MOST_DEPTH)
    along = choice(function, "along", along, ("bonds", "atoms", "atoms and bonds"))
    return depth, along, flag(function, "distinct", distinct)


_Array = NDArray[Any]
_Packed = tuple[_Array, _Array, _Array, _Array, _Array, _Array, _Array]
_ARRAYS = {
    "atom_offsets": (np.int64, 1), "bond_offsets": (np.int64, 1), "atom_codes": (np.uint8, 2), "atom_floats": (np.float32, 2),
    "bond_codes": (np.uint8, 2), "source": (np.int32, 1), "target": (np.int32, 1),
}  # fmt: skip


def _packed_arrays(function: str, graphs: Any) -> _Packed:
    """Return the arrays of packed graphs after checking that they fit together."""
    arrays = []
    for name, (dtype, axes) in _ARRAYS.items():
        x = getattr(graphs, name, None) if not isinstance(graphs, type) else None
        if not isinstance(x, np.ndarray):
            raise TypeError(
                f"{function}: graphs must be MolGraphs, from ops.mol_graphs, with an array {name}; got {shown(graphs)}"
            )
        if x.dtype != dtype or x.ndim != axes:
            raise TypeError(
                f"{function}: graphs.{name} must be {np.dtype(dtype)} with {axes} axes, got {x.dtype} of shape {x.shape}"
            )
        arrays.append(np.ascontiguousarray(x))
    atom_offsets, bond_offsets, atom_codes, atom_floats, bond_codes, source, target = arrays
    fits = len(atom_offsets) == len(bond_offsets) > 0 and len(atom_codes) == len(atom_floats)
    if not fits or not len(bond_codes) == len(source) == len(target):
        raise ValueError(
            f"{function}: the arrays of graphs must be equally long for molecules, atoms and bonds, got "
            f"{dict(zip(_ARRAYS, map(len, arrays), strict=True))}"
        )
    for name, offsets, count in (
        ("atom_offsets", atom_offsets, len(atom_codes)),
        ("bond_offsets", bond_offsets, len(source)),
    ):
        bad = _core.bad_offset(offsets, count)
        if bad >= 0:
            raise ValueError(
                f"{function}: graphs.{name} must ascend from 0 to {count}, but element {bad} is {offsets[bad]}"
            )
    return atom_offsets, bond_offsets, atom_codes, atom_floats, bond_codes, source, target
