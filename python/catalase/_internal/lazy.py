"""Lazy imports: a package's names are imported when they are first used."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def attach(
    package: str, submodules: Sequence[str], attributes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return a package's ``__getattr__`` and ``__dir__``.

    Parameters
    ----------
    package : str
        The package's ``__name__``. The names of its ``__all__`` are listed too.
    submodules : sequence of str
    attributes : dict of str to str
        The submodule that defines each name.
    """

    def get(name: str) -> Any:
        if name in submodules:
            return importlib.import_module(f".{name}", package)
        if name in attributes:
            value = getattr(importlib.import_module(f".{attributes[name]}", package), name)
            setattr(sys.modules[package], name, value)
            return value
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def names() -> list[str]:
        module = sys.modules[package]
        return sorted(set(vars(module)) | set(module.__all__))

    return get, names
