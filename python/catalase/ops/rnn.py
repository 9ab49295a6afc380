"""Recurrent cells (tanh and ReLU RNN, GRU, LSTM) over whole sequences, forward and backward."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import choice, flag
from ..backends import CPU, backend_of, is_device_array, same_backend, to_host
from ..backends.base import RnnSaved
from .checks import floats, whole_numbers


def rnn(
    x: NDArray[Any],
    w_x: NDArray[Any],
    w_h: NDArray[Any],
    b: NDArray[Any],
    h0: NDArray[Any] | None = None,
    *,
    activation: str = "tanh",
    lengths: Any = None,
    reverse: bool = False,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Run a plain recurrent cell over sequences: ``h[t] = activation(x[t] @ w_x + b + h[t-1] @ w_h)``.

    Parameters
    ----------
    x : ndarray, shape (N, T, I)
        float32 or float64; copied first if not contiguous.
    w_x : ndarray, shape (I, H)
    w_h : ndarray, shape (H, H)
    b : ndarray, shape (H,)
    h0 : ndarray, shape (N, H), optional
        State before the first step; zeros by default.
    activation : {"tanh", "relu"}
    lengths : array_like of int, shape (N,), optional
        Number of steps of each sequence, from 0 to T; T by default. Steps beyond them take no time.
    reverse : bool
        Run from each sequence's last step to its first; ``y[n, t]`` still belongs to ``x[n, t]``.

    Returns
    -------
    y : ndarray, shape (N, T, H)
        The state after each step, zeros beyond a sequence's length.
    h : ndarray, shape (N, H)
        The state after the last step that ran; ``h0`` for length 0.

    Raises
    ------
    TypeError
        For other kinds of input, dtypes that differ, or lengths that are not whole numbers.
    ValueError
        For shapes that do not fit, lengths out of range, or an unknown activation.

    Notes
    -----
    The recurrent product is one chain of fused multiply-adds in ascending order, so the bits of a sequence do not depend
    on the number of threads, on the other sequences, on padding, or on whether it is processed whole, in parts with the
    state carried over, or step by step. NaN in a sequence affects only that sequence, from its step on; values beyond a
    length are not read. T = 0 returns ``h0``.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> y, h = ct.ops.rnn(np.ones((1, 3, 1)), np.ones((1, 1)), np.ones((1, 1)), np.zeros(1), activation="relu")
    >>> y.ravel(), h
    (array([1., 2., 3.]), array([[3.]]))
    """
    cell, arrays = _cell("rnn", activation), {"x": x, "w_x": w_x, "w_h": w_h, "b": b, "h0": h0}
    return _forward("rnn", "rnn", cell, arrays, lengths, reverse, keep=False)[:2]


def rnn_forward(
    x: NDArray[Any],
    w_x: NDArray[Any],
    w_h: NDArray[Any],
    b: NDArray[Any],
    h0: NDArray[Any] | None = None,
    *,
    activation: str = "tanh",
    lengths: Any = None,
    reverse: bool = False,
) -> tuple[NDArray[Any], NDArray[Any], Any]:
    """Return y and h of `rnn`, and an `RnnSaved` for `rnn_backward`."""
    cell, arrays = _cell("rnn_forward", activation), {"x": x, "w_x": w_x, "w_h": w_h, "b": b, "h0": h0}
    y, h, _, saved = _forward("rnn_forward", "rnn", cell, arrays, lengths, reverse, keep=True)
    return y, h, saved


def rnn_backward(
    dy: NDArray[Any] | None,
    dh: NDArray[Any] | None,
    x: NDArray[Any],
    w_x: NDArray[Any],
    w_h: NDArray[Any],
    saved: RnnSaved,
    *,
    activation: str = "tanh",
    lengths: Any = None,
    reverse: bool = False,
    input_gradient: bool = True,
) -> tuple[Any, ...]:
    """Return the gradients at x, w_x, w_h, b and h0 of `rnn`.

    Parameters
    ----------
    dy : ndarray, shape (N, T, H), or None
        Gradient at ``y``; None means zeros. Values beyond a length are not read.
    dh : ndarray, shape (N, H), or None
        Gradient at the last state ``h``; None means zeros.
    x, w_x, w_h, activation, lengths, reverse
        The arguments of `rnn_forward`.
    saved : RnnSaved
        Its last result.
    input_gradient : bool
        False makes the first result None.

    Returns
    -------
    dx, dw_x, dw_h, db, dh0 : ndarray
        ``dx`` is zero beyond a length.

    Raises
    ------
    TypeError, ValueError
        As `rnn`, and if ``saved`` belongs to another call.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> x, w = np.ones((1, 3, 1)), np.ones((1, 1))
    >>> y, h, saved = ct.ops.rnn_forward(x, w, w, np.zeros(1), activation="relu")
    >>> dx, *_ = ct.ops.rnn_backward(np.ones((1, 3, 1)), None, x, w, w, saved, activation="relu")
    >>> dx.ravel()
    array([3., 2., 1.])
    """
    arrays = {"x": x, "w_x": w_x, "w_h": w_h, "dy": dy, "dh": dh}
    cell = _cell("rnn_backward", activation)
    return _backward("rnn", cell, arrays, saved, lengths, reverse, input_gradient)[:5]


def gru(
    x: NDArray[Any],
    w_x: NDArray[Any],
    w_h: NDArray[Any],
    b: NDArray[Any],
    h0: NDArray[Any] | None = None,
    *,
    lengths: Any = None,
    reverse: bool = False,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Run a gated recurrent unit over sequences, with the reset gate after the product, as in cuDNN and PyTorch.

    ``r, z = sigmoid(x @ w_x + b[0] + h @ w_h + b[1])``, ``n = tanh(x @ w_x + b[0] + r * (h @ w_h + b[1]))`` and
    ``h' = (1 - z) * n + z * h``, where each gate has its columns of the weights.

    Parameters
    ----------
    x : ndarray, shape (N, T, I)
        float32 or float64; copied first if not contiguous.
    w_x : ndarray, shape (I, 3 * H)
        Columns in the order r z n.
    w_h : ndarray, shape (H, 3 * H)
    b : ndarray, shape (2, 3 * H)
        Row 0 is added to the input product, row 1 to the recurrent one.
    h0, lengths, reverse
        As in `rnn`.

    Returns
    -------
    y : ndarray, shape (N, T, H)
    h : ndarray, shape (N, H)

    Raises
    ------
    TypeError, ValueError
        As `rnn`.

    Notes
    -----
    As `rnn`.

    References
    ----------
    Cho et al., "Learning phrase representations using RNN encoder-decoder", arXiv:1406.1078; version 3 has the reset gate
    after the product.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> y, h = ct.ops.gru(np.ones((2, 5, 3)), np.zeros((3, 12)), np.zeros((4, 12)), np.zeros((2, 12)), np.ones((2, 4)))
    >>> y[0, :3, 0]
    array([0.5  , 0.25 , 0.125])
    """
    arrays = {"x": x, "w_x": w_x, "w_h": w_h, "b": b, "h0": h0}
    return _forward("gru", "gru", "gru", arrays, lengths, reverse, keep=False)[:2]


def gru_forward(
    x: NDArray[Any],
    w_x: NDArray[Any],
    w_h: NDArray[Any],
    b: NDArray[Any],
    h0: NDArray[Any] | None = None,
    *,
    lengths: Any = None,
    reverse: bool = False,
) -> tuple[NDArray[Any], NDArray[Any], Any]:
    """Return y and h of `gru`, and an `RnnSaved` for `gru_backward`."""
    arrays = {"x": x, "w_x": w_x, "w_h": w_h, "b": b, "h0": h0}
    y, h, _, saved = _forward("gru_forward", "gru", "gru", arrays, lengths, reverse, keep=True)
    return y, h, saved


def gru_backward(
    dy: NDArray[Any] | None,
    dh: NDArray[Any] | None,
    x: NDArray[Any],
    w_x: NDArray[Any],
    w_h: NDArray[Any],
    saved: RnnSaved,
    *,
    lengths: Any = None,
    reverse: bool = False,
    input_gradient: bool = True,
) -> tuple[Any, ...]:
    """Return the gradients at x, w_x, w_h, b and h0 of `gru`; the arguments are those of `rnn_backward`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> x, w_x, w_h, b = np.ones((2, 5, 3)), np.ones((3, 12)), np.ones((4, 12)), np.zeros((2, 12))
    >>> y, h, saved = ct.ops.gru_forward(x, w_x, w_h, b)
    >>> [g.shape for g in ct.ops.gru_backward(y, None, x, w_x, w_h, saved)]
    [(2, 5, 3), (3, 12), (4, 12), (2, 12), (2, 4)]
    """
    arrays = {"x": x, "w_x": w_x, "w_h": w_h, "dy": dy, "dh": dh}
    return _backward("gru", "gru", arrays, saved, lengths, reverse, input_gradient)[:5]


def _cell(function: str, activation: str) -> str:
    return choice(function, "activation", activation, ("tanh", "relu"))


def lstm(
    x: NDArray[Any],
    w_x: NDArray[Any],
    w_h: NDArray[Any],
    b: NDArray[Any],
    h0: NDArray[Any] | None = None,
    c0: NDArray[Any] | None = None,
    *,
    lengths: Any = None,
    reverse: bool = False,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Run a long short-term memory over sequences.

    ``i, f, o = sigmoid(x @ w_x + b + h @ w_h)`` and ``g = tanh(...)``, where each gate has its columns of the weights; then
    ``c' = f * c + i * g`` and ``h' = o * tanh(c')``.

    Parameters
    ----------
    x : ndarray, shape (N, T, I)
        float32 or float64; copied first if not contiguous.
    w_x : ndarray, shape (I, 4 * H)
        Columns in the order i f g o.
    w_h : ndarray, shape (H, 4 * H)
    b : ndarray, shape (4 * H,)
    h0, c0 : ndarray, shape (N, H), optional
        States before the first step; zeros by default.
    lengths : array_like of int, shape (N,), optional
        Number of steps of each sequence, from 0 to T; T by default. Steps beyond them take no time.
    reverse : bool
        Run from each sequence's last step to its first; ``y[n, t]`` still belongs to ``x[n, t]``.

    Returns
    -------
    y : ndarray, shape (N, T, H)
        h after each step, zeros beyond a sequence's length.
    h, c : ndarray, shape (N, H)
        The states after the last step that ran; ``h0`` and ``c0`` for length 0.

    Raises
    ------
    TypeError
        For other kinds of input, dtypes that differ, or lengths that are not whole numbers.
    ValueError
        For shapes that do not fit, or lengths out of range.

    Notes
    -----
    As in `rnn`, the bits of a sequence do not depend on threads, on the other sequences, or on its division into parts.

    References
    ----------
    Hochreiter and Schmidhuber, "Long short-term memory", 1997, doi:10.1162/neco.1997.9.8.1735; with the forget gate of
    Gers, Schmidhuber and Cummins, 2000, doi:10.1162/089976600300015015.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> x, w_x, w_h, b = np.ones((2, 5, 3)), np.ones((3, 16)), np.ones((4, 16)), np.zeros(16)
    >>> y, h, c = ct.ops.lstm(x, w_x, w_h, b, lengths=[5, 0])
    >>> y.shape, bool((y[0, -1] == h[0]).all()), h[1]
    ((2, 5, 4), True, array([0., 0., 0., 0.]))
    >>> first, h, c = ct.ops.lstm(x[:, :2], w_x, w_h, b, lengths=[2, 0])
    >>> rest, h, c = ct.ops.lstm(x[:, 2:], w_x, w_h, b, h, c, lengths=[3, 0])
    >>> bool((rest == y[:, 2:]).all())
    True
    """
    arrays = {"x": x, "w_x": w_x, "w_h": w_h, "b": b, "h0": h0, "c0": c0}
    return _forward("lstm", "lstm", "lstm", arrays, lengths, reverse, keep=False)[:3]


def lstm_forward(
    x: NDArray[Any],
    w_x: NDArray[Any],
    w_h: NDArray[Any],
    b: NDArray[Any],
    h0: NDArray[Any] | None = None,
    c0: NDArray[Any] | None = None,
    *,
    lengths: Any = None,
    reverse: bool = False,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], Any]:
    """Return y, h and c of `lstm`, and an `RnnSaved` for `lstm_backward`."""
    arrays = {"x": x, "w_x": w_x, "w_h": w_h, "b": b, "h0": h0, "c0": c0}
    return _forward("lstm_forward", "lstm", "lstm", arrays, lengths, reverse, keep=True)


def lstm_backward(
    dy: NDArray[Any] | None,
    dh: NDArray[Any] | None,
    dc: NDArray[Any] | None,
    x: NDArray[Any],
    w_x: NDArray[Any],
    w_h: NDArray[Any],
    saved: RnnSaved,
    *,
    lengths: Any = None,
    reverse: bool = False,
    input_gradient: bool = True,
) -> tuple[Any, ...]:
    """Return the gradients at x, w_x, w_h, b, h0 and c0 of `lstm`.

    Parameters
    ----------
    dy : ndarray, shape (N, T, H), or None
        Gradient at ``y``; None means zeros. Values beyond a length are not read.
    dh, dc : ndarray, shape (N, H), or None
        Gradients at the last states; None means zeros.
    x, w_x, w_h, lengths, reverse
        The arguments of `lstm_forward`.
    saved : RnnSaved
        Its last result.
    input_gradient : bool
        False makes the first result None.

    Returns
    -------
    dx, dw_x, dw_h, db, dh0, dc0 : ndarray
        ``dx`` is zero beyond a length.

    Raises
    ------
    TypeError, ValueError
        As `lstm`, and if ``saved`` belongs to another call.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> x, w_x, w_h, b = np.ones((2, 5, 3)), np.ones((3, 16)), np.ones((4, 16)), np.zeros(16)
    >>> y, h, c, saved = ct.ops.lstm_forward(x, w_x, w_h, b)
    >>> [g.shape for g in ct.ops.lstm_backward(y, None, None, x, w_x, w_h, saved)]
    [(2, 5, 3), (3, 16), (4, 16), (16,), (2, 4), (2, 4)]
    """
    arrays = {"x": x, "w_x": w_x, "w_h": w_h, "dy": dy, "dh": dh, "dc": dc}
    return _backward("lstm", "lstm", arrays, saved, lengths, reverse, input_gradient)


GATES = {"rnn": 1, "gru": 3, "lstm": 4}


class Sizes(NamedTuple):
    batch: int
    steps: int
    inputs: int
    hidden: int


def check_shapes(function: str, kind: str, x: Any, w_x: Any, w_h: Any, **others: Any) -> Sizes:
    """Check shapes and return the sizes; ``others`` are the bias and the states by name, or None."""
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
    for name, array in (("w_x", w_x), *others.items()):
        needed = expected.get(name, state)
        if array is not None and array.shape != needed:
            raise ValueError(
                f"{function}: {name} must have shape {needed} for x {x.shape} and w_h {w_h.shape}, got {array.shape}"
            )
    return sizes


def check_lengths(function: str, lengths: Any, sizes: Sizes) -> NDArray[np.intp] | None:
    """Return lengths as the kernels expect them, or None; refuse lengths out of range."""
    if lengths is None:
        return None
    if is_device_array(lengths):  # the host needs them to lay out the steps, and waits for the device
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
    function: str, kind: str, saved: Any, sizes: Sizes, lengths: NDArray[np.intp] | None, dtype: Any
) -> None:
    """Refuse saved arrays that do not fit the forward pass of this call."""
    rows = sizes.batch + (sizes.batch * sizes.steps if lengths is None else int(lengths.sum()))
    fits = isinstance(saved, RnnSaved) and saved.states.shape == (rows, sizes.hidden)
    if not fits or saved.states.dtype != dtype:
        raise ValueError(
            f"{function}: saved must be what {kind}_forward returned for this x, these weights and these lengths"
        )
    if (saved.cells is None) == (kind == "lstm") or (saved.candidates is None) == (kind == "gru"):
        raise ValueError(f"{function}: saved comes from another cell")


def _forward(
    function: str, kind: str, cell: str, arrays: dict[str, Any], lengths: Any, reverse: bool, keep: bool
) -> tuple[NDArray[Any], NDArray[Any], Any, Any]:
    """Check the arguments, run the cell, and return y, h, c (None but for an LSTM) and an `RnnSaved` (None without ``keep``).

    Errors name ``function``; ``kind`` is "rnn", "gru" or "lstm", ``cell`` "tanh", "relu", "gru" or "lstm".
    """
    reverse = flag(function, "reverse", reverse)
    backend, *given = floats(function, optional=("b", "h0", "c0"), **arrays)
    arrays = dict(zip(arrays, given, strict=True))
    sizes = check_shapes(function, kind, **arrays)
    lengths = check_lengths(function, lengths, sizes)
    return backend.rnn(kind, cell, arrays, lengths, reverse, keep)


def _backward(
    kind: str, cell: str, arrays: dict[str, Any], saved: RnnSaved, lengths: Any, reverse: bool, input_gradient: bool
) -> tuple[Any, ...]:
    """Check the arguments, and return dx, dw_x, dw_h, db, dh0 and dc0."""
    function = f"{kind}_backward"
    reverse, input_gradient = flag(function, "reverse", reverse), flag(function, "input_gradient", input_gradient)
    backend, *given = floats(function, optional=("dy", "dh", "dc"), **arrays)
    arrays = dict(zip(arrays, given, strict=True))
    sizes = check_shapes(function, kind, **arrays)
    lengths = check_lengths(function, lengths, sizes)
    check_saved(function, kind, saved, sizes, lengths, arrays["x"].dtype)
    if backend is not CPU or backend_of(*saved) is not CPU:
        same_backend(function, x=arrays["x"], **saved._asdict())
    return backend.rnn_backward(kind, cell, arrays, saved, lengths, reverse, input_gradient)
