"""Multi-head attention, the encoder of a transformer, and positional encodings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import flag, number, shown, whole_number
from ..autograd import Tensor
from ..autograd.tensor import as_tensor
from ..backends import backend_of, to_device
from ..ops.attention import check_lengths
from . import functional
from .functional.attention import SelfAttention
from .init import LARGEST_SIZE, normal, random_generator, start_values
from .layer_norm import LayerNorm
from .layers import Dropout, Linear, activation_code
from .module import Module
from .parameter import Parameter


class MultiHeadAttention(Module):
    """Attention of several heads between projections: ``output(concat_h(softmax(q_h k_h^T / sqrt(D)) v_h))``.

    Parameters
    ----------
    embed_dim : int
        E, the values of a step.
    num_heads : int
        H; E must be a multiple of it, D = E / H.
    bias : bool
        Whether the projections have a bias.
    rng : numpy.random.Generator or int, optional
        Generator of the initial values, or its seed.

    Attributes
    ----------
    project : Linear
        From E to 3 E values: queries, keys and values side by side, a head's columns next to each other, as in PyTorch.
    output : Linear
        From E to E values.

    Notes
    -----
    The layer is called with ``query`` (N, Tq, E), optionally ``key`` and ``value`` (N, Tk, E), by default the query
    itself (``value`` by default the key); ``lengths`` (N,), how many keys of each sequence are there; ``query_lengths``,
    by default those of the keys where the query attends to itself; and ``causal``: a step sees none after it. It returns
    (N, Tq, E). See `catalase.ops.attention`; the matrix of scores is never in memory. Names and results are those of
    ``torch.nn.MultiheadAttention`` with ``batch_first=True`` and no dropout of the scores.

    References
    ----------
    Vaswani et al., "Attention is all you need", arXiv:1706.03762.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> layer = ct.nn.MultiHeadAttention(8, 2, rng=0)
    >>> layer(np.ones((3, 5, 8), np.float32), lengths=[5, 2, 1]).shape
    (3, 5, 8)
    """

    def __init__(
        self, embed_dim: int, num_heads: int, bias: bool = True, *, rng: np.random.Generator | int | None = None
    ) -> None:
        super().__init__()
        name = "MultiHeadAttention"
        self.embed_dim, self.num_heads = _sizes(name, embed_dim, num_heads)
        rng, bias = random_generator(name, rng), flag(name, "bias", bias)
        self.project = Linear(self.embed_dim, 3 * self.embed_dim, bias=bias, rng=rng)
        self.output = Linear(self.embed_dim, self.embed_dim, bias=bias, rng=rng)

    def forward(
        self,
        query: Tensor,
        key: Tensor | None = None,
        value: Tensor | None = None,
        lengths: Any = None,
        query_lengths: Any = None,
        causal: bool = False,
    ) -> Tensor:
        query = self._steps("query", query)
        if key is None and value is None:
            query_lengths = lengths if query_lengths is None else query_lengths
            options: dict[str, Any] = {"lengths": lengths, "query_lengths": query_lengths, "causal": causal}
            y: Tensor = SelfAttention.apply(self.project(query), heads=self.num_heads, **options)
            return self.output(y)
        if key is None:
            raise ValueError("MultiHeadAttention: value needs a key; give key, or leave value out")
        key = self._steps("key", key)
        value = key if value is None else self._steps("value", value)
        for name, x in (("key", key), ("value", value)):
            if len(x) != len(query) or x.shape[1] != key.shape[1]:
                raise ValueError(
                    f"MultiHeadAttention: key and value must have shape ({len(query)}, T, {self.embed_dim}), as many "
                    f"sequences as query and one T, but {name} has {x.shape} and key {key.shape}"
                )
        parts = [self._heads(self._part(x, i)) for i, x in enumerate((query, key, value))]
        y = functional.attention(*parts, lengths=lengths, query_lengths=query_lengths, causal=causal)
        return self.output(y.transpose(0, 2, 1, 3).reshape(query.shape))

    def step(self, x: Tensor, before: Tensor | None, lengths: Any = None) -> tuple[Tensor, Tensor]:
        """Attend causally; return (N, T, E), and the keys and values so far (2, T, N, E), cut off from the tape.

        With ``before``, those of the steps before, x is one step (N, 1, E) that sees them all.
        """
        projected = self.project(x)
        n, steps, width = x.shape
        own = projected.data.reshape(n, steps, 3, width).transpose(2, 1, 0, 3)[1:]
        if before is None:
            options: dict[str, Any] = {"lengths": lengths, "query_lengths": lengths, "causal": True}
            y: Tensor = SelfAttention.apply(projected, heads=self.num_heads, **options)
            return self.output(y), Tensor(own)
        both = backend_of(own).concatenate([before.data, own], 1)
        shape = (both.shape[1], n, self.num_heads, width // self.num_heads)
        keys, values = (both[i].reshape(shape).transpose(1, 2, 0, 3) for i in range(2))
        y = functional.attention(self._heads(projected[:, :, :width]), Tensor(keys), Tensor(values))
        return self.output(y.transpose(0, 2, 1, 3).reshape(x.shape)), Tensor(both)

    def _steps(self, name: str, x: Any) -> Tensor:
        return _steps("MultiHeadAttention", name, x, self.embed_dim)

    def _part(self, x: Tensor, i: int) -> Tensor:
        """The queries, keys or values of x."""
        columns = slice(i * self.embed_dim, (i + 1) * self.embed_dim)
        b = None if self.project.b is None else self.project.b[columns]
        return functional.linear(x, self.project.w[:, columns], b)

    def _heads(self, x: Tensor) -> Tensor:
        n, steps, width = x.shape
        return x.reshape((n, steps, self.num_heads, width // self.num_heads)).transpose(0, 2, 1, 3)

    def __repr__(self) -> str:
        return f"MultiHeadAttention({self.embed_dim}, {self.num_heads})"


class TransformerEncoderLayer(Module):
    """Self-attention and a dense block of one hidden layer, each with a residual connection and layer normalization.

    Parameters
    ----------
    embed_dim, num_heads : int
        E and H of `MultiHeadAttention`.
    hidden_size : int, optional
        Width of the dense block's hidden layer; 4 E by default.
    dropout : float
        Dropout rate after attention, after the activation, and after the dense block, during training.
    activation : str
        Of the hidden layer, such as "relu" or "gelu".
    norm_first : bool
        Normalize what goes into attention and into the dense block (pre-norm), and not their sums with what went in.
    eps : float
        Of the normalization.
    rng : numpy.random.Generator or int, optional

    Notes
    -----
    The layer is called with x (N, T, E), ``lengths`` (N,), and ``causal``, and returns (N, T, E); what is beyond a
    sequence's length does not reach the steps within. Without dropout the result is that of
    ``torch.nn.TransformerEncoderLayer``; PyTorch also drops scores of attention.

    References
    ----------
    Vaswani et al., "Attention is all you need", arXiv:1706.03762. Xiong et al., "On layer normalization in the transformer
    architecture", arXiv:2002.04745.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> layer = ct.nn.TransformerEncoderLayer(8, 2, norm_first=True, rng=0)
    >>> layer(np.ones((3, 5, 8), np.float32)).shape
    (3, 5, 8)
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        hidden_size: int | None = None,
        dropout: float = 0.0,
        activation: str = "relu",
        norm_first: bool = False,
        eps: float = 1e-5,
        *,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        super().__init__()
        name = "TransformerEncoderLayer"
        _check_options(name, embed_dim, num_heads, hidden_size, dropout, activation, norm_first, eps)
        self.norm_first, rng = bool(norm_first), random_generator(name, rng)
        self.attention = MultiHeadAttention(embed_dim, num_heads, rng=rng)
        embed_dim = self.attention.embed_dim
        hidden = 4 * embed_dim if hidden_size is None else int(hidden_size)
        self.hidden = Linear(embed_dim, hidden, activation=activation, rng=rng)
        self.output = Linear(hidden, embed_dim, rng=rng)
        self.norms = [LayerNorm(embed_dim, eps), LayerNorm(embed_dim, eps)]
        self.dropouts = [Dropout(dropout) for _ in range(3)]

    def forward(self, x: Tensor, lengths: Any = None, causal: bool = False) -> Tensor:
        x = _steps(type(self).__name__, "x", x, self.attention.embed_dim)
        attended = self.attention(self.norms[0](x) if self.norm_first else x, lengths=lengths, causal=causal)
        return self._rest(x, attended)

    def step(self, x: Tensor, before: Tensor | None, lengths: Any = None) -> tuple[Tensor, Tensor]:
        """Return (N, T, E), and the keys and values so far; see `MultiHeadAttention.step`."""
        attended, so_far = self.attention.step(self.norms[0](x) if self.norm_first else x, before, lengths)
        return self._rest(x, attended), so_far

    def _rest(self, x: Tensor, attended: Tensor) -> Tensor:
        """What follows attention."""
        x = x + self.dropouts[0](attended)
        if not self.norm_first:
            x = self.norms[0](x)
        inner = self.norms[1](x) if self.norm_first else x
        x = x + self.dropouts[2](self.output(self.dropouts[1](self.hidden(inner))))
        return x if self.norm_first else self.norms[1](x)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.attention.embed_dim}, {self.attention.num_heads}, {self.hidden.w.shape[1]}, "
            f"dropout={self.dropouts[0].rate}, activation={self.hidden.activation!r}, norm_first={self.norm_first})"
        )


class TransformerEncoder(Module):
    """A stack of `TransformerEncoderLayer`; with ``norm_first`` a layer normalization follows the last.

    Parameters
    ----------
    embed_dim, num_heads : int
    num_layers : int
    hidden_size, dropout, activation, norm_first, eps
        As in `TransformerEncoderLayer`.
    causal : bool
        A step sees none after it.
    rng : numpy.random.Generator or int, optional

    Attributes
    ----------
    layers : list of TransformerEncoderLayer
    norm : LayerNorm, or None

    Notes
    -----
    The encoder is called, as recurrent layers are, with x (N, T, E), a state (None by default) and ``lengths`` (N,). It
    returns y (N, T, E), zeros beyond a sequence's length, and a state. With ``causal``, where no sequence is shorter than T,
    the state holds the keys and values of all steps, for each layer (2, T, N, E), cut off from the tape: the next call,
    with one step (N, 1, E) and that state, computes that step alone, with the bits that it has in the whole sequence.
    Otherwise it is None. A sequence's bits do not depend on the batch.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> encoder = ct.nn.TransformerEncoder(8, 2, num_layers=3, causal=True, rng=0)
    >>> x = np.random.default_rng(0).random((4, 6, 8), dtype=np.float32)
    >>> whole, _ = encoder(x)
    >>> _, state = encoder(x[:, :5])
    >>> last, _ = encoder(x[:, 5:], state)
    >>> bool((last.numpy() == whole.numpy()[:, 5:]).all())
    True
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        num_layers: int = 1,
        hidden_size: int | None = None,
        dropout: float = 0.0,
        activation: str = "relu",
        norm_first: bool = False,
        causal: bool = False,
        eps: float = 1e-5,
        *,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        super().__init__()
        name = "TransformerEncoder"
        _check_options(name, embed_dim, num_heads, hidden_size, dropout, activation, norm_first, eps)
        rng = random_generator(name, rng)
        self.causal = flag(name, "causal", causal)
        options: dict[str, Any] = {"hidden_size": hidden_size, "dropout": dropout, "activation": activation}
        options |= {"norm_first": norm_first, "eps": eps, "rng": rng}
        self.layers = [
            TransformerEncoderLayer(embed_dim, num_heads, **options)
            for _ in range(whole_number(name, "num_layers", num_layers, 1, 10_000))
        ]
        self.embed_dim = self.layers[0].attention.embed_dim
        self.norm = LayerNorm(self.embed_dim, eps) if self.layers[0].norm_first else None

    def forward(self, x: Tensor, state: Any = None, lengths: Any = None) -> Any:
        name = "TransformerEncoder"
        x = _steps(name, "x", x, self.embed_dim)
        given = self._check_state(state, x)
        lengths = check_lengths(name, "lengths", lengths, *x.shape[:2])
        states = []
        for layer, before in zip(self.layers, given, strict=True):
            if self.causal:
                x, so_far = layer.step(x, before, lengths if before is None else None)
                states.append(so_far)
            else:
                x = layer(x, lengths)
        x = x if self.norm is None else self.norm(x)
        if lengths is None:
            return x, tuple(states) if self.causal else None
        if (lengths == x.shape[1]).all():
            return x, tuple(states) if self.causal else None
        there = (np.arange(x.shape[1]) < lengths[:, None])[:, :, None].astype(x.dtype)
        return x * Tensor(to_device(there, x.device)), None

    def _check_state(self, state: Any, x: Tensor) -> tuple[Any, ...]:
        """The state of each layer, or None."""
        name = "TransformerEncoder"
        if state is None:
            return (None,) * len(self.layers)
        if not isinstance(state, (tuple, list)) or len(state) != len(self.layers) or not self.causal:
            raise TypeError(f"{name}: state must be None, or what a causal encoder returned, got {shown(state)}")
        tensors = tuple(as_tensor(name, "state", s) for s in state)
        for s in tensors:
            if s.ndim != 4 or (s.shape[0], *s.shape[2:]) != (2, len(x), self.embed_dim):
                raise ValueError(
                    f"{name}: a layer's state must have shape (2, T, {len(x)}, {self.embed_dim}), got {s.shape}"
                )
        if x.shape[1] != 1:
            raise ValueError(f"{name}: with a state x must be one step (N, 1, {self.embed_dim}), got shape {x.shape}")
        return tensors

    def __repr__(self) -> str:
        inner = repr(self.layers[0]).removeprefix("TransformerEncoderLayer(")
        return f"TransformerEncoder({len(self.layers)} x {inner[:-1]}, causal={self.causal})"


class SinusoidalPositions(Module):
    """Adds to step t the values ``sin(t / 10000^(2i/E))`` in column 2i and ``cos`` of the same in column 2i + 1.

    Notes
    -----
    The layer is called with x (N, T, E) and ``start``, the number of the first step (0 by default). It has no parameters.

    References
    ----------
    Vaswani et al., "Attention is all you need", arXiv:1706.03762, section 3.5.

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.nn.SinusoidalPositions()(np.zeros((1, 2, 4), np.float32)).numpy().round(2)
    array([[[0.  , 1.  , 0.  , 1.  ],
            [0.84, 0.54, 0.01, 1.  ]]], dtype=float32)
    """

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        x = _steps("SinusoidalPositions", "x", x, None)
        start = whole_number("SinusoidalPositions", "start", start, 0, LARGEST_SIZE)
        rows = sinusoids(start, start + x.shape[1], x.shape[2]).astype(x.dtype)
        return x + Tensor(to_device(rows, x.device))


def sinusoids(first: int, last: int, width: int) -> NDArray[np.float64]:
    """Return the rows first to last of the sinusoidal positional encoding, (last - first, width)."""
    angles = np.arange(first, last)[:, None] / 10000.0 ** (np.arange(0, width, 2) / width)
    rows = np.empty((last - first, width))
    rows[:, 0::2], rows[:, 1::2] = np.sin(angles), np.cos(angles[:, : width // 2])
    return rows


class LearnedPositions(Module):
    """Adds to step t the trained row t.

    Parameters
    ----------
    max_length : int
        The most steps.
    embed_dim : int
        E.
    rng : numpy.random.Generator or int, optional

    Attributes
    ----------
    w : Parameter, shape (max_length, E)
        Initially normal with standard deviation 0.02, as in BERT.

    Notes
    -----
    The layer is called with x (N, T, E) and ``start``, the number of the first step (0 by default).

    Examples
    --------
    >>> import numpy as np, catalase as ct
    >>> ct.nn.LearnedPositions(100, 8, rng=0)(np.zeros((2, 5, 8), np.float32)).shape
    (2, 5, 8)
    """

    def __init__(self, max_length: int, embed_dim: int, *, rng: np.random.Generator | int | None = None) -> None:
        super().__init__()
        name = "LearnedPositions"
        shape = (
            whole_number(name, "max_length", max_length, 1, LARGEST_SIZE),
            whole_number(name, "embed_dim", embed_dim, 1, LARGEST_SIZE),
        )
        self.w = Parameter(start_values(name, "w", normal(0.02), shape, random_generator(name, rng)).copy())

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        most, width = self.w.shape
        x = _steps("LearnedPositions", "x", x, width)
        start = whole_number("LearnedPositions", "start", start, 0, LARGEST_SIZE)
        if start + x.shape[1] > most:
            raise ValueError(
                f"LearnedPositions: there are {most} positions, but x has the steps up to {start + x.shape[1]}"
            )
        return x + self.w[start : start + x.shape[1]]

    def __repr__(self) -> str:
        return f"LearnedPositions({self.w.shape[0]}, {self.w.shape[1]})"


def _sizes(layer: str, embed_dim: int, num_heads: int) -> tuple[int, int]:
    """Return the checked width and number of heads."""
    width = whole_number(layer, "embed_dim", embed_dim, 1, LARGEST_SIZE // 4)
    heads = whole_number(layer, "num_heads", num_heads, 1, LARGEST_SIZE)
    if width % heads:
        raise ValueError(f"{layer}: embed_dim must be a multiple of num_heads, got {width} and {heads}")
    return width, heads


def _check_options(
    layer: str, embed_dim: int, num_heads: int, hidden_size: int | None, dropout: float, activation: str,
    norm_first: bool, eps: float,
) -> None:  # fmt: skip
    _sizes(layer, embed_dim, num_heads)
    if hidden_size is not None:
        whole_number(layer, "hidden_size", hidden_size, 1, LARGEST_SIZE)
    number(layer, "dropout", dropout, at_least=0, below=1)
    activation_code(layer, activation)
    flag(layer, "norm_first", norm_first)
    number(layer, "eps", eps, above=0)


def _steps(layer: str, name: str, x: Any, width: int | None) -> Tensor:
    """Return steps (N, T, E) as a tensor; refuse other shapes."""
    x = as_tensor(layer, name, x)
    if x.ndim != 3 or x.shape[2] != (x.shape[2] if width is None else width):
        raise ValueError(f"{layer}: {name} must be (N, T, {'E' if width is None else width}), got shape {x.shape}")
    return x
