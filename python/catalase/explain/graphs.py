"""Contributions of the atoms of molecular graphs, by masking and by gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..autograd import Tensor
from ..backends import to_device_of, to_host
from ..data.graph_batch import AtomLists, GraphBatch
from ..ops import EnvironmentBatch, MolGraphs
from ..ops.mol_graphs import NO_COLUMN
from .target import Target

_FLOATS = NDArray[np.float64]
Explained = tuple[list[_FLOATS], _FLOATS]


def less(scores: _FLOATS, without: _FLOATS, sizes: Sequence[int]) -> list[_FLOATS]:
    """Return the change that each atom makes, molecule by molecule."""
    return np.split(np.repeat(scores, sizes) - without, np.cumsum(sizes)[:-1])


def masked_graphs(graphs: MolGraphs) -> MolGraphs:
    """Return a graph for each atom of each molecule, in which that atom has no features."""
    sizes = graphs.atom_counts
    masked = graphs[np.repeat(np.arange(len(graphs)), sizes)]
    atom = np.arange(sizes.sum()) - np.repeat(graphs.atom_offsets[:-1], sizes)
    masked.atom_codes[masked.atom_offsets[:-1] + atom] = NO_COLUMN
    masked.atom_floats[masked.atom_offsets[:-1] + atom] = 0
    return masked


def by_masking(score: Callable[[Any], _FLOATS], graphs: MolGraphs) -> Explained:
    """Return what each atom contributes, as the prediction less that without its features, and the predictions."""
    scores = score(graphs)
    return less(scores, score(masked_graphs(graphs)), graphs.atom_counts.tolist()), scores


def by_gradients(target: Target, graphs: MolGraphs) -> Explained:
    """Return what each atom contributes, as gradient times features, and the predictions."""
    members = target.members or [target]
    found = np.mean([_by_gradient(member, graphs) for member in members], axis=0)
    return np.split(found, graphs.atom_offsets[1:-1]), target.scores(graphs)


def _by_gradient(target: Target, graphs: MolGraphs) -> _FLOATS:
    net = target.net()
    batch = _Leaves(graphs, net.parameters()[0].data)
    target.back(lambda: net(batch))
    return batch.contributions()


class _Leaves(GraphBatch):
    """Molecules of which each atom has features of its own, as leaves from which a net computes its output.

    ``like`` is an array on the net's device.
    """

    def __init__(self, graphs: MolGraphs, like: Any) -> None:
        super().__init__(graphs)
        self._like = like
        self._made: list[tuple[Tensor, NDArray[Any]]] = []  # each with the atom that a row has the features of

    def _leaf(self, features: NDArray[np.float32], atoms: NDArray[Any]) -> Any:
        leaf = Tensor(to_device_of(features, self._like), requires_grad=True)
        self._made.append((leaf, atoms))
        return leaf

    def environments(self, depth: int, *, along: str = "bonds", distinct: bool = True) -> EnvironmentBatch:
        """Return the rows of bonds and atoms, none of which is shared: kinds are numbers of bonds and atoms."""
        paths = super().environments(depth, along=along, distinct=False)
        paths.atom_features = self._leaf(paths.atom_features, paths.atom_kinds)
        if along == "bonds":  # their features begin with those of the source
            paths.bond_features = self._leaf(paths.bond_features, self.graphs.source[paths.bond_kinds])
        return paths

    def atoms(self, max_degree: int = 10) -> AtomLists:
        """Return the atoms by number of neighbours."""
        found = super().atoms(max_degree)
        return found._replace(features=self._leaf(found.features, found.atoms))

    def contributions(self) -> _FLOATS:
        """Return the sum over each atom's features of gradient times feature, after the backward pass."""
        total, width = np.zeros(len(self.graphs.atom_codes)), self.graphs.atom_width
        for leaf, atoms in self._made:
            assert leaf.grad is not None
            parts = (to_host(leaf.grad) * leaf.numpy())[:, :width].sum(axis=1, dtype=np.float64)
            total += np.bincount(atoms, parts, minlength=len(total))
        return total
