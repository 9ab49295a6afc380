"""Recurrent layers: RNN, GRU, LSTM, Bidirectional; and PyTorch's weights for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..autograd import Tensor, concatenate
from . import functional
from .init import generator
from .module import Module
from .parameter import Parameter


class _Recurrent(Module):
    """What the three layers share."""

    gates = 1
    biases: tuple[int, ...] = ()

    def __init__(
        self, input_size: int, hidden_size: int, *, reverse: bool = False, rng: np.random.Generator | int | None = None
    ) -> None:
        super().__init__()
        if input_size < 1 or hidden_size < 1:
            name = type(self).__name__
            raise ValueError(f"{name}: input_size and hidden_size must be 1 or more, got {input_size}, {hidden_size}")
        rng = rng if isinstance(rng, np.random.Generator) else generator(rng)
        self.input_size, self.hidden_size, self.reverse = int(input_size), int(hidden_size), bool(reverse)
        width = self.gates * self.hidden_size
        self.w_x = Parameter(self._draw(rng, (self.input_size, width)))
        self.w_h = Parameter(self._draw(rng, (self.hidden_size, width)))
        self.b = Parameter(self._draw(rng, (*self.biases, width)), decay=False)

    def _draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
        limit = np.float32(1 / np.sqrt(self.hidden_size))
        return ((rng.random(shape, dtype=np.float32) * 2 - 1) * limit).astype(np.float32)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.input_size}, {self.hidden_size}, reverse={self.reverse})"


class RNN(_Recurrent):
    """A plain recurrent layer; see `catalase.ops.rnn`.

    Parameters
    ----------
    input_size, hidden_size : int
        I and H, 1 or more.
    activation : {"tanh", "relu"}
    reverse : bool
        Walk from each sequence's last step to its first.
    rng : numpy.random.Generator or int, optional
        Where the start values come from, or a seed: uniform in +-1 / sqrt(H), as in PyTorch.

    Attributes
    ----------
    w_x : Parameter, shape (I, H)
    w_h : Parameter, shape (H, H)
    b : Parameter, shape (H,)

    Notes
    -----
    Called with x (N, T, I), a state to start from (zeros where left out) and ``lengths``, it returns y (N, T, H) and the
    last state (N, H), which the next call takes: state is carried from call to call by whoever calls.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> layer = ct.nn.RNN(3, 4, rng=0)
    >>> y, h = layer(np.ones((2, 5, 3), np.float32), lengths=[5, 2])
    >>> y.shape, h.shape, bool(y.data[1, 2:].any())
    ((2, 5, 4), (2, 4), False)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        activation: str = "tanh",
        *,
        reverse: bool = False,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        if activation not in ("tanh", "relu"):
            raise ValueError(f"RNN: activation must be 'tanh' or 'relu', got {activation!r}")
        super().__init__(input_size, hidden_size, reverse=reverse, rng=rng)
        self.activation = activation

    def forward(self, x: Any, state: Any = None, lengths: Any = None) -> Any:
        options: dict[str, Any] = {"activation": self.activation, "lengths": lengths, "reverse": self.reverse}
        return functional.rnn(x, self.w_x, self.w_h, self.b, state, **options)


class GRU(_Recurrent):
    """A layer of gated recurrent units; see `catalase.ops.gru`.

    Parameters
    ----------
    input_size, hidden_size, reverse, rng
        As in `RNN`.

    Attributes
    ----------
    w_x : Parameter, shape (I, 3 * H)
    w_h : Parameter, shape (H, 3 * H)
    b : Parameter, shape (2, 3 * H)

    Notes
    -----
    Called as `RNN` is.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> y, h = ct.nn.GRU(3, 4)(np.ones((2, 5, 3), np.float32))
    >>> y.shape, h.shape
    ((2, 5, 4), (2, 4))
    """

    gates = 3
    biases = (2,)

    def forward(self, x: Any, state: Any = None, lengths: Any = None) -> Any:
        return functional.gru(x, self.w_x, self.w_h, self.b, state, lengths=lengths, reverse=self.reverse)


class LSTM(_Recurrent):
    """A layer of long short-term memory; see `catalase.ops.lstm`.

    Parameters
    ----------
    input_size, hidden_size, reverse, rng
        As in `RNN`.

    Attributes
    ----------
    w_x : Parameter, shape (I, 4 * H)
    w_h : Parameter, shape (H, 4 * H)
    b : Parameter, shape (4 * H,)

    Notes
    -----
    Called as `RNN` is, but its state is the pair (h, c).

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

    def forward(self, x: Any, state: Any = None, lengths: Any = None) -> Any:
        h0, c0 = (None, None) if state is None else state
        y, h, c = functional.lstm(x, self.w_x, self.w_h, self.b, h0, c0, lengths=lengths, reverse=self.reverse)
        return y, (h, c)


class Bidirectional(Module):
    """Two recurrent layers over the same sequences, one from each end, their outputs side by side.

    Parameters
    ----------
    ahead, back : RNN, GRU or LSTM
        ``back`` must have been made with ``reverse=True``, ``ahead`` without.

    Notes
    -----
    Returns y (N, T, H of ahead + H of back) and the pair of their last states; ``state`` is such a pair.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> both = ct.nn.Bidirectional(ct.nn.GRU(3, 4), ct.nn.GRU(3, 4, reverse=True))
    >>> y, (h_ahead, h_back) = both(np.ones((2, 5, 3), np.float32), lengths=[5, 2])
    >>> y.shape, h_back.shape
    ((2, 5, 8), (2, 4))
    """

    def __init__(self, ahead: _Recurrent, back: _Recurrent) -> None:
        super().__init__()
        for name, layer, reverse in (("ahead", ahead, False), ("back", back, True)):
            if not isinstance(layer, _Recurrent) or layer.reverse != reverse:
                raise ValueError(f"Bidirectional: {name} must be an RNN, GRU or LSTM with reverse={reverse}")
        self.ahead, self.back = ahead, back

    def forward(self, x: Any, state: Any = None, lengths: Any = None) -> Any:
        x = x if isinstance(x, Tensor) else Tensor(x)
        first, second = (None, None) if state is None else state
        y_ahead, h_ahead = self.ahead(x, first, lengths)
        y_back, h_back = self.back(x, second, lengths)
        return concatenate([y_ahead, y_back], axis=-1), (h_ahead, h_back)


def recurrent_from_torch(state: Mapping[str, Any], suffix: str = "_l0") -> dict[str, NDArray[Any]]:
    """Return the weights of one layer of ``torch.nn.RNN``, ``GRU`` or ``LSTM`` as `RNN`, `GRU` and `LSTM` hold them.

    Weights are transposed; gates keep their order. PyTorch's two biases are added, but for the GRU, which needs both.

    Parameters
    ----------
    state : mapping of str to array
        The layer's ``state_dict()``, of tensors or arrays.
    suffix : str
        Which layer and direction: ``"_l0"``, ``"_l1"``, ``"_l0_reverse"``.

    Returns
    -------
    dict
        ``w_x``, ``w_h`` and ``b``, as `Module.load_state_dict` takes them.

    Examples
    --------
    >>> import catalase as ct
    >>> layer = ct.nn.LSTM(3, 4, rng=0)
    >>> weights = ct.nn.recurrent_to_torch(layer)
    >>> weights["weight_ih_l0"].shape
    (16, 3)
    >>> layer.load_state_dict(ct.nn.recurrent_from_torch(weights))
    """
    names = [f"{kind}{suffix}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    missing = [name for name in names[:2] if name not in state]
    if missing:
        raise ValueError(f"recurrent_from_torch: no {' and no '.join(missing)} among {sorted(state)}")
    w_x, w_h = (np.ascontiguousarray(np.asarray(state[name]).T) for name in names[:2])
    zeros = np.zeros(w_h.shape[1], w_h.dtype)
    b_x, b_h = (np.asarray(state[name]) if name in state else zeros for name in names[2:])
    return {"w_x": w_x, "w_h": w_h, "b": np.stack([b_x, b_h]) if w_h.shape[1] == 3 * w_h.shape[0] else b_x + b_h}


def recurrent_to_torch(layer: RNN | GRU | LSTM, suffix: str = "_l0") -> dict[str, NDArray[Any]]:
    """Return a layer's weights under PyTorch's names and in its layout; the way back of `recurrent_from_torch`.

    Where PyTorch has two biases and we have one, its second is zeros.
    """
    own = layer.state_dict()
    b_x, b_h = own["b"] if own["b"].ndim == 2 else (own["b"], np.zeros_like(own["b"]))
    values = {"weight_ih": own["w_x"].T, "weight_hh": own["w_h"].T, "bias_ih": b_x, "bias_hh": b_h}
    return {f"{kind}{suffix}": np.ascontiguousarray(value) for kind, value in values.items()}
