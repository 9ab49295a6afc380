"""The message passing of a D-MPNN as a layer of PyTorch, with the arguments and the state dict of chemprop's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from ... import ops
from ..._internal.numbers import flag, number, shown, whole_number
from ...data import GraphBatch
from ...nn import functional
from ...nn.graph import directed_messages
from ...nn.init import LARGEST_SIZE
from ...ops.checks import activation_code
from .functions import function

_FIELDS = ("V", "E", "edge_index", "rev_edge_index", "batch")


class DMPNN(torch.nn.Module):
    """Messages along directed bonds, as chemprop's ``BondMessagePassing``: same arguments, state dict and answers.

    Parameters
    ----------
    d_v, d_e, d_h : int
        Features of an atom and of a bond, and width of the hidden vectors.
    bias : bool
        Whether ``W_i`` and ``W_h`` have a bias; ``W_o`` has one always.
    depth : int
        Number of steps, 1 or more.
    dropout : float
        The share of values that is dropped after each step and at the atoms, in training.
    activation : str
        As for `catalase.ops.activation`.
    undirected : bool
        Only False: undirected messages are not supported.

    Attributes
    ----------
    W_i, W_h, W_o : torch.nn.Linear

    Notes
    -----
    The layer is called with a batch of graphs: an object with ``V`` (atoms, d_v), ``E`` (directed bonds, d_e),
    ``edge_index`` (2, directed bonds), ``rev_edge_index`` and ``batch`` (the molecule of each atom, ascending), such as
    chemprop's ``BatchMolGraph``; or a `catalase.data.GraphBatch` or `catalase.ops.MolGraphs`. It returns a row for each
    atom, in their order. Features of bonds must be zeros and ones; neither they nor those of atoms have gradients.

    Equal environments are computed once, as in `catalase.nn.DirectedMessagePassing`. Graphs of Catalase are looked through for
    them once, others in every call, which takes half a millisecond for a batch of 64 molecules.

    Examples
    --------
    >>> import torch, catalase as ct
    >>> layer = ct.interop.torch.DMPNN(72, 14, d_h=8)
    >>> layer(ct.ops.mol_graphs(["CCO", "c1ccccc1"])).shape
    torch.Size([9, 8])
    """

    def __init__(
        self,
        d_v: int = 72,
        d_e: int = 14,
        d_h: int = 300,
        bias: bool = False,
        depth: int = 3,
        dropout: float = 0.0,
        activation: str = "relu",
        undirected: bool = False,
    ) -> None:
        super().__init__()
        d_v, d_e = (whole_number("DMPNN", name, value, 0, LARGEST_SIZE) for name, value in (("d_v", d_v), ("d_e", d_e)))
        d_h = whole_number("DMPNN", "d_h", d_h, 1, LARGEST_SIZE)
        if flag("DMPNN", "undirected", undirected):
            raise ValueError("DMPNN: undirected messages are not supported; use chemprop's own layer")
        self.depth = whole_number("DMPNN", "depth", depth, 1, 64)
        self.dropout = number("DMPNN", "dropout", dropout, at_least=0, below=1)
        activation_code("DMPNN", activation)
        self.activation = activation
        bias = flag("DMPNN", "bias", bias)
        self.W_i = torch.nn.Linear(d_v + d_e, d_h, bias)
        self.W_h = torch.nn.Linear(d_h, d_h, bias)
        self.W_o = torch.nn.Linear(d_v + d_h, d_h)

    @property
    def output_dim(self) -> int:
        """The width of the rows that are returned."""
        return int(self.W_o.out_features)

    def forward(self, bmg: Any) -> Any:
        """Return the hidden vectors of the atoms, (atoms, d_h)."""
        d_v = self.W_o.in_features - self.W_h.in_features
        dropping = self.training and self.dropout > 0
        if isinstance(bmg, ops.MolGraphs):
            bmg = GraphBatch(bmg)
        if isinstance(bmg, GraphBatch):
            graphs, rows = bmg.graphs, bmg.rows
            found = graphs.environments(self.depth, distinct=not dropping)
        else:
            graphs = _packed(bmg)
            rows = np.arange(len(graphs.atom_offsets) - 1)
            found = ops.environments(graphs, self.depth, distinct=not dropping)
        widths = graphs.atom_width, graphs.bond_width
        if widths != (d_v, self.W_i.in_features - d_v):
            raise ValueError(
                f"DMPNN: takes {d_v} features of an atom and {self.W_i.in_features - d_v} of a bond, but the graphs have "
                f"{widths[0]} and {widths[1]}"
            )
        paths = found.batch(rows)
        weight = self.W_i.weight
        features = [
            torch.from_numpy(x).to(weight.device, weight.dtype) for x in (paths.bond_features, paths.atom_features)
        ]
        place = _places(found.atom_order, graphs.atom_offsets, rows, paths.molecules)
        keys = [int(torch.randint(2**31, ())) for _ in range(self.depth)] if dropping else []
        w_o = self.W_o.weight.t()
        weights = (self.W_i.weight.t(), self.W_i.bias, self.W_h.weight.t(), self.W_h.bias)
        return _rows(
            paths, place, *features, *weights, w_o[:d_v], w_o[d_v:], self.W_o.bias,
            activation=self.activation, rate=self.dropout, keys=keys,
        )  # fmt: skip

    def extra_repr(self) -> str:
        """Return the settings that the layers inside do not show."""
        return f"depth={self.depth}, dropout={self.dropout}, activation={self.activation!r}"


def _atom_rows(paths: Any, place: Any, *arrays: Any, activation: str, rate: float, keys: list[int]) -> Any:
    """The rows of the distinct atoms, and from them that of each atom."""
    left = iter(keys)
    dropout = (lambda x: functional.dropout(x, rate, seed=next(left))) if keys else None
    rows = directed_messages(paths, *arrays, activation=activation, dropout=dropout)
    return functional.gather_rows(rows, place)


_rows = function(_atom_rows)


def _places(order: Any, offsets: Any, rows: Any, molecules: Any) -> Any:
    """The row of each atom of a batch, given for each molecule those of its atoms in the order in which they are summed."""
    counts = offsets[rows + 1] - offsets[rows]
    shift = np.repeat(molecules.offsets[:-1] - offsets[rows], counts)
    place = np.empty(len(shift), np.int32)
    atoms = np.arange(len(shift)) - shift  # in all graphs
    place[order[atoms] + shift] = molecules.index
    return place


def _packed(bmg: Any) -> Any:
    """The arrays that `ops.environments` takes: features of atoms as numbers, those of bonds as fields of one column."""
    arrays: dict[str, Any] = {name: getattr(bmg, name, None) for name in _FIELDS}
    if not all(isinstance(array, torch.Tensor) for array in arrays.values()):
        raise TypeError(
            "DMPNN: the batch must be a catalase.data.GraphBatch, catalase.ops.MolGraphs, or have the tensors "
            f"{', '.join(_FIELDS)}, got {shown(bmg)}"
        )
    if arrays["V"].requires_grad or arrays["E"].requires_grad:
        raise ValueError("DMPNN: the features of atoms and bonds have no gradient here; call .detach() on V and E")
    V, E, edges, reverse, molecule = (array.cpu().numpy() for array in arrays.values())
    shapes = V.shape, E.shape, edges.shape, reverse.shape, molecule.shape
    if V.ndim != 2 or E.ndim != 2 or shapes[2:] != ((2, len(E)), (len(E),), (len(V),)):
        raise ValueError(
            "DMPNN: V must be (atoms, d_v), E (bonds, d_e), edge_index (2, bonds), rev_edge_index (bonds,) and batch "
            f"(atoms,), got {', '.join(map(str, shapes))}"
        )
    if any(array.dtype.kind not in "iu" for array in (edges, reverse, molecule)):
        raise TypeError("DMPNN: edge_index, rev_edge_index and batch must be whole numbers")
    if np.any((E != 0) & (E != 1)):
        raise ValueError("DMPNN: the features of bonds, E, must be zeros and ones")
    number, count = np.arange(len(E)), int(getattr(bmg, "__len__", lambda: 0)()) or int(molecule.max(initial=-1)) + 1
    inside = [
        not array.size or (array.min() >= 0 and array.max() < bound)
        for array, bound in ((edges, len(V)), (reverse, len(E)), (molecule, count))
    ]
    paired = all(inside) and np.array_equal(reverse[reverse], number) and not np.any(reverse == number)
    if not paired or np.any(np.diff(molecule) < 0) or not np.array_equal(edges[:, reverse], edges[::-1]):
        raise ValueError(
            "DMPNN: edge_index must name atoms, rev_edge_index the other direction of each bond, and batch the molecule of "
            "each atom, ascending"
        )
    first = np.flatnonzero(number < reverse)
    first = first[np.argsort(molecule[edges[0, first]], kind="stable")]
    order = np.stack([first, reverse[first]], axis=1).ravel()
    source, target = (np.ascontiguousarray(edges[i, order], np.int32) for i in range(2))
    bounds = np.arange(count + 1)
    return SimpleNamespace(
        atom_offsets=np.searchsorted(molecule, bounds),
        bond_offsets=np.searchsorted(molecule[source], bounds),
        atom_codes=np.zeros((len(V), 0), np.uint8),
        atom_floats=np.ascontiguousarray(V, np.float32),
        bond_codes=np.where(E[order] != 0, np.uint8(0), np.uint8(255)),
        source=source,
        target=target,
        atom_columns=(),
        atom_float_columns=tuple(range(V.shape[1])),
        atom_width=V.shape[1],
        bond_columns=tuple((i, 1) for i in range(E.shape[1])),
        bond_width=E.shape[1],
    )
