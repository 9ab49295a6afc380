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

    A package imports the same names under ``if TYPE_CHECKING:`` and calls this under ``if not TYPE_CHECKING:``. To a type
    checker, a package that has a ``__getattr__`` has every name, also one that is misspelt.

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
