"""The search for a GPU, and advice where none is found."""

from __future__ import annotations

from importlib import util
from typing import Any

_INSTALL = 'pip install "catalase[cuda12]" (CUDA 12) or "catalase[cuda13]" (CUDA 13)'


def _find() -> tuple[Any, str]:
    """Return CuPy if it sees a device, else None, and a sentence that describes the device or says why there is none."""
    if util.find_spec("cupy") is None:
        return None, f"none: CuPy is not installed; {_INSTALL}"
    try:
        import cupy

        if cupy.cuda.runtime.getDeviceCount() == 0:
            return None, "none: the CUDA driver sees no device"
        number = cupy.cuda.runtime.getDevice()
        found = cupy.cuda.runtime.getDeviceProperties(number)
    except Exception as error:  # a missing driver and a CuPy that does not load raise many kinds
        words = (str(error) or type(error).__name__).splitlines()[0]
        return None, f"none: CuPy {_version()} is installed, but says: {words}"
    memory = found["totalGlobalMem"] / 2**30
    name = found["name"].decode()
    return cupy, f"{name}, sm_{found['major']}{found['minor']}, {memory:.0f} GiB (device {number}, CuPy {_version()})"


def _version() -> str:
    from importlib import metadata

    for package in ("cupy-cuda12x", "cupy-cuda13x", "cupy"):
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return "of unknown version"


def describe_device() -> str:
    """Return the device's name, architecture and memory, or the reason why there is none."""
    return _find()[1]


def require_cuda(function: str) -> Any:
    """Return the CuPy module.

    Raises
    ------
    RuntimeError
        Where there is no usable device. One sentence gives the reason and the package to install.
    """
    cupy, sentence = _find()
    if cupy is None:
        advice = (
            "" if "pip install" in sentence else f"; the packages come with {_INSTALL}, the driver with your system"
        )
        raise RuntimeError(f"{function}: needs a CUDA device, but there is {sentence}{advice}; backends present: cpu")
    return cupy
