"""The examples of docs/losses.md run, and its tables name every loss, activation and function of tensors."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import catalase as ct
from catalase import autograd, nn
from catalase._internal import registry
from tests.reference.activations import NAMES

PAGE = (Path(__file__).parents[2] / "docs" / "losses.md").read_text()


def test_its_examples(monkeypatch, capsys):
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))
    names = {"__name__": "page_about_losses"}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.S):
        exec(compile(block, "losses.md", "exec"), names)  # noqa: S102
    assert capsys.readouterr().out == "0.0747 True\n[0. 1. 4.]\n0.2169\n"


def test_its_tables_are_complete():
    bases = {"Loss", "ElementwiseLoss", "VectorLoss", "_Sloped", "_SlopedVector"}
    losses = {n for n, v in vars(nn.losses).items() if inspect.isclass(v) and issubclass(v, nn.losses.Loss)} - bases
    methods = {n for n in vars(ct.Tensor) if not n.startswith("_")} - {"detach"}
    joins = set(autograd.__all__) - {"Function", "Tensor", "from_dlpack", "is_recording", "no_grad", "record"}
    for name in losses | methods | joins | set(NAMES) | set(nn.activations.__all__):
        assert re.search(rf"`{name}[`(]", PAGE), f"{name} is missing in docs/losses.md"
