"""Nonsense in every argument of the functions and layers of `interop.torch`; PyTorch checks those that it defines."""

from __future__ import annotations

import numpy as np
import pytest

import catalase as ct
from tests.nonsense import Target, call, report

torch = pytest.importorskip("torch")

ours = ct.interop.torch
GRAPHS = ct.ops.mol_graphs(["CCO"])
KINDS = {
    "d_v": "whole", "d_e": "whole", "d_h": "whole", "bias": "flag", "depth": "whole", "dropout": "number", "activation": "word?",
    "undirected": "flag", "keeps_output": "flag", "op": "function", "model": "layer", "module": "ours", "bmg": "ours",
}  # fmt: skip
FUNCTIONS = {
    "function": lambda: call("linear", keeps_output=True),
    "to_torch": lambda: call(ct.nn.Linear(2, 3)),
    "from_torch": lambda: call(torch.nn.Linear(2, 3)),
    "DMPNN": lambda: call(3, 2, 4, False, 2, 0.0, "relu", False),
}
LAYERS = {
    "Linear": lambda: ours.Linear(3, 2), "SparseLinear": lambda: ours.SparseLinear(3, 2), "Conv1d": lambda: ours.Conv1d(3, 2, 1),
    "Conv2d": lambda: ours.Conv2d(3, 2, 1), "RNN": lambda: ours.RNN(3, 2), "GRU": lambda: ours.GRU(3, 2), "LSTM": lambda: ours.LSTM(3, 2),
    "DMPNN": lambda: ours.DMPNN(72, 14, 4),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    also = {"op": ["op"], "bias": ["bias"]}
    wrong = Target(getattr(ours, name), FUNCTIONS[name], KINDS, (name,), also).failures()
    assert not wrong, report(wrong)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize(
    "value",
    [None, 3, "x", [1.0], {}, object(), np.ones((2, 3), np.float32), torch.ones(2, 3, dtype=torch.int64), torch.ones(2, 3).bool(),
     torch.ones(2, 3, dtype=torch.float16), torch.ones(()), torch.ones(0), torch.ones(2, 7), torch.ones(1, 2, 3, 4, 5)],
    ids=lambda value: f"{type(value).__name__} {getattr(value, 'shape', '')}",
)  # fmt: skip
def test_inputs_of_layers(name, value):
    with pytest.raises((TypeError, ValueError), match=f"{name}: |interop.torch: "):
        LAYERS[name]()(value)


def test_everything_public_is_in_a_table():
    assert set(ours.__all__) == set(FUNCTIONS) | set(LAYERS)
