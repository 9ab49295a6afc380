"""A description of the build and of the machine it runs on."""

from __future__ import annotations

from typing import Any

from .. import _core
from .cuda import describe_device

_OPTIONAL = (
    "rdkit",
    "safetensors",
    "rich",
    "pooch",
    "scikit-learn",
    "matplotlib",
    "pyarrow",
    "cupy-cuda12x",
    "cupy-cuda13x",
    "torch",
)


def config() -> dict[str, Any]:
    """Return version, compiler, CPU, threads, GPU and package versions as a dictionary."""
    import platform
    from importlib import metadata

    import numpy as np

    info: dict[str, Any] = dict(_core.build_info())
    info["python"] = platform.python_version()
    info["platform"] = platform.platform()
    info["threads"] = _core.get_num_threads()
    info["usable_cores"] = _core.usable_cores()
    info["gpu"] = describe_device()
    packages: dict[str, str | None] = {"numpy": np.__version__}
    for name in _OPTIONAL:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            packages[name] = None
    info["packages"] = packages
    return info


def show_config() -> None:
    """Print version, compiler, CPU features found and used, threads, GPU, and versions of optional packages.

    Examples
    --------
    >>> import catalase as ct
    >>> ct.show_config()
    catalase ...
    """
    info = config()
    print(f"catalase {info['version']} (built by {info['compiler']}, {info['build_type']})")
    print(f"Python      {info['python']} on {info['platform']}")
    print(f"CPU         {info['cpu']}")
    print(f"  found     {', '.join(info['cpu_features']) or 'no vector extensions that Catalase uses'}")
    print(f"  used      {info['cpu_level']} (available: {', '.join(info['cpu_levels'])}; CATALASE_CPU chooses)")
    print(f"Threads     {info['threads']} of {info['usable_cores']} usable cores (CATALASE_NUM_THREADS chooses)")
    print(f"GPU         {info['gpu']}")
    print("Packages    " + ", ".join(f"{name} {version or 'absent'}" for name, version in info["packages"].items()))
