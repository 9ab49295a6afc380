"""Layers on molecular graphs: messages along directed bonds, and readouts from atoms to molecules."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import choice, flag, number, shown, whole_number
from ..autograd import Tensor, concatenate
from ..autograd.tensor import as_tensor
from ..backends import to_device_of
from ..data.graph_batch import AtomLists, GraphBatch
from ..ops import EnvironmentBatch, RowLists
from ..ops.checks import activation_code
from . import functional as F
from .init import LARGEST_SIZE, Initializer, random_generator, start_values, uniform
from .layers import Dropout, Linear
from .module import Module
from .parameter import Parameter

READOUTS = ("sum", "mean", "norm", "attention")
MOST_NEIGHBOURS = 10


class DirectedMessagePassing(Module):
    r"""Messages along directed bonds: the encoder of a D-MPNN.

    With ``x_v`` the features of atom v and ``e_vw`` those of the bond from v to w:

    .. math::
        h^0_{vw} &= \tau(W_i [x_v, e_{vw}]) \\
        h^t_{vw} &= \tau(W_i [x_v, e_{vw}] + W_h \sum_{u \ne w} h^{t-1}_{uv}), \quad t = 1 \dots depth - 1 \\
        h_v &= \tau(W_o [x_v, \sum_u h^{depth-1}_{uv}] + b_o)

    Parameters
    ----------
    atom_features, bond_features : int
        Widths of ``x`` and ``e``.
    hidden : int
        Width of ``h``.
    depth : int
        Number of steps, 1 or more.
    bias : bool
        Whether the first two products have a bias; the last has one always.
    dropout : float
        The share of values that is dropped after each step and at the atoms, in training.
    activation : str
        As for `catalase.ops.activation`.
    rng : numpy.random.Generator or int, optional
        Where the start values come from, or a seed.

    Attributes
    ----------
    w_input : Parameter, shape (atom_features + bond_features, hidden)
    w_message : Parameter, shape (hidden, hidden)
    w_atom : Parameter, shape (atom_features, hidden)
    w_output : Parameter, shape (hidden, hidden)
    b_input, b_message : Parameter, shape (hidden,), or None
    b_output : Parameter, shape (hidden,)

    Notes
    -----
    **Equal rows are computed once.** A hidden vector depends only on the environment of its directed bond, and
    environments repeat within a batch; the net computes the distinct ones, and the gradient of a row is the sum over its
    copies. With ReLU, products are taken before the sums over neighbours, since smaller environments repeat more often. That
    is exact but for rounding, and with the defaults leaves 21% of the rows at batch 64 and 12% at 256. With dropout every
    directed bond has a row of its own; which of the two it is, is decided by ``dropout``, never by the batch. All sums go in
    an order that depends on what is summed alone, so that a molecule's bits are the same in any batch.

    The start values are those of PyTorch's ``Linear``, uniform in plus or minus 1 / sqrt(inputs).

    References
    ----------
    Yang et al., "Analyzing learned molecular representations for property prediction", J. Chem. Inf. Model. 59, 3370 (2019).

    Examples
    --------
    >>> import catalase as ct
    >>> graphs = ct.ops.mol_graphs(["CCO", "c1ccccc1"])
    >>> layer = ct.nn.DirectedMessagePassing(72, 14, hidden=8, rng=0)
    >>> atoms, molecules = layer(ct.data.GraphBatch(graphs))
    >>> ct.nn.GraphReadout("mean")(atoms, molecules).shape
    (2, 8)
    """

    def __init__(
        self,
        atom_features: int,
        bond_features: int,
        hidden: int = 300,
        depth: int = 3,
        bias: bool = False,
        dropout: float = 0.0,
        activation: str = "relu",
        rng: Any = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.atom_features = whole_number(name, "atom_features", atom_features, 0, LARGEST_SIZE)
        self.bond_features = whole_number(name, "bond_features", bond_features, 0, LARGEST_SIZE)
        self.hidden = whole_number(name, "hidden", hidden, 1, LARGEST_SIZE)
        self.depth = whole_number(name, "depth", depth, 1, 64)
        self.bias = flag(name, "bias", bias)
        activation_code(name, activation)
        self.activation = activation
        dropout = number(name, "dropout", dropout, at_least=0, below=1)
        self.dropout = Dropout(dropout) if dropout else None
        rng = random_generator(name, rng)

        def parameter(inputs: int, *shape: int, decay: bool = True) -> Parameter:
            limit: Initializer = uniform(1 / math.sqrt(max(1, inputs)))
            return Parameter(start_values(name, "start", limit, shape, rng), decay=decay)

        inputs, width = self.atom_features + self.bond_features, self.hidden
        self.w_input = parameter(inputs, inputs, width)
        self.b_input = parameter(inputs, width, decay=False) if self.bias else None
        self.w_message = parameter(width, width, width)
        self.b_message = parameter(width, width, decay=False) if self.bias else None
        self.w_atom = parameter(self.atom_features + width, self.atom_features, width)
        self.w_output = parameter(self.atom_features + width, width, width)
        self.b_output = parameter(self.atom_features + width, width, decay=False)

    def forward(self, batch: GraphBatch) -> tuple[Tensor, RowLists]:
        """Return rows of atoms, and which of them each molecule has."""
        check_batch("DirectedMessagePassing", batch, self.atom_features, self.bond_features)
        paths = batch.environments(self.depth, distinct=self.dropout is None)
        rows = directed_messages(
            paths,
            moved("DirectedMessagePassing", "batch", paths.bond_features, self.w_input),
            moved("DirectedMessagePassing", "batch", paths.atom_features, self.w_atom),
            self.w_input,
            self.b_input,
            self.w_message,
            self.b_message,
            self.w_atom,
            self.w_output,
            self.b_output,
            activation=self.activation,
            dropout=self.dropout,
        )
        return rows, paths.molecules

    def __repr__(self) -> str:
        widths = f"{self.atom_features}, {self.bond_features}, hidden={self.hidden}, depth={self.depth}"
        return f"DirectedMessagePassing({widths})"


def directed_messages(
    paths: EnvironmentBatch,
    bond_features: Any,
    atom_features: Any,
    w_input: Tensor,
    b_input: Tensor | None,
    w_message: Tensor,
    b_message: Tensor | None,
    w_atom: Tensor,
    w_output: Tensor,
    b_output: Tensor,
    *,
    activation: str,
    dropout: Callable[[Tensor], Tensor] | None,
) -> Tensor:
    """Return the rows of atoms of `DirectedMessagePassing`: ``paths.atoms`` of them."""
    start = F.linear(bond_features, w_input, b_input)
    final = F.linear(atom_features, w_atom, b_output)
    of = paths.atoms
    if activation == "relu" and dropout is None:
        rows = F.message_passing(start, w_message, paths.bonds, b_message)
        rows = F.linear(rows, w_output)
        back: dict[str, Any] = {"transposed": of.transposed, "kinds": of.kinds}
        return F.gather_sum(rows, of.index, of.offsets, z=final, kind=of.kind, relu=True, **back)
    rows = F.activation(start, activation)
    updates = [(lists, start, w_message, b_message) for lists in paths.bonds]
    for lists, z, w, b in [*updates, (of, final, w_output, None)]:
        rows = F.message_update(
            rows,
            w,
            lists.index,
            lists.offsets,
            z=z,
            kind=lists.kind,
            b=b,
            activation=activation,
            transposed=lists.transposed,
            kinds=lists.kinds,
        )
        rows = rows if dropout is None else dropout(rows)
    return rows


def check_batch(name: str, batch: Any, atom_features: int, bond_features: int) -> None:
    """Refuse anything but a batch of graphs with features of these widths."""
    if not isinstance(batch, GraphBatch):
        raise TypeError(f"{name}: batch must be a catalase.data.GraphBatch, got {shown(batch)}")
    graphs = batch.graphs
    if (graphs.atom_width, graphs.bond_width) != (atom_features, bond_features):
        raise ValueError(
            f"{name}: takes {atom_features} features of an atom and {bond_features} of a bond, but the graphs have "
            f"{graphs.atom_width} and {graphs.bond_width} (features={graphs.features!r})"
        )


class GraphReadout(Module):
    """From rows of atoms to one row for each molecule.

    Parameters
    ----------
    kind : {"sum", "mean", "norm", "attention"}
        "norm" is the sum divided by ``norm``; "attention" weights atoms by a softmax over the molecule of ``rows @ w + b``.
    norm : float
        Above 0.
    features : int, optional
        Width of the rows; for "attention".
    rng : numpy.random.Generator or int, optional

    Notes
    -----
    A molecule without atoms has zeros.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> lists = ct.ops.RowLists([0, 1, 1], [0, 2, 3])  # rows 0 and 1, and row 1
    >>> ct.nn.GraphReadout("sum")(ct.Tensor(np.array([[1.0], [2.0]], np.float32)), lists).numpy()
    array([[3.],
           [2.]], dtype=float32)
    """

    def __init__(self, kind: str = "mean", norm: float = 100.0, features: int | None = None, rng: Any = None) -> None:
        super().__init__()
        self.kind = choice("GraphReadout", "kind", kind, READOUTS)
        self.norm = number("GraphReadout", "norm", norm, above=0)
        self.w: Parameter | None = None
        self.b: Parameter | None = None
        if kind == "attention":
            features = whole_number("GraphReadout", "features", features, 1, LARGEST_SIZE)
            limit, rng = uniform(1 / math.sqrt(features)), random_generator("GraphReadout", rng)
            self.w = Parameter(start_values("GraphReadout", "start", limit, (features, 1), rng))
            self.b = Parameter(start_values("GraphReadout", "start", limit, (1,), rng), decay=False)

    def forward(self, rows: Tensor, molecules: RowLists) -> Tensor:
        rows = as_tensor("GraphReadout", "rows", rows)
        if not isinstance(molecules, RowLists):
            raise TypeError(
                "GraphReadout: molecules must be the lists that DirectedMessagePassing returns, a catalase.ops.RowLists, got "
                f"{shown(molecules)}"
            )
        if self.w is not None:
            of_atoms = F.gather_rows(rows, molecules.index)
            shares = F.segment_softmax(
                F.gather_rows(F.linear(rows, self.w, self.b), molecules.index), molecules.offsets
            )
            return F.segment_sum(of_atoms * shares, molecules.offsets)
        sums = F.gather_sum(rows, molecules.index, molecules.offsets, transposed=molecules.transposed)
        if self.kind == "mean":
            counts = np.maximum(np.diff(molecules.offsets), 1).astype(rows.dtype)
            return sums * to_device_of((1 / counts)[:, None], sums.data)
        return sums * (1 / self.norm) if self.kind == "norm" else sums

    def __repr__(self) -> str:
        return f"GraphReadout({self.kind!r}{f', norm={self.norm:g}' if self.kind == 'norm' else ''})"


class GraphConv(Module):
    r"""A convolution over the neighbours of each atom, with weights of their own for each number of neighbours.

    With ``d`` the number of neighbours of atom v:

    .. math::
        y_v = \tau(x_v W^{own}_d + b_d + \sum_u x_u W^{neighbours}_d)

    Parameters
    ----------
    in_features, out_features : int
    max_degree : int
        Atoms with more neighbours use the weights of this many.
    activation : str or None
        As for `catalase.ops.activation`.
    rng : numpy.random.Generator or int, optional
        Where the start values come from, or a seed: Glorot uniform, and zeros.

    Attributes
    ----------
    w_own : Parameter, shape (max_degree + 1, in_features, out_features)
    w_neighbours : Parameter, shape (max_degree, in_features, out_features)
        From one neighbour on.
    b : Parameter, shape (max_degree + 1, out_features)

    Notes
    -----
    Atoms are in the order of a `catalase.data.AtomLists`: by number of neighbours, so that each product is one block.
    DeepChem's layer has a second bias, for the neighbours, of the same effect as ``b``.

    References
    ----------
    Duvenaud et al., "Convolutional networks on graphs for learning molecular fingerprints", arXiv:1509.09292; Altae-Tran et
    al., "Low data drug discovery with one-shot learning", arXiv:1611.03199.

    Examples
    --------
    >>> import catalase as ct
    >>> atoms = ct.data.GraphBatch(ct.ops.mol_graphs(["CCO", "C"], features="convmol")).atoms(max_degree=10)
    >>> ct.nn.GraphConv(75, 4, rng=0)(atoms.features, atoms).shape
    (4, 4)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        max_degree: int = MOST_NEIGHBOURS,
        activation: str | None = "relu",
        rng: Any = None,
    ) -> None:
        super().__init__()
        name = "GraphConv"
        size = tuple(
            whole_number(name, key, value, 1, LARGEST_SIZE)
            for key, value in (("in_features", in_features), ("out_features", out_features))
        )
        self.max_degree = whole_number(name, "max_degree", max_degree, 1, 1000)
        activation_code(name, activation)
        self.activation = activation
        rng = random_generator(name, rng)

        limit = uniform(math.sqrt(6 / sum(size)))  # Glorot's

        def weights(count: int) -> Parameter:
            return Parameter(start_values(name, "start", limit, (count, *size), rng))

        self.w_own, self.w_neighbours = weights(self.max_degree + 1), weights(self.max_degree)
        self.b = Parameter(np.zeros((self.max_degree + 1, size[1]), np.float32), decay=False)

    def forward(self, x: Tensor | NDArray[Any], atoms: AtomLists) -> Tensor:
        x = _atom_rows("GraphConv", moved("GraphConv", "x", x, self.w_own), atoms)
        if x.shape[1] != self.w_own.shape[1]:
            raise ValueError(f"GraphConv: x must have {self.w_own.shape[1]} features, got shape {x.shape}")
        if len(atoms.degrees) != self.max_degree + 2:
            raise ValueError(
                f"GraphConv: the layer has max_degree={self.max_degree}, but atoms were made with "
                f"max_degree={len(atoms.degrees) - 2}"
            )
        lists = atoms.neighbours
        sums = F.gather_sum(x, lists.index, lists.offsets, transposed=lists.transposed)
        own = F.grouped_linear(x, self.w_own, atoms.degrees, self.b)
        # Atoms without neighbours are in the first group: their sums are zero.
        others = F.grouped_linear(sums, self.w_neighbours, np.append(0, atoms.degrees[2:]))
        return F.activation(own + others, self.activation)

    def __repr__(self) -> str:
        _, inputs, outputs = self.w_own.shape
        return f"GraphConv({inputs}, {outputs}, max_degree={self.max_degree})"


def uniform_linear(
    in_features: int, out_features: int, activation: str | None = None, rng: np.random.Generator | int | None = None
) -> Linear:
    """Return a dense layer with the start values of PyTorch's ``Linear``, uniform in plus or minus 1 / sqrt(inputs)."""
    limit = uniform(1 / math.sqrt(in_features))
    return Linear(in_features, out_features, activation, weight_init=limit, bias_init=limit, rng=rng)


def rows_below(name: str, x: Any, lists: Any, features: int, like: Any) -> tuple[Tensor, NDArray[np.int32]]:
    """Return rows of the depth below where ``like`` is, and the number of each row's own there; refuse what does not fit."""
    if not isinstance(lists, RowLists) or lists.kind is None or lists.transposed is None:
        raise TypeError(
            f"{name}: lists must be one of the depths of catalase.data.GraphBatch.environments(depth, along='atoms'), got "
            f"{shown(lists)}"
        )
    x = moved(name, "x", x, like)
    shape = (len(lists.transposed[1]) - 1, features)
    if x.shape != shape:
        raise ValueError(f"{name}: x must have shape {shape}, a row for each at the depth below, got {x.shape}")
    return x, lists.kind


def moved(name: str, argument: str, x: Any, like: Any) -> Tensor:
    """Return a tensor as it is, or features of the host as a tensor where the layer's parameter is."""
    return as_tensor(name, argument, to_device_of(x, like.data) if isinstance(x, np.ndarray) else x)


class GINConv(Module):
    r"""A layer of a graph isomorphism network.

    .. math::
        y_v = MLP((1 + \epsilon) x_v + \sum_{u \in N(v)} x_u)

    With ``bond_features``, the sum is over ``relu(x_u + e_uv W_b + b_b)``, as in GINE.

    Parameters
    ----------
    in_features, out_features : int
    hidden : int, optional
        Width between the two dense layers of the MLP; ``out_features`` where left out.
    eps : float
        The (first) value of epsilon, 0 or more.
    train_eps : bool
        Whether epsilon is learned.
    bond_features : int, optional
        Width of the features ``e`` of bonds; without them bonds make no difference.
    activation : str or None
        Between the two dense layers; as for `catalase.ops.activation`.
    rng : numpy.random.Generator or int, optional
        Where the start values come from, or a seed: those of PyTorch's ``Linear``.

    Attributes
    ----------
    first, last : Linear
        The dense layers of the MLP.
    bonds : Linear or None
        From features of bonds to ``in_features``.
    eps : Parameter, shape (1,), or float

    Notes
    -----
    The layer is called with the rows of atoms at one depth, the lists of the next depth (one of ``depths`` of
    `catalase.data.GraphBatch.environments` along atoms, or along atoms and bonds), and in the latter case the features of
    the kinds of bonds. It returns the rows of that depth. Atoms with equal environments share a row unless
    ``distinct=False`` was asked for, which batch normalization and dropout between layers need in training.

    References
    ----------
    Xu et al., "How powerful are graph neural networks?", arXiv:1810.00826. Hu et al., "Strategies for pre-training graph
    neural networks", arXiv:1905.12265.

    Examples
    --------
    >>> import catalase as ct
    >>> batch = ct.data.GraphBatch(ct.ops.mol_graphs(["CCO", "C"], features="molgraph"))
    >>> paths = batch.environments(2, along="atoms and bonds")
    >>> rows = paths.atom_features
    >>> for layer, lists in zip([ct.nn.GINConv(30, 8, bond_features=11), ct.nn.GINConv(8, 8)], paths.depths):
    ...     rows = layer(rows, lists, paths.bond_features)
    >>> ct.nn.GraphReadout("mean")(rows, paths.molecules).shape
    (2, 8)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        hidden: int | None = None,
        eps: float = 0.0,
        train_eps: bool = False,
        bond_features: int | None = None,
        activation: str | None = "relu",
        rng: Any = None,
    ) -> None:
        super().__init__()
        name = "GINConv"
        self.features = inputs = whole_number(name, "in_features", in_features, 1, LARGEST_SIZE)
        outputs = whole_number(name, "out_features", out_features, 1, LARGEST_SIZE)
        hidden = outputs if hidden is None else whole_number(name, "hidden", hidden, 1, LARGEST_SIZE)
        activation_code(name, activation)
        rng = random_generator(name, rng)
        eps = number(name, "eps", eps, at_least=0, at_most=1e6)
        self.eps: Parameter | float = (
            Parameter(np.array([eps], np.float32)) if flag(name, "train_eps", train_eps) else eps
        )
        self.bonds: Linear | None = None
        if bond_features is not None:
            bond_features = whole_number(name, "bond_features", bond_features, 1, LARGEST_SIZE)
            self.bonds = uniform_linear(bond_features, inputs, rng=rng)
        self.first = uniform_linear(inputs, hidden, activation, rng)
        self.last = uniform_linear(hidden, outputs, rng=rng)

    def forward(self, x: Tensor | NDArray[Any], lists: RowLists, bonds: Any = None) -> Tensor:
        x, own = rows_below("GINConv", x, lists, self.features, self.last.w)
        if self.bonds is None:
            sums = F.gather_sum(x, lists.index, lists.offsets, transposed=lists.transposed)
        else:
            if lists.bond is None:
                raise ValueError(
                    "GINConv: a layer with bond_features needs lists with bonds; make them with "
                    "batch.environments(depth, along='atoms and bonds')"
                )
            bonds, width = moved("GINConv", "bonds", bonds, self.last.w), self.bonds.w.shape[0]
            if bonds.ndim != 2 or bonds.shape[1] != width:
                raise ValueError(
                    f"GINConv: bonds must have shape (kinds, {width}), such as paths.bond_features, got {bonds.shape}"
                )
            messages = F.gather_rows(x, lists.index) + F.gather_rows(self.bonds(bonds), lists.bond)
            sums = F.segment_sum(messages.relu(), lists.offsets)
        x = x if lists.in_place else F.gather_rows(x, own)
        if isinstance(self.eps, Parameter) or self.eps:
            x = x * (self.eps + 1.0)
        return self.last(self.first(x + sums))

    def __repr__(self) -> str:
        bonds = None if self.bonds is None else self.bonds.w.shape[0]
        return f"GINConv({self.features}, {self.last.w.shape[1]}, bond_features={bonds})"


def _atom_rows(name: str, x: Any, atoms: Any) -> Tensor:
    """Rows of atoms as a tensor, which must be those of a batch."""
    if not isinstance(atoms, AtomLists):
        raise TypeError(f"{name}: atoms must be what catalase.data.GraphBatch.atoms returns, got {shown(atoms)}")
    x = as_tensor(name, "x", x)
    if x.ndim != 2 or len(x) != len(atoms.atoms):
        raise ValueError(f"{name}: x must have a row for each of the {len(atoms.atoms)} atoms, got shape {x.shape}")
    return x


class GraphPool(Module):
    """The largest value of each feature among an atom and its neighbours.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> atoms = ct.data.GraphBatch(ct.ops.mol_graphs(["CCO"], features="convmol")).atoms()
    >>> ct.nn.GraphPool()(np.array([[1.0], [3.0], [2.0]], np.float32), atoms).numpy().ravel()
    array([2., 3., 3.], dtype=float32)
    """

    def forward(self, x: Tensor | NDArray[Any], atoms: AtomLists) -> Tensor:
        x, lists = _atom_rows("GraphPool", x, atoms), atoms.closed
        return F.gather_max(x, lists.index, lists.offsets)


class GraphGather(Module):
    """From rows of atoms to one row for each molecule: their sum beside their largest values.

    Parameters
    ----------
    activation : str or None
        As for `catalase.ops.activation`; DeepChem's nets have "tanh".

    Notes
    -----
    A molecule without atoms has zeros.

    Examples
    --------
    >>> import catalase as ct
    >>> atoms = ct.data.GraphBatch(ct.ops.mol_graphs(["CCO", "C"], features="convmol")).atoms()
    >>> ct.nn.GraphGather()(atoms.features, atoms).shape
    (2, 150)
    """

    def __init__(self, activation: str | None = "tanh") -> None:
        super().__init__()
        activation_code("GraphGather", activation)
        self.activation = activation

    def forward(self, x: Tensor | NDArray[Any], atoms: AtomLists) -> Tensor:
        x, lists = _atom_rows("GraphGather", x, atoms), atoms.molecules
        sums = F.gather_sum(x, lists.index, lists.offsets, transposed=lists.transposed)
        return F.activation(concatenate([sums, F.gather_max(x, lists.index, lists.offsets)], axis=1), self.activation)
