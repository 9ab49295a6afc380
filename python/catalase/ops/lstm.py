"""The LSTM over whole sequences, forward and backward."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ..backends.base import RnnSaved
from . import _rnn_run


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

    ``i, f, o = sigmoid(x @ w_x + b + h @ w_h)`` and ``g = tanh(...)``, each with its columns, then ``c' = f * c + i * g``
    and ``h' = o * tanh(c')``.

    Parameters
    ----------
    x : ndarray, shape (N, T, I)
        float32 or float64; copied first if not contiguous.
    w_x : ndarray, shape (I, 4 * H)
        Columns in the order i f g o.
    w_h : ndarray, shape (H, 4 * H)
    b : ndarray, shape (4 * H,)
    h0, c0 : ndarray, shape (N, H), optional
        States before the first step; zeros where left out.
    lengths : array_like of int, shape (N,), optional
        Steps of each sequence, from 0 to T; all T where left out. No work is done beyond them.
    reverse : bool
        Walk from each sequence's last step to its first; ``y[n, t]`` still belongs to ``x[n, t]``.

    Returns
    -------
    y : ndarray, shape (N, T, H)
        h after each step, zeros beyond a sequence's length.
    h, c : ndarray, shape (N, H)
        The states after the last step that was walked; ``h0`` and ``c0`` for length 0.

    Raises
    ------
    TypeError
        For other kinds of input, dtypes that differ, or lengths that are not whole numbers.
    ValueError
        For shapes that do not fit, or lengths out of range.

    Notes
    -----
    As `rnn`: the bits of a sequence do not depend on threads, on the other sequences, or on the parts it is fed in.

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
    return _rnn_run.forward("lstm", "lstm", "lstm", arrays, lengths, reverse, keep=False)[:3]


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
    """Return y, h, c as `lstm`, and what `lstm_backward` needs: an `RnnSaved`."""
    arrays = {"x": x, "w_x": w_x, "w_h": w_h, "b": b, "h0": h0, "c0": c0}
    return _rnn_run.forward("lstm_forward", "lstm", "lstm", arrays, lengths, reverse, keep=True)


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
        Gradient at ``y``; None is zeros. What it holds beyond a length is not read.
    dh, dc : ndarray, shape (N, H), or None
        Gradients at the last states; None is zeros.
    x, w_x, w_h, lengths, reverse
        As they were given to `lstm_forward`.
    saved : RnnSaved
        What it returned.
    input_gradient : bool
        False leaves the first result out (None).

    Returns
    -------
    dx, dw_x, dw_h, db, dh0, dc0 : ndarray
        ``dx`` is zero beyond a length.

    Raises
    ------
    TypeError, ValueError
        As `lstm`, and where ``saved`` belongs to another call.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> x, w_x, w_h, b = np.ones((2, 5, 3)), np.ones((3, 16)), np.ones((4, 16)), np.zeros(16)
    >>> y, h, c, saved = ct.ops.lstm_forward(x, w_x, w_h, b)
    >>> [g.shape for g in ct.ops.lstm_backward(y, None, None, x, w_x, w_h, saved)]
    [(2, 5, 3), (3, 16), (4, 16), (16,), (2, 4), (2, 4)]
    """
    arrays = {"x": x, "w_x": w_x, "w_h": w_h, "dy": dy, "dh": dh, "dc": dc}
    return _rnn_run.backward("lstm", "lstm", arrays, saved, lengths, reverse, input_gradient)
