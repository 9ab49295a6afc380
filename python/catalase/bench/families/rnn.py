"""Recurrent cells over whole sequences: forward, and forward with backward.

Catalase calls `catalase.ops`; PyTorch's layers have the same weights, and go backward through autograd from a given
gradient at the output to the gradients of input and weights. Ragged batches are packed sequences in PyTorch. Packing and
padding are part of its time, as ordering is part of Catalase's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..case import Case, Prepared
from ..device import CPU, Device

FAMILY = "rnn"
_GATES = {"lstm": 4, "gru": 3, "rnn": 1}
# The columns are cell, sequences, time steps, inputs, hidden units, and whether lengths differ.
_SHAPES = [
    ("lstm", 64, 100, 64, 128, False),
    ("lstm", 32, 200, 128, 256, False),
    ("gru", 64, 100, 64, 128, False),
    ("rnn", 64, 100, 64, 128, False),
    ("lstm", 1, 100, 64, 128, False),
    ("gru", 1, 100, 64, 128, False),
    ("rnn", 1, 100, 64, 128, False),
    ("lstm", 5, 3, 16, 16, False),
    ("lstm", 64, 200, 64, 128, True),
]
_QUICK = [("lstm", 3, 5, 4, 8, False), ("gru", 3, 5, 4, 8, True), ("rnn", 1, 5, 4, 8, False)]


def cases(quick: bool) -> list[Case]:
    out = []
    for cell, n, steps, inputs, hidden, ragged in _QUICK if quick else _SHAPES:
        lengths = _lengths(n, steps, ragged)
        products = 2.0 * float(lengths.sum()) * _GATES[cell] * hidden * (inputs + hidden)
        for backward in (False, True):
            span = f"{lengths.min()} to {steps}" if ragged else f"{steps}"
            name = f"{cell.upper()} {n} x {span}, {inputs}->{hidden}{', with backward' if backward else ''}"
            options = {"cell": cell, "sizes": (n, steps, inputs, hidden), "ragged": ragged, "backward": backward}
            out.append(Case(name, products * (3 if backward else 1), "GFLOP/s", options, tolerance=1e-4))
    return out


def _lengths(n: int, steps: int, ragged: bool) -> NDArray[Any]:
    """Return lengths of all time steps, or evenly spread from a twentieth of them on, in random order."""
    if not ragged:
        return np.full(n, steps)
    return np.random.default_rng(1).permutation(np.linspace(max(1, steps // 20), steps, n).astype(np.int64))


def _arrays(case: Case) -> dict[str, NDArray[Any]]:
    """Return input, weights, bias and the gradient at the output (zero beyond a length), the same for all libraries."""
    rng = np.random.default_rng(0)
    n, steps, inputs, hidden = case.options["sizes"]
    width = _GATES[case.options["cell"]] * hidden
    bias = (2, width) if case.options["cell"] == "gru" else (width,)
    scale = np.float32(1 / np.sqrt(hidden))
    shapes = {"w_x": (inputs, width), "w_h": (hidden, width), "b": bias}
    arrays = {name: (rng.random(shape, dtype=np.float32) * 2 - 1) * scale for name, shape in shapes.items()}
    arrays["x"] = rng.standard_normal((n, steps, inputs), dtype=np.float32)
    arrays["dy"] = rng.standard_normal((n, steps, hidden), dtype=np.float32)
    arrays["dy"][np.arange(steps) >= _lengths(n, steps, case.options["ragged"])[:, None]] = 0
    return arrays


def catalase(case: Case, device: Device = CPU) -> Prepared:
    from ... import ops

    a = {name: device.array(x) for name, x in _arrays(case).items()}
    cell, (n, steps, _, _) = case.options["cell"], case.options["sizes"]
    lengths = _lengths(n, steps, True) if case.options["ragged"] else None
    forward, keep, back = (getattr(ops, cell + ending) for ending in ("", "_forward", "_backward"))
    inputs, states = [a[name] for name in ("x", "w_x", "w_h", "b")], [None] * (2 if cell == "lstm" else 1)

    def call() -> list[Any]:
        if not case.options["backward"]:
            return [forward(*inputs, lengths=lengths)[0]]
        y, *_, saved = keep(*inputs, lengths=lengths)
        return [y, *back(a["dy"], *states, *inputs[:3], saved, lengths=lengths)[:4]]

    return Prepared(call, lambda: [device.numpy(x) for x in call()])


def torch(case: Case, device: Device = CPU) -> Prepared:
    import torch
    from torch.nn.utils import rnn

    a = _arrays(case)
    cell, (n, steps, inputs, hidden) = case.options["cell"], case.options["sizes"]
    lengths = torch.from_numpy(_lengths(n, steps, case.options["ragged"]))
    layer = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[cell](inputs, hidden, batch_first=True)
    b_x, b_h = a["b"] if cell == "gru" else (a["b"], np.zeros_like(a["b"]))
    own = {"weight_ih_l0": a["w_x"].T, "weight_hh_l0": a["w_h"].T, "bias_ih_l0": b_x, "bias_hh_l0": b_h}
    layer.load_state_dict({name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in own.items()})
    layer = layer.to(device.torch_name)
    x, dy = device.tensor(a["x"]), device.tensor(a["dy"])
    x.requires_grad_(case.options["backward"])

    def run() -> Any:
        if not case.options["ragged"]:
            return layer(x)[0]
        packed = rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return rnn.pad_packed_sequence(layer(packed)[0], batch_first=True, total_length=steps)[0]

    def call() -> list[Any]:
        if not case.options["backward"]:
            with torch.no_grad():
                return [run()]
        layer.zero_grad()
        x.grad = None
        y = run()
        y.backward(dy)
        return [
            y,
            x.grad,
            layer.weight_ih_l0.grad,
            layer.weight_hh_l0.grad,
            layer.bias_ih_l0.grad,
            layer.bias_hh_l0.grad,
        ]

    def result() -> list[NDArray[Any]]:
        y, *gradients = (device.numpy(t) for t in call())
        if not gradients:
            return [y]
        dx, dw_x, dw_h, db_x, db_h = gradients
        return [y, dx, dw_x.T, dw_h.T, np.stack([db_x, db_h]) if cell == "gru" else db_x]

    return Prepared(call, result)


LIBRARIES = {"catalase": catalase, "torch": torch}
ON_DEVICE = LIBRARIES
