"""The description of the machine, the versions and the commit of a run."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import _core

_DISTRIBUTIONS = {
    "sklearn": "scikit-learn",
    "skfp": "scikit-fingerprints",
    "torch-compiled": "torch",
    "catalase-cpu": "catalase",
}


def describe_machine(libraries: list[str], device: str = "cpu") -> dict[str, Any]:
    """Return the facts that a reader needs to judge the figures, as JSON values."""
    info = _core.build_info()
    from ..backends.cuda import describe_device

    return {
        "device": "cpu" if device == "cpu" else describe_device(),
        "date": datetime.date.today().isoformat(),
        "cpu": info["cpu"],
        "level": info["cpu_level"],
        "cores": _core.usable_cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "compiler": info["compiler"],
        "versions": {library: _version(library) for library in libraries},
        "commit": _commit(),
    }


def _version(library: str) -> str:
    try:
        return metadata.version(_DISTRIBUTIONS.get(library, library))
    except metadata.PackageNotFoundError:
        return str(_core.__version__) if library == "catalase" else "unknown"


def _commit() -> str | None:
    """Return the commit of a checkout; None where the library is installed."""
    folder = Path(__file__).parents[3]
    if not (folder / "cpp").is_dir():
        return None
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=folder, capture_output=True, text=True, env={**os.environ}
        )
    except OSError:
        return None
    return done.stdout.strip() or None
