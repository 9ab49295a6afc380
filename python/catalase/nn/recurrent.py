"""The recurrent layers RNN, GRU, LSTM and Bidirectional."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._internal.numbers import choice, shown
from ..autograd import Tensor, concatenate
from ..autograd.tensor import as_tensor
from . import functional
from .module import Module
from .recurrent_base import Recurrent


class RNN(Recurrent):
    """A plain recurrent layer; see `catalase.ops.rnn`.

    Parameters
    ----------
    input_size, hidden_size : int
        I and H, 1 or more.
    activation : {"tanh", "relu"}
    num_layers : int
        Number of layers, each of which reads the outputs of the one before.
    dropout : float
        Dropout rate between layers during training (see `Dropout`), from 0 to below 1.
    bidirectional : bool
        Every layer reads the sequences from both ends, and returns both outputs concatenated.
    reverse : bool
        Run from each sequence's last step to its first.
    rng : numpy.random.Generator or int, optional
        Generator of the initial values, or its seed; they are uniform in +-1 / sqrt(H), as in PyTorch.

    Attributes
    ----------
    w_x : Parameter, shape (I, H)
    w_h : Parameter, shape (H, H)
    b : Parameter, shape (H,)
        Weights of the first layer. Others are named after layer and direction as in PyTorch: ``w_x_l1``,
        ``w_x_l0_reverse``, ``w_x_l1_reverse``; layers above the first have ``output_size`` inputs.
    output_size : int
        Number of values of y a step: H, or 2 * H with both directions.

    Notes
    -----
    The layer is called with x (N, T, I), an initial state (zeros by default) and ``lengths``. It returns y (N, T, H) and
    the last state (N, H), which the caller may pass to the next call. `detach_state` cuts a state off from the tape
    before it.

    With several layers or both directions, y is the output of the last layer (N, T, output_size), and states are (K, N, H)
    with K = layers * directions: layer by layer, the forward before the backward direction, as in PyTorch.

    No steps (T = 0) and length 0 return the initial state, or zeros without one. A length beyond T is an error. NaN affects
    only its sequence, from its step on (with both directions the whole sequence).

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> layer = ct.nn.RNN(3, 4, rng=0)
    >>> y, h = layer(np.ones((2, 5, 3), np.float32), lengths=[5, 2])
    >>> y.shape, h.shape, bool(y.data[1, 2:].any())
    ((2, 5, 4), (2, 4), False)
    >>> deep = ct.nn.RNN(3, 4, num_layers=2, dropout=0.1, bidirectional=True)
    >>> y, h = deep(np.ones((2, 5, 3), np.float32))
    >>> y.shape, h.shape
    ((2, 5, 8), (4, 2, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        activation: str = "tanh",
        *,
        num_layers: int = 1,
        dropout: float = 0.0,
        bidirectional: bool = False,
        reverse: bool = False,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        choice("RNN", "activation", activation, ("tanh", "relu"))
        options: dict[str, Any] = {"num_layers": num_layers, "dropout": dropout, "bidirectional": bidirectional}
        super().__init__(input_size, hidden_size, **options, reverse=reverse, rng=rng)
        self.activation = activation

    def _cell(self, x: Any, weights: list[Any], start: tuple[Any, ...], **options: Any) -> tuple[Tensor, ...]:
        return functional.rnn(x, *weights, *start, activation=self.activation, **options)


class GRU(Recurrent):
    """A layer of gated recurrent units; see `catalase.ops.gru`.

    Parameters
    ----------
    input_size, hidden_size, num_layers, dropout, bidirectional, reverse, rng
        As in `RNN`.

    Attributes
    ----------
    w_x : Parameter, shape (I, 3 * H)
    w_h : Parameter, shape (H, 3 * H)
    b : Parameter, shape (2, 3 * H)
        Weights of the first layer; those of others are named as in `RNN`.

    Notes
    -----
    The layer is called like `RNN`.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> y, h = ct.nn.GRU(3, 4)(np.ones((2, 5, 3), np.float32))
    >>> y.shape, h.shape
    ((2, 5, 4), (2, 4))
    """

    gates = 3
    biases = (2,)

    def _cell(self, x: Any, weights: list[Any], start: tuple[Any, ...], **options: Any) -> tuple[Tensor, ...]:
        return functional.gru(x, *weights, *start, **options)


class LSTM(Recurrent):
    """A layer of long short-term memory; see `catalase.ops.rnn`.

    Parameters
    ----------
    input_size, hidden_size, num_layers, dropout, bidirectional, reverse, rng
        As in `RNN`.

    Attributes
    ----------
    w_x : Parameter, shape (I, 4 * H)
    w_h : Parameter, shape (H, 4 * H)
    b : Parameter, shape (4 * H,)
        Weights of the first layer; those of others are named as in `RNN`.

    Notes
    -----
    The layer is called like `RNN`, but its state is the pair (h, c).

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> layer = ct.nn.LSTM(3, 4)
    >>> x = np.ones((2, 6, 3), np.float32)
    >>> whole, _ = layer(x)
    >>> first, state = layer(x[:, :4])
    >>> rest, state = layer(x[:, 4:], state)
    >>> bool((whole.data[:, 4:] == rest.data).all())
    True
    """

    gates = 4
    states = 2

    def _cell(self, x: Any, weights: list[Any], start: tuple[Any, ...], **options: Any) -> tuple[Tensor, ...]:
        return functional.lstm(x, *weights, *start, **options)


class Bidirectional(Module):
    """Two recurrent layers that read the same sequences from opposite ends, with their outputs concatenated.

    Parameters
    ----------
    ahead, back : RNN, GRU or LSTM
        ``back`` must have been made with ``reverse=True``, ``ahead`` without.

    Notes
    -----
    A call returns y (N, T, H of ahead + H of back) and the pair of their last states; ``state`` is such a pair.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> both = ct.nn.Bidirectional(ct.nn.GRU(3, 4), ct.nn.GRU(3, 4, reverse=True))
    >>> y, (h_ahead, h_back) = both(np.ones((2, 5, 3), np.float32), lengths=[5, 2])
    >>> y.shape, h_back.shape
    ((2, 5, 8), (2, 4))
    """

    def __init__(self, ahead: Recurrent, back: Recurrent) -> None:
        super().__init__()
        for name, layer, reverse in (("ahead", ahead, False), ("back", back, True)):
            if not isinstance(layer, Recurrent) or layer.reverse != reverse or layer.bidirectional:
                raise ValueError(f"Bidirectional: {name} must be an RNN, GRU or LSTM with reverse={reverse}")
        self.ahead, self.back = ahead, back

    def forward(self, x: Any, state: Any = None, lengths: Any = None) -> Any:
        x = as_tensor("Bidirectional", "x", x)
        if state is not None and (not isinstance(state, (tuple, list)) or len(state) != 2):
            raise TypeError(f"Bidirectional: state must be the states of ahead and back, a pair, got {shown(state)}")
        first, second = (None, None) if state is None else state
        y_ahead, h_ahead = self.ahead(x, first, lengths)
        y_back, h_back = self.back(x, second, lengths)
        return concatenate([y_ahead, y_back], axis=-1), (h_ahead, h_back)


def detach_state(state: Any) -> Any:
    """Return a recurrent layer's state cut off from the tape, with the same values, but without gradients.

    This is for truncated back-propagation through time: a long sequence is processed in pieces, each piece is one training
    step, and the state is passed from piece to piece without the tape of the pieces before.

    Parameters
    ----------
    state : Tensor, tuple of tensors, or None
        The state that a recurrent layer returned.

    Returns
    -------
    Tensor, tuple, or None
        The state in the same form.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> layer, head = ct.nn.LSTM(1, 8, rng=0), ct.nn.Linear(8, 1, rng=0)
    >>> net = ct.nn.Sequential(layer, head)
    >>> optimizer = ct.optim.Adam(net, 1e-2)
    >>> signal = np.sin(np.arange(65, dtype=np.float32) / 3).reshape(1, 65, 1)
    >>> losses = []
    >>> for _ in range(30):
    ...     state = None
    ...     for start in range(0, 64, 16):  # a step of the optimizer every 16 steps of the signal
    ...         y, state = layer(signal[:, start : start + 16], ct.nn.detach_state(state))
    ...         error = head(y) - signal[:, start + 1 : start + 17]
    ...         loss = (error * error).mean()
    ...         optimizer.zero_grad()
    ...         loss.backward()
    ...         optimizer.step()
    ...         losses.append(loss.item())
    >>> sum(losses[-4:]) < 0.1 * sum(losses[:4])
    True
    """
    return _detached(state, 8)


def _detached(state: Any, depth: int) -> Any:
    """Detach a state; ``depth`` limits the nesting of tuples."""
    if state is None or isinstance(state, Tensor):
        return None if state is None else state.detach()
    if not isinstance(state, (tuple, list)) or not depth:
        raise TypeError(f"detach_state: state must be a Tensor, a tuple of them, or None, got {shown(state)}")
    return tuple(_detached(part, depth - 1) for part in state)
