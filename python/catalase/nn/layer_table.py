"""The table of a net's layers, by running it once on a row of zeros."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._internal.numbers import shown
from ..autograd import Tensor, no_grad
from ..backends import to_device
from ..ops.checks import shape_of
from .buffer import Buffer
from .modes import inference, watching
from .parameter import Parameter

if TYPE_CHECKING:
    from .module import Module

_LARGEST_ROW = 2**28  # values of the row of zeros that a net is tried with


@dataclass
class _Row:
    layer: str
    shape: str
    parameters: str
    note: str


def table_of_layers(module: Module, input_shape: tuple[Any, ...] | None) -> str:
    """Return the table of `catalase.nn.summary`."""
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
    run_watched(lambda: module(*inputs), note)
    return found


def run_watched(call: Any, note: Any) -> None:
    """Call in inference mode, off the tape, watched."""
    with inference(), no_grad(), watching(note):
        call()
