"""Recurrent cells on the tape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import ops
from ...autograd import Tensor, is_recording, record
from ...autograd.tensor import as_tensor
from ...backends import backend_of
from ...ops.checks import whole_numbers

Input = Tensor | NDArray[Any]


class _OutputGradients:
    """The gradients at a cell's outputs by name, added as the tape adds arrays: y, h and c come from one node."""

    def __init__(self, **values: NDArray[Any]) -> None:
        self.values = values

    def __add__(self, other: _OutputGradients) -> _OutputGradients:
        return _OutputGradients(**self.values, **other.values)


def rnn(
    x: Input,
    w_x: Tensor,
    w_h: Tensor,
    b: Tensor,
    h0: Input | None = None,
    *,
    activation: str = "tanh",
    lengths: Any = None,
    reverse: bool = False,
) -> tuple[Tensor, Tensor]:
    """Run a plain recurrent cell over sequences, one node on the tape; returns y, h. See `catalase.ops.rnn`."""
    options = {"activation": activation, "lengths": lengths, "reverse": reverse}
    y, h = _cell("rnn", ("y", "h"), ops.rnn, ops.rnn_forward, ops.rnn_backward, (x, w_x, w_h, b, h0), options)
    return y, h


def gru(
    x: Input,
    w_x: Tensor,
    w_h: Tensor,
    b: Tensor,
    h0: Input | None = None,
    *,
    lengths: Any = None,
    reverse: bool = False,
) -> tuple[Tensor, Tensor]:
    """Run a GRU over sequences, one node on the tape; returns y, h. See `catalase.ops.gru`."""
    options = {"lengths": lengths, "reverse": reverse}
    y, h = _cell("gru", ("y", "h"), ops.gru, ops.gru_forward, ops.gru_backward, (x, w_x, w_h, b, h0), options)
    return y, h


def lstm(
    x: Input,
    w_x: Tensor,
    w_h: Tensor,
    b: Tensor,
    h0: Input | None = None,
    c0: Input | None = None,
    *,
    lengths: Any = None,
    reverse: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Run an LSTM over sequences, one node on the tape; returns y, h, c. See `catalase.ops.rnn`."""
    options = {"lengths": lengths, "reverse": reverse}
    arrays = (x, w_x, w_h, b, h0, c0)
    y, h, c = _cell("lstm", ("y", "h", "c"), ops.lstm, ops.lstm_forward, ops.lstm_backward, arrays, options)
    return y, h, c


def _cell(
    function: str,
    names: tuple[str, ...],
    plain: Callable[..., tuple[Any, ...]],
    forward: Callable[..., tuple[Any, ...]],
    backward: Callable[..., tuple[Any, ...]],
    arrays: tuple[Any, ...],
    options: dict[str, Any],
) -> list[Tensor]:
    """One cell: its node holds no value of its own, only the way from its outputs' gradients to its inputs'."""
    arguments = ("x", "w_x", "w_h", "b", "h0", "c0")
    tensors = [
        a if a is None and name in ("h0", "c0") else as_tensor(function, name, a)
        for name, a in zip(arguments, arrays, strict=False)
    ]
    data = [None if t is None else t.data for t in tensors]
    if not is_recording() or not any(t is not None and t.requires_grad for t in tensors):
        return [Tensor(out) for out in plain(*data, **options)]
    if options["lengths"] is not None:
        lengths = whole_numbers(function, "lengths", options["lengths"])
        options = options | {"lengths": np.array(lengths)}  # as they are now
    *outputs, saved = forward(*data, **options)
    x = tensors[0]

    def back(at: Any) -> tuple[Any, ...]:
        dense = (
            backend_of(at.values[name]).contiguous(at.values[name]) if name in at.values else None for name in names
        )
        gradients = backward(*dense, *data[:3], saved, **options, input_gradient=x is not None and x.requires_grad)
        return tuple(g for g, t in zip(gradients, tensors, strict=True) if t is not None)

    node = record(outputs[0], tuple(t for t in tensors if t is not None), back)
    return [_output(name, out, node) for name, out in zip(names, outputs, strict=True)]


def _output(name: str, out: NDArray[Any], node: Tensor) -> Tensor:
    def back(d: NDArray[Any]) -> tuple[Any, ...]:
        return (_OutputGradients(**{name: d}),)

    return record(out, (node,), back)
