"""Looking into a net: a table of its layers, and which of its ReLU units are dead."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.arrays import numbers
from .._internal.numbers import shown
from ..autograd import Tensor, no_grad
from ..autograd.tensor import as_tensor
from ..backends import is_device_array, to_device, to_host
from ..ops.checks import shape_of
from .buffer import Buffer
from .layers import ReLU
from .module import Module, inference, watching
from .parameter import Parameter

_LARGEST_ROW = 2**28  # values of the row of zeros that a net is tried with


@dataclass
class _Row:
    layer: str
    shape: str
    parameters: str
    note: str


def summary(module: Module, input_shape: tuple[Any, ...] | None = None) -> str:
    """Return a table of the layers: output shapes, numbers of parameters, and where parameters are shared.

    Parameters
    ----------
    module : Module
    input_shape : tuple of int, or of tuples, optional
        Of one row, without the batch; a tuple of shapes where the net takes several inputs. The net is run
        once on a row of zeros, in inference mode, and the table shows what
        each layer gives; N is the batch. Where left out, shapes are not known.

    Returns
    -------
    str
        To be printed. A convolution's note tells at how many positions its weights are used: as many parameters for an
        image of any size. A layer or a parameter that was counted before is marked, and counts once in the total.

    Raises
    ------
    TypeError, ValueError
        Where the net cannot take an input of that shape.

    Examples
    --------
    >>> import catalase as ct
    >>> net = ct.nn.Sequential(ct.nn.Linear(4, 8, "relu"), ct.nn.BatchNorm(8), ct.nn.Linear(8, 1))
    >>> print(net.summary((4,)))
    Layer               Output shape  Parameters  Note
    layers.0 Linear     (N, 8)                40
    layers.1 BatchNorm  (N, 8)                16  and 16 values that are not trained
    layers.2 Linear     (N, 1)                 9
    Total                                     65
    """
    if not isinstance(module, Module):
        raise TypeError(f"summary: module must be a Module, got {shown(module)}")
    calls = {} if input_shape is None else _shapes(module, _input_shapes(input_shape))
    counted: dict[int, str] = {}
    total, rows = 0, []
    for name, layer in _walk(module, "", ()):
        own = [(key, value) for key, value in layer._held() if isinstance(value, Parameter)]
        if not own and any(True for _ in layer.children()):
            continue  # only holds others
        row, added = _row(name, layer, own, counted, calls)
        total += added
        rows.append(row)
    head = _Row("Layer", "Output shape", "Parameters", "Note")
    return _table([head, *rows, _Row("Total", "", f"{total:,}", "")])


def _row(
    name: str, layer: Module, own: list[tuple[str, Parameter]], counted: dict[int, str], calls: dict[int, list[Any]]
) -> tuple[_Row, int]:
    outputs = calls.get(id(layer), [])
    shape = (outputs.pop(0) if len(outputs) > 1 else outputs[0]) if outputs else None
    notes, added = [], 0
    for key, parameter in own:
        where = f"{name}.{key}" if name else key
        if id(parameter) in counted:
            notes.append(f"{key} shared with {counted[id(parameter)]}")
        else:
            counted[id(parameter)] = where
            added += parameter.size
    if id(layer) in counted:
        notes = [f"the same layer as {counted[id(layer)]}"]
    counted.setdefault(id(layer), name)
    if shape is not None and len(shape) > 2 and any(p.ndim > 2 for _, p in own):
        notes.append(f"used at {int(np.prod(shape[1:-1])):,} positions; as many for any size")
    fixed = sum(value.size for _, value in layer._held() if isinstance(value, Buffer))
    if fixed:
        notes.append(f"and {fixed:,} values that are not trained")
    text = (
        "?" if shape is None else "(" + ", ".join(["N", *map(str, shape[1:])]) + ("," if len(shape) < 2 else "") + ")"
    )
    kind = getattr(layer, "title", type(layer).__name__)
    return _Row(f"{name} {kind}".strip(), text, f"{added:,}", "; ".join(notes)), added


def _walk(module: Module, prefix: str, above: tuple[int, ...]) -> Iterator[tuple[str, Module]]:
    """Every place of every module, those that are used twice twice; not in circles."""
    if id(module) in above:
        return
    yield prefix, module
    for name, child in module.children():
        yield from _walk(child, f"{prefix}.{name}" if prefix else name, (*above, id(module)))


def _table(rows: list[_Row]) -> str:
    wide = [max(len(getattr(row, field)) for row in rows) for field in ("layer", "shape", "parameters")]
    lines = [
        f"{row.layer:<{wide[0]}}  {row.shape:<{wide[1]}}  {row.parameters:>{wide[2]}}  {row.note}".rstrip()
        for row in rows
    ]
    return "\n".join(lines)


def _input_shapes(input_shape: Any) -> list[tuple[int, ...]]:
    """The shape of each input, without the batch."""
    several = isinstance(input_shape, (tuple, list)) and input_shape and isinstance(input_shape[0], tuple)
    listed = input_shape if several else [input_shape]
    if not all(isinstance(shape, (tuple, list)) for shape in listed):
        raise TypeError(
            f"summary: input_shape must be a tuple of whole numbers, or of such tuples, got {shown(input_shape)}"
        )
    shapes = [shape_of("summary", shape, "input_shape") for shape in listed]
    if any(math.prod(shape) > _LARGEST_ROW for shape in shapes):
        raise ValueError(f"summary: input_shape must have at most {_LARGEST_ROW:,} values, got {shown(input_shape)}")
    return shapes


def _shapes(module: Module, input_shapes: list[tuple[int, ...]]) -> dict[int, list[tuple[int, ...]]]:
    """Shapes that each module gave, in the order of its calls."""
    found: dict[int, list[tuple[int, ...]]] = {}

    def note(layer: Module, output: Any) -> None:
        first = output[0] if isinstance(output, tuple) and output else output
        if isinstance(first, Tensor):
            found.setdefault(id(layer), []).append(first.shape)

    dtype = next((p.dtype for p in module.parameters()), np.dtype(np.float32))
    rows = [np.zeros((1, *shape), dtype) for shape in input_shapes]
    try:
        inspect.signature(module.forward).bind(*rows)
    except TypeError:
        raise TypeError(
            f"summary: input_shape gives {len(rows)} inputs, which {type(module).__name__}.forward does not take"
        ) from None
    inputs = [Tensor(to_device(row, module.device)) for row in rows]
    _run(lambda: module(*inputs), note)
    return found


def _run(call: Any, note: Any) -> None:
    """Call in inference mode, off the tape, watched."""
    with inference(), no_grad(), watching(note):
        call()


def _beside(module: Module, x: Any) -> Any:
    """A batch as the module takes it, where the module is; packed bits stay an array."""
    packed = getattr(x, "dtype", None) == np.uint8
    batch = x if packed else as_tensor("dead_relu", "x", x)
    if module.device == "cpu":
        return batch
    return to_device(batch, module.device) if packed else Tensor(to_device(batch.data, module.device))


def dead_relu(model: Any, x: NDArray[Any] | Tensor) -> dict[str, float]:
    """Return the share of dead units of each ReLU: those whose output is zero for the whole batch.

    Parameters
    ----------
    model : Module, or a model of `catalase.models`
        `nn.ReLU` layers, and layers whose ``activation`` is "relu", are looked at, by name.
    x : ndarray or Tensor, shape (N, ...)
        A batch that stands for the data; with few rows units look dead that are not. It is moved to where the net is.

    Returns
    -------
    dict of str to float
        From 0 (every unit answers to something) to 1, in the order of the layers. A unit is a channel (the last axis); it
        lives where it is not zero for one row at one position. Layers that were not called are left out.

    Raises
    ------
    TypeError
        For a model that is not a net.
    ValueError
        For an empty batch.

    Notes
    -----
    Dead units get no gradient and stay dead: lower the learning rate, or start from smaller or less negative biases. The
    net runs once in inference mode; nothing of it is changed.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> layer = ct.nn.Linear(3, 4, "relu", weight_init=ct.nn.init.zeros(), bias_init=ct.nn.init.constant(-1.0))
    >>> ct.nn.dead_relu(ct.nn.Sequential(layer), np.ones((5, 3), np.float32))
    {'layers.0': 1.0}
    """
    module = model if isinstance(model, Module) else getattr(model, "module", None)
    if not isinstance(module, Module):
        raise TypeError(f"dead_relu: model must be a Module or a model that has one, got {shown(model)}")
    if isinstance(x, (list, tuple)):
        x = numbers("dead_relu", "x", x, np.float32)
    array = isinstance(x, (Tensor, np.ndarray)) or is_device_array(x)
    if not array or not x.ndim:
        raise TypeError(f"dead_relu: x must be a batch, an array or a Tensor, got {shown(x)}")
    if not len(x):
        raise ValueError("dead_relu: x is an empty batch; give it rows that stand for the data")
    names = {id(layer): name for name, layer in module.named_modules()}
    alive: dict[int, NDArray[Any]] = {}

    def note(layer: Module, output: Any) -> None:
        if not isinstance(output, Tensor) or not (
            isinstance(layer, ReLU) or getattr(layer, "activation", "") == "relu"
        ):
            return
        living = (output.numpy().reshape(-1, output.shape[-1]) != 0).any(axis=0)
        alive[id(layer)] = living | alive.get(id(layer), np.zeros_like(living))

    if isinstance(model, Module):
        batch = _beside(module, x)
        _run(lambda: module(batch), note)
    else:
        _run(lambda: model._forward(module, model._on_scale(np.asarray(to_host(x)))), note)
    return {name: float(1 - alive[key].mean()) for key, name in names.items() if key in alive and alive[key].size}
