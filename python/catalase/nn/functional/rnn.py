"""Recurrent cells on the tape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import ops
from ...autograd import Function, Tensor
from ...autograd.tensor import as_tensor
from ...backends import backend_of
from ...ops.checks import whole_numbers

Input = Tensor | NDArray[Any]


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
    """Run a plain recurrent cell over sequences, one operation on the tape; returns y, h. See `catalase.ops.rnn`."""
    y, h = _cell("rnn", (x, w_x, w_h, b, h0), activation=activation, lengths=lengths, reverse=reverse)
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
    """Run a GRU over sequences, one operation on the tape; returns y, h. See `catalase.ops.gru`."""
    y, h = _cell("gru", (x, w_x, w_h, b, h0), lengths=lengths, reverse=reverse)
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
    """Run an LSTM over sequences, one operation on the tape; returns y, h, c. See `catalase.ops.rnn`."""
    y, h, c = _cell("lstm", (x, w_x, w_h, b, h0, c0), lengths=lengths, reverse=reverse)
    return y, h, c


class Cell(Function):
    """A recurrent cell over sequences, with several outputs: y, h and, of the LSTM, c."""

    def forward(self, *arrays: Any, name: str, **options: Any) -> tuple[NDArray[Any], ...]:
        if not self.recorded:
            return _PLAIN[name](*arrays, **options)
        if options["lengths"] is not None:
            options["lengths"] = np.array(whole_numbers(name, "lengths", options["lengths"]))  # as they are now
        *outputs, self.saved = _FORWARD[name](*arrays, **options)
        self.name, self.options, self.arrays = name, options, arrays[:3]
        return tuple(outputs)

    def backward(self, *gradients: Any) -> tuple[Any, ...]:
        dense = (None if d is None else backend_of(d).contiguous(d) for d in gradients)
        backward = _BACKWARD[self.name]
        return backward(*dense, *self.arrays, self.saved, **self.options, input_gradient=self.needs[0])


def _cell(name: str, arrays: tuple[Any, ...], **options: Any) -> Any:
    arguments = ("x", "w_x", "w_h", "b", "h0", "c0")
    tensors = [
        a if a is None and argument in ("h0", "c0") else as_tensor(name, argument, a)
        for argument, a in zip(arguments, arrays, strict=False)
    ]
    return Cell.apply(*tensors, name=name, **options)


_PLAIN: dict[str, Callable[..., tuple[Any, ...]]] = {"rnn": ops.rnn, "gru": ops.gru, "lstm": ops.lstm}
_FORWARD: dict[str, Callable[..., tuple[Any, ...]]] = {
    "rnn": ops.rnn_forward,
    "gru": ops.gru_forward,
    "lstm": ops.lstm_forward,
}
_BACKWARD: dict[str, Callable[..., tuple[Any, ...]]] = {
    "rnn": ops.rnn_backward,
    "gru": ops.gru_backward,
    "lstm": ops.lstm_backward,
}
