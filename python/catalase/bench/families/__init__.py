"""The families of the bench: the modules of this folder, which are found without a list.

A module has its name on the command line as ``FAMILY``. It times calls, and has ``cases`` and ``LIBRARIES``, or whole
processes, and has ``COMMANDS``. Families that also run on a device have ``ON_DEVICE``, functions that take a case and a
`Device`, and may have ``device_cases``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from types import ModuleType
from typing import Any

from ..case import Case

# The order of the rows; families that are not named here follow in alphabetical order.
_ORDER = (
    "matmul", "conv", "convnet", "mlp", "predict", "elementwise", "pool", "rnn", "data", "fingerprint", "tanimoto",
    "screen", "book-tox21", "import",
)  # fmt: skip


def _found() -> dict[str, ModuleType]:
    """Return the modules of this folder by the names of their families."""
    modules = [importlib.import_module(f".{found.name}", __name__) for found in pkgutil.iter_modules(__path__)]
    families = {module.FAMILY: module for module in modules}
    return {name: families[name] for name in (*_ORDER, *sorted(families.keys() - {*_ORDER}))}


FAMILIES = _found()
DEVICE_FAMILIES = tuple(name for name, family in FAMILIES.items() if hasattr(family, "ON_DEVICE"))


def family_of(name: str) -> ModuleType:
    """Return the module of a family; a ValueError names the existing ones."""
    if name not in FAMILIES:
        raise ValueError(f"bench: there is no family {name!r}; choose from {', '.join(FAMILIES)}")
    return FAMILIES[name]


def cases_of(family: ModuleType, quick: bool, device: str) -> list[Case]:
    """Return the cases of a family, which may list other cases for a device."""
    on_device = device != "cpu" and hasattr(family, "device_cases")
    cases: list[Case] = family.device_cases(quick) if on_device else family.cases(quick)
    return cases


def libraries_of(family: ModuleType, device: str) -> dict[str, Callable[..., Any]]:
    """Return the functions that prepare a case, by library."""
    found: dict[str, Callable[..., Any]] = family.LIBRARIES if device == "cpu" else family.ON_DEVICE
    return found
