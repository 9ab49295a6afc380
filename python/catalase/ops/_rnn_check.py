"""Checks of what the recurrent cells are given."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._check import floating, same_dtype, whole_numbers

GATES = {"rnn": 1, "gru": 3, "lstm": 4}


class RnnSaved(NamedTuple):
    """What a recurrent cell keeps for its backward pass; to be handed on, not to be read.

    Rows are in the order of time, longest sequences first: block t of ``states`` and ``cells`` holds h and c before step
    t (N + sum of lengths rows in all), ``gates`` (N + sum of lengths, less the longest sequences) the gates after their
    activations, ``candidates`` GRU's recurrent half of n. For a float32 LSTM that is ``24 * H`` bytes a step and
    sequence, for a GRU ``20 * H``, for a plain cell ``4 * H``.
    """

    gates: NDArray[Any] | None
    candidates: NDArray[Any] | None
    states: NDArray[Any]
    cells: NDArray[Any] | None


class Sizes(NamedTuple):
    batch: int
    steps: int
    inputs: int
    hidden: int


def check_inputs(function: str, kind: str, x: Any, w_x: Any, w_h: Any, **others: Any) -> Sizes:
    """Check arrays, dtypes and shapes; ``others`` are the bias and states by name, or None."""
    for name, array in {"x": x, "w_x": w_x, "w_h": w_h, **others}.items():
        if array is not None or name in ("x", "w_x", "w_h"):
            floating(function, name, array)
    same_dtype(function, x=x, w_x=w_x, w_h=w_h, **others)
    return check_shapes(function, kind, x, w_x, w_h, **others)


def check_shapes(function: str, kind: str, x: Any, w_x: Any, w_h: Any, **others: Any) -> Sizes:
    """The part of `check_inputs` that holds for arrays on a device too."""
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
    function: str, kind: str, saved: Any, sizes: Sizes, lengths: NDArray[np.intp] | None, dtype: Any
) -> None:
    """Refuse what the forward pass of this call did not keep."""
    rows = sizes.batch + (sizes.batch * sizes.steps if lengths is None else int(lengths.sum()))
    if not isinstance(saved, RnnSaved) or saved.states.shape != (rows, sizes.hidden) or saved.states.dtype != dtype:
        raise ValueError(
            f"{function}: saved must be what {kind}_forward returned for this x, these weights and these lengths"
        )
    if (saved.cells is None) == (kind == "lstm") or (saved.candidates is None) == (kind == "gru"):
        raise ValueError(f"{function}: saved comes from another cell")
