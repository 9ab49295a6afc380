"""The base class of the recurrent layers: several layers, both directions, dropout between layers, and states."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import flag, number, shown, whole_number
from ..autograd import Tensor, concatenate
from ..autograd.tensor import as_tensor
from .allowance import claim
from .init import LARGEST_SIZE, check_room, random_generator
from .layers import Dropout
from .module import Module
from .parameter import Parameter


class Recurrent(Module, ABC):
    """The base class of `RNN`, `GRU` and `LSTM`, with their weights and the loop over layers and directions."""

    gates = 1
    biases: tuple[int, ...] = ()
    states = 1
    w_x: Parameter
    w_h: Parameter
    b: Parameter

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        num_layers: int = 1,
        dropout: float = 0.0,
        bidirectional: bool = False,
        reverse: bool = False,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.input_size = whole_number(name, "input_size", input_size, 1, LARGEST_SIZE)
        self.hidden_size = whole_number(name, "hidden_size", hidden_size, 1, LARGEST_SIZE)
        self.num_layers = whole_number(name, "num_layers", num_layers, 1, 10_000)
        dropout = number(name, "dropout", dropout, at_least=0, below=1)
        bidirectional, reverse = flag(name, "bidirectional", bidirectional), flag(name, "reverse", reverse)
        if dropout and num_layers == 1:
            raise ValueError(f"{name}: dropout acts between layers; it needs num_layers of 2 or more, or must be 0")
        if bidirectional and reverse:
            raise ValueError(f"{name}: reverse is for one direction; leave it out where bidirectional is True")
        rng = random_generator(name, rng)
        self.bidirectional, self.reverse = bidirectional, reverse
        self.output_size = self.hidden_size * (1 + self.bidirectional)
        width = self.gates * self.hidden_size
        for suffix in self.suffixes():
            inputs = self.input_size if suffix in ("", "_l0_reverse") else self.output_size
            setattr(self, f"w_x{suffix}", Parameter(self._draw(rng, (inputs, width))))
            setattr(self, f"w_h{suffix}", Parameter(self._draw(rng, (self.hidden_size, width))))
            setattr(self, f"b{suffix}", Parameter(self._draw(rng, (*self.biases, width)), decay=False))
        self.between = [Dropout(dropout) for _ in range(self.num_layers - 1)]

    def suffixes(self) -> list[str]:
        """Return the suffixes of the weights' names, layer by layer: "", "_l0_reverse", "_l1", "_l1_reverse", ..."""
        ways = ("", "_reverse") if self.bidirectional else ("",)
        return [f"_l{k}{way}" if k or way else "" for k in range(self.num_layers) for way in ways]

    def _draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
        check_room(type(self).__name__, "the weights", shape)
        claim(shape)
        limit = np.float32(1 / np.sqrt(self.hidden_size))
        return ((rng.random(shape, dtype=np.float32) * 2 - 1) * limit).astype(np.float32)

    @abstractmethod
    def _cell(self, x: Any, weights: list[Any], start: tuple[Any, ...], **options: Any) -> tuple[Tensor, ...]:
        """Run one layer in one direction; return y and the last states."""

    def forward(self, x: Any, state: Any = None, lengths: Any = None) -> Any:
        suffixes = self.suffixes()
        name = type(self).__name__
        starts = self._starts(state)
        if len(suffixes) == 1:
            y, *ends = self._cell(x, self._weights(""), starts, lengths=lengths, reverse=self.reverse)
            return y, tuple(ends) if self.states > 1 else ends[0]
        self._check_states(starts, len(suffixes))
        x = as_tensor(name, "x", x)
        last: list[list[Tensor]] = [[] for _ in range(self.states)]
        ways = 1 + self.bidirectional
        for layer in range(self.num_layers):
            outputs = []
            for k in range(layer * ways, (layer + 1) * ways):
                start = tuple(None if s is None else s[k] for s in starts)
                back = self.reverse or k % ways == 1
                y, *ends = self._cell(x, self._weights(suffixes[k]), start, lengths=lengths, reverse=back)
                outputs.append(y)
                for known, end in zip(last, ends, strict=True):
                    known.append(end.reshape(1, *end.shape))
            x = concatenate(outputs, axis=-1) if ways > 1 else outputs[0]
            if layer < self.num_layers - 1:
                x = self.between[layer](x)
        stacked = tuple(concatenate(known) for known in last)
        return x, stacked if self.states > 1 else stacked[0]

    def _starts(self, state: Any) -> tuple[Any, ...]:
        """Return the initial states, each a tensor, an array or None."""
        name = type(self).__name__
        if state is None:
            return (None,) * self.states
        if self.states > 1 and (not isinstance(state, (tuple, list)) or len(state) != self.states):
            raise TypeError(f"{name}: state must be None or the pair (h, c), got {shown(state)}")
        states = state if self.states > 1 else (state,)
        return tuple(None if s is None else as_tensor(name, "state", s) for s in states)

    def _weights(self, suffix: str) -> list[Any]:
        return [getattr(self, f"{name}{suffix}") for name in ("w_x", "w_h", "b")]

    def _check_states(self, starts: tuple[Any, ...], count: int) -> None:
        for start in starts:
            if start is not None and (start.ndim != 3 or start.shape[::2] != (count, self.hidden_size)):
                raise ValueError(
                    f"{type(self).__name__}: a state must have shape ({count}, N, {self.hidden_size}), a block for each "
                    f"layer and direction, got {start.shape}"
                )

    def __repr__(self) -> str:
        shown = f"{type(self).__name__}({self.input_size}, {self.hidden_size}"
        if self.num_layers > 1:
            shown += f", num_layers={self.num_layers}, dropout={self.between[0].rate}"
        return shown + (", bidirectional=True)" if self.bidirectional else f", reverse={self.reverse})")
