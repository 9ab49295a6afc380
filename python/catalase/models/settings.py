"""The fields that models declare their settings with, beside those of the registry.

A model lists its settings once, in ``settings``; that declaration checks the constructor's arguments, sets the attributes,
and writes and reads the config (see `catalase._internal.settings`). A field here may look at the settings before it, such
as the list of layers that a list of dropouts must fit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import optim
from .._internal import registry
from .._internal.numbers import flag, is_list, is_number, is_whole, plain, shown
from .._internal.registry import AnyOf, Bool, Field, Float, Int, List, Object, Plain, Str
from .._internal.settings import Declared, Settings, check_registered, config_of, declared
from ..nn import losses
from ..ops.checks import ACTIVATION_NAMES
from ..optim.schedules import Rate

Numbers = float | list[float] | tuple[float, ...]
_LARGEST = float(np.finfo(np.float32).max)
ACTIVATIONS = (*ACTIVATION_NAMES, "identity")
UNREGISTERED = ", or name a class of your own; call catalase.models.register on it before loading"
N_TASKS, N_CLASSES = Int(1, 1_000_000), Int(2, 1_000_000)


class Share(Float):
    """A share that is dropped: from 0 to below 1."""

    def __init__(self) -> None:
        super().__init__(low=0, high=1)
        self.argument = "a number from 0 to below 1"

    def take(self, value: Any, owner: str, key: str, of: Any = None) -> Any:
        if not is_number(value) or not 0 <= value < 1:
            raise ValueError(f"{owner}: {key} must be from 0 to below 1, got {shown(value)}")
        return float(value)


class Option(Bool):
    """An option that a later version added; the config of a model without it is that of earlier versions."""

    def __init__(self) -> None:
        super().__init__(optional=True)

    def writes(self, value: Any) -> bool:
        return bool(value)


class Precision(Str):
    """The dtype of weights and arithmetic, which a later version added; without it a config is one of float32."""

    def __init__(self) -> None:
        super().__init__(choices=["float32", "float64"], optional=True)

    def writes(self, value: Any) -> bool:
        return bool(value != "float32")


class OptionalCount(Int):
    """A number that a later version added; the config of a model where it is 0 is that of earlier versions."""

    def __init__(self, high: int) -> None:
        super().__init__(0, high, optional=True)

    def writes(self, value: Any) -> bool:
        return bool(value)


class EachLayer(List):
    """A number for each layer of the list that the setting `layers` holds; one number stands for all of them.

    Parameters
    ----------
    item : Field
        Of each number.
    layers : str
        The setting with the list of layers.
    output : {"none", "optional", "last"} or float
        What the list holds for the output layer, as its last number: nothing; a number that may be left out; where it is
        left out, the last hidden layer's number, or this one.
    counts_output : bool
        Whether one number stands for the output layer too.
    """

    def __init__(self, item: Field, layers: str, output: str | float = "none", counts_output: bool = False) -> None:
        super().__init__(item, max_length=1000 + (output != "none"))
        self.layers, self.output, self.counts_output = layers, output, counts_output
        self.argument = f"a number, or a list of one for each of {layers}"

    def take(self, value: Any, owner: str, key: str, of: Any = None) -> Any:
        hidden, one = len(getattr(of, self.layers)), is_number(value)
        if not one and not (is_list(value) and all(is_number(v) for v in value)):
            raise TypeError(f"{owner}: {key} must be a number or a list of numbers, got {shown(value)}")
        count = hidden + self.counts_output
        given: list[Any] = [plain(value)] * count if one else plain(value)
        if not all(abs(v) <= _LARGEST for v in given):
            raise ValueError(f"{owner}: {key} must be finite as float32, got {shown(value)}")
        if len(given) != hidden and (self.output == "none" or len(given) != hidden + 1):
            raise ValueError(f"{owner}: {key} must be one number or {count} of them (one a layer), got {shown(value)}")
        values = [float(v) for v in given]
        if isinstance(self.item, Share) and not all(0 <= v < 1 for v in values):
            raise ValueError(f"{owner}: {key} must be from 0 to below 1, got {shown(value)}")
        if len(values) == hidden and self.output == "last":
            values += values[-1:] or ([float(value)] if one else [])
        elif len(values) == hidden and not isinstance(self.output, str):
            values.append(self.output)
        return [self.item.check(v, f"{owner}: {key}[{i}]") for i, v in enumerate(values)]


class EachActivation(List):
    """The name of an activation for each layer of a list; one stands for all of them."""

    def __init__(self, layers: str) -> None:
        super().__init__(Str(choices=ACTIVATIONS), max_length=1000)
        self.layers, self.argument = layers, f"one of {', '.join(ACTIVATIONS)}, or a list of one for each of {layers}"

    def take(self, value: Any, owner: str, key: str, of: Any = None) -> Any:
        count = len(getattr(of, self.layers))
        values = (
            [value] * count if isinstance(value, str) else list(value) if isinstance(value, (list, tuple)) else None
        )
        if values is None or len(values) != count or not all(isinstance(v, str) and v in ACTIVATIONS for v in values):
            raise ValueError(
                f"{owner}: {key} must be one of {', '.join(ACTIVATIONS)}, or {count} of them, got {shown(value)}"
            )
        return values


class Layers(List):
    """Widths of layers; at least one."""

    def take(self, value: Any, owner: str, key: str, of: Any = None) -> Any:
        if is_list(value) and len(value) == 0:
            raise ValueError(f"{owner}: {key} is empty; the net needs at least one layer")
        return super().take(value, owner, key, of)


class Kernel(AnyOf):
    """A size or a stride of a grid of ``dims`` dimensions: one whole number, or one a dimension."""

    def __init__(self) -> None:
        super().__init__(Int(1), List(Int(1), 1, 3))
        self.argument = "a whole number, 1 or more, or one a dimension"

    def take(self, value: Any, owner: str, key: str, of: Any = None) -> Any:
        return kernel(owner, key, value, of.dims)


class EachKernel(List):
    """A kernel's size or stride for each layer of a list; what is no list stands for all of them."""

    def __init__(self, layers: str) -> None:
        super().__init__(Kernel(), 1, 1000)
        self.layers, self.argument = layers, f"{self.item.argument}; or a list of one of these for each of {layers}"

    def take(self, value: Any, owner: str, key: str, of: Any = None) -> Any:
        count = len(getattr(of, self.layers))
        values = value if isinstance(value, list) else [value] * count
        if len(values) != count:
            raise ValueError(
                f"{owner}: {key} must be one size (a tuple for one a dimension), or a list of {count}, got {shown(value)}"
            )
        return [self.item.take(one, owner, key, of) for one in values]


class Limit(Float):
    """None, or a number above 0."""

    def take(self, value: Any, owner: str, key: str, of: Any = None) -> Any:
        limit = super().take(value, owner, key, of)
        if limit == 0:
            raise ValueError(f"{owner}: {key} must be None or above 0, got {shown(value)}")
        return limit


class Lower(Str):
    """A word of `choices`, in capitals too."""

    def take(self, value: Any, owner: str, key: str, of: Any = None) -> Any:
        return super().take(value.lower() if isinstance(value, str) else value, owner, key, of)


class Registered(Object):
    """An object of a class that is registered: the library's, or one that `catalase.models.register` admitted."""

    hint = UNREGISTERED

    def give(self, value: Any) -> Any:
        check_registered("save", type(value))
        return value.to_config() if isinstance(value, Declared) else config_of(value)


class LossOf(Registered):
    """A loss of `catalase.nn.losses`, its name, or a function of output, y and w (which cannot be saved)."""

    def __init__(self) -> None:
        super().__init__(losses.Loss)
        self.argument = "a loss of catalase.nn.losses, its name, or a function of output, y and w"

    def take(self, value: Any, owner: str, key: str, of: Any = None) -> Any:
        if isinstance(value, str):
            return choice_of(losses.Loss, owner, key, value)()
        if isinstance(value, type) or not callable(value):
            raise TypeError(f"{owner}: {key} must be {self.argument}, got {shown(value)}")
        return value

    def give(self, value: Any) -> Any:
        if not isinstance(value, losses.Loss):
            raise TypeError(
                "save: the loss is a function, which a saved config cannot name; write a class with catalase.nn.losses.Loss "
                "as its base, and call catalase.models.register on it"
            )
        return super().give(value)


class OptimizerOf(Registered):
    """None for the model's own, the name of an optimizer, or one of `catalase.optim` with its settings, over no module."""

    writes_none = False  # the config of a model with its own optimizer is that of earlier versions

    def __init__(self) -> None:
        super().__init__(optim.Optimizer, none=True, optional=True)
        self.argument = "the name of an optimizer, or one with its settings such as catalase.optim.SGD(lr=0.1)"

    def check(self, value: Any, where: str) -> Any:
        return value if type(value) is str else super().check(value, where)

    def take(self, value: Any, owner: str, key: str, of: Any = None) -> Any:
        if isinstance(value, str):
            choice_of(optim.Optimizer, owner, key, value)
        elif value is not None and not isinstance(value, optim.Optimizer):
            raise TypeError(f"{owner}: {key} must be None, {self.argument}, got {shown(value)}")
        return str(value) if isinstance(value, str) else value

    def give(self, value: Any) -> Any:
        return value if value is None or isinstance(value, str) else super().give(value)


class Own(Plain):
    """An argument of a user's class, which declares no field for it: a value that JSON can hold."""

    def take(self, value: Any, owner: str, key: str, of: Any = None) -> Any:
        return value

    def give(self, value: Any) -> Any:
        value = plain(value, self.depth)
        if not self.accepts(value):
            raise TypeError(f"save: a saved config holds {self.expected}, and no {shown(value)}")
        return value


# What models that are trained share; a constructor takes those that its signature has.
TRAINING = Settings(
    batch_size=Int(1),
    learning_rate=Rate(Float(low=0)),
    seed=AnyOf(Int(0), none=True),
    optimizer=OptimizerOf(),
    weight_decay_penalty=Float(low=0),
    weight_decay_penalty_type=Str(choices=["l1", "l2"]),
    clip_norm=Limit(low=0, none=True),
)


def choice_of(kind: type, owner: str, key: str, name: str) -> Any:
    """Return the registered class of a name; ValueError for one that is no `kind`."""
    known = registry.names(kind)
    if name not in known:
        raise ValueError(f"{owner}: {key} must be one of {', '.join(known)}, got {shown(name)}")
    return registry.named(name)


def kernel(owner: str, key: str, value: Any, dims: int) -> int | list[int]:
    """A kernel's size or stride, as JSON: one whole number, or one a dimension."""
    if is_count(value):
        return int(value)
    if not isinstance(value, (tuple, list)) or len(value) != dims or not all(is_count(v) for v in value):
        raise ValueError(f"{owner}: {key} must be a whole number, 1 or more, or {dims} of them, got {shown(value)}")
    return [int(v) for v in value]


def flags(function: str, **values: Any) -> dict[str, bool]:
    """Return arguments that must be True or False."""
    return {key: flag(function, key, value) for key, value in values.items()}


def is_count(value: object, low: int = 1) -> bool:
    """Whether a value is a whole number of ``low`` or more, that C++ can hold."""
    return is_whole(value) and low <= int(value) < 2**31  # type: ignore[call-overload]


_BASES = ("Loss", "ElementwiseLoss", "VectorLoss", "_Sloped", "_SlopedVector")
for _name, _loss in vars(losses).items():
    if isinstance(_loss, type) and issubclass(_loss, losses.Loss) and _loss.__name__ == _name and _name not in _BASES:
        declared(_loss)
