"""Runs every example in a docstring."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import catalase

MODULES = sorted(
    m.name for m in pkgutil.walk_packages(catalase.__path__, "catalase.") if not m.name.endswith("__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if name == "catalase.interop.torch" or name.startswith("catalase.interop.torch."):
        pytest.importorskip("torch")
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    result = doctest.testmod(importlib.import_module(name), optionflags=flags)
    assert result.failed == 0
