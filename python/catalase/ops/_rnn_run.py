"""The two kernel calls that the recurrent cells share, behind the checks of their inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._cuda import is_device_array
from ._check import contiguous, empty, floating, unit_rows
from ._rnn_check import RnnSaved, check_inputs, check_lengths, check_saved

CELLS = _core.CELLS


def forward(
    function: str, kind: str, cell: str, arrays: dict[str, Any], lengths: Any, reverse: bool, keep: bool
) -> tuple[NDArray[Any], NDArray[Any], Any, Any]:
    """Check, run, and return y, h, c (None but for the LSTM) and what was kept, an `RnnSaved`, or None.

    ``function`` is what errors name, ``kind`` one of `GATES`, ``cell`` one of `CELLS`.
    """
    if type(arrays["x"]) is not np.ndarray and is_device_array(arrays["x"]):
        from .._cuda import rnn

        return rnn.forward(function, kind, cell, arrays, lengths, reverse, keep)
    sizes = check_inputs(function, kind, **arrays)
    lengths = check_lengths(function, lengths, sizes)
    x, b, h0, c0 = (_dense(arrays.get(name)) for name in ("x", "b", "h0", "c0"))
    w_x, w_h = unit_rows(arrays["w_x"]), unit_rows(arrays["w_h"])
    y = empty((sizes.batch, sizes.steps, sizes.hidden), arrays["x"].dtype)
    h, c, *kept = _core.rnn_forward(CELLS[cell], x, w_x, w_h, b, h0, c0, lengths, bool(reverse), keep, y)
    return y, h, c, RnnSaved(*kept) if keep else None


def backward(
    kind: str, cell: str, arrays: dict[str, Any], saved: RnnSaved, lengths: Any, reverse: bool, input_gradient: bool
) -> tuple[Any, ...]:
    """Check, run, and return dx, dw_x, dw_h, db, dh0 and dc0."""
    function = f"{kind}_backward"
    if type(arrays["x"]) is not np.ndarray and is_device_array(arrays["x"]):
        from .._cuda import rnn

        return rnn.backward(function, kind, cell, arrays, saved, lengths, reverse, input_gradient)
    sizes = check_inputs(function, kind, **arrays)
    lengths = check_lengths(function, lengths, sizes)
    x, w_x, w_h = arrays["x"], arrays["w_x"], arrays["w_h"]
    check_saved(function, kind, saved, sizes, lengths, x.dtype)
    floating(function, "saved", saved.states)
    dx = empty(x.shape, x.dtype) if input_gradient else None
    dw_x, dw_h = empty(w_x.shape, x.dtype), empty(w_h.shape, x.dtype)
    db = empty((2, w_h.shape[1]) if kind == "gru" else (w_h.shape[1],), x.dtype)
    dh0 = empty((sizes.batch, sizes.hidden), x.dtype)
    dc0 = empty(dh0.shape, x.dtype) if kind == "lstm" else None
    gradients = tuple(_dense(arrays.get(name)) for name in ("dy", "dh", "dc"))
    _core.rnn_backward(
        CELLS[cell], contiguous(x), unit_rows(w_x), unit_rows(w_h), lengths, bool(reverse), tuple(saved), gradients,
        dx, dw_x, dw_h, db, dh0, dc0,
    )  # fmt: skip
    return dx, dw_x, dw_h, db, dh0, dc0


def _dense(x: Any) -> Any:
    return None if x is None else contiguous(x)
