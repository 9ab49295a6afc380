"""The two kernel calls that the recurrent cells share, behind the checks of their inputs."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from .._internal.numbers import flag
from ..backends import same_backend
from ..backends.base import RnnSaved
from ._rnn_check import check_lengths, check_saved, check_shapes
from .checks import floats


def forward(
    function: str, kind: str, cell: str, arrays: dict[str, Any], lengths: Any, reverse: bool, keep: bool
) -> tuple[NDArray[Any], NDArray[Any], Any, Any]:
    """Check, run, and return y, h, c (None but for the LSTM) and what was kept, an `RnnSaved`, or None.

    ``function`` is what errors name; ``kind`` is "rnn", "gru" or "lstm", ``cell`` "tanh", "relu", "gru" or "lstm".
    """
    reverse = flag(function, "reverse", reverse)
    backend, *given = floats(function, optional=("b", "h0", "c0"), **arrays)
    sizes = check_shapes(function, kind, **dict(zip(arrays, given, strict=True)))
    lengths = check_lengths(function, lengths, sizes)
    return backend.rnn(kind, cell, dict(zip(arrays, given, strict=True)), lengths, reverse, keep)


def backward(
    kind: str, cell: str, arrays: dict[str, Any], saved: RnnSaved, lengths: Any, reverse: bool, input_gradient: bool
) -> tuple[Any, ...]:
    """Check, run, and return dx, dw_x, dw_h, db, dh0 and dc0."""
    function = f"{kind}_backward"
    reverse, input_gradient = flag(function, "reverse", reverse), flag(function, "input_gradient", input_gradient)
    backend, *given = floats(function, optional=("dy", "dh", "dc"), **arrays)
    arrays = dict(zip(arrays, given, strict=True))
    sizes = check_shapes(function, kind, **arrays)
    lengths = check_lengths(function, lengths, sizes)
    check_saved(function, kind, saved, sizes, lengths, arrays["x"].dtype, backend.is_host)
    same_backend(function, x=arrays["x"], **saved._asdict())
    return backend.rnn_backward(kind, cell, arrays, saved, lengths, reverse, input_gradient)
