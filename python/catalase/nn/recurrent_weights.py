"""Conversion of recurrent layers' weights from and to PyTorch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._internal.numbers import shown
from .recurrent import GRU, LSTM, RNN
from .recurrent_base import Recurrent

_KINDS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def recurrent_from_torch(state: Mapping[str, Any], suffix: str | None = None) -> dict[str, NDArray[Any]]:
    """Return the weights of ``torch.nn.RNN``, ``GRU`` or ``LSTM`` as `RNN`, `GRU` and `LSTM` hold them.

    Weights are transposed; gates keep their order. PyTorch's two biases are added, except for the GRU, which needs both.

    Parameters
    ----------
    state : mapping of str to array
        The layer's ``state_dict()``, of tensors or arrays.
    suffix : str, optional
        Take only one layer and direction, such as ``"_l0"``, ``"_l1"`` or ``"_l0_reverse"``, for a layer of Catalase that
        has no others; all are taken by default.

    Returns
    -------
    dict
        Weights for `Module.load_state_dict`: ``w_x``, ``w_h`` and ``b`` of the first layer, ``w_x_l1`` and so on of
        others.

    Raises
    ------
    ValueError
        If weights are missing, or the layer has projections (``proj_size``), which Catalase lacks.

    Examples
    --------
    >>> import catalase as ct
    >>> layer = ct.nn.LSTM(3, 4, num_layers=2, rng=0)
    >>> weights = ct.nn.recurrent_to_torch(layer)
    >>> weights["weight_ih_l1"].shape
    (16, 4)
    >>> layer.load_state_dict(ct.nn.recurrent_from_torch(weights))
    """
    if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
        raise TypeError(f"recurrent_from_torch: state must be a dictionary of arrays by name, got {shown(state)}")
    if suffix is not None and not isinstance(suffix, str):
        raise TypeError(f"recurrent_from_torch: suffix must be a string such as '_l0', got {shown(suffix)}")
    if any(name.startswith("weight_hr") for name in state):
        raise ValueError("recurrent_from_torch: this layer has projections (proj_size), which are not supported")
    if suffix is not None:
        return _from_torch(state, suffix, "")
    found = [m[1] for name in state if (m := re.fullmatch(r"weight_ih(_l\d+(?:_reverse)?)", name))]
    out: dict[str, NDArray[Any]] = {}
    for theirs in found or ["_l0"]:
        out |= _from_torch(state, theirs, "" if theirs == "_l0" else theirs)
    return out


def _from_torch(state: Mapping[str, Any], theirs: str, ours: str) -> dict[str, NDArray[Any]]:
    names = [f"{kind}{theirs}" for kind in _KINDS]
    missing = [name for name in names[:2] if name not in state]
    if missing:
        raise ValueError(f"recurrent_from_torch: state has no {' and no '.join(missing)} among {sorted(state)}")
    w_x, w_h = (np.ascontiguousarray(np.asarray(state[name]).T) for name in names[:2])
    zeros = np.zeros(w_h.shape[1], w_h.dtype)
    b_x, b_h = (np.asarray(state[name]) if name in state else zeros for name in names[2:])
    b = np.stack([b_x, b_h]) if w_h.shape[1] == 3 * w_h.shape[0] else b_x + b_h
    return {f"w_x{ours}": w_x, f"w_h{ours}": w_h, f"b{ours}": b}


def recurrent_to_torch(layer: RNN | GRU | LSTM, suffix: str | None = None) -> dict[str, NDArray[Any]]:
    """Return a layer's weights under PyTorch's names and in its layout; this is the inverse of `recurrent_from_torch`.

    Where PyTorch has two biases and Catalase one, the second is zeros. ``suffix`` renames the weights of a single layer.
    """
    if not isinstance(layer, Recurrent):
        raise TypeError(f"recurrent_to_torch: layer must be an RNN, GRU or LSTM, got {shown(layer)}")
    if suffix is not None and not isinstance(suffix, str):
        raise TypeError(f"recurrent_to_torch: suffix must be a string such as '_l0', got {shown(suffix)}")
    own = layer.state_dict()
    out: dict[str, NDArray[Any]] = {}
    suffixes = layer.suffixes()
    if suffix is not None and len(suffixes) > 1:
        raise ValueError(f"recurrent_to_torch: suffix is for a single layer in one direction, got {layer!r}")
    for ours in suffixes:
        b = own[f"b{ours}"]
        b_x, b_h = b if b.ndim == 2 else (b, np.zeros_like(b))
        values = (own[f"w_x{ours}"].T, own[f"w_h{ours}"].T, b_x, b_h)
        theirs = suffix or ours or "_l0"
        out |= {f"{kind}{theirs}": np.ascontiguousarray(value) for kind, value in zip(_KINDS, values, strict=True)}
    return out
