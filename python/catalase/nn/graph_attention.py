"""Attention on molecular graphs: GAT, and the net of AttentiveFP."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import flag, number, whole_number
from ..autograd import Tensor
from ..backends import to_device_of
from ..data.graph_batch import GraphBatch
from ..ops import RowLists
from . import functional as F
from .graph import check_batch, moved, rows_below, uniform_linear
from .init import LARGEST_SIZE, glorot_uniform, random_generator, start_values, uniform
from .layers import Dropout
from .module import Module
from .parameter import Parameter
from .recurrent import GRU


class GATConv(Module):
    r"""Attention of each atom over its neighbours, with several heads.

    With ``u`` the neighbours of atom v, and v itself where there are self loops, of each head:

    .. math::
        y_v &= \sum_u \alpha_{vu} W x_u + b \\
        \alpha_v &= softmax_u(LeakyReLU(a_{target} \cdot W x_v + a_{source} \cdot W x_u))

    and with ``v2``, of GATv2, whose attention can rank neighbours differently for different atoms:

    .. math::
        \alpha_v = softmax_u(a \cdot LeakyReLU(W_{target} x_v + W x_u))

    Parameters
    ----------
    in_features, out_features : int
        ``out_features`` of each head.
    heads : int
    concat : bool
        Whether the heads' outputs are put side by side (heads * out_features columns), or averaged.
    negative_slope : float
        Of LeakyReLU, from 0 to 1.
    dropout : float
        The share of weights alpha that is dropped in training.
    self_loops : bool
        Whether each atom attends to itself.
    bias : bool
    v2 : bool
    rng : numpy.random.Generator or int, optional
        Where the start values come from, or a seed: Glorot uniform, and zeros.

    Attributes
    ----------
    w : Parameter, shape (in_features, heads * out_features)
    w_target : Parameter, of the same shape, or None
    a_source, a_target : Parameter, shape (heads, out_features)
        With ``v2`` a_source is a, and a_target is None.
    b : Parameter, shape (heads * out_features,) or (out_features,), or None

    Notes
    -----
    The layer is called with the rows of atoms at one depth and the lists of the next, as `GINConv`; with dropout they are
    made with ``distinct=False`` in training. An atom without neighbours has b where there are no self loops.

    References
    ----------
    Velickovic et al., "Graph attention networks", arXiv:1710.10903. Brody et al., "How attentive are graph attention
    networks?", arXiv:2105.14491.

    Examples
    --------
    >>> import catalase as ct
    >>> batch = ct.data.GraphBatch(ct.ops.mol_graphs(["CCO", "C"], features="molgraph"))
    >>> paths = batch.environments(1, along="atoms")
    >>> ct.nn.GATConv(30, 8, heads=2, rng=0)(paths.atom_features, paths.depths[0]).shape
    (4, 16)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        heads: int = 1,
        concat: bool = True,
        negative_slope: float = 0.2,
        dropout: float = 0.0,
        self_loops: bool = True,
        bias: bool = True,
        v2: bool = False,
        rng: Any = None,
    ) -> None:
        super().__init__()
        name = "GATConv"
        self.features = inputs = whole_number(name, "in_features", in_features, 1, LARGEST_SIZE)
        self.out_features = whole_number(name, "out_features", out_features, 1, LARGEST_SIZE)
        self.heads = whole_number(name, "heads", heads, 1, LARGEST_SIZE)
        self.concat = flag(name, "concat", concat)
        self.negative_slope = number(name, "negative_slope", negative_slope, at_least=0, at_most=1)
        dropout = number(name, "dropout", dropout, at_least=0, below=1)
        self.dropout = Dropout(dropout) if dropout else None
        self.self_loops = flag(name, "self_loops", self_loops)
        bias, v2 = flag(name, "bias", bias), flag(name, "v2", v2)
        rng = random_generator(name, rng)

        def parameter(*shape: int) -> Parameter:
            return Parameter(start_values(name, "start", glorot_uniform(), shape, rng))

        width = self.heads * self.out_features
        self.w = parameter(inputs, width)
        self.w_target = parameter(inputs, width) if v2 else None
        self.a_source = parameter(self.heads, self.out_features)
        self.a_target = None if v2 else parameter(self.heads, self.out_features)
        outputs = width if self.concat else self.out_features
        self.b = Parameter(np.zeros(outputs, np.float32), decay=False) if bias else None

    def forward(self, x: Tensor | NDArray[Any], lists: RowLists) -> Tensor:
        x, kind = rows_below("GATConv", x, lists, self.features, self.w)
        index, offsets, _ = _entries(lists, self.self_loops)
        targets = np.repeat(kind, np.diff(offsets))
        rows = F.linear(x, self.w).reshape(len(x), self.heads, self.out_features)
        of_sources = F.gather_rows(rows, index)
        if self.w_target is None:
            own = F.gather_rows((rows * self.a_target).sum(axis=2), targets)
            scores = self._leaky(own + F.gather_rows((rows * self.a_source).sum(axis=2), index))
        else:
            own = F.gather_rows(F.linear(x, self.w_target).reshape(*rows.shape), targets)
            scores = (self._leaky(own + of_sources) * self.a_source).sum(axis=2)
        shares = F.segment_softmax(scores, offsets)
        shares = shares if self.dropout is None else self.dropout(shares)
        sums = F.segment_sum(of_sources * shares.reshape(*shares.shape, 1), offsets)
        found = sums.reshape(len(sums), self.heads * self.out_features) if self.concat else sums.mean(axis=1)
        return found if self.b is None else found + self.b

    def _leaky(self, x: Tensor) -> Tensor:
        return x * self.negative_slope + x.relu() * (1 - self.negative_slope)

    def __repr__(self) -> str:
        return f"GATConv({self.features}, {self.out_features}, heads={self.heads}, v2={self.w_target is not None})"


def _entries(
    lists: RowLists, self_loops: bool, bond: int = 0
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
    """Return the lists of neighbours, with each atom before its own where there are self loops, and the entries' bonds.

    ``bond`` is the number of an atom's bond to itself.
    """
    if not self_loops:
        return lists.index, lists.offsets, lists.bond
    bonds = None if lists.bond is None else np.insert(lists.bond, lists.offsets[:-1], bond)
    return *lists.with_own(), bonds


class _Attention(Module):
    """Attention of each row over a list of others, and a GRU that takes what it found into the row.

    ``score = LeakyReLU(w_own . query + w_other . value + b)``, ``context = ELU(sum of softmax(score) * value @ w + b)``, and
    the state of the GRU goes on. The product follows the sum, which is over more rows, and whose shares add up to 1.
    """

    def __init__(self, hidden: int, dropout: float, rng: np.random.Generator) -> None:
        super().__init__()
        limit = uniform(1 / math.sqrt(2 * hidden))

        def parameter(*shape: int, decay: bool = True) -> Parameter:
            return Parameter(start_values("AttentiveFP", "start", limit, shape, rng), decay=decay)

        self.w_own, self.w_other = parameter(hidden, 1), parameter(hidden, 1)
        self.b_score = parameter(1, decay=False)
        self.project = uniform_linear(hidden, hidden, rng=rng)
        self.gru = GRU(hidden, hidden, rng=rng)
        self.dropout = Dropout(dropout) if dropout else None

    def forward(
        self, state: Tensor, query: Tensor, values: Tensor, index: NDArray[Any], offsets: NDArray[Any]
    ) -> Tensor:
        counts = np.diff(offsets)
        if self.dropout is not None:
            query, values = self.dropout(query), self.dropout(values)
        own = F.gather_rows(F.linear(query, self.w_own, self.b_score), np.repeat(np.arange(len(counts)), counts))
        scores = own + F.gather_rows(F.linear(values, self.w_other), index)
        shares = F.segment_softmax(F.activation(scores, "leaky_relu"), offsets)
        sums = F.segment_sum(F.gather_rows(values, index) * shares, offsets)
        found = to_device_of((counts > 0).astype(sums.dtype)[:, None], sums.data)  # nothing is found in an empty list
        context = F.activation(F.linear(sums, self.project.w) + self.project.b * found, "elu")
        _, state = self.gru(context.reshape(len(counts), 1, context.shape[1]), state)
        return state


class AttentiveFP(Module):
    r"""The net of AttentiveFP, from molecular graphs to one row for each molecule.

    Atoms first attend to their neighbours and the bonds to them (GATE), then ``num_layers - 1`` times to their neighbours;
    then the molecule attends ``num_timesteps`` times to its atoms, starting from their sum. After each attention a GRU
    takes what was found into the row of the atom or the molecule:

    .. math::
        c_v &= ELU(\sum_u \alpha_{vu} (W h_u + b)), \quad \alpha_v = softmax_u(LeakyReLU(w \cdot [h_v, h_u] + b')) \\
        h_v &\leftarrow ReLU(GRU(c_v, h_v))

    Parameters
    ----------
    atom_features, bond_features : int
    hidden : int
        Width of the rows of atoms and molecules.
    num_layers : int
        Rounds of attention of atoms, 1 or more.
    num_timesteps : int
        Rounds of attention of the molecule.
    dropout : float
        The share of values that is dropped before each attention, in training.
    self_loops : bool
        Whether each atom also attends to itself, along a bond whose features are zeros.
    rng : numpy.random.Generator or int, optional
        Where the start values come from, or a seed.

    Notes
    -----
    Called with a `catalase.data.GraphBatch`, it returns (molecules, hidden). Formulas and start values are those of DGL's
    net, on which DeepChem's ``AttentiveFPModel`` stands; PyTorch Geometric's differs in the scores and in ReLUs. Dropout
    is drawn for the rows that attend and are attended to, in DGL's for each pair of them.

    Atoms with equal environments, bonds included, share a row, as in `DirectedMessagePassing`, except in training with
    dropout. A molecule has the same bits in any batch and in any spelling.

    References
    ----------
    Xiong et al., "Pushing the boundaries of molecular representation for drug discovery with the graph attention
    mechanism", J. Med. Chem. 63, 8749 (2020).

    Examples
    --------
    >>> import catalase as ct
    >>> batch = ct.data.GraphBatch(ct.ops.mol_graphs(["CCO", "c1ccccc1"], features="molgraph"))
    >>> ct.nn.AttentiveFP(30, 11, hidden=8, rng=0)(batch).shape
    (2, 8)
    """

    def __init__(
        self,
        atom_features: int,
        bond_features: int,
        hidden: int = 200,
        num_layers: int = 2,
        num_timesteps: int = 2,
        dropout: float = 0.0,
        self_loops: bool = True,
        rng: Any = None,
    ) -> None:
        super().__init__()
        name = "AttentiveFP"
        self.atom_features = whole_number(name, "atom_features", atom_features, 1, LARGEST_SIZE)
        self.bond_features = whole_number(name, "bond_features", bond_features, 0, LARGEST_SIZE)
        self.hidden = whole_number(name, "hidden", hidden, 1, LARGEST_SIZE)
        layers = whole_number(name, "num_layers", num_layers, 1, 64)
        timesteps = whole_number(name, "num_timesteps", num_timesteps, 0, 1000)
        dropout = number(name, "dropout", dropout, at_least=0, below=1)
        self.self_loops = flag(name, "self_loops", self_loops)
        rng = random_generator(name, rng)
        inputs = self.atom_features + self.bond_features
        limit = uniform(1 / math.sqrt(inputs))
        self.atoms = uniform_linear(self.atom_features, self.hidden, "leaky_relu", rng)
        self.w_pair_atom, self.w_pair_bond, self.b_pair = (
            Parameter(start_values(name, "start", limit, shape, rng), decay=len(shape) > 1)
            for shape in ((self.atom_features, self.hidden), (self.bond_features, self.hidden), (self.hidden,))
        )
        self.layers = [_Attention(self.hidden, dropout, rng) for _ in range(layers)]
        self.readouts = [_Attention(self.hidden, dropout, rng) for _ in range(timesteps)]

    def forward(self, batch: GraphBatch) -> Tensor:
        check_batch("AttentiveFP", batch, self.atom_features, self.bond_features)
        distinct = self.layers[0].dropout is None or not self.training
        paths = batch.environments(len(self.layers), along="atoms and bonds", distinct=distinct)
        to_itself = np.zeros((1, self.bond_features), np.float32)  # the last kind of bond
        atoms = moved("AttentiveFP", "batch", paths.atom_features, self.w_pair_atom)
        bonds = moved("AttentiveFP", "batch", np.vstack([paths.bond_features, to_itself]), self.w_pair_atom)
        rows = self.atoms(atoms)
        for layer, lists in zip(self.layers, paths.depths, strict=True):
            index, offsets, bond = _entries(lists, self.self_loops, len(bonds) - 1)
            own: Any = lists.kind
            state = F.gather_rows(rows, own)
            if layer is self.layers[0]:
                rows, index = self._pairs(atoms, bonds, index, bond), np.arange(len(index))
            rows = layer(state, state, rows, index, offsets).relu()
        of = paths.molecules
        state = F.gather_sum(rows, of.index, of.offsets, transposed=of.transposed)
        for layer in self.readouts:
            state = layer(state, state.relu(), rows, of.index, of.offsets)
        return state

    def _pairs(self, atoms: Any, bonds: Any, index: NDArray[Any], bond: Any) -> Tensor:
        """A row for each neighbour with the bond to it."""
        bonds = F.linear(bonds, self.w_pair_bond)
        atoms = F.gather_rows(F.linear(atoms, self.w_pair_atom, self.b_pair), index)
        return F.activation(atoms + F.gather_rows(bonds, bond), "leaky_relu")

    def __repr__(self) -> str:
        return (
            f"AttentiveFP({self.atom_features}, {self.bond_features}, hidden={self.hidden}, "
            f"num_layers={len(self.layers)}, num_timesteps={len(self.readouts)})"
        )
