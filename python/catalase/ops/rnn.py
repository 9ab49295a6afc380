"""Recurrent cells over whole sequences: tanh and ReLU RNN and GRU, forward and backward; the LSTM is in lstm.py."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from .._internal.numbers import choice
from ..backends.base import RnnSaved
from . import _rnn_run


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
        State before the first step; zeros where left out.
    activation : {"tanh", "relu"}
    lengths : array_like of int, shape (N,), optional
        Steps of each sequence, from 0 to T; all T where left out. No work is done beyond them.
    reverse : bool
        Walk from each sequence's last step to its first; ``y[n, t]`` still belongs to ``x[n, t]``.

    Returns
    -------
    y : ndarray, shape (N, T, H)
        The state after each step, zeros beyond a sequence's length.
    h : ndarray, shape (N, H)
        The state after the last step that was walked; ``h0`` for length 0.

    Raises
    ------
    TypeError
        For other kinds of input, dtypes that differ, or lengths that are not whole numbers.
    ValueError
        For shapes that do not fit, lengths out of range, or an unknown activation.

    Notes
    -----
    The recurrent product is one chain of fused multiply-adds in ascending order, so the bits of a sequence do not depend
    on the number of threads, on the other sequences, on padding, or on whether it is fed whole, in parts with the state
    carried, or step by step. NaN in a sequence stays in that sequence, from its step on; what lies beyond a length is not
    read. T = 0 returns ``h0``.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> y, h = ct.ops.rnn(np.ones((1, 3, 1)), np.ones((1, 1)), np.ones((1, 1)), np.zeros(1), activation="relu")
    >>> y.ravel(), h
    (array([1., 2., 3.]), array([[3.]]))
    """
    cell, arrays = _cell("rnn", activation), {"x": x, "w_x": w_x, "w_h": w_h, "b": b, "h0": h0}
    return _rnn_run.forward("rnn", "rnn", cell, arrays, lengths, reverse, keep=False)[:2]


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
    """Return y, h as `rnn`, and what `rnn_backward` needs: an `RnnSaved`."""
    cell, arrays = _cell("rnn_forward", activation), {"x": x, "w_x": w_x, "w_h": w_h, "b": b, "h0": h0}
    y, h, _, saved = _rnn_run.forward("rnn_forward", "rnn", cell, arrays, lengths, reverse, keep=True)
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
        Gradient at ``y``; None is zeros. What it holds beyond a length is not read.
    dh : ndarray, shape (N, H), or None
        Gradient at the last state ``h``; None is zeros.
    x, w_x, w_h, activation, lengths, reverse
        As they were given to `rnn_forward`.
    saved : RnnSaved
        What it returned.
    input_gradient : bool
        False leaves the first result out (None).

    Returns
    -------
    dx, dw_x, dw_h, db, dh0 : ndarray
        ``dx`` is zero beyond a length.

    Raises
    ------
    TypeError, ValueError
        As `rnn`, and where ``saved`` belongs to another call.

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
    return _rnn_run.backward("rnn", cell, arrays, saved, lengths, reverse, input_gradient)[:5]


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
    """Run a gated recurrent unit over sequences, with the reset gate after the product, as cuDNN and PyTorch have it.

    ``r, z = sigmoid(x @ w_x + b[0] + h @ w_h + b[1])``, ``n = tanh(x @ w_x + b[0] + r * (h @ w_h + b[1]))`` and
    ``h' = (1 - z) * n + z * h``, each with its columns.

    Parameters
    ----------
    x : ndarray, shape (N, T, I)
        float32 or float64; copied first if not contiguous.
    w_x : ndarray, shape (I, 3 * H)
        Columns in the order r z n.
    w_h : ndarray, shape (H, 3 * H)
    b : ndarray, shape (2, 3 * H)
        Row 0 joins the input product, row 1 the recurrent one.
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
    return _rnn_run.forward("gru", "gru", "gru", arrays, lengths, reverse, keep=False)[:2]


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
    """Return y, h as `gru`, and what `gru_backward` needs: an `RnnSaved`."""
    arrays = {"x": x, "w_x": w_x, "w_h": w_h, "b": b, "h0": h0}
    y, h, _, saved = _rnn_run.forward("gru_forward", "gru", "gru", arrays, lengths, reverse, keep=True)
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
    """Return the gradients at x, w_x, w_h, b and h0 of `gru`; arguments as `rnn_backward`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> x, w_x, w_h, b = np.ones((2, 5, 3)), np.ones((3, 12)), np.ones((4, 12)), np.zeros((2, 12))
    >>> y, h, saved = ct.ops.gru_forward(x, w_x, w_h, b)
    >>> [g.shape for g in ct.ops.gru_backward(y, None, x, w_x, w_h, saved)]
    [(2, 5, 3), (3, 12), (4, 12), (2, 12), (2, 4)]
    """
    arrays = {"x": x, "w_x": w_x, "w_h": w_h, "dy": dy, "dh": dh}
    return _rnn_run.backward("gru", "gru", arrays, saved, lengths, reverse, input_gradient)[:5]


def _cell(function: str, activation: str) -> str:
    return choice(function, "activation", activation, ("tanh", "relu"))
