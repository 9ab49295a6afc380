"""Recurrent layers under PyTorch's names, with its arguments, start values, state dicts and layouts."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from .functions import check_input, function

_rnn, _gru, _lstm = (function(name) for name in ("rnn", "gru", "lstm"))


class _Recurrent:
    """What a recurrent layer of PyTorch computes with; its own code checks arguments, and draws the start values."""

    def __init__(self, *args: Any, **options: Any) -> None:
        if options.get("proj_size") or len(args) > 7:
            raise ValueError(f"{type(self).__name__}: projections (proj_size) are not supported; use torch.nn.LSTM")
        super().__init__(*args, **options)

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Return the output and the last state, as PyTorch's layer does; a PackedSequence gives a PackedSequence."""
        layer: Any = self
        packed = isinstance(input, PackedSequence)
        lengths: Any = None
        x = input
        if packed:
            x, lengths = pad_packed_sequence(input, batch_first=layer.batch_first)
        check_input(layer, x)
        single = x.ndim == 2
        if x.ndim not in (2, 3) or x.shape[-1] != layer.input_size:
            raise ValueError(
                f"{type(self).__name__}: input must have 2 or 3 axes, the last of {layer.input_size} values, got shape "
                f"{tuple(x.shape)}"
            )
        if single:
            x, hx = x.unsqueeze(0 if layer.batch_first else 1), _states(hx)
        states = self._checked(x, hx)
        x = x if layer.batch_first else x.transpose(0, 1)
        ways = 2 if layer.bidirectional else 1
        last = []
        for level in range(layer.num_layers):
            outputs = []
            for way in range(ways):
                start = [state[level * ways + way] for state in states]
                weights = self._weights(f"_l{level}" + ("_reverse" if way else ""))
                y, *ends = self._cell(x, *weights, *start, lengths=lengths, reverse=bool(way))
                outputs.append(y)
                last.append(ends)
            x = torch.cat(outputs, -1) if ways > 1 else outputs[0]
            if level < layer.num_layers - 1 and layer.dropout:
                x = torch.nn.functional.dropout(x, layer.dropout, layer.training)
        y = x if layer.batch_first else x.transpose(0, 1)
        found = tuple(torch.stack(ends) for ends in zip(*last, strict=True))
        if single:
            y, found = y.squeeze(0 if layer.batch_first else 1), tuple(state.squeeze(1) for state in found)
        if packed:
            y = pack_padded_sequence(y, lengths, layer.batch_first, enforce_sorted=input.sorted_indices is None)
        return y, found if layer.mode == "LSTM" else found[0]

    def _checked(self, x: Any, hx: Any) -> tuple[Any, ...]:
        layer: Any = self
        if hx is None:
            return ()
        for state in hx if isinstance(hx, (tuple, list)) else (hx,):
            check_input(layer, state)
        states = tuple(hx) if isinstance(hx, (tuple, list)) else (hx,)
        count = 2 if layer.mode == "LSTM" else 1
        rows = x.shape[0 if layer.batch_first else 1]
        shape = (layer.num_layers * (2 if layer.bidirectional else 1), rows, layer.hidden_size)
        if len(states) != count or any(tuple(getattr(state, "shape", ())) != shape for state in states):
            raise ValueError(
                f"{type(self).__name__}: hx must be {'the pair (h, c) of tensors' if count == 2 else 'a tensor'} of shape "
                f"{shape}, got {[tuple(getattr(state, 'shape', ())) for state in states]}"
            )
        return states

    def _weights(self, suffix: str) -> tuple[Any, Any, Any]:
        layer: Any = self
        w_x, w_h = (getattr(layer, f"{name}{suffix}").t() for name in ("weight_ih", "weight_hh"))
        if not layer.bias:
            return w_x, w_h, w_x.new_zeros(self._bias_shape(w_h))
        return w_x, w_h, self._joined(*(getattr(layer, f"{name}{suffix}") for name in ("bias_ih", "bias_hh")))

    def _bias_shape(self, w_h: Any) -> tuple[int, ...]:
        return (w_h.shape[1],)

    def _joined(self, b_x: Any, b_h: Any) -> Any:
        return b_x + b_h

    def _cell(self, *tensors: Any, **options: Any) -> Any:
        raise NotImplementedError


def _states(hx: Any) -> Any:
    """States of one sequence with the axis of a batch; what is no tensor is refused later."""
    if isinstance(hx, (tuple, list)):
        return tuple(map(_states, hx))
    return hx.unsqueeze(1) if isinstance(hx, torch.Tensor) and hx.ndim else hx


class RNN(_Recurrent, torch.nn.RNN):
    """`torch.nn.RNN` on this library's kernels; see `LSTM`.

    Examples
    --------
    >>> import torch, catalase as ct
    >>> y, h = ct.interop.torch.RNN(3, 4, nonlinearity="relu")(torch.ones(5, 2, 3))
    >>> y.shape, h.shape
    (torch.Size([5, 2, 4]), torch.Size([1, 2, 4]))
    """

    def _cell(self, *tensors: Any, **options: Any) -> Any:
        return _rnn(*tensors, activation=self.nonlinearity, **options)


class GRU(_Recurrent, torch.nn.GRU):
    """`torch.nn.GRU` on this library's kernels; see `LSTM`.

    Examples
    --------
    >>> import torch, catalase as ct
    >>> y, h = ct.interop.torch.GRU(3, 4, batch_first=True)(torch.ones(2, 5, 3))
    >>> y.shape, h.shape
    (torch.Size([2, 5, 4]), torch.Size([1, 2, 4]))
    """

    def _bias_shape(self, w_h: Any) -> tuple[int, ...]:
        return (2, w_h.shape[1])

    def _joined(self, b_x: Any, b_h: Any) -> Any:
        return torch.stack([b_x, b_h])

    def _cell(self, *tensors: Any, **options: Any) -> Any:
        return _gru(*tensors, **options)


class LSTM(_Recurrent, torch.nn.LSTM):
    """`torch.nn.LSTM` on this library's kernels.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype
        As for `torch.nn.LSTM`. ``proj_size`` is refused.

    Notes
    -----
    It takes padded sequences and `PackedSequence`, with or without initial states, and its state dict is PyTorch's. The
    kernels read (N, T, I): with ``batch_first=True`` the input is read where it is.

    Examples
    --------
    >>> import torch, catalase as ct
    >>> layer = ct.interop.torch.LSTM(3, 4, num_layers=2, batch_first=True)
    >>> layer.load_state_dict(torch.nn.LSTM(3, 4, num_layers=2).state_dict())
    <All keys matched successfully>
    >>> y, (h, c) = layer(torch.ones(2, 5, 3))
    >>> y.shape, h.shape
    (torch.Size([2, 5, 4]), torch.Size([2, 2, 4]))
    """

    def _cell(self, *tensors: Any, **options: Any) -> Any:
        return _lstm(*tensors, **options)
