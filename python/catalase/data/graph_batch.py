"""Batches of molecular graphs."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import ops
from .._internal.arrays import rows_of
from .._internal.numbers import shown, whole_number
from ..ops.checks import check_device
from .batch import Batch


class AtomLists(NamedTuple):
    """The atoms of a batch, by number of neighbours, and what message passing between atoms sums.

    Attributes
    ----------
    atoms : ndarray of int64, shape (A,)
        Their numbers in the graphs.
    features : ndarray of float32, shape (A, columns)
    degrees : ndarray of int64, shape (max_degree + 2,)
        The atoms with d neighbours are the rows ``degrees[d]`` to ``degrees[d + 1] - 1``; the last have ``max_degree`` or more.
    neighbours, closed : RowLists
        For each atom its neighbours; itself, and then its neighbours.
    molecules : RowLists
        For each molecule its atoms.
    """

    atoms: NDArray[np.int64]
    features: NDArray[np.float32]
    degrees: NDArray[np.int64]
    neighbours: ops.RowLists
    closed: ops.RowLists
    molecules: ops.RowLists


class GraphBatch(Batch):
    """Molecules as graph nets take them.

    Parameters
    ----------
    graphs : MolGraphs
        What is found out about them, such as their distinct environments, is kept with them, and serves all batches.
    rows : array_like of int, optional
        The numbers of the batch's molecules; all of them where left out.
    """

    def __init__(self, graphs: ops.MolGraphs, rows: ArrayLike | None = None) -> None:
        if not isinstance(graphs, ops.MolGraphs):
            raise TypeError(f"GraphBatch: graphs must be MolGraphs, from catalase.ops.mol_graphs, got {shown(graphs)}")
        self.graphs = graphs
        self.rows = np.arange(len(graphs)) if rows is None else rows_of("GraphBatch", "rows", rows, len(graphs))
        super().__init__(self)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def arrays(self) -> tuple[()]:
        return ()

    @property
    def static(self) -> None:
        return None

    @property
    def extra(self) -> NDArray[np.float32]:
        """The extra features of the batch's molecules, (molecules, columns); see `catalase.ops.MolGraphs`."""
        return self.graphs.extra[self.rows]

    def to(self, device: str) -> GraphBatch:
        """Return the batch itself: the net moves what it computes with, after the graphs were looked at on the host."""
        check_device("GraphBatch.to", device)
        return self

    def environments(self, depth: int, *, along: str = "bonds", distinct: bool = True) -> ops.EnvironmentBatch:
        """Return the rows of bonds and atoms, and what each sums; see `catalase.ops.environments`."""
        return self.graphs.environments(depth, along=along, distinct=distinct).batch(self.rows)

    def atoms(self, max_degree: int = 10) -> AtomLists:
        """Return the atoms by number of neighbours, with their neighbours in the order of their numbers."""
        max_degree = whole_number("GraphBatch.atoms", "max_degree", max_degree, 1, 1000)
        graphs, rows = self.graphs, self.rows
        atoms, starts = _of_rows(graphs.atom_offsets, rows)
        bonds, bond_starts = _of_rows(graphs.bond_offsets, rows)
        shift = np.repeat(starts[:-1] - graphs.atom_offsets[rows], np.diff(bond_starts))
        source, target = graphs.source[bonds] + shift, graphs.target[bonds] + shift
        counts = np.bincount(target, minlength=len(atoms))
        degree = np.minimum(counts, max_degree)
        order = np.argsort(degree, kind="stable")
        place = np.empty(len(atoms), np.int64)
        place[order] = np.arange(len(atoms))
        by_target = np.lexsort((source, place[target]))
        offsets = np.concatenate([[0], np.cumsum(counts[order])])
        neighbours = place[source[by_target]]
        closed = np.insert(neighbours, offsets[:-1], np.arange(len(atoms)))
        return AtomLists(
            atoms=atoms[order],
            features=graphs.atom_rows(atoms[order]),
            degrees=np.concatenate([[0], np.cumsum(np.bincount(degree, minlength=max_degree + 1))]),
            neighbours=_lists(neighbours, offsets, len(atoms)),
            closed=_lists(closed, offsets + np.arange(len(offsets)), len(atoms)),
            molecules=_lists(place, starts, len(atoms)),
        )


def _of_rows(offsets: NDArray[np.int64], rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The numbers of what the rows own, row after row, and where each row's begin."""
    counts = offsets[rows + 1] - offsets[rows]
    starts = np.concatenate([[0], np.cumsum(counts)])
    return np.arange(starts[-1]) + np.repeat(offsets[rows] - starts[:-1], counts), starts


def _lists(index: NDArray[Any], offsets: NDArray[Any], rows: int) -> ops.RowLists:
    numbers = index.astype(np.int32)
    return ops.RowLists(numbers, offsets, ops.transpose_index(numbers, offsets, rows))
