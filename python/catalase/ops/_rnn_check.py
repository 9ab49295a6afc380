"""Checks of what the recurrent cells are given."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..backends import is_device_array, to_host
from ..backends.base import RnnSaved
from .checks import whole_numbers

GATES = {"rnn": 1, "gru": 3, "lstm": 4}


class Sizes(NamedTuple):
    batch: int
    steps: int
    inputs: int
    hidden: int


def check_shapes(function: str, kind: str, x: Any, w_x: Any, w_h: Any, **others: Any) -> Sizes:
    """Check shapes; ``others`` are the bias and states by name, or None."""
    if "b" in others and others["b"] is None:
        raise TypeError(f"{function}: b must be an array; for a cell without bias pass zeros")
    if x.ndim != 3:
        raise ValueError(f"{function}: x must be (N, T, I), got shape {x.shape}; one sequence is x[None]")
    gates = GATES[kind]
    if w_h.ndim != 2 or w_h.shape[0] < 1 or w_h.shape[1] != gates * w_h.shape[0]:
        raise ValueError(f"{function}: w_h must be (H, {gates} * H) with H of 1 or more, got {w_h.shape}")
    sizes = Sizes(x.shape[0], x.shape[1], x.shape[2], w_h.shape[0])
    expected = {
        "w_x": (sizes.inputs, gates * sizes.hidden),
        "b": (2, 3 * sizes.hidden) if kind == "gru" else (gates * sizes.hidden,),
        "dy": (sizes.batch, sizes.steps, sizes.hidden),
    }
    state = (sizes.batch, sizes.hidden)
    for name, array in {"w_x": w_x, **others}.items():
        if array is not None and array.shape != expected.get(name, state):
            raise ValueError(
                f"{function}: {name} must have shape {expected.get(name, state)} for x {x.shape} and w_h {w_h.shape}, "
                f"got {array.shape}"
            )
    return sizes


def check_lengths(function: str, lengths: Any, sizes: Sizes) -> NDArray[np.intp] | None:
    """Return lengths as the kernels take them, or None; refuse any that are out of range."""
    if lengths is None:
        return None
    if is_device_array(lengths):  # the host lays out the steps: this waits for the device
        lengths = to_host(lengths)
    given = whole_numbers(function, "lengths", lengths)
    if given.shape != (sizes.batch,):
        raise ValueError(f"{function}: lengths must have shape ({sizes.batch},), one a sequence, got {given.shape}")
    wrong = np.flatnonzero((given < 0) | (given > sizes.steps))
    if wrong.size:
        raise ValueError(
            f"{function}: lengths must be from 0 to {sizes.steps}, the steps of x, but sequence {wrong[0]} has "
            f"{given[wrong[0]]}"
        )
    return np.ascontiguousarray(given, dtype=np.intp)


def check_saved(
    function: str, kind: str, saved: Any, sizes: Sizes, lengths: NDArray[np.intp] | None, dtype: Any, is_host: bool
) -> None:
    """Refuse what the forward pass of this call did not keep."""
    full = sizes.batch * sizes.steps  # a captured step of a device has room for any lengths
    rows = {full if lengths is None else int(lengths.sum())} | (set() if is_host else {full})
    shapes = {(sizes.batch + n, sizes.hidden) for n in rows}
    if not isinstance(saved, RnnSaved) or saved.states.shape not in shapes or saved.states.dtype != dtype:
        raise ValueError(
            f"{function}: saved must be what {kind}_forward returned for this x, these weights and these lengths"
        )
    if (saved.cells is None) == (kind == "lstm") or (saved.candidates is None) == (kind == "gru"):
        raise ValueError(f"{function}: saved comes from another cell")
