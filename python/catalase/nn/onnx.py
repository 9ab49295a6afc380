"""Graphs of ONNX, and for each layer the function that writes it as nodes of one.

`Graph` collects nodes; `Graph.layer` finds the exporter of a layer. An exporter is a function of the graph, the layer and
the values that the layer's ``forward`` takes, and is listed with `exporter` (docs/extending.md). The package onnx is
imported when the graph is saved.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import path_of, shown
from ..backends import to_host
from ..ops.geometry import per_dimension
from .activations import Activation
from .attention import (
    LearnedPositions,
    MultiHeadAttention,
    SinusoidalPositions,
    TransformerEncoder,
    TransformerEncoderLayer,
)
from .batch_norm import BatchNorm
from .conv_layers import _Conv
from .embedding import Embedding
from .graph import DirectedMessagePassing, GINConv, GraphConv, GraphGather, GraphPool, GraphReadout
from .graph_attention import AttentiveFP, GATConv, _Attention
from .group_norm import GroupNorm
from .layer_norm import LayerNorm
from .layers import Dropout, GaussianNoise, Linear, Sequential, Softmax
from .module import Module
from .parameter import Parameter
from .pooling import Flatten, GlobalAvgPool, GlobalMaxPool, Reshape, Upsample, _Pool
from .recurrent import GRU, LSTM, Bidirectional
from .recurrent_base import Recurrent
from .rms_norm import RMSNorm

OPSET = 18
_IR_VERSION = 8  # the one of opset 18; later ones are refused by older runtimes


_OPERATORS: dict[str, tuple[str, dict[str, Any]]] = {  # of the activations that have one
    "relu": ("Relu", {}), "tanh": ("Tanh", {}), "sigmoid": ("Sigmoid", {}), "softplus": ("Softplus", {}), "elu": ("Elu", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.01}), "selu": ("Selu", {}), "mish": ("Mish", {}), "hard_swish": ("HardSwish", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6}),
}  # fmt: skip


class Value(str):
    """The name of a value in a graph, with its number of axes."""

    __slots__ = ("rank",)
    rank: int

    def __new__(cls, name: str, rank: int) -> Value:
        made = super().__new__(cls, name)
        made.rank = rank
        return made


class Molecules:
    """The inputs of a net on molecular graphs: atoms and directed bonds of all molecules end to end, as `ops.MolGraphs`.

    Attributes
    ----------
    atoms, bonds : Value, float32 (A, features) and (E, features)
    source, target : Value, int64 (E, 1)
        The atoms of each directed bond; bonds 2 k and 2 k + 1 are the directions of one.
    number, molecule : Value, int64 (A, 1)
        The number of each atom, and of its molecule.
    counts : Value, int64 (N,)
        The number of atoms of each molecule.
    extra : Value, float32 (N, columns), or None
    """

    def __init__(self, graph: Graph, atoms: int, bonds: int, extra: int) -> None:
        self.graph = graph
        self.atoms = graph.input("atoms", np.float32, ("A", atoms))
        self.bonds = graph.input("bonds", np.float32, ("E", bonds)) if bonds else None
        ends = graph.input("edge_index", np.int64, (2, "E"))
        self.source, self.target = (
            graph.op("Unsqueeze", graph.op("Gather", ends, np.int64(i), axis=0, rank=1), np.array([1]), rank=2)
            for i in range(2)
        )
        self.counts = graph.input("atom_counts", np.int64, ("N",))
        self.extra = graph.input("extra", np.float32, ("N", extra)) if extra else None
        # The molecule of atom a is the number of molecules that end at a or before it.
        shape = graph.op("Shape", self.atoms, rank=1)
        count = graph.op("Gather", shape, np.int64(0), axis=0, rank=0)
        number = graph.op("Range", np.int64(0), count, np.int64(1), rank=1)
        self.number = graph.op("Unsqueeze", number, np.array([1]), rank=2)
        ended = graph.op("GreaterOrEqual", self.number, graph.op("CumSum", self.counts, np.int64(0)), rank=2)
        self.molecule = graph.op("ReduceSum", graph.op("Cast", ended, to=7), np.array([1]), keepdims=1)

    def gathered(self, rows: Value, index: Value) -> Value:
        """The rows of a column of numbers."""
        return self.graph.op("GatherND", rows, index)

    def sums(self, rows: Value, index: Value, like: Value, reduction: str = "add", start: float = 0.0) -> Value:
        """For each row of ``like`` the sum (or the largest values) of the rows that ``index`` sends there."""
        graph = self.graph
        count = graph.op("Slice", graph.op("Shape", like, rank=1), np.array([0]), np.array([1]))
        width = graph.op("Slice", graph.op("Shape", rows, rank=1), np.array([1]), np.array([2]))
        none = graph.op("Expand", np.float32(start), graph.op("Concat", count, width, axis=0), rank=2)
        return graph.op("ScatterND", none, index, rows, reduction=reduction)

    def softmax(self, scores: Value, index: Value, like: Value) -> Value:
        """The softmax of a column of scores over the rows that ``index`` sends to one place."""
        graph = self.graph
        most = self.sums(scores, index, like, "max", -math.inf)
        found = graph.op("Exp", graph.op("Sub", scores, self.gathered(most, index)))
        return graph.op("Div", found, self.gathered(self.sums(found, index, like), index))


class Graph:
    """Nodes, inputs and constants of an ONNX model that is being written.

    Attributes
    ----------
    where : str
        The function that writes it, for errors.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> graph = ct.interop.onnx.Graph("example")
    >>> x = graph.input("X", np.float32, ("N", 4))
    >>> y = graph.layer(ct.nn.Linear(4, 2, "relu"), x)
    >>> y.rank, [node[0] for node in graph.nodes]
    (2, ['MatMul', 'Add', 'Relu'])
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self.nodes: list[tuple[str, list[str], list[Value], dict[str, Any]]] = []
        self.inputs: dict[Value, tuple[Any, tuple[Any, ...]]] = {}
        self.constants: dict[str, NDArray[Any]] = {}

    def input(self, name: str, dtype: Any, shape: tuple[int | str, ...]) -> Value:
        """Declare an input; an axis of any length has a name instead of a length."""
        value = Value(name, len(shape))
        self.inputs[value] = (np.dtype(dtype), shape)
        return value

    def constant(self, array: Any) -> Value:
        """Keep an array, such as weights, in the file."""
        array = np.asarray(to_host(array.data if isinstance(array, Parameter) else array))
        value = Value(f"constant_{len(self.constants)}", array.ndim)
        self.constants[value] = array
        return value

    def op(self, kind: str, *inputs: Any, rank: int | None = None, **attributes: Any) -> Value:
        """Add a node of an operator of ONNX, and return its output.

        Parameters
        ----------
        kind : str
        *inputs : Value, array or None
            An array becomes a constant; None is an optional input that is left out.
        rank : int, optional
            Axes of the output; as many as the first input has, where left out.
        **attributes
            Those of the operator. None leaves one out.
        """
        return self.several(kind, 1, *inputs, rank=rank, **attributes)[0]

    def several(
        self, kind: str, outputs: int, *inputs: Any, rank: int | None = None, **attributes: Any
    ) -> tuple[Value, ...]:
        """Add a node with several outputs; see `op`."""
        names = [v if isinstance(v, Value) else Value("", 0) if v is None else self.constant(v) for v in inputs]
        rank = names[0].rank if rank is None else rank
        found = [Value(f"{kind}_{len(self.nodes)}{'' if i == 0 else f'_{i}'}", rank) for i in range(outputs)]
        given = {key: value for key, value in attributes.items() if value is not None}
        while not names[-1]:  # onnxruntime crashes on some that are left out at the end
            names.pop()
        self.nodes.append((kind, [str(name) for name in names], found, given))
        return tuple(found)

    def layer(self, layer: Module, *inputs: Any) -> Any:
        """Add the nodes of a layer; TypeError where no exporter is known for its ``forward``."""
        kind = next(c for c in type(layer).__mro__ if "forward" in vars(c))
        if kind not in _EXPORTERS or "forward" in vars(layer):
            raise TypeError(
                f"{self.where}: no exporter is known for {type(layer).__name__}; list one with "
                "catalase.interop.onnx.exporter, as docs/extending.md shows"
            )
        return _EXPORTERS[kind](self, layer, *inputs)

    def layers(self, layers: Iterable[Module], x: Any) -> Any:
        """Add the nodes of layers one after the other."""
        for layer in layers:
            x = self.layer(layer, x)
        return x

    def activation(self, x: Value, name: str | None) -> Value:
        """Add an activation by its name in `catalase.ops.activation`."""
        if name in (None, "identity"):
            return x
        if name == "silu":
            return self.op("Mul", x, self.op("Sigmoid", x))
        if name == "gelu":
            curve = self.op("Add", self.op("Erf", self.op("Mul", x, np.float32(math.sqrt(0.5)))), np.float32(1))
            return self.op("Mul", self.op("Mul", x, np.float32(0.5)), curve)
        if name == "gelu_tanh":  # an operator of its own since opset 20
            cube = self.op("Mul", self.op("Mul", x, x), self.op("Mul", x, np.float32(0.044715)))
            inner = self.op("Mul", self.op("Add", x, cube), np.float32(2 * math.sqrt(2 / math.pi)))
            return self.op("Mul", x, self.op("Sigmoid", inner))
        if name == "hard_tanh":
            return self.op("Clip", x, np.float32(-1), np.float32(1))
        if name not in _OPERATORS:
            raise TypeError(f"{self.where}: the activation {shown(name)} has no operators of ONNX here")
        kind, settings = _OPERATORS[name]
        return self.op(kind, x, **settings)

    def linear(self, x: Value, w: Any, b: Any = None) -> Value:
        """Add ``x @ w + b``."""
        y = self.op("MatMul", x, _float32(w))
        return y if b is None else self.op("Add", y, _float32(b))

    def reshape(self, x: Value, shape: Sequence[int]) -> Value:
        """Add a Reshape; 0 keeps a length, -1 is computed."""
        return self.op("Reshape", x, np.array(shape, np.int64), rank=len(shape))

    def channels(self, x: Value, first: bool) -> Value:
        """Move the channels from the last axis to the second, or back."""
        inner = range(1, x.rank - 1)
        order = [0, x.rank - 1, *inner] if first else [0, *(i + 1 for i in inner), 1]
        return self.op("Transpose", x, perm=order)

    def save(self, path: str | os.PathLike[str], outputs: Mapping[str, Value], metadata: Mapping[str, str]) -> None:
        """Write the file, whose outputs have these names."""
        target = Path(path_of(self.where, "path", path))
        onnx = onnx_package(self.where)
        helper, types = onnx.helper, onnx.helper.np_dtype_to_tensor_dtype
        nodes = [helper.make_node(k, i, list(map(str, o)), name=o[0], **a) for k, i, o, a in self.nodes]
        nodes += [helper.make_node("Identity", [str(value)], [name], name=name) for name, value in outputs.items()]
        graph = helper.make_graph(
            nodes,
            "catalase",
            [helper.make_tensor_value_info(str(n), types(dtype), shape) for n, (dtype, shape) in self.inputs.items()],
            [helper.make_tensor_value_info(name, types(np.dtype(np.float32)), None) for name in outputs],
            [
                onnx.numpy_helper.from_array(np.ascontiguousarray(a) if a.ndim else a, n)
                for n, a in self.constants.items()
            ],
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION, producer_name="catalase",
            producer_version=metadata["catalase_version"],
        )  # fmt: skip
        helper.set_model_props(model, dict(metadata))
        model = onnx.shape_inference.infer_shapes(model) if model.ByteSize() < 2**30 else model
        onnx.checker.check_model(model)
        target.write_bytes(model.SerializeToString())


def onnx_package(where: str) -> Any:
    """Import onnx, or say in a sentence that it is missing."""
    try:
        import onnx
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
        import onnx.shape_inference
    except ImportError:
        raise ImportError(f"{where}: needs the package onnx; install it with: pip install catalase[onnx]") from None
    return onnx


_Exporter = Callable[..., Any]
_EXPORTERS: dict[type, _Exporter] = {}


def exporter(*layers: type[Module]) -> Callable[[_Exporter], _Exporter]:
    """List a function as the exporter of layers, for `Model.to_onnx`.

    Parameters
    ----------
    *layers : subclass of nn.Module
        Classes that define ``forward``. The exporter also holds for their subclasses that keep this ``forward``.

    Returns
    -------
    decorator
        For a function of the `Graph`, the layer, and the values that the layer's ``forward`` takes, which adds nodes and
        returns the value (or values) that ``forward`` returns.

    Examples
    --------
    >>> import catalase as ct
    >>> class Doubled(ct.nn.Module):
    ...     def forward(self, x):
    ...         return x + x
    >>> @ct.interop.onnx.exporter(Doubled)
    ... def _doubled(graph, layer, x):
    ...     return graph.op("Add", x, x)
    """
    for layer in layers:
        if not (isinstance(layer, type) and issubclass(layer, Module)):
            raise TypeError(f"exporter: layers must be subclasses of catalase.nn.Module, got {shown(layer)}")
        if "forward" not in vars(layer):
            raise ValueError(f"exporter: {layer.__name__} defines no forward; name the class that does")

    def decorate(function: _Exporter) -> _Exporter:
        if not callable(function):
            raise TypeError(f"exporter: needs a function, got {shown(function)}")
        _EXPORTERS.update(dict.fromkeys(layers, function))
        return function

    return decorate


def _float32(array: Any) -> Any:
    """Weights of any precision as the file holds them."""
    return array if isinstance(array, Value) else np.asarray(to_host(getattr(array, "data", array)), np.float32)


@exporter(Linear)
def _linear(graph: Graph, layer: Any, x: Value) -> Value:
    return graph.activation(graph.linear(x, layer.w, layer.b), layer.activation)


@exporter(Dropout)
@exporter(GaussianNoise)
def _dropout(graph: Graph, layer: Any, x: Value) -> Value:
    return x


@exporter(Softmax)
def _softmax(graph: Graph, layer: Any, x: Value) -> Value:
    return graph.op("Softmax", x, axis=-1)


@exporter(Activation)
def _activation(graph: Graph, layer: Any, x: Value) -> Value:
    return graph.activation(x, layer.name)


@exporter(Sequential)
def _sequential(graph: Graph, layer: Any, x: Any) -> Any:
    y = graph.layers(layer.layers, x)
    return y if layer.output_shape is None else graph.reshape(y, [*[0] * (y.rank - 1), *layer.output_shape])


@exporter(LayerNorm)
def _layer_norm(graph: Graph, layer: Any, x: Value) -> Value:
    gamma = np.ones(layer.normalized_shape, np.float32) if layer.gamma is None else _float32(layer.gamma)
    beta = None if layer.beta is None else _float32(layer.beta)
    axes = len(layer.normalized_shape)
    return graph.op("LayerNormalization", x, gamma, beta, axis=-axes, epsilon=layer.eps)


@exporter(RMSNorm)
def _rms_norm(graph: Graph, layer: Any, x: Value) -> Value:
    eps = np.float32(np.finfo(np.float32).eps if layer.eps is None else layer.eps)
    squares = graph.op("ReduceMean", graph.op("Mul", x, x), np.array([-1]), keepdims=1)
    y = graph.op("Div", x, graph.op("Sqrt", graph.op("Add", squares, eps)))
    return y if layer.gamma is None else graph.op("Mul", y, _float32(layer.gamma))


@exporter(GroupNorm)
def _group_norm(graph: Graph, layer: Any, x: Value) -> Value:
    rows = graph.reshape(x, [0, -1, layer.num_groups, layer.num_channels // layer.num_groups])
    axes = np.array([1, 3])
    rows = graph.op("Sub", rows, graph.op("ReduceMean", rows, axes, keepdims=1))
    var = graph.op("ReduceMean", graph.op("Mul", rows, rows), axes, keepdims=1)
    rows = graph.op("Div", rows, graph.op("Sqrt", graph.op("Add", var, np.float32(layer.eps))))
    y = graph.op("Reshape", rows, graph.op("Shape", x, rank=1), rank=x.rank)
    if layer.gamma is None:
        return y
    return graph.op("Add", graph.op("Mul", y, _float32(layer.gamma)), _float32(layer.beta))


@exporter(MultiHeadAttention)
def _attend(
    graph: Graph, layer: Any, query: Value, key: Any = None, value: Any = None, lengths: Any = None,
    query_lengths: Any = None, causal: bool = False,
) -> Value:  # fmt: skip
    """Results beyond ``query_lengths``, and of a sequence without keys, are not zeros here: no layer above reads them."""
    heads, width = layer.num_heads, layer.embed_dim // layer.num_heads
    key = query if key is None else key
    value = key if value is None else value
    parts = []
    for i, x in enumerate((query, key, value)):
        columns = slice(i * layer.embed_dim, (i + 1) * layer.embed_dim)
        b = None if layer.project.b is None else layer.project.b.numpy()[columns]
        rows = graph.reshape(graph.linear(x, layer.project.w.numpy()[:, columns], b), [0, 0, heads, width])
        parts.append(graph.op("Transpose", rows, perm=[0, 2, 3, 1] if i == 1 else [0, 2, 1, 3]))
    scores = graph.op("Mul", graph.op("MatMul", parts[0], parts[1]), np.float32(width**-0.5))
    lowest = np.float32(np.finfo(np.float32).min)
    if lengths is not None:
        there = graph.op("Unsqueeze", steps_there(graph, key, lengths), np.array([1, 2]), rank=4)
        scores = graph.op("Where", there, scores, lowest, rank=4)
    if causal:
        steps = [
            graph.op("Unsqueeze", step_numbers(graph, x), np.array([1 - i]), rank=2) for i, x in enumerate((query, key))
        ]
        scores = graph.op("Where", graph.op("GreaterOrEqual", *steps, rank=2), scores, lowest, rank=4)
    y = graph.op("MatMul", graph.op("Softmax", scores, axis=-1), parts[2])
    y = graph.reshape(graph.op("Transpose", y, perm=[0, 2, 1, 3]), [0, 0, layer.embed_dim])
    return graph.layer(layer.output, y)


@exporter(TransformerEncoderLayer)
def _encoder_layer(graph: Graph, layer: Any, x: Value, lengths: Any = None, causal: bool = False) -> Value:
    first, second = layer.norms
    into = graph.layer(first, x) if layer.norm_first else x
    x = graph.op("Add", x, graph.layer(layer.attention, into, None, None, lengths, None, causal))
    x = x if layer.norm_first else graph.layer(first, x)
    into = graph.layer(second, x) if layer.norm_first else x
    x = graph.op("Add", x, graph.layers((layer.hidden, layer.output), into))
    return x if layer.norm_first else graph.layer(second, x)


@exporter(TransformerEncoder)
def _encoder(graph: Graph, encoder: Any, x: Value, state: Any = None, lengths: Any = None) -> Any:
    for layer in encoder.layers:
        x = graph.layer(layer, x, lengths, encoder.causal)
    x = x if encoder.norm is None else graph.layer(encoder.norm, x)
    if lengths is None:
        return x, None
    there = graph.op("Unsqueeze", steps_there(graph, x, lengths), np.array([2]), rank=3)
    return graph.op("Where", there, x, np.float32(0), rank=3), None


@exporter(SinusoidalPositions)
def _sinusoids(graph: Graph, layer: Any, x: Value, start: int = 0) -> Value:
    shape = graph.op("Shape", x, rank=1)
    width = graph.op("Gather", shape, np.int64(2), axis=0, rank=0)
    column = graph.op("Range", np.int64(0), width, np.int64(1), rank=1)
    odd = graph.op("Cast", graph.op("Mod", column, np.int64(2)), to=11)
    even = graph.op("Sub", graph.op("Cast", column, to=11), odd)
    power = graph.op("Div", even, graph.op("Cast", width, to=11))
    rate = graph.op("Exp", graph.op("Mul", power, np.float64(-math.log(10000.0))))
    number = graph.op("Cast", graph.op("Unsqueeze", step_numbers(graph, x), np.array([1]), rank=2), to=11)
    number = graph.op("Add", number, np.float64(start))
    angles = graph.op("Add", graph.op("Mul", number, rate), graph.op("Mul", odd, np.float64(math.pi / 2)))
    return graph.op("Add", x, graph.op("Cast", graph.op("Sin", angles), to=1))


@exporter(LearnedPositions)
def _learned_positions(graph: Graph, layer: Any, x: Value, start: int = 0) -> Value:
    numbers = graph.op("Add", step_numbers(graph, x), np.int64(start))
    return graph.op("Add", x, graph.op("Gather", _float32(layer.w), numbers, axis=0, rank=2))


def step_numbers(graph: Graph, y: Value) -> Value:
    """The numbers of the time steps of padded sequences (N, T, ...), int64 (T,)."""
    count = graph.op("Gather", graph.op("Shape", y, rank=1), np.int64(1), axis=0, rank=0)
    return graph.op("Range", np.int64(0), count, np.int64(1), rank=1)


def steps_there(graph: Graph, y: Value, lengths: Value) -> Value:
    """Which time steps of padded sequences (N, T, ...) are there, bool (N, T)."""
    return graph.op("Less", step_numbers(graph, y), graph.op("Unsqueeze", lengths, np.array([1]), rank=2), rank=2)


@exporter(BatchNorm)
def _batch_norm(graph: Graph, layer: Any, x: Value) -> Value:
    variance, mean = (np.asarray(b.numpy(), np.float64) for b in (layer.running_var, layer.running_mean))
    scale = layer.gamma.numpy() / np.sqrt(variance + layer.eps)
    y = graph.op("Mul", x, _float32(scale))
    return graph.activation(graph.op("Add", y, _float32(layer.beta.numpy() - mean * scale)), layer.activation)


def _pads(padding: Any, sizes: Sequence[int]) -> list[int] | None:
    """Padding as ONNX lists it, for kernels of these sizes; None for "same"."""
    if isinstance(padding, str):
        name = padding.lower()
        if name == "same":
            return None
        pairs = [(n - 1, n - 1) if name == "full" else (0, 0) for n in sizes]
    elif np.ndim(padding) == 0:
        pairs = [(padding, padding)] * len(sizes)
    else:
        pairs = [tuple(pair) if np.ndim(pair) else (pair, pair) for pair in padding]
    return [int(before) for before, _ in pairs] + [int(after) for _, after in pairs]


@exporter(_Conv)
def _convolution(graph: Graph, layer: Any, x: Value) -> Value:
    w, dims = _float32(layer.w), layer.dims
    if layer.flip_kernel:
        w = np.flip(w, tuple(range(dims)))
    sizes = [(n - 1) * d + 1 for n, d in zip(layer.kernel_size, layer.dilation, strict=True)]
    pads, auto, extra = _pads(layer.padding, sizes), None, None
    if layer.transposed:
        w = w.transpose(dims + 1, dims, *range(dims))
        if pads is None:
            beyond = [max(n - s, 0) for n, s in zip(sizes, layer.stride, strict=True)]
            pads = [n // 2 for n in beyond] + [n - n // 2 for n in beyond]
            extra = [max(s - n, 0) for n, s in zip(sizes, layer.stride, strict=True)]
    else:
        w = w.transpose(dims + 1, dims, *range(dims))
        if pads is None and all(s == 1 for s in layer.stride):
            pads = [(n - 1) // 2 for n in sizes] + [n // 2 for n in sizes]
        elif pads is None:
            if any(d > 1 for d in layer.dilation):
                raise TypeError(
                    f"{graph.where}: padding='same' with both a stride and a dilation has no operator of ONNX ({layer!r})"
                )
            auto = "SAME_UPPER"
    y = graph.op(
        "ConvTranspose" if layer.transposed else "Conv",
        graph.channels(x, True),
        w,
        None if layer.b is None else _float32(layer.b),
        kernel_shape=list(layer.kernel_size),
        strides=list(layer.stride),
        dilations=list(layer.dilation),
        group=layer.groups,
        pads=pads,
        auto_pad=auto,
        output_padding=extra,
    )
    return graph.channels(graph.activation(y, layer.activation), False)


@exporter(_Pool)
def _pool(graph: Graph, layer: Any, x: Value) -> Value:
    name = type(layer).__name__
    sizes = per_dimension(name, "size", layer.size, layer.dims)
    strides = sizes if layer.stride is None else per_dimension(name, "stride", layer.stride, layer.dims)
    pads = _pads(layer.padding, sizes)
    y = graph.op(
        "MaxPool" if layer.function.startswith("max") else "AveragePool",
        graph.channels(x, True),
        kernel_shape=list(sizes),
        strides=list(strides),
        pads=pads,
        auto_pad="SAME_UPPER" if pads is None else None,
    )
    return graph.channels(y, False)


@exporter(GlobalMaxPool, GlobalAvgPool)
def _global_pool(graph: Graph, layer: Any, x: Value) -> Value:
    kind = "ReduceMax" if isinstance(layer, GlobalMaxPool) else "ReduceMean"
    return graph.op(kind, x, np.arange(1, x.rank - 1), keepdims=0, rank=2)


@exporter(Upsample)
def _upsample(graph: Graph, layer: Any, x: Value) -> Value:
    factors = per_dimension("Upsample", "factor", layer.factor, x.rank - 2)
    nearest = layer.mode == "nearest"
    y = graph.op(
        "Resize",
        graph.channels(x, True),
        None,
        np.array([1, 1, *factors], np.float32),
        mode="nearest" if nearest else "linear",
        coordinate_transformation_mode="asymmetric" if nearest else "half_pixel",
        nearest_mode="floor" if nearest else None,
    )
    return graph.channels(y, False)


@exporter(Flatten)
def _flatten(graph: Graph, layer: Any, x: Value) -> Value:
    return graph.op("Flatten", x, axis=1, rank=2)


@exporter(Reshape)
def _reshape(graph: Graph, layer: Any, x: Value) -> Value:
    return graph.reshape(x, [0, *layer.shape])


@exporter(Embedding)
def _embedding(graph: Graph, layer: Any, ids: Value) -> Value:
    return graph.op("Gather", _float32(layer.w), ids, axis=0, rank=ids.rank + 1)


_GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}  # ours in ONNX's order: i o f c, z r h


def _directions(
    graph: Graph, layer: Recurrent, x: Value, lengths: Value | None, parts: list[str], back: str, starts: list[Value]
) -> Any:
    """One layer in one or both directions, of x (T, N, I): y (T, N, outputs) and the last states (directions, N, H)."""
    kind = "LSTM" if isinstance(layer, LSTM) else "GRU" if isinstance(layer, GRU) else "RNN"
    H = layer.hidden_size

    def ordered(array: Any) -> NDArray[np.float32]:
        """Gates along the first axis."""
        gates = np.asarray(array, np.float32).reshape(-1, layer.gates, H)[:, _GATES[kind]]
        return gates.reshape(-1, layer.gates * H).T

    weights: list[list[NDArray[Any]]] = [[], [], []]
    for part in parts:
        w_x, w_h, b = (to_host(p.data) for p in layer._weights(part))
        both = b if b.ndim == 2 else np.stack([b, np.zeros_like(b)])
        for known, array in zip(weights, (ordered(w_x), ordered(w_h), ordered(both).T.reshape(-1)), strict=True):
            known.append(array)
    activations = None
    if kind == "RNN":
        activations = [{"tanh": "Tanh", "relu": "Relu"}[getattr(layer, "activation", "tanh")]] * len(parts)
    y, *states = graph.several(
        kind,
        3 if kind == "LSTM" else 2,
        x,
        *map(np.stack, weights),
        None if lengths is None else graph.op("Cast", lengths, to=6),
        *starts,
        hidden_size=H,
        direction="bidirectional" if len(parts) == 2 else back,
        activations=activations,
        linear_before_reset=1 if kind == "GRU" else None,
    )
    y = graph.op("Transpose", y, perm=[0, 2, 1, 3], rank=4)
    return graph.reshape(y, [0, 0, len(parts) * H]), states


@exporter(Recurrent)
def _recurrent(graph: Graph, layer: Any, x: Value, state: Any = None, lengths: Any = None) -> Any:
    given = () if state is None else state if isinstance(state, tuple) else (state,)
    suffixes, ways = layer.suffixes(), 1 + layer.bidirectional
    y, ends = graph.op("Transpose", x, perm=[1, 0, 2]), []
    for start in range(0, len(suffixes), ways):
        back = "reverse" if layer.reverse else "forward"
        if len(suffixes) == 1:
            starts = [graph.op("Unsqueeze", s, np.array([0]), rank=3) for s in given]
        else:
            starts = [graph.op("Gather", s, np.arange(start, start + ways), axis=0) for s in given]
        y, states = _directions(graph, layer, y, lengths, suffixes[start : start + ways], back, starts)
        ends.append(states)
    y = graph.op("Transpose", y, perm=[1, 0, 2])
    last = []
    for states in zip(*ends, strict=True):
        joined = states[0] if len(ends) == 1 else graph.op("Concat", *states, axis=0)
        last.append(graph.op("Squeeze", joined, np.array([0]), rank=2) if len(suffixes) == 1 else joined)
    return y, tuple(last) if layer.states > 1 else last[0]


@exporter(Bidirectional)
def _bidirectional(graph: Graph, layer: Any, x: Value, state: Any = None, lengths: Any = None) -> Any:
    ahead, h_ahead = graph.layer(layer.ahead, x, state, lengths)
    back, h_back = graph.layer(layer.back, x, state, lengths)
    return graph.op("Concat", ahead, back, axis=-1), (h_ahead, h_back)


@exporter(DirectedMessagePassing)
def _messages(graph: Graph, layer: Any, batch: Molecules) -> tuple[Value, Molecules]:
    def opposite(rows: Value) -> Value:
        """The row of the other direction of each bond."""
        pairs = graph.reshape(rows, [-1, 2, layer.hidden])
        return graph.reshape(graph.op("Gather", pairs, np.array([1, 0]), axis=1), [-1, layer.hidden])

    atoms = batch.gathered(batch.atoms, batch.source)
    inputs = atoms if batch.bonds is None else graph.op("Concat", atoms, batch.bonds, axis=1)
    start = graph.linear(inputs, layer.w_input, layer.b_input)
    rows = graph.activation(start, layer.activation)
    for _ in range(layer.depth - 1):
        arrived = batch.gathered(batch.sums(rows, batch.target, batch.atoms), batch.source)
        step = graph.linear(graph.op("Sub", arrived, opposite(rows)), layer.w_message, layer.b_message)
        rows = graph.activation(graph.op("Add", start, step), layer.activation)
    arrived = graph.linear(batch.sums(rows, batch.target, batch.atoms), layer.w_output)
    own = graph.linear(batch.atoms, layer.w_atom, layer.b_output)
    return graph.activation(graph.op("Add", own, arrived), layer.activation), batch


@exporter(GraphReadout)
def _readout(graph: Graph, layer: Any, rows: Value, batch: Molecules) -> Value:
    if layer.w is not None:
        shares = batch.softmax(graph.linear(rows, layer.w, layer.b), batch.molecule, batch.counts)
        rows = graph.op("Mul", rows, shares)
    found = batch.sums(rows, batch.molecule, batch.counts)
    if layer.kind == "norm":
        found = graph.op("Mul", found, np.float32(1 / layer.norm))
    if layer.kind == "mean":
        counts = graph.op("Cast", graph.op("Max", batch.counts, np.int64(1)), to=1)
        found = graph.op("Div", found, graph.op("Unsqueeze", counts, np.array([1]), rank=2))
    return found


@exporter(GINConv)
def _gin(graph: Graph, layer: Any, rows: Value, batch: Molecules) -> Value:
    near = batch.gathered(rows, batch.source)
    if layer.bonds is not None:
        near = graph.op("Relu", graph.op("Add", near, graph.layer(layer.bonds, batch.bonds)))
    eps = np.float32(layer.eps if isinstance(layer.eps, float) else np.asarray(to_host(layer.eps.data))[0])
    own = graph.op("Mul", rows, np.float32(1 + eps))
    both = graph.op("Add", own, batch.sums(near, batch.target, batch.atoms))
    found: Value = graph.layers([layer.first, layer.last], both)
    return found


@exporter(GraphConv)
def _graph_conv(graph: Graph, layer: Any, rows: Value, batch: Molecules) -> Value:
    sums = batch.sums(batch.gathered(rows, batch.source), batch.target, batch.atoms)
    ones = graph.op("Expand", np.ones((1, 1), np.float32), graph.op("Shape", batch.target, rank=1))
    degree = batch.sums(ones, batch.target, batch.atoms)
    degree = graph.op("Min", degree, np.float32(layer.max_degree))
    found: Any = None
    for d in range(layer.max_degree + 1):
        part = graph.linear(rows, layer.w_own.numpy()[d], layer.b.numpy()[d])
        if d:
            part = graph.op("Add", part, graph.linear(sums, layer.w_neighbours.numpy()[d - 1]))
        chosen = graph.op("Mul", part, graph.op("Cast", graph.op("Equal", degree, np.float32(d)), to=1))
        found = chosen if found is None else graph.op("Add", found, chosen)
    return graph.activation(found, layer.activation)


@exporter(GraphPool)
def _graph_pool(graph: Graph, layer: Any, rows: Value, batch: Molecules) -> Value:
    return graph.op("ScatterND", rows, batch.target, batch.gathered(rows, batch.source), reduction="max")


@exporter(GraphGather)
def _graph_gather(graph: Graph, layer: Any, rows: Value, batch: Molecules) -> Value:
    most = batch.sums(rows, batch.molecule, batch.counts, "max", -math.inf)
    most = graph.op("Where", graph.op("IsInf", most), np.float32(0), most, rank=2)  # a molecule without atoms
    both = graph.op("Concat", batch.sums(rows, batch.molecule, batch.counts), most, axis=1)
    return graph.activation(both, layer.activation)


@exporter(GATConv)
def _gat(graph: Graph, layer: Any, rows: Value, batch: Molecules) -> Value:
    source, target, heads = batch.source, batch.target, (-1, layer.heads, layer.out_features)
    if layer.self_loops:
        source, target = (graph.op("Concat", index, batch.number, axis=0) for index in (source, target))

    def scored(x: Value, a: Any) -> Value:
        """The product of each head's row with its vector, (rows, heads)."""
        return graph.op(
            "ReduceSum", graph.op("Mul", graph.reshape(x, heads), a.numpy()), np.array([2]), keepdims=0, rank=2
        )

    projected = graph.linear(rows, layer.w)
    near = batch.gathered(projected, source)
    if layer.w_target is None:
        own = batch.gathered(scored(projected, layer.a_target), target)
        both = graph.op("Add", own, batch.gathered(scored(projected, layer.a_source), source))
        scores = graph.op("LeakyRelu", both, alpha=layer.negative_slope)
    else:
        both = graph.op("Add", batch.gathered(graph.linear(rows, layer.w_target), target), near)
        scores = scored(graph.op("LeakyRelu", both, alpha=layer.negative_slope), layer.a_source)
    shares = graph.op("Unsqueeze", batch.softmax(scores, target, rows), np.array([2]), rank=3)
    weighted = graph.reshape(
        graph.op("Mul", graph.reshape(near, heads), shares), [-1, layer.heads * layer.out_features]
    )
    found = batch.sums(weighted, target, rows)
    if not layer.concat:
        found = graph.op("ReduceMean", graph.reshape(found, heads), np.array([1]), keepdims=0, rank=2)
    return found if layer.b is None else graph.op("Add", found, layer.b.numpy())


@exporter(_Attention)
def _attention(
    graph: Graph, layer: Any, batch: Molecules, state: Value, query: Value, values: Value, index: Value, like: Value
) -> Value:
    """As the layer's ``forward``, of a row of ``values`` for each entry; ``index`` sends it to a row of ``like``."""
    own = batch.gathered(graph.linear(query, layer.w_own, layer.b_score), index)
    scores = graph.op("Add", own, graph.linear(values, layer.w_other))
    shares = batch.softmax(graph.activation(scores, "leaky_relu"), index, like)
    sums = batch.sums(graph.op("Mul", values, shares), index, like)
    ones = graph.op("Add", graph.op("Mul", shares, np.float32(0)), np.float32(1))
    found = graph.op("Min", batch.sums(ones, index, like), np.float32(1))  # nothing is found in an empty list
    bias = graph.op("Mul", found, layer.project.b.numpy())
    context = graph.activation(graph.op("Add", graph.linear(sums, layer.project.w), bias), "elu")
    context = graph.op("Unsqueeze", context, np.array([1]), rank=3)
    after: Value = graph.layer(layer.gru, context, state)[1]
    return after


@exporter(AttentiveFP)
def _attentive(graph: Graph, layer: Any, batch: Molecules) -> Value:
    rows, index = graph.layer(layer.atoms, batch.atoms), batch.target
    pairs = graph.linear(batch.atoms, layer.w_pair_atom, layer.b_pair)
    near = batch.gathered(pairs, batch.source)
    if batch.bonds is not None:
        near = graph.op("Add", near, graph.linear(batch.bonds, layer.w_pair_bond))
    if layer.self_loops:
        near, index = (graph.op("Concat", v, own, axis=0) for v, own in ((near, pairs), (index, batch.number)))
    near = graph.activation(near, "leaky_relu")
    for attention in layer.layers:
        if attention is not layer.layers[0]:
            near = batch.gathered(rows, batch.source)
            near = graph.op("Concat", near, rows, axis=0) if layer.self_loops else near
        rows = graph.op("Relu", graph.layer(attention, batch, rows, rows, near, index, batch.atoms))
    state = batch.sums(rows, batch.molecule, batch.counts)
    for attention in layer.readouts:
        query = graph.op("Relu", state)
        state = graph.layer(attention, batch, state, query, rows, batch.molecule, batch.counts)
    return state
