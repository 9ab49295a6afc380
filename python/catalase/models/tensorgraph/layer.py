"""`Layer`, the base class of the layers of a graph, and the checks and fields of their settings."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import numpy as np

from ... import nn
from ..._internal.numbers import is_list, is_whole, shown
from ..._internal.registry import AnyOf, Field, Int, List, Str, register
from ...autograd import Tensor
from ...nn import onnx
from ...ops.checks import ACTIVATION_NAMES
from ..settings import is_count

Shape = tuple[int, ...]
_NAME = re.compile(r"[A-Za-z0-9_]{1,100}")
_L = TypeVar("_L", bound="type[Layer]")

SIZES = AnyOf(Int(1), List(Int(1), 1, 5))
PADDING = Str(choices=["same", "valid"])
ACTIVATION = Str(choices=list(ACTIVATION_NAMES), none=True)
AXES = List(Int(), 0, 16, none=True)


def _variance_scaling() -> nn.init.Initializer:
    """TensorFlow 1's: a normal distribution of variance 2.6 / fan_in, cut at two deviations, which leaves 2 / fan_in."""
    return lambda shape, rng: nn.init.truncated_normal(math.sqrt(2.6 / max(1, math.prod(shape[:-1]))))(shape, rng)


_INITIALIZERS: dict[str, Callable[[], nn.init.Initializer]] = {
    "glorot_normal": nn.init.glorot_normal,
    "glorot_uniform": nn.init.glorot_uniform,
    "he_normal": nn.init.he_normal,
    "he_uniform": nn.init.he_uniform,
    "ones": lambda: nn.init.constant(1.0),
    "variance_scaling": _variance_scaling,
    "xavier": nn.init.glorot_uniform,
    "zeros": nn.init.zeros,
}
INITIALIZER = Str(choices=list(_INITIALIZERS))


class Layer:
    """A node of a `TensorGraph`.

    Parameters
    ----------
    in_layers : Layer or list of Layer, optional
        The layers whose outputs are its inputs.
    name : str, optional
        Letters, digits and underscores; the default is the class and the number in the graph, such as ``Conv2D_4``.

    Attributes
    ----------
    in_layers : list of Layer
    name : str or None

    Notes
    -----
    A layer is only a description. The `TensorGraph` builds the net that computes, so a layer may be in several graphs.
    """

    takes: ClassVar[tuple[int, int]] = (1, 1)  # the least and the largest number of inputs
    fields: ClassVar[tuple[str, ...]] = ()

    def __init__(self, in_layers: Any = None, name: str | None = None) -> None:
        kind = type(self).__name__
        given = [] if in_layers is None else [in_layers] if isinstance(in_layers, Layer) else in_layers
        if not isinstance(given, (list, tuple)) or not all(isinstance(layer, Layer) for layer in given):
            raise TypeError(f"{kind}: in_layers must be a layer or a list of layers, got {shown(in_layers)}")
        if name is not None and not (isinstance(name, str) and _NAME.fullmatch(name)):
            raise ValueError(f"{kind}: name must be of letters, digits and underscores, got {shown(name)}")
        self.in_layers: list[Layer] = list(given)
        self.name = name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={getattr(self, key)!r}' for key in self.fields)})"

    def build(self, shapes: list[Shape], rng: np.random.Generator | None) -> nn.Module:
        """Return the module for inputs of these shapes (rows first), with start values drawn from `rng`; without it, zeros."""
        return Operation(self)

    def call(self, module: nn.Module, inputs: list[Tensor]) -> Tensor:
        """Return the output of the module for these inputs."""
        return module(*inputs)

    def exported(self, graph: onnx.Graph, module: nn.Module, inputs: list[onnx.Value]) -> onnx.Value:
        """Add the nodes of what `call` computes to a graph of ONNX."""
        found: onnx.Value = graph.layer(module, *inputs)
        return found

    def operators(self, graph: onnx.Graph, *inputs: onnx.Value) -> onnx.Value:
        """Add the nodes of what `compute` computes."""
        raise TypeError(f"{graph.where}: the layer {type(self).__name__} of a TensorGraph is not exported")

    def compute(self, *inputs: Tensor) -> Tensor:
        """Return the output of a layer that has no parameters."""
        raise TypeError(f"{type(self).__name__} has no compute method")

    def to_config(self) -> dict[str, Any]:
        """Return the settings as JSON values; the graph adds the name and the inputs."""
        return {"class": f"TensorGraph.{type(self).__name__}", **{key: getattr(self, key) for key in self.fields}}

    @classmethod
    def from_config(cls, fields: dict[str, Any]) -> Layer:
        """Build the layer; ``saved_inputs`` holds the numbers of its inputs, by which the graph links them."""
        name, inputs = fields.pop("node"), fields.pop("inputs")
        layer = cls(**fields, name=name)
        layer.saved_inputs = inputs
        return layer

    saved_inputs: list[int]


class Operation(nn.Module):
    """The module of a layer without parameters."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer, self.title = layer, type(layer).__name__
        self.activation = getattr(layer, "activation", None)

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.layer.compute(*inputs)


@onnx.exporter(Operation)
def _operation(graph: onnx.Graph, module: Operation, *inputs: onnx.Value) -> onnx.Value:
    return module.layer.operators(graph, *inputs)


def saved(**fields: Field) -> Callable[[_L], _L]:
    """Register a layer class with the fields of its config: they are arguments, and attributes of the same names."""

    def decorate(cls: _L) -> _L:
        cls.fields = tuple(fields)
        listed = {"node": Str(), "inputs": List(Int(0), 0, 10_000), **fields}
        register(f"TensorGraph.{cls.__name__}", **listed)(cls)
        return cls

    return decorate


def sizes(kind: str, key: str, value: Any, dims: int) -> int | list[int]:
    """Return one whole number, or a list with one for each dimension."""
    if is_count(value):
        return int(value)
    if not is_list(value) or len(value) != dims or not all(is_count(v) for v in value):
        raise ValueError(
            f"{kind}: {key} must be a whole number from 1 to 2,147,483,647, or {dims} of them, got {shown(value)}"
        )
    return [int(v) for v in value]


def count(kind: str, key: str, value: Any) -> int:
    """Return a whole number of 1 or more."""
    if not is_count(value):
        raise ValueError(f"{kind}: {key} must be a whole number, 1 or more, got {shown(value)}")
    return int(value)


def each(value: int | list[int]) -> int | tuple[int, ...]:
    """Return sizes as the functions of `nn` take them."""
    return tuple(value) if isinstance(value, list) else value


def padding_name(kind: str, value: Any) -> str:
    """Return ``"same"`` or ``"valid"`` for either, in capital or small letters."""
    if not isinstance(value, str) or value.lower() not in ("same", "valid"):
        raise ValueError(f"{kind}: padding must be 'SAME' or 'VALID', got {shown(value)}")
    return value.lower()


def activation_name(kind: str, value: Any) -> str | None:
    """Return the name of an activation, given by its name or as a function of `catalase.nn.functional` or `nn.tf_nn`."""
    if value is None:
        return None
    name = value if isinstance(value, str) else getattr(value, "__name__", None) if callable(value) else None
    if name in ("linear", "identity"):
        return None
    ours = value is name or any(value is getattr(of, str(name), None) for of in (nn.functional, nn.tf_nn))
    if name not in ACTIVATION_NAMES or not ours:
        raise ValueError(
            f"{kind}: the activation must be one of {', '.join(ACTIVATION_NAMES)} or None, got {shown(value)}"
        )
    return str(name)


def initializer_name(kind: str, key: str, value: Any) -> str:
    """Return the name of an initializer."""
    if not isinstance(value, str) or value not in _INITIALIZERS:
        raise ValueError(f"{kind}: {key} must be one of {', '.join(_INITIALIZERS)}, got {shown(value)}")
    return str(value)


def initializer(name: str, rng: np.random.Generator | None) -> nn.init.Initializer:
    """Return the initializer of a name; zeros where there is no generator, since saved values replace them."""
    return nn.init.zeros() if rng is None else _INITIALIZERS[name]()


def axes(kind: str, value: Any) -> list[int] | None:
    """Return one axis or several as a list; None stands for all axes."""
    if value is None:
        return None
    values = [value] if is_whole(value) else value
    if not isinstance(values, (list, tuple)) or not all(is_whole(v) for v in values):
        raise ValueError(f"{kind}: axis must be None, a whole number or a list of them, got {shown(value)}")
    return [int(v) for v in values]
