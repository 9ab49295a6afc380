"""Importing the library, timed as whole Python processes."""

from __future__ import annotations

import sys
from typing import Any

FAMILY = "import"
ROUNDS = 7


def _command(module: str) -> Any:
    return lambda folder, quick: [
        sys.executable,
        "-c",
        "import json, time; start = time.perf_counter(); "
        f"import {module}; "
        "print(json.dumps({'seconds': {'import': time.perf_counter() - start}}))",
    ]


def differs(ours: dict[str, Any], theirs: dict[str, Any]) -> str | None:
    """Return None, since there are no results to compare."""
    return None


COMMANDS = {
    "catalase": _command("catalase"),
    "numpy": _command("numpy"),
    "torch": _command("torch"),
    "sklearn": _command("sklearn.metrics"),
    "rdkit": _command("rdkit.Chem"),
    "deepchem": _command("deepchem"),
}
