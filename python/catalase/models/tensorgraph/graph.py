"""`Graph` is the net of a `TensorGraph`; its layers are ordered and named here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ... import nn
from ...autograd import Tensor, no_grad
from ...nn import onnx
from ...nn.allowance import check_row, is_limited
from .inputs import Feature, Input
from .layer import Layer, Operation, Shape

_ROWS = 2  # of the batch of zeros that finds the shapes; an axis of 1 row could be taken for another of length 1
_ROWS_OF_A_FILE = 0  # the same for a graph that was read from a file: no rows cost nothing, whatever the shapes


def ordered(roots: Sequence[Layer]) -> list[Layer]:
    """Return the layers that the roots need, each after its inputs; refuse a circle. Nothing recurses: graphs may be deep."""
    done: dict[int, Layer] = {}
    for root in roots:
        path: list[Layer] = []
        stack: list[tuple[Layer, bool]] = [(root, False)]
        while stack:
            layer, leaving = stack.pop()
            if leaving:
                path.pop()
                done[id(layer)] = layer
            elif any(layer is above for above in path):
                circle = [*path[[layer is above for above in path].index(True) :], layer]
                raise ValueError(
                    f"TensorGraph: layers depend on themselves: {' <- '.join(_plain_name(one) for one in circle)}; take "
                    "one out of in_layers"
                )
            elif id(layer) not in done:
                path.append(layer)
                stack.append((layer, True))
                stack.extend((above, False) for above in reversed(layer.in_layers))
    return list(done.values())


def _plain_name(layer: Layer) -> str:
    return layer.name or type(layer).__name__


def named(layers: Iterable[Layer]) -> dict[str, Layer]:
    """Return the layers by name: their own, or else their class and number. Refuse two layers of one name."""
    given: dict[str, Layer] = {}
    layers = list(layers)
    for layer in layers:
        if layer.name is not None and given.setdefault(layer.name, layer) is not layer:
            raise ValueError(f"TensorGraph: two layers are named {layer.name!r}; rename one")
    names: dict[str, Layer] = {}
    for number, layer in enumerate(layers, 1):
        name = layer.name or f"{type(layer).__name__}_{number}"
        while layer.name is None and name in given:
            name += "_"
        names[name] = layer
    return names


class Node:
    """One node: its layer, the module that runs, and the numbers of the nodes that give its inputs."""

    def __init__(self, name: str, layer: Layer, module: nn.Module | None, inputs: list[int]) -> None:
        self.name, self.layer, self.module, self.inputs = name, layer, module, inputs


class Graph(nn.Module):
    """The net of a `TensorGraph`.

    Attributes
    ----------
    layers : dict of str to Module
        The modules of the layers that the outputs need or that have parameters, by the names of the layers.
    nodes : list of Node
        All nodes, each after its inputs.
    place : dict of int to int
        The number of each layer's node, by the ``id`` of the layer.
    """

    def __init__(
        self, names: Mapping[str, Layer], outputs: Sequence[Layer], rng: np.random.Generator | None = None
    ) -> None:
        super().__init__()
        self.place = {id(layer): i for i, layer in enumerate(names.values())}
        self.nodes: list[Node] = []
        values: list[Tensor] = []
        with nn.inference(), no_grad():
            for name, layer in names.items():
                node, value = self._build(name, layer, values, rng)
                self.nodes.append(node)
                values.append(value)
        self.shapes: list[Shape] = [value.shape for value in values]
        self._orders: dict[tuple[int, ...], list[int]] = {}
        self.features = [i for i, node in enumerate(self.nodes) if isinstance(node.layer, Feature)]
        self.outputs = tuple(self.place[id(layer)] for layer in outputs)
        shown = set(self._order(self.outputs))
        self.layers: dict[str, nn.Module] = {
            node.name: node.module
            for i, node in enumerate(self.nodes)
            if node.module is not None and (i in shown or not isinstance(node.module, Operation))
        }

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__getstate__().items() if name != "place"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.place = {id(node.layer): i for i, node in enumerate(self.nodes)}

    def _build(
        self, name: str, layer: Layer, values: list[Tensor], rng: np.random.Generator | None
    ) -> tuple[Node, Tensor]:
        """Make the module of a node, and run it on zeros to find its shape."""
        sources = [self.place[id(above)] for above in layer.in_layers]
        inputs, kind = [values[i] for i in sources], type(layer).__name__
        title = f"TensorGraph: layer {name} ({kind})" if not name.startswith(kind) else f"TensorGraph: layer {name}"
        fewest, most = layer.takes
        if not fewest <= len(inputs) <= most:
            needed = str(fewest) if fewest == most else f"{fewest} or more"
            raise ValueError(f"{title} takes {needed} in_layers, got {len(inputs)}")
        if isinstance(layer, Input):
            check_row(layer.row)
            rows = _ROWS_OF_A_FILE if is_limited() else _ROWS
            return Node(name, layer, None, []), Tensor(np.zeros((rows, *layer.row), np.float32))
        try:
            module = layer.build([x.shape for x in inputs], rng)
            value = layer.call(module, inputs)
            check_row(value.shape[1:])
            return Node(name, layer, module, sources), value
        except (TypeError, ValueError) as error:
            shapes = ", ".join(f"{self.nodes[i].name} {values[i].shape[1:]}" for i in sources)
            raise type(error)(f"{title}: {error} (in_layers with the shapes of their rows: {shapes})") from None

    def forward(self, *features: Tensor) -> Any:
        """Return the output, or a list of the outputs, for one tensor for each Feature."""
        results = self.run(dict(zip(self.features, features, strict=True)), self.outputs)
        return results[0] if len(results) == 1 else results

    def run(self, feeds: Mapping[int, Tensor], wanted: tuple[int, ...]) -> list[Tensor]:
        """Return the values of the wanted nodes; ``feeds`` holds the values of the inputs by the numbers of their nodes."""
        values: dict[int, Tensor] = dict(feeds)
        for i in self._order(wanted):
            if i in values:
                continue
            node = self.nodes[i]
            if node.module is None:
                raise ValueError(
                    f"TensorGraph: {node.name} was fed nothing; give it in the dataset, or in the batch of the generator"
                )
            values[i] = node.layer.call(node.module, [values[j] for j in node.inputs])
        return [values[i] for i in wanted]

    def _order(self, wanted: tuple[int, ...]) -> list[int]:
        """Return the nodes that the wanted ones need, in the order in which they run."""
        if wanted not in self._orders:
            needed, stack = set(wanted), list(wanted)
            while stack:
                above = [j for j in self.nodes[stack.pop()].inputs if j not in needed]
                needed.update(above)
                stack.extend(above)
            self._orders[wanted] = sorted(needed)
        return self._orders[wanted]


@onnx.exporter(Graph)
def _net(graph: onnx.Graph, net: Graph, *features: onnx.Value) -> onnx.Value:
    values: dict[int, onnx.Value] = {}
    for i, x in zip(net.features, features, strict=True):
        scale = getattr(net.nodes[i].layer, "scale", None)
        values[i] = x if scale is None else graph.op("Mul", x, np.float32(scale))
    for i in net._order(net.outputs):
        if i not in values:
            node = net.nodes[i]
            if node.module is None:
                raise TypeError(f"{graph.where}: the output needs {node.name}, which is no Feature")
            values[i] = node.layer.exported(graph, node.module, [values[j] for j in node.inputs])
    return values[net.outputs[0]]
