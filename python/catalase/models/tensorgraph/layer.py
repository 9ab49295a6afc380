"""What the layers of a graph share: their inputs, their names, and the way into and out of a saved config."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import numpy as np

from ... import nn
from ..._internal.numbers import is_whole, shown
from ..._internal.registry import AnyOf, Field, Int, List, Str, register
from ...autograd import Tensor
from ...ops.checks import ACTIVATION_NAMES
from ..settings import is_count, is_list

Shape = tuple[int, ...]
_NAME = re.compile(r"[A-Za-z0-9_]{1,100}")
_L = TypeVar("_L", bound="type[Layer]")

SIZES = AnyOf(Int(1), List(Int(1), 1, 5))
PADDING = Str(choices=["same", "valid"])
ACTIVATION = Str(choices=list(ACTIVATION_NAMES), none=True)
AXES = List(Int(), 0, 16, none=True)


def _variance_scaling() -> nn.init.Initializer:
    """TensorFlow 1's: normal, cut at two deviations, of variance 2 / fan_in before the cut costs it 1 / 1.3."""
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
        What it takes its inputs from.
    name : str, optional
        Letters, digits and underscores; by default its class and its number in the graph, such as ``Conv2D_4``.

    Attributes
    ----------
    in_layers : list of Layer
    name : str or None

    Notes
    -----
    A layer only describes. The net that computes is built by the `TensorGraph`, so a layer may stand in several.
    """

    takes: ClassVar[tuple[int, int]] = (1, 1)  # fewest and most inputs
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
        """Return the module of this node for inputs of these shapes (rows first), started from `rng`, or with zeros."""
        return Operation(self)

    def call(self, module: nn.Module, inputs: list[Tensor]) -> Tensor:
        """Return what the module gives for these inputs."""
        return module(*inputs)

    def compute(self, *inputs: Tensor) -> Tensor:
        """Return the output, where the layer has no parameters."""
        raise TypeError(f"{type(self).__name__} has no compute method")

    def to_config(self) -> dict[str, Any]:
        """Return the settings as JSON values; the graph adds name and inputs."""
        return {"class": f"TensorGraph.{type(self).__name__}", **{key: getattr(self, key) for key in self.fields}}

    @classmethod
    def from_config(cls, fields: dict[str, Any]) -> Layer:
        """Build the layer; the graph links its inputs, which are left in ``saved_inputs``."""
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


def saved(**fields: Field) -> Callable[[_L], _L]:
    """List a layer class in the registry with the fields that its config has: arguments, kept as attributes of one name."""

    def decorate(cls: _L) -> _L:
        cls.fields = tuple(fields)
        listed = {"node": Str(), "inputs": List(Int(0), 0, 10_000), **fields}
        register(f"TensorGraph.{cls.__name__}", **listed)(cls)
        return cls

    return decorate


def sizes(kind: str, key: str, value: Any, dims: int) -> int | list[int]:
    """One whole number, or one a dimension; as JSON."""
    if is_count(value):
        return int(value)
    if not is_list(value) or len(value) != dims or not all(is_count(v) for v in value):
        raise ValueError(
            f"{kind}: {key} must be a whole number from 1 to 2,147,483,647, or {dims} of them, got {shown(value)}"
        )
    return [int(v) for v in value]


def count(kind: str, key: str, value: Any) -> int:
    """A whole number, 1 or more."""
    if not is_count(value):
        raise ValueError(f"{kind}: {key} must be a whole number, 1 or more, got {shown(value)}")
    return int(value)


def each(value: int | list[int]) -> int | tuple[int, ...]:
    """As the functions of `nn` take it."""
    return tuple(value) if isinstance(value, list) else value


def padding_name(kind: str, value: Any) -> str:
    """``"same"`` or ``"valid"``, in either case."""
    if not isinstance(value, str) or value.lower() not in ("same", "valid"):
        raise ValueError(f"{kind}: padding must be 'SAME' or 'VALID', got {shown(value)}")
    return value.lower()


def activation_name(kind: str, value: Any) -> str | None:
    """The name of an activation; functions of `catalase.nn.functional` and `nn.tf_nn` are taken by their names."""
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
    """The name of an initializer."""
    if not isinstance(value, str) or value not in _INITIALIZERS:
        raise ValueError(f"{kind}: {key} must be one of {', '.join(_INITIALIZERS)}, got {shown(value)}")
    return str(value)


def initializer(name: str, rng: np.random.Generator | None) -> nn.init.Initializer:
    """The initializer of that name; zeros where there is no generator, since saved values will follow."""
    return nn.init.zeros() if rng is None else _INITIALIZERS[name]()


def axes(kind: str, value: Any) -> list[int] | None:
    """One axis or several, as JSON; None is all."""
    if value is None:
        return None
    values = [value] if is_whole(value) else value
    if not isinstance(values, (list, tuple)) or not all(is_whole(v) for v in values):
        raise ValueError(f"{kind}: axis must be None, a whole number or a list of them, got {shown(value)}")
    return [int(v) for v in values]
